#include "emulator/master/parts.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

/* The asking side: a connection a message as the real master has it, or one kept a target. */

struct asking {
	struct qn_snyper_asker asker;
	struct master *master;
	struct command *command; /* NULL: a kept connection at rest */
	uint32_t number;
	bool open;
	bool reused; /* it has answered before: its end may have crossed our request */
};
_Static_assert(sizeof(struct asking) <= NET_SESSION_BYTES, "a session fits its connection");

static struct asking *asking_of(struct net_conn *conn)
{
	return (struct asking *)(void *)conn->session;
}

static struct master_command_stats *stats_of(struct master *master, uint8_t type)
{
	switch (type) {
	case QN_SNYPER_PING: return &master->stats[0];
	case QN_SNYPER_STAND_UP: return &master->stats[1];
	case QN_SNYPER_LAY_DOWN: return &master->stats[2];
	default: assert(type == QN_SNYPER_ACTIVATE); return &master->stats[3];
	}
}

const struct master_command_stats *master_stats(const struct master *master,
						enum qn_snyper_type command)
{
	return stats_of((struct master *)master, (uint8_t)command);
}

static void start(struct command *command);

static void start_waiting(struct master *master)
{
	/* A command that fails at once comes back here: once is enough, or the stack would grow. */
	if (master->draining)
		return;
	master->draining = true;
	while (master->waiting != NULL &&
	       master->totals.under_way < master->options.limits.concurrency) {
		struct command *command = master->waiting;
		master->waiting = command->next;
		if (master->waiting == NULL)
			master->waiting_end = &master->waiting;
		master->totals.waiting--;
		start(command);
	}
	master->draining = false;
}

static void tell_outcome(struct command *command, struct remote *remote,
			 enum master_outcome outcome, const char *why)
{
	static const enum event_kind kinds[] = {
		[MASTER_OK] = EVENT_M_OK,
		[MASTER_FAILED] = EVENT_M_FAILED,
		[MASTER_LOST] = EVENT_M_LOST,
	};
	struct master *master = command->master;

	master_tell(master, kinds[outcome], remote, command->type,
		    master->loop->now_ns - command->due_ns, why, why != NULL ? strlen(why) : 0);
}

/* The one place where a command ends. */
static void end(struct command *command, enum master_outcome outcome, const char *why)
{
	struct master *master = command->master;
	struct master_command_stats *stats = stats_of(master, command->type);
	struct remote *remote = &master->remotes[command->number];
	int64_t now = master->loop->now_ns;

	switch (outcome) {
	case MASTER_OK:
		master->totals.ok++;
		stats->ok++;
		hist_record(&stats->latency, now - command->due_ns);
		hist_record(&stats->service, now - command->sent_ns);
		break;
	case MASTER_FAILED:
		master->totals.failed++;
		stats->failed++;
		break;
	case MASTER_LOST:
		master->totals.lost++;
		stats->lost++;
		break;
	}
	master->totals.under_way--;
	remote->under_way--;
	remote->last = (uint8_t)(outcome + 1);
	remote->spoke = command->spoke;
	tell_outcome(command, remote, outcome, why);
	struct command copy = *command;
	pool_put(&master->commands, command);
	if (copy.done != NULL)
		copy.done(master, copy.number, (enum qn_snyper_type)copy.type, outcome,
			  copy.context);
	start_waiting(master);
}

/* Takes the command off its connection, which is closed unless it is kept for the next. */
static struct command *detach(struct net_conn *conn, bool keep)
{
	struct asking *asking = asking_of(conn);
	struct command *command = asking->command;
	struct master *master = asking->master;

	struct remote *remote = &master->remotes[asking->number];

	asking->command = NULL;
	if (keep && remote->kept == conn) {
		timer_cancel(&master->loop->timers, &conn->timer);
		return command;
	}
	if (remote->kept == conn)
		remote->kept = NULL;
	net_close(conn);
	return command;
}

