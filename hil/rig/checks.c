#include "hil/rig/rig.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const names[] = {
#define X(id, name) [CHECK_##id] = #name,
	CHECKS(X)
#undef X
};

const char *check_name(enum check check)
{
	return names[check];
}

enum check_severity check_severity(const struct bench_checks *config, enum check check)
{
	switch (check) {
#define X(id, name)                                                                                \
	case CHECK_##id: return (enum check_severity)config->name;
		CHECKS(X)
#undef X
	default: return CHECK_OFF;
	}
}

const char *check_severity_name(enum check_severity severity)
{
	static const char *const words[] = { "off", "warn", "fail", "error" };

	return words[severity];
}

static const struct bench_checks *config_of(const struct station *station)
{
	return &station->rig->bench->checks;
}

/* The first, second, fourth, eighth.. time: what goes on for hours must not fill the record. */
static bool is_news(struct station *station, enum check check)
{
	uint64_t n = ++station->checks.found[check];

	return (n & (n - 1)) == 0;
}
#define FOUND(station, check, t_ns, ...)                                                           \
	do {                                                                                       \
		(station)->checks.last_ns[check] = (t_ns);                                         \
		if (is_news(station, check))                                                       \
			rig_finding(station, check, t_ns, __VA_ARGS__);                            \
	} while (0)

const char *width_text(const struct bench_servo *servo, int64_t width_ns, char *buf, size_t cap)
{
	double angle = servo_angle(&servo_params_default, width_ns);

	(void)servo;
	/* Rounded, a little below 0 would be "-0". */
	snprintf(buf, cap, "%.3f ms (%.0f deg)", (double)width_ns / 1e6,
		 angle < 0 && angle > -0.5 ? 0.0 : angle);
	return buf;
}

/* ---- the servo ---- */

/* Which of the two widths a servo is meant to rest at is nearer? */
static int64_t rest_width(const struct bench_servo *servo, int64_t width_ns)
{
	return llabs((long long)(width_ns - servo->up_ns)) <
			       llabs((long long)(width_ns - servo->down_ns))
		       ? servo->up_ns
		       : servo->down_ns;
}

/* Pulses that wander around a width are no movement. */
#define JITTER_NS (300 * NS_PER_US)

static void changed(struct station *station, const struct servo_frame *frame)
{
	const struct bench_servo *servo = &station->rig->bench->servo;
	struct station_checks *checks = &station->checks;
	int64_t rest_ns = rest_width(servo, frame->width_ns);
	int64_t wanted_ns = station->heading == RIG_UP ? servo->up_ns : servo->down_ns;
	int64_t old_ns = checks->settled_width_ns;
	char from[48], to[48];

	if (station->heading == RIG_ANYWHERE || old_ns == 0)
		return;
	if (station->motion.under_way && !station->motion.done && rest_ns == wanted_ns)
		return;
	if (llabs((long long)(frame->width_ns - old_ns)) < JITTER_NS) {
		FOUND(station, CHECK_SERVO_JITTER, frame->fall_ns,
		      "%s: its servo pulses do not keep one width: %s after %s, and nobody "
		      "asked it to move",
		      station->config->name, width_text(servo, frame->width_ns, to, sizeof(to)),
		      width_text(servo, old_ns, from, sizeof(from)));
		return;
	}
	/* A sweep towards where it was sent. */
	if (llabs((long long)(frame->width_ns - wanted_ns)) <
	    llabs((long long)(old_ns - wanted_ns)))
		return;
	FOUND(station, CHECK_UNEXPECTED_MOVEMENT, frame->fall_ns,
	      "%s: its servo went from %s to %s, and the last order was to %s",
	      station->config->name, width_text(servo, old_ns, from, sizeof(from)),
	      width_text(servo, frame->width_ns, to, sizeof(to)),
	      station->heading == RIG_UP ? "stand up" : "lie down");
}

