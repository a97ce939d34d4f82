#include "emulator/results/compare.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Who is better, and by how much; on the terminal and as JSON. The page: compare_page.c. */

struct measure {
	const char *json, *words, *unit;
	bool more;
};
static const struct measure measures[] = {
#define X(constant, json, words, unit, more) { json, words, unit, more },
	COMPARE_MEASURES(X)
#undef X
};

double compare_curve_rest(uint64_t n, int i)
{
	return pow(10, -log10((double)(n > 1 ? n : 2)) * i / COMPARE_CURVE);
}

static int ascending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

/* The value below which that share lies, between two where it falls there. */
static double quantile(const double *sorted, unsigned n, double share)
{
	double at = share * (n - 1);
	unsigned low = (unsigned)at;

	/* Equal ones may be infinite: a wire that needs none of what the other needs. */
	if (low + 1 >= n || sorted[low] == sorted[low + 1])
		return sorted[low];
	return sorted[low] + (at - low) * (sorted[low + 1] - sorted[low]);
}

static void fill_wire(struct compare_wire *wire, enum compare_measure measure, const double *values,
		      unsigned n)
{
	double sorted[COMPARE_PASSES_MAX];

	memcpy(sorted, values, n * sizeof(*sorted));
	qsort(sorted, n, sizeof(*sorted), ascending);
	wire->value[measure] = quantile(sorted, n, 0.5);
	wire->q1[measure] = quantile(sorted, n, 0.25);
	wire->q3[measure] = quantile(sorted, n, 0.75);
}

void compare_of_passes(struct compare *compare, enum compare_measure measure, const double *first,
		       const double *second, unsigned n)
{
	double ratios[COMPARE_PASSES_MAX];

	fill_wire(&compare->wire[0], measure, first, n);
	fill_wire(&compare->wire[1], measure, second, n);
	for (unsigned i = 0; i < n; i++)
		ratios[i] = first[i] == second[i] ? 1 : first[i] / second[i];
	qsort(ratios, n, sizeof(*ratios), ascending);
	compare->ratio[measure].q1 = quantile(ratios, n, 0.25);
	compare->ratio[measure].median = quantile(ratios, n, 0.5);
	compare->ratio[measure].q3 = quantile(ratios, n, 0.75);
}

int compare_better(const struct compare *compare, enum compare_measure measure)
{
	const struct compare_wire *a = &compare->wire[0], *b = &compare->wire[1];

	if (isnan(a->value[measure]) || isnan(b->value[measure]))
		return -1;
	/* A page more or less of memory is none, and what nobody would notice is none either. */
	bool a_less = compare->ratio[measure].q3 < 1 / 1.01;
	bool b_less = compare->ratio[measure].q1 > 1.01;
	if (!a_less && !b_less)
		return -1;
	return a_less != measures[measure].more ? 0 : 1;
}

double compare_ratio(const struct compare *compare, enum compare_measure measure)
{
	double ratio = compare->ratio[measure].median;

	return ratio >= 1 ? ratio : ratio > 0 ? 1 / ratio : INFINITY;
}

static unsigned count_better(const struct compare *compare, int wire)
{
	unsigned n = 0;

	for (int m = 0; m < COMPARE_MEASURE_COUNT; m++)
		n += compare_better(compare, (enum compare_measure)m) == wire;
	return n;
}

/* ---- the terminal ---- */

static void put_value(double value, const char *unit, FILE *out)
{
	if (isnan(value))
		fprintf(out, "  %12s   ", "-");
	else
		fprintf(out, "  %12.*f %-2s", value < 10 ? 2 : value < 1000 ? 1 : 0, value, unit);
}

static void put_better(const struct compare *compare, enum compare_measure m, int better,
		       bool colour, FILE *out)
{
	double ratio = compare_ratio(compare, m);

	fprintf(out, "   %s%s%s is ", colour ? "\033[1m" : "", compare->wire[better].name,
		colour ? "\033[0m" : "");
	if (isfinite(ratio))
		fprintf(out, "%.2f times ", ratio);
	fputs("better\n", out); /* than a wire that needs some where this one needs none */
}

