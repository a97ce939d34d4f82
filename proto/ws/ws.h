/*
 * WebSocket, both ends, without I/O: frames in and out, messages put together, close, deflate.
 *
 * Purpose: bytes of a connection become messages and control frames; messages become bytes. Frames
 * are read and written by wslay's frame functions; what they leave open (masks, RSV bits, opcodes,
 * order of fragments, close codes, UTF-8, limits, permessage-deflate) is decided here.
 * Ownership: a qn_ws is a connection's, small, and holds nothing while no message is incomplete.
 * A qn_ws_shared is a thread's: parser, zlib's state, room for messages that come in pieces. A
 * payload that qn_ws_next() gives back points into it or into the caller's bytes, and lives until
 * the next call with the same shared.
 * Errors: QN_WS_FAIL says with which code to close, and why; after that nothing more is read.
 * Threads: everything that shares a qn_ws_shared belongs to one thread.
 * Source: RFC 6455, RFC 7692; PROTOCOL.md "jsonrpc".
 */
#ifndef QN_WS_H
#define QN_WS_H

#include "proto/fault.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <wslay/wslay.h>

enum qn_ws_role { QN_WS_SERVER, QN_WS_CLIENT };

/* Of RFC 6455, 7.4.1, and the registry that it opened. */
enum qn_ws_code {
	QN_WS_NORMAL = 1000,
	QN_WS_GOING_AWAY = 1001,
	QN_WS_PROTOCOL_ERROR = 1002,
	QN_WS_UNSUPPORTED = 1003,
	QN_WS_NO_CODE = 1005, /* never on the wire: a close frame without one */
	QN_WS_BAD_DATA = 1007,
	QN_WS_POLICY = 1008,
	QN_WS_TOO_BIG = 1009,
	QN_WS_INTERNAL = 1011,
	QN_WS_TRY_LATER = 1013,
};

enum qn_ws_step {
	QN_WS_MORE, /* all that is whole has been read */
	QN_WS_TEXT, /* a whole message; valid UTF-8 */
	QN_WS_BINARY,
	QN_WS_PING, /* answer it with the same payload */
	QN_WS_PONG,
	QN_WS_CLOSED, /* the peer's close frame; answer it with its code, unless we closed first */
	QN_WS_FAIL,   /* close with `code`, then the connection */
};

struct qn_ws_event {
	struct qn_text payload; /* of a close frame: the reason */
	uint16_t code;
	bool compressed;
	const char *why; /* of QN_WS_FAIL */
};

/* A frame's payload up to here is waited for whole; a longer one is taken as it comes. */
#define QN_WS_WHOLE_MAX 4080
/* What qn_ws_write() adds to a payload at most. */
#define QN_WS_HEADER_MAX 14
/* What a control frame may carry. */
#define QN_WS_CONTROL_MAX 125

/* A message that comes in pieces. */
struct qn_ws_assembly {
	struct qn_ws_assembly *next; /* while it is free */
	wslay_frame_context_ptr frames;
	char *room;
	size_t len, checked; /* bytes that are there; of those, so many are known to be text */
};

struct qn_ws_source {
	const char *at;
	size_t len;
};

struct qn_ws_sink {
	char *at, *end;
	uint32_t mask;
};

struct qn_ws_shared {
	/* Read only. */
	size_t message_max;
	unsigned assemblies, assemblies_used;
	uint64_t assemblies_short; /* messages that were refused because no room was left */

	/* Private. */
	wslay_frame_context_ptr frames;
	wslay_frame_context_ptr bare,
		masking; /* for writing: one that masked once (1.1.1) goes on */
	struct qn_ws_source source;
	struct qn_ws_sink sink;
	struct qn_ws_assembly *free_list;
	struct qn_ws_assembly *all;
	char *inflated;
	struct z_stream_s *inflate, *deflate; /* NULL: not there yet */
};

/* What the caller reserves for a qn_ws_shared. */
size_t qn_ws_shared_bytes(size_t message_max, unsigned assemblies);
/*
 * `memory` of that many bytes, aligned as malloc's; it stays the caller's and outlives the shared.
 * message_max: of a message, after inflating. assemblies: messages in pieces at the same time.
 * False: zlib or wslay got no memory (they allocate here and, after a broken frame, a parser anew).
 */
bool qn_ws_shared_init(struct qn_ws_shared *shared, void *memory, size_t message_max,
		       unsigned assemblies);
void qn_ws_shared_release(struct qn_ws_shared *shared);

struct qn_ws {
	struct qn_ws_assembly *assembly;
	uint64_t frame_left; /* of a long frame that is being taken as it comes */
	uint8_t role;
	uint8_t opcode; /* of the message that is incomplete; 0: none */
	bool compressed;
	bool deflate; /* negotiated */
	bool over;    /* a close frame came, or a fault: the rest is nobody's */
	bool long_frame, long_fin;
};

void qn_ws_init(struct qn_ws *ws, enum qn_ws_role role, bool deflate);
/* Gives back the room of an incomplete message: before the connection goes. */
void qn_ws_drop(struct qn_ws *ws, struct qn_ws_shared *shared);

/*
 * The next event in `bytes`, all that was not taken yet. *ret_taken is how many are done with, also
 * with QN_WS_MORE; what is left comes again with more behind it.
 */
enum qn_ws_step qn_ws_next(struct qn_ws *ws, struct qn_ws_shared *shared, const char *bytes,
			   size_t len, size_t *ret_taken, struct qn_ws_event *ret);

struct qn_ws_out {
	uint8_t opcode; /* WSLAY_TEXT_FRAME, ... */
	bool not_fin;   /* more of the message follows in frames of opcode 0 */
	bool compressed;
	bool wrong_mask; /* a fault: masked where it must not be, bare where it must */
	uint8_t rsv;     /* a fault: reserved bits, as wslay counts them */
	struct qn_text payload;
	uint32_t mask; /* a client's: drawn for each frame (RFC 6455, 10.3) */
};

/* One frame. Returns its length, 0 where `cap` does not hold it. */
size_t qn_ws_write(struct qn_ws_shared *shared, enum qn_ws_role role, const struct qn_ws_out *out,
		   char *buffer, size_t cap);
/* A close frame; code 0 or QN_WS_NO_CODE: an empty one. The reason is cut to what fits. */
size_t qn_ws_write_close(struct qn_ws_shared *shared, enum qn_ws_role role, unsigned code,
			 const char *reason, uint32_t mask, char *buffer, size_t cap);

/*
 * A message's payload for a frame with `compressed` set. Returns its length; 0 where it would be
 * no shorter than `text`, or `cap` does not hold it: then it is sent as it is.
 */
size_t qn_ws_deflate(struct qn_ws_shared *shared, struct qn_text text, char *buffer, size_t cap);

/* May it stand in a close frame (RFC 6455, 7.4)? */
bool qn_ws_code_valid(unsigned code);

#endif
