#include "emulator/results/report.h"

#include <string.h>

#define LANES_MAX 12
#define ROWS_MAX 64

static double share(const struct results *results, int64_t t_ns)
{
	double part = (double)t_ns / (double)report_span(results) * 100;

	return part < 0 ? 0 : part > 100 ? 100 : part;
}

static int64_t end_of(const struct results *results, int64_t to_ns)
{
	return to_ns == MARKS_OPEN ? report_span(results) : to_ns;
}

/* ---- lanes: what happened when, on the time axis of the chart above them ---- */

static void begin_lane(const char *name, FILE *out)
{
	fputs("<div class=\"lane\"><span class=\"lane-name\">", out);
	markup_put(out, name);
	fputs("</span><div class=\"track\">\n", out);
}

static void put_bar(const struct results *results, const char *class, int64_t from_ns,
		    int64_t to_ns, FILE *out)
{
	double from = share(results, from_ns);

	fprintf(out, "<span class=\"bar %s\" style=\"left:%.3f%%;width:%.3f%%\" title=\"", class,
		from, share(results, end_of(results, to_ns)) - from);
}

static void put_fault_lane(const struct results *results, uint32_t fault, FILE *out)
{
	const struct marks *marks = &results->sampler.marks;
	char text[2][MARKUP_NUMBER];

	begin_lane(marks->faults[fault].name, out);
	for (uint32_t i = 0; i < marks->span_count; i++) {
		const struct mark_span *span = &marks->spans[i];
		if (span->fault != fault)
			continue;
		put_bar(results, "fault", span->from_ns, span->to_ns, out);
		markup_put(out, marks->faults[fault].name);
		fprintf(out, ": %u targets, %s to %s\"></span>\n", span->targets,
			markup_time(span->from_ns, text[0], sizeof(text[0])),
			span->to_ns == MARKS_OPEN
				? "the end"
				: markup_time(span->to_ns, text[1], sizeof(text[1])));
	}
	fputs("</div></div>\n", out);
}

static void put_round_lane(const struct results *results, FILE *out)
{
	const struct marks *marks = &results->sampler.marks;
	char class[32], text[2][MARKUP_NUMBER];
	unsigned seen = 0;

	if (marks->round_count == 0)
		return;
	begin_lane("rounds", out);
	for (uint32_t i = 0; i < marks->round_count; i++) {
		const struct mark_round *round = &marks->rounds[i];
		const char *name = range_word_name((enum range_word)round->type);
		seen |= 1u << round->type;
		snprintf(class, sizeof(class), "b-%s", name);
		put_bar(results, class, round->from_ns, round->to_ns, out);
		fprintf(out, "%u: %s, at %s, took %s\"></span>\n", i + 1, name,
			markup_time(round->from_ns, text[0], sizeof(text[0])),
			markup_time(end_of(results, round->to_ns) - round->from_ns, text[1],
				    sizeof(text[1])));
	}
	if (marks->rounds_left_out > 0) {
		put_bar(results, "untold", marks->rounds[marks->round_count - 1].to_ns, MARKS_OPEN,
			out);
		fprintf(out, "%llu more rounds, not shown\"></span>\n",
			(unsigned long long)marks->rounds_left_out);
	}
	fputs("</div>\n<ul class=\"legend\">", out);
	for (int c = 0; c < COMMANDS; c++)
		if (seen & 1u << results_commands[c])
			fprintf(out, "<li><i class=\"b-%s\"></i>%s</li>",
				range_word_name(results_commands[c]),
				range_word_name(results_commands[c]));
	fputs("</ul></div>\n", out);
}

static void put_pin(const struct results *results, const char *class, int64_t t_ns, FILE *out)
{
	fprintf(out, "<span class=\"pin %s\" style=\"left:%.3f%%\" title=\"", class,
		share(results, t_ns));
}

static void put_note_lane(const struct results *results, FILE *out)
{
	const struct marks *marks = &results->sampler.marks;

	if (marks->note_count == 0)
		return;
	begin_lane("notes", out);
	for (uint32_t i = 0; i < marks->note_count; i++) {
		put_pin(results, "note", marks->notes[i].t_ns, out);
		markup_put(out, marks->notes[i].text);
		fprintf(out, "\">%u</span>\n", i + 1);
	}
	fputs("</div></div>\n", out);
}

static void put_failure_lane(const struct results *results, const struct results_end *end,
			     FILE *out)
{
	uint32_t bad = 0;

	for (uint32_t i = 0; i < end->verdict_count; i++) {
		const struct verdict *verdict = end->verdicts[i];
		if (verdict->outcome == VERDICT_PASS)
			continue;
		if (bad++ == 0)
			begin_lane("expectations not met", out);
		put_pin(results, verdict->outcome == VERDICT_FAIL ? "fail" : "error",
			verdict->at_ns, out);
		markup_put(out, verdict->name);
		fputs("\">!</span>\n", out);
	}
	if (bad > 0)
		fputs("</div></div>\n", out);
}

void report_lanes(const struct results *results, const struct results_end *end, FILE *out)
{
	const struct marks *marks = &results->sampler.marks;
	uint32_t lanes = 0, more = 0;

	fputs("<div class=\"lanes\">\n", out);
	put_round_lane(results, out);
	for (uint32_t i = 0; i < marks->fault_count; i++) {
		if (marks->faults[i].span == 0)
			continue;
		if (lanes++ < LANES_MAX)
			put_fault_lane(results, i, out);
		else
			more++;
	}
	if (more > 0)
		fprintf(out, "<p class=\"hint\">%u more faults: see the list of faults</p>\n",
			more);
	put_note_lane(results, out);
	put_failure_lane(results, end, out);
	fputs("</div>\n", out);
}

