#include "emulator/master/parts.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

/* The asking side: a connection a message as the real master has it, or one kept a target; or the
 * one over which the target dialled in. */

static struct master_command_stats *stats_of(struct master *master, uint8_t word)
{
	switch (word) {
	case RANGE_PING: return &master->stats[0];
	case RANGE_STAND_UP: return &master->stats[1];
	case RANGE_LAY_DOWN: return &master->stats[2];
	default: assert(word == RANGE_ACTIVATE); return &master->stats[3];
	}
}

const struct master_command_stats *master_stats(const struct master *master,
						enum range_word command)
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
		copy.done(master, copy.number, (enum range_word)copy.type, outcome, copy.context);
	start_waiting(master);
}

/* With a last word, where the wire has one. */
static void hang_up(struct net_conn *conn)
{
	const struct master_wire *wire = talk_of(conn)->listener->wire;

	if (talk_of(conn)->open && wire->farewell != NULL)
		wire->farewell(conn);
	net_close(conn);
	talk_release(conn);
}

/* Takes the command off its connection, which is closed unless it is kept for the next. */
static struct command *detach(struct net_conn *conn, bool keep)
{
	struct talk *talk = talk_of(conn);
	struct command *command = talk->command;
	struct master *master = talk->listener->master;
	struct remote *remote = &master->remotes[talk->number];

	talk->command = NULL;
	if (keep && remote->kept == conn) {
		timer_cancel(&master->loop->timers, &conn->timer);
		return command;
	}
	if (remote->kept == conn)
		remote->kept = NULL;
	hang_up(conn);
	return command;
}

static struct master_request request_of(const struct command *command)
{
	const struct remote *remote = &command->master->remotes[command->number];

	return (struct master_request){ .word = (enum range_word)command->type,
					.id = command->id,
					.target_id = { remote->id, remote->id_len },
					.duration = command->duration,
					.wall_ns = command->master->loop->wall_ns };
}

/* Its unit goes out. */
static void send_command(struct net_conn *conn, const struct command *command)
{
	const struct master_wire *wire = talk_of(conn)->listener->wire;
	struct master *master = command->master;
	struct remote *remote = &master->remotes[command->number];
	struct master_request request = request_of(command);
	char unit[2048], space[2048];

	size_t len = wire->ask(conn, &request, unit, sizeof(unit));
	assert(len > 0); /* ids and durations are bounded */
	if (events_wanted(master->events, EVENT_M_SENT)) {
		struct qn_text text = wire->describe != NULL
					      ? wire->describe(unit, len, space, sizeof(space))
					      : (struct qn_text){ unit, len };
		master_tell(master, EVENT_M_SENT, remote, command->type, 0, text.at, text.len);
	}
	net_send(conn, unit, len);
}

static void ask(struct net_conn *conn)
{
	struct talk *talk = talk_of(conn);
	struct master *master = talk->listener->master;

	talk->deadline_ns = master->loop->now_ns + master->options.answer_timeout_ns;
	/* The deadline of the connect is still armed; when that comes it finds this one. */
	if (!timer_armed(&conn->timer) || conn->timer.due_ns > talk->deadline_ns)
		timer_arm(&master->loop->timers, &conn->timer, talk->deadline_ns);
	if (master->options.tap != NULL && master->options.tap->stamped != NULL)
		net_stamp(conn); /* where there are no stamps, there will be no call */
	send_command(conn, talk->command);
}

static void asking_stamped(struct net_conn *conn, enum net_stamped what, int64_t wall_ns)
{
	const struct command *command = talk_of(conn)->command;
	struct master_tap *tap = talk_master(conn)->options.tap;

	if (command != NULL && tap != NULL && tap->stamped != NULL)
		tap->stamped(tap, command->number, (enum range_word)command->type, what, wall_ns);
}

static void asking_opened(struct net_conn *conn)
{
	talk_of(conn)->open = true;
	ask(conn);
}

static void bad_answer(struct net_conn *conn, const struct master_flaw *flaw)
{
	talk_master(conn)->totals.bad_answers++;
	talk_of(conn)->command->spoke = flaw->spoke;
	end(detach(conn, false), MASTER_FAILED, flaw->why);
}

/* Kept, and nobody asked for this. */
static size_t at_rest(struct net_conn *conn, const char *bytes, size_t len)
{
	const struct master_wire *wire = talk_of(conn)->listener->wire;
	size_t taken = len;

	if (wire->at_rest != NULL && !wire->at_rest(conn, bytes, len, &taken))
		detach(conn, false);
	return taken;
}

