#include "tests/support/range.h"

#include "tests/support/require.h"

#include <stdio.h>
#include <string.h>

#define OF(pointer, type, member) ((type *)((char *)(pointer)-offsetof(type, member)))

/* ---- the trace ---- */

static bool shows_ms(enum event_kind kind)
{
	return kind == EVENT_HIT || kind == EVENT_ACTIVE || kind == EVENT_M_OK ||
	       kind == EVENT_M_FAILED || kind == EVENT_M_LOST || kind == EVENT_M_ROUND_END;
}

static bool shows_type(enum event_kind kind)
{
	return kind == EVENT_COMMAND || kind == EVENT_ANSWER || kind == EVENT_M_SENT ||
	       kind == EVENT_M_OK || kind == EVENT_M_FAILED || kind == EVENT_M_LOST ||
	       kind == EVENT_M_ROUND || kind == EVENT_M_ROUND_END;
}

static bool shows_text(enum event_kind kind)
{
	return kind != EVENT_COMMAND && kind != EVENT_ANSWER && kind != EVENT_M_SENT;
}

static void note_event(struct event_sink *sink, const struct event *event)
{
	struct range *range = OF(sink, struct range, sink);
	char *at = range->trace + range->trace_len;
	size_t cap = sizeof(range->trace) - range->trace_len;
	size_t len = (size_t)snprintf(at, cap, "%.10g", (double)event->t_ns / 1e6);

	if (event->name != NULL)
		len += (size_t)snprintf(at + len, cap - len, " %s", event->name);
	len += (size_t)snprintf(at + len, cap - len, " %s", event_name(event->kind));
	if (shows_type(event->kind))
		len += (size_t)snprintf(at + len, cap - len, " %s",
					range_word_name((enum range_word)event->type));
	if (shows_ms(event->kind))
		len += (size_t)snprintf(at + len, cap - len, " %.10g", (double)event->value / 1e6);
	if (event->kind == EVENT_M_ROUND)
		len += (size_t)snprintf(at + len, cap - len, " %lld", (long long)event->value);
	if (event->text != NULL && shows_text(event->kind))
		len += (size_t)snprintf(at + len, cap - len, ": %.*s", (int)event->text_len,
					event->text);
	len += (size_t)snprintf(at + len, cap - len, "\n");
	cr_assert(len < cap, "the trace is full");
	range->trace_len += len;
}

const char *range_trace(struct range *range)
{
	memcpy(range->taken, range->trace, range->trace_len);
	range->taken[range->trace_len] = '\0';
	range->trace_len = 0;
	return range->taken;
}

void range_expect(struct range *range, const char *expected, const char *file, int line)
{
	const char *is = range_trace(range);

	if (strcmp(is, expected) != 0)
		cr_expect_fail("%s:%d: it was\n%sinstead of\n%s", file, line, is, expected);
}

/* ---- who there is ---- */

void range_init(struct range *range, enum qn_snyper_profile_id profile)
{
	memset(range, 0, sizeof(*range));
	loop_init_simulated(&range->loop, RANGE_WALL_NS);
	range->net = pipe_net_new(&range->loop);
	range->sink = (struct event_sink){ .event = note_event, .mask = EVENT_ALL };
	events_add(&range->events, &range->sink);
	cr_assert_eq(target_env_init(&range->env, &range->loop, range->net, &range->events, 1, 64),
		     0);
	range->group = (struct target_group){
		.name = "range",
		.wire = target_wire(WIRE_SNYPER),
		.run = &range->run,
		.profile = qn_snyper_profile(profile),
		.master = { RANGE_MASTER_IP, RANGE_PORT },
		.port = RANGE_PORT,
		.rise = { DIST_FIXED, 500 * NS_PER_MS, 0 },
		.fall = { DIST_FIXED, 500 * NS_PER_MS, 0 },
		.answer_timeout_ns = 5 * NS_PER_S,
		.attempts = 1,
		.retry_first_ns = 500 * NS_PER_MS,
		.retry_max_ns = 10 * NS_PER_S,
		.poll_ns = 10 * NS_PER_MS,
		.connections_max = 4,
		.queue_max = 8,
		.report_to = { RANGE_MASTER_IP, 8080 },
		.hit_value = 1,
	};
	range->options = (struct master_options){
		.listen = { .at = { RANGE_MASTER_IP, RANGE_PORT },
			    .profile = qn_snyper_profile(profile) },
		.connect_timeout_ns = 5 * NS_PER_S,
		.answer_timeout_ns = 5 * NS_PER_S,
		.limits = { RANGE_TARGETS, RANGE_TARGETS },
	};
}

void range_release(struct range *range)
{
	for (uint32_t i = 0; i < range->n_targets; i++)
		target_release(&range->targets[i]);
	if (range->group_open)
		target_group_close(&range->env, &range->group);
	if (range->master != NULL)
		master_shut(range->master);
	pipe_net_free(range->net);
	master_free(range->master);
	target_env_release(&range->env);
	loop_release(&range->loop);
}

struct target *range_target(struct range *range)
{
	uint32_t i = range->n_targets++;

	if (!range->group_open)
		cr_assert_eq(target_group_open(&range->env, &range->group, 256), 0);
	range->group_open = true;
	cr_assert(i < RANGE_TARGETS && range->group.queue_max <= RANGE_QUEUE);
	snprintf(range->names[i], sizeof(range->names[i]), "target_%u", i + 1);
	target_init(&range->targets[i], &range->env, &range->group, i, range->names[i], RANGE_IP(i),
		    range->queues[i]);
	return &range->targets[i];
}

