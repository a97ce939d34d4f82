#include "emulator/results/report.h"

#include "emulator/base/chart.h"

#include <math.h>

/* ---- over time: p50, p99 and max of each interval, one chart a command ---- */

enum { P50, P99, MAX, SERIES };
static const char *const series_names[SERIES] = { "p50", "p99", "max" };

/* The piece of a curve that stands in a legend. */
#define KEY(classes)                                                                               \
	"<svg viewBox=\"0 0 32 12\" aria-hidden=\"true\"><path class=\"curve " classes             \
	"\" d=\"M1 6H31\"/></svg>"

/* More points than this make a line that needs no dots. */
#define DOTS_MAX 120

static double value_of(const struct sample_latency *latency, int series)
{
	int64_t ns = series == MAX ? latency->max_ns
				   : sample_percentile(latency, series == P50 ? 50 : 99);

	return ns > 0 ? (double)ns : 1;
}

static double middle(const struct sampler *sampler, uint32_t i)
{
	int64_t before = i > 0 ? sampler->samples[i - 1].t_ns : 0;

	return (double)(before + sampler->samples[i].t_ns) / 2;
}

/* Neighbours are joined; an interval without answers is a gap; a lone one is a dot. */
static void put_series(const struct sampler *sampler, const struct chart *chart, int command,
		       int series, FILE *out)
{
	bool joined = false;
	uint32_t points = 0;

	fprintf(out, "<path class=\"curve %s c-%s\" d=\"", series_names[series],
		range_word_name(results_commands[command]));
	for (uint32_t i = 0; i < sampler->count; i++) {
		const struct sample_latency *latency = &sampler->samples[i].latency[command];
		if (latency->n > 0) {
			fprintf(out, "%s%.1f %.1f%s", joined ? "L" : "M",
				chart_at(chart->x, middle(sampler, i)),
				chart_up(chart->y, value_of(latency, series)), joined ? "" : "h0");
			points++;
		}
		joined = latency->n > 0;
	}
	fprintf(out, "\"><title>%s</title></path>\n", series_names[series]);
	if (points > DOTS_MAX)
		return;
	fprintf(out, "<path class=\"dots %s c-%s\" d=\"", series_names[series],
		range_word_name(results_commands[command]));
	for (uint32_t i = 0; i < sampler->count; i++) {
		const struct sample_latency *latency = &sampler->samples[i].latency[command];
		if (latency->n > 0)
			fprintf(out, "M%.1f %.1fh0", chart_at(chart->x, middle(sampler, i)),
				chart_up(chart->y, value_of(latency, series)));
	}
	fputs("\"/>\n", out);
}

static void put_ranges(const struct sampler *sampler, const struct chart *chart, int command,
		       FILE *out)
{
	fprintf(out, "<path class=\"range c-%s\" d=\"", range_word_name(results_commands[command]));
	for (uint32_t i = 0; i < sampler->count; i++) {
		const struct sample_latency *latency = &sampler->samples[i].latency[command];
		if (latency->n > 0)
			fprintf(out, "M%.1f %.1fV%.1f", chart_at(chart->x, middle(sampler, i)),
				chart_up(chart->y, value_of(latency, P50)),
				chart_up(chart->y, value_of(latency, MAX)));
	}
	fputs("\"/>\n", out);
}

static const struct hist *latency_of(const struct results *results, int command)
{
	return &master_stats(results->master, results_commands[command])->latency;
}

/* One range for all, so that commands can be compared. */
static void time_range(const struct results *results, struct chart_axis *y)
{
	double low = 0, high = 0;

	for (uint32_t i = 0; i < results->sampler.count; i++)
		for (int c = 0; c < COMMANDS; c++) {
			const struct sample_latency *latency =
				&results->sampler.samples[i].latency[c];
			if (latency->n == 0)
				continue;
			double p50 = value_of(latency, P50), max = value_of(latency, MAX);
			low = low == 0 || p50 < low ? p50 : low;
			high = max > high ? max : high;
		}
	chart_axis_latency(y, low, high);
}

