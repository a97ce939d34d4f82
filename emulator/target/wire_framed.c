#include "emulator/target/wire_framed.h"

#include "emulator/base/local_time.h"
#include "emulator/target/framed_parts.h"
#include "proto/framed/offer.h"
#include "proto/framed/range.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

/*
 * `framed` (PROTOCOL.md "framed", "Targets"): the target is a client that stays connected. It says
 * who it is, obeys broadcasts that name it, and pings the server so that a silent loss is noticed.
 */

struct link {
	bool waits; /* for a pong, until its timer fires */
	bool late;  /* that happened during a hang */
	bool packs; /* long messages may come packed */
};
_Static_assert(sizeof(struct link) <= SERVED_WIRE_BYTES, "in place");

static const struct target_framed *options_of(const struct target *target)
{
	return target->group->wire_options;
}

static struct qn_framed_clock clock_of(const struct target *target, int64_t wall_ns)
{
	return (struct qn_framed_clock){ wall_ns, local_utc_offset_s(target->env->loop) };
}

static const struct framed_run *run_of(const struct target *target)
{
	return target->group->run->wire;
}

static struct framed_zip *zip_of(struct net_conn *conn)
{
	const struct link *link = served_wire(conn);

	return link->packs ? run_of(served_of(conn)->target)->zip : NULL;
}

/* ---- a group's start and end ---- */

static void close_group(struct target_env *env, const struct target_group *group)
{
	struct framed_run *run = group->run->wire;

	(void)env;
	framed_talk_close(run->talk);
	framed_zip_free(run->zip);
	free(run);
	group->run->wire = NULL;
}

static int open_group(struct target_env *env, const struct target_group *group)
{
	const struct target_framed *options = group->wire_options;
	struct framed_run *run = calloc(1, sizeof(*run));
	int rc = 0;

	if (run == NULL)
		return -ENOMEM;
	if (options->compression == FRAMED_COMPRESSION_ZLIB)
		rc = framed_zip_new((uint32_t)options->message_limit,
				    (uint32_t)options->compress_from, &run->zip);
	group->run->wire = run;
	if (rc == 0)
		rc = framed_talk_open(env, group, &run->talk);
	if (rc < 0)
		close_group(env, group);
	return rc;
}

/* ---- registering ---- */

size_t framed_offer(struct target *target, char *unit, size_t cap, uint32_t *ret_count)
{
	const struct target_framed *options = options_of(target);
	const struct fault_spec *spec = fault_strikes(target, FAULT_WRONG_SECRET);
	const char *token = spec != NULL ? spec->text : options->auth;
	struct qn_framed_clock clock = clock_of(target, target_wall_ns(target));
	size_t len = 0;

	*ret_count = (token[0] != '\0') + (options->compression == FRAMED_COMPRESSION_ZLIB);
	if (token[0] != '\0')
		len = qn_framed_authenticate(&clock, (struct qn_text){ token, strlen(token) }, unit,
					     cap);
	if (options->compression == FRAMED_COMPRESSION_ZLIB)
		len += qn_framed_negotiate(&clock, unit + len, cap - len);
	return len;
}

/* What it asks for is answered in order, so its name can follow at once. */
static void hello(struct net_conn *conn, struct qn_text name)
{
	struct target *target = served_of(conn)->target;
	struct qn_framed_clock clock = clock_of(target, target_wall_ns(target));
	char unit[FRAMED_OFFER_MAX + TARGET_LINE_MAX];
	uint32_t offers;

	conn->rest_max = (uint32_t)options_of(target)->message_limit + QN_FRAMED_HEAD + 1;
	size_t before = framed_offer(target, unit, FRAMED_OFFER_MAX, &offers);
	size_t len = qn_framed_register(&clock, name, unit + before, TARGET_LINE_MAX);
	assert(len > 0); /* names are bounded by the config, and so is what a fault says instead */
	net_send(conn, unit, before + len);
}