static void settled(struct station *station, const struct servo_frame *frame)
{
	const struct bench_servo *servo = &station->rig->bench->servo;
	int64_t rest_ns = rest_width(servo, frame->width_ns);
	char is[48], should[48];

	station->checks.settled_width_ns = frame->width_ns;
	if (llabs((long long)(frame->width_ns - rest_ns)) <= servo->width_tolerance_ns)
		return;
	FOUND(station, CHECK_SERVO_WIDTH, frame->fall_ns,
	      "%s: its servo rests at %s; expected %s within %.3f ms", station->config->name,
	      width_text(servo, frame->width_ns, is, sizeof(is)),
	      width_text(servo, rest_ns, should, sizeof(should)),
	      (double)servo->width_tolerance_ns / 1e6);
}

/* One odd period can be a restart of the PWM; a wrong frequency goes on. */
#define ODD_PERIODS 3

static void period(struct station *station, const struct servo_frame *frame)
{
	const struct bench_servo *servo = &station->rig->bench->servo;
	struct station_checks *checks = &station->checks;

	if (!(frame->flags & SERVO_PERIOD) || (frame->flags & SERVO_EDGES)) {
		if (frame->period_ns > 0)
			checks->odd_periods = 0;
		return;
	}
	if (++checks->odd_periods < ODD_PERIODS)
		return;
	FOUND(station, CHECK_PWM_PERIOD, frame->fall_ns,
	      "%s: its servo frames come every %.2f ms (%.0f Hz); expected %.2f ms",
	      station->config->name, (double)frame->period_ns / 1e6, 1e9 / (double)frame->period_ns,
	      (double)servo->period_ns / 1e6);
}

void checks_frame(struct station *station, const struct servo_frame *frame)
{
	struct station_checks *checks = &station->checks;

	checks->frames_since++;
	checks->overdue = 0;
	if (frame->flags & SERVO_SETTLED && frame->fall_ns < checks->doubt_until_ns)
		checks->settled_width_ns = frame->width_ns;
	if (frame->fall_ns < checks->doubt_until_ns)
		return;
	/* Around a reset the signal ends and begins anywhere. */
	if ((int64_t)frame->missing > config_of(station)->missing_frames_max &&
	    !(frame->flags & SERVO_EDGES) && station->registered_ns != 0)
		FOUND(station, CHECK_MISSING_FRAMES, frame->fall_ns,
		      "%s: %u servo frame%s missing before %.6f s", station->config->name,
		      frame->missing, frame->missing == 1 ? " is" : "s are",
		      (double)(frame->fall_ns - station->rig->record->run.start_ns) / 1e9);
	period(station, frame);
	if (frame->flags & SERVO_CHANGED)
		changed(station, frame);
	if (frame->flags & SERVO_SETTLED)
		settled(station, frame);
}

/* ---- the switches ---- */

void checks_switch(struct station *station, enum bench_role role,
		   const struct contact_change *change)
{
	const char *name = bench_role_names[role];

	if (change->bounces > config_of(station)->bounce_max && !change->suspect)
		FOUND(station, CHECK_BOUNCE, change->first_ns,
		      "%s: switch %s bounced %u times within %.2f ms; fine are %lld",
		      station->config->name, name, change->bounces,
		      (double)(change->stable_ns - change->first_ns) / 1e6,
		      (long long)config_of(station)->bounce_max);
	if (station->heading == RIG_ANYWHERE)
		return;
	/* Upward: up closes, down opens. */
	bool upward = (role == BENCH_UP) == change->level;
	if (upward == (station->heading == RIG_UP))
		return;
	/* On a way up both of the wrong kind mean crossed wires; checks_tick() sees that. */
	if (station->motion.under_way && !station->motion.reached)
		return;
	FOUND(station, CHECK_UNEXPECTED_MOVEMENT, change->first_ns,
	      "%s: switch %s %s, and the last order was to %s: it moved by itself, or the "
	      "switch is loose",
	      station->config->name, name, change->level ? "closed" : "opened",
	      station->heading == RIG_UP ? "stand up" : "lie down");
}

