#include "hil/report/synthetic.h"

#include "emulator/base/rng.h"
#include "emulator/base/units.h"

#include <stdio.h>
#include <string.h>

#define FRAME_NS (20 * NS_PER_MS)
#define UP_NS 1500000
#define DOWN_NS 500000
#define STEP_EVERY_NS (1500 * NS_PER_MS)
#define KINDS 3

/* What is planted in which board; more boards are healthy. */
enum plant { HEALTHY, SLOWER, FLAKY, LOSSY, DYING, PLANTS };

struct made_board {
	enum plant plant;
	int pin_servo, servo, pin_up, pin_down, wire, console;
};

struct maker {
	const struct synthetic *options;
	struct record *record;
	struct made_board boards[8];
	struct step_room room;
	uint64_t draws;
	int64_t now_ns;
	void (*begin)(const struct step_result *step, void *context);
	void (*end)(const struct step_result *step, void *context);
	void *context;
};

/* ---- randomness ---- */

static double unit(struct maker *maker)
{
	return rng_unit(rng_draw(maker->options->seed, 0, RNG_GENERATE, maker->draws++));
}

static int64_t uniform(struct maker *maker, int64_t low, int64_t high)
{
	return low + (int64_t)(unit(maker) * (double)(high - low));
}

/* Twelve draws make a normal one that never runs away. */
static int64_t normal(struct maker *maker, int64_t mean, int64_t sd)
{
	double sum = -6;

	for (int i = 0; i < 12; i++)
		sum += unit(maker);
	return mean + (int64_t)(sum * (double)sd);
}

/* ---- the bench ---- */

static const struct calibration made_calibration = {
	.edge = { .n = 5000, .mean_ns = 6200, .sd_ns = 1400, .min_ns = 4100, .max_ns = 21000 },
	.send = { .n = 500, .mean_ns = 11000, .sd_ns = 2500, .min_ns = 7000, .max_ns = 30000 },
	.clock_ns = 120,
	.realtime_ns = 900,
	.usb_ns = 1000000,
	.edges = 10000,
	.edges_lost = 0,
};

static int add_board(struct maker *maker, unsigned i)
{
	static const char *const names[] = { "alpha", "bravo",   "charlie", "delta",
					     "echo",  "foxtrot", "golf",    "hotel" };
	struct record_board board = { .steps = { 0 } };
	struct made_board *made = &maker->boards[i];

	snprintf(board.name, sizeof(board.name), "%s", names[i]);
	snprintf(board.serial, sizeof(board.serial), "e66141040396%04x", 0x2b00 + i);
	snprintf(board.usb_path, sizeof(board.usb_path), "1-1.%u", i + 1);
	snprintf(board.address, sizeof(board.address), "192.0.2.%u:8081", 11 + i);
	snprintf(board.firmware, sizeof(board.firmware), "MicroPython v1.25.0 (made up)");
	int index = record_add_board(maker->record, &board);
	if (index < 0)
		return index;
	made->plant = i < PLANTS ? (enum plant)i : HEALTHY;
	made->pin_servo = record_add_channel(maker->record, index, CHANNEL_PIN, "servo_pin");
	made->servo = record_add_channel(maker->record, index, CHANNEL_SERVO, "servo");
	made->pin_up = record_add_channel(maker->record, index, CHANNEL_PIN, "switch_up");
	made->pin_down = record_add_channel(maker->record, index, CHANNEL_PIN, "switch_down");
	made->wire = record_add_channel(maker->record, index, CHANNEL_WIRE, "wire");
	made->console = record_add_channel(maker->record, index, CHANNEL_CONSOLE, "console");
	return made->console < 0 ? made->console : 0;
}

/* ---- what is seen on the timeline ---- */

static void text_event(struct maker *maker, enum timeline_kind kind, int channel, int64_t t_ns,
		       const char *text)
{
	record_event(maker->record, kind, channel, t_ns, 0, text, strlen(text));
}

/* A few frames of the old width, a few of the new: enough to see the change in a viewer. */
static void frames(struct maker *maker, const struct made_board *board, int64_t change_ns,
		   int64_t before_ns, int64_t after_ns)
{
	for (int i = -3; i < 6; i++) {
		int64_t width = i < 0 ? before_ns : after_ns;
		int64_t fall = change_ns + i * FRAME_NS - (i < 0 ? after_ns - before_ns : 0);
		record_event(maker->record, TIMELINE_PIN, board->pin_servo, fall - width, 1, NULL,
			     0);
		record_event(maker->record, TIMELINE_PIN, board->pin_servo, fall, 0, NULL, 0);
	}
	record_event(maker->record, TIMELINE_SERVO, board->servo, change_ns, after_ns, NULL, 0);
}

/* ---- one command ---- */

