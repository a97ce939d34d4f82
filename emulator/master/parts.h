/*
 * What the files of the master share; nobody else includes this.
 *
 * registry.c: who there is. registrations.c: the listening side. commands.c: the asking side.
 * wire_*.c: what all that is in bytes (wire.h).
 */
#ifndef MASTER_PARTS_H
#define MASTER_PARTS_H

#include "emulator/base/pool.h"
#include "emulator/master/master.h"

#define OF(pointer, type, member) ((type *)((char *)(pointer)-offsetof(type, member)))

/* A command from when it is due to when its outcome is known. */
struct command {
	struct command *next; /* while it waits for a place under the cap; of those on one link */
	struct master *master;
	struct net_conn *conn;
	int64_t due_ns, sent_ns;
	uint64_t id;
	uint32_t number;
	uint8_t type;       /* enum range_word */
	bool spoke;         /* it was answered by a message, though not as asked */
	struct timer timer; /* on a link: its own deadline */
	struct qn_text duration;
	master_done *done;
	void *context;
};

struct master {
	struct loop *loop;
	struct net *net;
	struct events *events;
	struct master_options options;
	struct master_listener listeners[MASTER_LISTENERS_MAX];
	size_t n_listeners, failed_listener;
	uint32_t registering; /* connections that are open for it */
	struct remote *remotes;
	uint32_t count, known;
	uint32_t *table; /* open addressing: number + 1, or 0 */
	uint32_t table_mask;
	struct pool commands;
	uint64_t command_ids;
	struct command *waiting, **waiting_end;
	bool draining;
	struct master_totals totals;
	struct master_command_stats stats[RANGE_COMMANDS];
};

#define TALK_WIRE_BYTES 56

/* What a connection of a master carries, be it accepted or for asking. */
struct talk {
	struct master_listener *listener;
	struct command *command; /* the one that was asked; of a link: all that are under way */
	int64_t deadline_ns;     /* of the answer */
	uint32_t number;
	bool asks;   /* we called */
	bool linked; /* they did, and it stays */
	bool open;
	bool reused; /* it has answered before: its end may have crossed our request */
	bool gone;
	_Alignas(8) unsigned char wire[TALK_WIRE_BYTES];
};
_Static_assert(sizeof(struct talk) <= NET_SESSION_BYTES, "a session fits its connection");

static inline struct talk *talk_of(struct net_conn *conn)
{
	return (struct talk *)(void *)conn->session;
}

/* The adapter's own part of a connection: in place, or out of the pool (conn_bytes > 0). */
static inline void *talk_wire(struct net_conn *conn)
{
	return talk_of(conn)->wire;
}

static inline void *talk_state(struct net_conn *conn)
{
	return *(void **)(void *)talk_of(conn)->wire;
}

static inline struct master *talk_master(struct net_conn *conn)
{
	return talk_of(conn)->listener->master;
}

/* registry.c */
int registry_init(struct master *master);
void registry_release(struct master *master);
/* The number of that id, entering it where it is new; -1: no room. */
int64_t registry_enter(struct master *master, const char *id, size_t len);

/* registrations.c */
bool registration_accept(struct net_listener *listener, struct net_conn *conn);
/* False: there is no room for the adapter's state. */
bool talk_init(struct net_conn *conn, struct master_listener *listener);
void talk_release(struct net_conn *conn);

/* registrations.c, for wires */
/* Something came: its connection does not idle. */
void master_alive(struct net_conn *conn);
/*
 * A registration under that id (plain UTF-8), from the address of this connection. Its remote, told
 * and known; NULL: refused, *ret_why says why, and it is for the adapter to reject it. Of an id
 * that is too long (64 bytes and more) only the first 64 bytes need to be there.
 */
struct remote *master_enter(struct net_conn *conn, const char *id, size_t len,
			    const char **ret_why);
/* Of a wire that is dialled: behind master_enter(), the connection is its link from now on, and
 * conn->timer the adapter's. */
void master_link(struct net_conn *conn, struct remote *remote);
/* What came is no registration, or one that is refused: counted and told. */
void master_reject(struct net_conn *conn, const char *why, size_t why_len);
/* A target reports a hit. */
void master_hit(struct net_conn *conn, const char *id, size_t len, int64_t value);
/* Closes an accepted connection; commands under way on it fail. */
void talk_close(struct net_conn *conn);
void talk_closed(struct net_conn *conn, int error);

/* commands.c, for wires that call by themselves */
void master_called(struct command *command, enum master_outcome outcome, const char *why,
		   bool spoke);

/* commands.c, for wires that are dialled */
/* The one of that id under way on this link, or the oldest with that word; NULL: none. */
struct command *master_command_of_id(struct net_conn *conn, uint64_t id);
struct command *master_command_of_word(struct net_conn *conn, enum range_word word);
/* It is answered: as asked (flaw NULL), or not. */
void master_answered(struct net_conn *conn, struct command *command,
		     const struct master_flaw *flaw);

/* commands.c */
void commands_drop_kept(struct master *master, struct remote *remote);
/* The link is gone: what was under way on it has failed. */
void commands_fail(struct net_conn *conn, int error);

void master_tell(struct master *master, enum event_kind kind, const struct remote *remote,
		 uint8_t type, int64_t value, const char *text, size_t text_len);

#endif
