#include "emulator/master/parts.h"

#include <assert.h>
#include <string.h>

/* The listening side: who connects, who registers, and which of them stay. */

#define IDLE_LIMIT_NS INT64_C(30000000000)

/* ---- connections ---- */

bool talk_init(struct net_conn *conn, struct master_listener *listener)
{
	struct talk *talk = talk_of(conn);

	talk->listener = listener;
	if (listener->wire->conn_bytes == 0)
		return true;
	void *state = pool_get(&listener->conns);
	if (state == NULL)
		return false;
	memset(state, 0, listener->wire->conn_bytes);
	memcpy(talk->wire, &state, sizeof(state));
	return true;
}

void talk_release(struct net_conn *conn)
{
	struct talk *talk = talk_of(conn);

	talk->gone = true;
	if (talk->listener->wire->drop != NULL)
		talk->listener->wire->drop(conn);
	if (talk->listener->wire->conn_bytes > 0)
		pool_put(&talk->listener->conns, talk_state(conn));
}

/* It is gone, or about to be: what stood and fell with it. */
static void leave(struct net_conn *conn, int error)
{
	struct talk *talk = talk_of(conn);
	struct master *master = talk->listener->master;

	if (talk->listener->wire->gone != NULL)
		talk->listener->wire->gone(conn);
	if (!talk->linked) {
		master->registering--;
		talk_release(conn);
		return;
	}
	if (talk->listener->wire->end != NULL)
		talk->listener->wire->end(conn);
	struct remote *remote = &master->remotes[talk->number];
	talk_release(conn);
	bool was_its_link = remote->kept == conn;
	if (was_its_link)
		remote->kept = NULL;
	commands_fail(conn, error);
	/* A newer one may be open by now: then it is not forgotten. */
	if (was_its_link && remote->kept == NULL)
		master_forget(master, talk->number);
}

void talk_close(struct net_conn *conn)
{
	const struct talk *talk = talk_of(conn);

	if (talk->gone)
		return;
	if (talk->linked && talk->listener->wire->farewell != NULL)
		talk->listener->wire->farewell(conn);
	net_close(conn);
	leave(conn, 0);
}

void talk_closed(struct net_conn *conn, int error)
{
	leave(conn, error);
}

void master_alive(struct net_conn *conn)
{
	const struct talk *talk = talk_of(conn);

	if (!talk->linked && !talk->listener->wire->guests)
		loop_timer(conn->net->loop, &conn->timer, IDLE_LIMIT_NS);
}

/* Somebody who connects and says nothing does not keep a descriptor for ever. */
static void idle(struct timer *timer, int64_t now_ns)
{
	(void)now_ns;
	talk_close(OF(timer, struct net_conn, timer));
}

static bool refuse(struct master *master, const char *why)
{
	master->totals.registrations_rejected++;
	master_tell(master, EVENT_M_REJECTED, NULL, 0, 0, why, strlen(why));
	return false;
}

bool registration_accept(struct net_listener *net_listener, struct net_conn *conn)
{
	struct master_listener *listener = net_listener->owner;
	struct master *master = listener->master;

	/* Those who connect and say nothing must leave room for commands. */
	uint32_t most = master->options.limits.registrations;
	if ((most > 0 && master->registering >= most) || !talk_init(conn, listener))
		return refuse(master, "too many at the same time");
	master->registering++;
	conn->handler = &listener->wire->accepted;
	conn->timer.fire = idle;
	master_alive(conn);
	if (listener->wire->begin != NULL)
		listener->wire->begin(conn);
	return true;
}

/* ---- for wires ---- */

struct remote *master_enter(struct net_conn *conn, const char *id, size_t len, const char **ret_why)
{
	const size_t most = sizeof(((struct remote *)0)->id);
	struct master *master = talk_master(conn);
	char where[24];

	if (len == 0 || memchr(id, '\0', len < most ? len : most) != NULL) {
		*ret_why = "client_id must be a name";
		return NULL;
	}
	if (len >= most) {
		*ret_why = "client_id is longer than 63 bytes";
		return NULL;
	}
	int64_t number = registry_enter(master, id, len);
	if (number < 0) {
		*ret_why = "no room for another target";
		return NULL;
	}
	struct remote *remote = &master->remotes[number];
	/* It has booted or moved, as a rule: what is open to it is stale. What was under way there
	 * fails, which may end a round, and that may forget it: so this comes first. */
	commands_drop_kept(master, remote);
	if (!remote->known)
		master->known++;
	remote->known = true;
	remote->ever_registered = true;
	/* Registering again overwrites the address: the source of this very connection. */
	remote->ip = conn->peer.ip;
	remote->listener = (uint8_t)(talk_of(conn)->listener - master->listeners);
	master->totals.registrations++;
	net_addr_text(conn->peer, where, sizeof(where));
	master_tell(master, EVENT_M_REGISTERED, remote, 0, 0, where, strlen(where));
	return remote;
}

void master_link(struct net_conn *conn, struct remote *remote)
{
	struct talk *talk = talk_of(conn);
	struct master *master = talk->listener->master;

	if (!talk->linked)
		master->registering--;
	talk->linked = true;
	talk->open = true;
	talk->number = (uint32_t)(remote - master->remotes);
	remote->kept = conn;
	timer_cancel(&master->loop->timers, &conn->timer);
}

void master_reject(struct net_conn *conn, const char *why, size_t why_len)
{
	struct master *master = talk_master(conn);

	master->totals.registrations_rejected++;
	master_tell(master, EVENT_M_REJECTED, NULL, 0, 0, why, why_len);
}

void master_hit(struct net_conn *conn, const char *id, size_t len, int64_t value)
{
	struct master *master = talk_master(conn);
	int64_t number = master_find(master, id, len);

	master->totals.hits++;
	master_tell(master, EVENT_M_HIT, number >= 0 ? &master->remotes[number] : NULL, 0, value,
		    id, len);
}
