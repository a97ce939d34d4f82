#include "emulator/sniff/relay_parts.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

/* One way of a connection: reads a unit, lets the faults at it, sends it on. */

static struct end *sender(struct crossing *crossing, enum way way)
{
	return &crossing->ends[way];
}

static struct end *receiver(struct crossing *crossing, enum way way)
{
	return &crossing->ends[!way];
}

#define NOTHING ((struct qn_text){ NULL, 0 })

/* ---- units ---- */

static void free_unit(struct relay *relay, struct unit *unit)
{
	buffer_free(&relay->buffers, &unit->data);
	pool_put(&relay->units, unit);
}

static void on_due(struct timer *timer, int64_t now_ns)
{
	struct lane *lane = OF(timer, struct lane, timer);

	(void)now_ns;
	lane_pump(lane->of, lane->way);
}

void lane_init(struct lane *lane, struct crossing *of, enum way way)
{
	memset(lane, 0, sizeof(*lane));
	lane->of = of;
	lane->way = way;
	lane->timer.fire = on_due;
}

void lane_release(struct crossing *crossing, enum way way)
{
	struct lane *lane = &crossing->lanes[way];

	timer_cancel(&crossing->relay->loop->timers, &lane->timer);
	while (lane->first != NULL) {
		struct unit *unit = lane->first;
		lane->first = unit->next;
		free_unit(crossing->relay, unit);
	}
	lane->last = NULL;
	lane->bytes = 0;
}

/* False: there was no room, and it must not overtake: the connection is reset. */
static bool queue(struct crossing *crossing, enum way way, const char *bytes, size_t len,
		  const struct unit *how)
{
	struct relay *relay = crossing->relay;
	struct lane *lane = &crossing->lanes[way];
	struct unit *unit = pool_get(&relay->units);

	if (unit == NULL)
		goto full;
	*unit = *how;
	unit->next = NULL;
	unit->data = (struct buffer){ .at = NULL };
	if (len > 0 && buffer_reserve(&relay->buffers, &unit->data, len) < 0) {
		pool_put(&relay->units, unit);
		goto full;
	}
	if (len > 0)
		memcpy(unit->data.at, bytes, len);
	unit->data.len = (uint32_t)len;
	if (lane->last != NULL)
		lane->last->next = unit;
	else
		lane->first = unit;
	lane->last = unit;
	lane->bytes += len;
	return true;
full:
	relay->stats.no_room++;
	crossing_tell(crossing, HAPPENED_RESET, way, NOTHING, "no room for what waits");
	crossing_close(crossing, true);
	return false;
}

/* The second of two units joins the first, and both leave in one write. */
static bool join(struct crossing *crossing, enum way way, const char *bytes, size_t len)
{
	struct lane *lane = &crossing->lanes[way];
	struct unit *unit = lane->last;

	if (unit == NULL || !unit->coalescing || unit->released > 0 || len == 0 ||
	    buffer_reserve(&crossing->relay->buffers, &unit->data, len) < 0)
		return false;
	memcpy(unit->data.at + unit->data.len, bytes, len);
	unit->data.len += (uint32_t)len;
	unit->coalescing = false;
	unit->due_ns = crossing->relay->loop->now_ns;
	lane->bytes += len;
	return true;
}

/* ---- sending ---- */

/* Bytes that went, or -errno; 0: the socket is full. */
static ssize_t send_some(struct crossing *crossing, enum way way, const char *bytes, size_t len)
{
	ssize_t n = send(receiver(crossing, way)->fd, bytes, len, MSG_NOSIGNAL);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	return n;
}

static uint32_t next_piece(struct unit *unit)
{
	uint32_t left = unit->data.len - unit->released;

	if (unit->piece > 0)
		return unit->piece < left ? unit->piece : left;
	if (unit->pieces <= 1)
		return left;
	uint32_t pieces = unit->pieces--;
	return left / pieces + (left % pieces > 0);
}

static void end_lane(struct crossing *crossing, enum way way)
{
	struct lane *lane = &crossing->lanes[way];

	lane->end_passed = true;
	crossing_tell(crossing, HAPPENED_EOF, way, NOTHING, NULL);
	shutdown(receiver(crossing, way)->fd, SHUT_WR);
}

/* The unit has gone: what becomes of the connection. */
static void finish(struct crossing *crossing, enum way way, struct unit *unit)
{
	struct lane *lane = &crossing->lanes[way];
	enum unit_then then = unit->then;

	lane->first = unit->next;
	if (lane->first == NULL)
		lane->last = NULL;
	lane->bytes -= unit->data.len;
	free_unit(crossing->relay, unit);
	if (then == UNIT_RESET) {
		crossing_tell(crossing, HAPPENED_RESET, way, NOTHING, NULL);
		crossing_close(crossing, true);
	} else if (then == UNIT_CLOSE) {
		lane_release(crossing, way);
		lane->deaf = true;
		end_lane(crossing, way);
	}
}

static void release_piece(struct crossing *crossing, enum way way, struct unit *unit)
{
	uint32_t n = next_piece(unit);

	if (n > 0)
		crossing_tell(crossing, HAPPENED_BYTES, way,
			      (struct qn_text){ unit->data.at + unit->released, n }, NULL);
	unit->released += n;
	unit->due_ns = crossing->relay->loop->now_ns + unit->gap_ns;
}

