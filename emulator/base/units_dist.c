/* Distributions of durations: their text, their draws. Built with -ffp-contract=off: a fused
 * multiply-add in one build and not in the other would make their draws differ. */
#include "emulator/base/units.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

static const struct form {
	const char *name;
	enum dist_kind kind;
	int n_parameters;
} FORMS[] = {
	{ "uniform", DIST_UNIFORM, 2 },
	{ "normal", DIST_NORMAL, 2 },
	{ "longtail", DIST_LONGTAIL, 2 },
	{ "exponential", DIST_EXP, 1 },
};
#define N_FORMS (sizeof(FORMS) / sizeof(*FORMS))

/* Standard normal quantiles, and -ln(0.001). */
#define Z_99 2.3263478740408408
#define Z_999 3.0902323061678132
#define EXP_999 6.9077552789821368

static const char *skip_blanks(const char *at)
{
	while (*at == ' ' || *at == '\t')
		at++;
	return at;
}

/* The duration in front of `end`. Returns what follows `end`, or NULL. */
static const char *read_parameter(const char *at, char end, int64_t *ret_ns)
{
	char part[64];
	size_t len = strcspn(at, ",)");

	if (at[len] != end || len >= sizeof(part))
		return NULL;
	memcpy(part, at, len);
	part[len] = '\0';
	return units_duration(part, false, ret_ns) ? at + len + 1 : NULL;
}

static bool is_sound(const struct dist *dist)
{
	switch (dist->kind) {
	case DIST_UNIFORM: return dist->a <= dist->b;
	case DIST_LONGTAIL: return dist->a > 0 && dist->a <= dist->b;
	case DIST_FIXED:
	case DIST_NORMAL:
	case DIST_EXP: return true;
	}
	return false;
}

bool units_dist(const char *text, struct dist *ret)
{
	struct dist dist = { .kind = DIST_FIXED };

	if (units_duration(text, false, &dist.a)) {
		*ret = dist;
		return true;
	}
	const char *at = skip_blanks(text);
	size_t len = strspn(at, "abcdefghijklmnopqrstuvwxyz");
	const struct form *form = FORMS;

	while (form < FORMS + N_FORMS &&
	       (strlen(form->name) != len || memcmp(at, form->name, len) != 0))
		form++;
	at = skip_blanks(at + len);
	if (form == FORMS + N_FORMS || *at != '(')
		return false;
	dist.kind = form->kind;
	at = read_parameter(at + 1, form->n_parameters == 1 ? ')' : ',', &dist.a);
	if (at && form->n_parameters == 2)
		at = read_parameter(at, ')', &dist.b);
	if (!at || *skip_blanks(at) != '\0' || !is_sound(&dist))
		return false;
	*ret = dist;
	return true;
}

const char *units_dist_text(const struct dist *dist, char *buf, size_t cap)
{
	char a[32], b[32];

	units_duration_text(dist->a, a, sizeof(a));
	units_duration_text(dist->b, b, sizeof(b));
	if (dist->kind == DIST_FIXED)
		snprintf(buf, cap, "%s", a);
	for (size_t i = 0; i < N_FORMS; i++)
		if (FORMS[i].kind == dist->kind)
			snprintf(buf, cap, "%s(%s%s%s)", FORMS[i].name, a,
				 FORMS[i].n_parameters == 2 ? ", " : "",
				 FORMS[i].n_parameters == 2 ? b : "");
	return buf;
}

/* Strictly between 0 and 1, symmetric about 1/2, and exact: 52 bits and a half step. */
static double unit_interval(uint64_t bits)
{
	return ((double)(bits >> 12) + 0.5) * 0x1p-52;
}

struct ratio {
	double over[8], under[8]; /* coefficients, the constant first */
};

static double evaluate(const struct ratio *ratio, double x)
{
	double over = ratio->over[7], under = ratio->under[7];

	for (int i = 6; i >= 0; i--) {
		over = over * x + ratio->over[i];
		under = under * x + ratio->under[i];
	}
	return over / under;
}

/* Coefficients: M. J. Wichura, "Algorithm AS 241: The Percentage Points of the Normal
 * Distribution", Applied Statistics 37 (1988): about 16 digits. */