static void ask(struct net_conn *conn)
{
	struct asking *asking = asking_of(conn);
	struct command *command = asking->command;
	struct master *master = asking->master;
	struct remote *remote = &master->remotes[command->number];
	struct qn_snyper_out request = { .type = (enum qn_snyper_type)command->type,
					 .target_id = { remote->id, remote->id_len },
					 .duration = command->duration,
					 .wall_ns = master->loop->wall_ns };
	int64_t deadline = master->loop->now_ns + master->options.answer_timeout_ns;
	char line[1024];

	size_t len = qn_snyper_asker_ask(&asking->asker, &request, deadline, line, sizeof(line));
	assert(len > 0); /* ids and durations are bounded */
	/* The deadline of the connect is still armed; when that comes it finds this one. */
	if (!timer_armed(&conn->timer) || conn->timer.due_ns > deadline)
		timer_arm(&master->loop->timers, &conn->timer, deadline);
	master_tell(master, EVENT_M_SENT, remote, command->type, 0, line, len);
	if (master->options.tap != NULL && master->options.tap->stamped != NULL)
		net_stamp(conn); /* where there are no stamps, there will be no call */
	net_send(conn, line, len);
}

static void asking_stamped(struct net_conn *conn, enum net_stamped what, int64_t wall_ns)
{
	struct asking *asking = asking_of(conn);
	struct master_tap *tap = asking->master->options.tap;

	if (asking->command != NULL && tap != NULL && tap->stamped != NULL)
		tap->stamped(tap, asking->number, (enum qn_snyper_type)asking->command->type, what,
			     wall_ns);
}

static void asking_opened(struct net_conn *conn)
{
	asking_of(conn)->open = true;
	ask(conn);
}

static void bad_answer(struct net_conn *conn)
{
	struct asking *asking = asking_of(conn);
	enum qn_snyper_reason reason = (enum qn_snyper_reason)asking->asker.reason;

	asking->master->totals.bad_answers++;
	asking->command->spoke = reason == QN_SNYPER_REASON_ERROR ||
				 reason == QN_SNYPER_REASON_WRONG_TYPE ||
				 reason == QN_SNYPER_REASON_NO_DATA;
	end(detach(conn, false), MASTER_FAILED, qn_snyper_reason_name(reason));
}

static size_t asking_received(struct net_conn *conn, const char *bytes, size_t len, size_t fresh)
{
	struct asking *asking = asking_of(conn);
	struct qn_snyper_message answer;
	size_t taken;

	if (asking->command == NULL)
		return len; /* kept, at rest: nobody asked for this */
	struct master_tap *tap = asking->master->options.tap;
	if (tap != NULL && tap->answered != NULL)
		tap->answered(tap, asking->number, (enum qn_snyper_type)asking->command->type,
			      bytes + fresh, len - fresh);
	switch (qn_snyper_asker_read(&asking->asker, bytes, len, fresh, &taken, &answer)) {
	case QN_SNYPER_ANSWERED:
		taken = len; /* what stands behind an answer must not answer the next command */
		end(detach(conn, true), MASTER_OK, NULL);
		break;
	case QN_SNYPER_BAD: bad_answer(conn); break;
	default: break;
	}
	return taken;
}

/*
 * A kept connection that ends without a byte of an answer may have been closed before the request
 * came: asked again over a new one, once, as HTTP clients do (RFC 9112, 9.3.1).
 */
static bool ask_again(struct net_conn *conn)
{
	struct asking *asking = asking_of(conn);
	struct command *command = asking->command;
	struct master *master = asking->master;

	/* Twice up or twice down is once; two activations are two. */
	if (!asking->reused || command->type == QN_SNYPER_ACTIVATE)
		return false;
	detach(conn, false);
	master->totals.under_way--;
	master->remotes[command->number].under_way--;
	start(command);
	return true;
}

static void asking_ended(struct net_conn *conn, const char *rest, size_t len)
{
	struct asking *asking = asking_of(conn);
	struct master *master = asking->master;
	struct qn_snyper_message answer;

	if (asking->command == NULL) {
		detach(conn, false);
		return;
	}
	if (len == 0 && ask_again(conn))
		return;
	switch (qn_snyper_asker_closed(&asking->asker, rest, len, &answer)) {
	case QN_SNYPER_ANSWERED: end(detach(conn, false), MASTER_OK, NULL); break;
	case QN_SNYPER_BAD: bad_answer(conn); break;
	default:
		master->totals.closed++;
		end(detach(conn, false), MASTER_FAILED, "closed without an answer");
		break;
	}
}

