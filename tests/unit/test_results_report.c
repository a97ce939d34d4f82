/* junit.xml and report.html: well-formed whatever the names are, and nothing that loads or runs. */
#include "emulator/base/chart.h"
#include "emulator/base/markup.h"
#include "tests/support/results_dir.h"
#include "tests/support/results_run.h"
#include "tests/support/xml_check.h"

#include <ctype.h>
#include <stdlib.h>

static struct results_dir dir;

static void make(void)
{
	results_dir_make(&dir);
}

static void clean(void)
{
	results_dir_remove(dir.path);
}

TestSuite(report, .init = make, .fini = clean);

#define HOSTILE                                                                                    \
	"</style><script>alert(1)</script> \"x\" 'y' & \x1b[31m \xff \xe2\x80\xae \xef\xbf\xbf "   \
	"]]>"

static const struct verdict verdicts[] = {
	{ .name = "all register",
	  .that = "registered >= 500",
	  .mode = "within 30s",
	  .outcome = VERDICT_PASS,
	  .seen = "registered was 500",
	  .at_ns = 3600000000,
	  .file = "configs/some.cfg",
	  .line = 41 },
	{ .name = "quick",
	  .that = "latency(ping, group:west, p99) < 50ms",
	  .mode = "at the end",
	  .outcome = VERDICT_FAIL,
	  .seen = "latency(ping, group:west, p99) was 238ms",
	  .at_ns = 60000000000,
	  .targets_total = 120,
	  .targets_count = 3,
	  .targets = { "target_1", "target_2", "target_3" },
	  .file = "configs/some.cfg",
	  .line = 42 },
	{ .name = HOSTILE,
	  .that = HOSTILE,
	  .mode = HOSTILE,
	  .outcome = VERDICT_ERROR,
	  .seen = HOSTILE,
	  .at_ns = 14210000000,
	  .targets_total = 2,
	  .targets_count = 2,
	  .targets = { "<b>", "\"" },
	  .file = "configs/" HOSTILE,
	  .line = 43 },
	{ .name = "", .that = "", .mode = "", .outcome = VERDICT_ERROR },
};
static const struct verdict *const all_verdicts[] = { &verdicts[0], &verdicts[1], &verdicts[2],
						      &verdicts[3] };

static const struct results_end failed = {
	.verdict = "FAIL", .why = HOSTILE, .verdicts = all_verdicts, .verdict_count = 4
};
static const struct results_end passed = { .verdict = "PASS", .why = "" };

static void play(const char *title, int64_t for_ns, const struct results_end *end)
{
	struct results_options options = { .dir = dir.path,
					   .title = title,
					   .config_path = "configs/some.cfg",
					   .seed = UINT64_MAX,
					   .simulated = true };
	struct results_run *run = malloc(sizeof(*run));

	results_run_open(run, options);
	results_run_play(run, for_ns);
	run_tell(run, EVENT_NOTE, -1, 0, 0, HOSTILE);
	for (int i = 0; i < 3; i++)
		run_tell(run, EVENT_FAULT_ON, i, 0, 0, HOSTILE);
	cr_assert(results_finish(run->results, end) == 0);
	results_run_close(run);
	free(run);
}

static unsigned count(const char *text, const char *what)
{
	unsigned n = 0;

	for (const char *at = text; (at = strstr(at, what)) != NULL; at += strlen(what))
		n++;
	return n;
}

static char *read_checked(const char *name)
{
	char why[200];
	size_t len;
	char *text = results_dir_read(dir.path, name, &len);

	cr_expect(xml_check(text, len, why, sizeof(why)), "%s: %s", name, why);
	cr_expect(strlen(text) == len);
	return text;
}

/* The real thing where it is installed; the checks above hold without it. */
static void ask_xmllint(const char *options, const char *name)
{
	char command[512];

	if (system("command -v xmllint >/dev/null 2>&1") != 0)
		return;
	snprintf(command, sizeof(command), "xmllint --noout %s '%s/%s' 2>&1", options, dir.path,
		 name);
	cr_expect(system(command) == 0, "%s", command);
}

