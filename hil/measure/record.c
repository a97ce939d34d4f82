#include "hil/measure/record_store.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* ---- beginning and end ---- */

static void apply_defaults(struct record_limits *limits)
{
	if (limits->steps == 0)
		limits->steps = 20000;
	if (limits->measurements == 0)
		limits->measurements = 60000;
	if (limits->hops == 0)
		limits->hops = 300000;
	if (limits->events == 0)
		limits->events = 1000000;
	if (limits->text_bytes == 0)
		limits->text_bytes = 64u << 20;
	if (limits->text_bytes < 2 * TIMELINE_TEXT_MAX)
		limits->text_bytes = 2 * TIMELINE_TEXT_MAX;
	if (limits->excerpts == 0)
		limits->excerpts = 200;
}

static size_t excerpt_text_bytes(const struct record_limits *limits)
{
	return (size_t)limits->excerpts * EXCERPT_EVENTS_MAX * 128;
}

/* Sortable by time, and no two alike: "20261121T200340Z-1f0c3a". */
static void make_id(struct run_info *run)
{
	time_t seconds = (time_t)(run->start_wall_ns / INT64_C(1000000000));
	uint64_t mix = (uint64_t)run->start_wall_ns ^ (uint64_t)run->start_ns << 20 ^
		       (uint64_t)getpid() << 44;
	struct tm tm;

	mix *= UINT64_C(0x9e3779b97f4a7c15);
	gmtime_r(&seconds, &tm);
	size_t len = strftime(run->id, sizeof(run->id), "%Y%m%dT%H%M%SZ", &tm);
	snprintf(run->id + len, sizeof(run->id) - len, "-%06x", (unsigned)(mix >> 40));
}

int record_init(struct record *record, const struct record_limits *limits, int64_t now_ns,
		int64_t wall_ns)
{
	memset(record, 0, sizeof(*record));
	struct record_store *store = calloc(1, sizeof(*store));
	if (store == NULL)
		return -ENOMEM;
	record->store = store;
	if (limits != NULL)
		store->limits = *limits;
	apply_defaults(&store->limits);
	limits = &store->limits;
	record->steps = calloc(limits->steps, sizeof(*record->steps));
	record->excerpts = calloc(limits->excerpts, sizeof(*record->excerpts));
	store->measurements = calloc(limits->measurements, sizeof(*store->measurements));
	store->hops = calloc(limits->hops, sizeof(*store->hops));
	store->events = calloc(limits->events, sizeof(*store->events));
	store->text = calloc(1, limits->text_bytes);
	store->excerpt_events = calloc((size_t)limits->excerpts * EXCERPT_EVENTS_MAX,
				       sizeof(*store->excerpt_events));
	store->excerpt_text = calloc(1, excerpt_text_bytes(limits));
	if (record->steps == NULL || record->excerpts == NULL || store->measurements == NULL ||
	    store->hops == NULL || store->events == NULL || store->text == NULL ||
	    store->excerpt_events == NULL || store->excerpt_text == NULL) {
		record_release(record);
		return -ENOMEM;
	}
	record->run.start_ns = now_ns;
	record->run.start_wall_ns = wall_ns;
	make_id(&record->run);
	if (gethostname(record->run.host, sizeof(record->run.host) - 1) < 0)
		record->run.host[0] = '\0';
	snprintf(record->bench.name, sizeof(record->bench.name), "bench");
	return 0;
}

void record_release(struct record *record)
{
	struct record_store *store = record->store;

	free(record->steps);
	free(record->excerpts);
	if (store != NULL) {
		free(store->measurements);
		free(store->hops);
		free(store->events);
		free(store->text);
		free(store->excerpt_events);
		free(store->excerpt_text);
		for (unsigned i = 0; i < store->text_count; i++)
			free(store->texts[i]);
		free(store);
	}
	memset(record, 0, sizeof(*record));
}

int record_add_board(struct record *record, const struct record_board *board)
{
	if (record->board_count == RECORD_BOARDS_MAX)
		return -ENOSPC;
	struct record_board *added = &record->boards[record->board_count];
	*added = *board;
	memset(added->steps, 0, sizeof(added->steps));
	added->worst = VERDICT_NONE;
	added->retries = 0;
	char name[16];
	snprintf(name, sizeof(name), "steps");
	if (record_add_channel(record, (int)record->board_count, CHANNEL_STEP, name) < 0)
		return -ENOSPC;
	return (int)record->board_count++;
}

int record_add_channel(struct record *record, int board, enum channel_kind kind, const char *name)
{
	if (record->channel_count == RECORD_CHANNELS_MAX)
		return -ENOSPC;
	struct channel *channel = &record->channels[record->channel_count];
	channel->board = board;
	channel->kind = kind;
	snprintf(channel->name, sizeof(channel->name), "%s", name);
	return (int)record->channel_count++;
}

