/*
 * Verdicts at every boundary, one unit before it and one behind it.
 */
#include "hil/measure/verdict.h"

#include <criterion/criterion.h>
#include <string.h>

static struct uncertainty width(int64_t half)
{
	struct uncertainty u = { 0 };

	u.half_ns[U_READ] = half;
	return u;
}

static enum verdict judge(int64_t value, int64_t u, const struct limit *limit)
{
	struct uncertainty parts = width(u);

	return verdict_judge(UNIT_NS, value, &parts, 0, limit).verdict;
}

struct row {
	int64_t value, u;
	enum verdict verdict;
};

static void check(const struct limit *limit, const struct row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		enum verdict got = judge(rows[i].value, rows[i].u, limit);
		cr_expect(got == rows[i].verdict, "%lld +- %lld is %s, expected %s",
			  (long long)rows[i].value, (long long)rows[i].u, verdict_name(got),
			  verdict_name(rows[i].verdict));
	}
}
#define CHECK(limit, ...)                                                                          \
	check(limit, (const struct row[]){ __VA_ARGS__ },                                          \
	      sizeof((const struct row[]){ __VA_ARGS__ }) / sizeof(struct row))

Test(verdict, exact_values_at_an_upper_limit)
{
	struct limit limit = { .has_max = true, .max = 100, .margin = 10 };

	CHECK(&limit, { 0, 0, VERDICT_PASS }, { 90, 0, VERDICT_PASS }, { 91, 0, VERDICT_MARGINAL },
	      { 100, 0, VERDICT_MARGINAL }, { 101, 0, VERDICT_FAIL }, { -5, 0, VERDICT_PASS });
	limit.margin = 0;
	CHECK(&limit, { 100, 0, VERDICT_PASS }, { 101, 0, VERDICT_FAIL });
}

Test(verdict, upper_limit_with_uncertainty)
{
	struct limit limit = { .has_max = true, .max = 100, .margin = 10 };

	CHECK(&limit, { 85, 5, VERDICT_PASS }, { 86, 5, VERDICT_MARGINAL },
	      { 95, 5, VERDICT_MARGINAL }, { 96, 5, VERDICT_INCONCLUSIVE },
	      { 100, 5, VERDICT_INCONCLUSIVE }, { 105, 5, VERDICT_INCONCLUSIVE },
	      { 106, 5, VERDICT_FAIL });
}

Test(verdict, lower_limit_with_uncertainty)
{
	struct limit limit = { .has_min = true, .min = 100, .margin = 10 };

	CHECK(&limit, { 115, 5, VERDICT_PASS }, { 114, 5, VERDICT_MARGINAL },
	      { 105, 5, VERDICT_MARGINAL }, { 104, 5, VERDICT_INCONCLUSIVE },
	      { 95, 5, VERDICT_INCONCLUSIVE }, { 94, 5, VERDICT_FAIL });
}

Test(verdict, a_window)
{
	struct limit limit = {
		.has_min = true, .min = 1000, .has_max = true, .max = 1100, .margin = 10
	};

	/* U may be a quarter of the window of 100. */
	CHECK(&limit, { 1050, 25, VERDICT_PASS }, { 1050, 26, VERDICT_ERROR },
	      { 1015, 5, VERDICT_PASS }, { 1014, 5, VERDICT_MARGINAL },
	      { 1004, 5, VERDICT_INCONCLUSIVE }, { 994, 5, VERDICT_FAIL },
	      { 995, 5, VERDICT_INCONCLUSIVE }, { 1085, 5, VERDICT_PASS },
	      { 1086, 5, VERDICT_MARGINAL }, { 1096, 5, VERDICT_INCONCLUSIVE },
	      { 1106, 5, VERDICT_FAIL });
}

Test(verdict, refused_above_the_share)
{
	struct limit limit = { .has_max = true, .max = 100 };

	CHECK(&limit, { 50, 25, VERDICT_PASS }, { 50, 26, VERDICT_ERROR },
	      { 5000, 26, VERDICT_ERROR });
	limit.share_percent = 10;
	CHECK(&limit, { 50, 10, VERDICT_PASS }, { 50, 11, VERDICT_ERROR });
	/* A count of 0 at most: exact values are judged, others are not. */
	limit = (struct limit){ .has_max = true, .max = 0 };
	CHECK(&limit, { 0, 0, VERDICT_PASS }, { 1, 0, VERDICT_FAIL }, { 0, 1, VERDICT_ERROR });
	limit = (struct limit){ .has_min = true, .min = -100 };
	CHECK(&limit, { 0, 25, VERDICT_PASS }, { 0, 26, VERDICT_ERROR });
}

Test(verdict, without_a_limit_there_is_none)
{
	struct limit limit = { .max = 1, .margin = 5 };
	struct uncertainty u = width(3);

	cr_expect(judge(77, 1000, &limit) == VERDICT_NONE);
	cr_expect(verdict_judge(UNIT_NS, 77, &u, SUSPECT_GAP, &limit).verdict == VERDICT_NONE);
}

Test(verdict, each_suspicion_is_an_error_unless_accepted)
{
	struct limit limit = { .has_max = true, .max = 100 };

	for (unsigned i = 0; i < SUSPECT_KINDS; i++) {
		limit.accept = 0;
		struct judged judged = verdict_judge(UNIT_NS, 50, NULL, 1u << i, &limit);
		cr_expect(judged.verdict == VERDICT_ERROR);
		cr_expect(strstr(judged.why, suspect_name((enum suspect)(1u << i))) != NULL, "%s",
			  judged.why);
		limit.accept = 1u << i;
		cr_expect(verdict_judge(UNIT_NS, 50, NULL, 1u << i, &limit).verdict ==
			  VERDICT_PASS);
		limit.accept = ~(1u << i);
		cr_expect(verdict_judge(UNIT_NS, 50, NULL, 1u << i, &limit).verdict ==
			  VERDICT_ERROR);
	}
}