static void check_junit(void)
{
	char schema[512];

	snprintf(schema, sizeof(schema), "--schema '%s/tests/support/junit.xsd'",
		 getenv("QN_SOURCE_DIR"));
	ask_xmllint(schema, "junit.xml");
}

/* ---- junit.xml ---- */

Test(report, junit_has_a_case_for_every_verdict)
{
	play(HOSTILE, 2 * NS_PER_S, &failed);
	char *text = read_checked("junit.xml");
	cr_expect(strstr(text, " tests=\"4\" failures=\"1\" errors=\"2\" time=\"2.000\" "
			       "timestamp=\"2025-11-21T16:00:00\"") != NULL,
		  "%s", text);
	cr_expect(count(text, "<testcase ") == 4);
	cr_expect(strstr(text, "<testcase name=\"all register\" classname=\"&lt;/style&gt;") !=
		  NULL);
	cr_expect(strstr(text, "<failure message=\"latency(ping, group:west, p99) was 238ms\" "
			       "type=\"FAIL\">expected: latency(ping, group:west, p99) &lt; 50ms "
			       "(at the end)\n") != NULL);
	cr_expect(strstr(text, "targets (120): target_1 target_2 target_3 ...\nat some.cfg:42<") !=
		  NULL);
	cr_expect(count(text, "type=\"ERROR\"") == 2);
	cr_expect(strstr(text, "&amp; \\x1b[31m \\xff \\u202e \\uffff ]]&gt;") != NULL);
	free(text);
	check_junit();
}

Test(report, junit_of_a_run_without_expectations)
{
	static const char *const words[] = { "PASS", "FAIL", "ERROR" };

	for (int i = 0; i < 3; i++) {
		struct results_end end = { .verdict = words[i],
					   .why = i == 0 ? "" : "3 commands lost" };
		play(NULL, NS_PER_S, &end);
		char *text = read_checked("junit.xml");
		cr_expect(strstr(text, "<testcase name=\"run\" classname=\"some.cfg\" "
				       "time=\"1.000\"") != NULL);
		cr_expect(count(text, "<failure message=\"3 commands lost\" type=\"FAIL\">") ==
			  (i == 1));
		cr_expect(count(text, "<error message=\"3 commands lost\" type=\"ERROR\">") ==
			  (i == 2));
		free(text);
		check_junit();
	}
}

/* ---- report.html ---- */

static void expect_harmless(const char *html)
{
	static const char *const none[] = { "<script", "</style><", "javascript:", "http:",
					    "https:",  "src=",      "@import",     "url(",
					    "<link",   "<iframe",   "<img",        "<object",
					    "onload",  "onclick",   "xmlns" };

	for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++)
		cr_expect(strstr(html, none[i]) == NULL, "%s in the report", none[i]);
	cr_expect(count(html, "</style>") == 1);
	/* Links go to the files beside it alone. */
	for (const char *at = html; (at = strstr(at, "href=\"")) != NULL; at++)
		cr_expect(strspn(at + 6, "abcdefghijklmnopqrstuvwxyz_-.") == strcspn(at + 6, "\""),
			  "%.40s", at);
}

/* Every number in a path or a place is one, and lies inside. */
static void expect_sane_places(const char *html)
{
	for (const char *at = html; (at = strstr(at, " d=\"")) != NULL;) {
		at += 4;
		while (*at != '"') {
			char *end;
			if (strchr("MLHVZh ", *at) != NULL) {
				at++;
				continue;
			}
			double value = strtod(at, &end);
			cr_assert(end > at && value >= 0 && value <= 1000, "%.60s", at);
			at = end;
		}
	}
	for (const char *at = html; (at = strstr(at, "style=\"")) != NULL; at++)
		for (const char *p = at + 7; *p != '"'; p++)
			if (*p == ':') {
				double value = strtod(p + 1, NULL);
				cr_expect((isdigit((unsigned char)p[1])) && value >= 0 &&
						  value <= 100,
					  "%.40s", at);
			}
	cr_expect(strstr(html, "nan") == NULL && strstr(html, "inf") == NULL);
}