/* -1: no such switch. */
static int level_of(struct station *station, enum bench_role role)
{
	const struct station_line *line = &station->lines[role];

	return line->line.handle != NULL && line->contact.known ? line->contact.level : -1;
}

static void compare_switches(struct station *station, int64_t complete_ns)
{
	const struct bench_servo *servo = &station->rig->bench->servo;
	struct station_checks *checks = &station->checks;
	int up = level_of(station, BENCH_UP), down = level_of(station, BENCH_DOWN);
	char width[48];

	if (complete_ns < checks->doubt_until_ns || !station->servo_watched ||
	    !station->servo.settled || station->heading == RIG_ANYWHERE || (up < 0 && down < 0)) {
		checks->disagree_since_ns = 0;
		return;
	}
	bool stands = rest_width(servo, station->servo.width_ns) == servo->up_ns;
	bool agree = (up < 0 || up == stands) && (down < 0 || down == !stands);
	if (agree) {
		checks->disagree_since_ns = 0;
		return;
	}
	if (checks->disagree_since_ns == 0)
		checks->disagree_since_ns = complete_ns;
	if (complete_ns - checks->disagree_since_ns < config_of(station)->disagreement_ns)
		return;
	checks->disagree_since_ns = complete_ns;
	bool opposite = up == !stands && down == stands;
	if (opposite && station->motion.switch_changes > 0)
		FOUND(station, CHECK_SWAPPED_SWITCHES, complete_ns,
		      "%s: its servo is at %s, but switch up is %s and down is %s: the two "
		      "are swapped",
		      station->config->name,
		      width_text(servo, station->servo.width_ns, width, sizeof(width)),
		      up ? "closed" : "open", down ? "closed" : "open");
	else
		FOUND(station, CHECK_SWITCH_DISAGREEMENT, complete_ns,
		      "%s: its servo is at %s, but switch up is %s and down is %s: %s",
		      station->config->name,
		      width_text(servo, station->servo.width_ns, width, sizeof(width)),
		      up < 0 ? "not wired"
		      : up   ? "closed"
			     : "open",
		      down < 0 ? "not wired"
		      : down   ? "closed"
			       : "open",
		      opposite               ? "it did not move with its servo"
		      : up == 1 && down == 1 ? "no position closes both: one of them is stuck"
					     : "it is stuck on its way, or a switch is broken");
}

void checks_edges(struct station *station, enum bench_role role, const char *what)
{
	/* The rig's trouble is not blamed on a board. */
	if (role == BENCH_SERVO)
		station->checks.doubt_until_ns = station->rig->loop->now_ns + NS_PER_S;
	FOUND(station, CHECK_LOST_EDGES, station->rig->loop->now_ns,
	      "%s, line %s: %s: this machine was too slow, or a pulse too short",
	      station->config->name, bench_role_names[role], what);
}

/* ---- port and console ---- */

static bool has(const struct console_line *line, const char *text)
{
	return memmem(line->text, line->len, text, strlen(text)) != NULL;
}

void checks_line(struct station *station, const struct console_line *line)
{
	struct station_checks *checks = &station->checks;
	int64_t t_ns = line->last.read_ns;

	if (t_ns - checks->second_ns >= NS_PER_S) {
		checks->second_ns = t_ns;
		checks->second_lines = 0;
	}
	if (++checks->second_lines == (uint64_t)config_of(station)->console_lines_max + 1)
		FOUND(station, CHECK_CONSOLE_RATE, t_ns,
		      "%s: more than %lld lines on its console within a second",
		      station->config->name, (long long)config_of(station)->console_lines_max);
	if (station->port_busy || station->registered_ns == 0)
		return;
	if (has(line, "MPY: soft reboot") || has(line, "Traceback (most recent call last)"))
		FOUND(station, CHECK_REBOOT, t_ns, "%s: its console says \"%.*s\"",
		      station->config->name, (int)(line->len < 80 ? line->len : 80), line->text);
}

