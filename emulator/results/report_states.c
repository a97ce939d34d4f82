#include "emulator/results/report.h"

#include "emulator/base/chart.h"

#include <string.h>

/* ---- targets by state: a stacked area ---- */

/* From the bottom up: what stands, what lies, what is not there. */
static const enum target_state stack[TARGET_STATES] = {
	TARGET_ACTIVE, TARGET_UP,      TARGET_RISING, TARGET_FALLING,
	TARGET_DOWN,   TARGET_BOOTING, TARGET_OFF,    TARGET_GONE,
};

/* The sum of the first `layers` states of the stack. */
static uint32_t height(const struct sample *sample, int layers)
{
	uint32_t sum = 0;

	for (int i = 0; i < layers; i++)
		sum += sample->by_state[stack[i]];
	return sum;
}

/* Points between two of the same height say nothing. */
static bool is_bend(const struct sampler *sampler, uint32_t i, int layers)
{
	if (i == 0 || i + 1 == sampler->count)
		return true;
	uint32_t here = height(&sampler->samples[i], layers);
	return here != height(&sampler->samples[i - 1], layers) ||
	       here != height(&sampler->samples[i + 1], layers);
}

/*
 * Every area goes down to the axis and the lower ones are drawn over the higher: between areas that
 * only touch, the background would shine through.
 */
static void put_area(const struct sampler *sampler, const struct chart *chart, int layers,
		     FILE *out)
{
	const char *name = target_state_name(stack[layers - 1]);

	fprintf(out, "<path class=\"area k-%s\" d=\"M0 1000", name);
	for (uint32_t i = 0; i < sampler->count; i++)
		if (is_bend(sampler, i, layers))
			fprintf(out, "L%.1f %.1f",
				chart_at(chart->x, (double)sampler->samples[i].t_ns),
				chart_up(chart->y, height(&sampler->samples[i], layers)));
	fprintf(out, "V1000Z\"><title>%s</title></path>\n", name);
}

static bool ever(const struct sampler *sampler, enum target_state state)
{
	for (uint32_t i = 0; i < sampler->count; i++)
		if (sampler->samples[i].by_state[state] > 0)
			return true;
	return false;
}

static void put_areas(const struct sampler *sampler, const struct chart *chart, FILE *out)
{
	for (int layers = TARGET_STATES; layers > 0; layers--)
		if (ever(sampler, stack[layers - 1]))
			put_area(sampler, chart, layers, out);
}

static void put_state_legend(const struct results *results, FILE *out)
{
	const struct target_totals *totals = &results->fleet->env.totals;
	char n[MARKUP_NUMBER];

	fputs("<ul class=\"legend\">\n", out);
	for (int layer = 0; layer < TARGET_STATES; layer++)
		if (ever(&results->sampler, stack[layer]))
			fprintf(out, "<li><i class=\"k-%s\"></i>%s <b>%s</b></li>\n",
				target_state_name(stack[layer]), target_state_name(stack[layer]),
				markup_count(totals->by_state[stack[layer]], n, sizeof(n)));
	fputs("<li class=\"hint\">numbers: at the end</li>\n</ul>\n", out);
}

/* Where faults begin and end, and where something failed. */
static void put_lines(const struct results *results, const struct results_end *end,
		      const struct chart *chart, FILE *out)
{
	const struct marks *marks = &results->sampler.marks;

	if (marks->span_count <= 40) {
		fputs("<path class=\"line fault\" d=\"", out);
		for (uint32_t i = 0; i < marks->span_count; i++) {
			fprintf(out, "M%.1f 0V1000",
				chart_at(chart->x, (double)marks->spans[i].from_ns));
			if (marks->spans[i].to_ns != MARKS_OPEN)
				fprintf(out, "M%.1f 0V1000",
					chart_at(chart->x, (double)marks->spans[i].to_ns));
		}
		fputs("\"/>\n", out);
	}
	fputs("<path class=\"line bad\" d=\"", out);
	for (uint32_t i = 0; i < end->verdict_count; i++)
		if (end->verdicts[i]->outcome != VERDICT_PASS)
			fprintf(out, "M%.1f 0V1000",
				chart_at(chart->x, (double)end->verdicts[i]->at_ns));
	fputs("\"/>\n", out);
}

