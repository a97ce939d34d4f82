#include "emulator/results/parts.h"

#include "emulator/base/markup.h"

#include <string.h>

/*
 * The form that the strictest readers take (Ant's schema): every attribute that it requires,
 * nothing that it does not know, system-out and system-err always there. tests/support/junit.xsd.
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

static void begin_case(const struct results *results, const char *name, int64_t at_ns, FILE *out)
{
	fputs("    <testcase", out);
	put_attribute(out, "name", name != NULL && name[0] != '\0' ? name : "unnamed");
	put_attribute(out, "classname", results_title(results));
	fprintf(out, " time=\"%.3f\"", seconds(at_ns));
}

static void put_targets(const struct verdict *verdict, FILE *out)
{
	if (verdict->targets_total == 0)
		return;
	fprintf(out, "\ntargets (%u):", verdict->targets_total);
	for (uint32_t i = 0; i < verdict->targets_count; i++) {
		fputc(' ', out);
		markup_put(out, verdict->targets[i]);
	}
	if (verdict->targets_total > verdict->targets_count)
		fputs(" ...", out);
}

static void put_verdict(const struct results *results, const struct verdict *verdict, FILE *out)
{
	const char *element = verdict->outcome == VERDICT_FAIL ? "failure" : "error";

	begin_case(results, verdict->name, verdict->at_ns, out);
	if (verdict->outcome == VERDICT_PASS) {
		fputs("/>\n", out);
		return;
	}
	fprintf(out, ">\n      <%s", element);
	put_attribute(out, "message", verdict->seen);
	put_attribute(out, "type", verdict_outcome_name(verdict->outcome));
	fputs(">expected: ", out);
	markup_put(out, verdict->that);
	fputs(" (", out);
	markup_put(out, verdict->mode);
	fputs(")\nseen: ", out);
	markup_put(out, verdict->seen);
	put_targets(verdict, out);
	if (verdict->file != NULL) {
		fputs("\nat ", out);
		markup_put(out, results_file_name(results, verdict->file));
		fprintf(out, ":%u", verdict->line);
	}
	fprintf(out, "</%s>\n    </testcase>\n", element);
}

/* Nothing was expected: the run itself is the test. */
static void put_run(const struct results *results, const struct results_end *end, FILE *out)
{
	const char *element = strcmp(end->verdict, "ERROR") == 0 ? "error" : "failure";

	begin_case(results, "run", results->end_ns - results->start_ns, out);
	if (strcmp(end->verdict, "PASS") == 0) {
		fputs("/>\n", out);
		return;
	}
	fprintf(out, ">\n      <%s", element);
	put_attribute(out, "message", end->why);
	put_attribute(out, "type", end->verdict);
	fputc('>', out);
	markup_put(out, end->why);
	fprintf(out, "</%s>\n    </testcase>\n", element);
}

static uint32_t count(const struct results_end *end, enum verdict_outcome outcome)
{
	uint32_t n = 0;

	if (end->verdict_count == 0)
		return strcmp(end->verdict, verdict_outcome_name(outcome)) == 0;
	for (uint32_t i = 0; i < end->verdict_count; i++)
		n += end->verdicts[i]->outcome == outcome;
	return n;
}

static void put_property(FILE *out, const char *name, const char *value)
{
	fputs("      <property", out);
	put_attribute(out, "name", name);
	put_attribute(out, "value", value);
	fputs("/>\n", out);
}

static void put_properties(const struct results *results, FILE *out)
{
	char seed[24];

	snprintf(seed, sizeof(seed), "%llu", (unsigned long long)results->options.seed);
	fputs("    <properties>\n", out);
	put_property(out, "config", results_config_name(results));
	put_property(out, "seed", seed);
	put_property(out, "simulated", results->options.simulated ? "true" : "false");
	put_property(out, "version", QN_VERSION);
	fputs("    </properties>\n", out);
}

void junit_write(const struct results *results, const struct results_end *end, FILE *out)
{
	char when[32];

	results_started(results, when, sizeof(when));
	when[strcspn(when, "Z")] = '\0'; /* the schema wants no zone */
	fputs("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n  <testsuite", out);
	put_attribute(out, "name", results_title(results));
	fprintf(out, " tests=\"%u\" failures=\"%u\" errors=\"%u\" time=\"%.3f\"",
		end->verdict_count > 0 ? end->verdict_count : 1, count(end, VERDICT_FAIL),
		count(end, VERDICT_ERROR), seconds(results->end_ns - results->start_ns));
	put_attribute(out, "timestamp", when);
	fputs(" hostname=\"localhost\" id=\"0\" package=\"quintain-emu\">\n", out);
	put_properties(results, out);
	for (uint32_t i = 0; i < end->verdict_count; i++)
		put_verdict(results, end->verdicts[i], out);
	if (end->verdict_count == 0)
		put_run(results, end, out);
	fputs("    <system-out>", out);
	markup_put(out, end->verdict);
	if (end->why != NULL && end->why[0] != '\0') {
		fputs(": ", out);
		markup_put(out, end->why);
	}
	fputs("</system-out>\n    <system-err/>\n  </testsuite>\n</testsuites>\n", out);
}
