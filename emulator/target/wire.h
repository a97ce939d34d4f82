/*
 * A wire, as a target speaks it: the adapter between one target and the bytes of one protocol.
 *
 * Purpose: mechanics, sensor, life, faults and results know words (emulator/base/word.h); a wire
 * knows bytes. Each has one `struct target_wire` named target_wire_NAME in wire_NAME.c, found by
 * the table in emulator/base/wires.h. HACKING.md, "A wire", walks through one.
 *
 * There are two shapes:
 * - The target is a server (snyper, http): it registers over a connection of its own, which is
 *   closed afterwards, then listens; every accepted connection is served.
 * - The target dials out and `stays` (framed, agent): the connection over which it registered is
 *   its registration, and is served from then on. When that is lost the target dials again.
 *   A wire that stays may listen too.
 *
 * What a connection carries: `struct served` (parts.h), of which `wire` is the adapter's own: up to
 * SERVED_WIRE_BYTES in place, zeroed. One that needs more says how much in conn_bytes, and gets it
 * zeroed from a pool that is reserved at the start: served_state(conn). conn->timer is the
 * registration's until the target is registered, and the adapter's own from then on (of accepted
 * connections: from the start); it is cancelled with the connection.
 *
 * A connection can end inside every call that serves or sends (a fault, a crash): look at
 * served_of(conn)->gone after each, and touch neither session nor state if it is set.
 * Texts handed over live during the call. Threads: the target's.
 */
#ifndef TARGET_WIRE_H
#define TARGET_WIRE_H

#include "emulator/base/net.h"
#include "emulator/base/pool.h"
#include "emulator/base/settings.h"
#include "emulator/base/wires.h"
#include "emulator/base/word.h"
#include "emulator/target/faults.h"
#include "proto/fault.h"

struct target;
struct target_env;
struct target_group;

/* A command, read from a wire. */
struct target_request {
	enum range_word word; /* RANGE_PING, _STAND_UP, _LAY_DOWN or _ACTIVATE */
	/* What the answer needs to find its way back, as the wire will want to have it again: an
	 * id, a token. Kept up to 96 bytes long where the answer waits for its movement. */
	struct qn_text id;
	struct qn_text duration; /* of activate, as written, up to 32 bytes; empty: not given */
	double duration_s;       /* of activate */
	struct qn_text text;     /* the whole message, for events */
};

/* An answer, to be written. Faults change these members before the wire sees them. */
struct target_answer {
	enum range_word word;     /* RANGE_PONG, _STANDING, _DOWN, _ACTIVATED or _ERROR */
	struct qn_text id;        /* the request's; empty: none is known */
	struct qn_text target_id; /* plain UTF-8 */
	struct qn_text error;     /* of RANGE_ERROR */
	struct qn_text duration;  /* of RANGE_ACTIVATED: as the request had it */
	int64_t wall_ns;          /* the target's own clock */
	bool done;                /* the movement is over, not only queued */
};

/* How a registration goes. */
enum target_heard {
	TARGET_HEARD_MORE, /* not over yet */
	TARGET_HEARD_YES,  /* registered */
	TARGET_HEARD_NO,   /* *ret_why says why not */
};

/* What the targets of a group share at run time: made by target_group_open(). */
struct target_group_run {
	struct net *net;   /* through which they connect and listen: env->net, or one over it */
	struct pool conns; /* wire->conn_bytes each */
	void *wire;        /* the adapter's own */
};

struct target_wire {
	enum wire_id id;
	bool listens;
	bool stays;
	/* It registers with nobody: in service, and registered, as soon as it has booted. */
	bool alone;
	/* The shape that a group's settings ask for; NULL: this one. */
	const struct target_wire *(*choose)(const void *options);
	/* Answers leave in the order of their requests: while one waits for its movement nothing
	 * more is read from its connection. */
	bool in_order;
	/* Every move is answered twice: when it is queued, and (done) when it is over. */
	bool answers_twice;
	bool tls;          /* in real time: a simulation goes without, and the run says so */
	size_t conn_bytes; /* 0: what struct served has in place suffices */

	/* ---- a group's start and end; both may be NULL ---- */

	/* After the pools are there. Sets run->net where it speaks through TLS. 0 or -errno. */
	int (*open)(struct target_env *env, const struct target_group *group);
	void (*close)(struct target_env *env, const struct target_group *group);
	/* Checks group->wire_options, once, after loading. May be NULL. */
	void (*check)(struct settings *settings, const struct setting_origin *origin,
		      void *options);

	/* ---- registering ---- */

