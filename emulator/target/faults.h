/*
 * Faults: what a target does wrong when it is asked to.
 *
 * Purpose: every fault has a name, parameters, a probability, a duration and a seed; it comes from
 * a group's defaults, the timeline, or a control port, and acts the same. docs/FAULTS.md says of
 * each what a peer sees on the wire. Units: ns, bytes. Ownership: a spec belongs to its config and
 * outlives the targets that have it. Errors: what cannot be armed (no room) is false. Threads: the
 * target's.
 */
#ifndef FAULTS_H
#define FAULTS_H

#include "emulator/base/settings.h"
#include "emulator/base/timers.h"
#include "emulator/base/units.h"

#include <stdbool.h>
#include <stdint.h>

/* Parameters that a fault may take, beside probability, for, every and seed. */
#define FAULT_TIME 1u     /* `time`: a distribution */
#define FAULT_COUNT 2u    /* `count` */
#define FAULT_BYTES 4u    /* `bytes` */
#define FAULT_FACTOR 8u   /* `factor` */
#define FAULT_TEXT 16u    /* `text` */
#define FAULT_ADDRESS 32u /* `address` */
#define FAULT_BY 64u      /* `by`: a duration that may be negative */

/* What an answer has room for: such a text may come escaped, and twice in one line. */
#define FAULT_TEXT_MAX 255
#define FAULT_DEEP_MAX 30000

