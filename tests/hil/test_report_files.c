/*
 * The files of a run are what they claim to be, whatever is in them.
 */
#include "hil/report/writers.h"

#include "tests/hil/hil_run.h"
#include "tests/support/json_path.h"
#include "tests/support/xml_check.h"

#include "proto/json/json.h"
#include "proto/utf8.h"

#include <ctype.h>

static struct record record;

/* ---- JSON ---- */

static void check_json(const char *text, size_t len)
{
	struct qn_fault fault;

	cr_expect(qn_json_check(text, len, QN_JSON_STRICT, 0, &fault) == QN_OK, "at %zu: %.80s",
		  (size_t)fault.offset, text + fault.offset);
	cr_expect(qn_utf8_valid_len(text, len) == len);
}

Test(json, of_a_run)
{
	size_t len;

	made_up(&record, 5, 10);
	char *text = text_of(json_put, &record, &len);
	check_json(text, len);
	cr_expect(json_is(text, "verdict", "ERROR"));
	EXPECT_JSON(text, "exit_code", 3);
	EXPECT_JSON(text, "steps_planned", 150);
	EXPECT_JSON(text, "calibration.edge.mean_ns", 6200);
	cr_expect(strstr(text, "\"synthetic\": true") != NULL);
	free(text);
	record_release(&record);
}

Test(json, of_a_hostile_run)
{
	size_t len;

	hostile_run(&record);
	char *text = text_of(json_put, &record, &len);
	check_json(text, len);
	for (size_t i = 0; i < len; i++)
		cr_assert((unsigned char)text[i] < 0x7f && (text[i] >= ' ' || text[i] == '\n'));
	free(text);
	record_release(&record);
}

/* ---- XML and HTML ---- */

static void check_xml(const char *text, size_t len)
{
	char why[200] = "";

	cr_expect(xml_check(text, len, why, sizeof(why)), "%s", why);
}

static unsigned occurs(const char *text, const char *what)
{
	unsigned n = 0;

	for (const char *at = text; (at = strstr(at, what)) != NULL; at++)
		n++;
	return n;
}

Test(junit, of_a_run)
{
	size_t len;

	made_up(&record, 5, 10);
	char *text = text_of(junit_put, &record, &len);
	check_xml(text, len);
	/* Retries are cases of their own: none erases another. */
	cr_expect(occurs(text, "<testcase") == record.step_count);
	unsigned failed = 0, errors = 0;
	for (uint32_t i = 0; i < record.step_count; i++) {
		failed += record.steps[i].verdict == VERDICT_FAIL ||
			  record.steps[i].verdict == VERDICT_INCONCLUSIVE;
		errors += record.steps[i].verdict == VERDICT_ERROR;
	}
	cr_expect(failed > 0 && errors > 0);
	cr_expect(occurs(text, "<failure") == failed && occurs(text, "<error") == errors);
	cr_expect(occurs(text, "<testsuite ") == 5);
	cr_expect(strstr(text, "(attempt 2)") != NULL &&
		  strstr(text, "the board is flaky") != NULL);
	free(text);
	record_release(&record);
}

/* A green file of a run that did nothing would be a lie, and so would one of a rig in trouble. */
Test(junit, of_trouble_and_of_nothing)
{
	struct record_limits small = { 10, 10, 10, 10, 1000, 1 };
	size_t len;

	cr_assert(record_init(&record, &small, 0, 1) == 0);
	char *text = text_of(junit_put, &record, &len);
	check_xml(text, len);
	cr_expect(strstr(text, "tests=\"1\" failures=\"0\" errors=\"0\"") != NULL, "%s", text);
	free(text);
	record_error(&record, "no chip <here>");
	text = text_of(junit_put, &record, &len);
	check_xml(text, len);
	cr_expect(strstr(text, "tests=\"1\" failures=\"0\" errors=\"1\"") != NULL);
	cr_expect(strstr(text, "no chip &lt;here&gt;") != NULL);
	free(text);
	record_release(&record);
}

Test(junit, of_a_hostile_run)
{
	size_t len;

	hostile_run(&record);
	char *text = text_of(junit_put, &record, &len);
	check_xml(text, len);
	free(text);
	record_release(&record);
}

