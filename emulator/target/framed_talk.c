#include "emulator/target/framed_talk.h"

#include "emulator/base/local_time.h"
#include "emulator/target/framed_parts.h"
#include "proto/framed/offer.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define RATE_NS INT64_C(1000000000)
#define SERIAL_DIGITS 10

/* One connection that talks, or would. */
struct talker {
	struct timer timer; /* to dial; while it connects, or waits for answers: to give up */
	struct framed_talk *talk;
	struct target *target;
	struct net_conn *conn;
	bool on, open, packs;
	uint32_t tries;           /* since it was answered last */
	uint32_t offers, waiting; /* answers that are due, in this order */
	uint64_t sent, answered;  /* messages: the serial of the next, and of the next answer */
	uint64_t draws;
	uint64_t pass;
	int64_t due_ns, sent_ns; /* of the batch under way, or of the last */
};

struct framed_talk {
	struct target_env *env;
	const struct target_group *group;
	const struct framed_talk_options *options;
	struct talker *talkers; /* options->connections for each target */
	size_t count;
	int64_t gap_ns; /* between batches of one connection, by the rate limit */
	size_t unit_cap;
	char *unit, *content; /* a batch; "data": "..." for all kinds of messages */
};
#define CONTENT_AT 9 /* behind "data": " */

static const enum qn_framed_type answers[] = {
	[FRAMED_TALK_PING] = QN_FRAMED_PONG,
	[FRAMED_TALK_ECHO] = QN_FRAMED_ECHO_RESPONSE,
	[FRAMED_TALK_BROADCAST] = QN_FRAMED_BROADCAST_SENT,
	[FRAMED_TALK_STATS] = QN_FRAMED_SERVER_STATS,
	[FRAMED_TALK_CUSTOM] = QN_FRAMED_RESPONSE,
	[FRAMED_TALK_TEXT] = QN_FRAMED_ECHO,
};

static const struct net_handler handler;

static struct talker *talker_of(struct net_conn *conn)
{
	return *(struct talker **)(void *)conn->session;
}

static struct framed_run *run_of(const struct framed_talk *talk)
{
	return talk->group->run->wire;
}

static struct target_totals *totals_of(const struct talker *talker)
{
	return &talker->talk->env->totals;
}

static int64_t now_of(const struct talker *talker)
{
	return talker->talk->env->loop->now_ns;
}

/* ---- connections ---- */

static void dial_later(struct talker *talker)
{
	const struct target_group *group = talker->talk->group;
	int64_t delay = group->retry_first_ns;

	for (uint32_t i = 0; i < talker->tries && delay < group->retry_max_ns; i++)
		delay *= 2;
	talker->tries++;
	loop_timer(talker->talk->env->loop, &talker->timer,
		   delay < group->retry_max_ns ? delay : group->retry_max_ns);
}

/* What was not answered yet will not be. */
static void forget(struct talker *talker)
{
	timer_cancel(&talker->talk->env->loop->timers, &talker->timer);
	totals_of(talker)->talk_lost += talker->waiting;
	talker->answered += talker->waiting;
	talker->waiting = talker->offers = 0;
	talker->conn = NULL;
	talker->open = talker->packs = false;
	talker->pass = 0;
}

static void lost(struct talker *talker, const char *why)
{
	struct target *target = talker->target;

	if (talker->open) {
		totals_of(talker)->disconnects++;
		target_say(target, EVENT_DISCONNECTED, why);
	} else {
		totals_of(talker)->talk_unconnected++;
	}
	forget(talker);
	dial_later(talker);
}

static void drop(struct talker *talker, const char *why)
{
	struct net_conn *conn = talker->conn;

	lost(talker, why);
	net_reset(conn);
}

static void dial(struct talker *talker)
{
	struct framed_talk *talk = talker->talk;
	struct net_addr from = { talker->target->ip, 0 };

	if (net_connect(target_net(talker->target), from, talk->group->master, &handler,
			&talker->conn) < 0) {
		talker->conn = NULL;
		lost(talker, "no connection");
		return;
	}
	memcpy(talker->conn->session, &talker, sizeof(struct talker *));
	loop_timer(talk->env->loop, &talker->timer, talk->group->answer_timeout_ns);
}