static const struct ratio CENTRE = {
	{ 3.3871328727963666080e0, 1.3314166789178437745e+2, 1.9715909503065514427e+3,
	  1.3731693765509461125e+4, 4.5921953931549871457e+4, 6.7265770927008700853e+4,
	  3.3430575583588128105e+4, 2.5090809287301226727e+3 },
	{ 1.0, 4.2313330701600911252e+1, 6.8718700749205790830e+2, 5.3941960214247511077e+3,
	  2.1213794301586595867e+4, 3.9307895800092710610e+4, 2.8729085735721942674e+4,
	  5.2264952788528545610e+3 },
};
static const struct ratio SHOULDER = {
	{ 1.42343711074968357734e0, 4.63033784615654529590e0, 5.76949722146069140550e0,
	  3.64784832476320460504e0, 1.27045825245236838258e0, 2.41780725177450611770e-1,
	  2.27238449892691845833e-2, 7.74545014278341407640e-4 },
	{ 1.0, 2.05319162663775882187e0, 1.67638483018380384940e0, 6.89767334985100004550e-1,
	  1.48103976427480074590e-1, 1.51986665636164571966e-2, 5.47593808499534494600e-4,
	  1.05075007164441684324e-9 },
};
static const struct ratio TAIL = {
	{ 6.65790464350110377720e0, 5.46378491116411436990e0, 1.78482653991729133580e0,
	  2.96560571828504891230e-1, 2.65321895265761230930e-2, 1.24266094738807843860e-3,
	  2.71155556874348757815e-5, 2.01033439929228813265e-7 },
	{ 1.0, 5.99832206555887937690e-1, 1.36929880922735805310e-1, 1.48753612908506148525e-2,
	  7.86869131145613259100e-4, 1.84631831751005468180e-5, 1.42151175831644588870e-7,
	  2.04426310338993978564e-15 },
};

/* The standard normal value below which a share p of all draws lies, 0 < p < 1. */
static double normal_quantile(double p)
{
	double q = p - 0.5;

	if (fabs(q) <= 0.425)
		return q * evaluate(&CENTRE, 0.180625 - q * q);
	double r = sqrt(-log(q < 0 ? p : 1.0 - p));
	double z = r <= 5.0 ? evaluate(&SHOULDER, r - 1.6) : evaluate(&TAIL, r - 5.0);
	return q < 0 ? -z : z;
}

/* low + a share of the values low..high that `bits` picks: the high half of bits * count, by 32-bit
 * halves, as a 32-bit machine has no 128-bit product. */
static int64_t draw_uniform(int64_t low, int64_t high, uint64_t bits)
{
	uint64_t count = (uint64_t)high - (uint64_t)low + 1;
	uint64_t b_hi = bits >> 32, b_lo = bits & UINT32_MAX;
	uint64_t c_hi = count >> 32, c_lo = count & UINT32_MAX;
	uint64_t mid = b_hi * c_lo + ((b_lo * c_lo) >> 32);
	uint64_t mid_lo = b_lo * c_hi + (mid & UINT32_MAX);

	return low + (int64_t)(b_hi * c_hi + (mid >> 32) + (mid_lo >> 32));
}

static int64_t whole_ns(double ns)
{
	if (!(ns > 0))
		return 0;
	return ns < 0x1p63 ? (int64_t)llround(ns) : INT64_MAX;
}

/* The log-normal value at z standard deviations from the median. */
static int64_t longtail(const struct dist *dist, double z)
{
	double sigma = log((double)dist->b / (double)dist->a) / Z_99;

	return whole_ns((double)dist->a * exp(sigma * z));
}

int64_t dist_draw(const struct dist *dist, uint64_t bits)
{
	double p = unit_interval(bits);

	assert(dist->a >= 0 && dist->b >= 0 && is_sound(dist));
	switch (dist->kind) {
	case DIST_FIXED: return dist->a;
	case DIST_UNIFORM: return draw_uniform(dist->a, dist->b, bits);
	case DIST_NORMAL: return whole_ns((double)dist->a + (double)dist->b * normal_quantile(p));
	case DIST_LONGTAIL: return longtail(dist, normal_quantile(p));
	case DIST_EXP: return whole_ns((double)dist->a * -log(1.0 - p));
	}
	return 0;
}

int64_t dist_high(const struct dist *dist)
{
	assert(dist->a >= 0 && dist->b >= 0 && is_sound(dist));
	switch (dist->kind) {
	case DIST_FIXED: return dist->a;
	case DIST_UNIFORM: return dist->b;
	case DIST_NORMAL: return whole_ns((double)dist->a + (double)dist->b * Z_999);
	case DIST_LONGTAIL: return longtail(dist, Z_999);
	case DIST_EXP: return whole_ns((double)dist->a * EXP_999);
	}
	return 0;
}
