/*
 * Each planted defect can be seen on the wires and pins, and nothing like it on a healthy board.
 *
 * Runs inside the bench, with up to eight boards; tests/hil/vm/run_defects starts it there again
 * and again. Usage: defects TRUTH-LOG NAME...: the defect of each board, "none" for a healthy one.
 */
#include "tests/support/vm.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define BOARDS 8
#define US INT64_C(1000)
#define FIRST_SERIAL UINT64_C(0xe6614104031a2b30)
#define SETTLED_NS (4 * VM_S) /* every board that ever will has registered */
#define WATCHED_NS (22 * VM_S)
#define RESET_NS (5 * VM_S / 2)

/* What was seen of a board. Times since the command, -1: never. */
struct seen {
	unsigned registrations;
	char id[64], right_id[64];
	bool on_usb;
	bool idle_up, idle_down; /* levels */
	int pulses;
	int64_t period_min, period_max, width_min, width_max; /* at rest */
	bool answered;
	int64_t answer_ns, servo_ns, down_ns, up_ns;
	size_t reads;
	char answer[1024];
	int up_edges, down_edges; /* in 2.5 s */
	bool says_standing;
	int64_t ping_ns;  /* right behind the word "standing" */
	int64_t lay_ns;   /* until `down` closes */
	int64_t drift_ns; /* of the width, from the first to the sixth move */
	bool rebooted;    /* of its own */
	size_t chatter;   /* bytes a second at rest */
	bool fell_early, fell_when_hit, alive;
	bool prompt;
	bool gone_in_reset, back, same_tty;
};

/* What the master counts while all boards are watched at once, a process each. */
struct counted {
	volatile unsigned registrations;
	char id[64];
};

struct bed {
	unsigned number;
	const struct counted *master;
	int chip, servo, up, down, hit, serial;
	char usb[32];
};

static char buf[65536];

/* ---- looking ---- */

static void drop_edges(const struct bed *bed)
{
	struct vm_edge edge;

	while (vm_edge(bed->servo, &edge, 1) || vm_edge(bed->up, &edge, 1) ||
	       vm_edge(bed->down, &edge, 1))
		;
}

static void at_rest(const struct bed *bed, struct seen *seen)
{
	struct vm_edge edge;
	int64_t until = vm_now() + VM_S, rose = 0;

	drop_edges(bed);
	seen->idle_up = vm_level(bed->up);
	seen->idle_down = vm_level(bed->down);
	seen->period_min = seen->width_min = INT64_MAX;
	while (vm_now() < until && vm_edge(bed->servo, &edge, until - vm_now())) {
		if (edge.rising && rose != 0) {
			int64_t period = edge.t_ns - rose;
			seen->period_min = period < seen->period_min ? period : seen->period_min;
			seen->period_max = period > seen->period_max ? period : seen->period_max;
		}
		if (!edge.rising && rose != 0) {
			int64_t width = edge.t_ns - rose;
			seen->width_min = width < seen->width_min ? width : seen->width_min;
			seen->width_max = width > seen->width_max ? width : seen->width_max;
			seen->pulses++;
		}
		if (edge.rising)
			rose = edge.t_ns;
	}
}

/* The first pulse of more (or less) than 1 ms after `from`; its beginning, or -1. */
static int64_t first_pulse(const struct bed *bed, int64_t from, bool wide, int64_t *ret_width)
{
	struct vm_edge edge;
	int64_t rose = 0;

	while (vm_edge(bed->servo, &edge, 1)) {
		if (edge.rising)
			rose = edge.t_ns;
		else if (rose >= from && (edge.t_ns - rose > VM_MS) == wide) {
			*ret_width = edge.t_ns - rose;
			return rose;
		}
	}
	return -1;
}

