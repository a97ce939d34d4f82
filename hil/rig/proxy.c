#include "hil/rig/proxy.h"

#include "proto/snyper/message.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define AGAIN_NS NS_PER_S
#define ANSWER_NS (5 * NS_PER_S)
#define OF(pointer, type, member) ((type *)((char *)(pointer)-offsetof(type, member)))

/* What stands for one board before the real master. */
struct side {
	struct proxy *proxy;
	struct station *station;
	struct net_listener *listener;
	struct net_conn *registering;
	struct timer again;
	bool registered;
	char trouble[120];
};

struct proxy {
	struct rig *rig;
	struct side *sides;
};

/* ---- passing on ---- */

/* One of the two connections of a message: from the master, and to the board. */
struct relay {
	struct side *side;
	struct net_conn *other; /* NULL: gone, or not there yet */
	bool to_board;
	bool open;
	bool watched; /* its command is the one that is measured */
};
_Static_assert(sizeof(struct relay) <= NET_SESSION_BYTES, "a session fits its connection");

static struct relay *relay_of(struct net_conn *conn)
{
	return (struct relay *)(void *)conn->session;
}

static void note(struct side *side, enum timeline_kind kind, const char *bytes, size_t len)
{
	struct rig *rig = side->proxy->rig;

	record_event(rig->record, kind, side->station->channel_wire, rig->loop->now_ns, 0, bytes,
		     len);
}

/* A ping may come while the target is on its way; the movement is what is being watched then. */
#define MOVING_NS (3 * NS_PER_S)

static bool is_moving(const struct station *station)
{
	const struct motion *motion = &station->motion;
	enum bench_role role = motion->type == RANGE_LAY_DOWN ? BENCH_DOWN : BENCH_UP;

	if (!motion->under_way || motion->type == RANGE_PING || motion->there_before ||
	    station->rig->loop->now_ns - motion->chain.at[POINT_DUE].ns > MOVING_NS)
		return false;
	return !motion->ended || (station->servo_watched && !motion->done) ||
	       (station_has(station, role) && !motion->reached);
}

/* The master's line: what it asks for begins to be watched. True: it is. */
static bool command_in(struct side *side, const char *bytes, size_t len)
{
	struct rig *rig = side->proxy->rig;
	struct qn_snyper_message message;
	const struct qn_snyper_profile *profile =
		qn_snyper_profile((enum qn_snyper_profile_id)rig->bench->master.profile);

	if (qn_snyper_parse(profile, bytes, len, &message, NULL) != QN_OK ||
	    qn_snyper_answer_to(message.type) == QN_SNYPER_UNKNOWN ||
	    message.type == QN_SNYPER_REGISTER)
		return false;
	if (message.type == QN_SNYPER_PING && is_moving(side->station))
		return false;
	motion_begin(side->station, range_word_of(message.type_text.at, message.type_text.len),
		     rig->loop->now_ns);
	side->station->motion.foreign = true;
	chain_set(&side->station->motion.chain, POINT_FORWARD_IN,
		  rig_now_stamp(rig, rig->loop->now_ns));
	rig_tell(side->station, (struct rig_event){ .kind = RIG_COMMAND });
	return true;
}

static const struct net_handler board_handler, master_handler;

static void drop_other(struct net_conn *conn, bool reset)
{
	struct net_conn *other = relay_of(conn)->other;

	relay_of(conn)->other = NULL;
	if (other == NULL)
		return;
	relay_of(other)->other = NULL;
	if (reset)
		net_reset(other);
	else
		net_close(other);
}

static size_t from_master(struct net_conn *conn, const char *bytes, size_t len, size_t fresh)
{
	struct relay *relay = relay_of(conn);
	struct side *side = relay->side;
	struct rig *rig = side->proxy->rig;
	uint16_t port = (uint16_t)rig->bench->master.target_port;

	if (relay->other == NULL) {
		struct net_addr to = { side->station->config->ip,
				       port != 0 ? port : rig->bench->master.listen_at.port };
		if (side->station->remote >= 0)
			to.ip = master_remote(rig->master, (uint32_t)side->station->remote)->ip;
		struct net_addr from = { rig->bench->master.listen_at.ip, 0 };
		relay->watched = command_in(side, bytes, len);
		if (net_connect(rig->net, from, to, &board_handler, &relay->other) < 0) {
			net_reset(conn);
			return len;
		}
		*relay_of(relay->other) = (struct relay){ side, conn, true, false, relay->watched };
	}
	/* Until the board has taken the connection the bytes wait where they are. */
	if (!relay_of(relay->other)->open)
		return 0;
	(void)fresh;
	note(side, TIMELINE_SENT, bytes, len);
	if (relay->watched && !side->station->motion.chain.at[POINT_WRITTEN].known)
		chain_set(&side->station->motion.chain, POINT_WRITTEN,
			  rig_now_stamp(rig, rig->loop->now_ns));
	net_send(relay->other, bytes, len);
	return len;
}