struct kind {
	const char *name, *sent, *answer, *console;
	int64_t width_ns, old_ns;
	int64_t travel_ns;
};
static const struct kind kinds[KINDS] = {
	{ "stand_up", "{\"type\": \"stand_up\"}\n", "{\"type\": \"standing\"}\n",
	  "servo: 90 degrees", UP_NS, DOWN_NS, 310 * NS_PER_MS },
	{ "lay_down", "{\"type\": \"lay_down\"}\n", "{\"type\": \"laying\"}\n", "servo: 0 degrees",
	  DOWN_NS, UP_NS, 280 * NS_PER_MS },
	{ "hit", "{\"type\": \"activate\"}\n", "{\"type\": \"hit\"}\n", "HIT! <b>10 points</b>",
	  DOWN_NS, UP_NS, 280 * NS_PER_MS },
};

/* The board's own part, from the message's arrival until it writes the servo. */
static int64_t board_ns(struct maker *maker, const struct made_board *board, uint32_t repeat,
			uint32_t attempt)
{
	int64_t ns = normal(maker, 14 * NS_PER_MS, 1500000) + maker->options->slower_ns;

	if (board->plant == SLOWER)
		ns += repeat * 25 * NS_PER_MS / (maker->options->repeats + 1);
	if (board->plant == FLAKY && repeat % 7 == 3 && attempt == 0)
		ns += 70 * NS_PER_MS;
	return ns;
}

static void make_chain(struct maker *maker, const struct made_board *board, const struct kind *kind,
		       uint32_t repeat, uint32_t attempt, int64_t due_ns, struct chain *chain)
{
	const struct calibration *calibration = &maker->record->run.calibration;
	bool hit = strcmp(kind->name, "hit") == 0;
	unsigned suspect = board->plant == LOSSY && repeat % 5 == 4 ? SUSPECT_GAP : 0;
	int64_t written = due_ns + uniform(maker, 12000, 70000);
	int64_t sent = written + normal(maker, 11000, 2500);
	int64_t decided = sent + board_ns(maker, board, repeat, attempt);
	int64_t frame = decided + uniform(maker, 0, FRAME_NS) + kind->width_ns;
	int64_t reached = frame + normal(maker, kind->travel_ns, 9 * NS_PER_MS);
	int64_t answer = decided + 500 * NS_PER_MS + normal(maker, 3 * NS_PER_MS, 600000);
	int64_t line = answer + uniform(maker, 500000, 3 * NS_PER_MS);

	if (hit) {
		chain_set(chain, POINT_HIT, stamp_user(due_ns, calibration));
		stamp_earlier(&chain->at[POINT_HIT], 200000, U_QUANTUM);
	} else {
		chain_set(chain, POINT_DUE, stamp_exact(due_ns));
		chain_set(chain, POINT_WRITTEN, stamp_user(written, calibration));
		chain_set(chain, POINT_SENT, stamp_sent(sent, calibration));
	}
	text_event(maker, TIMELINE_SENT, board->wire, written, kind->sent);
	if (board->plant == DYING && repeat * 10 >= maker->options->repeats * 7) {
		text_event(maker, TIMELINE_CONSOLE, board->console, sent + 2 * NS_PER_MS,
			   "Traceback (most recent call last):");
		text_event(maker, TIMELINE_CONSOLE, board->console, sent + 3 * NS_PER_MS,
			   "MemoryError: memory allocation failed, allocating 4096 bytes");
		return;
	}
	chain_set(chain, hit ? POINT_SERVO_DOWN : POINT_SERVO_FRAME,
		  stamp_servo(frame + 6200, kind->width_ns, FRAME_NS, suspect, calibration));
	chain_set(chain, POINT_SWITCH, stamp_edge(reached + 6200, 0, calibration));
	chain_set(chain, hit ? POINT_RESULT : POINT_ANSWER, stamp_user(answer, calibration));
	chain_set(chain, POINT_CONSOLE,
		  stamp_read(line - uniform(maker, 100000, 900000), line, true, calibration));
	frames(maker, board, frame, kind->old_ns, kind->width_ns);
	if (suspect != 0)
		record_event(maker->record, TIMELINE_LOST, board->pin_servo, frame, 2, NULL, 0);
	record_event(maker->record, TIMELINE_PIN,
		     kind->width_ns == UP_NS ? board->pin_up : board->pin_down, reached, 1, NULL,
		     0);
	record_event(maker->record, TIMELINE_PIN,
		     kind->width_ns == UP_NS ? board->pin_down : board->pin_up,
		     frame + 40 * NS_PER_MS, 0, NULL, 0);
	text_event(maker, TIMELINE_RECEIVED, board->wire, answer, kind->answer);
	text_event(maker, TIMELINE_CONSOLE, board->console, line, kind->console);
}