Test(report, page_of_a_run_with_everything)
{
	play(HOSTILE, 60 * NS_PER_S, &failed);
	char *html = read_checked("report.html");
	static const char *const there[] = {
		"<!DOCTYPE html>\n<html lang=\"en\">",
		"<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>",
		"prefers-color-scheme:dark",
		"<p class=\"verdict\">FAIL</p>",
		"&lt;script&gt;alert(1)&lt;/script&gt; &quot;x&quot; &#39;y&#39; &amp; \\x1b[31m",
		"[31m \\xff \\u202e \\uffff ]]&gt;",
		"<span>seed</span> 18446744073709551615",
		"<li>simulated time</li>",
		"latency(ping, group:west, p99) &lt; 50ms",
		"target_1, target_2, target_3 and 117 more",
		"id=\"timeline\"",
		"id=\"commands\"",
		"id=\"latency-time\"",
		"id=\"latency-distribution\"",
		"id=\"fleet\"",
		"id=\"faults\"",
		"id=\"rounds\"",
		"id=\"notes\"",
		"<desc id=\"states-d\">500 targets over 60.0\xc2\xa0s. At the end:",
		"<span class=\"lane-name\">delay</span>",
		"120 targets answer late from here",
		"href=\"latency-ping.hgrm\"",
	};
	for (size_t i = 0; i < sizeof(there) / sizeof(there[0]); i++)
		cr_expect(strstr(html, there[i]) != NULL, "%s is not in the report", there[i]);
	expect_harmless(html);
	expect_sane_places(html);
	/* What can be seen can be read: every picture has a title and a description. */
	cr_expect(count(html, "<svg viewBox=\"0 0 1000 1000\"") == count(html, "<desc id="));
	/* What went wrong stands first. */
	const char *error = strstr(html, "badge error"), *fail = strstr(html, "badge fail"),
		   *pass = strstr(html, "badge pass");
	cr_expect(error < fail && fail < pass);
	free(html);
	ask_xmllint("", "report.html");
}

Test(report, pages_of_short_runs)
{
	static const int64_t spans[] = { 0, 1, 50 * NS_PER_MS, NS_PER_S, 5 * NS_PER_S };

	for (size_t i = 0; i < sizeof(spans) / sizeof(spans[0]); i++) {
		play("short", spans[i], &passed);
		char *html = read_checked("report.html");
		expect_harmless(html);
		expect_sane_places(html);
		cr_expect(strstr(html, "<p class=\"verdict\">PASS</p>") != NULL);
		cr_expect(strstr(html, "id=\"expectations\"") == NULL);
		free(html);
	}
}

Test(report, page_without_fleet_and_master)
{
	struct results_options options = { .dir = dir.path, .simulated = true };
	struct events events = { 0 };
	struct results *results;
	struct loop loop;

	loop_init_simulated(&loop, 0);
	cr_assert(results_open(&options, &loop, &events, NULL, NULL, &results) == 0);
	results_start(results);
	cr_expect(results_finish(results, &passed) == 0);
	results_free(results);
	loop_release(&loop);
	char *html = read_checked("report.html");
	expect_sane_places(html);
	cr_expect(strstr(html, "<h1>quintain-emu</h1>") != NULL);
	cr_expect(strstr(html, "id=\"fleet\"") == NULL && strstr(html, "id=\"latency\"") == NULL);
	free(html);
	free(read_checked("junit.xml"));
}