	/* Connects to its master: as net_connect(). NULL: net_connect() over run->net. */
	int (*connect)(struct target *target, struct net_addr from,
		       const struct net_handler *handler, struct net_conn **ret);

	/* The connection is open: says who it is (name: what a fault says instead). Sends. */
	void (*hello)(struct net_conn *conn, struct qn_text name);
	/* As net_handler.received: sets *ret_taken always. */
	enum target_heard (*heard)(struct net_conn *conn, const char *bytes, size_t len,
				   size_t fresh, size_t *ret_taken, const char **ret_why);
	/* The peer sends no more; `rest` was left. NULL: it is no registration then. */
	enum target_heard (*heard_end)(struct net_conn *conn, const char *rest, size_t len,
				       const char **ret_why);
	/* Within closed(): what the net knows about the error. NULL: what strerror() says. */
	const char *(*why_closed)(const struct target *target, int error);
	/* When to dial again after the `tries`th failure in a row, or (0) after the connection of a
	 * registered one was lost, with error 0 in good order. NULL: as fleet.retry says. */
	int64_t (*redial_ns)(const struct target *target, int error);

	/* ---- serving ---- */

	/*
	 * Its received() is the adapter's own: it begins with target_deaf(), and calls
	 * target_serve(), target_refuse() and target_bad_line() for what came. `ended` and `closed`
	 * are served_ended and served_closed as a rule.
	 */
	struct net_handler served;
	/* A connection to serve begins: accepted, or registered over and staying. May be NULL. */
	void (*begin)(struct net_conn *conn);
	/* It is about to go: what begin() took is to be given back. May be NULL. */
	void (*end)(struct net_conn *conn);
	/*
	 * Writes the answer as one unit. Its length; 0 where cap is too small. It may be called
	 * more than once for one answer, also for one that is not sent: it changes nothing. It says
	 * served->last where the connection is to be closed behind it.
	 */
	size_t (*write)(struct net_conn *conn, const struct target_answer *answer, char *unit,
			size_t cap);
	/* The unit of an answer is about to leave, or (len 0) never will. True: the adapter has
	 * kept it, for a larger one. NULL: never. */
	bool (*take)(struct net_conn *conn, const char *unit, size_t len);
	/* It has left, or a fault holds it. May be NULL. */
	void (*sent)(struct net_conn *conn);
	/* The state out of the pool goes back, also that of a connection that only registered. May
	 * be NULL. */
	void (*drop)(struct net_conn *conn);
	/* What events say of a unit where the unit itself is no text. NULL: the unit. */
	struct qn_text (*describe)(const char *unit, size_t len, char *space, size_t cap);
	/* The target's program went on after a hang: timers that were due meanwhile. May be NULL.
	 */
	void (*woke)(struct net_conn *conn);

	/* ---- unasked ---- */

	/*
	 * Something changed that nobody asked about: EVENT_RISING, _STANDING, _FALLING, _DOWN,
	 * _ACTIVE (value: its ns), _HIT (value: ns since), _MISS. NULL: this wire has no words for
	 * it. Sends with target_send() on target->link.
	 */
	void (*news)(struct target *target, int event, int64_t value);
	/* A hit, with hit.report = "wire". NULL: the wire has no message for it. */
	void (*report_hit)(struct target *target);

	/* ---- faults ---- */

	/* The `id` of an answer that nobody asked for. */
	const char *wrong_id;
	/* Of the kinds that every wire may have: those that make no sense on this one. */
	uint64_t faults_without;
	/* Of the kinds in FAULTS_OF_WIRES: those that it has. */
	uint64_t faults_own;
	/*
	 * A message fault that changes bytes strikes (upper_type, bad_utf8, deep, oversized,
	 * cut_json, no_newline, and its own): changes the unit, returns its new length, at most
	 * cap; unit[len] is '\0'. target_spoil_json() (parts.h) does it to JSON.
	 */
	size_t (*spoil)(struct target *target, const struct fault_spec *spec, char *unit,
			size_t len, size_t cap);
};

/* Room in a group's config for the settings of one wire. */
#define TARGET_WIRE_OPTIONS_BYTES 256

const struct target_wire *target_wire(enum wire_id id);
/* Can a target on this wire have such a fault? */
bool target_wire_has_fault(const struct target_wire *wire, enum fault_kind kind);
/* "snyper, http": those that have it. Returns buf. */
const char *target_wires_with_fault(enum fault_kind kind, char *buf, size_t cap);

#define X(constant, name, port) extern const struct target_wire target_wire_##name;
WIRES(X)
#undef X

#endif
