#include "hil/measure/record_store.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

const char *timeline_kind_name(enum timeline_kind kind)
{
	static const char *const names[TIMELINE_KINDS] = { "pin",      "servo",   "sent",
							   "received", "console", "step",
							   "step end", "lost",    "note" };

	return (unsigned)kind < TIMELINE_KINDS ? names[kind] : "unknown";
}

void record_event(struct record *record, enum timeline_kind kind, int channel, int64_t t_ns,
		  int64_t value, const char *text, size_t text_len)
{
	struct record_store *store = record->store;
	struct stored_event *event = &store->events[store->event_put++ % store->limits.events];

	assert(channel >= -1 && channel < (int)record->channel_count);
	if (store->event_put > store->limits.events)
		record->events_left_out++;
	store->sorted = false;
	if (text == NULL)
		text_len = 0;
	if (text_len > TIMELINE_TEXT_MAX)
		text_len = TIMELINE_TEXT_MAX;
	/* A text lies in one piece: what would run over the end starts anew. */
	size_t size = store->limits.text_bytes, at = store->text_put % size;
	if (text_len > 0 && size - at < text_len) {
		store->text_put += size - at;
		at = 0;
	}
	if (text_len > 0)
		memcpy(store->text + at, text, text_len);
	*event = (struct stored_event){ .t_ns = t_ns,
					.value = value,
					.text = store->text_put,
					.channel = (int16_t)channel,
					.text_len = (uint16_t)text_len,
					.kind = (uint8_t)kind };
	/* One more, so that no two are alike: it tells their order. */
	store->text_put += text_len + 1u;
}

uint32_t record_event_count(const struct record *record)
{
	const struct record_store *store = record->store;

	return store->event_put < store->limits.events ? (uint32_t)store->event_put
						       : store->limits.events;
}

static struct timeline_event view(const struct record_store *store,
				  const struct stored_event *event)
{
	struct timeline_event out = { .t_ns = event->t_ns,
				      .value = event->value,
				      .channel = event->channel,
				      .kind = event->kind };

	/* Its text may be gone from the ring before the event is. */
	if (event->text_len > 0 && store->text_put - event->text <= store->limits.text_bytes) {
		out.text = store->text + event->text % store->limits.text_bytes;
		out.text_len = event->text_len;
	}
	return out;
}

static int by_time(const void *a, const void *b)
{
	const struct stored_event *x = a, *y = b;

	if (x->t_ns != y->t_ns)
		return x->t_ns < y->t_ns ? -1 : 1;
	/* In the order in which they came. */
	return (x->text > y->text) - (x->text < y->text);
}

void record_sort_events(struct record *record)
{
	struct record_store *store = record->store;
	uint32_t n = record_event_count(record);

	if (store->sorted)
		return;
	qsort(store->events, n, sizeof(*store->events), by_time);
	/* The ring starts anew: the oldest is first now, and is the next to go. */
	if (n == store->limits.events)
		store->event_put = n;
	store->sorted = true;
}

struct timeline_event record_event_at(const struct record *record, uint32_t i)
{
	const struct record_store *store = record->store;

	assert(store->sorted && i < record_event_count(record));
	return view(store, &store->events[i]);
}

/* ---- excerpts ---- */

static bool of_board(const struct record *record, const struct stored_event *event, int board)
{
	return event->channel < 0 || record->channels[event->channel].board == board ||
	       record->channels[event->channel].board == RECORD_NO_BOARD;
}

static void keep_text(struct record_store *store, struct timeline_event *event)
{
	size_t cap = (size_t)store->limits.excerpts * EXCERPT_EVENTS_MAX * 128;

	if (event->text == NULL)
		return;
	if (cap - store->excerpt_text_len < event->text_len) {
		event->text = NULL;
		event->text_len = 0;
		return;
	}
	char *kept = store->excerpt_text + store->excerpt_text_len;
	memcpy(kept, event->text, event->text_len);
	store->excerpt_text_len += event->text_len;
	event->text = kept;
}

/* A stable insertion by time: they come nearly in order. */
static void insert(struct excerpt *excerpt, struct timeline_event event)
{
	uint32_t k = excerpt->event_count++;

	for (; k > 0 && excerpt->events[k - 1].t_ns > event.t_ns; k--)
		excerpt->events[k] = excerpt->events[k - 1];
	excerpt->events[k] = event;
}

bool record_add_excerpt(struct record *record, uint32_t step, const struct timeline_event *events,
			uint32_t n, uint32_t left_out)
{
	struct record_store *store = record->store;

	if (record->excerpt_count == store->limits.excerpts) {
		record->excerpts_left_out++;
		return false;
	}
	struct excerpt *excerpt = &record->excerpts[record->excerpt_count];
	*excerpt = (struct excerpt){
		.step = step,
		.left_out = left_out,
		.events = &store->excerpt_events[record->excerpt_count * EXCERPT_EVENTS_MAX]
	};
	record->excerpt_count++;
	for (uint32_t i = 0; i < n && excerpt->event_count < EXCERPT_EVENTS_MAX; i++) {
		struct timeline_event event = events[i];
		keep_text(store, &event);
		insert(excerpt, event);
	}
	return true;
}

/* From the newest backwards, as long as they are of the step; what lies before it but near stays.
 */
#define EXCERPT_LOOK_BACK 20000
#define EXCERPT_BEFORE_NS INT64_C(20000000)
/* A servo line has a hundred edges a second: they must not crowd out what the board said. */
#define EXCERPT_EDGES_EACH 8

void record_take_excerpt(struct record *record, const struct step_result *step, uint32_t index)
{
	struct record_store *store = record->store;
	const struct stored_event *found[EXCERPT_EVENTS_MAX];
	uint8_t edges[RECORD_CHANNELS_MAX] = { 0 };
	uint32_t n = 0, left_out = 0, held = record_event_count(record);

	for (uint32_t back = 1; back <= held && back <= EXCERPT_LOOK_BACK; back++) {
		const struct stored_event *event =
			&store->events[(store->event_put - back) % store->limits.events];
		if (event->t_ns < step->begin_ns - EXCERPT_BEFORE_NS ||
		    !of_board(record, event, step->board))
			continue;
		bool crowd = event->kind == TIMELINE_PIN && event->channel >= 0 &&
			     edges[event->channel]++ >= EXCERPT_EDGES_EACH;
		if (crowd)
			edges[event->channel] = EXCERPT_EDGES_EACH;
		if (n < EXCERPT_EVENTS_MAX && !crowd)
			found[n++] = event;
		else
			left_out++;
	}
	struct timeline_event events[EXCERPT_EVENTS_MAX];
	for (uint32_t i = 0; i < n; i++)
		events[i] = view(store, found[n - 1 - i]);
	record_add_excerpt(record, index, events, n, left_out);
}