static void asking_closed(struct net_conn *conn, int error)
{
	struct asking *asking = asking_of(conn);
	struct master *master = asking->master;
	struct remote *remote = &master->remotes[asking->number];
	struct command *command = asking->command;

	if (remote->kept == conn)
		remote->kept = NULL;
	if (command == NULL || ask_again(conn))
		return;
	asking->command = NULL;
	if (error == -ECONNREFUSED)
		master->totals.refused++;
	else if (error == -ETIMEDOUT && !asking->open)
		master->totals.timed_out_connecting++;
	else
		master->totals.reset++;
	end(command, MASTER_FAILED, error != 0 ? strerror(-error) : "closed without an answer");
}

static void asking_expired(struct timer *timer, int64_t now_ns)
{
	struct net_conn *conn = OF(timer, struct net_conn, timer);
	struct asking *asking = asking_of(conn);

	assert(asking->command != NULL);
	if (asking->open && now_ns < asking->asker.deadline_ns) {
		timer_arm(&asking->master->loop->timers, timer, asking->asker.deadline_ns);
		return;
	}
	if (!asking->open)
		asking->master->totals.timed_out_connecting++;
	const char *why = asking->open ? "no answer in time" : "no connection in time";
	end(detach(conn, false), MASTER_LOST, why);
}

static const struct net_handler asking_handler = {
	.opened = asking_opened,
	.received = asking_received,
	.ended = asking_ended,
	.closed = asking_closed,
	.stamped = asking_stamped,
};

static void attach(struct net_conn *conn, struct command *command)
{
	asking_of(conn)->command = command;
	command->conn = conn;
}

static void start(struct command *command)
{
	struct master *master = command->master;
	struct remote *remote = &master->remotes[command->number];
	uint16_t port = master->options.target_port;
	struct net_addr from = { master->options.listen.ip, 0 };
	struct net_conn *conn;

	master->totals.under_way++;
	remote->under_way++;
	command->sent_ns = master->loop->now_ns;
	if (remote->kept != NULL && asking_of(remote->kept)->command == NULL &&
	    asking_of(remote->kept)->open) {
		asking_of(remote->kept)->reused = true;
		attach(remote->kept, command);
		ask(remote->kept);
		return;
	}
	int rc = net_connect(
		master->net, from,
		(struct net_addr){ remote->ip, port != 0 ? port : master->address.port },
		&asking_handler, &conn);
	if (rc < 0) {
		master->totals.no_resources++;
		end(command, MASTER_FAILED, strerror(-rc));
		return;
	}
	struct asking *asking = asking_of(conn);
	asking->master = master;
	asking->number = command->number;
	qn_snyper_asker_init(&asking->asker, master->options.profile, 0);
	attach(conn, command);
	conn->timer.fire = asking_expired;
	loop_timer(master->loop, &conn->timer, master->options.connect_timeout_ns);
	/* A second command to the same target meanwhile has a connection of its own, not kept. */
	if (master->options.keep && remote->kept == NULL)
		remote->kept = conn;
}

int master_command(struct master *master, uint32_t number, enum qn_snyper_type type, int64_t due_ns,
		   struct qn_text duration, master_done *done, void *context)
{
	if (number >= master->count || !master->remotes[number].known)
		return -ENOENT;
	struct command *command = pool_get(&master->commands);
	if (command == NULL)
		return -ENOBUFS;
	*command = (struct command){ .master = master,
				     .due_ns = due_ns,
				     .number = number,
				     .type = (uint8_t)type,
				     .duration = duration,
				     .done = done,
				     .context = context };
	master->totals.sent++;
	stats_of(master, command->type)->sent++;
	master->remotes[number].commands++;
	if (master->totals.under_way < master->options.limits.concurrency &&
	    master->waiting == NULL) {
		start(command);
		return 0;
	}
	*master->waiting_end = command;
	master->waiting_end = &command->next;
	master->totals.waiting++;
	return 0;
}

void commands_drop_kept(struct master *master, struct remote *remote)
{
	struct net_conn *conn = remote->kept;

	(void)master;
	/* One that is under way ends by itself, and is not kept then. */
	remote->kept = NULL;
	if (conn != NULL && asking_of(conn)->command == NULL)
		net_close(conn);
}
