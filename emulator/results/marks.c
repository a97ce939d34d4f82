#include "emulator/results/marks.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int marks_init(struct marks *marks, uint32_t targets)
{
	size_t words = ((size_t)targets + 63) / 64;

	memset(marks, 0, sizeof(*marks));
	marks->targets = targets;
	marks->bits = calloc(MARKS_NAMES_MAX * words + 1, sizeof(*marks->bits));
	if (marks->bits == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < MARKS_NAMES_MAX; i++)
		marks->faults[i].affected = marks->bits + i * words;
	return 0;
}

void marks_release(struct marks *marks)
{
	free(marks->bits);
	marks->bits = NULL;
}

static void copy_text(char *to, size_t cap, const char *text, size_t len)
{
	if (len >= cap) {
		len = cap - 1;
		while (len > 0 && ((unsigned char)text[len] & 0xc0) == 0x80)
			len--;
	}
	if (len > 0)
		memcpy(to, text, len);
	to[len] = '\0';
}

static struct mark_fault *fault_of(struct marks *marks, const struct event *event)
{
	char name[sizeof(marks->faults[0].name)];

	copy_text(name, sizeof(name), event->text, event->text_len);
	for (uint32_t i = 0; i < marks->fault_count; i++)
		if (strcmp(marks->faults[i].name, name) == 0)
			return &marks->faults[i];
	if (marks->fault_count == MARKS_NAMES_MAX)
		return NULL;
	struct mark_fault *fault = &marks->faults[marks->fault_count++];
	memcpy(fault->name, name, sizeof(name));
	return fault;
}

/* Where the list is full the fault's last span goes on, and says for how many it stands. */
static struct mark_span *begin_span(struct marks *marks, struct mark_fault *fault, int64_t t_ns)
{
	if (marks->span_count < MARKS_SPANS_MAX) {
		struct mark_span *span = &marks->spans[marks->span_count++];
		*span = (struct mark_span){ .fault = (uint32_t)(fault - marks->faults),
					    .times = 1,
					    .from_ns = t_ns,
					    .to_ns = MARKS_OPEN };
		fault->span = marks->span_count;
		return span;
	}
	marks->faults_left_out++;
	if (fault->span == 0)
		return NULL;
	struct mark_span *span = &marks->spans[fault->span - 1];
	span->times++;
	span->to_ns = MARKS_OPEN;
	return span;
}

/* A fault may be armed anew on a target that has it: the bit tells. True where it changed. */
static bool flip(const struct marks *marks, struct mark_fault *fault, uint32_t target, bool on)
{
	uint64_t bit = UINT64_C(1) << (target % 64);

	if (target >= marks->targets)
		return on || fault->active > 0;
	if (((fault->affected[target / 64] & bit) != 0) == on)
		return false;
	fault->affected[target / 64] ^= bit;
	return true;
}

static void fault_on(struct marks *marks, struct mark_fault *fault, uint32_t target, int64_t t_ns)
{
	if (!flip(marks, fault, target, true))
		return;
	if (fault->active++ == 0 && begin_span(marks, fault, t_ns) == NULL)
		return;
	if (fault->span == 0)
		return;
	struct mark_span *span = &marks->spans[fault->span - 1];
	if (fault->active > span->targets)
		span->targets = fault->active;
}

static void fault_off(struct marks *marks, struct mark_fault *fault, uint32_t target, int64_t t_ns)
{
	if (!flip(marks, fault, target, false))
		return;
	if (--fault->active == 0 && fault->span > 0)
		marks->spans[fault->span - 1].to_ns = t_ns;
}

static void fault_event(struct marks *marks, const struct event *event, int64_t t_ns)
{
	struct mark_fault *fault = fault_of(marks, event);

	if (fault == NULL) {
		marks->faults_left_out++;
		return;
	}
	switch (event->kind) {
	case EVENT_FAULT_ON: fault_on(marks, fault, event->target, t_ns); break;
	case EVENT_FAULT_OFF: fault_off(marks, fault, event->target, t_ns); break;
	default: fault->struck++; break;
	}
}

static void round_begins(struct marks *marks, const struct event *event, int64_t t_ns)
{
	if (marks->round_count == MARKS_ROUNDS_MAX) {
		marks->rounds_left_out++;
		return;
	}
	marks->rounds[marks->round_count++] = (struct mark_round){
		.type = event->type, .from_ns = t_ns, .to_ns = MARKS_OPEN, .targets = event->value
	};
}

static void round_ends(struct marks *marks, int64_t t_ns)
{
	if (marks->rounds_left_out == 0 && marks->round_count > 0)
		marks->rounds[marks->round_count - 1].to_ns = t_ns;
}

static void note(struct marks *marks, const struct event *event, int64_t t_ns)
{
	if (marks->note_count == MARKS_NOTES_MAX) {
		marks->notes_left_out++;
		return;
	}
	struct mark_note *mark = &marks->notes[marks->note_count++];
	mark->t_ns = t_ns;
	copy_text(mark->text, sizeof(mark->text), event->text, event->text_len);
}

void marks_event(struct marks *marks, const struct event *event, int64_t t_ns)
{
	switch (event->kind) {
	case EVENT_FAULT_ON:
	case EVENT_FAULT_OFF:
	case EVENT_FAULT_STRUCK: fault_event(marks, event, t_ns); break;
	case EVENT_M_ROUND: round_begins(marks, event, t_ns); break;
	case EVENT_M_ROUND_END: round_ends(marks, t_ns); break;
	case EVENT_NOTE: note(marks, event, t_ns); break;
	default: break;
	}
}