/* A master for real boards: there is no fleet to draw, only whom it knows. */
Test(report, page_of_a_master_alone)
{
	struct results_options options = { .dir = dir.path, .simulated = true };
	struct results_run *run = malloc(sizeof(*run));

	results_run_open(run, options);
	results_free(run->results);
	cr_assert(results_open(&options, &run->loop, &run->events, NULL, run->master,
			       &run->results) == 0);
	results_run_play(run, 20 * NS_PER_S);
	cr_expect(results_finish(run->results, &passed) == 0);
	results_run_close(run);
	free(run);
	char *html = read_checked("report.html");
	expect_harmless(html);
	expect_sane_places(html);
	cr_expect(strstr(html, "<i class=\"k-registered\"></i>registered <b>0</b>") != NULL);
	cr_expect(strstr(html, "id=\"fleet\"") == NULL);
	cr_expect(strstr(html, "id=\"latency-time\"") != NULL);
	free(html);
}

/* ---- numbers for people ---- */

Test(report, times)
{
	static const struct {
		int64_t ns;
		const char *text;
	} CASES[] = {
		{ 0, "0\xc2\xa0s" },
		{ 999, "999\xc2\xa0ns" },
		{ 1000, "1.00\xc2\xa0µs" },
		{ 9994, "9.99\xc2\xa0µs" },
		{ 9996, "10.0\xc2\xa0µs" },
		{ 81300000, "81.3\xc2\xa0ms" },
		{ 999400000, "999\xc2\xa0ms" },
		{ 999600000, "1.00\xc2\xa0s" },
		{ 119900000000, "120\xc2\xa0s" },
		{ 125000000000, "2\xc2\xa0min\xc2\xa0"
				"05\xc2\xa0s" },
	};
	char buf[MARKUP_NUMBER];

	for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++)
		cr_expect_str_eq(markup_time(CASES[i].ns, buf, sizeof(buf)), CASES[i].text);
	cr_expect_str_eq(markup_count(0, buf, sizeof(buf)), "0");
	cr_expect_str_eq(markup_count(999, buf, sizeof(buf)), "999");
	cr_expect_str_eq(markup_count(1234567, buf, sizeof(buf)), "1\xe2\x80\xaf"
								  "234\xe2\x80\xaf"
								  "567");
	cr_expect(strlen(markup_count(UINT64_MAX, buf, sizeof(buf))) == 20 + 6 * 3);
}

/* Whatever the range: ticks rise, lie inside, have labels, and are not too many. */
static void check_axis(const struct chart_axis *axis, double low, double high)
{
	cr_assert(axis->ticks > 0 && axis->ticks <= CHART_TICKS_MAX, "%d ticks for %g to %g",
		  axis->ticks, low, high);
	cr_expect(axis->low <= low * 1.0001 && axis->high >= high * 0.9999,
		  "%g to %g does not hold %g to %g", axis->low, axis->high, low, high);
	for (int i = 0; i < axis->ticks; i++) {
		double value = axis->tick[i].value;
		cr_expect(value >= axis->low * 0.998 && value <= axis->high * 1.002,
			  "tick %g outside of %g to %g", value, axis->low, axis->high);
		cr_expect(i == 0 || value > axis->tick[i - 1].value);
		cr_expect(axis->tick[i].label[0] != '\0');
	}
}

Test(report, axes)
{
	struct chart_axis axis;

	for (int i = 0; i < 40; i++) {
		double high = floor(pow(1.7, i));
		chart_axis_count(&axis, high);
		check_axis(&axis, 0, high);
		cr_expect(axis.ticks <= 8);
		chart_axis_percentile(&axis, high);
		check_axis(&axis, 1, high);
	}
	for (int i = 0; i < 70; i++) {
		double high = pow(1.7, i);
		chart_axis_time(&axis, high);
		check_axis(&axis, 0, high);
		cr_expect(axis.ticks <= 8);
	}
	for (int i = 0; i < 25; i++)
		for (int k = 0; k < 35; k++) {
			double low = pow(3.1, i), high = low * pow(2.3, k);
			if (high > 4e12)
				break;
			chart_axis_latency(&axis, low, high);
			check_axis(&axis, low, high);
			cr_expect(axis.ticks >= 2, "%g to %g", low, high);
		}
	chart_axis_count(&axis, 0);
	check_axis(&axis, 0, 0);
	chart_axis_latency(&axis, 0, 0);
	check_axis(&axis, 1, 1);
}