static void board_opened(struct net_conn *conn)
{
	relay_of(conn)->open = true;
	net_stamp(conn);
	if (relay_of(conn)->other != NULL)
		net_poke(relay_of(conn)->other);
}

static void board_stamped(struct net_conn *conn, enum net_stamped what, int64_t wall_ns)
{
	struct side *side = relay_of(conn)->side;
	struct chain *chain = &side->station->motion.chain;
	enum point point = what == NET_STAMPED_SENT ? POINT_FORWARD_OUT : POINT_ANSWER;

	if (relay_of(conn)->watched && !chain->at[point].known)
		chain_set(chain, point, rig_wall_stamp(side->proxy->rig, wall_ns));
}

static size_t from_board(struct net_conn *conn, const char *bytes, size_t len, size_t fresh)
{
	struct relay *relay = relay_of(conn);
	struct side *side = relay->side;
	struct motion *motion = &side->station->motion;

	(void)fresh;
	note(side, TIMELINE_RECEIVED, bytes, len);
	if (relay->watched && motion->answer_units++ == 0)
		console_print_safe(bytes, len, motion->answer, sizeof(motion->answer));
	if (relay->other != NULL)
		net_send(relay->other, bytes, len);
	if (!relay->watched)
		return len;
	motion->answer_whole = len > 0 && bytes[len - 1] == '\n';
	motion->back = rig_now_stamp(side->proxy->rig, rig_clock_ns());
	if (memchr(bytes, '\n', len) != NULL)
		motion_answered(side->station, MASTER_OK, "");
	return len;
}

static void board_closed(struct net_conn *conn, int error)
{
	struct side *side = relay_of(conn)->side;

	if (relay_of(conn)->watched && !side->station->motion.ended)
		motion_answered(side->station, MASTER_FAILED,
				error != 0 ? strerror(-error) : "closed without an answer");
	drop_other(conn, error != 0);
}

static void master_closed(struct net_conn *conn, int error)
{
	struct side *side = relay_of(conn)->side;

	if (relay_of(conn)->watched && !side->station->motion.ended &&
	    relay_of(conn)->other != NULL)
		motion_answered(side->station, MASTER_LOST, "the real master waited no longer");
	drop_other(conn, error != 0);
}

static const struct net_handler board_handler = {
	.opened = board_opened,
	.received = from_board,
	.closed = board_closed,
	.stamped = board_stamped,
};
static const struct net_handler master_handler = { .received = from_master,
						   .closed = master_closed };

static bool accepted(struct net_listener *listener, struct net_conn *conn)
{
	conn->handler = &master_handler;
	*relay_of(conn) = (struct relay){ listener->owner, NULL, false, true, false };
	return true;
}

/* ---- registering ---- */

struct registering {
	struct side *side;
};

static struct side *registering_side(struct net_conn *conn)
{
	return ((struct registering *)(void *)conn->session)->side;
}

static void try_again(struct side *side, const char *why)
{
	struct rig *rig = side->proxy->rig;
	char at[24], text[160];

	side->registering = NULL;
	snprintf(side->trouble, sizeof(side->trouble), "the real master at %s: %.80s",
		 net_addr_text(rig->bench->master.real_at, at, sizeof(at)), why);
	int len = snprintf(text, sizeof(text), "%s", side->trouble);
	record_event(rig->record, TIMELINE_NOTE, side->station->channel_wire, rig->loop->now_ns, 0,
		     text, (size_t)len);
	loop_timer(rig->loop, &side->again, AGAIN_NS);
}

static void register_opened(struct net_conn *conn)
{
	struct side *side = registering_side(conn);
	struct rig *rig = side->proxy->rig;
	const char *id = side->station->config->target_id;
	struct qn_snyper_out out = { .type = QN_SNYPER_REGISTER,
				     .client_id = { id, strlen(id) },
				     .target_id = { id, strlen(id) },
				     .wall_ns = rig->loop->wall_ns };
	char line[1024];

	size_t len = qn_snyper_write(
		qn_snyper_profile((enum qn_snyper_profile_id)rig->bench->master.profile), &out,
		line, sizeof(line));
	net_send(conn, line, len);
}