static enum target_heard heard(struct net_conn *conn, const char *bytes, size_t len, size_t fresh,
			       size_t *ret_taken, const char **ret_why)
{
	const struct framed_run *run = run_of(served_of(conn)->target);
	uint32_t limit = (uint32_t)options_of(served_of(conn)->target)->message_limit;
	struct link *link = served_wire(conn);
	struct qn_framed_message message;
	struct qn_text text;
	size_t taken;

	(void)fresh;
	*ret_taken = 0;
	for (;;) {
		enum qn_code code = framed_zip_next(zip_of(conn), bytes + *ret_taken,
						    len - *ret_taken, limit, &text, &taken);
		if (code == QN_MORE)
			return TARGET_HEARD_MORE;
		*ret_why = framed_zip_why(code);
		if (code != QN_OK)
			return TARGET_HEARD_NO;
		*ret_taken += taken;
		*ret_why = "a message that is no UTF-8, or nested too deep";
		if (qn_framed_read(text, &message, NULL) != QN_OK)
			return TARGET_HEARD_NO;
		*ret_why = "the server refused its token";
		if (qn_framed_refused(&message))
			return TARGET_HEARD_NO;
		/* Only where it asked: else there is nothing to unpack with. */
		if (run->zip != NULL && qn_framed_agrees_zlib(&message))
			link->packs = true;
		/* A welcome, or what others broadcast meanwhile, is none of its business yet. */
		if (qn_framed_registered(&message))
			return TARGET_HEARD_YES;
	}
}

/* ---- the heartbeat ---- */

static void beat(struct timer *timer, int64_t now_ns)
{
	struct net_conn *conn = OF(timer, struct net_conn, timer);
	struct target *target = served_of(conn)->target;
	const struct target_framed *options = options_of(target);
	struct qn_framed_clock clock = clock_of(target, target_wall_ns(target));
	struct link *link = served_wire(conn);
	char unit[512];

	(void)now_ns;
	if (fault_active(target, FAULT_HANG)) {
		link->late = true;
		return;
	}
	if (link->waits) {
		target_say(target, EVENT_BAD_LINE, "no pong in time");
		target_leave(conn, true);
		return;
	}
	link->waits = true;
	loop_timer(target->env->loop, timer, options->ping_timeout_ns);
	size_t len = qn_framed_ping(&clock, (struct qn_text){ target->name, target->name_len },
				    unit, sizeof(unit));
	if (len > 0)
		target_send(conn, unit, len);
}

static void begin(struct net_conn *conn)
{
	struct target *target = served_of(conn)->target;

	conn->timer.fire = beat;
	framed_talk_begin(run_of(target)->talk, target);
	if (options_of(target)->ping_every_ns > 0)
		loop_timer(target->env->loop, &conn->timer, options_of(target)->ping_every_ns);
}

static void end(struct net_conn *conn)
{
	const struct target *target = served_of(conn)->target;

	framed_talk_end(run_of(target)->talk, target);
}

static void woke(struct net_conn *conn)
{
	struct link *link = served_wire(conn);

	if (link->late) {
		link->late = false;
		beat(&conn->timer, conn->net->loop->now_ns);
	}
}

static void take_pong(struct net_conn *conn)
{
	struct target *target = served_of(conn)->target;
	struct link *link = served_wire(conn);

	link->waits = link->late = false;
	if (options_of(target)->ping_every_ns > 0)
		loop_timer(target->env->loop, &conn->timer, options_of(target)->ping_every_ns);
}

/* ---- commands ---- */

static bool is_for(const struct target *target, struct qn_text name)
{
	char plain[256];

	if (name.len == 0 || (name.len == 3 && memcmp(name.at, "all", 3) == 0))
		return true;
	size_t len = qn_json_unescape(name, QN_JSON_CPYTHON, plain, sizeof(plain));
	return len == target->name_len && len <= sizeof(plain) &&
	       memcmp(plain, target->name, len) == 0;
}

static void take_broadcast(struct net_conn *conn, const struct qn_framed_message *message)
{
	struct target *target = served_of(conn)->target;
	struct qn_framed_command command;
	char space[1024];

	/* What is no command, or not for this one, is talk among others. */
	if (!qn_framed_read_command(message, &command, space, sizeof(space)) ||
	    !is_for(target, command.target))
		return;
	enum range_word word = range_word_of(command.command.at, command.command.len);
	if (word != RANGE_PING && word != RANGE_STAND_UP && word != RANGE_LAY_DOWN &&
	    word != RANGE_ACTIVATE) {
		static const char why[] = "Unsupported command";
		target_refuse(conn, command.command, why, (struct qn_text){ why, sizeof(why) - 1 });
		return;
	}
	struct target_request request = { .word = word,
					  .id = command.command,
					  .duration = command.duration,
					  .duration_s = command.duration_s,
					  .text = message->text };
	target_serve(conn, &request);
}

static void bad_frame(struct net_conn *conn, const char *what)
{
	target_bad_line(conn, what);
	target_leave(conn, true);
}