static void put_over_time(const struct results *results, int command, const struct chart_axis *x,
			  const struct chart_axis *y, FILE *out)
{
	const struct hist *hist = latency_of(results, command);
	const char *name = range_word_name(results_commands[command]);
	char id[32], title[64], description[200], text[3][MARKUP_NUMBER];

	snprintf(id, sizeof(id), "time-%s", name);
	snprintf(title, sizeof(title), "Latency of %s over time", name);
	snprintf(description, sizeof(description), "Over the whole run: p50 %s, p99 %s, max %s.",
		 markup_time(hist_percentile(hist, 50), text[0], sizeof(text[0])),
		 markup_time(hist_percentile(hist, 99), text[1], sizeof(text[1])),
		 markup_time(hist->max, text[2], sizeof(text[2])));
	const struct chart chart = { .id = id,
				     .title = title,
				     .description = description,
				     .x_label = "time since the run began",
				     .y_label = "latency",
				     .x = x,
				     .y = y,
				     .low = true };
	fprintf(out, "<div class=\"cell\">\n<h3>%s <small>%s answers</small></h3>\n", name,
		markup_count(hist->n, text[0], sizeof(text[0])));
	chart_begin(out, &chart);
	put_ranges(&results->sampler, &chart, command, out);
	for (int series = SERIES - 1; series >= 0; series--)
		put_series(&results->sampler, &chart, command, series, out);
	chart_end_shapes(out, &chart);
	chart_end(out, &chart);
	fputs("</div>\n", out);
}

static void put_all_over_time(const struct results *results, FILE *out)
{
	struct chart_axis x, y;

	chart_axis_time(&x, (double)report_span(results));
	time_range(results, &y);
	report_heading(out, "latency-time", "Latency over time");
	fputs("<ul class=\"legend\">\n<li>" KEY(
		      "p50") "p50</li>\n"
			     "<li>" KEY("p99") "p99</li>\n<li>" KEY(
				     "max") "max</li>\n"
					    "<li class=\"hint\">of each interval; "
					    "logarithmic</li>\n</ul>\n<div class=\"cells\">\n",
	      out);
	for (int c = 0; c < COMMANDS; c++)
		if (latency_of(results, c)->n > 0)
			put_over_time(results, c, &x, &y, out);
	fputs("</div>\n</section>\n", out);
}

/* ---- by percentile ---- */

#define CURVE_POINTS 160

/* From the best to the one value that nothing is above. */
static void put_curve(const struct hist *hist, const struct chart *chart, int command, FILE *out)
{
	const char *name = range_word_name(results_commands[command]);
	double nines = log10((double)hist->n);

	fprintf(out, "<path class=\"curve whole c-%s\" d=\"", name);
	for (int i = 0; i <= CURVE_POINTS; i++) {
		double rest = pow(10, -nines * i / CURVE_POINTS);
		int64_t ns = i == CURVE_POINTS ? hist->max
					       : hist_percentile(hist, 100 * (1 - rest));
		if (i == 0)
			ns = hist->min;
		fprintf(out, "%s%.1f %.1f", i == 0 ? "M" : "L", chart_at(chart->x, 1 / rest),
			chart_up(chart->y, ns > 0 ? (double)ns : 1));
	}
	fprintf(out, "h0\"><title>%s</title></path>\n", name);
}

static void put_distribution(const struct results *results, FILE *out)
{
	double n = 0, low = 0, high = 0;
	struct chart_axis x, y;

	for (int c = 0; c < COMMANDS; c++) {
		const struct hist *hist = latency_of(results, c);
		if (hist->n == 0)
			continue;
		n = (double)hist->n > n ? (double)hist->n : n;
		low = low == 0 || (double)hist->min < low ? (double)hist->min : low;
		high = (double)hist->max > high ? (double)hist->max : high;
	}
	chart_axis_percentile(&x, n);
	chart_axis_latency(&y, low, high);
	const struct chart chart = { .id = "percentiles",
				     .title = "Latency by percentile",
				     .description =
					     "The latency that this share of all answers does "
					     "not exceed. The table above has the figures.",
				     .x_label = "share of the answers that are at least as fast",
				     .y_label = "latency",
				     .x = &x,
				     .y = &y };
	report_heading(out, "latency-distribution", "Latency by percentile");
	fputs("<ul class=\"legend\">\n", out);
	for (int c = 0; c < COMMANDS; c++)
		if (latency_of(results, c)->n > 0)
			fprintf(out, "<li>" KEY("whole c-%s") "%s</li>\n",
				range_word_name(results_commands[c]),
				range_word_name(results_commands[c]));
	fputs("<li class=\"hint\">both axes logarithmic</li>\n</ul>\n", out);
	chart_begin(out, &chart);
	for (int c = 0; c < COMMANDS; c++)
		if (latency_of(results, c)->n > 0)
			put_curve(latency_of(results, c), &chart, c, out);
	chart_end_shapes(out, &chart);
	chart_end(out, &chart);
	fputs("</section>\n", out);
}

