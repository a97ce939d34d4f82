#include "hil/report/commands_parts.h"
#include "hil/report/parts.h"
#include "hil/report/series.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define RUNS_DEFAULT 20
#define RUNS_MAX 1000

/* ---- the runs that count, oldest first ---- */

struct chosen {
	int64_t numbers[RUNS_MAX];
	unsigned n, wanted;
};

static bool choose(const struct history_run *run, void *context)
{
	struct chosen *chosen = context;

	chosen->numbers[chosen->n++] = run->number;
	return chosen->n < chosen->wanted;
}

static int choose_runs(const struct command_options *options, struct history *history,
		       struct chosen *chosen)
{
	chosen->n = 0;
	chosen->wanted = options->last == 0         ? RUNS_DEFAULT
			 : options->last > RUNS_MAX ? RUNS_MAX
						    : options->last;
	return history_runs(history, choose, chosen);
}

/* A board by what it is called, over all runs. */
struct key {
	char board[64], serial[64];
	char measurement[64];
};

/* What a board's measurement came to in one run. */
struct trend {
	struct key key;
	int64_t run;
	char when[WHEN_CAP];
	enum value_unit unit;
	size_t n;
	uint64_t missing;
	int64_t median, p95, max, u;
	uint32_t verdicts[VERDICTS];
	bool synthetic;
};

/* What a board did in all of them. */
struct steadiness {
	char board[64], serial[64], step[64];
	uint32_t good, bad, recovered;
	unsigned runs;
	int64_t last_run;
};

struct table {
	void *rows;
	size_t n, cap, size;
};

static void *add_row(struct table *table)
{
	if (table->n == table->cap) {
		size_t cap = table->cap * 2 + 64;
		void *grown = realloc(table->rows, cap * table->size);
		if (grown == NULL)
			return NULL;
		table->rows = grown;
		table->cap = cap;
	}
	void *row = (char *)table->rows + table->n++ * table->size;
	memset(row, 0, table->size);
	return row;
}

typedef int visit(const struct command_options *options, const struct record *record,
		  int64_t number, struct table *table);

/* Each chosen run is loaded once, oldest first. */
static int visit_runs(const struct command_options *options, visit *fn, struct table *table)
{
	static struct record record;
	static struct chosen chosen;
	struct history *history = command_open(options);

	if (history == NULL)
		return -ENOENT;
	int rc = choose_runs(options, history, &chosen);
	for (unsigned i = chosen.n; i > 0 && rc == 0; i--) {
		rc = history_load(history, chosen.numbers[i - 1], &record);
		if (rc < 0)
			break;
		rc = fn(options, &record, chosen.numbers[i - 1], table);
		record_release(&record);
	}
	if (rc < 0)
		command_trouble(options, rc == -ENOMEM ? strerror(ENOMEM) : history_error(history));
	history_close(history);
	return rc;
}

static bool wants_board(const struct command_options *options, const struct record *record,
			int board)
{
	return command_wants(options->board, board_name(record, board)) ||
	       (board >= 0 && command_wants(options->board, record->boards[board].serial));
}

static const char *serial_of(const struct record *record, int board)
{
	return board >= 0 ? record->boards[board].serial : "";
}

/* ---- trends ---- */

static int add_trends(const struct command_options *options, const struct record *record,
		      int64_t number, struct table *table)
{
	struct series_set set;
	int rc = series_new(record, &set);

	if (rc < 0)
		return rc;
	for (size_t i = 0; i < set.count && rc == 0; i++) {
		const struct series *series = &set.series[i];
		if (!wants_board(options, record, series->board) ||
		    !command_wants(options->measurement, series->name))
			continue;
		struct trend *trend = add_row(table);
		if (trend == NULL) {
			rc = -ENOMEM;
			break;
		}
		snprintf(trend->key.board, sizeof(trend->key.board), "%s",
			 board_name(record, series->board));
		snprintf(trend->key.serial, sizeof(trend->key.serial), "%s",
			 serial_of(record, series->board));
		snprintf(trend->key.measurement, sizeof(trend->key.measurement), "%s",
			 series->name);
		trend->run = number;
		when_text(record->run.start_wall_ns, trend->when);
		trend->unit = series->unit;
		trend->n = series->n;
		trend->missing = series->missing;
		trend->median = series->stats.median;
		trend->p95 = series->stats.p95;
		trend->max = series->stats.max;
		trend->u = series->u_max;
		trend->synthetic = record->run.synthetic;
		memcpy(trend->verdicts, series->verdicts, sizeof(trend->verdicts));
	}
	series_free(&set);
	return rc;
}

static bool same_key(const struct key *a, const struct key *b)
{
	bool serial = a->serial[0] != '\0' && b->serial[0] != '\0';

	return strcmp(a->measurement, b->measurement) == 0 &&
	       (serial ? strcasecmp(a->serial, b->serial) == 0 : strcmp(a->board, b->board) == 0);
}

static int64_t largest(const struct trend *trends, size_t n, const struct key *key)
{
	int64_t most = 1;

	for (size_t i = 0; i < n; i++)
		if (same_key(&trends[i].key, key) && trends[i].median > most)
			most = trends[i].median;
	return most;
}

