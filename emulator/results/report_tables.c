#include "emulator/results/report.h"

#include <string.h>

/* ---- expectations ---- */

static void put_verdict_targets(const struct verdict *verdict, FILE *out)
{
	char n[MARKUP_NUMBER];

	if (verdict->targets_total == 0) {
		fputs("–", out);
		return;
	}
	for (uint32_t i = 0; i < verdict->targets_count; i++) {
		fputs(i > 0 ? ", " : "", out);
		markup_put(out, verdict->targets[i]);
	}
	if (verdict->targets_total > verdict->targets_count)
		fprintf(out, "%s%s%s", verdict->targets_count > 0 ? " and " : "",
			markup_count(verdict->targets_total - verdict->targets_count, n, sizeof(n)),
			verdict->targets_count > 0 ? " more" : "");
}

static void put_verdict(const struct results *results, const struct verdict *verdict, FILE *out)
{
	static const char *const classes[] = { "pass", "fail", "error" };
	char at[MARKUP_NUMBER];

	fprintf(out,
		"<tr class=\"%s\"><td class=\"outcome\"><span class=\"badge %s\">%s</span></td>\n",
		classes[verdict->outcome], classes[verdict->outcome],
		verdict_outcome_name(verdict->outcome));
	fputs("<th scope=\"row\">", out);
	markup_put(out, verdict->name);
	fputs("<code>", out);
	markup_put(out, verdict->that);
	fputs("</code><small>", out);
	markup_put(out, verdict->mode);
	if (verdict->file != NULL) {
		fputs(" · ", out);
		markup_put(out, results_file_name(results, verdict->file));
		fprintf(out, ":%u", verdict->line);
	}
	fputs("</small></th>\n<td data-label=\"seen\">", out);
	markup_put(out, verdict->seen[0] != '\0' ? verdict->seen : "–");
	fprintf(out,
		"</td>\n<td data-label=\"at\" class=\"when\">%s</td>\n<td data-label=\"targets\">",
		markup_time(verdict->at_ns, at, sizeof(at)));
	put_verdict_targets(verdict, out);
	fputs("</td></tr>\n", out);
}

/* What went wrong stands first. */
void report_expectations(const struct results *results, const struct results_end *end, FILE *out)
{
	static const enum verdict_outcome order[] = { VERDICT_ERROR, VERDICT_FAIL, VERDICT_PASS };

	if (end->verdict_count == 0)
		return;
	report_heading(out, "expectations", "Expectations");
	fputs("<table class=\"cards expectations\">\n<thead><tr><th scope=\"col\">outcome</th>"
	      "<th scope=\"col\">expected</th><th scope=\"col\">seen</th><th scope=\"col\">decided "
	      "at</th>"
	      "<th scope=\"col\">targets</th></tr></thead>\n<tbody>\n",
	      out);
	for (int o = 0; o < 3; o++)
		for (uint32_t i = 0; i < end->verdict_count; i++)
			if (end->verdicts[i]->outcome == order[o])
				put_verdict(results, end->verdicts[i], out);
	fputs("</tbody></table>\n</section>\n", out);
}

/* ---- the fleet's counts ---- */

struct count {
	const char *name;
	uint64_t n;
	bool bad; /* anything but 0 deserves a look */
};

static void put_counts(const char *title, const struct count *counts, size_t n, FILE *out)
{
	char text[MARKUP_NUMBER];

	fprintf(out, "<div class=\"cell\">\n<h3>%s</h3>\n<dl>\n", title);
	for (size_t i = 0; i < n; i++)
		fprintf(out, "<div%s><dt>%s</dt><dd>%s</dd></div>\n",
			counts[i].n == 0 ? " class=\"zero\""
			: counts[i].bad  ? " class=\"bad\""
					 : "",
			counts[i].name, markup_count(counts[i].n, text, sizeof(text)));
	fputs("</dl>\n</div>\n", out);
}

#define COUNT_OF(counts) (sizeof(counts) / sizeof((counts)[0]))

void report_fleet(const struct results *results, FILE *out)
{
	if (results->fleet == NULL)
		return;
	const struct target_totals *totals = &results->fleet->env.totals;
	const struct count targets[] = {
		{ "targets", results->fleet->count, false },
		{ "registered at the end", totals->registered, false },
		{ "lost on the way", totals->lost, true },
		{ "gone", totals->by_state[TARGET_GONE], true },
		{ "registrations", totals->registrations, false },
		{ "registrations that failed", totals->register_failures, true },
		{ "could not listen", totals->listen_failed, true },
	};
	const struct count commands[] = {
		{ "ping", totals->commands[RANGE_PING], false },
		{ "stand_up", totals->commands[RANGE_STAND_UP], false },
		{ "lay_down", totals->commands[RANGE_LAY_DOWN], false },
		{ "activate", totals->commands[RANGE_ACTIVATE], false },
		{ "answers", totals->answers, false },
		{ "answers that were errors", totals->errors_answered, true },
		{ "bad lines", totals->bad_lines, true },
		{ "connections refused", totals->conn_refused, true },
	};
	const struct count mechanics[] = {
		{ "moves", totals->moves, false },
		{ "moves refused: queue full", totals->queue_full, true },
		{ "activations", totals->activations, false },
		{ "hits", totals->hits, false },
		{ "misses", totals->misses, false },
		{ "hits reported by HTTP", totals->hits_reported, false },
		{ "reports that failed", totals->hit_reports_failed, true },
	};
	report_heading(out, "fleet", "Fleet");
	fputs("<div class=\"cells three\">\n", out);
	put_counts("Targets", targets, COUNT_OF(targets), out);
	put_counts("Commands received", commands, COUNT_OF(commands), out);
	put_counts("Mechanics and sensor", mechanics, COUNT_OF(mechanics), out);
	fputs("</div>\n</section>\n", out);
}

/* ---- files ---- */

static void put_file(FILE *out, const char *name, const char *what)
{
	fprintf(out, "<li><a href=\"%s\">%s</a> %s</li>\n", name, name, what);
}

void report_files(const struct results *results, FILE *out)
{
	char name[64], n[MARKUP_NUMBER];

	report_heading(out, "files", "Files beside this one");
	fputs("<ul class=\"files\">\n", out);
	put_file(out, "summary.json", "the figures of the run, for programs");
	put_file(out, "junit.xml", "the verdicts, for CI systems");
	if (results->stream != NULL) {
		fputs("<li><a href=\"events.jsonl\">events.jsonl</a> ", out);
		fprintf(out, "every message and change of state: %s events",
			markup_count(stream_written(results->stream), n, sizeof(n)));
		if (results_dropped(results) > 0)
			fprintf(out, "; <strong>%s are missing</strong>",
				markup_count(results_dropped(results), n, sizeof(n)));
		fputs("</li>\n", out);
	}
	for (int c = 0; c < COMMANDS && results->master != NULL; c++) {
		if (master_stats(results->master, results_commands[c])->sent == 0)
			continue;
		snprintf(name, sizeof(name), "latency-%s.hgrm",
			 range_word_name(results_commands[c]));
		put_file(out, name, "all percentiles, in HdrHistogram's text format");
	}
	fputs("</ul>\n</section>\n", out);
}