/* ---- sending ---- */

static size_t write_one(struct talker *talker, const struct qn_framed_clock *clock, char *unit,
			size_t cap)
{
	const struct framed_talk *talk = talker->talk;
	size_t bytes = (size_t)talk->options->bytes;
	struct qn_text content = { talk->content + CONTENT_AT, bytes };
	char serial[SERIAL_DIGITS + 1];

	/* Each text is another one, so that no answer can pass for that of its neighbour. */
	snprintf(serial, sizeof(serial), "%010llu",
		 (unsigned long long)(talker->sent % 10000000000u));
	memcpy(talk->content + CONTENT_AT, serial, bytes < SERIAL_DIGITS ? bytes : SERIAL_DIGITS);
	talker->sent++;
	switch ((enum framed_talk_what)talk->options->what) {
	case FRAMED_TALK_PING:
		return qn_framed_ping(
			clock, (struct qn_text){ talker->target->name, talker->target->name_len },
			unit, cap);
	case FRAMED_TALK_ECHO: return qn_framed_say(QN_FRAMED_ECHO, clock, content, unit, cap);
	case FRAMED_TALK_BROADCAST:
		return qn_framed_say(QN_FRAMED_BROADCAST, clock, content, unit, cap);
	case FRAMED_TALK_STATS: return qn_framed_get_stats(clock, unit, cap);
	case FRAMED_TALK_CUSTOM:
		return qn_framed_custom((struct qn_text){ "talk", 4 }, clock,
					(struct qn_text){ talk->content, CONTENT_AT + bytes + 1 },
					unit, cap);
	case FRAMED_TALK_TEXT: return qn_framed_plain(content, unit, cap);
	}
	return 0;
}

static void send_batch(struct talker *talker)
{
	struct framed_talk *talk = talker->talk;
	struct framed_zip *zip = talker->packs ? run_of(talk)->zip : NULL;
	const struct loop *loop = talk->env->loop;
	struct qn_framed_clock clock = { target_wall_ns(talker->target), local_utc_offset_s(loop) };
	size_t len = 0;

	for (int64_t i = 0; i < talk->options->batch; i++) {
		char *at = talk->unit + len;
		size_t one = write_one(talker, &clock, at, talk->unit_cap - len);
		len += framed_zip_pack(zip, at, one);
	}
	talker->sent_ns = loop->now_ns;
	talker->waiting = (uint32_t)talk->options->batch;
	totals_of(talker)->talk_sent += talker->waiting;
	loop_timer(talk->env->loop, &talker->timer, talk->group->answer_timeout_ns);
	net_send(talker->conn, talk->unit, len);
}

/* When the next is due: after the last, if there was one. */
static void plan(struct talker *talker)
{
	const struct framed_talk *talk = talker->talk;
	int64_t now_ns = now_of(talker);
	int64_t after =
		dist_draw(&talk->options->every,
			  rng_draw(talk->env->seed, talker->target->number, RNG_TALK,
				   talker->draws++ << 24 | (uint64_t)(talker - talk->talkers)));

	if (after < talk->gap_ns)
		after = talk->gap_ns;
	/* With nothing between them there is no plan that it could be behind. */
	talker->due_ns = after == 0 ? now_ns : talker->due_ns + after;
	int64_t at = talker->due_ns > now_ns ? talker->due_ns : now_ns;
	if (talker->sent > 0 && at < talker->sent_ns + talk->gap_ns)
		at = talker->sent_ns + talk->gap_ns;
	loop_timer(talk->env->loop, &talker->timer, at - now_ns);
}

