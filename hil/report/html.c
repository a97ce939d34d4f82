#include "hil/report/html.h"

#include "hil/report/writers.h"

#include "emulator/base/page.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* ---- what the sections share ---- */

void html_heading(FILE *out, const char *id, const char *title)
{
	fprintf(out, "<section id=\"%s\" aria-labelledby=\"%s-h\">\n<h2 id=\"%s-h\">%s</h2>\n", id,
		id, id, title);
}

const char *html_class(enum verdict verdict)
{
	static const char *const classes[VERDICTS] = { "none",         "pass", "marginal",
						       "inconclusive", "fail", "error" };

	return (unsigned)verdict < VERDICTS ? classes[verdict] : "none";
}

void html_badge(FILE *out, enum verdict verdict)
{
	fprintf(out, "<span class=\"badge %s\">%s</span>", html_class(verdict),
		verdict_name(verdict));
}

void html_value(FILE *out, enum value_unit unit, int64_t value)
{
	char text[32];

	unit_text(unit, value, text, sizeof(text));
	for (const char *at = text; *at != '\0'; at++) {
		if (*at == ' ')
			fputs("\xc2\xa0", out);
		else if (*at == 'u' && at[1] == 's')
			fputs("\xc2\xb5", out);
		else
			fputc(*at, out);
	}
}

void html_u(FILE *out, enum value_unit unit, int64_t u)
{
	if (u == 0)
		return;
	fputs(" <span class=\"u\">\xc2\xb1\xc2\xa0", out);
	html_value(out, unit, u);
	fputs("</span>", out);
}

const struct series *html_series_of(const struct series_set *set, int board, const char *name)
{
	for (size_t i = 0; i < set->count; i++)
		if (set->series[i].board == board && strcmp(set->series[i].name, name) == 0)
			return &set->series[i];
	return NULL;
}

bool html_odd_hop(const struct series_set *set, int board, const struct measurement *m,
		  struct html_odd_hop *ret)
{
	const struct series *series = html_series_of(set, board, m->name);
	int64_t most = 0;

	for (unsigned i = 0; series != NULL && i < m->hop_count; i++) {
		for (unsigned k = 0; k < series->hop_count; k++) {
			const struct series_hop *usual = &series->hops[k];
			if (usual->from != m->hops[i].from || usual->to != m->hops[i].to)
				continue;
			int64_t over = m->hops[i].value_ns - usual->median_ns;
			if (over <= most)
				continue;
			most = over;
			*ret = (struct html_odd_hop){ &m->hops[i], usual };
		}
	}
	/* What U or a frame explains does not stand out, nor what is a fraction of the usual. */
	return most > 0 && most > u_total(&ret->hop->u, true) && most > ret->usual->median_ns / 4;
}

/* ---- the head ---- */

/* The first step of a verdict. */
static const struct step_result *first_step(const struct record *record, enum verdict verdict)
{
	for (uint32_t i = 0; i < record->step_count; i++)
		if (record->steps[i].verdict == verdict)
			return &record->steps[i];
	return NULL;
}

/* The first of each kind of trouble: an ERROR of the rig must not hide a board that failed. */
static void put_why(const struct record *record, FILE *out)
{
	if (record->error[0] != '\0') {
		fputs("<p class=\"why\">", out);
		markup_put(out, record->error);
		fputs("</p>\n", out);
	}
	for (int verdict = VERDICT_ERROR; verdict > VERDICT_PASS; verdict--) {
		const struct step_result *step = first_step(record, (enum verdict)verdict);
		if (step == NULL ||
		    (verdict == VERDICT_MARGINAL && record->worst != VERDICT_MARGINAL))
			continue;
		fprintf(out, "<p class=\"why %s\">", html_class(step->verdict));
		html_badge(out, step->verdict);
		fputs(" <b>", out);
		markup_put(out, board_name(record, step->board));
		fprintf(out, "</b> #%u ", step->repeat + 1);
		markup_put(out, step->why);
		fputs("</p>\n", out);
	}
}

static void put_fact(FILE *out, const char *name, const char *text)
{
	if (text[0] == '\0')
		return;
	fprintf(out, "<li><span>%s</span> ", name);
	markup_put(out, text);
	fputs("</li>\n", out);
}

static void put_facts(const struct record *record, FILE *out)
{
	char text[MARKUP_NUMBER];

	fputs("<ul class=\"facts\">\n", out);
	put_fact(out, "began", when_text(record->run.start_wall_ns, text));
	put_fact(out, "took", markup_time(run_span(record), text, sizeof(text)));
	put_fact(out, "plan", record->run.plan_path);
	put_fact(out, "bench", record->run.bench_path);
	put_fact(out, "host", record->run.host);
	put_fact(out, "run", record->run.id);
	fputs("<li>quintain " QN_VERSION "</li>\n</ul>\n", out);
}

static void put_warning(FILE *out, const char *text)
{
	fputs("<p class=\"warning\">", out);
	markup_put(out, text);
	fputs("</p>\n", out);
}

static void put_warnings(const struct record *record, FILE *out)
{
	char text[160];

	if (run_warning(record)[0] != '\0')
		put_warning(out, run_warning(record));
	if (record->run.interrupted)
		put_warning(out, "Interrupted: not all steps were run.");
	else if (record->run.end_ns == 0)
		put_warning(out,
			    "This run did not end: it was killed, or the power went. All steps "
			    "that had finished are here.");
	if (record->steps_left_out > 0) {
		snprintf(text, sizeof(text),
			 "%" PRIu64
			 " steps found no room and are in no figure below; they count in "
			 "the verdicts.",
			 record->steps_left_out);
		put_warning(out, text);
	}
}