static size_t register_received(struct net_conn *conn, const char *bytes, size_t len, size_t fresh)
{
	struct side *side = registering_side(conn);
	const struct qn_snyper_profile *profile = qn_snyper_profile(QN_SNYPER_CPYTHON);
	struct qn_snyper_message message;
	const char *newline = memchr(bytes, '\n', len);

	(void)fresh;
	if (newline == NULL)
		return 0;
	side->registered = qn_snyper_parse(profile, bytes, (size_t)(newline - bytes), &message,
					   NULL) == QN_OK &&
			   message.type == QN_SNYPER_REGISTERED;
	net_close(conn);
	side->registering = NULL;
	if (side->registered)
		side->trouble[0] = '\0';
	else
		try_again(side, "answers no \"registered\"");
	return len;
}

static void register_closed(struct net_conn *conn, int error)
{
	try_again(registering_side(conn),
		  error != 0 ? strerror(-error) : "closed without an answer");
}

static void register_late(struct timer *timer, int64_t now_ns)
{
	struct net_conn *conn = OF(timer, struct net_conn, timer);
	struct side *side = registering_side(conn);

	(void)now_ns;
	net_close(conn);
	try_again(side, "no answer in 5 s");
}

static const struct net_handler register_handler = {
	.opened = register_opened,
	.received = register_received,
	.closed = register_closed,
};

static void register_side(struct side *side)
{
	struct rig *rig = side->proxy->rig;
	struct net_addr from = { side->station->config->proxy_ip, 0 };

	if (side->registering != NULL)
		return;
	timer_cancel(&rig->loop->timers, &side->again);
	int rc = net_connect(rig->net, from, rig->bench->master.real_at, &register_handler,
			     &side->registering);
	if (rc < 0) {
		try_again(side, strerror(-rc));
		return;
	}
	((struct registering *)(void *)side->registering->session)->side = side;
	side->registering->timer.fire = register_late;
	loop_timer(rig->loop, &side->registering->timer, ANSWER_NS);
}

static void register_again(struct timer *timer, int64_t now_ns)
{
	(void)now_ns;
	register_side(OF(timer, struct side, again));
}

void proxy_registered(struct proxy *proxy, struct station *station)
{
	proxy->sides[station->index].registered = false;
	register_side(&proxy->sides[station->index]);
}

bool proxy_is_registered(const struct proxy *proxy, const struct station *station)
{
	return proxy->sides[station->index].registered;
}

const char *proxy_trouble(const struct proxy *proxy, const struct station *station)
{
	return proxy->sides[station->index].trouble;
}

/* ---- */

static int open_side(struct proxy *proxy, unsigned i, struct rig_fault *fault)
{
	struct side *side = &proxy->sides[i];
	struct station *station = &proxy->rig->stations[i];
	/* The real master calls back on its own port number. */
	struct net_addr at = { station->config->proxy_ip, proxy->rig->bench->master.real_at.port };
	char text[24];

	*side = (struct side){ .proxy = proxy, .station = station };
	side->again.fire = register_again;
	int rc = net_listen(proxy->rig->net, at, &side->listener);
	if (rc < 0) {
		snprintf(fault->text, sizeof(fault->text),
			 "%s, proxy_address: cannot listen on %s: %s%s", station->config->name,
			 net_addr_text(at, text, sizeof(text)), strerror(-rc),
			 rc == -EADDRNOTAVAIL ? "; give this host that address" : "");
		return rc;
	}
	side->listener->accepted = accepted;
	side->listener->owner = side;
	/* A board that registered with an earlier run is spoken for at once. */
	if (station->remote >= 0)
		loop_timer(proxy->rig->loop, &side->again, 0);
	return 0;
}

int proxy_open(struct rig *rig, struct rig_fault *fault, struct proxy **ret)
{
	struct proxy *proxy = calloc(1, sizeof(*proxy));
	int rc = 0;

	if (proxy != NULL)
		proxy->sides = calloc(rig->count, sizeof(*proxy->sides));
	if (proxy == NULL || proxy->sides == NULL) {
		free(proxy);
		snprintf(fault->text, sizeof(fault->text), "the proxy: out of memory");
		return -ENOMEM;
	}
	proxy->rig = rig;
	for (unsigned i = 0; rc == 0 && i < rig->count; i++)
		rc = open_side(proxy, i, fault);
	if (rc < 0)
		proxy_close(proxy);
	else
		*ret = proxy;
	return rc;
}

/* Connections and listeners are the net's to close, which follows. */
void proxy_close(struct proxy *proxy)
{
	if (proxy == NULL)
		return;
	for (unsigned i = 0; i < proxy->rig->count; i++) {
		timer_cancel(&proxy->rig->loop->timers, &proxy->sides[i].again);
		if (proxy->sides[i].listener != NULL)
			net_unlisten(proxy->sides[i].listener);
	}
	free(proxy->sides);
	free(proxy);
}
