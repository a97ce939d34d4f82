#include "hil/report/parts.h"

#include "hil/report/writers.h"

#include "emulator/base/markup.h"

#include <string.h>

/*
 * The form that the strictest readers take (Ant's schema): every attribute that it requires,
 * nothing that it does not know. A suite a board; a case a step, retries as cases of their own, so
 * that none erases another.
 */

static void put_attribute(FILE *out, const char *name, const char *value)
{
	fprintf(out, " %s=\"", name);
	markup_put(out, value);
	fputc('"', out);
}

static double seconds(int64_t ns)
{
	return ns > 0 ? (double)ns / 1e9 : 0;
}

/* FAIL and INCONCLUSIVE are failures, ERROR is an error. */
static bool is_failure(enum verdict verdict)
{
	return verdict == VERDICT_FAIL || verdict == VERDICT_INCONCLUSIVE;
}

static void put_measurement(const struct measurement *m, FILE *out)
{
	char value[32], u[32];

	fputs("\n", out);
	markup_put(out, m->name);
	fprintf(out, ": %s%s +- %s %s", m->missing ? "nothing after " : "",
		unit_text(m->unit, m->judged.value, value, sizeof(value)),
		unit_text(m->unit, m->judged.u, u, sizeof(u)), verdict_name(m->judged.verdict));
	if (m->judged.why[0] != '\0') {
		fputs(" (", out);
		markup_put(out, m->judged.why);
		fputc(')', out);
	}
}

static void put_content(const struct record *record, uint32_t s, FILE *out)
{
	const struct step_result *step = &record->steps[s];

	markup_put(out, step->why);
	for (unsigned i = 0; i < step->measurement_count; i++)
		put_measurement(&step->measurements[i], out);
	fputs("\nat ", out);
	markup_put(out, step->plan_path);
	if (record_step_flaky(record, s))
		fputs("\na later attempt passed: this failure stays, the board is flaky", out);
}

static void put_case(const struct record *record, uint32_t s, FILE *out)
{
	const struct step_result *step = &record->steps[s];
	char name[160];
	size_t len = (size_t)snprintf(name, sizeof(name), "%s #%u", step->name, step->repeat + 1);

	if (step->attempt > 0)
		snprintf(name + len, sizeof(name) - len, " (attempt %u)", step->attempt + 1);
	fputs("    <testcase", out);
	put_attribute(out, "name", name);
	put_attribute(out, "classname", board_name(record, step->board));
	fprintf(out, " time=\"%.3f\"", seconds(step->end_ns - step->begin_ns));
	if (!is_failure(step->verdict) && step->verdict != VERDICT_ERROR) {
		fputs("/>\n", out);
		return;
	}
	const char *element = is_failure(step->verdict) ? "failure" : "error";
	fprintf(out, ">\n      <%s", element);
	put_attribute(out, "message", step->why);
	put_attribute(out, "type", verdict_name(step->verdict));
	fputc('>', out);
	put_content(record, s, out);
	fprintf(out, "</%s>\n    </testcase>\n", element);
}

static void put_property(FILE *out, const char *name, const char *value)
{
	fputs("      <property", out);
	put_attribute(out, "name", name);
	put_attribute(out, "value", value);
	fputs("/>\n", out);
}

static void put_properties(const struct record *record, const struct record_board *board, FILE *out)
{
	fputs("    <properties>\n", out);
	put_property(out, "run", record->run.id);
	put_property(out, "plan", record->run.plan_path);
	put_property(out, "bench", record->run.bench_path);
	put_property(out, "serial", board->serial);
	put_property(out, "firmware", board->firmware);
	put_property(out, "version", QN_VERSION);
	if (run_warning(record)[0] != '\0')
		put_property(out, "warning", run_warning(record));
	fputs("    </properties>\n", out);
}

struct counted {
	unsigned tests, failures, errors;
	int64_t ns;
};

static struct counted count(const struct record *record, int board)
{
	struct counted counted = { 0 };

	for (uint32_t s = 0; s < record->step_count; s++) {
		const struct step_result *step = &record->steps[s];
		if (step->board != board)
			continue;
		counted.tests++;
		counted.failures += is_failure(step->verdict);
		counted.errors += step->verdict == VERDICT_ERROR;
		counted.ns += step->end_ns - step->begin_ns;
	}
	return counted;
}

/* Trouble of the whole rig, and a run that tested nothing, must not look green. */
static bool has_own_case(const struct record *record)
{
	return record->error[0] != '\0' || record->run.interrupted || record->steps_left_out > 0 ||
	       record->step_count == 0;
}

static void put_own_case(const struct record *record, FILE *out)
{
	bool bad = record->error[0] != '\0' || record->run.interrupted ||
		   record->steps_left_out > 0;
	const char *why = record->error[0] != '\0'  ? record->error
			  : record->run.interrupted ? "interrupted: not all steps were run"
						    : "more steps than the record holds";

	fprintf(out, "    <testcase name=\"run\" classname=\"bench\" time=\"%.3f\"",
		seconds(run_span(record)));
	if (!bad) {
		fputs("/>\n", out);
		return;
	}
	fputs("><error", out);
	put_attribute(out, "message", why);
	fputs(" type=\"ERROR\"/></testcase>\n", out);
}

static void put_suite(const struct record *record, int board, unsigned id, FILE *out)
{
	const struct record_board *of = board >= 0 ? &record->boards[board] : &record->bench;
	struct counted counted = count(record, board);
	bool own = board == RECORD_NO_BOARD && has_own_case(record);
	char when[WHEN_CAP];

	if (board == RECORD_NO_BOARD && counted.tests == 0 && !own)
		return;
	when_text(record->run.start_wall_ns, when);
	when[strcspn(when, "Z")] = '\0'; /* the schema wants no zone */
	fputs("  <testsuite", out);
	put_attribute(out, "name", of->name);
	fprintf(out, " tests=\"%u\" failures=\"%u\" errors=\"%u\" time=\"%.3f\"",
		counted.tests + own, counted.failures,
		counted.errors + (own && (record->error[0] != '\0' || record->run.interrupted ||
					  record->steps_left_out > 0)),
		seconds(counted.ns));
	put_attribute(out, "timestamp", when);
	put_attribute(out, "hostname",
		      record->run.host[0] != '\0' ? record->run.host : "localhost");
	fprintf(out, " id=\"%u\" package=\"quintain-hil\">\n", id);
	put_properties(record, of, out);
	for (uint32_t s = 0; s < record->step_count; s++)
		if (record->steps[s].board == board)
			put_case(record, s, out);
	if (own)
		put_own_case(record, out);
	fputs("    <system-out>", out);
	markup_put(out, verdict_name(of->worst));
	fputs("</system-out>\n    <system-err/>\n  </testsuite>\n", out);
}

void junit_put(const struct record *record, FILE *out)
{
	fputs("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n", out);
	for (unsigned i = 0; i < record->board_count; i++)
		put_suite(record, (int)i, i, out);
	put_suite(record, RECORD_NO_BOARD, record->board_count, out);
	fputs("</testsuites>\n", out);
}
