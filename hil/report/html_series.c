#include "hil/report/html.h"

#include "emulator/base/chart.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

/*
 * A measurement of all boards: how its values lie between the limits, its statistics, and how they
 * went over the run.
 */

#define BINS 80
#define DOTS_MAX 400

/* ---- the axis that all boards of a measurement share ---- */

static void widen(int64_t value, int64_t *low, int64_t *high)
{
	*low = value < *low ? value : *low;
	*high = value > *high ? value : *high;
}

struct span {
	double low, high;
	enum value_unit unit;
};

static struct span span_of(const struct series *first, size_t n)
{
	int64_t low = INT64_MAX, high = INT64_MIN;
	struct span span = { .unit = first->unit };

	for (size_t i = 0; i < n; i++) {
		if (first[i].limit.has_max)
			widen(first[i].limit.max, &low, &high);
		if (first[i].limit.has_min)
			widen(first[i].limit.min, &low, &high);
		if (first[i].n > 0) {
			widen(first[i].stats.min, &low, &high);
			widen(first[i].stats.max, &low, &high);
		}
	}
	if (low > high)
		low = 0, high = 1;
	double room = ((double)high - (double)low) * 0.05 + 0.5;
	/* A latency is seen from 0, unless that squeezes everything into a corner. */
	span.low = low >= 0 && (double)low < 0.75 * (double)high ? 0 : (double)low - room;
	span.high = (double)high + room;
	return span;
}

static double percent(const struct span *span, double value)
{
	return 100 * (value - span->low) / (span->high - span->low);
}

/* ---- the strip: a histogram as shades, median, limits ---- */

static void put_limits(const struct series *series, const struct span *span, FILE *out)
{
	if (series->limit.has_max) {
		double at = percent(span, (double)series->limit.max);
		fprintf(out,
			"<span class=\"beyond\" style=\"left:%.2f%%;right:0\"></span>"
			"<span class=\"mark\" style=\"left:%.2f%%\"></span>",
			at, at);
	}
	if (series->limit.has_min) {
		double at = percent(span, (double)series->limit.min);
		fprintf(out,
			"<span class=\"beyond\" style=\"left:0;width:%.2f%%\"></span>"
			"<span class=\"mark\" style=\"left:%.2f%%\"></span>",
			at, at);
	}
}

static void put_strip(const struct series *series, const struct span *span, FILE *out)
{
	unsigned bins[BINS] = { 0 }, most = 0;

	for (size_t i = 0; i < series->n; i++) {
		double at = percent(span, (double)series->points[i].value) / 100 * BINS;
		unsigned bin = at < 0 ? 0 : at >= BINS ? BINS - 1 : (unsigned)at;
		bins[bin]++;
		most = bins[bin] > most ? bins[bin] : most;
	}
	fputs("<div class=\"strip\">", out);
	for (unsigned i = 0; i < BINS; i++)
		if (bins[i] > 0)
			fprintf(out, "<i style=\"left:%.2f%%;width:%.2f%%;opacity:%.2f\"></i>",
				100.0 * i / BINS, 100.0 / BINS,
				0.25 + 0.75 * bins[i] / (double)most);
	put_limits(series, span, out);
	if (series->n > 0)
		fprintf(out, "<b style=\"left:%.2f%%\"></b>",
			percent(span, (double)series->stats.median));
	fputs("</div>", out);
}

/* ---- figures ---- */

static void put_figure(const struct series *series, int64_t value, bool shown, FILE *out)
{
	bool bad = (series->limit.has_max && value > series->limit.max) ||
		   (series->limit.has_min && value < series->limit.min);

	if (series->n == 0 || !shown) {
		fputs("<td>\xe2\x80\x93</td>", out);
		return;
	}
	fputs(bad ? "<td class=\"bad\">" : "<td>", out);
	html_value(out, series->unit, value);
	fputs("</td>", out);
}

static void put_row(const struct record *record, const struct series *series,
		    const struct span *span, FILE *out)
{
	const struct stats *stats = &series->stats;

	fputs("<tr><th>", out);
	markup_put(out, board_name(record, series->board));
	fputs("</th><td class=\"plot-cell\">", out);
	put_strip(series, span, out);
	fprintf(out, "</td><td>%zu", series->n);
	if (series->missing > 0)
		fprintf(out, "<span class=\"hop bad\">%" PRIu64 " never came</span>",
			series->missing);
	if (series->untrusted > 0)
		fprintf(out, "<span class=\"hop\">%" PRIu64 " not trusted</span>",
			series->untrusted);
	fputs("</td>", out);
	put_figure(series, stats->min, true, out);
	put_figure(series, stats->median, true, out);
	put_figure(series, stats->p95, stats->p95_shown, out);
	put_figure(series, stats->p99, stats->p99_shown, out);
	put_figure(series, stats->max, true, out);
	fputs("<td>", out);
	html_value(out, series->unit, (int64_t)(stats->sd + 0.5));
	fputs("</td><td>", out);
	if (series->u_max > 0)
		html_value(out, series->unit, series->u_max);
	if (stats->has_cpk)
		fprintf(out, "</td><td%s>%.2f</td></tr>\n",
			stats->cpk < 1.33 ? " class=\"bad\"" : "", stats->cpk);
	else
		fprintf(out, "</td><td title=\"%s\">\xe2\x80\x93</td></tr>\n", stats->no_cpk);
}

/* ---- drift ---- */

static double nice_step(double span)
{
	double power = pow(10, floor(log10(span / 4)));
	double rest = span / 4 / power;

	return power * (rest <= 1 ? 1 : rest <= 2 ? 2 : rest <= 5 ? 5 : 10);
}