static void stand_up(const struct bed *bed, struct seen *seen)
{
	struct vm_answer answer, ping;
	struct vm_edge edge;
	int64_t width;

	drop_edges(bed);
	seen->answered = vm_command(bed->number, "stand_up", "", &answer, VM_S);
	seen->answer_ns = answer.first_ns - answer.sent_ns;
	seen->reads = answer.reads;
	snprintf(seen->answer, sizeof(seen->answer), "%s", answer.text);
	int64_t sent = answer.sent_ns;
	if (bed->serial >= 0)
		seen->says_standing = vm_expect(bed->serial, ": standing\r\n", buf, sizeof(buf),
						VM_S);
	vm_sleep(5 * VM_MS);
	if (vm_command(bed->number, "ping", "", &ping, VM_S))
		seen->ping_ns = ping.first_ns - ping.sent_ns;
	int64_t servo = first_pulse(bed, sent, true, &width);
	seen->servo_ns = servo < 0 ? -1 : servo - sent;
	vm_sleep(sent + 5 * VM_S / 2 - vm_now());
	seen->up_ns = seen->down_ns = -1;
	while (vm_edge(bed->up, &edge, 1)) {
		if (edge.rising && seen->up_ns < 0)
			seen->up_ns = edge.t_ns - sent;
		seen->up_edges++;
	}
	while (vm_edge(bed->down, &edge, 1)) {
		if (!edge.rising && seen->down_ns < 0)
			seen->down_ns = edge.t_ns - sent;
		seen->down_edges++;
	}
}

static void lay_down(const struct bed *bed, struct seen *seen)
{
	struct vm_answer answer;
	struct vm_edge edge;

	drop_edges(bed);
	vm_command(bed->number, "lay_down", "", &answer, VM_S);
	seen->lay_ns = -1;
	while (vm_edge(bed->down, &edge, 2 * VM_S) && seen->lay_ns < 0)
		if (edge.rising)
			seen->lay_ns = edge.t_ns - answer.sent_ns;
}

/* Six moves: what shows only in the long run. */
static void move_on(const struct bed *bed, struct seen *seen)
{
	struct vm_answer answer;
	int64_t width, first = 0, last = 0;

	for (int i = 0; i < 6 && !seen->rebooted; i++) {
		drop_edges(bed);
		vm_command(bed->number, i % 2 == 0 ? "stand_up" : "lay_down", "", &answer, VM_S);
		vm_sleep(1200 * VM_MS);
		if (first_pulse(bed, answer.sent_ns, i % 2 == 0, &width) >= 0 && i % 2 == 0)
			*(i == 0 ? &first : &last) = width;
		seen->rebooted = bed->master->registrations != seen->registrations;
	}
	seen->drift_ns = last - first;
	vm_sleep(2 * VM_S); /* the last move may be what it was */
	seen->rebooted = bed->master->registrations != seen->registrations;
}

static void activate(const struct bed *bed, struct seen *seen)
{
	struct vm_answer answer;
	struct vm_edge edge;
	int64_t width;

	vm_command(bed->number, "activate", ", \"duration\": 3", &answer, VM_S);
	vm_sleep(1500 * VM_MS);
	int64_t from = vm_now();
	drop_edges(bed);
	vm_sleep(100 * VM_MS);
	seen->fell_early = first_pulse(bed, from, true, &width) < 0;
	vm_set(bed->hit, true);
	vm_sleep(30 * VM_MS);
	vm_set(bed->hit, false);
	from = vm_now();
	vm_sleep(100 * VM_MS);
	seen->fell_when_hit = first_pulse(bed, from, false, &width) >= 0;
	vm_sleep(3 * VM_S);
	while (vm_edge(bed->up, &edge, 1))
		;
	seen->alive = vm_command(bed->number, "ping", "", &answer, VM_S);
}

/* ---- USB ---- */

static void console(struct bed *bed, struct seen *seen)
{
	char name[40];

	seen->on_usb = vm_serial_name(bed->usb, name, sizeof(name));
	bed->serial = seen->on_usb ? vm_serial(bed->usb, VM_S) : -1;
	if (bed->serial < 0)
		return;
	vm_read(bed->serial, buf, sizeof(buf), VM_MS);
	vm_sleep(VM_S);
	seen->chatter = vm_read(bed->serial, buf, sizeof(buf), VM_MS);
}