static void print_trend(const struct trend *trend, int64_t most)
{
	static const char bar[] = "####################";
	char median[32], p95[32], max[32], u[32];
	int len = trend->n > 0 && trend->median > 0
			  ? (int)((double)trend->median / (double)most * 20 + 0.5)
			  : 0;

	printf("  %5lld  %-20s  %5zu  %10s  %10s  %10s  %9s  %5u  %-20.*s%s\n",
	       (long long)trend->run, trend->when, trend->n,
	       trend->n > 0 ? unit_text(trend->unit, trend->median, median, sizeof(median)) : "-",
	       trend->n > 0 ? unit_text(trend->unit, trend->p95, p95, sizeof(p95)) : "-",
	       trend->n > 0 ? unit_text(trend->unit, trend->max, max, sizeof(max)) : "-",
	       unit_text(trend->unit, trend->u, u, sizeof(u)),
	       trend->verdicts[VERDICT_FAIL] + trend->verdicts[VERDICT_INCONCLUSIVE] +
		       trend->verdicts[VERDICT_ERROR],
	       len, bar, trend->synthetic ? "  [made up]" : "");
}

int command_trends(const struct command_options *options)
{
	struct table table = { .size = sizeof(struct trend) };
	char board[64], measurement[64];

	if (options->arg_count != 0)
		return command_usage(options, "trends takes no RUN; see --board, --measurement");
	int rc = visit_runs(options, add_trends, &table);
	const struct trend *trends = table.rows;
	for (size_t i = 0; i < table.n && rc == 0; i++) {
		bool first = true;
		for (size_t k = 0; k < i && first; k++)
			first = !same_key(&trends[k].key, &trends[i].key);
		if (!first)
			continue;
		printf("%s, %s\n  %5s  %-20s  %5s  %10s  %10s  %10s  %9s  %5s  %s\n",
		       command_clean(trends[i].key.board, board, sizeof(board)),
		       command_clean(trends[i].key.measurement, measurement, sizeof(measurement)),
		       "run", "began", "n", "median", "p95", "max", "U", "bad", "median");
		int64_t most = largest(trends, table.n, &trends[i].key);
		for (size_t k = i; k < table.n; k++)
			if (same_key(&trends[k].key, &trends[i].key))
				print_trend(&trends[k], most);
	}
	if (rc == 0 && table.n == 0)
		puts("nothing measured yet that fits");
	free(table.rows);
	return rc < 0 ? COMMAND_TROUBLE : COMMAND_OK;
}

/* ---- flaky boards ---- */

static struct steadiness *find(struct table *table, const struct record *record,
			       const struct step_result *step)
{
	struct steadiness *rows = table->rows;
	const char *board = board_name(record, step->board);
	const char *serial = serial_of(record, step->board);

	for (size_t i = 0; i < table->n; i++) {
		bool by_serial = serial[0] != '\0' && rows[i].serial[0] != '\0';
		if (strcmp(rows[i].step, step->name) == 0 &&
		    (by_serial ? strcasecmp(rows[i].serial, serial) == 0
			       : strcmp(rows[i].board, board) == 0))
			return &rows[i];
	}
	struct steadiness *row = add_row(table);
	if (row != NULL) {
		snprintf(row->board, sizeof(row->board), "%s", board);
		snprintf(row->serial, sizeof(row->serial), "%s", serial);
		snprintf(row->step, sizeof(row->step), "%s", step->name);
	}
	return row;
}

static int add_steadiness(const struct command_options *options, const struct record *record,
			  int64_t number, struct table *table)
{
	for (uint32_t s = 0; s < record->step_count; s++) {
		const struct step_result *step = &record->steps[s];
		/* An ERROR is the rig's: it says nothing about the board. */
		if (!wants_board(options, record, step->board) || step->attempt > 0 ||
		    step->verdict == VERDICT_ERROR || step->verdict == VERDICT_NONE)
			continue;
		struct steadiness *row = find(table, record, step);
		if (row == NULL)
			return -ENOMEM;
		if (row->last_run != number)
			row->runs++;
		row->last_run = number;
		row->good += step->verdict <= VERDICT_MARGINAL;
		row->bad += step->verdict > VERDICT_MARGINAL;
		row->recovered += record_step_flaky(record, s);
	}
	return 0;
}

/* 0: always the same; 1: as often this as that. */
static double unsteady(const struct steadiness *row)
{
	double all = row->good + row->bad;
	double less = row->good < row->bad ? row->good : row->bad;

	return all > 0 ? 2 * less / all : 0;
}

static int by_unsteadiness(const void *a, const void *b)
{
	double x = unsteady(a), y = unsteady(b);

	return (x < y) - (x > y);
}

int command_flaky(const struct command_options *options)
{
	struct table table = { .size = sizeof(struct steadiness) };
	char board[64], step[64];
	unsigned shown = 0;

	if (options->arg_count != 0)
		return command_usage(options, "flaky takes no RUN; see --board, --last");
	int rc = visit_runs(options, add_steadiness, &table);
	struct steadiness *rows = table.rows;
	if (table.n > 0)
		qsort(rows, table.n, sizeof(*rows), by_unsteadiness);
	for (size_t i = 0; i < table.n && rc == 0; i++) {
		if (rows[i].good == 0 || rows[i].bad == 0)
			continue;
		if (shown++ == 0)
			printf("%-16s  %-16s  %5s  %6s  %6s  %6s  %s\n", "board", "step", "runs",
			       "passed", "failed", "share", "passed when retried");
		printf("%-16.16s  %-16.16s  %5u  %6u  %6u  %5.1f%%  %u\n",
		       command_clean(rows[i].board, board, sizeof(board)),
		       command_clean(rows[i].step, step, sizeof(step)), rows[i].runs, rows[i].good,
		       rows[i].bad, 100.0 * rows[i].bad / (rows[i].good + rows[i].bad),
		       rows[i].recovered);
	}
	if (rc == 0 && shown == 0)
		puts("no board did now this, now that");
	free(table.rows);
	return rc < 0 ? COMMAND_TROUBLE : COMMAND_OK;
}
