#include "hil/measure/verdict.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const words[VERDICTS] = { "NONE",         "PASS", "MARGINAL",
					     "INCONCLUSIVE", "FAIL", "ERROR" };
static const char *const units[UNITS] = { "ns", "count", "mdeg" };

const char *verdict_name(enum verdict verdict)
{
	return (unsigned)verdict < VERDICTS ? words[verdict] : "UNKNOWN";
}

int verdict_from_name(const char *name)
{
	for (int i = 0; i < VERDICTS; i++)
		if (strcmp(words[i], name) == 0)
			return i;
	return -1;
}

int verdict_exit_code(enum verdict worst)
{
	switch (worst) {
	case VERDICT_NONE:
	case VERDICT_PASS:
	case VERDICT_MARGINAL: return 0;
	case VERDICT_FAIL:
	case VERDICT_INCONCLUSIVE: return 1;
	default: return 3;
	}
}

const char *unit_name(enum value_unit unit)
{
	return (unsigned)unit < UNITS ? units[unit] : "unknown";
}

/* Enough digits to see what decided: a tenth of a microsecond never does. */
static void time_text(int64_t ns, char *buf, size_t cap)
{
	double size = ns < 0 ? -(double)ns : (double)ns;

	if (size >= 10e9)
		snprintf(buf, cap, "%.2f s", (double)ns / 1e9);
	else if (size >= 1e6)
		snprintf(buf, cap, size >= 1e9 ? "%.1f ms" : "%.2f ms", (double)ns / 1e6);
	else if (size >= 1e3)
		snprintf(buf, cap, "%.1f us", (double)ns / 1e3);
	else
		snprintf(buf, cap, ns == 0 ? "0 ms" : "%lld ns", (long long)ns);
}

const char *unit_text(enum value_unit unit, int64_t value, char *buf, size_t cap)
{
	switch (unit) {
	case UNIT_NS: time_text(value, buf, cap); break;
	/* Rounded, a little below 0 would be "-0.0". */
	case UNIT_MDEG:
		snprintf(buf, cap, "%.1f deg",
			 value < 0 && value > -50 ? 0.0 : (double)value / 1e3);
		break;
	default: snprintf(buf, cap, "%lld", (long long)value);
	}
	return buf;
}

/* ---- arithmetic that cannot wrap: values come from a config and a clock ---- */

static int64_t add(int64_t a, int64_t b)
{
	int64_t sum;

	if (__builtin_add_overflow(a, b, &sum))
		return b > 0 ? INT64_MAX : INT64_MIN;
	return sum;
}

static int64_t sub(int64_t a, int64_t b)
{
	int64_t difference;

	if (__builtin_sub_overflow(a, b, &difference))
		return b > 0 ? INT64_MIN : INT64_MAX;
	return difference;
}

/* What U is a share of: the width of the window, or the limit itself. */
static int64_t reference(const struct limit *limit)
{
	int64_t size = limit->has_min && limit->has_max ? sub(limit->max, limit->min)
		       : limit->has_max                 ? limit->max
							: limit->min;

	return size < 0 ? sub(0, size) : size;
}

static unsigned share(const struct limit *limit)
{
	return limit->share_percent > 0 ? limit->share_percent : LIMIT_SHARE_PERCENT;
}

static bool too_uncertain(int64_t u, const struct limit *limit)
{
	return u > 0 && (__int128)u * 100 > (__int128)reference(limit) * share(limit);
}

/* ---- judging ---- */

static enum verdict place(int64_t low, int64_t high, const struct limit *limit)
{
	if ((limit->has_max && low > limit->max) || (limit->has_min && high < limit->min))
		return VERDICT_FAIL;
	if ((limit->has_max && high > limit->max) || (limit->has_min && low < limit->min))
		return VERDICT_INCONCLUSIVE;
	if (limit->margin > 0 && ((limit->has_max && high > sub(limit->max, limit->margin)) ||
				  (limit->has_min && low < add(limit->min, limit->margin))))
		return VERDICT_MARGINAL;
	return VERDICT_PASS;
}