static size_t asking_received(struct net_conn *conn, const char *bytes, size_t len, size_t fresh)
{
	struct talk *talk = talk_of(conn);
	struct master_flaw flaw;
	size_t taken;

	if (talk->command == NULL)
		return at_rest(conn, bytes, len);
	struct master_tap *tap = talk_master(conn)->options.tap;
	if (tap != NULL && tap->answered != NULL)
		tap->answered(tap, talk->command->number, (enum range_word)talk->command->type,
			      bytes + fresh, len - fresh);
	enum master_heard heard = talk->listener->wire->heard(conn, bytes, len, fresh, &taken,
							      &flaw);
	switch (heard) {
	case MASTER_HEARD_OK:
	case MASTER_HEARD_LAST:
		taken = len; /* what stands behind an answer must not answer the next command */
		end(detach(conn, heard == MASTER_HEARD_OK), MASTER_OK, NULL);
		break;
	case MASTER_HEARD_BAD: bad_answer(conn, &flaw); break;
	case MASTER_HEARD_MORE: break;
	}
	return taken;
}

/*
 * A kept connection that ends without a byte of an answer may have been closed before the request
 * came: asked again over a new one, once, as HTTP clients do (RFC 9112, 9.3.1).
 */
static bool ask_again(struct net_conn *conn)
{
	struct talk *talk = talk_of(conn);
	struct command *command = talk->command;
	struct master *master = talk->listener->master;

	/* Twice up or twice down is once; two activations are two. */
	if (!talk->reused || command->type == RANGE_ACTIVATE)
		return false;
	master->totals.under_way--;
	master->remotes[command->number].under_way--;
	return true;
}

static void asking_ended(struct net_conn *conn, const char *rest, size_t len)
{
	struct talk *talk = talk_of(conn);
	struct master *master = talk->listener->master;
	struct master_flaw flaw;

	if (talk->command == NULL) {
		detach(conn, false);
		return;
	}
	if (len == 0 && ask_again(conn)) {
		start(detach(conn, false));
		return;
	}
	switch (talk->listener->wire->heard_end(conn, rest, len, &flaw)) {
	case MASTER_HEARD_OK:
	case MASTER_HEARD_LAST: end(detach(conn, false), MASTER_OK, NULL); break;
	case MASTER_HEARD_BAD: bad_answer(conn, &flaw); break;
	case MASTER_HEARD_MORE:
		master->totals.closed++;
		end(detach(conn, false), MASTER_FAILED, "closed without an answer");
		break;
	}
}

static void asking_closed(struct net_conn *conn, int error)
{
	struct talk *talk = talk_of(conn);
	struct master *master = talk->listener->master;
	struct remote *remote = &master->remotes[talk->number];
	struct command *command = talk->command;
	bool again = command != NULL && ask_again(conn);

	if (remote->kept == conn)
		remote->kept = NULL;
	talk->command = NULL;
	talk_release(conn);
	if (command == NULL)
		return;
	if (again) {
		start(command);
		return;
	}
	if (error == -ECONNREFUSED)
		master->totals.refused++;
	else if (error == -ETIMEDOUT && !talk->open)
		master->totals.timed_out_connecting++;
	else
		master->totals.reset++;
	end(command, MASTER_FAILED, error != 0 ? strerror(-error) : "closed without an answer");
}

static void asking_expired(struct timer *timer, int64_t now_ns)
{
	struct net_conn *conn = OF(timer, struct net_conn, timer);
	struct talk *talk = talk_of(conn);
	struct master *master = talk->listener->master;

	assert(talk->command != NULL);
	if (talk->open && now_ns < talk->deadline_ns) {
		timer_arm(&master->loop->timers, timer, talk->deadline_ns);
		return;
	}
	if (!talk->open)
		master->totals.timed_out_connecting++;
	const char *why = talk->open ? "no answer in time" : "no connection in time";
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
	talk_of(conn)->command = command;
	command->conn = conn;
}

/* ---- over the connection that the target opened ---- */

static void take_off(struct command *command)
{
	struct command **link = &talk_of(command->conn)->command;

	while (*link != command)
		link = &(*link)->next;
	*link = command->next;
	timer_cancel(&command->master->loop->timers, &command->timer);
}

static void linked_expired(struct timer *timer, int64_t now_ns)
{
	struct command *command = OF(timer, struct command, timer);

	(void)now_ns;
	take_off(command);
	end(command, MASTER_LOST, "no answer in time");
}

static void start_linked(struct command *command)
{
	struct master *master = command->master;
	struct net_conn *conn = master->remotes[command->number].kept;

	if (conn == NULL) {
		master->totals.closed++;
		end(command, MASTER_FAILED, "not connected");
		return;
	}
	/* At the end: the oldest is answered first where nothing else tells them apart. */
	struct command **last = &talk_of(conn)->command;
	while (*last != NULL)
		last = &(*last)->next;
	*last = command;
	command->next = NULL;
	command->conn = conn;
	command->timer.fire = linked_expired;
	loop_timer(master->loop, &command->timer, master->options.answer_timeout_ns);
	send_command(conn, command);
}