static void reset(const struct bed *bed, struct seen *seen)
{
	char before[40] = "", after[40] = "", name[40];

	/* One after the other: of two at once, either may get the name that both gave up. */
	vm_sleep(SETTLED_NS + WATCHED_NS + bed->number * RESET_NS - vm_now());
	vm_serial_name(bed->usb, before, sizeof(before));
	int run = vm_output(bed->chip, 4, true, false);
	vm_sleep(100 * VM_MS);
	seen->gone_in_reset = !vm_serial_name(bed->usb, name, sizeof(name));
	vm_set(run, true);
	vm_sleep(2 * VM_S);
	seen->back = vm_serial_name(bed->usb, after, sizeof(after));
	seen->same_tty = strcmp(before, after) == 0;
	close(run);
}

static void watch(struct bed *bed, struct seen *seen)
{
	console(bed, seen);
	at_rest(bed, seen);
	stand_up(bed, seen);
	lay_down(bed, seen);
	move_on(bed, seen);
	if (seen->rebooted && bed->serial >= 0) {
		close(bed->serial);
		bed->serial = vm_serial(bed->usb, VM_S);
	}
	activate(bed, seen);
	if (bed->serial >= 0) {
		vm_write(bed->serial, "\r\x03", 2);
		seen->prompt = vm_expect(bed->serial, ">>> ", buf, sizeof(buf), VM_S);
		close(bed->serial);
		bed->serial = -1;
	}
	reset(bed, seen);
}

/* ---- what must have been seen ---- */

#define NEAR(value, wanted) ((value) > (wanted)-5 * US && (value) < (wanted) + 5 * US)

/* Of a healthy board all of them hold; each defect makes its own false, in the order of a rig that
 * asks one thing after the other. */
#define FACTS(X)                                                                                   \
	X(registers_once, s->registrations == 1)                                                   \
	X(right_id, strcmp(s->id, s->right_id) == 0)                                               \
	X(on_usb, s->on_usb)                                                                       \
	X(quiet, s->chatter < 100)                                                                 \
	X(up_open_at_rest, !s->idle_up)                                                            \
	X(down_closed_at_rest, s->idle_down)                                                       \
	X(pulses, s->pulses >= 35)                                                                 \
	X(period_long_enough, s->period_min > 20 * VM_MS - 5 * US)                                 \
	X(period_short_enough, s->period_max < 20 * VM_MS + 5 * US)                                \
	X(lies_by_servo, s->width_min < VM_MS)                                                     \
	X(widths_even, s->width_max - s->width_min < 5 * US)                                       \
	X(no_long_pulse, s->width_max < 3 * VM_MS)                                                 \
	X(answers, s->answered)                                                                    \
	X(answers_soon, s->answer_ns < 3 * VM_MS)                                                  \
	X(answers_in_one, s->reads == 1 && newlines(s->answer) == 1)                               \
	X(answers_once, newlines(s->answer) <= 1)                                                  \
	X(answers_rightly, strstr(s->answer, "\"type\": \"standing\"") != NULL)                    \
	X(servo_turns, s->servo_ns >= 0)                                                           \
	X(servo_soon, s->servo_ns < 22 * VM_MS)                                                    \
	X(leaves_switch, s->down_ns >= 0)                                                          \
	X(reaches_switch, s->up_ns >= 0)                                                           \
	X(moves_soon, s->up_ns < 280 * VM_MS)                                                      \
	X(moves_once, s->down_edges <= 1)                                                          \
	X(stays_up, s->up_edges <= 1 || s->up_edges >= 5)                                          \
	X(switch_clean, s->up_edges <= 2)                                                          \
	X(says_standing, s->says_standing)                                                         \
	X(awake, s->ping_ns < 100 * VM_MS)                                                         \
	X(lies_again, s->lay_ns >= 0)                                                              \
	X(lies_not_too_soon, s->lay_ns > 200 * VM_MS)                                              \
	X(steady, s->drift_ns < 20 * US)                                                           \
	X(runs_through, !s->rebooted)                                                              \
	X(waits_for_hit, !s->fell_early)                                                           \
	X(feels_hit, s->fell_when_hit)                                                             \
	X(outlives_activation, s->alive)                                                           \
	X(takes_ctrl_c, s->prompt)                                                                 \
	X(resets, s->gone_in_reset)                                                                \
	X(comes_back, s->back)                                                                     \
	X(same_tty, !s->back || s->same_tty)