Test(verdict, the_frame_is_in_u_only_where_the_limit_says_so)
{
	struct limit pin = { .has_max = true, .max = 100 };
	struct limit decision = { .has_max = true, .max = 100, .without_frame = true };
	struct uncertainty u = width(1);

	u.half_ns[U_FRAME] = 10;
	struct judged judged = verdict_judge(UNIT_NS, 101, &u, 0, &pin);
	cr_expect(judged.verdict == VERDICT_INCONCLUSIVE && judged.u == 1 && judged.value == 101);
	judged = verdict_judge(UNIT_NS, 99, &u, 0, &decision);
	cr_expect(judged.verdict == VERDICT_PASS && judged.u == 11 && judged.value == 89);
	judged = verdict_judge(UNIT_NS, 100, &u, 0, &decision);
	cr_expect(judged.verdict == VERDICT_INCONCLUSIVE);
	judged = verdict_judge(UNIT_NS, 122, &u, 0, &decision);
	cr_expect(judged.verdict == VERDICT_FAIL, "%s", judged.why);
}

Test(verdict, what_never_came)
{
	struct limit limit = { .has_max = true, .max = 100 };
	struct limit least = { .has_min = true, .min = 100 };
	struct uncertainty u = width(5);

	cr_expect(verdict_judge_missing(UNIT_NS, 106, &u, 0, &limit).verdict == VERDICT_FAIL);
	cr_expect(verdict_judge_missing(UNIT_NS, 105, &u, 0, &limit).verdict == VERDICT_ERROR);
	cr_expect(verdict_judge_missing(UNIT_NS, 20, &u, 0, &limit).verdict == VERDICT_ERROR);
	cr_expect(verdict_judge_missing(UNIT_NS, 500, &u, 0, &least).verdict == VERDICT_ERROR);
	cr_expect(verdict_judge_missing(UNIT_NS, 500, &u, SUSPECT_GAP, &limit).verdict ==
			  VERDICT_ERROR,
		  "lost edges may have been the answer");
}

Test(verdict, the_largest_numbers_do_not_wrap)
{
	struct limit limit = { .has_max = true, .max = INT64_MAX };
	struct limit both = { .has_min = true,
			      .min = INT64_MIN,
			      .has_max = true,
			      .max = INT64_MAX,
			      .margin = INT64_MAX };

	CHECK(&limit, { INT64_MAX, 0, VERDICT_PASS }, { INT64_MAX, INT64_MAX / 4, VERDICT_PASS });
	CHECK(&both, { INT64_MIN, 0, VERDICT_MARGINAL }, { INT64_MAX, 0, VERDICT_MARGINAL },
	      { INT64_MIN, 9, VERDICT_MARGINAL });
	struct limit low = { .has_max = true, .max = INT64_MIN };
	cr_expect(judge(INT64_MAX, 0, &low) == VERDICT_FAIL);
}

Test(verdict, reasons_say_how_far)
{
	struct limit limit = { .has_max = true, .max = 100000000, .margin = 10000000 };
	struct uncertainty u = width(1000000);
	struct judged judged = verdict_judge(UNIT_NS, 112400000, &u, 0, &limit);

	cr_expect_str_eq(judged.why,
			 "112.40 ms +- 1.00 ms, at most 100.00 ms: 11.40 ms too much at least");
	judged = verdict_judge(UNIT_NS, 95000000, &u, 0, &limit);
	cr_expect_str_eq(judged.why,
			 "95.00 ms +- 1.00 ms, at most 100.00 ms: 4.00 ms left at worst");
	judged = verdict_judge(UNIT_NS, 5000000, &u, 0, &limit);
	cr_expect_str_eq(judged.why, "");
	limit = (struct limit){ .has_min = true, .min = 3 };
	judged = verdict_judge(UNIT_COUNT, 1, NULL, 0, &limit);
	cr_expect_str_eq(judged.why, "1, at least 3: 2 too little at least");
}

Test(verdict, an_angle_a_little_below_none_has_no_sign)
{
	char text[32];

	cr_expect_str_eq(unit_text(UNIT_MDEG, -49, text, sizeof(text)), "0.0 deg");
	cr_expect_str_eq(unit_text(UNIT_MDEG, -51, text, sizeof(text)), "-0.1 deg");
}

Test(verdict, words_and_exit_codes)
{
	static const int codes[VERDICTS] = { 0, 0, 0, 1, 1, 3 };

	for (int i = 0; i < VERDICTS; i++) {
		cr_expect(verdict_exit_code((enum verdict)i) == codes[i]);
		cr_expect(verdict_from_name(verdict_name((enum verdict)i)) == i);
		for (int k = 0; k < VERDICTS; k++)
			cr_expect(verdict_worse((enum verdict)i, (enum verdict)k) ==
				  (enum verdict)(i > k ? i : k));
	}
	cr_expect(verdict_from_name("OK") == -1);
	cr_expect(VERDICT_ERROR > VERDICT_FAIL && VERDICT_FAIL > VERDICT_INCONCLUSIVE &&
		  VERDICT_INCONCLUSIVE > VERDICT_MARGINAL && VERDICT_MARGINAL > VERDICT_PASS);
}
