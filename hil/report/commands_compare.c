#include "hil/report/commands_parts.h"
#include "hil/report/parts.h"
#include "hil/report/series.h"

#include "hil/measure/compare.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Two runs, measurement by measurement, the same board on both sides. */
struct row {
	const struct series *base, *now;
	const char *board;
	struct comparison comparison;
	bool within_u; /* the shift is no larger than what the bench itself may have shifted */
	bool worse;
};

/* By serial number, where both have one: a board may have got another name. */
static bool same_board(const struct record *a, int i, const struct record *b, int k)
{
	if (i < 0 || k < 0)
		return i < 0 && k < 0;
	const struct record_board *x = &a->boards[i], *y = &b->boards[k];
	if (x->serial[0] != '\0' && y->serial[0] != '\0')
		return strcasecmp(x->serial, y->serial) == 0;
	return strcmp(x->name, y->name) == 0;
}

static int64_t *values_of(const struct series *series)
{
	int64_t *values = malloc((series->n > 0 ? series->n : 1) * sizeof(*values));

	for (size_t i = 0; values != NULL && i < series->n; i++)
		values[i] = series->points[i].value;
	return values;
}

/* Nearer to a limit, or beyond it. Without a limit, and of times: later. */
static bool is_worse(const struct series *series, const struct comparison *comparison)
{
	bool greater = comparison->word == COMPARE_GREATER;

	if (comparison->word != COMPARE_GREATER && comparison->word != COMPARE_SMALLER)
		return false;
	if (series->limit.has_min && series->limit.has_max) {
		int64_t middle = series->limit.min + (series->limit.max - series->limit.min) / 2;
		return greater ? series->stats.median > middle : series->stats.median < middle;
	}
	return series->limit.has_min ? !greater : greater;
}

static int compare_one(struct row *row)
{
	int64_t *base = values_of(row->base), *now = values_of(row->now);
	int rc = -ENOMEM;

	if (base != NULL && now != NULL)
		rc = compare_samples(base, row->base->n, now, row->now->n, COMPARE_ALPHA,
				     &row->comparison);
	free(base);
	free(now);
	return rc;
}

static int make_rows(const struct record *base, const struct series_set *bases,
		     const struct record *now, const struct series_set *nows,
		     const struct command_options *options, struct row *rows, size_t *ret_n)
{
	size_t n = 0;

	for (size_t k = 0; k < nows->count; k++)
		for (size_t i = 0; i < bases->count; i++) {
			const struct series *a = &bases->series[i], *b = &nows->series[k];
			const char *board = board_name(now, b->board);
			if (strcmp(a->name, b->name) != 0 || a->unit != b->unit ||
			    !same_board(base, a->board, now, b->board) ||
			    !command_wants(options->board, board) ||
			    !command_wants(options->measurement, b->name))
				continue;
			rows[n] = (struct row){ .base = a, .now = b, .board = board };
			int rc = compare_one(&rows[n]);
			if (rc < 0)
				return rc;
			n++;
			break;
		}
	*ret_n = n;
	return 0;
}