static void describe_states(const struct results *results, char *buf, size_t cap)
{
	const struct target_totals *totals = &results->fleet->env.totals;
	char span[MARKUP_NUMBER];
	int len = snprintf(buf, cap, "%u targets over %s. At the end:", results->fleet->count,
			   markup_time(report_span(results), span, sizeof(span)));

	for (int i = 0; i < TARGET_STATES && len > 0 && (size_t)len < cap; i++)
		if (totals->by_state[stack[i]] > 0)
			len += snprintf(buf + len, cap - (size_t)len, " %s %llu",
					target_state_name(stack[i]),
					(unsigned long long)totals->by_state[stack[i]]);
}

/* ---- a master alone: how many it knows ---- */

static uint32_t most_registered(const struct sampler *sampler)
{
	uint32_t most = 0;

	for (uint32_t i = 0; i < sampler->count; i++)
		if (sampler->samples[i].registered > most)
			most = sampler->samples[i].registered;
	return most;
}

static void put_registered(const struct sampler *sampler, const struct chart *chart, FILE *out)
{
	fputs("<path class=\"area k-registered\" d=\"M0 1000", out);
	for (uint32_t i = 0; i < sampler->count; i++)
		fprintf(out, "L%.1f %.1f", chart_at(chart->x, (double)sampler->samples[i].t_ns),
			chart_up(chart->y, sampler->samples[i].registered));
	fputs("V1000Z\"><title>registered</title></path>\n", out);
}

static void put_registered_legend(const struct results *results, FILE *out)
{
	char n[MARKUP_NUMBER];

	fprintf(out,
		"<ul class=\"legend\">\n<li><i class=\"k-registered\"></i>registered "
		"<b>%s</b></li>\n"
		"<li class=\"hint\">number: at the end</li>\n</ul>\n",
		markup_count(master_known(results->master), n, sizeof(n)));
}

void report_states(const struct results *results, const struct results_end *end, FILE *out)
{
	const struct sampler *sampler = &results->sampler;
	struct chart_axis x, y;
	char description[400];

	if (results->fleet == NULL && results->master == NULL)
		return;
	report_heading(out, "timeline", "Timeline");
	chart_axis_time(&x, (double)report_span(results));
	if (results->fleet != NULL) {
		chart_axis_count(&y, results->fleet->count);
		describe_states(results, description, sizeof(description));
		put_state_legend(results, out);
	} else {
		chart_axis_count(&y, most_registered(sampler));
		snprintf(description, sizeof(description), "%u targets were registered at the end.",
			 master_known(results->master));
		put_registered_legend(results, out);
	}
	const struct chart chart = { .id = "states",
				     .title = results->fleet != NULL
						      ? "Targets by state over time"
						      : "Registered targets over time",
				     .description = description,
				     .x_label = "time since the run began",
				     .y_label = "targets",
				     .x = &x,
				     .y = &y };
	chart_begin(out, &chart);
	if (results->fleet != NULL)
		put_areas(sampler, &chart, out);
	else
		put_registered(sampler, &chart, out);
	put_lines(results, end, &chart, out);
	chart_end_shapes(out, &chart);
	report_lanes(results, end, out);
	chart_end(out, &chart);
	fputs("</section>\n", out);
}

/* ---- commands: how many ended a second, and how ---- */

enum { OK, FAILED, LOST, OUTCOMES };
static const char *const outcome_names[OUTCOMES] = { "ok", "failed", "lost" };

struct rates {
	double from_ns, to_ns;
	double per_s[OUTCOMES];
	double total;
};

/* Of the interval that ends with sample i > 0. */
static struct rates rates_of(const struct sampler *sampler, uint32_t i)
{
	const struct sample *a = &sampler->samples[i - 1], *b = a + 1;
	/* The last interval may be a sliver: what happened in it is no rate. */
	int64_t least = sampler->interval_ns / 2, span = b->t_ns - a->t_ns;
	double s = (double)(span > least ? span : least) / 1e9;
	struct rates rates = { .from_ns = (double)a->t_ns,
			       .to_ns = (double)b->t_ns,
			       .per_s = { (double)(b->ok - a->ok) / s,
					  (double)(b->failed - a->failed) / s,
					  (double)(b->lost - a->lost) / s } };