Test(html, of_a_run)
{
	size_t len;

	made_up(&record, 5, 40);
	char *text = text_of(html_put, &record, &len);
	check_xml(text, len);
	cr_expect(strstr(text, "Made up by a generator") != NULL, "what is made up says so");
	cr_expect(strstr(text, "<script") == NULL && strstr(text, "http://") == NULL &&
		  strstr(text, "https://") == NULL);
	static const char *const parts[] = { "id=\"failures\"", "id=\"boards\"",
					     "id=\"chains\"",   "id=\"measurements\"",
					     "id=\"excerpts\"", "id=\"bench\"" };
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		cr_expect(strstr(text, parts[i]) != NULL, "%s", parts[i]);
	/* Every link leads somewhere in the page. */
	for (const char *at = text; (at = strstr(at, "href=\"#")) != NULL; at += 7) {
		char id[40];
		snprintf(id, sizeof(id), "id=\"%.*s\"", (int)strcspn(at + 7, "\""), at + 7);
		cr_expect(strstr(text, id) != NULL, "%s", id);
	}
	free(text);
	record_release(&record);
}

Test(html, of_a_hostile_run)
{
	size_t len;

	hostile_run(&record);
	char *text = text_of(html_put, &record, &len);
	check_xml(text, len);
	cr_expect(strstr(text, "<b>&amp;amp;") == NULL && strstr(text, "</script>") == NULL);
	cr_expect(strchr(text, '\x1b') == NULL && strstr(text, "\xe2\x80\xae") == NULL);
	cr_expect(qn_utf8_valid_len(text, len) == len);
	free(text);
	record_release(&record);
}

Test(html, of_nothing)
{
	struct record_limits small = { 10, 10, 10, 10, 1000, 1 };
	size_t len;

	cr_assert(record_init(&record, &small, 0, 1) == 0);
	char *text = text_of(html_put, &record, &len);
	check_xml(text, len);
	cr_expect(strstr(text, "did not end") != NULL);
	free(text);
	record_release(&record);
}

/* ---- CSV, read by a strict reader of RFC 4180 ---- */

/* The number of fields of the line at *at, which is moved behind it; 0: it is none. */
static unsigned fields(const char **at, const char *end)
{
	const char *p = *at;
	unsigned n = 1;

	while (p < end) {
		if (*p == '"') {
			for (p++; p < end && (*p != '"' || p[1] == '"'); p += *p == '"' ? 2 : 1)
				;
			if (p++ >= end || (*p != ',' && *p != '\r'))
				return 0;
		}
		while (p < end && *p != ',' && *p != '\r' && *p != '"' && *p != '\n')
			p++;
		if (p >= end || *p == '"' || *p == '\n')
			return 0;
		if (*p == '\r') {
			*at = p + 2;
			return p[1] == '\n' ? n : 0;
		}
		n++;
		p++;
	}
	return 0;
}

static unsigned check_csv(const char *text, size_t len)
{
	const char *at = text, *end = text + len;
	unsigned columns = fields(&at, end), lines = 0;

	cr_expect(columns == 22 + 2 * (POINTS - 1), "%u columns", columns);
	for (; at < end; lines++) {
		unsigned n = fields(&at, end);
		cr_assert(n == columns, "line %u has %u fields", lines + 2, n);
	}
	return lines;
}

Test(csv, of_a_run)
{
	size_t len, measurements = 0;

	made_up(&record, 5, 10);
	for (uint32_t i = 0; i < record.step_count; i++)
		measurements += record.steps[i].measurement_count;
	char *text = text_of(csv_put, &record, &len);
	cr_expect(check_csv(text, len) == measurements);
	free(text);
	record_release(&record);
}

Test(csv, of_a_hostile_run)
{
	size_t len;

	hostile_run(&record);
	char *text = text_of(csv_put, &record, &len);
	cr_expect(check_csv(text, len) == 4);
	cr_expect(strstr(text, "\"=1+1") == NULL && strstr(text, ",=1+1") == NULL,
		  "no spreadsheet may take a name for a formula");
	cr_expect(strstr(text, "\"'=1+1") != NULL);
	free(text);
	record_release(&record);
}

Test(csv, a_step_that_measured_nothing_has_its_line)
{
	static struct step_room room;
	size_t len;

	made_up(&record, 1, 0);
	step_begin(&room, RECORD_NO_BOARD, "p", "power", 0, 0, 0);
	record_step(&record, &room.step);
	char *text = text_of(csv_put, &record, &len);
	cr_expect(check_csv(text, len) == 1);
	free(text);
	record_release(&record);
}

