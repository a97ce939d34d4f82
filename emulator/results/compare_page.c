#include "emulator/base/chart.h"
#include "emulator/base/page.h"
#include "emulator/results/compare.h"
#include "emulator/results/report.h"

#include <math.h>
#include <string.h>

/* report.html of a comparison: who is better, the table, latency by percentile and by pass. */

static const char *const words[] = {
#define X(constant, json, words, unit, more) words,
	COMPARE_MEASURES(X)
#undef X
};
static const char *const units[] = {
#define X(constant, json, words, unit, more) unit,
	COMPARE_MEASURES(X)
#undef X
};

/* The first is blue, the second orange; the classes are those of two commands. */
static const char *const classes[] = { "c-ping", "c-activate" };

static void put_value(const struct compare_wire *wire, int m, bool better, FILE *out)
{
	if (isnan(wire->value[m])) {
		fputs("<td>not measured</td>", out);
		return;
	}
	int digits = wire->value[m] < 10 ? 2 : wire->value[m] < 1000 ? 1 : 0;
	fprintf(out, "<td>%s%.*f\xc2\xa0%s%s", better ? "<strong>" : "", digits, wire->value[m],
		units[m], better ? "</strong>" : "");
	if (wire->q1[m] < wire->q3[m])
		fprintf(out, " <small>%.*f to %.*f</small>", digits, wire->q1[m], digits,
			wire->q3[m]);
	fputs("</td>", out);
}

static void put_table(const struct compare *compare, FILE *out)
{
	fprintf(out,
		"<section aria-labelledby=\"table\">\n<h2 id=\"table\">Side by side</h2>\n<div "
		"class=\"scroll\"><table>\n<caption>Medians of the passes; behind them, where it "
		"varies, the middle half of the passes.</caption>\n<thead><tr><td></td>"
		"<th scope=\"col\">%s</th><th scope=\"col\">%s</th>"
		"<th scope=\"col\">better</th></tr></thead>\n<tbody>\n",
		compare->wire[0].name, compare->wire[1].name);
	for (int m = 0; m < COMPARE_MEASURE_COUNT; m++) {
		int better = compare_better(compare, (enum compare_measure)m);
		fprintf(out, "<tr><th scope=\"row\">%s</th>", words[m]);
		for (int i = 0; i < 2; i++)
			put_value(&compare->wire[i], m, better == i, out);
		if (better < 0)
			fputs("<td>no clear difference</td></tr>\n", out);
		else if (isfinite(compare_ratio(compare, (enum compare_measure)m)))
			fprintf(out, "<td>%s, %.2f times</td></tr>\n", compare->wire[better].name,
				compare_ratio(compare, (enum compare_measure)m));
		else
			fprintf(out, "<td>%s</td></tr>\n", compare->wire[better].name);
	}
	fputs("</tbody>\n</table></div>\n</section>\n", out);
}

static void put_legend(const struct compare *compare, const char *hint, FILE *out)
{
	fputs("<ul class=\"legend\">\n", out);
	for (int i = 0; i < 2; i++)
		fprintf(out,
			"<li><svg viewBox=\"0 0 32 12\" aria-hidden=\"true\"><path class=\"curve "
			"whole %s\" d=\"M1 6H31\"/></svg>%s</li>\n",
			classes[i], compare->wire[i].name);
	fprintf(out, "<li class=\"hint\">%s</li>\n</ul>\n", hint);
}

static void put_curve(const struct compare_wire *wire, const struct chart *chart,
		      const char *colour, FILE *out)
{
	fprintf(out, "<path class=\"curve whole %s\" d=\"", colour);
	for (int i = 0; i <= COMPARE_CURVE; i++)
		fprintf(out, "%s%.1f %.1f", i == 0 ? "M" : "L",
			chart_at(chart->x, 1 / compare_curve_rest(wire->ok, i)),
			chart_up(chart->y, wire->curve[i] > 0 ? (double)wire->curve[i] : 1));
	fprintf(out, "h0\"><title>%s</title></path>\n", wire->name);
}

