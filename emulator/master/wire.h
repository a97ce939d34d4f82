/*
 * A wire, as a master speaks it: the adapter between a master and the bytes of one protocol.
 *
 * Purpose: registry, rounds, limits and latencies know words (emulator/base/word.h); a wire knows
 * bytes. Each has one `struct master_wire` named master_wire_NAME in wire_NAME.c, found by the
 * table in emulator/base/wires.h. A master may listen on several wires at once: there is one
 * registry, and each remote remembers the listener by which it came. HACKING.md, "A wire", walks
 * through one.
 *
 * There are two shapes:
 * - The master calls (snyper, http): a target registers over a connection of its own; a command
 * goes to its address over a new connection, or over one that is kept. One command a connection is
 *   under way: the connection says whose answer it is.
 * - Targets dial in (`dialled`: framed, agent): the connection over which one said hello is its
 *   registration; commands go out on it, many at a time, and the adapter finds out whose answer it
 *   has read. When the connection ends the target is forgotten until it comes again.
 *
 * What a connection carries: `struct talk` (parts.h), of which `wire` is the adapter's own: up to
 * TALK_WIRE_BYTES in place, zeroed; one that needs more says conn_bytes and has it zeroed from a
 * pool: talk_state(conn). conn->timer is the master's own, except of connections that are linked.
 * A connection can end inside master_answered() and master_reject(): look at talk_of(conn)->gone.
 * Texts handed over live during the call. Threads: the master's.
 */
#ifndef MASTER_WIRE_H
#define MASTER_WIRE_H

#include "emulator/base/net.h"
#include "emulator/base/pool.h"
#include "emulator/base/settings.h"
#include "emulator/base/wires.h"
#include "emulator/base/word.h"
#include "proto/fault.h"
#include "proto/snyper/profile.h"

struct command;
struct master;
struct master_wire;

/* One port of a master, and what is spoken there. */
struct master_listener_options {
	enum wire_id wire;
	struct net_addr at;
	uint16_t target_port; /* 0: the listening port's number, as the real master */
	const struct qn_snyper_profile *profile;
	bool keep;                /* one kept connection a target instead of one a message */
	const void *wire_options; /* the wire's own settings; NULL: it has none */
};

struct master_listener {
	struct master *master;
	const struct master_wire *wire;
	struct master_listener_options options;
	struct net *net;               /* master's, or one over it */
	struct net_listener *listener; /* NULL: stopped */
	struct net_addr address;
	struct pool conns; /* wire->conn_bytes each */
	void *state;       /* the adapter's own */
	bool closed;
};

/* A command, to be written. */
struct master_request {
	enum range_word word; /* RANGE_PING, _STAND_UP, _LAY_DOWN or _ACTIVATE */
	uint64_t id;          /* of this command among all of this master, from 1 */
	struct qn_text target_id;
	struct qn_text duration; /* of activate: a JSON number; empty: the wire's default */
	int64_t wall_ns;
};

enum master_heard {
	MASTER_HEARD_MORE, /* the answer is not whole yet */
	MASTER_HEARD_OK,   /* as asked */
	MASTER_HEARD_LAST, /* as asked, and the connection cannot be kept */
	MASTER_HEARD_BAD,  /* an answer that is none: see struct master_flaw */
};

struct master_flaw {
	const char *why;
	bool spoke; /* it was a message, though not as asked: the target stays known */
};

struct master_wire {
	enum wire_id id;
	bool dialled; /* all of its targets do; of others, those that master_link() was called for
		       */
	bool tls;     /* in real time: a simulation goes without, and the run says so */
	size_t conn_bytes;

	/* Before the master listens: may set listener->net, listener->state. 0 or -errno. May be
	 * NULL. close() when it ends. */
	int (*open)(struct master_listener *listener);
	void (*close)(struct master_listener *listener);
	/* Checks options->wire_options, once, after loading. May be NULL. */
	void (*check)(struct settings *settings, const struct setting_origin *origin,
		      void *options);

	/* ---- the listening side ---- */

	/*
	 * Its received() is the adapter's own: it begins with master_alive(), and calls
	 * master_enter() for a registration, master_link() where the connection stays,
	 * master_reject() for what is none, master_answered() for answers on a linked one. `closed`
	 * is talk_closed.
	 */
	struct net_handler accepted;
	/* Somebody has connected: sends a greeting where the wire has one. May be NULL. */
	void (*begin)(struct net_conn *conn);
	/* We are about to close a linked connection, or one that asks: a last message. May be
	 * NULL. */
	void (*farewell)(struct net_conn *conn);
	/* A linked connection is about to go. May be NULL. */
	void (*end)(struct net_conn *conn);
	/* Any accepted connection is about to go, linked or not. May be NULL. */
	void (*gone)(struct net_conn *conn);
	/* Whoever connects may stay without registering: others than targets use this port too. */
	bool guests;
	/* The state out of the pool goes back, of whatever connection. May be NULL. */
	void (*drop)(struct net_conn *conn);

	/* ---- the asking side ---- */

	/*
	 * The adapter sees to the whole of a command by itself, over connections of its own, and
	 * ends it by master_called(), now or later. NULL, or false: it is asked as below.
	 */
	bool (*call)(struct master_listener *listener, struct command *command,
		     const struct master_request *request);

	/* Writes the command as one unit. Its length; 0 where cap is too small. */
	size_t (*ask)(struct net_conn *conn, const struct master_request *request, char *unit,
		      size_t cap);
	/* Not dialled: what came on a connection that asks, as net_handler.received; sets
	 * *ret_taken always. */
	enum master_heard (*heard)(struct net_conn *conn, const char *bytes, size_t len,
				   size_t fresh, size_t *ret_taken, struct master_flaw *ret_flaw);
	/* The same on one that is kept and at rest, where nothing is awaited: pings, news. False:
	 * it is to be closed. NULL: whatever comes is passed over. */
	bool (*at_rest)(struct net_conn *conn, const char *bytes, size_t len, size_t *ret_taken);
	/* Not dialled: the peer sends no more. MORE: it closed without an answer. */
	enum master_heard (*heard_end)(struct net_conn *conn, const char *rest, size_t len,
				       struct master_flaw *ret_flaw);
	/* What events say of a unit where the unit itself is no text. NULL: the unit. */
	struct qn_text (*describe)(const char *unit, size_t len, char *space, size_t cap);
};

/* Room in a listener's config for the settings of one wire. */
#define MASTER_WIRE_OPTIONS_BYTES 256

const struct master_wire *master_wire(enum wire_id id);

#define X(constant, name, port) extern const struct master_wire master_wire_##name;
WIRES(X)
#undef X

#endif