/* ---- VCD ---- */

#define CODES_MAX 2000
struct vcd {
	char codes[CODES_MAX][8];
	bool is_text[CODES_MAX];
	unsigned count;
	unsigned changes;
};

static int code_of(const struct vcd *vcd, const char *code)
{
	for (unsigned i = 0; i < vcd->count; i++)
		if (strcmp(vcd->codes[i], code) == 0)
			return (int)i;
	return -1;
}

static void read_declaration(struct vcd *vcd, const char *line)
{
	char type[16], code[8], name[512], end[8];

	if (strncmp(line, "$var ", 5) != 0)
		return;
	cr_assert(sscanf(line, "$var %15s 1 %7s %511s %7s", type, code, name, end) == 4, "%s",
		  line);
	cr_assert(strcmp(end, "$end") == 0 && code_of(vcd, code) < 0, "%s", line);
	for (const char *at = name; *at != '\0'; at++)
		cr_assert(isalnum((unsigned char)*at) || *at == '_');
	vcd->is_text[vcd->count] = strcmp(type, "string") == 0;
	strcpy(vcd->codes[vcd->count++], code);
}

static void read_change(struct vcd *vcd, const char *line, long long *now)
{
	if (line[0] == '#') {
		char *end;
		long long t = strtoll(line + 1, &end, 10);
		cr_assert(*end == '\0' && t >= *now, "%s", line);
		*now = t;
		return;
	}
	if (line[0] == '$')
		return;
	vcd->changes++;
	if (line[0] == 's') {
		const char *space = strchr(line, ' ');
		cr_assert(space != NULL && strchr(space + 1, ' ') == NULL, "%s", line);
		int code = code_of(vcd, space + 1);
		cr_assert(code >= 0 && vcd->is_text[code], "%s", line);
		return;
	}
	cr_assert(strchr("01x", line[0]) != NULL, "%s", line);
	int code = code_of(vcd, line + 1);
	cr_assert(code >= 0 && !vcd->is_text[code], "%s", line);
}

static void check_vcd(char *text, struct vcd *vcd)
{
	bool defined = false;
	long long now = -1;

	memset(vcd, 0, sizeof(*vcd));
	for (char *at = text; *at != '\0'; at++)
		cr_assert((unsigned char)*at < 0x7f && (*at >= ' ' || *at == '\n'));
	for (char *line = strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n")) {
		if (strcmp(line, "$enddefinitions $end") == 0)
			defined = true;
		else if (!defined)
			read_declaration(vcd, line);
		else
			read_change(vcd, line, &now);
	}
	cr_expect(defined);
}

Test(vcd, of_a_run)
{
	static struct vcd vcd;

	made_up(&record, 3, 5);
	record_sort_events(&record);
	char *text = text_of(vcd_put, &record, NULL);
	cr_expect(strstr(text, "$comment Made up by a generator") != NULL);
	cr_expect(strstr(text, "sFAIL\\x20stand_up ") != NULL);
	cr_expect(strstr(text, "s1500.0\\x20us ") != NULL);
	cr_expect(strstr(text, "s->\\x20{\"type\":\\x20\"stand_up\"} ") != NULL);
	cr_expect(strstr(text, "$timescale 1 us $end") != NULL);
	/* What PulseView of Debian 12 gives up at. */
	cr_expect(strstr(text, "$var real") == NULL && strstr(text, "$var reg") == NULL);
	check_vcd(text, &vcd);
	cr_expect(vcd.changes > record_event_count(&record));
	free(text);
	record_release(&record);
}

Test(vcd, of_a_hostile_run)
{
	static struct vcd vcd;

	hostile_run(&record);
	record_sort_events(&record);
	char *text = text_of(vcd_put, &record, NULL);
	check_vcd(text, &vcd);
	free(text);
	record_release(&record);
}

/* The clock of the first events may be before that of the run; nothing may be before 0. */
Test(vcd, events_before_the_run)
{
	static struct vcd vcd;

	hostile_run(&record);
	record_event(&record, TIMELINE_NOTE, -1, -500000000, 0, "early", 5);
	record_sort_events(&record);
	char *text = text_of(vcd_put, &record, NULL);
	check_vcd(text, &vcd);
	free(text);
	record_release(&record);
}