static size_t received(struct net_conn *conn, const char *bytes, size_t len, size_t fresh)
{
	struct served *served = served_of(conn);
	uint32_t limit = (uint32_t)options_of(served->target)->message_limit;
	struct qn_framed_message message;
	struct qn_fault fault;
	struct qn_text text;
	size_t done = 0, taken;

	(void)fresh;
	if (target_deaf(conn, len, &done))
		return done;
	while (!served->gone) {
		enum qn_code code = framed_zip_next(zip_of(conn), bytes + done, len - done, limit,
						    &text, &taken);
		if (code == QN_MORE)
			return done;
		if (code != QN_OK) {
			bad_frame(conn, framed_zip_why(code));
			return done;
		}
		done += taken;
		if (qn_framed_read(text, &message, &fault) != QN_OK)
			bad_frame(conn, fault.text);
		else if (message.type == QN_FRAMED_BROADCAST)
			take_broadcast(conn, &message);
		else if (message.type == QN_FRAMED_PONG)
			take_pong(conn);
	}
	return done;
}

static size_t write_answer(struct net_conn *conn, const struct target_answer *answer, char *unit,
			   size_t cap)
{
	struct qn_framed_clock clock = clock_of(served_of(conn)->target, answer->wall_ns);
	struct qn_framed_report report = { .command = answer->id,
					   .target = answer->target_id,
					   .status = answer->done ? "done" : "command_queued",
					   .duration = answer->duration,
					   .error = answer->error };

	if (answer->word == RANGE_PONG)
		report.status = "alive";
	else if (answer->word == RANGE_ERROR)
		report.status = NULL;
	else if (answer->word == RANGE_ACTIVATED && !answer->done)
		report.status = "activation_queued";
	return qn_framed_report(&clock, &report, unit, cap);
}

/* The text without its head. */
static struct qn_text describe(const char *unit, size_t len, char *space, size_t cap)
{
	(void)space;
	(void)cap;
	return len < QN_FRAMED_HEAD
		       ? (struct qn_text){ unit, 0 }
		       : (struct qn_text){ unit + QN_FRAMED_HEAD, len - QN_FRAMED_HEAD };
}

static void report_hit(struct target *target)
{
	struct qn_framed_clock clock = clock_of(target, target_wall_ns(target));
	char unit[TARGET_LINE_MAX];

	if (target->link == NULL)
		return;
	size_t len = qn_framed_hit(&clock, (struct qn_text){ target->name, target->name_len },
				   target->group->hit_value, unit, sizeof(unit));
	if (len > 0)
		target_send(target->link, unit, len);
}

/* In a head that says how long the text is. */
static void lie(char *unit, uint32_t text_len, char how)
{
	switch (how) {
	case 's': text_len--; break;
	case 'n': text_len = UINT32_MAX; break;
	case 'h': text_len = INT32_MAX; break;
	default: text_len += 256; break;
	}
	qn_framed_put_head(unit, text_len);
}

/* Faults of its JSON; the head says how long that is by then. */
static size_t spoil(struct target *target, const struct fault_spec *spec, char *unit, size_t len,
		    size_t cap)
{
	size_t text_len = len - QN_FRAMED_HEAD;

	if (len < QN_FRAMED_HEAD)
		return len;
	if (spec->kind == FAULT_LENGTH_LIE) {
		lie(unit, (uint32_t)text_len, spec->text[0]);
		return len;
	}
	if (spec->kind == FAULT_CUT_JSON)
		text_len = (size_t)((double)text_len * spec->factor);
	else
		text_len = target_spoil_json(target, spec, unit + QN_FRAMED_HEAD, text_len,
					     cap - QN_FRAMED_HEAD);
	qn_framed_put_head(unit, (uint32_t)text_len);
	return text_len + QN_FRAMED_HEAD;
}

const struct target_wire target_wire_framed = {
	.id = WIRE_FRAMED,
	.stays = true,
	.check = target_framed_check,
	.open = open_group,
	.close = close_group,
	.hello = hello,
	.heard = heard,
	.served = { .received = received, .ended = served_ended, .closed = served_closed },
	.begin = begin,
	.end = end,
	.woke = woke,
	.write = write_answer,
	.describe = describe,
	.report_hit = report_hit,
	.wrong_id = "nothing",
	.faults_without = FAULT_BIT(FAULT_NO_NEWLINE) | FAULT_BIT(FAULT_REFUSE),
	.faults_own = FAULT_BIT(FAULT_LENGTH_LIE) | FAULT_BIT(FAULT_WRONG_SECRET),
	.spoil = spoil,
};