/* False: nothing more can go at the moment. */
static bool pump_unit(struct crossing *crossing, enum way way, struct unit *unit)
{
	struct lane *lane = &crossing->lanes[way];
	struct loop *loop = crossing->relay->loop;

	if (unit->sent < unit->released) {
		ssize_t n = send_some(crossing, way, unit->data.at + unit->sent,
				      unit->released - unit->sent);
		if (n < 0) {
			lane_reset(crossing, !way);
			return false;
		}
		unit->sent += (uint32_t)n;
		lane->blocked = unit->sent < unit->released;
		return !lane->blocked;
	}
	if (unit->released == unit->data.len &&
	    (unit->data.len > 0 || unit->due_ns <= loop->now_ns)) {
		finish(crossing, way, unit);
		return true;
	}
	if (unit->due_ns > loop->now_ns) {
		timer_arm(&loop->timers, &lane->timer, unit->due_ns);
		return false;
	}
	release_piece(crossing, way, unit);
	return true;
}

void lane_pump(struct crossing *crossing, enum way way)
{
	struct lane *lane = &crossing->lanes[way];

	if (crossing->dead || !crossing->connected)
		return;
	while (lane->first != NULL)
		if (!pump_unit(crossing, way, lane->first) || crossing->dead)
			break;
	if (crossing->dead)
		return;
	if (lane->first == NULL && lane->read_ended && !lane->end_passed)
		end_lane(crossing, way);
	if (crossing->lanes[0].end_passed && crossing->lanes[0].read_ended &&
	    crossing->lanes[1].end_passed && crossing->lanes[1].read_ended)
		crossing_close(crossing, false);
	else
		crossing_update(crossing);
}

void lane_reset(struct crossing *crossing, enum way way)
{
	crossing_tell(crossing, HAPPENED_RESET, way, NOTHING, NULL);
	crossing_close(crossing, true);
}

/* ---- reading ---- */

/* Nothing waits: it goes at once, and what the socket does not take waits. */
static void send_through(struct crossing *crossing, enum way way, const char *bytes, size_t len)
{
	struct unit how = { .released = (uint32_t)len };

	crossing_tell(crossing, HAPPENED_BYTES, way, (struct qn_text){ bytes, len }, NULL);
	ssize_t n = send_some(crossing, way, bytes, len);
	if (n < 0) {
		lane_reset(crossing, !way);
		return;
	}
	if ((size_t)n == len)
		return;
	how.released -= (uint32_t)n;
	crossing->lanes[way].blocked = true;
	if (queue(crossing, way, bytes + n, len - (size_t)n, &how))
		crossing_update(crossing);
}

static void send_faulty(struct crossing *crossing, enum way way, size_t len)
{
	struct relay *relay = crossing->relay;
	struct unit_faults *faults = relay->options.faults;
	struct unit_before *before = unit_faults_need_before(faults, way) ? &crossing->before[way]
									  : NULL;
	static char original[UNIT_MAX];
	struct unit_fate fate = { .name = NULL };
	size_t original_len = len;

	memcpy(original, relay->scratch, len);
	if (unit_faults_strike(faults, way, crossing->number, relay_t_ns(relay), before,
			       relay->scratch, &len, relay->options.wire, &fate))
		crossing_tell(crossing, HAPPENED_FAULT, way,
			      (struct qn_text){ original, original_len }, fate.all);
	if (fate.dropped) {
		if (fate.then == UNIT_STAY)
			return;
		len = 0;
	}
	if (join(crossing, way, relay->scratch, len)) {
		lane_pump(crossing, way);
		return;
	}
	struct unit how = { .piece = fate.piece,
			    .pieces = fate.pieces,
			    .due_ns = relay->loop->now_ns + fate.delay_ns,
			    .gap_ns = fate.gap_ns,
			    .then = fate.then,
			    .coalescing = fate.coalescing };
	if (!queue(crossing, way, relay->scratch, len, &how))
		return;
	if (fate.twice && !queue(crossing, way, relay->scratch, len, &how))
		return;
	lane_pump(crossing, way);
}

static void pass(struct crossing *crossing, enum way way, size_t len)
{
	struct relay *relay = crossing->relay;
	struct lane *lane = &crossing->lanes[way];
	struct unit how = { .due_ns = relay->loop->now_ns };

	if (lane->deaf)
		return;
	if (relay->options.faults != NULL && unit_faults_any(relay->options.faults, way))
		send_faulty(crossing, way, len);
	else if (crossing->connected && lane->first == NULL)
		send_through(crossing, way, relay->scratch, len);
	else if (queue(crossing, way, relay->scratch, len, &how))
		lane_pump(crossing, way);
}

void lane_read(struct crossing *crossing, enum way way)
{
	struct relay *relay = crossing->relay;
	struct lane *lane = &crossing->lanes[way];
	ssize_t n = recv(sender(crossing, way)->fd, relay->scratch, UNIT_MAX, 0);

	if (n < 0) {
		if (errno != EAGAIN && errno != EINTR)
			lane_reset(crossing, way);
		return;
	}
	if (n == 0) {
		lane->read_ended = true;
		lane_pump(crossing, way);
		if (!crossing->dead)
			crossing_update(crossing);
		return;
	}
	pass(crossing, way, (size_t)n);
	if (!crossing->dead && lane->bytes >= LANE_MAX)
		crossing_update(crossing);
}