void checks_port_gone(struct station *station, int error)
{
	if (station->port_busy || station->registered_ns == 0)
		return;
	FOUND(station, CHECK_RE_ENUMERATION, station->rig->loop->now_ns,
	      "%s: its port %s is gone (%s), and nobody had reset it", station->config->name,
	      station->port_path, strerror(error < 0 ? -error : EPIPE));
}

void checks_port_back(struct station *station, const char *path, int64_t away_ns)
{
	struct rig *rig = station->rig;
	enum check_severity severity = check_severity(&rig->bench->checks, CHECK_RE_ENUMERATION);
	char text[256];

	/* Linux numbers ttys as it likes: worth a line, and no fault of the board's. */
	snprintf(text, sizeof(text),
		 "%s: it came back as %s after %.1f s; it was %s. It is followed by its %s",
		 station->config->name, path, (double)away_ns / 1e9, station->port_path,
		 station->config->serial[0] != '\0' ? "serial number" : "USB path");
	struct finding finding = { .check = CHECK_RE_ENUMERATION,
				   .severity = severity > CHECK_WARN ? CHECK_WARN : severity,
				   .t_ns = rig->loop->now_ns,
				   .text = text };
	station->checks.found[CHECK_RE_ENUMERATION]++;
	if (severity != CHECK_OFF)
		rig_tell(station, (struct rig_event){ .kind = RIG_FINDING, .finding = &finding });
}

/* ---- network ---- */

/* A board that was just starting when the rig came may answer before it registers. */
#define STARTING_NS (5 * NS_PER_S)

void checks_registered(struct station *station, const char *from)
{
	bool late = station->adopted_ns != 0 &&
		    station->registered_ns - station->adopted_ns > STARTING_NS;

	station->adopted_ns = 0;
	if (station->registrations_due > 0) {
		station->registrations_due--;
		if (!late)
			return;
	}
	FOUND(station, CHECK_EXTRA_REGISTRATION, station->registered_ns,
	      "%s: %s registered from %s without a reset, registration no. %llu: it has "
	      "rebooted, or registers more than once",
	      station->config->name, station->config->target_id, from,
	      (unsigned long long)station->registrations);
}

void checks_identity(struct station *station, const char *id, const char *from)
{
	FOUND(station, CHECK_WRONG_IDENTITY, station->rig->loop->now_ns,
	      "%s: \"%.63s\" registered from %s; expected \"%s\"%s%s: another board is in "
	      "its place",
	      station->config->name, id, from, station->config->target_id,
	      station->config->address[0] != '\0' ? " from " : "", station->config->address);
}

void checks_fall(struct station *station, int64_t t_ns)
{
	const struct motion *motion = &station->motion;
	int64_t stood_ns = motion->chain.at[POINT_SERVO_DONE].ns;

	if (motion->fall.at[POINT_HIT].known || !motion->chain.at[POINT_SERVO_DONE].known ||
	    t_ns - stood_ns > motion->duration_ns - 100 * NS_PER_MS)
		return;
	FOUND(station, CHECK_UNEXPECTED_MOVEMENT, t_ns,
	      "%s: it went down %.2f s into an activation of %.1f s, and nobody had hit it: its "
	      "sensor felt a hit that was none",
	      station->config->name, (double)(t_ns - stood_ns) / 1e9,
	      (double)motion->duration_ns / 1e9);
}

/* MicroPython's print() waits 500 ms for a host that has the port open and does not read. */
#define PRINT_NS (500 * NS_PER_MS)

