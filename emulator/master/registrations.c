#include "emulator/master/parts.h"

#include <assert.h>
#include <string.h>

/* The listening side: one line `register` a connection as a rule, answered, closed by the target.
 */

#define IDLE_LIMIT_NS INT64_C(30000000000)

struct registration {
	struct qn_snyper_answerer answerer;
	struct master *master;
};
_Static_assert(sizeof(struct registration) <= NET_SESSION_BYTES, "a session fits its connection");

static struct registration *registration_of(struct net_conn *conn)
{
	return (struct registration *)(void *)conn->session;
}

static void close_it(struct net_conn *conn)
{
	registration_of(conn)->master->registering--;
	net_close(conn);
}

static void answer(struct net_conn *conn, struct qn_snyper_out *out)
{
	struct master *master = registration_of(conn)->master;
	char line[4096];

	out->wall_ns = master->loop->wall_ns;
	size_t len = qn_snyper_write(master->options.profile, out, line, sizeof(line));
	if (len > 0)
		net_send(conn, line, len);
}

static void reject(struct net_conn *conn, struct qn_text id, const char *why, size_t why_len)
{
	struct master *master = registration_of(conn)->master;
	struct qn_snyper_out out = { .type = QN_SNYPER_ERROR, .id = id, .error = { why, why_len } };

	master->totals.registrations_rejected++;
	master_tell(master, EVENT_M_REJECTED, NULL, 0, 0, why, why_len);
	answer(conn, &out);
}
#define REJECT(conn, id, literal) reject(conn, id, literal, sizeof(literal) - 1)

static void register_target(struct net_conn *conn, const struct qn_snyper_message *message)
{
	struct master *master = registration_of(conn)->master;
	char id[sizeof(((struct remote *)0)->id)], where[24];

	size_t len = qn_json_unescape(message->client_id, master->options.profile->dialect, id,
				      sizeof(id));
	if (len == 0 || memchr(id, '\0', len < sizeof(id) ? len : sizeof(id)) != NULL) {
		REJECT(conn, message->id, "client_id must be a name");
		return;
	}
	if (len >= sizeof(id)) {
		REJECT(conn, message->id, "client_id is longer than 63 bytes");
		return;
	}
	int64_t number = registry_enter(master, id, len);
	if (number < 0) {
		REJECT(conn, message->id, "no room for another target");
		return;
	}
	struct remote *remote = &master->remotes[number];
	if (!remote->known)
		master->known++;
	/* It has booted or moved, as a rule: what is open to it is stale. */
	commands_drop_kept(master, remote);
	remote->known = true;
	remote->ever_registered = true;
	/* Registering again overwrites the address: the source of this very connection. */
	remote->ip = conn->peer.ip;
	master->totals.registrations++;
	net_addr_text(conn->peer, where, sizeof(where));
	master_tell(master, EVENT_M_REGISTERED, remote, 0, 0, where, strlen(where));
	struct qn_snyper_out out = { .type = QN_SNYPER_REGISTERED,
				     .id = message->id,
				     .target_id = { remote->id, remote->id_len } };
	answer(conn, &out);
}

static size_t registration_received(struct net_conn *conn, const char *bytes, size_t len,
				    size_t fresh)
{
	struct registration *r = registration_of(conn);
	struct qn_snyper_message message;
	struct qn_fault fault;
	char space[64];
	size_t done = 0;

	loop_timer(r->master->loop, &conn->timer, IDLE_LIMIT_NS);
	for (;;) {
		size_t taken;
		enum qn_snyper_step step = qn_snyper_answerer_next(
			&r->answerer, bytes + done, len - done, fresh > done ? fresh - done : 0,
			&taken, &message, &fault);
		done += taken;
		switch (step) {
		case QN_SNYPER_STEP_MORE: return done;
		case QN_SNYPER_STEP_REQUEST: register_target(conn, &message); break;
		case QN_SNYPER_STEP_IGNORED: r->master->totals.registrations_rejected++; break;
		case QN_SNYPER_STEP_REFUSE: {
			struct qn_text text = { fault.text, strlen(fault.text) };
			if (fault.code == QN_OK)
				text = qn_snyper_unsupported(QN_SNYPER_MASTER, message.type, space,
							     sizeof(space));
			reject(conn, fault.code == QN_OK ? message.id : (struct qn_text){ NULL, 0 },
			       text.at, text.len);
			break;
		}
		case QN_SNYPER_STEP_CLOSE:
			r->master->totals.registrations_rejected++;
			master_tell(r->master, EVENT_M_REJECTED, NULL, 0, 0, fault.text,
				    strlen(fault.text));
			close_it(conn);
			return done;
		}
	}
}

/* Somebody who connects and says nothing does not keep a descriptor for ever. */
static void registration_idle(struct timer *timer, int64_t now_ns)
{
	(void)now_ns;
	close_it(OF(timer, struct net_conn, timer));
}

static void registration_closed(struct net_conn *conn, int error)
{
	(void)error;
	registration_of(conn)->master->registering--;
}

static const struct net_handler registration_handler = { .received = registration_received,
							 .closed = registration_closed };

bool registration_accept(struct net_listener *listener, struct net_conn *conn)
{
	struct master *master = listener->owner;
	struct registration *r = registration_of(conn);

	/* Those who connect and say nothing must leave room for commands. */
	uint32_t most = master->options.limits.registrations;
	if (most > 0 && master->registering >= most) {
		static const char why[] = "too many at the same time";
		master->totals.registrations_rejected++;
		master_tell(master, EVENT_M_REJECTED, NULL, 0, 0, why, sizeof(why) - 1);
		return false;
	}
	master->registering++;
	conn->handler = &registration_handler;
	r->master = master;
	qn_snyper_answerer_init(&r->answerer, master->options.profile, QN_SNYPER_MASTER, 0);
	conn->timer.fire = registration_idle;
	loop_timer(master->loop, &conn->timer, IDLE_LIMIT_NS);
	return true;
}
