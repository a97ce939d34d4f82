#include "tests/soak/generate.h"

#include "emulator/base/rng.h"
#include "emulator/target/wire.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct draft {
	uint64_t seed, draws;
	char *text;
	size_t len, cap;
	uint32_t groups, targets;
	enum wire_id wire; /* of the group under way; in the timeline, of the last */
	struct generated *about;
};

static uint64_t below(struct draft *draft, uint64_t n)
{
	return rng_below(rng_draw(draft->seed, 0, RNG_GENERATE, draft->draws++), n);
}

static bool one_in(struct draft *draft, uint64_t n)
{
	return below(draft, n) == 0;
}

__attribute__((format(printf, 2, 3))) static void put(struct draft *draft, const char *format, ...)
{
	va_list args;

	if (draft->len >= draft->cap)
		return;
	va_start(args, format);
	draft->len += (size_t)vsnprintf(draft->text + draft->len, draft->cap - draft->len, format,
					args);
	va_end(args);
}

#define PICK(draft, words) words[below(draft, sizeof(words) / sizeof(words[0]))]

static void put_dist(struct draft *draft, const char *name, uint64_t high_ms)
{
	uint64_t a = below(draft, high_ms) + 1, b = a + below(draft, high_ms);

	switch (below(draft, 5)) {
	case 0: put(draft, "%s = \"%llums\"; ", name, (unsigned long long)a); break;
	case 1:
		put(draft, "%s = \"uniform(%llums, %llums)\"; ", name, (unsigned long long)a,
		    (unsigned long long)b);
		break;
	case 2:
		put(draft, "%s = \"normal(%llums, %llums)\"; ", name, (unsigned long long)a,
		    (unsigned long long)(a / 4 + 1));
		break;
	case 3:
		put(draft, "%s = \"longtail(%llums, %llums)\"; ", name, (unsigned long long)a,
		    (unsigned long long)b);
		break;
	default: put(draft, "%s = \"exponential(%llums)\"; ", name, (unsigned long long)a); break;
	}
}

static void put_fault(struct draft *draft)
{
	unsigned kind;

	do
		kind = (unsigned)below(draft, FAULT_KIND_COUNT);
	while (!target_wire_has_fault(target_wire(draft->wire), (enum fault_kind)kind));
	const struct fault_info *info = fault_info((enum fault_kind)kind);
	bool every = one_in(draft, 3);

	put(draft, "{ kind = \"%s\"; ", info->name);
	if (one_in(draft, 2))
		put(draft, "probability = 0.%llu; ", (unsigned long long)below(draft, 10));
	if (every)
		put_dist(draft, "every", 8000);
	if (every || one_in(draft, 2))
		put(draft, "for = \"%llums\"; ", (unsigned long long)below(draft, 6000) + 1);
	if ((info->params & FAULT_TIME) && one_in(draft, 2))
		put_dist(draft, "time", 3000);
	if (kind == FAULT_HTTP_STATUS)
		put(draft, "count = %llu; ", (unsigned long long)below(draft, 500) + 100);
	else if ((info->params & FAULT_COUNT) && one_in(draft, 2))
		put(draft, "count = %llu; ", (unsigned long long)below(draft, 60) + 1);
	if ((info->params & FAULT_BYTES) && one_in(draft, 2))
		put(draft, "bytes = %llu; ", (unsigned long long)below(draft, 5000) + 1);
	if ((info->params & FAULT_FACTOR) && one_in(draft, 2))
		put(draft, "factor = 0.%llu; ", (unsigned long long)below(draft, 10));
	if (info->params & FAULT_ADDRESS)
		put(draft, "address = \"127.99.0.%llu\"; ",
		    (unsigned long long)below(draft, 200) + 1);
	if ((info->params & FAULT_BY) && one_in(draft, 2))
		put(draft, "by = \"-%llus\"; ", (unsigned long long)below(draft, 100000));
	put(draft, "}");
	/* On a kept connection a second copy is the next command's answer: they have no ids to
	 * match. */
	if (kind == FAULT_REGISTER_AS || kind == FAULT_REGISTER_FROM || kind == FAULT_DUPLICATE)
		draft->about->names_are_true = false;
}

static void put_selector(struct draft *draft, bool names_only)
{
	uint64_t group = below(draft, draft->groups), form = below(draft, names_only ? 5 : 9);

	put(draft, "targets = \"");
	switch (form) {
	case 0: put(draft, "all"); break;
	case 1:
		put(draft, "g%llu_[1-%llu]", (unsigned long long)group,
		    (unsigned long long)below(draft, 20) + 1);
		break;
	case 2: put(draft, "random(%llu)", (unsigned long long)below(draft, 30)); break;
	case 3: put(draft, "%llu%%", (unsigned long long)below(draft, 101)); break;
	case 4: put(draft, "g%llu_* & random(3), g0_1", (unsigned long long)group); break;
	case 5: put(draft, "group:w%llu", (unsigned long long)group); break;
	case 6: put(draft, "state:up"); break;
	case 7: put(draft, "tag:odd & 50%%"); break;
	default: put(draft, "group:w%llu & state:down & random(2)", (unsigned long long)group);
	}
	put(draft, "\"; ");
}