static void fire(struct timer *timer, int64_t now_ns)
{
	struct talker *talker = OF(timer, struct talker, timer);

	(void)now_ns;
	if (talker->conn == NULL)
		dial(talker);
	else if (!talker->open)
		drop(talker, "no connection in time");
	else if (talker->waiting > 0 || talker->offers > 0)
		drop(talker, "no answer in time");
	else
		send_batch(talker);
}

static void opened(struct net_conn *conn)
{
	struct talker *talker = talker_of(conn);
	struct framed_talk *talk = talker->talk;
	const struct target_framed *options = talk->group->wire_options;
	char unit[FRAMED_OFFER_MAX];

	talker->open = true;
	conn->rest_max = (uint32_t)options->message_limit + QN_FRAMED_HEAD + 1;
	size_t len = framed_offer(talker->target, unit, sizeof(unit), &talker->offers);
	if (len > 0)
		net_send(conn, unit, len);
	talker->due_ns = now_of(talker);
	if (talker->offers == 0)
		plan(talker);
	else
		loop_timer(talk->env->loop, &talker->timer, talk->group->answer_timeout_ns);
}

/* ---- answers ---- */

/* Is it the text of that serial? */
static bool is_content(const struct talker *talker, struct qn_text raw)
{
	size_t bytes = (size_t)talker->talk->options->bytes;
	char serial[SERIAL_DIGITS + 1];

	snprintf(serial, sizeof(serial), "%010llu",
		 (unsigned long long)(talker->answered % 10000000000u));
	return raw.len == bytes + 2 && raw.at[0] == '"' &&
	       memcmp(raw.at + 1, serial, bytes < SERIAL_DIGITS ? bytes : SERIAL_DIGITS) == 0;
}

/* The answer to a token or to zlib; a server that knows neither gives a `response`. */
static bool take_offer(struct talker *talker, const struct qn_framed_message *message)
{
	if (qn_framed_agrees_zlib(message))
		talker->packs = run_of(talker->talk)->zip != NULL;
	else if (message->type != QN_FRAMED_RESPONSE && message->type != QN_FRAMED_OTHER)
		return false;
	if (qn_framed_refused(message))
		return false;
	if (--talker->offers == 0)
		plan(talker);
	return true;
}

static bool take_answer(struct talker *talker, const struct qn_framed_message *message)
{
	const struct framed_talk *talk = talker->talk;
	int what = talk->options->what;

	if (talker->waiting == 0 || message->type != answers[what])
		return false;
	if (what == FRAMED_TALK_ECHO && !is_content(talker, message->content))
		return false;
	talker->answered++;
	talker->tries = 0;
	totals_of(talker)->talk_answered++;
	hist_record(&talk->env->talk_latency, now_of(talker) - talker->due_ns);
	if (--talker->waiting == 0)
		plan(talker);
	return true;
}

/* False: the connection is gone. */
static bool take(struct talker *talker, struct qn_text text)
{
	struct qn_framed_message message;

	if (qn_framed_read(text, &message, NULL) != QN_OK) {
		drop(talker, "a message that is no UTF-8, or nested too deep");
		return false;
	}
	/* Nobody asked for these. */
	if (message.type == QN_FRAMED_WELCOME || message.type == QN_FRAMED_BROADCAST)
		return true;
	if (talker->offers > 0 ? take_offer(talker, &message) : take_answer(talker, &message))
		return true;
	totals_of(talker)->talk_wrong++;
	drop(talker, qn_framed_refused(&message) ? "the server refused its token"
						 : "an answer to something else");
	return false;
}

static size_t received(struct net_conn *conn, const char *bytes, size_t len, size_t fresh)
{
	struct talker *talker = talker_of(conn);
	const struct target_framed *options = talker->talk->group->wire_options;
	size_t done = 0, taken;
	struct qn_text text;

	(void)fresh;
	for (;;) {
		done += framed_pass(&talker->pass, len - done);
		struct framed_zip *zip = talker->packs ? run_of(talker->talk)->zip : NULL;
		enum qn_code code = framed_zip_next(zip, bytes + done, len - done,
						    (uint32_t)options->message_limit, &text,
						    &taken);
		if (code == QN_MORE)
			return done;
		if (code == QN_E_TOO_LONG) {
			talker->pass = qn_framed_whole(bytes + done, talker->packs);
			continue;
		}
		if (code != QN_OK) {
			drop(talker, framed_zip_why(code));
			return done;
		}
		done += taken;
		if (!take(talker, text))
			return done;
	}
}