static void measure(struct maker *maker, const struct kind *kind, const struct chain *chain,
		    int64_t waited_ns)
{
	static const struct {
		const char *what;
		enum point command, hit;
		int64_t max, margin;
	} limits[] = {
		{ "to servo", POINT_SERVO_FRAME, POINT_SERVO_DOWN, 60 * NS_PER_MS, 5 * NS_PER_MS },
		{ "to switch", POINT_SWITCH, POINT_SWITCH, 450 * NS_PER_MS, 20 * NS_PER_MS },
		{ "to answer", POINT_ANSWER, POINT_RESULT, 600 * NS_PER_MS, 20 * NS_PER_MS },
	};
	bool hit = strcmp(kind->name, "hit") == 0;
	char name[64];

	for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
		struct limit limit = { .has_max = true,
				       .max = limits[i].max,
				       .margin = limits[i].margin };
		snprintf(name, sizeof(name), "%s: %s %s", kind->name, hit ? "hit" : "due",
			 hit && limits[i].hit == POINT_RESULT ? "to result" : limits[i].what);
		step_measure_chain(&maker->room, name, chain, hit ? POINT_HIT : POINT_DUE,
				   hit ? limits[i].hit : limits[i].command, waited_ns, &limit);
	}
	if (!chain->at[hit ? POINT_SERVO_DOWN : POINT_SERVO_FRAME].known)
		return;
	struct limit window = { .has_min = true,
				.min = kind->width_ns - 40000,
				.has_max = true,
				.max = kind->width_ns + 40000,
				.margin = 5000 };
	struct uncertainty u = { .half_ns = { [U_QUANTUM] = 1000, [U_CLOCK] = 120 } };
	snprintf(name, sizeof(name), "%s: servo width", kind->name);
	step_measure(&maker->room, name, UNIT_NS, kind->width_ns + normal(maker, 2000, 3000), &u, 0,
		     &window);
}

/* Returns whether a retry is due. */
static bool make_step(struct maker *maker, unsigned board, unsigned k, uint32_t repeat,
		      uint32_t attempt)
{
	const struct kind *kind = &kinds[k];
	struct step_result *step = &maker->room.step;
	struct chain chain = { 0 };
	char path[32];
	int64_t begin = maker->now_ns + attempt * 700 * NS_PER_MS;

	snprintf(path, sizeof(path), "steps[%u]", k);
	step_begin(&maker->room, (int)board, path, kind->name, repeat, attempt, begin);
	record_step_begin(maker->record, step);
	if (maker->begin != NULL)
		maker->begin(step, maker->context);
	make_chain(maker, &maker->boards[board], kind, repeat, attempt, begin + NS_PER_MS, &chain);
	step->end_ns = begin + 620 * NS_PER_MS;
	measure(maker, kind, &chain, begin + NS_PER_MS + 2 * NS_PER_S);
	record_step(maker->record, step);
	if (maker->end != NULL)
		maker->end(step, maker->context);
	return step->verdict == VERDICT_FAIL && maker->boards[board].plant == FLAKY;
}

int synthetic_run(const struct synthetic *options, struct record *ret,
		  void (*begin)(const struct step_result *step, void *context),
		  void (*end)(const struct step_result *step, void *context), void *context)
{
	struct maker maker = { .options = options,
			       .record = ret,
			       .begin = begin,
			       .end = end,
			       .context = context,
			       .now_ns = 3600 * NS_PER_S };
	unsigned boards = options->boards < 8 ? options->boards : 8;
	int rc = record_init(ret, NULL, maker.now_ns, options->start_wall_ns);

	for (unsigned i = 0; i < boards && rc == 0; i++)
		rc = add_board(&maker, i);
	if (rc < 0)
		return rc;
	struct run_info *run = &ret->run;
	run->synthetic = true;
	run->seed = options->seed;
	run->steps_planned = boards * options->repeats * KINDS;
	run->calibration = made_calibration;
	run->calibration.wall_ns = options->start_wall_ns - 60 * NS_PER_S;
	run->versions = "{\"quintain\": \"" QN_VERSION "\", \"libgpiod\": \"none: made up\"}";
	snprintf(run->title, sizeof(run->title), "made up, nothing was measured");
	snprintf(run->plan_path, sizeof(run->plan_path), "synthetic");
	snprintf(run->bench_path, sizeof(run->bench_path), "synthetic");
	snprintf(run->host, sizeof(run->host), "synthetic");
	for (uint32_t repeat = 0; repeat < options->repeats; repeat++)
		for (unsigned k = 0; k < KINDS; k++) {
			for (unsigned board = 0; board < boards; board++)
				if (make_step(&maker, board, k, repeat, 0))
					make_step(&maker, board, k, repeat, 1);
			maker.now_ns += STEP_EVERY_NS;
		}
	record_end(ret, maker.now_ns);
	return 0;
}