static int newlines(const char *text)
{
	int n = 0;

	for (; *text != '\0'; text++)
		n += *text == '\n';
	return n;
}

#define X(name, holds)                                                                             \
	static bool fact_##name(const struct seen *s)                                              \
	{                                                                                          \
		return holds;                                                                      \
	}
FACTS(X)
#undef X

static const struct {
	const char *name;
	bool (*holds)(const struct seen *s);
} facts[] = {
#define X(name, holds) { #name, fact_##name },
	FACTS(X)
#undef X
};
#define N_FACTS (sizeof(facts) / sizeof(*facts))

/* The defect, and the facts that it makes false among others. */
static const struct {
	const char *defect;
	const char *breaks[3];
} symptoms[] = {
	{ "answers_never_moves", { "servo_turns", "says_standing" } },
	{ "moves_no_answer", { "answers" } },
	{ "late_30ms", { "servo_soon" } },
	{ "late_answer", { "answers_soon" } },
	{ "answer_split", { "answers_in_one" } },
	{ "answers_twice", { "answers_once" } },
	{ "wrong_answer", { "answers_rightly" } },
	{ "moves_twice", { "moves_once" } },
	{ "servo_dead", { "pulses" } },
	{ "servo_reversed", { "lies_by_servo" } },
	{ "servo_jitters", { "widths_even" } },
	{ "drifting_servo", { "steady" } },
	{ "wrong_pwm_frequency", { "period_long_enough" } },
	{ "missing_frames", { "period_short_enough" } },
	{ "dropped_edges", { "no_long_pulse" } },
	{ "stops_half_way", { "reaches_switch", "lies_not_too_soon" } },
	{ "servo_jammed", { "leaves_switch", "reaches_switch" } },
	{ "slow_move", { "moves_soon" } },
	{ "falls_down", { "stays_up" } },
	{ "bouncing_switch", { "switch_clean" } },
	{ "switch_stuck", { "up_open_at_rest" } },
	{ "switch_open", { "reaches_switch" } },
	{ "swapped_pins", { "up_open_at_rest", "down_closed_at_rest" } },
	{ "hit_ignored", { "feels_hit" } },
	{ "ghost_hit", { "waits_for_hit" } },
	{ "dies_after_activation", { "outlives_activation" } },
	{ "reboots_in_the_middle", { "runs_through" } },
	{ "stall_500ms_on_print", { "awake" } },
	{ "console_storm", { "quiet" } },
	{ "silent_console", { "says_standing" } },
	{ "stuck_repl", { "takes_ctrl_c" } },
	{ "registers_twice", { "registers_once" } },
	{ "never_registers", { "registers_once", "answers" } },
	{ "wrong_board", { "right_id", "on_usb" } },
	{ "other_tty", { "same_tty" } },
	{ "usb_lost", { "comes_back" } },
	{ "deaf_reset", { "resets" } },
};

static bool fact_holds(const char *name, const struct seen *seen)
{
	for (size_t i = 0; i < N_FACTS; i++)
		if (strcmp(facts[i].name, name) == 0)
			return facts[i].holds(seen);
	vm_die("no fact \"%s\"", name);
}