/* ---- lists ---- */

static void put_cell(FILE *out, const char *label, const char *text)
{
	fprintf(out, "<td data-label=\"%s\">%s</td>", label, text);
}

static void put_span_row(const struct results *results, const struct mark_span *span, FILE *out)
{
	const struct mark_fault *fault = &results->sampler.marks.faults[span->fault];
	char text[MARKUP_NUMBER];

	fputs("<tr><th scope=\"row\">", out);
	markup_put(out, fault->name);
	fputs("</th>", out);
	put_cell(out, "from", markup_time(span->from_ns, text, sizeof(text)));
	put_cell(out, "to",
		 span->to_ns == MARKS_OPEN ? "the end"
					   : markup_time(span->to_ns, text, sizeof(text)));
	put_cell(out, "targets", markup_count(span->targets, text, sizeof(text)));
	put_cell(out, "times", markup_count(span->times, text, sizeof(text)));
	put_cell(out, "struck", markup_count(fault->struck, text, sizeof(text)));
	fputs("</tr>\n", out);
}

/* A fault that only struck, without ever being told to begin. */
static void put_struck_row(const struct mark_fault *fault, FILE *out)
{
	char text[MARKUP_NUMBER];

	fputs("<tr><th scope=\"row\">", out);
	markup_put(out, fault->name);
	fputs("</th>", out);
	put_cell(out, "from", "–");
	put_cell(out, "to", "–");
	put_cell(out, "targets", "–");
	put_cell(out, "times", "–");
	put_cell(out, "struck", markup_count(fault->struck, text, sizeof(text)));
	fputs("</tr>\n", out);
}

static void put_left_out(FILE *out, uint64_t n, const char *what)
{
	char text[MARKUP_NUMBER];

	if (n > 0)
		fprintf(out, "<p class=\"hint\">%s %s; events.jsonl has them all.</p>\n",
			markup_count(n, text, sizeof(text)), what);
}

void report_faults(const struct results *results, FILE *out)
{
	const struct marks *marks = &results->sampler.marks;

	if (marks->fault_count == 0)
		return;
	report_heading(out, "faults", "Faults");
	fputs("<table class=\"cards\">\n<thead><tr><th scope=\"col\">fault</th><th "
	      "scope=\"col\">from</th>"
	      "<th scope=\"col\">to</th><th scope=\"col\">targets, at most</th>"
	      "<th scope=\"col\">times</th><th scope=\"col\">struck, in all</th></tr></thead>\n"
	      "<tbody>\n",
	      out);
	for (uint32_t i = 0; i < marks->span_count; i++)
		put_span_row(results, &marks->spans[i], out);
	for (uint32_t i = 0; i < marks->fault_count; i++)
		if (marks->faults[i].span == 0)
			put_struck_row(&marks->faults[i], out);
	fputs("</tbody></table>\n", out);
	put_left_out(out, marks->faults_left_out, "changes of faults found no row of their own");
	fputs("</section>\n", out);
}

void report_rounds(const struct results *results, FILE *out)
{
	const struct marks *marks = &results->sampler.marks;
	char text[MARKUP_NUMBER];
	uint64_t left_out = marks->rounds_left_out;

	if (marks->round_count == 0)
		return;
	report_heading(out, "rounds", "Rounds");
	fputs("<details", out);
	fputs(marks->round_count <= 12 ? " open=\"open\"" : "", out);
	fprintf(out, "><summary>%s rounds</summary>\n",
		markup_count(marks->round_count + left_out, text, sizeof(text)));
	fputs("<table class=\"figures\">\n<thead><tr><th scope=\"col\">round</th>"
	      "<th scope=\"col\">began</th><th scope=\"col\">took</th>"
	      "<th scope=\"col\">known targets</th></tr></thead>\n<tbody>\n",
	      out);
	for (uint32_t i = 0; i < marks->round_count && i < ROWS_MAX; i++) {
		const struct mark_round *round = &marks->rounds[i];
		fprintf(out, "<tr><th scope=\"row\">%u: %s</th>", i + 1,
			range_word_name((enum range_word)round->type));
		put_cell(out, "began", markup_time(round->from_ns, text, sizeof(text)));
		put_cell(out, "took",
			 round->to_ns == MARKS_OPEN
				 ? "not ended"
				 : markup_time(round->to_ns - round->from_ns, text, sizeof(text)));
		put_cell(out, "targets",
			 markup_count((uint64_t)round->targets, text, sizeof(text)));
		fputs("</tr>\n", out);
	}
	fputs("</tbody></table>\n", out);
	if (marks->round_count > ROWS_MAX)
		left_out += marks->round_count - ROWS_MAX;
	put_left_out(out, left_out, "rounds are not listed");
	fputs("</details>\n</section>\n", out);
}

void report_notes(const struct results *results, FILE *out)
{
	const struct marks *marks = &results->sampler.marks;
	char text[MARKUP_NUMBER];

	if (marks->note_count == 0)
		return;
	report_heading(out, "notes", "Notes");
	fputs("<ol class=\"notes\">\n", out);
	for (uint32_t i = 0; i < marks->note_count; i++) {
		fprintf(out, "<li><span class=\"when\">%s</span> ",
			markup_time(marks->notes[i].t_ns, text, sizeof(text)));
		markup_put(out, marks->notes[i].text);
		fputs("</li>\n", out);
	}
	fputs("</ol>\n", out);
	put_left_out(out, marks->notes_left_out, "notes are not listed");
	fputs("</section>\n", out);
}
