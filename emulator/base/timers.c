#include "emulator/base/timers.h"

#include <assert.h>
#include <string.h>

enum { IDLE, IN_WHEEL, IN_HEAP };

#define SLOT_SHIFT 16 /* 2^16 ns = 65.5 us a slot of level 0 */
#define LEVEL_BITS 8

/* ---- the heap of what is due within the open slot ---- */

static bool before(const struct timer *a, const struct timer *b)
{
	return a->due_ns < b->due_ns || (a->due_ns == b->due_ns && a->order < b->order);
}

static struct timer *meld(struct timer *a, struct timer *b)
{
	if (a == NULL)
		return b;
	if (b == NULL)
		return a;
	if (before(b, a)) {
		struct timer *swap = a;
		a = b;
		b = swap;
	}
	b->prev = a;
	b->next = a->child;
	if (a->child != NULL)
		a->child->prev = b;
	a->child = b;
	return a;
}

/* Two passes: pairs from the left, then all of them from the right. Iterative: depth is unbounded.
 */
static struct timer *merge_pairs(struct timer *first)
{
	struct timer *pairs = NULL, *root = NULL;

	while (first != NULL) {
		struct timer *a = first, *b = first->next;
		first = b != NULL ? b->next : NULL;
		a->next = a->prev = NULL;
		if (b != NULL)
			b->next = b->prev = NULL;
		struct timer *pair = meld(a, b);
		pair->next = pairs;
		pairs = pair;
	}
	while (pairs != NULL) {
		struct timer *rest = pairs->next;
		pairs->next = NULL;
		root = meld(root, pairs);
		pairs = rest;
	}
	if (root != NULL)
		root->next = root->prev = NULL;
	return root;
}

static void heap_push(struct timers *timers, struct timer *timer)
{
	timer->where = IN_HEAP;
	timer->next = timer->prev = timer->child = NULL;
	timers->heap = meld(timers->heap, timer);
}

static void heap_remove(struct timers *timers, struct timer *timer)
{
	struct timer *rest = merge_pairs(timer->child);

	if (timers->heap == timer) {
		timers->heap = rest;
	} else {
		if (timer->prev->child == timer)
			timer->prev->child = timer->next;
		else
			timer->prev->next = timer->next;
		if (timer->next != NULL)
			timer->next->prev = timer->prev;
		timers->heap = meld(timers->heap, rest);
	}
	timer->child = NULL;
}

/* ---- the wheel ---- */

static void wheel_put(struct timers *timers, struct timer *timer)
{
	uint64_t slot = (uint64_t)timer->due_ns >> SLOT_SHIFT;

	if (slot <= timers->position) {
		heap_push(timers, timer);
		return;
	}
	/* The level is where the two slot numbers first differ. */
	unsigned level = (63u - (unsigned)__builtin_clzll(slot ^ timers->position)) / LEVEL_BITS;
	assert(level < TIMERS_LEVELS);
	unsigned index = (unsigned)(slot >> (level * LEVEL_BITS)) & (TIMERS_SLOTS - 1);
	struct timer **head = &timers->slots[level][index];

	timer->where = IN_WHEEL;
	timer->level = (uint8_t)level;
	timer->slot = (uint8_t)index;
	timer->child = NULL;
	timer->prev = NULL;
	timer->next = *head;
	if (*head != NULL)
		(*head)->prev = timer;
	*head = timer;
	timers->busy[level][index / 64] |= UINT64_C(1) << (index % 64);
}

static void wheel_remove(struct timers *timers, struct timer *timer)
{
	struct timer **head = &timers->slots[timer->level][timer->slot];

	if (timer->prev != NULL)
		timer->prev->next = timer->next;
	else
		*head = timer->next;
	if (timer->next != NULL)
		timer->next->prev = timer->prev;
	if (*head == NULL)
		timers->busy[timer->level][timer->slot / 64] &= ~(UINT64_C(1)
								  << (timer->slot % 64));
}

static int next_busy(const uint64_t *busy, unsigned from)
{
	for (unsigned word = from / 64; word < TIMERS_SLOTS / 64; word++) {
		uint64_t bits = busy[word];
		if (word == from / 64)
			bits &= ~UINT64_C(0) << (from % 64);
		if (bits != 0)
			return (int)(word * 64 + (unsigned)__builtin_ctzll(bits));
	}
	return -1;
}

/* Opens the next busy slot of the lowest level that has one. False: the wheel is empty. */
static bool open_next_slot(struct timers *timers)
{
	for (unsigned level = 0; level < TIMERS_LEVELS; level++) {
		unsigned shift = level * LEVEL_BITS;
		unsigned here = (unsigned)(timers->position >> shift) & (TIMERS_SLOTS - 1);
		int index = here + 1 < TIMERS_SLOTS ? next_busy(timers->busy[level], here + 1) : -1;
		if (index < 0)
			continue;
		uint64_t above = timers->position >> shift >> LEVEL_BITS;
		timers->position = ((above << LEVEL_BITS) | (uint64_t)index) << shift;
		struct timer *list = timers->slots[level][index];
		timers->slots[level][index] = NULL;
		timers->busy[level][index / 64] &= ~(UINT64_C(1) << (index % 64));
		while (list != NULL) {
			struct timer *timer = list;
			list = list->next;
			wheel_put(timers, timer); /* lower level, or the heap */
		}
		return true;
	}
	return false;
}

/* ---- */

void timers_init(struct timers *timers, int64_t now_ns)
{
	memset(timers, 0, sizeof(*timers));
	timers->position = (uint64_t)now_ns >> SLOT_SHIFT;
}

void timer_arm(struct timers *timers, struct timer *timer, int64_t due_ns)
{
	/* Past the wheel's reach (some 580 years are 2^48 slots) nothing is ever due. */
	int64_t last =
		(int64_t)((UINT64_C(1) << (TIMERS_LEVELS * LEVEL_BITS + SLOT_SHIFT - 1)) - 1);

	timer_cancel(timers, timer);
	timer->due_ns = due_ns < 0 ? 0 : due_ns > last ? last : due_ns;
	timer->order = timers->armed_total++;
	timers->count++;
	wheel_put(timers, timer);
}

void timer_cancel(struct timers *timers, struct timer *timer)
{
	if (timer->where == IDLE)
		return;
	if (timer->where == IN_HEAP)
		heap_remove(timers, timer);
	else
		wheel_remove(timers, timer);
	timer->where = IDLE;
	timers->count--;
}

int64_t timers_next(struct timers *timers)
{
	while (timers->heap == NULL)
		if (!open_next_slot(timers))
			return TIMERS_NEVER;
	return timers->heap->due_ns;
}

struct timer *timers_pop(struct timers *timers, int64_t now_ns)
{
	int64_t next = timers_next(timers);

	if (next > now_ns || next == TIMERS_NEVER)
		return NULL;
	struct timer *timer = timers->heap;
	timer_cancel(timers, timer);
	return timer;
}

size_t timers_run(struct timers *timers, int64_t now_ns, size_t limit)
{
	size_t fired = 0;

	while (fired < limit) {
		struct timer *timer = timers_pop(timers, now_ns);
		if (timer == NULL)
			break;
		timer->fire(timer, now_ns);
		fired++;
	}
	return fired;
}
