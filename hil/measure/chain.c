#include "hil/measure/chain.h"

#include <string.h>

static const struct {
	const char *name, *text;
} points[POINTS] = {
	[POINT_DUE] = { "due", "message due" },
	[POINT_HIT] = { "hit", "hit injected" },
	[POINT_WRITTEN] = { "written", "write called" },
	[POINT_SENT] = { "sent", "message sent" },
	[POINT_FORWARD_IN] = { "forward_in", "at the proxy" },
	[POINT_FORWARD_OUT] = { "forward_out", "forwarded" },
	[POINT_SERVO_FRAME] = { "servo_frame", "first servo frame" },
	[POINT_ANSWER] = { "answer", "answer received" },
	[POINT_SERVO_DOWN] = { "servo_down", "servo goes down" },
	[POINT_SERVO_DONE] = { "servo_done", "servo command complete" },
	[POINT_SWITCH] = { "switch", "limit switch" },
	[POINT_CONSOLE] = { "console", "console line" },
	[POINT_RESULT] = { "result", "result reported" },
};

const char *point_name(enum point point)
{
	return (unsigned)point < POINTS ? points[point].name : "unknown";
}

int point_from_name(const char *name)
{
	for (int i = 0; i < POINTS; i++)
		if (strcmp(points[i].name, name) == 0)
			return i;
	return -1;
}

const char *point_text(enum point point)
{
	return (unsigned)point < POINTS ? points[point].text : "unknown";
}

bool chain_between(const struct chain *chain, enum point from, enum point to, struct hop *ret)
{
	const struct stamp *a = &chain->at[from], *b = &chain->at[to];

	if (!a->known || !b->known)
		return false;
	struct hop hop = { .from = from,
			   .to = to,
			   .value_ns = b->ns - a->ns,
			   .suspect = a->suspect | b->suspect };
	u_add(&hop.u, &a->u);
	/* Where a hop starts the pin was seen: only where it ends does the board's decision count.
	 */
	hop.u.half_ns[U_FRAME] = 0;
	u_add(&hop.u, &b->u);
	if (hop.value_ns < 0 && -hop.value_ns > u_total(&hop.u, true))
		hop.suspect |= SUSPECT_ORDER;
	*ret = hop;
	return true;
}

/* Insertion: at most POINTS, and nearly in order already. */
static unsigned in_order(const struct chain *chain, enum point *order)
{
	unsigned n = 0;

	for (unsigned i = 0; i < POINTS; i++) {
		if (!chain->at[i].known)
			continue;
		unsigned k = n++;
		for (; k > 0 && chain->at[order[k - 1]].ns > chain->at[i].ns; k--)
			order[k] = order[k - 1];
		order[k] = (enum point)i;
	}
	return n;
}

unsigned chain_hops(const struct chain *chain, struct hop *hops, unsigned cap)
{
	enum point order[POINTS];
	unsigned n = in_order(chain, order), count = 0;

	for (unsigned i = 1; i < n && count < cap; i++)
		if (chain_between(chain, order[i - 1], order[i], &hops[count]))
			count++;
	return count;
}
