/*
 * What the files of expectations share among themselves; nobody else includes this.
 *
 * expect_parse.c: conditions out of text. expect_metric.c: the metrics in them. expect_config.c:
 * the settings. expect_who.c: which target an event is about, and who is meant. expect_gauge.c:
 * metrics that are counted. expect_order.c: events in order. expect_judge.c: comparisons and the
 * words of verdicts. expect.c: time.
 * Units: ns since the run began ("since"), shares in percent.
 * Ownership, errors, threads: as expect.h says.
 */
#ifndef EXPECT_PARTS_H
#define EXPECT_PARTS_H

#include "emulator/base/hist.h"
#include "emulator/base/select.h"
#include "emulator/scenario/expect.h"

#define NEVER INT64_MAX
#define NOBODY UINT32_MAX

/* ---- conditions, parsed ---- */

#define COMPARISONS_MAX 8
#define SELECTOR_BYTES 256 /* of the text of a selector inside a condition */
#define EXPECT_TIME_MAX_NS (7 * 24 * 3600 * INT64_C(1000000000))

enum dimension { DIMENSION_COUNT, DIMENSION_DURATION, DIMENSION_SHARE };

/*
 * What is known about a target, one bit each. The lowest eight: its state in the fleet. Those of
 * the master are what it knows about a target, which can be a real one.
 */
enum {
	STATUS_STATES = (1 << TARGET_STATES) - 1,
	STATUS_EXISTS = 1 << TARGET_STATES,
	STATUS_REGISTERED = STATUS_EXISTS << 1,
	STATUS_LOST = STATUS_EXISTS << 2, /* had a registration, and is gone */
	STATUS_M_EVER = STATUS_EXISTS << 3,
	STATUS_M_KNOWN = STATUS_EXISTS << 4,
	STATUS_M_LOST = STATUS_EXISTS << 5, /* did not answer its last command as asked */
};

enum gauge_kind {
	GAUGE_POPULATION, /* targets with one of `status` */
	GAUGE_COUNT,      /* events of `events` */
	GAUGE_LOSS,       /* of the commands that ended: the share that was not ok */
	GAUGE_LATENCY,
};

/* What is counted. Two metrics whose specs are equal share one gauge. */
struct gauge_spec {
	enum gauge_kind kind;
	uint16_t status;
	uint8_t command; /* enum range_word; 0: any */
	uint64_t events;
	int64_t from_ns, to_ns;        /* the window [from, to) */
	char selector[SELECTOR_BYTES]; /* "": all */
};

enum statistic { STATISTIC_PERCENTILE, STATISTIC_MIN, STATISTIC_MEAN, STATISTIC_MAX };

/*
 * factor * metric / divisor + addend; without a metric the addend alone. A factor such as 1.1 is
 * kept as 11 / 10: what is equal on paper is then equal here.
 */
struct operand {
	bool metric;
	bool bare_zero; /* "0", which is of any dimension */
	enum dimension dimension;
	double factor, divisor, addend;
	struct gauge_spec spec;
	enum statistic statistic;
	double percent;   /* STATISTIC_PERCENTILE */
	const char *text; /* as written; text_len bytes of `that` */
	size_t text_len;
};

enum comparator { LESS, LESS_EQUAL, GREATER, GREATER_EQUAL, EQUAL, NOT_EQUAL };

struct comparison {
	struct operand left, right;
	enum comparator comparator;
};

/* Every `first` of a target is followed by a `then` of the same target. */
struct order_spec {
	enum event_kind then, first;
	int64_t within_ns; /* NEVER: before the end */
};

struct condition {
	bool ordered;
	struct order_spec order;
	size_t count;
	struct comparison comparisons[COMPARISONS_MAX];
};

/* What a condition may ask for. */
struct expect_scope {
	bool has_fleet, has_master;
	const struct fleet_config *fleet; /* may be NULL; its selectors are then taken on trust */
};

struct expect_fault {
	size_t position; /* of the offending byte, from 0 */
	char text[320];
};

/* False: *ret is untouched and *fault says why. *ret points into text. */
bool expect_parse(const char *text, const struct expect_scope *scope, struct condition *ret,
		  struct expect_fault *fault);
