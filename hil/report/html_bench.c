#include "hil/report/html.h"

#include <inttypes.h>

/* ---- boards ---- */

static void put_board(const struct record_board *board, FILE *out)
{
	fputs("<tr><td>", out);
	html_badge(out, board->worst);
	fputs("</td><th>", out);
	markup_put(out, board->name);
	fputs("</th><td class=\"text\">", out);
	markup_put(out, board->serial);
	fputs("<span class=\"hop\">", out);
	markup_put(out, board->firmware);
	fputs("</span></td><td class=\"text\">", out);
	markup_put(out, board->usb_path);
	fputs("<span class=\"hop\">", out);
	markup_put(out, board->address);
	fputs("</span></td>", out);
	for (int i = VERDICT_PASS; i < VERDICTS; i++)
		fprintf(out, "<td%s>%u</td>",
			i >= VERDICT_INCONCLUSIVE && board->steps[i] > 0 ? " class=\"bad\"" : "",
			board->steps[i]);
	fprintf(out, "<td>%u</td></tr>\n", board->retries);
}

void html_boards(const struct record *record, FILE *out)
{
	html_heading(out, "boards", "Boards");
	fputs("<div class=\"scroll\"><table class=\"figures wide\">\n<thead><tr><th></th>"
	      "<th class=\"text\">board</th><th class=\"text\">serial number, firmware</th>"
	      "<th class=\"text\">USB, address</th><th>pass</th><th>marginal</th>"
	      "<th>inconclusive</th><th>fail</th><th>error</th><th>retries</th></tr></thead>\n"
	      "<tbody>\n",
	      out);
	for (unsigned i = 0; i < record->board_count; i++)
		put_board(&record->boards[i], out);
	if (record->bench.worst != VERDICT_NONE)
		put_board(&record->bench, out);
	fputs("</tbody></table></div></section>\n", out);
}

/* ---- what it was measured with ---- */

static void put_latency(const char *name, const struct latency *latency, FILE *out)
{
	fprintf(out, "<div><dt>%s</dt><dd>", name);
	if (latency->n == 0) {
		fputs("not calibrated</dd></div>\n", out);
		return;
	}
	html_value(out, UNIT_NS, latency->mean_ns);
	html_u(out, UNIT_NS, U_COVERAGE * latency_sigma(latency));
	fprintf(out, " (n %u)</dd></div>\n", latency->n);
}

static void put_span(const char *name, int64_t ns, FILE *out)
{
	fprintf(out, "<div><dt>%s</dt><dd>", name);
	html_value(out, UNIT_NS, ns);
	fputs("</dd></div>\n", out);
}

static void put_file(const char *name, const char *text, FILE *out)
{
	if (text == NULL)
		return;
	fprintf(out, "<details><summary>%s</summary><pre>", name);
	markup_put(out, text);
	fputs("</pre></details>\n", out);
}

void html_bench(const struct record *record, FILE *out)
{
	const struct calibration *calibration = &record->run.calibration;
	char when[WHEN_CAP];

	html_heading(out, "bench", "What it was measured with");
	fputs("<div class=\"cells\"><div class=\"cell\"><h3>Calibration</h3><dl>\n", out);
	if (calibration->wall_ns > 0)
		fprintf(out, "<div><dt>taken</dt><dd>%s</dd></div>\n",
			when_text(calibration->wall_ns, when));
	put_latency("edge to its stamp", &calibration->edge, out);
	put_latency("write to the kernel's transmit stamp", &calibration->send, out);
	put_span("step of the clock", calibration->clock_ns, out);
	put_span("realtime against monotonic clock", calibration->realtime_ns, out);
	put_span("USB interval", calibration->usb_ns, out);
	fprintf(out,
		"<div%s><dt>edges lost of those driven</dt><dd>%" PRIu64 " of %" PRIu64
		"</dd></div>\n</dl></div>\n",
		calibration->edges_lost > 0 ? " class=\"bad\"" : "", calibration->edges_lost,
		calibration->edges);
	fputs("<div class=\"cell\"><h3>Versions</h3><pre>", out);
	markup_put(out, record->run.versions != NULL ? record->run.versions : "not known");
	fputs("</pre></div></div>\n", out);
	put_file("the plan", record->run.plan_text, out);
	put_file("the bench", record->run.bench_text, out);
	fputs("</section>\n", out);
}
