#include "emulator/results/report.h"

#include "emulator/base/page.h"

#include <string.h>
#include <time.h>

int64_t report_span(const struct results *results)
{
	int64_t span = results->end_ns - results->start_ns;

	return span > 0 ? span : 1;
}

bool report_has_commands(const struct results *results)
{
	return results->master != NULL && master_totals(results->master)->sent > 0;
}

void report_heading(FILE *out, const char *id, const char *title)
{
	fprintf(out, "<section id=\"%s\" aria-labelledby=\"%s-h\">\n<h2 id=\"%s-h\">%s</h2>\n", id,
		id, id, title);
}

/* ---- the head: what, when, how it ended ---- */

static const char *class_of(const char *verdict)
{
	return strcmp(verdict, "PASS") == 0   ? "pass"
	       : strcmp(verdict, "FAIL") == 0 ? "fail"
					      : "error";
}

static void put_facts(const struct results *results, FILE *out)
{
	char text[64];

	fputs("<ul class=\"facts\">\n", out);
	if (results->options.simulated) {
		fputs("<li>simulated time</li>\n", out);
	} else {
		time_t seconds = (time_t)(results->start_wall_ns / INT64_C(1000000000));
		struct tm tm;
		gmtime_r(&seconds, &tm);
		strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S UTC", &tm);
		fprintf(out, "<li><span>began</span> %s</li>\n", text);
	}
	fprintf(out, "<li><span>took</span> %s</li>\n",
		markup_time(report_span(results), text, sizeof(text)));
	if (results->options.config_path != NULL) {
		fputs("<li><span>config</span> ", out);
		markup_put(out, results_config_name(results));
		fputs("</li>\n", out);
	}
	fprintf(out, "<li><span>seed</span> %llu</li>\n<li>quintain %s</li>\n</ul>\n",
		(unsigned long long)results->options.seed, QN_VERSION);
}

static void put_header(const struct results *results, const struct results_end *end, FILE *out)
{
	char n[MARKUP_NUMBER];

	fprintf(out, "<header class=\"%s\">\n<p class=\"verdict\">", class_of(end->verdict));
	markup_put(out, end->verdict);
	fputs("</p>\n<h1>", out);
	markup_put(out, results_title(results));
	fputs("</h1>\n", out);
	if (end->why != NULL && end->why[0] != '\0') {
		fputs("<p class=\"why\">", out);
		markup_put(out, end->why);
		fputs("</p>\n", out);
	}
	put_facts(results, out);
	fputs("</header>\n", out);
	if (results_dropped(results) > 0)
		fprintf(out,
			"<p class=\"warning\">%s events are not in events.jsonl: the queue to the "
			"disk was full, or the disk. All other figures count everything.</p>\n",
			markup_count(results_dropped(results), n, sizeof(n)));
}

/* ---- the figures that matter most ---- */

static void put_tile(FILE *out, const char *name, const char *figure, const char *under, bool bad)
{
	fprintf(out,
		"<li%s><span class=\"name\">%s</span><span class=\"figure\">%s</span>"
		"<span class=\"under\">%s</span></li>\n",
		bad ? " class=\"bad\"" : "", name, figure, under);
}

static void put_target_tile(const struct results *results, FILE *out)
{
	char figure[MARKUP_NUMBER], under[3 * MARKUP_NUMBER], n[2][MARKUP_NUMBER];

	if (results->fleet != NULL) {
		const struct target_totals *totals = &results->fleet->env.totals;
		snprintf(under, sizeof(under), "%s registered, %s lost",
			 markup_count(totals->registered, n[0], sizeof(n[0])),
			 markup_count(totals->lost, n[1], sizeof(n[1])));
		put_tile(out, "targets",
			 markup_count(results->fleet->count, figure, sizeof(figure)), under,
			 totals->lost > 0);
	} else if (results->master != NULL) {
		uint32_t lost = master_lost_targets(results->master);
		snprintf(under, sizeof(under), "%s did not answer last",
			 markup_count(lost, n[0], sizeof(n[0])));
		put_tile(out, "targets known",
			 markup_count(master_known(results->master), figure, sizeof(figure)), under,
			 lost > 0);
	}
}

static void put_command_tile(const struct results *results, FILE *out)
{
	const struct master_totals *totals = master_totals(results->master);
	char figure[MARKUP_NUMBER], under[3 * MARKUP_NUMBER], n[2][MARKUP_NUMBER];

	if (totals->ok == totals->sent)
		snprintf(under, sizeof(under), "all answered as asked");
	else
		snprintf(under, sizeof(under), "%s failed, %s lost",
			 markup_count(totals->failed, n[0], sizeof(n[0])),
			 markup_count(totals->lost, n[1], sizeof(n[1])));
	put_tile(out, "commands", markup_count(totals->sent, figure, sizeof(figure)), under,
		 totals->failed + totals->lost > 0);
}

/* Of the command that was answered most often. */
static void put_latency_tile(const struct results *results, FILE *out)
{
	const struct hist *most = NULL;
	char figure[MARKUP_NUMBER], name[48], under[3 * MARKUP_NUMBER], n[2][MARKUP_NUMBER];

	for (int c = 0; c < COMMANDS; c++) {
		const struct hist *hist =
			&master_stats(results->master, results_commands[c])->latency;
		if (hist->n == 0 || (most != NULL && hist->n <= most->n))
			continue;
		most = hist;
		snprintf(name, sizeof(name), "p99 of %s", range_word_name(results_commands[c]));
	}
	if (most == NULL)
		return;
	snprintf(under, sizeof(under), "p50 %s, max %s",
		 markup_time(hist_percentile(most, 50), n[0], sizeof(n[0])),
		 markup_time(most->max, n[1], sizeof(n[1])));
	put_tile(out, name, markup_time(hist_percentile(most, 99), figure, sizeof(figure)), under,
		 false);
}

static void put_tiles(const struct results *results, const struct results_end *end, FILE *out)
{
	uint32_t passed = 0;
	char figure[64], under[64];

	fputs("<ul class=\"tiles\">\n", out);
	for (uint32_t i = 0; i < end->verdict_count; i++)
		passed += end->verdicts[i]->outcome == VERDICT_PASS;
	if (end->verdict_count > 0) {
		snprintf(figure, sizeof(figure), "%u/%u", passed, end->verdict_count);
		snprintf(under, sizeof(under), "%s",
			 passed == end->verdict_count ? "all held" : "held");
		put_tile(out, "expectations", figure, under, passed < end->verdict_count);
	}
	put_target_tile(results, out);
	if (report_has_commands(results)) {
		put_command_tile(results, out);
		put_latency_tile(results, out);
	}
	fputs("</ul>\n", out);
}

/* ---- the page ---- */

void report_write(const struct results *results, const struct results_end *end, FILE *out)
{
	char title[512];

	snprintf(title, sizeof(title), "%s: %s", end->verdict, results_title(results));
	page_begin(out, title, report_style);
	put_header(results, end, out);
	fputs("<main>\n", out);
	put_tiles(results, end, out);
	report_expectations(results, end, out);
	report_states(results, end, out);
	report_commands(results, out);
	report_latency(results, out);
	report_fleet(results, out);
	report_faults(results, out);
	report_rounds(results, out);
	report_notes(results, out);
	report_files(results, out);
	fputs("</main>\n", out);
	page_end(out);
}