/* kind, name, what it acts on, parameters, default time, count, bytes, factor, help */
#define FAULT_KINDS(X)                                                                             \
	X(REFUSE, "refuse", NETWORK, 0, NULL, 0, 0, 0,                                             \
	  "its port is closed: connections are refused")                                           \
	X(SILENT, "silent", NETWORK, 0, NULL, 0, 0, 0, "accepts, reads, never answers")            \
	X(DELAY, "delay", NETWORK, FAULT_TIME, "200ms", 0, 0, 0, "answers late")                   \
	X(DROP, "drop", NETWORK, 0, NULL, 0, 0, 0, "an answer is not sent, the connection stays")  \
	X(CLOSE_BEFORE, "close_before", NETWORK, 0, NULL, 0, 0, 0, "closes instead of answering")  \
	X(CLOSE_MIDDLE, "close_middle", NETWORK, FAULT_FACTOR, NULL, 0, 0, 0.5,                    \
	  "sends this share, then closes")                                                         \
	X(RESET, "reset", NETWORK, 0, NULL, 0, 0, 0, "resets the connection instead of answering") \
	X(TRICKLE, "trickle", NETWORK, FAULT_TIME | FAULT_BYTES, "10ms", 0, 1, 0,                  \
	  "so few bytes at a time, so far apart")                                                  \
	X(SPLIT, "split", NETWORK, FAULT_TIME | FAULT_COUNT, "20ms", 2, 0, 0,                      \
	  "an answer in so many pieces, so far apart")                                             \
	X(COALESCE, "coalesce", NETWORK, FAULT_TIME, "200ms", 0, 0, 0,                             \
	  "holds an answer for the next and sends both in one write; alone after this time")       \
	X(BANDWIDTH, "bandwidth", NETWORK, FAULT_BYTES, NULL, 0, 1000, 0,                          \
	  "so many bytes a second")                                                                \
	X(OUTAGE, "outage", NETWORK, 0, NULL, 0, 0, 0,                                             \
	  "out of the Wi-Fi's range: packets vanish; all of a group at once")                      \
	X(GARBAGE, "garbage", MESSAGE, FAULT_BYTES, NULL, 0, 64, 0,                                \
	  "random bytes instead of the answer")                                                    \
	X(CUT_JSON, "cut_json", MESSAGE, FAULT_FACTOR, NULL, 0, 0, 0.5,                            \
	  "this share of the JSON, then the newline")                                              \
	X(NO_NEWLINE, "no_newline", MESSAGE, 0, NULL, 0, 0, 0, "the answer without its newline")   \
	X(OVERSIZED, "oversized", MESSAGE, FAULT_BYTES, NULL, 0, 4096, 0,                          \
	  "an answer of so many bytes")                                                            \
	X(WRONG_ID, "wrong_id", MESSAGE, 0, NULL, 0, 0, 0, "an id that nobody sent")               \
	X(WRONG_TARGET_ID, "wrong_target_id", MESSAGE, FAULT_TEXT, NULL, 0, 0, 0,                  \
	  "another target's id")                                                                   \
	X(WRONG_TYPE, "wrong_type", MESSAGE, 0, NULL, 0, 0, 0, "the answer to another command")    \
	X(UPPER_TYPE, "upper_type", MESSAGE, 0, NULL, 0, 0, 0, "the type in capitals")             \
	X(DUPLICATE, "duplicate", MESSAGE, 0, NULL, 0, 0, 0, "the answer twice")                   \
	X(STALE, "stale", MESSAGE, 0, NULL, 0, 0, 0,                                               \
	  "the previous answer once more, instead of this one")                                    \
	X(BAD_UTF8, "bad_utf8", MESSAGE, 0, NULL, 0, 0, 0, "bytes in a text that are no UTF-8")    \
	X(DEEP, "deep", MESSAGE, FAULT_COUNT, NULL, 200, 0, 0, "data nested so deep")              \
	X(ERROR_LINE, "error_line", MESSAGE, FAULT_TEXT, NULL, 0, 0, 0,                            \
	  "an error instead of the answer")                                                        \
	X(WRONG_MASK, "wrong_mask", MESSAGE, 0, NULL, 0, 0, 0,                                     \
	  "a frame masked where it must not be, bare where it must")                               \
	X(BAD_CLOSE, "bad_close", MESSAGE, FAULT_COUNT, NULL, 1005, 0, 0,                          \
	  "a close frame with this code instead of the answer")                                    \
	X(HALF_FRAME, "half_frame", MESSAGE, FAULT_FACTOR, NULL, 0, 0, 0.5,                        \
	  "this share of a frame, and the connection stays")                                       \
	X(SSE_STALL, "sse_stall", NETWORK, 0, NULL, 0, 0, 0,                                       \
	  "a stream stays open and says nothing any more")                                         \
	X(NEVER_REGISTER, "never_register", LIFE, 0, NULL, 0, 0, 0, "boots and stays silent")      \
	X(REGISTER_LATE, "register_late", LIFE, FAULT_TIME, "10s", 0, 0, 0,                        \
	  "waits this long before it registers")                                                   \
	X(REGISTER_TWICE, "register_twice", LIFE, 0, NULL, 0, 0, 0,                                \
	  "registers, and at once again")                                                          \
	X(REGISTER_AS, "register_as", LIFE, FAULT_TEXT, NULL, 0, 0, 0,                             \
	  "registers under another id")                                                            \
	X(REGISTER_FROM, "register_from", LIFE, FAULT_ADDRESS, NULL, 0, 0, 0,                      \
	  "registers from another address")                                                        \
	X(REGISTER_STORM, "register_storm", LIFE, FAULT_TIME | FAULT_COUNT, "10ms", 50, 0, 0,      \
	  "registers so many times, so far apart")                                                 \
	X(REBOOT, "reboot", LIFE, 0, NULL, 0, 0, 0, "reboots, every so often")                     \
	X(CRASH_ACTIVE, "crash_after_activation", LIFE, 0, NULL, 0, 0, 0,                          \
	  "dies when an activation ends, as today's firmware")                                     \
	X(HANG, "hang", LIFE, 0, NULL, 0, 0, 0,                                                    \
	  "its program stands still; afterwards it goes on where it was")                          \
	X(OUT_OF_MEMORY, "out_of_memory", LIFE, FAULT_COUNT, NULL, 100, 0, 0,                      \
	  "dies after so many commands")                                                           \
	X(JAM, "jam", MECHANICS, 0, NULL, 0, 0, 0,                                                 \
	  "the servo is driven, the target does not move")                                         \
	X(SLOW, "slow", MECHANICS, FAULT_FACTOR, NULL, 0, 0, 3,                                    \
	  "moves take so many times as long")                                                      \
	X(BOUNCE, "bounce", MECHANICS, FAULT_TIME | FAULT_COUNT, "80ms", 1, 0, 0,                  \
	  "having stood up it falls and rises again")                                              \
	X(SILENT_MOVE, "silent_move", MECHANICS, 0, NULL, 0, 0, 0, "moves without answering")      \
	X(NO_MOVE, "no_move", MECHANICS, 0, NULL, 0, 0, 0, "answers without moving")               \
	X(LATE_MOVE, "late_move", MECHANICS, FAULT_TIME, "1s", 0, 0, 0,                            \
	  "begins to move this much later")                                                        \
	X(WEAR, "wear", MECHANICS, FAULT_FACTOR, NULL, 0, 0, 0.01,                                 \
	  "each move takes this share longer than the one before")                                 \
	X(SENSOR_DEAD, "sensor_dead", SENSOR, 0, NULL, 0, 0, 0, "feels no hit")                    \
	X(SENSOR_STUCK, "sensor_stuck", SENSOR, 0, NULL, 0, 0, 0,                                  \
	  "feels a hit as soon as it looks")                                                       \
	X(GHOST_HIT, "ghost_hit", SENSOR, FAULT_TIME, "uniform(0s, 3s)", 0, 0, 0,                  \
	  "feels a hit that nobody made, this long into an activation")                            \
	X(HIT_DOWN, "hit_while_down", SENSOR, 0, NULL, 0, 0, 0,                                    \
	  "feels hits while it lies, every so often")                                              \
	X(CLOCK_OFFSET, "clock_offset", CLOCK, FAULT_BY, NULL, 0, 0, 0,                            \
	  "its clock is off by this")                                                              \
	X(CLOCK_DRIFT, "clock_drift", CLOCK, FAULT_FACTOR, NULL, 0, 0, 50,                         \
	  "its clock runs so many ppm too fast (or slow)")                                         \
	X(CLOCK_JUMP, "clock_jump", CLOCK, FAULT_BY, NULL, 0, 0, 0,                                \
	  "its clock jumps by this, every so often")                                               \
	X(HTTP_STATUS, "http_status", MESSAGE, FAULT_COUNT, NULL, 500, 0, 0,                       \
	  "another status in front of the answer")                                                 \
	X(HTTP_LENGTH, "http_length", MESSAGE, FAULT_COUNT, NULL, 1, 0, 0,                         \
	  "a Content-Length that is so many bytes too long")                                       \
	X(TLS_STALL, "tls_stall", NETWORK, 0, NULL, 0, 0, 0,                                       \
	  "connects, and never begins the handshake of TLS")                                       \
	X(BAD_CERTIFICATE, "bad_certificate", NETWORK, FAULT_TEXT, NULL, 0, 0, 0,                  \
	  "shows a certificate of nobody, or that of a file")                                      \
	X(TWO_IN_RECORD, "two_in_record", NETWORK, 0, NULL, 0, 0, 0,                               \
	  "messages that belong together leave in one TLS record")                                 \
	X(NO_PONG, "no_pong", NETWORK, 0, NULL, 0, 0, 0, "does not answer the pings of its wire")  \
	X(WRONG_SECRET, "wrong_secret", LIFE, FAULT_TEXT, NULL, 0, 0, 0, "says another secret")    \
	X(WRONG_VERSION, "wrong_version", LIFE, FAULT_TEXT, NULL, 0, 0, 0, "says another version") \
	X(LENGTH_LIE, "length_lie", MESSAGE, FAULT_TEXT, NULL, 0, 0, 0,                            \
	  "the length before a message is not its own")                                            \
	X(UNKNOWN_T, "unknown_t", MESSAGE, FAULT_COUNT, NULL, 99, 0, 0,                            \
	  "a type of message that nobody defined")