	rates.total = rates.per_s[OK] + rates.per_s[FAILED] + rates.per_s[LOST];
	return rates;
}

static void put_bars(const struct sampler *sampler, const struct chart *chart, int outcome,
		     FILE *out)
{
	fprintf(out, "<path class=\"area k-%s\" d=\"", outcome_names[outcome]);
	for (uint32_t i = 1; i < sampler->count; i++) {
		struct rates rates = rates_of(sampler, i);
		double below = 0;
		for (int o = 0; o < outcome; o++)
			below += rates.per_s[o];
		if (rates.per_s[outcome] <= 0)
			continue;
		fprintf(out, "M%.1f %.1fV%.1fH%.1fV%.1fZ", chart_at(chart->x, rates.from_ns),
			chart_up(chart->y, below), chart_up(chart->y, below + rates.per_s[outcome]),
			chart_at(chart->x, rates.to_ns), chart_up(chart->y, below));
	}
	fprintf(out, "\"><title>%s</title></path>\n", outcome_names[outcome]);
}

static void put_outcome_legend(const struct master_totals *totals, FILE *out)
{
	const uint64_t counts[OUTCOMES] = { totals->ok, totals->failed, totals->lost };
	char n[MARKUP_NUMBER];

	fputs("<ul class=\"legend\">\n", out);
	for (int i = 0; i < OUTCOMES; i++)
		fprintf(out, "<li><i class=\"k-%s\"></i>%s <b>%s</b></li>\n", outcome_names[i],
			outcome_names[i], markup_count(counts[i], n, sizeof(n)));
	fputs("</ul>\n", out);
}

static void put_reasons(const struct master_totals *totals, FILE *out)
{
	const struct {
		const char *what;
		uint64_t n;
	} reasons[] = {
		{ "refused", totals->refused },
		{ "reset", totals->reset },
		{ "closed without an answer", totals->closed },
		{ "bad answer", totals->bad_answers },
		{ "no resources here", totals->no_resources },
	};
	const char *separator = "<p>Failed because: ";
	char n[MARKUP_NUMBER];

	for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++) {
		if (reasons[i].n == 0)
			continue;
		fprintf(out, "%s%s <b>%s</b>", separator, reasons[i].what,
			markup_count(reasons[i].n, n, sizeof(n)));
		separator = ", ";
	}
	if (separator[0] == ',')
		fputs(".</p>\n", out);
}

void report_commands(const struct results *results, FILE *out)
{
	const struct sampler *sampler = &results->sampler;
	struct chart_axis x, y;
	double high = 0;
	char description[160];

	if (!report_has_commands(results))
		return;
	const struct master_totals *totals = master_totals(results->master);
	for (uint32_t i = 1; i < sampler->count; i++)
		high = rates_of(sampler, i).total > high ? rates_of(sampler, i).total : high;
	chart_axis_time(&x, (double)report_span(results));
	chart_axis_count(&y, high);
	snprintf(description, sizeof(description),
		 "%llu commands were sent; %llu ended ok, %llu failed, %llu were lost.",
		 (unsigned long long)totals->sent, (unsigned long long)totals->ok,
		 (unsigned long long)totals->failed, (unsigned long long)totals->lost);
	const struct chart chart = { .id = "commands-chart",
				     .title = "Commands that ended, per second",
				     .description = description,
				     .x_label = "time since the run began",
				     .y_label = "per second",
				     .x = &x,
				     .y = &y,
				     .low = true };
	report_heading(out, "commands", "Commands");
	put_outcome_legend(totals, out);
	chart_begin(out, &chart);
	for (int i = 0; i < OUTCOMES; i++)
		put_bars(sampler, &chart, i, out);
	chart_end_shapes(out, &chart);
	chart_end(out, &chart);
	put_reasons(totals, out);
	fputs("</section>\n", out);
}