static void put_group(struct draft *draft, uint32_t number)
{
	static const char *const profiles[] = { "pico", "unix", "cpython", "strict" };
	static const enum wire_id wires[] = { WIRE_SNYPER, WIRE_SNYPER, WIRE_HTTP, WIRE_FRAMED,
					      WIRE_AGENT };
	uint64_t count = below(draft, 40) + 1;

	draft->wire = PICK(draft, wires);
	/* A broadcast is heard by all, and an answer found by its word. */
	if (draft->wire == WIRE_FRAMED)
		draft->about->names_are_true = false;
	draft->targets += (uint32_t)count;
	put(draft, "    { label = \"w%u\"; name = \"g%u_%%d\"; count = %llu; profile = \"%s\"; ",
	    number, number, (unsigned long long)count, PICK(draft, profiles));
	put(draft, "wire = \"%s\"; ", wire_names[draft->wire]);
	if (draft->wire == WIRE_HTTP)
		put(draft, "http = { version = \"1.%llu\"; keep = %s; }; ",
		    (unsigned long long)below(draft, 2), one_in(draft, 2) ? "true" : "false");
	put(draft, "reply = \"%s\"; queue = %llu; connections = %llu; ",
	    one_in(draft, 2) ? "done" : "queued", (unsigned long long)below(draft, 6) + 1,
	    (unsigned long long)below(draft, 20) + 1);
	put_dist(draft, "rise", 900);
	put_dist(draft, "fall", 900);
	put(draft, "hit = { probability = 0.%llu; ", (unsigned long long)below(draft, 10));
	put_dist(draft, "after", 3000);
	put(draft, "%s}; ",
	    !one_in(draft, 4)                              ? ""
	    : target_wire(draft->wire)->report_hit != NULL ? "report = \"wire\"; "
							   : "report = \"http\"; ");
	if (one_in(draft, 2))
		put(draft, "tags = ( \"odd\" ); ");
	if (one_in(draft, 3))
		put(draft, "start = %llu; ", (unsigned long long)below(draft, count + 1));
	put(draft, "faults = ( ");
	for (uint64_t i = 0, n = below(draft, 4); i < n; i++) {
		put(draft, "%s", i > 0 ? ", " : "");
		put_fault(draft);
	}
	put(draft, " ); }");
}

static void put_fleet(struct draft *draft)
{
	draft->groups = (uint32_t)below(draft, 4) + 1;
	put(draft, "fleet = {\n  ramp = %llu.0;\n", (unsigned long long)below(draft, 200));
	put(draft, "  retry = { first = \"%llums\"; max = \"5s\"; attempts = %llu; };\n",
	    (unsigned long long)below(draft, 1000) + 1, (unsigned long long)below(draft, 8));
	put(draft, "  reregister = { every = \"%llus\"; silence = \"%llus\"; };\n",
	    (unsigned long long)below(draft, 3) * 4, (unsigned long long)below(draft, 3) * 3);
	put(draft, "  answer_timeout = \"%llums\";\n  groups = (\n",
	    (unsigned long long)below(draft, 3000) + 10);
	for (uint32_t i = 0; i < draft->groups; i++) {
		put(draft, "%s", i > 0 ? ",\n" : "");
		put_group(draft, i);
	}
	put(draft, "\n  );\n};\n");
}

static const char *const commands[] = { "ping", "stand_up", "lay_down", "activate" };

static void put_master(struct draft *draft)
{
	static const char *const profiles[] = { "pico", "unix", "cpython", "strict" };

	put(draft, "master = {\n  profile = \"%s\"; connections = \"%s\"; concurrency = %llu; ",
	    PICK(draft, profiles), one_in(draft, 3) ? "kept" : "per_message",
	    (unsigned long long)below(draft, 60) + 1);
	put(draft, "listeners = ( ");
	put(draft, "{ wire = \"http\"; connections = \"%s\"; }, { wire = \"framed\"; }, ",
	    one_in(draft, 3) ? "kept" : "per_message");
	put(draft, "{ wire = \"agent\"; "
		   "agent = { agents = ( { id = \"*\"; secret = \"notasecret\"; } ); }; }");
	put(draft, " );\n  ");
	put(draft, "forget_failed = %s; then = \"stay\";\n", one_in(draft, 2) ? "true" : "false");
	put(draft, "  connect_timeout = \"%llums\"; answer_timeout = \"%llums\";\n",
	    (unsigned long long)below(draft, 3000) + 5, (unsigned long long)below(draft, 4000) + 5);
	put(draft, "  repeat = %llu;\n  rounds = ( ", (unsigned long long)below(draft, 3));
	for (uint64_t i = 0, n = below(draft, 6); i < n; i++) {
		put(draft, "%s\n    { command = \"%s\"; duration = %lld; after = \"%llums\"; ",
		    i > 0 ? "," : "", PICK(draft, commands), (long long)below(draft, 5) - 1,
		    (unsigned long long)below(draft, 2000));
		put(draft, "times = %llu; every = \"%llums\"; ",
		    (unsigned long long)below(draft, 5) + 1, (unsigned long long)below(draft, 900));
		put_selector(draft, true);
		put(draft, "}");
	}
	put(draft, " );\n};\n");
}