static void put_distribution(const struct compare *compare, FILE *out)
{
	const struct compare_wire *a = &compare->wire[0], *b = &compare->wire[1];
	struct chart_axis x, y;
	double low = (double)(a->curve[0] < b->curve[0] ? a->curve[0] : b->curve[0]);
	double high = (double)(a->curve[COMPARE_CURVE] > b->curve[COMPARE_CURVE]
				       ? a->curve[COMPARE_CURVE]
				       : b->curve[COMPARE_CURVE]);

	chart_axis_percentile(&x, (double)(a->ok > b->ok ? a->ok : b->ok));
	chart_axis_latency(&y, low, high);
	const struct chart chart = { .id = "percentiles",
				     .title = "Latency by percentile",
				     .description = "The latency that this share of all answers "
						    "does not exceed, for each of the two wires.",
				     .x_label = "share of the answers that are at least as fast",
				     .y_label = "latency",
				     .x = &x,
				     .y = &y };
	report_heading(out, "latency", "Latency by percentile");
	put_legend(compare, "both axes logarithmic; from when a command was due", out);
	chart_begin(out, &chart);
	put_curve(a, &chart, classes[0], out);
	put_curve(b, &chart, classes[1], out);
	chart_end_shapes(out, &chart);
	chart_end(out, &chart);
	fputs("</section>\n", out);
}

static void put_pass_curve(const double *us, unsigned n, const struct chart *chart,
			   const char *colour, const char *name, FILE *out)
{
	fprintf(out, "<path class=\"curve whole %s\" d=\"", colour);
	for (unsigned i = 0; i < n; i++)
		fprintf(out, "%s%.1f %.1f", i == 0 ? "M" : "L", chart_at(chart->x, i + 1),
			chart_up(chart->y, us[i] * 1e3));
	fprintf(out, "h0\"><title>%s</title></path>\n", name);
}

/* Do the passes agree? One that stands out was disturbed. */
static void put_passes(const struct compare *compare, FILE *out)
{
	double low = INFINITY, high = 0;
	struct chart_axis x, y;

	for (int i = 0; i < 2; i++)
		for (unsigned p = 0; p < compare->passes; p++) {
			low = fmin(low, compare->wire[i].pass_p50_us[p] * 1e3);
			high = fmax(high, compare->wire[i].pass_p99_us[p] * 1e3);
		}
	chart_axis_count(&x, compare->passes);
	chart_axis_latency(&y, low, high);
	const struct chart chart = { .id = "passes",
				     .title = "Latency by pass",
				     .description = "p50 and p99 of each pass and wire; the two "
						    "wires take turns.",
				     .x_label = "pass",
				     .y_label = "latency",
				     .x = &x,
				     .y = &y };
	report_heading(out, "by-pass", "Latency by pass");
	put_legend(compare, "below p50, above p99; the wires take turns", out);
	chart_begin(out, &chart);
	for (int i = 0; i < 2; i++) {
		put_pass_curve(compare->wire[i].pass_p50_us, compare->passes, &chart, classes[i],
			       "p50", out);
		put_pass_curve(compare->wire[i].pass_p99_us, compare->passes, &chart, classes[i],
			       "p99", out);
	}
	chart_end_shapes(out, &chart);
	chart_end(out, &chart);
	fputs("</section>\n", out);
}

static void put_header(const struct compare *compare, FILE *out)
{
	unsigned better[2] = { 0, 0 };

	for (int m = 0; m < COMPARE_MEASURE_COUNT; m++) {
		int who = compare_better(compare, (enum compare_measure)m);
		if (who >= 0)
			better[who]++;
	}
	int first = better[0] >= better[1] ? 0 : 1;
	fputs("<header>\n<h1>", out);
	markup_put(out, compare->title);
	fprintf(out,
		"</h1>\n<p class=\"why\">%s is better in %u of %d measures, %s in %u.</p>\n"
		"<ul class=\"facts\"><li><span>config</span> ",
		compare->wire[first].name, better[first], COMPARE_MEASURE_COUNT,
		compare->wire[1 - first].name, better[1 - first]);
	markup_put(out, compare->config);
	fprintf(out, "</li><li><span>targets</span> %u</li><li><span>passes</span> %u</li>",
		compare->targets, compare->passes);
	for (int i = 0; i < 2; i++)
		fprintf(out, "<li><span>%s</span> %llu commands, %llu failed, %llu lost</li>",
			compare->wire[i].name, (unsigned long long)compare->wire[i].sent,
			(unsigned long long)compare->wire[i].failed,
			(unsigned long long)compare->wire[i].lost);
	fputs("</ul>\n", out);
	if (compare->note != NULL) {
		fputs("<p class=\"hint\">", out);
		markup_put(out, compare->note);
		fputs("</p>\n", out);
	}
	fputs("</header>\n", out);
}

void compare_page(const struct compare *compare, FILE *out)
{
	page_begin(out, compare->title, report_style);
	put_header(compare, out);
	fputs("<main>\n", out);
	put_table(compare, out);
	if (compare->wire[0].ok > 0 && compare->wire[1].ok > 0) {
		put_distribution(compare, out);
		if (compare->passes > 1)
			put_passes(compare, out);
	}
	fputs("</main>\n", out);
	page_end(out);
}
