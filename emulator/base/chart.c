#include "emulator/base/chart.h"

#include "emulator/base/markup.h"

#include <math.h>

/* ---- axes ---- */

static struct chart_tick *add_tick(struct chart_axis *axis, double value)
{
	if (axis->ticks == CHART_TICKS_MAX)
		return NULL;
	struct chart_tick *tick = &axis->tick[axis->ticks++];
	*tick = (struct chart_tick){ .value = value };
	return tick;
}

/* 1, 2 or 5 times a power of ten, so that at most `most` of them make up the span. */
static double round_step(double span, int most)
{
	static const double steps[] = { 1, 2, 5, 10 };
	double least = span / most;
	double power = pow(10, floor(log10(least)));

	for (int i = 0; i < 4; i++)
		if (steps[i] * power >= least * 0.9999)
			return steps[i] * power;
	return 10 * power;
}

void chart_axis_count(struct chart_axis *axis, double high)
{
	*axis = (struct chart_axis){ .low = 0, .high = high > 0 ? high : 1 };
	double step = round_step(axis->high, 5);

	if (step < 1)
		step = 1;
	/* The top is a round number too, unless that would waste much of the height. */
	double top = ceil(axis->high / step - 1e-9) * step;
	if (top <= axis->high * 1.12)
		axis->high = top;
	for (int i = 0; i * step <= axis->high * 1.0001; i++) {
		struct chart_tick *tick = add_tick(axis, i * step);
		if (tick != NULL)
			markup_count((uint64_t)(i * step + 0.5), tick->label, sizeof(tick->label));
	}
}

/* "0 s", "2.5 s", "1:30", "2:00:00". */
static void time_label(double ns, double step_ns, char *buf, size_t cap)
{
	double s = ns / 1e9;
	long long whole = (long long)(s + 0.5);

	if (step_ns < 1e6)
		snprintf(buf, cap, "%.0f\xc2\xa0µs", ns / 1e3);
	else if (step_ns < 1e8)
		snprintf(buf, cap, "%.0f\xc2\xa0ms", ns / 1e6);
	else if (step_ns < 1e9)
		snprintf(buf, cap, "%.1f\xc2\xa0s", s);
	else if (step_ns < 60e9)
		snprintf(buf, cap, "%lld\xc2\xa0s", whole);
	else if (step_ns < 3600e9)
		snprintf(buf, cap, "%lld\xc2\xa0min", whole / 60);
	else
		snprintf(buf, cap, "%lld\xc2\xa0h", whole / 3600);
}

void chart_axis_time(struct chart_axis *axis, double high_ns)
{
	static const int seconds[] = { 1,   2,   5,    10,   15,   30,    60,    120,   300,
				       600, 900, 1800, 3600, 7200, 14400, 21600, 43200, 86400 };
	size_t n = sizeof(seconds) / sizeof(seconds[0]), i = 0;
	double step = round_step(high_ns > 0 ? high_ns : 1, 5);

	*axis = (struct chart_axis){ .low = 0, .high = high_ns > 0 ? high_ns : 1 };
	/* From a second on the steps are those of a clock. */
	if (step > 0.5e9) {
		while (i + 1 < n && seconds[i] * 5e9 < axis->high)
			i++;
		step = seconds[i] * 1e9;
	}
	while (axis->high / step > 6)
		step *= 2;
	for (int k = 0; k * step <= axis->high; k++) {
		struct chart_tick *tick = add_tick(axis, k * step);
		if (tick != NULL)
			time_label(k * step, step, tick->label, sizeof(tick->label));
	}
}

/* The next of 1, 2, 5, 10 ... below or above. */
static double round_125(double value, bool up)
{
	static const double parts[] = { 1, 2, 5, 10 };
	double decade = pow(10, floor(log10(value)));

	for (int i = 0; i < 3; i++)
		if (value >= parts[i] * decade && value < parts[i + 1] * decade)
			return parts[up ? i + 1 : i] * decade;
	return value;
}

static void latency_label(double ns, char *buf, size_t cap)
{
	static const char *const units[] = { "ns", "µs", "ms", "s" };
	int unit = 0;

	while (unit < 3 && ns > 999) {
		ns /= 1000;
		unit++;
	}
	snprintf(buf, cap, "%.0f\xc2\xa0%s", ns, units[unit]);
}