enum fault_kind {
#define X(kind, name, category, params, time, count, bytes, factor, help) FAULT_##kind,
	FAULT_KINDS(X)
#undef X
		FAULT_KIND_COUNT
};
_Static_assert(FAULT_KIND_COUNT <= 64, "a mask holds one bit a kind");
#define FAULT_BIT(kind) (UINT64_C(1) << (kind))

/* Those that only some wires have, each by its `faults_own` (emulator/target/wire.h): none of the
 * others can be given them. */
#define FAULTS_OF_WIRES                                                                            \
	(FAULT_BIT(FAULT_HTTP_STATUS) | FAULT_BIT(FAULT_HTTP_LENGTH) |                             \
	 FAULT_BIT(FAULT_TLS_STALL) | FAULT_BIT(FAULT_BAD_CERTIFICATE) |                           \
	 FAULT_BIT(FAULT_TWO_IN_RECORD) | FAULT_BIT(FAULT_NO_PONG) |                               \
	 FAULT_BIT(FAULT_WRONG_SECRET) | FAULT_BIT(FAULT_WRONG_VERSION) |                          \
	 FAULT_BIT(FAULT_LENGTH_LIE) | FAULT_BIT(FAULT_UNKNOWN_T) | FAULT_BIT(FAULT_WRONG_MASK) |  \
	 FAULT_BIT(FAULT_BAD_CLOSE) | FAULT_BIT(FAULT_HALF_FRAME) | FAULT_BIT(FAULT_SSE_STALL))