static void put_header(const struct record *record, FILE *out)
{
	fprintf(out, "<header class=\"%s\">\n<p class=\"verdict\">%s</p>\n<h1>",
		html_class(record->worst), verdict_name(record->worst));
	markup_put(out, run_title(record));
	fputs("</h1>\n", out);
	put_why(record, out);
	put_facts(record, out);
	fputs("</header>\n", out);
	put_warnings(record, out);
}

/* ---- the figures that matter most ---- */

static void tile(FILE *out, const char *name, const char *figure, const char *under, bool bad)
{
	fprintf(out, "<li%s><span class=\"name\">%s</span><span class=\"figure\">",
		bad ? " class=\"bad\"" : "", name);
	markup_put(out, figure);
	fputs("</span><span class=\"under\">", out);
	markup_put(out, under);
	fputs("</span></li>\n", out);
}

static void put_board_tile(const struct record *record, FILE *out)
{
	unsigned well = 0;
	char figure[32], under[120] = "all well";
	size_t len = 0;

	for (unsigned i = 0; i < record->board_count; i++) {
		if (record->boards[i].worst <= VERDICT_MARGINAL) {
			well++;
		} else if (len < 60) {
			len += (size_t)snprintf(under + len, sizeof(under) - len, "%s%.24s",
						len > 0 ? ", " : "not: ", record->boards[i].name);
		}
	}
	snprintf(figure, sizeof(figure), "%u/%u", well, record->board_count);
	tile(out, "boards that are well", figure, under, well < record->board_count);
}

static void put_step_tile(const struct record *record, FILE *out)
{
	char figure[32], under[160];
	uint64_t n[VERDICTS], all = 0;

	for (int i = 0; i < VERDICTS; i++)
		all += n[i] = steps_total(record, (enum verdict)i);
	uint64_t bad = n[VERDICT_INCONCLUSIVE] + n[VERDICT_FAIL] + n[VERDICT_ERROR];
	snprintf(figure, sizeof(figure), "%" PRIu64, all);
	snprintf(under, sizeof(under),
		 "%" PRIu64 " fail, %" PRIu64 " inconclusive, %" PRIu64 " error, %" PRIu64
		 " marginal",
		 n[VERDICT_FAIL], n[VERDICT_INCONCLUSIVE], n[VERDICT_ERROR], n[VERDICT_MARGINAL]);
	tile(out, "steps", figure, bad == 0 && n[VERDICT_MARGINAL] == 0 ? "all passed" : under,
	     bad > 0);
}

/* The farthest beyond an upper limit, for sure: less its U. */
static void put_late_tile(const struct record *record, FILE *out)
{
	const struct step_result *of = NULL;
	const struct measurement *latest = NULL;
	int64_t most = 0;
	char figure[32], under[200];

	for (uint32_t s = 0; s < record->step_count; s++)
		for (unsigned i = 0; i < record->steps[s].measurement_count; i++) {
			const struct measurement *m = &record->steps[s].measurements[i];
			int64_t over = m->judged.value - m->limit.max;
			if (m->unit != UNIT_NS || m->missing || !m->limit.has_max ||
			    m->judged.verdict != VERDICT_FAIL || over <= most)
				continue;
			most = over;
			latest = m;
			of = &record->steps[s];
		}
	if (latest == NULL)
		return;
	char u[32];
	snprintf(under, sizeof(under), "\xc2\xb1 %s, %s: %s",
		 unit_text(UNIT_NS, latest->judged.u, u, sizeof(u)), board_name(record, of->board),
		 latest->name);
	tile(out, "latest beyond its limit", unit_text(UNIT_NS, most, figure, sizeof(figure)),
	     under, true);
}

static void put_flaky_tile(const struct record *record, FILE *out)
{
	unsigned flaky = 0;
	uint32_t retries = 0;
	char figure[32];

	for (uint32_t i = 0; i < record->step_count; i++)
		flaky += record_step_flaky(record, i);
	for (unsigned i = 0; i < record->board_count; i++)
		retries += record->boards[i].retries;
	if (retries == 0)
		return;
	snprintf(figure, sizeof(figure), "%u", flaky);
	tile(out, "failures that a retry passed", figure, "they stay failures", flaky > 0);
}

static void put_tiles(const struct record *record, FILE *out)
{
	fputs("<ul class=\"tiles\">\n", out);
	put_board_tile(record, out);
	put_step_tile(record, out);
	put_late_tile(record, out);
	put_flaky_tile(record, out);
	fputs("</ul>\n", out);
}

/* ---- the page ---- */

void html_put(const struct record *record, FILE *out)
{
	struct series_set set = { 0 };
	char title[320];
	int rc = series_new(record, &set);

	snprintf(title, sizeof(title), "%s: %s", verdict_name(record->worst), run_title(record));
	page_begin(out, title, html_style);
	put_header(record, out);
	if (rc < 0)
		put_warning(out, "There was no memory for the figures by measurement.");
	fputs("<main>\n", out);
	put_tiles(record, out);
	html_failures(record, &set, out);
	html_boards(record, out);
	html_chains(record, &set, out);
	html_measurements(record, &set, out);
	html_excerpts(record, out);
	html_bench(record, out);
	fputs("</main>\n", out);
	page_end(out);
	series_free(&set);
}