static int judge_rows(struct row *rows, size_t n)
{
	double *p = malloc((n > 0 ? n : 1) * sizeof(*p));

	if (p == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		p[i] = rows[i].comparison.p;
	int rc = compare_holm(p, n);
	for (size_t i = 0; i < n && rc == 0; i++) {
		struct comparison *comparison = &rows[i].comparison;
		comparison->p = p[i];
		comparison->word = compare_judge(comparison, COMPARE_ALPHA);
		int64_t shift = comparison->shift < 0 ? -comparison->shift : comparison->shift;
		rows[i].within_u = shift <= rows[i].base->u_max + rows[i].now->u_max;
		rows[i].worse = is_worse(rows[i].now, comparison) && !rows[i].within_u;
	}
	free(p);
	return rc;
}

/* ---- showing ---- */

static const char *say(const struct row *row)
{
	enum compare_word word = row->comparison.word;

	if (word == COMPARE_TOO_FEW)
		return "too few to say";
	if (word == COMPARE_SAME)
		return "no difference shown";
	if (row->within_u)
		return "within U of the bench";
	if (row->now->unit == UNIT_NS && !row->now->limit.has_min)
		return word == COMPARE_GREATER ? "SLOWER" : "faster";
	return row->worse ? "WORSE" : word == COMPARE_GREATER ? "greater" : "smaller";
}

static void print_row(const struct row *row)
{
	char name[64], board[64], a[32], b[32], shift[34] = "+", p[24];
	const struct comparison *comparison = &row->comparison;

	unit_text(row->now->unit, comparison->shift, comparison->shift > 0 ? shift + 1 : shift, 32);
	snprintf(p, sizeof(p), comparison->p < 0.0001 ? "<0.0001" : "%.4f", comparison->p);
	printf("%-12.12s  %-28.28s  %5zu %5zu  %10s  %10s  %10s  %+5.2f %-10s  %7s  %s\n",
	       command_clean(row->board, board, sizeof(board)),
	       command_clean(row->now->name, name, sizeof(name)), row->base->n, row->now->n,
	       unit_text(row->base->unit, row->base->stats.median, a, sizeof(a)),
	       unit_text(row->now->unit, row->now->stats.median, b, sizeof(b)), shift,
	       comparison->delta, compare_magnitude(comparison->delta), p, say(row));
	if (row->now->missing > 0 || row->base->missing > 0)
		printf("%-12s  never came: %llu in the first, %llu in the second\n", "",
		       (unsigned long long)row->base->missing,
		       (unsigned long long)row->now->missing);
}

/* 1 for what never came, 0 for what came: the same test says whether more got lost by chance. */
static int64_t *losses_of(const struct series *series, size_t *ret_n)
{
	size_t n = series->n + series->missing;
	int64_t *losses = calloc(n > 0 ? n : 1, sizeof(*losses));

	for (size_t i = 0; losses != NULL && i < series->missing; i++)
		losses[i] = 1;
	*ret_n = n;
	return losses;
}

static bool lost_more(const struct row *row)
{
	struct comparison comparison = { .p = 1 };
	size_t n_base, n_now;

	if (row->now->missing == 0)
		return false;
	int64_t *base = losses_of(row->base, &n_base), *now = losses_of(row->now, &n_now);
	if (base != NULL && now != NULL)
		compare_samples(base, n_base, now, n_now, COMPARE_ALPHA, &comparison);
	free(base);
	free(now);
	return comparison.p <= COMPARE_ALPHA && comparison.delta > 0;
}

static int print_rows(struct row *rows, size_t n)
{
	unsigned worse = 0, lost = 0;

	printf("%-12s  %-28s  %5s %5s  %10s  %10s  %10s  %-16s  %7s\n", "board", "measurement", "n",
	       "n", "median", "median", "shift", "Cliff's delta", "p");
	for (size_t i = 0; i < n; i++) {
		print_row(&rows[i]);
		worse += rows[i].worse;
		lost += lost_more(&rows[i]);
	}
	printf("%zu compared, %u got worse", n, worse);
	if (lost > 0)
		printf(", %u never come more often", lost);
	printf("   (p below %g after Holm's correction, delta from %g)\n", COMPARE_ALPHA,
	       COMPARE_DELTA);
	return worse > 0 || lost > 0 ? COMMAND_WORSE : COMMAND_OK;
}

static int compare_records(const struct command_options *options, const struct record *base,
			   const struct record *now)
{
	struct series_set bases = { 0 }, nows = { 0 };
	struct row *rows = NULL;
	size_t n = 0;
	int rc = series_new(base, &bases), code;

	if (rc == 0)
		rc = series_new(now, &nows);
	if (rc == 0) {
		rows = calloc(nows.count > 0 ? nows.count : 1, sizeof(*rows));
		rc = rows == NULL ? -ENOMEM : 0;
	}
	if (rc == 0)
		rc = make_rows(base, &bases, now, &nows, options, rows, &n);
	if (rc == 0)
		rc = judge_rows(rows, n);
	if (rc < 0)
		code = command_trouble(options, strerror(-rc));
	else if (n == 0)
		code = command_trouble(options, "the two runs have no board and measurement in "
						"common: nothing can be compared");
	else
		code = print_rows(rows, n);
	free(rows);
	series_free(&bases);
	series_free(&nows);
	return code;
}

int command_compare(const struct command_options *options)
{
	static struct record base, now;
	struct history_run runs[2];
	int code = COMMAND_TROUBLE;

	if (options->arg_count != 2)
		return command_usage(options, "two runs are compared: BASE RUN");
	struct history *history = command_open(options);
	if (history == NULL)
		return code;
	code = command_find(options, history, options->args[0], &runs[0]);
	if (code == COMMAND_OK)
		code = command_find(options, history, options->args[1], &runs[1]);
	if (code != COMMAND_OK)
		goto out;
	code = COMMAND_TROUBLE;
	if (history_load(history, runs[0].number, &base) < 0) {
		command_trouble(options, history_error(history));
		goto out;
	}
	if (history_load(history, runs[1].number, &now) < 0) {
		command_trouble(options, history_error(history));
		record_release(&base);
		goto out;
	}
	if (base.run.synthetic || now.run.synthetic)
		puts("Made up by a generator: nothing of this was measured.");
	code = compare_records(options, &base, &now);
	record_release(&base);
	record_release(&now);
out:
	history_close(history);
	return code;
}
