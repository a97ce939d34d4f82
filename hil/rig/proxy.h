/*
 * A real master behind the rig: each message is passed on and stamped both ways.
 *
 * Purpose: the range's own master commands the boards, and the rig sees when. A board registers
 * with the rig; the rig registers with the real master in its place, from an address of this host
 * that is the board's alone (a master knows a target by that), listens there, and passes bytes on
 * as they come, in the same units. The passing on is a hop of its own: POINT_FORWARD_IN to
 * POINT_FORWARD_OUT, and back.
 * Units: nanoseconds. Ownership: proxy_close() before the net goes. Errors: 0 or -errno and a text.
 * A real master that is not there is tried again every second, and said.
 * Threads: the loop's. Source: proto/PROTOCOL.md "snyper".
 */
#ifndef RIG_PROXY_H
#define RIG_PROXY_H

#include "hil/rig/rig.h"

/* Listens on every board's proxy address. */
int proxy_open(struct rig *rig, struct rig_fault *fault, struct proxy **ret);
void proxy_close(struct proxy *proxy);
/* The board has registered with us: now with the real master. */
void proxy_registered(struct proxy *proxy, struct station *station);
/* It has taken our registration. */
bool proxy_is_registered(const struct proxy *proxy, const struct station *station);
/* Why it has not, or "". */
const char *proxy_trouble(const struct proxy *proxy, const struct station *station);

#endif