static void look_for_stall(struct station *station)
{
	const struct motion *motion = &station->motion;
	int64_t stall_ns = config_of(station)->stall_ns;
	struct hop hop;

	if (!chain_between(&motion->chain, motion->foreign ? POINT_FORWARD_OUT : POINT_SENT,
			   POINT_ANSWER, &hop) ||
	    hop.value_ns < stall_ns)
		return;
	int64_t off_ns = hop.value_ns % PRINT_NS;
	bool print = off_ns < 30 * NS_PER_MS || off_ns > PRINT_NS - 30 * NS_PER_MS;
	FOUND(station, CHECK_STALL, station->rig->loop->now_ns,
	      "%s: it answered after %.0f ms: its program stood still%s", station->config->name,
	      (double)hop.value_ns / 1e6,
	      print ? "; 500 ms is what a print costs when nobody takes its output" : "");
}

void checks_answer(struct station *station)
{
	const struct motion *motion = &station->motion;

	look_for_stall(station);

	/* A read that ends in the middle of a line: the range's master takes it for all there is.
	 */
	if (motion->answer_units == 0 ||
	    (motion->outcome == MASTER_OK && motion->answer_units == 1))
		return;
	if (!motion->answer_whole || motion->answer_units > 1)
		FOUND(station, CHECK_SPLIT_ANSWER, station->rig->loop->now_ns,
		      "%s: its answer came in pieces; the range's master reads once and "
		      "would have had: %s",
		      station->config->name, motion->answer);
}

void checks_alive(struct station *station, bool alive, const char *why)
{
	struct station_checks *checks = &station->checks;

	if (alive) {
		checks->pings_failed = 0;
		station->heard_ns = station->rig->loop->now_ns;
		return;
	}
	checks->pings_failed++;
	FOUND(station, CHECK_SILENT_DEATH, station->rig->loop->now_ns,
	      "%s: %s does not answer any more (%s), last heard %.1f s ago: its program has "
	      "ended or its network is gone, and it said nothing",
	      station->config->name, station->config->target_id, why,
	      (double)(station->rig->loop->now_ns - station->heard_ns) / 1e9);
}

static void look_if_alive(struct station *station, int64_t now_ns)
{
	int64_t every_ns = config_of(station)->alive_every_ns;

	if (every_ns == 0 || station->rig->master == NULL || station->app_stopped ||
	    station->port_busy || station->registered_ns == 0 || station->motion.under_way ||
	    station->pinging || now_ns - station->heard_ns < every_ns)
		return;
	/* Not again at once when it fails. */
	if (station->checks.pings_failed > 0 &&
	    now_ns - station->checks.last_ns[CHECK_SILENT_DEATH] < every_ns)
		return;
	station->pinging = true;
	if (station_command(station, RANGE_PING, NULL, now_ns) < 0)
		station->pinging = false;
}

static void look_for_frames(struct station *station, int64_t complete_ns)
{
	struct station_checks *checks = &station->checks;

	if (!station->servo_watched || checks->frames_since == 0 || station->registered_ns == 0)
		return;
	uint64_t overdue = servo_overdue(&station->servo, complete_ns);
	/* Those in between are told by the frame that follows; this is a signal that ended. */
	if (overdue >= 10 && checks->overdue < 10)
		FOUND(station, CHECK_MISSING_FRAMES, complete_ns,
		      "%s: its servo signal has stopped: %llu frames are missing",
		      station->config->name, (unsigned long long)overdue);
	checks->overdue = overdue;
}

void checks_tick(struct station *station, int64_t complete_ns)
{
	if (station->watch.loop != NULL) {
		compare_switches(station, complete_ns);
		look_for_frames(station, complete_ns);
	}
	look_if_alive(station, station->rig->loop->now_ns);
}

void checks_forget(struct station *station)
{
	struct station_checks *checks = &station->checks;

	checks->disagree_since_ns = 0;
	checks->pings_failed = 0;
	checks->odd_periods = 0;
	checks->frames_since = 0;
	checks->overdue = 0;
	checks->settled_width_ns = 0;
}