void range_master(struct range *range)
{
	cr_assert_eq(master_new(&range->loop, range->net, &range->events, &range->options,
				&range->master),
		     0);
	cr_assert_eq(master_listen(range->master), 0);
}

/* ---- time ---- */

/* What must hold at any time: sent = ok + failed + lost + under way + waiting, and each has a
 * reason. */
static void check_totals(const struct range *range)
{
	static const enum range_word types[] = { RANGE_PING, RANGE_STAND_UP, RANGE_LAY_DOWN,
						 RANGE_ACTIVATE };
	const struct master_totals *t = master_totals(range->master);
	uint64_t sent = 0;

	for (size_t i = 0; i < 4; i++) {
		const struct master_command_stats *stats = master_stats(range->master, types[i]);
		sent += stats->sent;
		REQUIRE(stats->latency.n == stats->ok && stats->service.n == stats->ok);
	}
	REQUIRE(t->sent == sent);
	REQUIRE(t->sent == t->ok + t->failed + t->lost + t->under_way + t->waiting);
	REQUIRE(t->failed == t->refused + t->reset + t->closed + t->bad_answers + t->no_resources);
}

static void until_ns(struct range *range, int64_t ns)
{
	cr_assert_eq(loop_run(&range->loop, ns), 0);
	range->loop.wall_ns += ns - range->loop.now_ns;
	range->loop.now_ns = ns;
	if (range->master != NULL)
		check_totals(range);
}

void range_until(struct range *range, double ms)
{
	until_ns(range, (int64_t)(ms * 1e6));
}

void range_pass(struct range *range, double ms)
{
	until_ns(range, range->loop.now_ns + (int64_t)(ms * 1e6));
}

/* ---- peers ---- */

/* A connection carries its guest. */
static struct guest **guest_of(struct net_conn *conn)
{
	return (struct guest **)(void *)conn->session;
}

static void guest_opened(struct net_conn *conn)
{
	(*guest_of(conn))->opened = true;
}

static size_t guest_received(struct net_conn *conn, const char *bytes, size_t len, size_t fresh)
{
	struct guest *guest = *guest_of(conn);

	(void)fresh;
	cr_assert(guest->got_len + len < sizeof(guest->got));
	memcpy(guest->got + guest->got_len, bytes, len);
	guest->got_len += len;
	guest->got[guest->got_len] = '\0';
	guest->reads++;
	return len;
}

static void guest_ended(struct net_conn *conn, const char *rest, size_t len)
{
	(void)rest;
	(void)len;
	(*guest_of(conn))->ended = true;
}

static void guest_closed(struct net_conn *conn, int error)
{
	struct guest *guest = *guest_of(conn);

	guest->closed = true;
	guest->error = error;
	guest->conn = NULL;
}

static const struct net_handler guest_handler = {
	.opened = guest_opened,
	.received = guest_received,
	.ended = guest_ended,
	.closed = guest_closed,
};

void guest_connect(struct range *range, struct guest *guest, uint32_t from, struct net_addr to)
{
	memset(guest, 0, sizeof(*guest));
	cr_assert_eq(net_connect(range->net, (struct net_addr){ from, 0 }, to, &guest_handler,
				 &guest->conn),
		     0);
	*guest_of(guest->conn) = guest;
}

void guest_call(struct range *range, struct guest *guest, uint32_t i)
{
	guest_connect(range, guest, RANGE_MASTER_IP, (struct net_addr){ RANGE_IP(i), RANGE_PORT });
	range_pass(range, 0);
}

void guest_send_bytes(struct guest *guest, const char *bytes, size_t len)
{
	cr_assert_not_null(guest->conn, "the connection is gone");
	cr_assert_eq(net_send(guest->conn, bytes, len), 0);
}

void guest_send(struct guest *guest, const char *text)
{
	guest_send_bytes(guest, text, strlen(text));
}

void guest_shutdown(struct guest *guest)
{
	pipe_shutdown(guest->conn);
}

void guest_close(struct guest *guest)
{
	net_close(guest->conn);
	guest->conn = NULL;
}

void guest_reset(struct guest *guest)
{
	net_reset(guest->conn);
	guest->conn = NULL;
}

const char *guest_take(struct guest *guest)
{
	guest->got[guest->got_len] = '\0';
	guest->got_len = 0;
	return guest->got;
}

/* ---- strangers ---- */

static bool stranger_accepted(struct net_listener *listener, struct net_conn *conn)
{
	struct stranger *stranger = listener->owner;

	cr_assert(stranger->n < 8, "too many connections to a stranger");
	struct guest *guest = &stranger->guests[stranger->n++];
	memset(guest, 0, sizeof(*guest));
	guest->conn = conn;
	guest->opened = true;
	conn->handler = &guest_handler;
	*guest_of(conn) = guest;
	return true;
}

void stranger_listen(struct range *range, struct stranger *stranger, struct net_addr at)
{
	stranger->n = 0;
	cr_assert_eq(net_listen(range->net, at, &stranger->listener), 0);
	stranger->listener->accepted = stranger_accepted;
	stranger->listener->owner = stranger;
}

void stranger_stop(struct stranger *stranger)
{
	net_unlisten(stranger->listener);
	stranger->listener = NULL;
}