/* How many things are wrong with what was seen of it. */
static int judge(const struct bed *bed, const char *defect, const struct seen *seen)
{
	static char line[4096];
	int wrong = 0;

	/* One write: others say something as well. */
	setvbuf(stdout, line, _IOFBF, sizeof(line));
	printf("board %u, %s:", bed->number, defect);
	for (size_t i = 0; i < N_FACTS; i++)
		if (!facts[i].holds(seen))
			printf(" not %s", facts[i].name);
	if (strcmp(defect, "none") == 0) {
		for (size_t i = 0; i < N_FACTS; i++)
			wrong += !facts[i].holds(seen);
	} else {
		size_t i = 0;
		while (i < sizeof(symptoms) / sizeof(*symptoms) &&
		       strcmp(symptoms[i].defect, defect) != 0)
			i++;
		VM_MUST(i < sizeof(symptoms) / sizeof(*symptoms), "%s: no symptom known", defect);
		for (size_t k = 0; k < 3 && symptoms[i].breaks[k] != NULL; k++)
			wrong += fact_holds(symptoms[i].breaks[k], seen);
	}
	printf("%s\n", wrong != 0 ? "  <- WRONG" : "");
	return wrong;
}

/* ---- */

static void prepare(struct bed *bed, unsigned number, const struct counted *master)
{
	char label[16];

	snprintf(label, sizeof(label), "board%u", number);
	*bed = (struct bed){ .number = number, .master = master, .serial = -1 };
	bed->chip = vm_chip(label);
	VM_MUST(bed->chip >= 0, "no chip %s", label);
	bed->servo = vm_edges(bed->chip, 0);
	bed->up = vm_edges(bed->chip, 1);
	bed->down = vm_edges(bed->chip, 2);
	bed->hit = vm_output(bed->chip, 3, false, false);
	snprintf(bed->usb, sizeof(bed->usb), "%016" PRIx64, FIRST_SERIAL + number - 1);
}

static void count_registration(int listener, struct counted *counted, int64_t timeout_ns)
{
	char id[64];
	unsigned from = vm_registration(listener, id, sizeof(id), timeout_ns);

	if (from == 0)
		return;
	VM_MUST(from <= BOARDS, "a registration from board %u", from);
	counted[from - 1].registrations++;
	snprintf(counted[from - 1].id, sizeof(counted[from - 1].id), "%s", id);
}

static int watch_and_judge(unsigned number, const char *defect, const struct counted *master)
{
	static struct seen seen;
	static struct bed bed;

	prepare(&bed, number, master);
	vm_sleep(SETTLED_NS - vm_now());
	seen.registrations = master->registrations;
	snprintf(seen.id, sizeof(seen.id), "%s", master->id);
	snprintf(seen.right_id, sizeof(seen.right_id), "target_%u", number);
	watch(&bed, &seen);
	return judge(&bed, defect, &seen);
}

int main(int argc, char **argv)
{
	struct counted *counted = mmap(NULL, BOARDS * sizeof(*counted), PROT_READ | PROT_WRITE,
				       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int listener = vm_listen(), wrong = 0, left = argc - 2, status;

	VM_MUST(argc >= 3 && argc <= 2 + BOARDS, "usage: defects TRUTH-LOG NAME...");
	VM_MUST(counted != MAP_FAILED, "no memory");
	vm_linger_ns = 50 * VM_MS;
	for (int i = 0; i < argc - 2; i++) {
		pid_t pid = fork();
		VM_MUST(pid >= 0, "no process");
		if (pid == 0)
			exit(watch_and_judge((unsigned)i + 1, argv[2 + i], &counted[i]) > 0);
	}
	while (left > 0) {
		count_registration(listener, counted, 100 * VM_MS);
		while (left > 0 && waitpid(-1, &status, WNOHANG) > 0) {
			left--;
			wrong += status != 0;
		}
	}
	return wrong > 0 ? 1 : 0;
}