enum fault_category {
	FAULT_CATEGORY_NETWORK,
	FAULT_CATEGORY_MESSAGE,
	FAULT_CATEGORY_LIFE,
	FAULT_CATEGORY_MECHANICS,
	FAULT_CATEGORY_SENSOR,
	FAULT_CATEGORY_CLOCK,
};

struct fault_info {
	const char *name;
	enum fault_category category;
	unsigned params;
	const char *time; /* default of `time` */
	int64_t count, bytes;
	double factor;
	const char *help;
};
const struct fault_info *fault_info(enum fault_kind kind);
const char *fault_name(enum fault_kind kind);
extern const char *const fault_names[]; /* NULL-terminated, for SETTING_WORD */

struct fault_spec {
	int kind;           /* enum fault_kind */
	double probability; /* at each occasion; of a condition (refuse, hang, outage ...):
			       once */
	int64_t for_ns;     /* 0: until it is turned off */
	bool has_every;
	struct dist every; /* comes so often and stays `for`; of reboots, jumps: between two */
	int64_t seed;      /* 0: the run's */
	bool has_time, has_count, has_bytes, has_factor, has_text, has_address, has_by;
	struct dist time;
	int64_t count, bytes, by_ns;
	double factor;
	const char *text, *address;
	uint32_t ip;
	struct setting_origin origin;
};

/* What a length can say instead of the truth: the texts of length_lie. Ends with NULL. */
extern const char *const fault_lengths[];

extern const struct setting_table fault_table;
/* Fills in the kind's defaults; refuses parameters that the kind does not take. */
void fault_spec_check(struct settings *settings, struct fault_spec *spec);
struct target_wire;
/* Refuses a kind that makes no sense on that wire. */
void fault_spec_check_wire(struct settings *settings, const struct fault_spec *spec,
			   const struct target_wire *wire);
/* "delay, time normal(200ms, 50ms), probability 0.3, for 30s". Returns buf. */
const char *fault_spec_text(const struct fault_spec *spec, char *buf, size_t cap);

struct target;

/* Arms it (anew, if it had it). False where there is no room for another target's faults.
 * A kind that makes no sense on the target's wire changes nothing. */
bool target_fault_on(struct target *target, const struct fault_spec *spec);
void target_fault_off(struct target *target, enum fault_kind kind);
/* In effect right now? */
bool target_fault_active(const struct target *target, enum fault_kind kind);

#endif
