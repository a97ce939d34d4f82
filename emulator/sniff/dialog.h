/*
 * A connection's two streams of bytes, put together to messages: what was said, and how long the
 * answer took.
 *
 * Purpose: one decoder a wire; what is no message says why, in the words of the wire's parser.
 * Units: nanoseconds. Ownership: a dialog holds what has not ended yet in buffers of its owner's,
 * and gives them back at dialog_release(). What is told lives during the call. Errors: a stream
 * that cannot be cut into messages any more is told once and then only counted. Threads: the
 * owner's.
 */
#ifndef SNIFF_DIALOG_H
#define SNIFF_DIALOG_H

#include "emulator/base/pool.h"
#include "emulator/sniff/happened.h"
#include "proto/http/http.h"
#include "proto/ws/ws.h"

enum dialog_wire {
	DIALOG_AUTO, /* by the first bytes */
	DIALOG_SNYPER,
	DIALOG_HTTP,
	DIALOG_FRAMED,
	DIALOG_AGENT,
	DIALOG_JSONRPC,
	DIALOG_TLS, /* records; what is in them is not seen */
	DIALOG_RAW, /* bytes of no known wire */
	DIALOG_WIRES,
};
/* "snyper", ...; ends with NULL after the wires that a user can name. [0] is "auto". */
extern const char *const dialog_wire_names[];

/* Longest message that is put together; what is longer is lost. */
#define DIALOG_MESSAGE_MAX (2u << 20)
/* Room for a message in words. */
#define DIALOG_WORDS 400

enum dialog_role {
	DIALOG_ASKS,    /* an answer is due */
	DIALOG_ANSWERS, /* of the earliest that asked the other way, with the same key */
	DIALOG_TELLS,   /* news: neither */
};

/* A message as its decoder sees it. */
struct said {
	enum dialog_role role;
	uint64_t key;          /* asks and answers belong together by it; 0: by their order alone */
	enum qn_code code;     /* QN_OK, or why it is malformed */
	struct qn_fault fault; /* text NULL: nothing more is known */
	char words[DIALOG_WORDS];
};

struct spoken {
	enum way way;
	int64_t t_ns;       /* when its last byte came */
	int64_t latency_ns; /* of an answer; -1: none */
	size_t len;         /* bytes */
	const struct said *said;
};

struct asked {
	uint64_t key;
	int64_t t_ns;
	enum way way;
};

#define DIALOG_ASKED_MAX 32

struct dialog {
	enum dialog_wire wire;
	struct buffers *buffers;
	struct buffer rest[2];
	bool lost[2];
	uint64_t lost_bytes[2];
	struct asked asked[DIALOG_ASKED_MAX]; /* the oldest first */
	unsigned n_asked;
	/* http, jsonrpc */
	struct qn_http_reader request;
	struct qn_http_reply reply;
	bool reply_open;
	/* jsonrpc: from the answer 101 on */
	bool upgraded;
	struct qn_ws ws[2];
};

typedef void spoke_fn(void *owner, const struct spoken *spoken);

void dialog_init(struct dialog *dialog, enum dialog_wire wire, struct buffers *buffers);
void dialog_release(struct dialog *dialog);
void dialog_hear(struct dialog *dialog, enum way way, const char *bytes, size_t len, int64_t t_ns,
		 spoke_fn *spoke, void *owner);
/* That way nothing more comes: a message that has not ended is told as malformed. */
void dialog_end(struct dialog *dialog, enum way way, int64_t t_ns, spoke_fn *spoke, void *owner);
/* Bytes that nobody saw: what stands around the gap is no message. */
void dialog_gap(struct dialog *dialog, enum way way);

/* ---- decoders ---- */

enum decode_step {
	DECODE_MORE, /* what is whole has been taken */
	DECODE_SAID, /* *said, of *taken bytes */
	DECODE_SKIP, /* *taken bytes that are no message and no fault */
	DECODE_LOST, /* *said says why nothing more can be cut out of this stream */
};
/* bytes[0, len), of which `fresh` is the first that was not there before. ended: no more comes. */
typedef enum decode_step decode_fn(struct dialog *dialog, enum way way, const char *bytes,
				   size_t len, size_t fresh, bool ended, size_t *taken,
				   struct said *said);
decode_fn decode_snyper, decode_http, decode_framed, decode_agent, decode_jsonrpc, decode_tls,
	decode_raw;
/* As many bytes as it takes to know the wire; DIALOG_AUTO: more are needed. */
enum dialog_wire dialog_guess(const char *bytes, size_t len);

/* Gives back what a WebSocket holds. */
void dialog_drop_websocket(struct dialog *dialog);

/* ---- words ---- */

/* Appends to said->words; peers' bytes go through words_safe(). */
void words_add(struct said *said, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Control characters as \xNN, what is no UTF-8 as well; at most `max` bytes of it, then "...". */
void words_safe(struct said *said, struct qn_text text, size_t max);
uint64_t dialog_key(struct qn_text id);

#endif
