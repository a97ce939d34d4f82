/*
 * The REPL's session against any board: its bytes, the times at which they come, and what is asked.
 *
 * Input: operations of two bytes. 0xf0 to 0xf5 begin something (as long as nothing is under way),
 * 0xf6 moves the clock by as many times 50 ms as the second byte says, 0xf7 abandons; else the
 * first byte says how many of the bytes behind it the board says (the second is one of them).
 * Whatever comes: each operation ends once, by its deadline and the grace for an interrupt; no more
 * code is sent than there is; every output byte was an input byte, and in its order.
 */
#include "hil/pico/repl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define REQUIRE(condition)                                                                         \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);            \
			abort();                                                                   \
		}                                                                                  \
	} while (0)

#define MS INT64_C(1000000)
#define DEADLINE (1000 * MS)
#define GRACE (2000 * MS)

struct seen {
	int began, ended;
	size_t out, in;
	const char *at, *end; /* of the bytes that are being taken */
};

static void on_output(void *owner, enum repl_stream stream, const char *bytes, size_t len)
{
	struct seen *seen = owner;

	(void)stream;
	/* A byte that was swallowed is skipped; none is invented, none comes twice. */
	for (size_t i = 0; i < len; i++) {
		seen->at = memchr(seen->at, bytes[i], (size_t)(seen->end - seen->at));
		REQUIRE(seen->at != NULL);
		seen->at++;
	}
	seen->out += len;
}

static void on_done(void *owner, enum repl_status status)
{
	(void)status;
	((struct seen *)owner)->ended++;
}

static const struct repl_handler handler = { on_output, on_done };

static const char code[] =
	"print('a long piece of code that does not fit into one window of 128 bytes, and not into "
	"one piece of plain raw mode of 256 bytes either, so that both kinds of pacing are seen: "
	"the windows that the board gives, and the clock that we keep', 1, 2, 3)";

static void begin(struct repl *repl, struct seen *seen, unsigned what, int64_t now)
{
	seen->began++;
	switch (what) {
	case 0: repl_enter(repl, now, now + DEADLINE); break;
	case 1: repl_exec(repl, code, sizeof(code) - 1, now, now + DEADLINE); break;
	case 2: repl_exec_no_wait(repl, code, 20, now, now + DEADLINE); break;
	case 3: repl_reset_raw(repl, now, now + DEADLINE); break;
	case 4: repl_leave(repl, now, now + DEADLINE); break;
	default: repl_start_app(repl, now, now + DEADLINE); break;
	}
}

static void pump(struct repl *repl, int64_t now)
{
	const char *bytes;
	size_t len, all = 0;

	while ((len = repl_out(repl, now, &bytes)) > 0)
		all += len;
	REQUIRE(all <= sizeof(code) + 64);
	REQUIRE(repl->busy || repl_due_ns(repl) == INT64_MAX);
	REQUIRE(repl->code == NULL || repl->code_sent <= repl->code_len);
}

static void move_clock(struct repl *repl, int64_t *now, int64_t until)
{
	int64_t due;

	while ((due = repl_due_ns(repl)) <= until) {
		*now = due > *now ? due : *now;
		repl_tick(repl, *now);
		pump(repl, *now);
	}
	*now = until;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct repl repl;
	struct seen seen = { 0 };
	int64_t now = 0;

	repl_init(&repl, &handler, &seen);
	while (size >= 2) {
		unsigned what = data[0];
		size_t taken = 2;
		if (what >= 0xf0 && what <= 0xf5) {
			if (!repl.busy)
				begin(&repl, &seen, what - 0xf0, now);
		} else if (what == 0xf6) {
			move_clock(&repl, &now, now + data[1] * 50 * MS);
		} else if (what == 0xf7) {
			repl_abandon(&repl);
		} else {
			size_t len = what < size - 1 ? what : size - 1;
			char *bytes = malloc(len);
			REQUIRE(len == 0 || bytes != NULL);
			memcpy(bytes, data + 1, len);
			seen.at = bytes;
			seen.end = bytes + len;
			repl_received(&repl, bytes, len, now);
			free(bytes);
			taken = len + 1;
		}
		pump(&repl, now);
		REQUIRE(seen.began == seen.ended + repl.busy);
		data += taken;
		size -= taken;
	}
	move_clock(&repl, &now, now + DEADLINE + GRACE + 1000 * MS);
	REQUIRE(!repl.busy && seen.began == seen.ended);
	return 0;
}