/* In a terminal µ is one column and two bytes: padded by hand. */
static void put_row(const struct compare *compare, enum compare_measure m, bool colour, FILE *out)
{
	const char *unit = measures[m].unit;
	int better = compare_better(compare, m);

	fprintf(out, "  %-30s", measures[m].words);
	for (int i = 0; i < 2; i++) {
		put_value(compare->wire[i].value[m], strcmp(unit, "µs") == 0 ? "µs" : unit, out);
	}
	if (isnan(compare->wire[0].value[m]) || isnan(compare->wire[1].value[m]))
		fputs("   not measured\n", out);
	else if (better < 0)
		fputs("   no clear difference\n", out);
	else
		put_better(compare, m, better, colour, out);
}

static void put_sums(const struct compare *compare, FILE *out)
{
	for (int i = 0; i < 2; i++) {
		const struct compare_wire *wire = &compare->wire[i];
		fprintf(out, "  %s: %llu commands, %llu ok, %llu failed, %llu lost\n", wire->name,
			(unsigned long long)wire->sent, (unsigned long long)wire->ok,
			(unsigned long long)wire->failed, (unsigned long long)wire->lost);
	}
}

void compare_print(const struct compare *compare, bool colour, FILE *out)
{
	unsigned a = count_better(compare, 0), b = count_better(compare, 1);

	fprintf(out, "%s\n%u targets, %u passes by turns\n\n  %-30s  %12s     %12s\n",
		compare->title, compare->targets, compare->passes, "", compare->wire[0].name,
		compare->wire[1].name);
	for (int m = 0; m < COMPARE_MEASURE_COUNT; m++)
		put_row(compare, (enum compare_measure)m, colour, out);
	fputc('\n', out);
	put_sums(compare, out);
	if (compare->note != NULL)
		fprintf(out, "  note: %s\n", compare->note);
	fprintf(out, "\n%s is better in %u of %d measures, %s in %u; the rest differ too little\n",
		compare->wire[a >= b ? 0 : 1].name, a >= b ? a : b, COMPARE_MEASURE_COUNT,
		compare->wire[a >= b ? 1 : 0].name, a >= b ? b : a);
}

/* ---- JSON ---- */

static void put_number(double value, FILE *out)
{
	if (isnan(value))
		fputs("null", out);
	else
		fprintf(out, "%.3f", value);
}

static void put_measure(const struct compare *compare, enum compare_measure m, FILE *out)
{
	int better = compare_better(compare, m);

	fprintf(out, "%s\"%s\": {", m > 0 ? ", " : "", measures[m].json);
	for (int i = 0; i < 2; i++) {
		const struct compare_wire *wire = &compare->wire[i];
		fprintf(out, "\"%s\": {\"value\": ", wire->name);
		put_number(wire->value[m], out);
		fputs(", \"q1\": ", out);
		put_number(wire->q1[m], out);
		fputs(", \"q3\": ", out);
		put_number(wire->q3[m], out);
		fputs("}, ", out);
	}
	if (better < 0)
		fputs("\"better\": null}", out);
	else
		fprintf(out, "\"better\": \"%s\", \"ratio\": ", compare->wire[better].name);
	if (better >= 0) {
		double ratio = compare_ratio(compare, m);
		put_number(isfinite(ratio) ? ratio : NAN, out);
		fputs("}", out);
	}
}

void compare_json(const struct compare *compare, FILE *out)
{
	fprintf(out, "{\"targets\": %u, \"passes\": %u, \"commands\": {", compare->targets,
		compare->passes);
	for (int i = 0; i < 2; i++) {
		const struct compare_wire *wire = &compare->wire[i];
		fprintf(out,
			"%s\"%s\": {\"sent\": %llu, \"ok\": %llu, \"failed\": %llu, \"lost\": "
			"%llu}",
			i > 0 ? ", " : "", wire->name, (unsigned long long)wire->sent,
			(unsigned long long)wire->ok, (unsigned long long)wire->failed,
			(unsigned long long)wire->lost);
	}
	fputs("}, \"measures\": {", out);
	for (int m = 0; m < COMPARE_MEASURE_COUNT; m++)
		put_measure(compare, (enum compare_measure)m, out);
	fputs("}}\n", out);
}