/* A selector that means the same all the time, of targets that are there; else what is wrong. */
bool expect_selector_check(const char *text, const struct expect_scope *scope, struct selector *ret,
			   char *why, size_t cap);

struct parser {
	const char *text, *at;
	const struct expect_scope *scope;
	struct expect_fault *fault;
};
/* Always false. */
bool parser_fail(struct parser *parser, const char *where, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
void parser_space(struct parser *parser);
/* The length of the name ([a-z0-9_], not a digit first) that stands here; 0: none. */
size_t parser_name(const struct parser *parser);
/* What stands at `at`, quoted, or "the end". buf of 48 bytes. */
const char *parser_found(const char *at, char *buf, size_t cap);
/* ' (did you mean "x"?)' or nothing. */
const char *parser_nearest(const char *name, size_t len, const char *const *known, char *buf,
			   size_t cap);
/* A duration of len bytes, at most EXPECT_TIME_MAX_NS. */
bool parser_duration(const char *text, size_t len, int64_t *ret_ns);
/* An event that concerns a target and that this process can see; `alone`: any that it can see. */
bool parser_event(struct parser *parser, const char *name, size_t len, bool alone,
		  enum event_kind *ret);
/* A metric with its arguments: fills dimension, spec, statistic. */
bool parser_metric(struct parser *parser, struct operand *ret);

/* Events that concern no target. */
#define NOBODY_KINDS                                                                               \
	(EVENT_BIT(EVENT_M_ROUND) | EVENT_BIT(EVENT_M_ROUND_END) | EVENT_BIT(EVENT_M_REJECTED) |   \
	 EVENT_BIT(EVENT_NOTE))

static inline bool expect_kind_of_master(enum event_kind kind)
{
	return kind >= EVENT_M_REGISTERED && kind <= EVENT_M_ROUND_END;
}

/* ---- who ---- */

/* A set of targets that something was seen of, and the names of the first ones. */
struct crowd {
	uint64_t *seen; /* a bit for each number; NULL: nobody is remembered */
	uint32_t cap, total;
	char names[VERDICT_TARGETS_MAX][64];
};

int crowd_init(struct crowd *crowd, uint32_t cap);
void crowd_release(struct crowd *crowd);
void crowd_add(struct crowd *crowd, uint32_t who, const char *name);
bool crowd_has(const struct crowd *crowd, uint32_t who);

/* The targets of a selector: of the fleet by number, others by their names. */
struct chosen {
	const char *text;
	struct selector selector;
	uint8_t *marks;
};

/*
 * Everybody has one number: those of the fleet theirs, and whom the master alone knows the fleet's
 * size + the master's number.
 */
struct people {
	const struct fleet *fleet;
	const struct master *master;
	uint32_t fleet_count;
	uint32_t capacity; /* numbers are below */
	uint32_t *table;   /* of names: number + 1, or 0; open addressing */
	uint32_t table_mask;
	struct chosen *chosen;
	size_t chosen_count;
};

/* `selectors`: room for so many different ones. */
int people_init(struct people *people, const struct fleet *fleet, const struct master *master,
		size_t selectors);
void people_release(struct people *people);
/* NULL in *ret: everybody. The text must outlive people. 0, -EINVAL, -ENOMEM. */
int people_choose(struct people *people, const char *text, const struct chosen **ret);
/* NOBODY: no target, or more than there can be. */
uint32_t people_who(const struct people *people, const struct event *event);
bool people_chosen(const struct people *people, const struct chosen *chosen, uint32_t who,
		   const char *name);
/* Calls fn for everybody that is chosen, in order. */
void people_each(const struct people *people, const struct chosen *chosen,
		 void (*fn)(uint32_t who, const char *name, void *context), void *context);

/* An event as a gauge sees it. */
struct sighting {
	const struct event *event;
	int64_t since_ns;
	uint32_t who;
};

/* ---- gauges ---- */

struct slow {
	int64_t ns;
	uint32_t who;
	char name[64];
};

struct gauge {
	const struct gauge_spec *spec;
	const struct chosen *chosen;
	uint64_t kinds;
	/* Targets now; events; of a loss, the commands that ended. */
	uint64_t count;
	uint64_t bad; /* of a loss */
	struct crowd crowd;
	struct hist hist;
	struct slow slowest[VERDICT_TARGETS_MAX]; /* each target once, slowest first */
	uint32_t slowest_count;
};

/* All gauges of a run, and the status of everybody that populations are counted from. */
struct gauges {
	struct people *people;
	struct gauge *at;
	size_t count;
	uint16_t *status; /* NULL: nobody asks */
	uint64_t status_kinds;
	bool sampled; /* a latency was recorded since this was last cleared */
};

int gauges_init(struct gauges *gauges, struct people *people, size_t max);
void gauges_release(struct gauges *gauges);
/* The gauge of this spec, a new one or one that is there. The spec must outlive gauges. */
int gauges_of(struct gauges *gauges, const struct gauge_spec *spec, const struct gauge **ret);
/* Counts anew what is there now. */
void gauges_start(struct gauges *gauges);
void gauges_note(struct gauges *gauges, const struct sighting *sighting);
/* False: nothing to tell from yet. */
bool gauge_value(const struct gauge *gauge, const struct operand *operand, double *ret);
/* Whoever makes the value too large, or too small; `limit_ns` of a latency. */
void gauge_blame(const struct gauges *gauges, const struct gauge *gauge, bool too_large,
		 double limit_ns, struct verdict *verdict);

/* ---- events in order ---- */

struct order {
	const struct order_spec *spec;
	const struct chosen *chosen;
	int64_t from_ns;
	int64_t *open; /* since when + 1 the oldest `first` of a target waits; 0: none does */
	uint32_t open_cap, open_end;
	uint64_t firsts, answered;
	int64_t worst_ns;
	int64_t failed_at_ns; /* the earliest */
	struct crowd late;
};

int order_init(struct order *order, const struct order_spec *spec, const struct people *people,
	       const struct chosen *chosen);
void order_release(struct order *order);
void order_note(struct order *order, const struct people *people, const struct sighting *sighting);
/* What it came to by end_ns. */
void order_judge(struct order *order, const struct people *people, int64_t end_ns,
		 struct verdict *verdict);

/* ---- expectations ---- */

enum mode { MODE_END, MODE_WITHIN, MODE_THROUGHOUT };
enum phase { PHASE_WAITING, PHASE_OPEN, PHASE_DECIDED };
enum truth { TRUTH_NO, TRUTH_YES, TRUTH_UNKNOWN };

struct expectation {
	const struct expect_config *config;
	const struct condition *condition;
	const struct gauge *gauges[COMPARISONS_MAX][2]; /* left, right; NULL: a constant */
	uint64_t kinds;
	bool sampled; /* has a percentile: too dear to be looked at on every event */
	enum mode mode;
	enum phase phase;
	int64_t moment_ns; /* when something is to be done without an event; NEVER */
	struct order order;
	char mode_text[80];
	struct verdict verdict;
};

/* How it stands now. `cheap`: of what is no percentile; *ret_which decided it. */
enum truth judge(const struct expectation *expectation, bool cheap, size_t *ret_which);
/* Appends to verdict->seen; what does not fit ends in "...". */
void verdict_say(struct verdict *verdict, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* "registered was 412, limit 500": of one comparison, or of all. */
void judge_say(const struct expectation *expectation, size_t which, struct verdict *verdict);
void judge_say_all(const struct expectation *expectation, struct verdict *verdict);
/* Why nothing can be said: no samples, or a window that was never reached. False: it can. */
bool judge_lacks(const struct expectation *expectation, int64_t end_ns, struct verdict *verdict);
/* Names who is to blame for comparison `which`. */
void judge_blame(const struct gauges *gauges, const struct expectation *expectation, size_t which,
		 struct verdict *verdict);
/* "12.3s": four digits are enough for people. buf of 32 bytes. Returns buf. */
const char *expect_time_text(double ns, char *buf, size_t cap);

/* What a block's mode is called: "within 30s from 10s". */
enum mode expect_mode(const struct expect_config *config, char *buf, size_t cap);

#endif