static void explain(enum value_unit unit, const struct limit *limit, bool over, const char *more,
		    int64_t by, struct judged *judged)
{
	char value[32], u[32], bound[32], distance[32], u_part[48] = "";

	if (judged->u > 0)
		snprintf(u_part, sizeof(u_part), " +- %s",
			 unit_text(unit, judged->u, u, sizeof(u)));
	snprintf(judged->why, sizeof(judged->why), "%s%s, %s %s: %s%s",
		 unit_text(unit, judged->value, value, sizeof(value)), u_part,
		 over ? "at most" : "at least",
		 unit_text(unit, over ? limit->max : limit->min, bound, sizeof(bound)),
		 by > 0 ? unit_text(unit, by, distance, sizeof(distance)) : "", more);
}

/* The reason names the limit that decided: the one that is nearer to being missed. */
static void give_reason(enum value_unit unit, int64_t low, int64_t high, const struct limit *limit,
			struct judged *judged)
{
	bool over = limit->has_max &&
		    (!limit->has_min || sub(high, limit->max) >= sub(limit->min, low));

	switch (judged->verdict) {
	case VERDICT_FAIL:
		explain(unit, limit, over, over ? " too much at least" : " too little at least",
			over ? sub(low, limit->max) : sub(limit->min, high), judged);
		break;
	case VERDICT_INCONCLUSIVE:
		explain(unit, limit, over, "the limit lies within the uncertainty", 0, judged);
		break;
	case VERDICT_MARGINAL:
		explain(unit, limit, over, " left at worst",
			over ? sub(limit->max, high) : sub(low, limit->min), judged);
		break;
	default: judged->why[0] = '\0';
	}
}

/* Refusals that come before any look at the value. True: *judged is final. */
static bool refused(enum value_unit unit, unsigned suspect, const struct limit *limit,
		    struct judged *judged)
{
	char text[120], bound[32];

	if (!limit->has_min && !limit->has_max) {
		judged->verdict = VERDICT_NONE;
		return true;
	}
	if ((suspect & ~limit->accept) != 0) {
		judged->verdict = VERDICT_ERROR;
		snprintf(judged->why, sizeof(judged->why), "not to be trusted: %s",
			 suspect_text(suspect & ~limit->accept, text, sizeof(text)));
		return true;
	}
	if (too_uncertain(judged->u, limit)) {
		judged->verdict = VERDICT_ERROR;
		snprintf(judged->why, sizeof(judged->why),
			 "this bench cannot judge it: U is %s, more than %u %% of %s",
			 unit_text(unit, judged->u, text, sizeof(text)), share(limit),
			 unit_text(unit, reference(limit), bound, sizeof(bound)));
		return true;
	}
	return false;
}

static struct judged begin(int64_t value, const struct uncertainty *u, const struct limit *limit)
{
	static const struct uncertainty exact;
	struct judged judged = { .value = value };

	if (u == NULL)
		u = &exact;
	judged.u = u_total(u, limit->without_frame);
	if (limit->without_frame)
		judged.value = sub(value, u->half_ns[U_FRAME]);
	return judged;
}

struct judged verdict_judge(enum value_unit unit, int64_t value, const struct uncertainty *u,
			    unsigned suspect, const struct limit *limit)
{
	struct judged judged = begin(value, u, limit);

	if (refused(unit, suspect, limit, &judged))
		return judged;
	int64_t low = sub(judged.value, judged.u), high = add(judged.value, judged.u);
	judged.verdict = place(low, high, limit);
	give_reason(unit, low, high, limit, &judged);
	return judged;
}

struct judged verdict_judge_missing(enum value_unit unit, int64_t waited,
				    const struct uncertainty *u, unsigned suspect,
				    const struct limit *limit)
{
	struct judged judged = begin(waited, u, limit);
	char text[32], bound[32];

	if (refused(unit, suspect, limit, &judged))
		return judged;
	unit_text(unit, judged.value, text, sizeof(text));
	if (limit->has_max && sub(judged.value, judged.u) > limit->max) {
		judged.verdict = VERDICT_FAIL;
		snprintf(judged.why, sizeof(judged.why), "never came: waited %s, at most %s", text,
			 unit_text(unit, limit->max, bound, sizeof(bound)));
	} else {
		judged.verdict = VERDICT_ERROR;
		snprintf(judged.why, sizeof(judged.why),
			 "never came, but the rig waited only %s: too short to judge", text);
	}
	return judged;
}