struct command *master_command_of_id(struct net_conn *conn, uint64_t id)
{
	struct command *command = talk_of(conn)->command;

	while (command != NULL && command->id != id)
		command = command->next;
	return command;
}

struct command *master_command_of_word(struct net_conn *conn, enum range_word word)
{
	struct command *command = talk_of(conn)->command;

	while (command != NULL && command->type != word)
		command = command->next;
	return command;
}

void master_answered(struct net_conn *conn, struct command *command, const struct master_flaw *flaw)
{
	assert(command->conn == conn);
	take_off(command);
	if (flaw == NULL) {
		end(command, MASTER_OK, NULL);
		return;
	}
	command->master->totals.bad_answers++;
	command->spoke = flaw->spoke;
	end(command, MASTER_FAILED, flaw->why);
}

void commands_fail(struct net_conn *conn, int error)
{
	while (talk_of(conn)->command != NULL) {
		struct command *command = talk_of(conn)->command;
		take_off(command);
		if (error != 0)
			command->master->totals.reset++;
		else
			command->master->totals.closed++;
		end(command, MASTER_FAILED,
		    error != 0 ? strerror(-error) : "closed without an answer");
	}
}

/* ---- over one of ours ---- */

static bool call_by_wire(struct command *command, struct master_listener *listener)
{
	struct master_request request = request_of(command);

	return listener->wire->call(listener, command, &request);
}

void master_called(struct command *command, enum master_outcome outcome, const char *why,
		   bool spoke)
{
	command->spoke = spoke;
	if (outcome == MASTER_FAILED && spoke)
		command->master->totals.bad_answers++;
	end(command, outcome, why);
}

static int call(struct command *command, struct master_listener *listener, struct net_conn **ret)
{
	const struct remote *remote = &command->master->remotes[command->number];
	uint16_t port = listener->options.target_port;
	struct net_addr from = { listener->options.at.ip, 0 };
	struct net_addr to = { remote->ip, port != 0 ? port : listener->address.port };
	struct net_conn *conn;
	int rc = net_connect(listener->net, from, to, &asking_handler, &conn);

	if (rc < 0)
		return rc;
	if (!talk_init(conn, listener)) {
		net_close(conn);
		return -ENOBUFS;
	}
	talk_of(conn)->asks = true;
	talk_of(conn)->number = command->number;
	*ret = conn;
	return 0;
}

static void start(struct command *command)
{
	struct master *master = command->master;
	struct remote *remote = &master->remotes[command->number];
	struct master_listener *listener = &master->listeners[remote->listener];
	struct net_conn *conn;

	master->totals.under_way++;
	remote->under_way++;
	command->sent_ns = master->loop->now_ns;
	if (listener->wire->dialled || (remote->kept != NULL && talk_of(remote->kept)->linked)) {
		start_linked(command);
		return;
	}
	if (listener->wire->call != NULL && call_by_wire(command, listener))
		return;
	if (remote->kept != NULL && talk_of(remote->kept)->command == NULL &&
	    talk_of(remote->kept)->open) {
		talk_of(remote->kept)->reused = true;
		attach(remote->kept, command);
		ask(remote->kept);
		return;
	}
	int rc = call(command, listener, &conn);
	if (rc < 0) {
		master->totals.no_resources++;
		end(command, MASTER_FAILED, strerror(-rc));
		return;
	}
	attach(conn, command);
	conn->timer.fire = asking_expired;
	loop_timer(master->loop, &conn->timer, master->options.connect_timeout_ns);
	/* A second command to the same target meanwhile has a connection of its own, not kept. */
	if (listener->options.keep && remote->kept == NULL)
		remote->kept = conn;
}

int master_command(struct master *master, uint32_t number, enum range_word type, int64_t due_ns,
		   struct qn_text duration, master_done *done, void *context)
{
	if (number >= master->count || !master->remotes[number].known)
		return -ENOENT;
	struct command *command = pool_get(&master->commands);
	if (command == NULL)
		return -ENOBUFS;
	*command = (struct command){ .master = master,
				     .due_ns = due_ns,
				     .id = ++master->command_ids,
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
	remote->kept = NULL;
	if (conn == NULL)
		return;
	/* One that asks and is under way ends by itself, and is not kept then. */
	if (talk_of(conn)->linked) {
		talk_close(conn);
	} else if (talk_of(conn)->command == NULL) {
		hang_up(conn);
	}
}