static void put_when(struct draft *draft)
{
	static const char *const after[] = { "all stands",  "all hit",        "g0_1 lies",
					     "all crashes", "g0_* registers", "all register_failed",
					     "all answers" };

	switch (below(draft, 3)) {
	case 0: put(draft, "at = \"%llums\"; ", (unsigned long long)below(draft, 25000)); break;
	case 1:
		put(draft, "every = \"%llums\"; from = \"%llums\"; ",
		    (unsigned long long)below(draft, 9000) + 200,
		    (unsigned long long)below(draft, 9000));
		break;
	default:
		put(draft, "after = \"%s\"; wait = \"%llums\"; times = %llu; ", PICK(draft, after),
		    (unsigned long long)below(draft, 1000), (unsigned long long)below(draft, 20));
		break;
	}
	if (one_in(draft, 3))
		put_dist(draft, "jitter", 500);
}

static void put_step(struct draft *draft)
{
	static const char *const plain[] = { "spawn",  "retire",    "hit",      "miss",    "clear",
					     "reboot", "power_off", "power_on", "snapshot" };
	static const char *const shapes[] = { "steady", "linear", "steps", "sine", "burst" };

	put(draft, "    { ");
	put_when(draft);
	switch (below(draft, 7)) {
	case 0:
	case 1:
		put(draft, "do = \"fault\"; fault = ");
		put_fault(draft);
		put(draft, "; ");
		break;
	case 2:
		put(draft, "do = \"command\"; command = \"%s\"; duration = %llu; ",
		    PICK(draft, commands), (unsigned long long)below(draft, 3));
		break;
	case 3:
		put(draft, "do = \"rate\"; command = \"%s\"; rate = { shape = \"%s\"; ",
		    PICK(draft, commands), PICK(draft, shapes));
		put(draft, "per_s = %llu.0; to_per_s = %llu.0; }; for = \"%llums\"; ",
		    (unsigned long long)below(draft, 40), (unsigned long long)below(draft, 60),
		    (unsigned long long)below(draft, 5000) + 1);
		break;
	case 4:
		draft->about->names_are_true = false; /* an address may pass from one to another */
		put(draft, "do = \"move\"; addresses = \"127.98.%llu.1-127.98.%llu.250\"; ",
		    (unsigned long long)draft->draws % 200, (unsigned long long)draft->draws % 200);
		break;
	case 5:
		if (one_in(draft, 3)) {
			put(draft, "do = \"pause\"; for = \"%llums\"; ",
			    (unsigned long long)below(draft, 2000) + 1);
			break;
		}
		/* fall through */
	default: put(draft, "do = \"%s\"; ", PICK(draft, plain)); break;
	}
	put_selector(draft, false);
	put(draft, "}");
}

bool soak_generate(uint64_t seed, char *text, size_t cap, struct generated *ret)
{
	struct draft draft = { .seed = seed, .text = text, .cap = cap, .about = ret };

	ret->names_are_true = true;
	put(&draft, "title = \"soak %llu\";\nseed = %llu;\n", (unsigned long long)seed,
	    (unsigned long long)seed);
	put_fleet(&draft);
	put_master(&draft);
	put(&draft, "simulate = { ");
	put_dist(&draft, "latency", 30);
	put(&draft, "connect_loss = 0.0%llu; break = 0.0%llu; };\n",
	    (unsigned long long)below(&draft, 5), (unsigned long long)below(&draft, 3));
	put(&draft, "scenario = {\n  duration = \"%llus\";\n  timeline = (\n",
	    (unsigned long long)below(&draft, 40) + 5);
	for (uint64_t i = 0, n = below(&draft, 12); i < n; i++) {
		put(&draft, "%s", i > 0 ? ",\n" : "");
		put_step(&draft);
	}
	put(&draft, "\n  );\n};\n");
	return draft.len < cap;
}