static void closed(struct net_conn *conn, int error)
{
	lost(talker_of(conn), error != 0 ? strerror(-error) : "the peer closed in good order");
}

static const struct net_handler handler = { .opened = opened,
					    .received = received,
					    .closed = closed };

/* ---- a group ---- */

static int reserve(struct framed_talk *talk)
{
	const struct framed_talk_options *options = talk->options;
	size_t bytes = (size_t)options->bytes;

	talk->count = (size_t)talk->group->count * (size_t)options->connections;
	talk->unit_cap = (size_t)options->batch * (bytes + FRAMED_TALK_OVERHEAD);
	talk->talkers = calloc(talk->count, sizeof(*talk->talkers));
	talk->unit = malloc(talk->unit_cap);
	talk->content = malloc(CONTENT_AT + bytes + 1);
	if (talk->talkers == NULL || talk->unit == NULL || talk->content == NULL)
		return -ENOMEM;
	memcpy(talk->content, "\"data\": \"", CONTENT_AT);
	memset(talk->content + CONTENT_AT, 'x', bytes);
	talk->content[CONTENT_AT + bytes] = '"';
	if (options->rate_limit > 0)
		talk->gap_ns = (int64_t)((double)RATE_NS * (double)options->batch *
					 (double)options->connections /
					 (double)options->rate_limit);
	return talk->env->talk_latency.counts == NULL ? hist_init(&talk->env->talk_latency) : 0;
}

int framed_talk_open(struct target_env *env, const struct target_group *group,
		     struct framed_talk **ret)
{
	const struct target_framed *options = group->wire_options;
	struct framed_talk *talk;

	*ret = NULL;
	if (!options->talk.present)
		return 0;
	talk = calloc(1, sizeof(*talk));
	if (talk == NULL)
		return -ENOMEM;
	talk->env = env;
	talk->group = group;
	talk->options = &options->talk;
	int rc = reserve(talk);
	if (rc < 0) {
		framed_talk_close(talk);
		return rc;
	}
	for (size_t i = 0; i < talk->count; i++) {
		talk->talkers[i].talk = talk;
		talk->talkers[i].timer.fire = fire;
	}
	*ret = talk;
	return 0;
}

void framed_talk_close(struct framed_talk *talk)
{
	if (talk == NULL)
		return;
	free(talk->content);
	free(talk->unit);
	free(talk->talkers);
	free(talk);
}

static struct talker *talkers_of(const struct framed_talk *talk, const struct target *target)
{
	return talk->talkers + (size_t)(target->number - talk->group->first_number) *
				       (size_t)talk->options->connections;
}

void framed_talk_begin(struct framed_talk *talk, struct target *target)
{
	if (talk == NULL)
		return;
	for (int64_t i = 0; i < talk->options->connections; i++) {
		struct talker *talker = talkers_of(talk, target) + i;
		talker->on = true;
		talker->target = target;
		talker->tries = 0;
		loop_timer(talk->env->loop, &talker->timer, 0);
	}
}

void framed_talk_end(struct framed_talk *talk, const struct target *target)
{
	if (talk == NULL)
		return;
	for (int64_t i = 0; i < talk->options->connections; i++) {
		struct talker *talker = talkers_of(talk, target) + i;
		struct net_conn *conn = talker->conn;
		if (!talker->on)
			continue;
		talker->on = false;
		/* Its own end is no loss: what was under way is neither answered nor lost. */
		talker->answered += talker->waiting;
		talker->waiting = 0;
		forget(talker);
		if (conn != NULL)
			net_close(conn);
	}
}
