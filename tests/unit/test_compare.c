/* Two wires side by side: who is better, and what is only noise; table, JSON and page. */
#include "emulator/results/compare.h"
#include "tests/support/xml_check.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct compare compare;

static void set_all(double a, double b)
{
	for (int m = 0; m < COMPARE_MEASURE_COUNT; m++)
		compare_of_passes(&compare, (enum compare_measure)m, &a, &b, 1);
}

static void begin(void)
{
	compare = (struct compare){
		.title = "t<i>tle", .config = "c.cfg", .passes = 1, .targets = 3
	};
	compare.wire[0].name = "http";
	compare.wire[1].name = "snyper";
	set_all(100, 50);
}

Test(compare, less_is_better_but_of_rates, .init = begin)
{
	cr_expect_eq(compare_better(&compare, COMPARE_P99), 1);
	cr_expect_eq(compare_better(&compare, COMPARE_RATE), 0);
	cr_expect_float_eq(compare_ratio(&compare, COMPARE_P99), 2, 1e-9);
	set_all(50, 100);
	cr_expect_eq(compare_better(&compare, COMPARE_P99), 0);
	cr_expect_float_eq(compare_ratio(&compare, COMPARE_RATE), 2, 1e-9);
}

Test(compare, quartiles, .init = begin)
{
	const double values[] = { 5, 1, 4, 2, 3 };

	compare_of_passes(&compare, COMPARE_P50, values, values, 5);
	cr_expect_float_eq(compare.wire[0].value[COMPARE_P50], 3, 1e-9);
	cr_expect_float_eq(compare.wire[0].q1[COMPARE_P50], 2, 1e-9);
	cr_expect_float_eq(compare.wire[0].q3[COMPARE_P50], 4, 1e-9);
}

Test(compare, what_is_no_difference, .init = begin)
{
	const double first[] = { 40, 60, 90, 110 }, by_turns[] = { 50, 50, 100, 100 };
	const double always[] = { 80, 120, 180, 220 };

	compare_of_passes(&compare, COMPARE_P50, first, by_turns, 4);
	cr_expect_eq(compare_better(&compare, COMPARE_P50), -1, "now this one, now that one");
	/* The passes differ more than the wires do, but in each the first is twice as good. */
	compare_of_passes(&compare, COMPARE_P50, first, always, 4);
	cr_expect_eq(compare_better(&compare, COMPARE_P50), 0);
	cr_expect_float_eq(compare_ratio(&compare, COMPARE_P50), 2, 1e-9);
	set_all(100, 100.9);
	cr_expect_eq(compare_better(&compare, COMPARE_BYTES), -1, "under a hundredth");
	set_all(100, NAN);
	cr_expect_eq(compare_better(&compare, COMPARE_BYTES), -1, "not known");
	set_all(1000, 0);
	cr_expect_eq(compare_better(&compare, COMPARE_CONNECTIONS), 1, "none is less than some");
	set_all(0, 0);
	cr_expect_eq(compare_better(&compare, COMPARE_BYTES), -1);
	cr_expect_float_eq(compare_ratio(&compare, COMPARE_BYTES), 1, 1e-9);
}

Test(compare, curve)
{
	cr_expect_float_eq(compare_curve_rest(1000, 0), 1, 1e-9);
	cr_expect_float_eq(compare_curve_rest(1000, COMPARE_CURVE), 0.001, 1e-9);
}

static char *written(void (*write)(const struct compare *, FILE *))
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	cr_assert(out != NULL);
	write(&compare, out);
	fclose(out);
	return text;
}

static void print(const struct compare *c, FILE *out)
{
	compare_print(c, false, out);
}

Test(compare, table, .init = begin)
{
	char *text = written(print);

	cr_expect(strstr(text, "http is better in 1 of 14 measures") == NULL, "%s", text);
	cr_expect(strstr(text, "snyper is better in 13 of 14 measures, http in 1;") != NULL, "%s",
		  text);
	cr_expect(strstr(text, "snyper is 2.00 times better") != NULL, "%s", text);
	free(text);
	set_all(NAN, NAN);
	text = written(print);
	cr_expect(strstr(text, "not measured") != NULL, "%s", text);
	free(text);
}

Test(compare, json, .init = begin)
{
	char *text = written(compare_json);

	cr_expect(strstr(text,
			 "\"latency_p99_us\": {\"http\": {\"value\": 100.000, \"q1\": "
			 "100.000, \"q3\": 100.000}, \"snyper\": {\"value\": 50.000, ") != NULL,
		  "%s", text);
	cr_expect(strstr(text, "\"better\": \"snyper\", \"ratio\": 2.000}") != NULL, "%s", text);
	free(text);
	set_all(NAN, 1);
	text = written(compare_json);
	cr_expect(strstr(text, "nan") == NULL && strstr(text, "{\"value\": null, ") != NULL, "%s",
		  text);
	free(text);
}

/* Curves and passes in it, it is still well-formed. */
Test(compare, page_with_plots, .init = begin)
{
	char why[200] = "";

	compare.passes = 3;
	for (int w = 0; w < 2; w++) {
		compare.wire[w].ok = compare.wire[w].sent = 1000;
		for (int i = 0; i <= COMPARE_CURVE; i++)
			compare.wire[w].curve[i] = 1000 * (i + 1) * (w + 1);
		for (int i = 0; i < 3; i++) {
			compare.wire[w].pass_p50_us[i] = 10;
			compare.wire[w].pass_p99_us[i] = 90 + i;
		}
	}
	char *text = written(compare_page);
	cr_expect(xml_check(text, strlen(text), why, sizeof(why)), "%s", why);
	cr_expect(strstr(text, "Latency by percentile") != NULL);
	cr_expect(strstr(text, "Latency by pass") != NULL);
	cr_expect(strstr(text, "nan") == NULL && strstr(text, "inf\"") == NULL);
	free(text);
}

Test(compare, page_escapes, .init = begin)
{
	char *text = written(compare_page);

	cr_expect(strstr(text, "t&lt;i&gt;tle") != NULL);
	cr_expect(strstr(text, "t<i>tle") == NULL);
	char why[200] = "";
	cr_expect(xml_check(text, strlen(text), why, sizeof(why)), "%s", why);
	free(text);
}