void record_error(struct record *record, const char *format, ...)
{
	va_list args;

	record->worst = VERDICT_ERROR;
	if (record->error[0] != '\0')
		return;
	va_start(args, format);
	vsnprintf(record->error, sizeof(record->error), format, args);
	va_end(args);
}

void record_end(struct record *record, int64_t now_ns)
{
	record->run.end_ns = now_ns;
}

const char *record_keep_text(struct record *record, const char *text, size_t len)
{
	struct record_store *store = record->store;

	if (store->text_count == RECORD_TEXTS_MAX)
		return NULL;
	char *copy = malloc(len + 1);
	if (copy == NULL)
		return NULL;
	if (len > 0)
		memcpy(copy, text, len);
	copy[len] = '\0';
	store->texts[store->text_count++] = copy;
	return copy;
}

/* ---- steps ---- */

static struct record_board *board_of(struct record *record, int board)
{
	return board >= 0 && (unsigned)board < record->board_count ? &record->boards[board]
								   : &record->bench;
}

static void count_step(struct record *record, const struct step_result *step)
{
	struct record_board *board = board_of(record, step->board);

	board->steps[step->verdict]++;
	board->worst = verdict_worse(board->worst, step->verdict);
	board->retries += step->attempt > 0;
	record->worst = verdict_worse(record->worst, step->verdict);
}

static int step_channel(const struct record *record, int board)
{
	for (unsigned i = 0; i < record->channel_count; i++)
		if (record->channels[i].kind == CHANNEL_STEP && record->channels[i].board == board)
			return (int)i;
	return -1;
}

void record_step_begin(struct record *record, const struct step_result *step)
{
	record_event(record, TIMELINE_STEP_BEGIN, step_channel(record, step->board), step->begin_ns,
		     0, step->name, strlen(step->name));
}

/* All of it or nothing: a step without its measurements would look like one that measured none. */
static bool copy_measurements(struct record_store *store, const struct step_result *step,
			      struct step_result *copy)
{
	uint32_t hops = 0;

	for (unsigned i = 0; i < step->measurement_count; i++)
		hops += step->measurements[i].hop_count;
	if (store->limits.measurements - store->measurement_count < step->measurement_count ||
	    store->limits.hops - store->hop_count < hops)
		return false;
	copy->measurements = &store->measurements[store->measurement_count];
	store->measurement_count += step->measurement_count;
	for (unsigned i = 0; i < step->measurement_count; i++) {
		struct measurement *measurement = &copy->measurements[i];
		*measurement = step->measurements[i];
		measurement->hops = &store->hops[store->hop_count];
		store->hop_count += measurement->hop_count;
		if (measurement->hop_count > 0)
			memcpy(measurement->hops, step->measurements[i].hops,
			       measurement->hop_count * sizeof(struct hop));
	}
	return true;
}

const struct step_result *record_restore_step(struct record *record, const struct step_result *step)
{
	struct record_store *store = record->store;

	count_step(record, step);
	if (record->step_count == store->limits.steps) {
		record->steps_left_out++;
		return NULL;
	}
	struct step_result *copy = &record->steps[record->step_count];
	*copy = *step;
	if (!copy_measurements(store, step, copy)) {
		record->steps_left_out++;
		return NULL;
	}
	record->step_count++;
	return copy;
}

const struct step_result *record_step(struct record *record, const struct step_result *step)
{
	record_event(record, TIMELINE_STEP_END, step_channel(record, step->board), step->end_ns,
		     step->verdict, step->name, strlen(step->name));
	const struct step_result *copy = record_restore_step(record, step);
	if (copy != NULL && step->verdict >= VERDICT_INCONCLUSIVE)
		record_take_excerpt(record, step, record->step_count - 1);
	return copy;
}

const struct excerpt *record_excerpt(const struct record *record, uint32_t step)
{
	for (uint32_t i = 0; i < record->excerpt_count; i++)
		if (record->excerpts[i].step == step)
			return &record->excerpts[i];
	return NULL;
}

static bool same_step(const struct step_result *a, const struct step_result *b)
{
	return a->board == b->board && a->repeat == b->repeat &&
	       strcmp(a->plan_path, b->plan_path) == 0;
}

bool record_step_flaky(const struct record *record, uint32_t step)
{
	const struct step_result *failed = &record->steps[step];

	if (failed->verdict < VERDICT_INCONCLUSIVE)
		return false;
	for (uint32_t i = 0; i < record->step_count; i++) {
		const struct step_result *other = &record->steps[i];
		if (other->attempt > failed->attempt && same_step(other, failed) &&
		    (other->verdict == VERDICT_PASS || other->verdict == VERDICT_MARGINAL))
			return true;
	}
	return false;
}