void chart_axis_latency(struct chart_axis *axis, double low_ns, double high_ns)
{
	static const double parts[] = { 1, 2, 5 };

	if (low_ns < 1)
		low_ns = 1;
	/* A little air above and below. */
	double low = round_125(low_ns * 0.95, false);
	double high = round_125((high_ns > low_ns ? high_ns : low_ns) * 1.05, true);
	bool few = high / low < 150;
	*axis = (struct chart_axis){ .low = low, .high = high, .log = true };
	double decade = pow(10, floor(log10(low) + 1e-9));
	while (decade <= high) {
		for (int i = 0; i < (few ? 3 : 1); i++) {
			double value = decade * parts[i];
			struct chart_tick *tick = NULL;
			if (value > low * 0.999 && value < high * 1.001)
				tick = add_tick(axis, value);
			if (tick == NULL)
				continue;
			tick->minor = i > 0 && high / low > 25;
			latency_label(value, tick->label, sizeof(tick->label));
		}
		decade *= 10;
	}
}

void chart_axis_percentile(struct chart_axis *axis, double n)
{
	*axis = (struct chart_axis){ .low = 1, .high = n < 100 ? 100 : n, .log = true };
	double value = 1;

	for (int nines = 0; value <= axis->high * 1.001 && nines < 9; nines++, value *= 10) {
		struct chart_tick *tick = add_tick(axis, value);
		if (nines < 3)
			snprintf(tick->label, sizeof(tick->label), "%s\xc2\xa0%%",
				 nines == 0   ? "0"
				 : nines == 1 ? "90"
					      : "99");
		else
			snprintf(tick->label, sizeof(tick->label), "99.%.*s\xc2\xa0%%", nines - 2,
				 "9999999");
		/* 0 % to 90 % is a third of most charts: the median gets a mark. */
		if (nines == 0) {
			tick = add_tick(axis, 2);
			snprintf(tick->label, sizeof(tick->label), "50\xc2\xa0%%");
		}
	}
}

double chart_at(const struct chart_axis *axis, double value)
{
	double share = axis->log ? log(value > axis->low ? value / axis->low : 1) /
					   log(axis->high / axis->low)
				 : (value - axis->low) / (axis->high - axis->low);

	return (share < 0 ? 0 : share > 1 ? 1 : share) * CHART_SIZE;
}

/* ---- the frame ---- */

static void put_grid(FILE *out, const struct chart *chart)
{
	const struct chart_axis *axes[] = { chart->y, chart->x };

	for (int a = 0; a < 2; a++)
		for (int minor = 1; minor >= 0; minor--) {
			fprintf(out, "<path class=\"grid%s\" d=\"", minor ? " minor" : "");
			for (int i = 0; i < axes[a]->ticks; i++) {
				const struct chart_tick *tick = &axes[a]->tick[i];
				if (tick->minor != minor)
					continue;
				if (a == 0)
					fprintf(out, "M0 %.1fH1000",
						chart_up(axes[a], tick->value));
				else
					fprintf(out, "M%.1f 0V1000",
						chart_at(axes[a], tick->value));
			}
			fputs("\"/>\n", out);
		}
}

void chart_begin(FILE *out, const struct chart *chart)
{
	fprintf(out, "<div class=\"plot%s\">\n", chart->low ? " low" : "");
	fprintf(out,
		"<p class=\"y-name\">%s</p>\n<div class=\"field\">\n"
		"<div class=\"y\" aria-hidden=\"true\">",
		chart->y_label);
	for (int i = 0; i < chart->y->ticks; i++)
		if (!chart->y->tick[i].minor)
			fprintf(out, "<span style=\"bottom:%.2f%%\">%s</span>",
				chart_at(chart->y, chart->y->tick[i].value) / 10,
				chart->y->tick[i].label);
	fprintf(out,
		"</div>\n<svg viewBox=\"0 0 1000 1000\" "
		"preserveAspectRatio=\"none\" role=\"img\" aria-labelledby=\"%s-t %s-d\">\n",
		chart->id, chart->id);
	fprintf(out, "<title id=\"%s-t\">", chart->id);
	markup_put(out, chart->title);
	fprintf(out, "</title>\n<desc id=\"%s-d\">", chart->id);
	markup_put(out, chart->description);
	fputs("</desc>\n", out);
	put_grid(out, chart);
}

void chart_end_shapes(FILE *out, const struct chart *chart)
{
	fputs("</svg>\n</div>\n<div class=\"x\" aria-hidden=\"true\">", out);
	double last = -1000;
	for (int i = 0; i < chart->x->ticks; i++) {
		double at = chart_at(chart->x, chart->x->tick[i].value);
		/* Too close for two labels on a phone. */
		if (at - last < 100)
			continue;
		last = at;
		fprintf(out, "<span%s style=\"left:%.2f%%\">%s</span>",
			at > 930 ? " class=\"edge\"" : "", at / 10, chart->x->tick[i].label);
	}
	fputs("</div>\n", out);
}

void chart_end(FILE *out, const struct chart *chart)
{
	fprintf(out, "<p class=\"x-name\">%s</p>\n</div>\n", chart->x_label);
}
