#include "hil/report/series.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- which there are ---- */

static struct series *find(struct series_set *set, int board, const char *name)
{
	for (size_t i = 0; i < set->count; i++)
		if (set->series[i].board == board && strcmp(set->series[i].name, name) == 0)
			return &set->series[i];
	return NULL;
}

/* Behind the others of that name, which are ordered by board. */
static struct series *insert(struct series_set *set, size_t *cap, int board, const char *name)
{
	size_t at = set->count;

	if (set->count == *cap) {
		size_t more = *cap * 2 + 16;
		struct series *grown = realloc(set->series, more * sizeof(*grown));
		if (grown == NULL)
			return NULL;
		set->series = grown;
		*cap = more;
	}
	for (size_t i = 0; i < set->count; i++)
		if (strcmp(set->series[i].name, name) == 0)
			at = i + (set->series[i].board < board ? 1 : 0);
	for (size_t i = 0; i < set->count && at < set->count; i++)
		if (strcmp(set->series[i].name, name) == 0 && set->series[i].board > board) {
			at = i;
			break;
		}
	memmove(&set->series[at + 1], &set->series[at], (set->count - at) * sizeof(*set->series));
	set->count++;
	set->series[at] = (struct series){ .board = board, .name = name };
	return &set->series[at];
}

/* A board measures the same few things again and again: the last one found is a good guess. */
static int count_all(const struct record *record, struct series_set *set)
{
	size_t cap = 0;

	for (uint32_t s = 0; s < record->step_count; s++) {
		const struct step_result *step = &record->steps[s];
		for (unsigned i = 0; i < step->measurement_count; i++) {
			const struct measurement *m = &step->measurements[i];
			struct series *series = find(set, step->board, m->name);
			if (series == NULL)
				series = insert(set, &cap, step->board, m->name);
			if (series == NULL)
				return -ENOMEM;
			series->n++;
			series->unit = m->unit;
			series->limit = m->limit;
			series->of_chain = m->of_chain;
			series->from = m->from;
		}
	}
	return 0;
}

/* ---- their values ---- */

static bool trusted(const struct measurement *m)
{
	return (m->suspect & ~m->limit.accept) == 0;
}

static void add_point(struct series *series, const struct record *record, uint32_t s,
		      const struct measurement *m)
{
	series->verdicts[m->judged.verdict]++;
	if (m->missing) {
		series->missing++;
		return;
	}
	if (!trusted(m)) {
		series->untrusted++;
		return;
	}
	if (m->judged.u > series->u_max)
		series->u_max = m->judged.u;
	series->points[series->n++] = (struct series_point){
		.value = m->judged.value,
		.at_ns = record->steps[s].begin_ns - record->run.start_ns,
		.step = s,
		.verdict = m->judged.verdict,
	};
}

static int fill(const struct record *record, struct series_set *set)
{
	for (size_t i = 0; i < set->count; i++) {
		struct series *series = &set->series[i];
		series->points = calloc(series->n, sizeof(*series->points));
		if (series->points == NULL)
			return -ENOMEM;
		series->n = 0;
	}
	for (uint32_t s = 0; s < record->step_count; s++) {
		const struct step_result *step = &record->steps[s];
		for (unsigned i = 0; i < step->measurement_count; i++)
			add_point(find(set, step->board, step->measurements[i].name), record, s,
				  &step->measurements[i]);
	}
	return 0;
}

/* ---- their chains ---- */

static const struct measurement *measured(const struct record *record, const struct series *series,
					  size_t i)
{
	const struct step_result *step = &record->steps[series->points[i].step];

	for (unsigned k = 0; k < step->measurement_count; k++)
		if (strcmp(step->measurements[k].name, series->name) == 0)
			return &step->measurements[k];
	return NULL;
}

/* Which points it went through, in order: a number for each way. */
static uint64_t shape(const struct measurement *m)
{
	uint64_t shape = m->hop_count;

	for (unsigned i = 0; i < m->hop_count; i++)
		shape = shape * 31 + (uint64_t)m->hops[i].from * POINTS + (uint64_t)m->hops[i].to;
	return shape;
}

/* The shape that most of them have (a majority vote; where there is none, one of the common). */
static const struct measurement *usual(const struct record *record, const struct series *series)
{
	const struct measurement *best = NULL;
	uint64_t votes = 0;

	for (size_t i = 0; i < series->n; i++) {
		const struct measurement *m = measured(record, series, i);
		if (m == NULL || m->hop_count == 0)
			continue;
		if (votes == 0)
			best = m;
		votes = best != NULL && shape(best) == shape(m) ? votes + 1 : votes - 1;
	}
	return best;
}

static void sum_up_hop(const struct record *record, struct series *series, uint64_t wanted,
		       unsigned h, int64_t *values)
{
	struct series_hop *hop = &series->hops[h];
	struct stats stats;

	for (size_t i = 0; i < series->n; i++) {
		const struct measurement *m = measured(record, series, i);
		if (m == NULL || shape(m) != wanted)
			continue;
		int64_t u = u_total(&m->hops[h].u, false);
		int64_t frame = u_part_ns(&m->hops[h].u, U_FRAME);
		values[hop->n++] = m->hops[h].value_ns;
		hop->u_ns = u > hop->u_ns ? u : hop->u_ns;
		hop->frame_ns = frame > hop->frame_ns ? frame : hop->frame_ns;
	}
	stats_compute(values, hop->n, 0, NULL, &stats);
	hop->median_ns = stats.median;
	hop->max_ns = stats.max;
}

static int sum_up(const struct record *record, struct series *series)
{
	int64_t *values = calloc(series->n > 0 ? series->n : 1, sizeof(*values));
	const struct measurement *m = usual(record, series);

	if (values == NULL)
		return -ENOMEM;
	for (unsigned h = 0; m != NULL && h < m->hop_count; h++) {
		series->hops[h] = (struct series_hop){ .from = m->hops[h].from,
						       .to = m->hops[h].to };
		sum_up_hop(record, series, shape(m), h, values);
		series->hop_count = h + 1;
	}
	for (size_t i = 0; i < series->n; i++)
		values[i] = series->points[i].value;
	stats_compute(values, series->n, series->missing, &series->limit, &series->stats);
	free(values);
	return 0;
}

int series_new(const struct record *record, struct series_set *ret)
{
	struct series_set set = { 0 };
	int rc = count_all(record, &set);

	if (rc == 0)
		rc = fill(record, &set);
	for (size_t i = 0; i < set.count && rc == 0; i++)
		rc = sum_up(record, &set.series[i]);
	if (rc < 0)
		series_free(&set);
	else
		*ret = set;
	return rc;
}

void series_free(struct series_set *set)
{
	for (size_t i = 0; i < set->count; i++)
		free(set->series[i].points);
	free(set->series);
	*set = (struct series_set){ 0 };
}