static void value_axis(struct chart_axis *axis, const struct span *span)
{
	double step = nice_step(span->high - span->low);

	*axis = (struct chart_axis){ .low = span->low, .high = span->high };
	for (double at = ceil(span->low / step) * step;
	     at <= span->high && axis->ticks < CHART_TICKS_MAX; at += step) {
		struct chart_tick *tick = &axis->tick[axis->ticks++];
		tick->value = at;
		char text[32];
		unit_text(span->unit, (int64_t)llround(at), text, sizeof(text));
		/* "60.00 ms": the zeros say nothing on an axis. */
		char *dot = strchr(text, '.'), *unit = strchr(text, ' ');
		if (dot != NULL && unit != NULL) {
			char *end = unit;
			while (end > dot && (end[-1] == '0' || end[-1] == '.'))
				end--;
			memmove(end, unit, strlen(unit) + 1);
		}
		snprintf(tick->label, sizeof(tick->label), "%.31s", text);
	}
}

static void put_line(FILE *out, const struct chart_axis *y, int64_t value)
{
	fprintf(out, "<path class=\"limit-line\" d=\"M0 %.1fH1000\"/>\n",
		chart_up(y, (double)value));
}

/* All that were not well, and of the others as many as a picture can show. */
static void put_dots(const struct series *series, const struct chart_axis *x,
		     const struct chart_axis *y, enum verdict verdict, FILE *out)
{
	size_t every = series->n / DOTS_MAX + 1, put = 0;

	for (size_t i = 0; i < series->n; i++) {
		const struct series_point *point = &series->points[i];
		if (point->verdict != verdict || (verdict < VERDICT_INCONCLUSIVE && i % every != 0))
			continue;
		if (put++ == 0)
			fprintf(out, "<path class=\"dot %s\" d=\"", html_class(verdict));
		fprintf(out, "M%.1f %.1fh0", chart_at(x, (double)point->at_ns),
			chart_up(y, (double)point->value));
	}
	if (put > 0)
		fputs("\"/>\n", out);
}

static void put_drift(const struct record *record, const struct series *series,
		      const struct span *span, size_t id, FILE *out)
{
	struct chart_axis x, y;
	char name[24], title[160];

	chart_axis_time(&x, (double)run_span(record));
	value_axis(&y, span);
	snprintf(name, sizeof(name), "d%zu", id);
	snprintf(title, sizeof(title), "%.60s of %.60s over the run", series->name,
		 board_name(record, series->board));
	struct chart chart = { .id = name,
			       .title = title,
			       .description = title,
			       .x_label = "",
			       .y_label = "",
			       .x = &x,
			       .y = &y,
			       .low = true };
	fputs("<div class=\"cell\"><h4>", out);
	markup_put(out, board_name(record, series->board));
	fputs("</h4>", out);
	chart_begin(out, &chart);
	if (series->limit.has_max)
		put_line(out, &y, series->limit.max);
	if (series->limit.has_min)
		put_line(out, &y, series->limit.min);
	for (int verdict = 0; verdict < VERDICTS; verdict++)
		put_dots(series, &x, &y, (enum verdict)verdict, out);
	chart_end_shapes(out, &chart);
	chart_end(out, &chart);
	fputs("</div>\n", out);
}

/* ---- a measurement ---- */

static void put_limit_text(const struct series *series, FILE *out)
{
	if (series->limit.has_min) {
		fputs(" at least ", out);
		html_value(out, series->unit, series->limit.min);
	}
	if (series->limit.has_max) {
		fputs(series->limit.has_min ? ", at most " : " at most ", out);
		html_value(out, series->unit, series->limit.max);
	}
	if (series->limit.without_frame)
		fputs(", the servo's frame taken off", out);
}

static void put_group(const struct record *record, const struct series *first, size_t n, size_t *id,
		      FILE *out)
{
	struct span span = span_of(first, n);
	bool bad = false;

	fputs("<h3>", out);
	markup_put(out, first->name);
	fputs(" <small>", out);
	put_limit_text(first, out);
	fputs("</small></h3>\n<div class=\"scroll\"><table class=\"figures dist wide\">\n<thead><tr>"
	      "<th>board</th><th class=\"text\"></th><th>n</th><th>min</th><th>median</th>"
	      "<th>p95</th><th>p99</th><th>max</th><th>sd</th><th>U</th><th>Cpk</th></tr></thead>\n"
	      "<tbody>\n",
	      out);
	for (size_t i = 0; i < n; i++) {
		put_row(record, &first[i], &span, out);
		bad = bad || first[i].verdicts[VERDICT_FAIL] > 0 ||
		      first[i].verdicts[VERDICT_INCONCLUSIVE] > 0 ||
		      first[i].verdicts[VERDICT_MARGINAL] > 0;
	}
	fprintf(out,
		"</tbody></table></div>\n<details%s><summary>over the run</summary>\n"
		"<div class=\"cells three\">\n",
		bad ? " open=\"open\"" : "");
	for (size_t i = 0; i < n; i++)
		put_drift(record, &first[i], &span, (*id)++, out);
	fputs("</div></details>\n", out);
}

void html_measurements(const struct record *record, const struct series_set *set, FILE *out)
{
	size_t id = 0;

	if (set->count == 0)
		return;
	html_heading(out, "measurements", "Measurements");
	fputs("<p class=\"hint\">Shades: how many values lie there; black: the median; red: a limit. "
	      "p95 from 20 values on, p99 from 100. Cpk where at least 30 values are normally "
	      "distributed and none is missing.</p>\n",
	      out);
	for (size_t i = 0; i < set->count;) {
		size_t n = 1;
		while (i + n < set->count &&
		       strcmp(set->series[i + n].name, set->series[i].name) == 0)
			n++;
		put_group(record, &set->series[i], n, &id, out);
		i += n;
	}
	fputs("</section>\n", out);
}