/* ---- the table: a column a command, so that it fits a phone ---- */

static void put_count_row(const struct results *results, const char *name,
			  uint64_t (*of)(const struct master_command_stats *), bool bad, FILE *out)
{
	char n[MARKUP_NUMBER];

	fprintf(out, "<tr><th scope=\"row\">%s</th>", name);
	for (int c = 0; c < COMMANDS; c++) {
		const struct master_command_stats *stats = master_stats(results->master,
									results_commands[c]);
		if (stats->sent > 0)
			fprintf(out, "<td%s>%s</td>", bad && of(stats) > 0 ? " class=\"bad\"" : "",
				markup_count(of(stats), n, sizeof(n)));
	}
	fputs("</tr>\n", out);
}

static uint64_t sent_of(const struct master_command_stats *stats)
{
	return stats->sent;
}

static uint64_t ok_of(const struct master_command_stats *stats)
{
	return stats->ok;
}

static uint64_t failed_of(const struct master_command_stats *stats)
{
	return stats->failed;
}

static uint64_t lost_of(const struct master_command_stats *stats)
{
	return stats->lost;
}

static void put_time_rows(const struct results *results, bool service, FILE *out)
{
	static const struct {
		const char *name;
		double percent;
	} rows[] = { { "p50", 50 },     { "p90", 90 },  { "p99", 99 },
		     { "p99.9", 99.9 }, { "max", 100 }, { "mean", -1 } };
	char text[MARKUP_NUMBER];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		fprintf(out, "<tr><th scope=\"row\">%s</th>", rows[i].name);
		for (int c = 0; c < COMMANDS; c++) {
			const struct master_command_stats *stats =
				master_stats(results->master, results_commands[c]);
			const struct hist *hist = service ? &stats->service : &stats->latency;
			if (stats->sent == 0)
				continue;
			int64_t ns = rows[i].percent < 0 ? (int64_t)hist_mean(hist)
							 : hist_percentile(hist, rows[i].percent);
			fprintf(out, "<td>%s</td>",
				hist->n == 0 ? "–" : markup_time(ns, text, sizeof(text)));
		}
		fputs("</tr>\n", out);
	}
}

static void put_table_head(const struct results *results, const char *caption, FILE *out)
{
	fprintf(out,
		"<div class=\"scroll\"><table "
		"class=\"figures\">\n<caption>%s</caption>\n<thead><tr><td></td>",
		caption);
	for (int c = 0; c < COMMANDS; c++)
		if (master_stats(results->master, results_commands[c])->sent > 0)
			fprintf(out, "<th scope=\"col\">%s</th>",
				range_word_name(results_commands[c]));
	fputs("</tr></thead>\n<tbody>\n", out);
}

void report_latency(const struct results *results, FILE *out)
{
	uint64_t answers = 0;

	if (!report_has_commands(results))
		return;
	for (int c = 0; c < COMMANDS; c++)
		answers += latency_of(results, c)->n;
	report_heading(out, "latency", "Latency");
	put_table_head(results, "From when a command was due until its answer was there", out);
	put_count_row(results, "sent", sent_of, false, out);
	put_count_row(results, "ok", ok_of, false, out);
	put_count_row(results, "failed", failed_of, true, out);
	put_count_row(results, "lost", lost_of, true, out);
	fputs("</tbody>\n<tbody>\n", out);
	put_time_rows(results, false, out);
	fputs("</tbody></table></div>\n<details><summary>Without the wait for a place: from the "
	      "connect or write to the answer</summary>\n",
	      out);
	put_table_head(results, "Service times", out);
	put_time_rows(results, true, out);
	fputs("</tbody></table></div>\n</details>\n</section>\n", out);
	if (answers == 0)
		return;
	put_all_over_time(results, out);
	put_distribution(results, out);
}
