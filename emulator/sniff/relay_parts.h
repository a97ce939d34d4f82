/*
 * What the files of the relay share; nobody else includes this.
 *
 * relay.c: accepting, connecting, the end of a connection. lane.c: one way of it.
 * ends[way] is who sends that way, lanes[way] what he sent and the other end has not taken yet.
 */
#ifndef SNIFF_RELAY_PARTS_H
#define SNIFF_RELAY_PARTS_H

#include "emulator/base/pool.h"
#include "emulator/sniff/relay.h"

#define OF(pointer, type, member) ((type *)((char *)(pointer)-offsetof(type, member)))

/* Of a lane: what waits for one who does not read. From here on the other is not read either. */
#define LANE_MAX 262144

struct unit {
	struct unit *next;
	struct buffer data;
	uint32_t released, sent; /* told and free to go; gone */
	uint32_t piece, pieces;
	int64_t due_ns, gap_ns;
	enum unit_then then;
	bool coalescing;
};

struct crossing;

struct lane {
	struct crossing *of;
	enum way way;
	struct unit *first, *last;
	size_t bytes;
	struct timer timer;
	bool read_ended; /* its sender has said that no more comes */
	bool end_passed; /* and its receiver was told so */
	bool deaf;       /* a fault has ended it: what still comes is nobody's */
	bool blocked;    /* the receiver's socket is full */
};

struct end {
	struct loop_watch watch;
	struct crossing *of;
	int fd; /* -1: none */
	uint32_t events;
	bool watched;
};

struct crossing {
	struct relay *relay;
	uint32_t number;
	bool connected, dead, refused;
	struct end ends[2];
	struct lane lanes[2];
	struct loop_deferred burial;
	struct crossing *next, *prev;
	struct unit_before before[2];
};

struct listener {
	struct loop_watch watch;
	struct relay *relay;
	const struct route *route;
	uint32_t index; /* of the route's addresses */
	int fd;
	struct timer resume;
};

struct relay {
	struct loop *loop;
	struct relay_options options;
	struct relay_stats stats;
	struct pool crossings, units;
	struct buffers buffers;
	struct crossing *open;
	struct listener *listeners;
	uint32_t n_listeners, last_number;
	bool started;
	int64_t start_ns;
	uint16_t port;
	char scratch[UNIT_MAX + 1];
};

/* ---- relay.c ---- */
void crossing_tell(struct crossing *crossing, enum happened_kind kind, enum way way,
		   struct qn_text bytes, const char *text);
/* Both ends go, with a reset where `reset` says so; told as CLOSE, unless it was refused. */
void crossing_close(struct crossing *crossing, bool reset);
/* Watches what is to be watched. */
void crossing_update(struct crossing *crossing);

/* ---- lane.c ---- */
/* Its end is ready to be read: takes one unit. */
void lane_read(struct crossing *crossing, enum way way);
/* Sends on what may go. The crossing may be dead afterwards. */
void lane_pump(struct crossing *crossing, enum way way);
void lane_release(struct crossing *crossing, enum way way);
void lane_init(struct lane *lane, struct crossing *of, enum way way);
/* Whoever sends that way has reset the connection. */
void lane_reset(struct crossing *crossing, enum way way);

#endif
