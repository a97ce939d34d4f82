/*
 * Runs for tests of the rig's reports: made up, small, or hostile.
 *
 * Ownership: record_release() the record; text_of() gives memory to be freed. Errors: fail the
 * test. Threads: none.
 */
#ifndef TEST_HIL_RUN_H
#define TEST_HIL_RUN_H

#include "hil/report/synthetic.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static inline void made_up(struct record *record, unsigned boards, unsigned repeats)
{
	struct synthetic options = { .seed = 11,
				     .boards = boards,
				     .repeats = repeats,
				     .start_wall_ns = INT64_C(1763755200000000000) };

	cr_assert(synthetic_run(&options, record, NULL, NULL, NULL) == 0);
}

static inline char *text_of(void (*put)(const struct record *record, FILE *out),
			    const struct record *record, size_t *ret_len)
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	cr_assert(out != NULL);
	put(record, out);
	cr_assert(fclose(out) == 0);
	if (ret_len != NULL)
		*ret_len = len;
	return text;
}

/* Everything that text can do to a reader, in every field that comes from elsewhere. */
#define HOSTILE                                                                                    \
	"=1+1,\"q\" <b>&amp;</b> ]]> </script> '; DROP TABLE run;-- \x1b[2J\r\n\t\x01 \xff\xfe "   \
	"\xe2\x80\xae$end #5 \xc3"

/* Cut to its field, wherever that is. */
#define HOSTILE_INTO(field)                                                                        \
	do {                                                                                       \
		size_t cap_ = sizeof(field) - 1;                                                   \
		memcpy(field, HOSTILE, cap_ < sizeof(HOSTILE) ? cap_ : sizeof(HOSTILE));           \
		(field)[cap_] = '\0';                                                              \
	} while (0)

static inline void hostile_run(struct record *record)
{
	static struct step_room room;
	struct record_limits small = { 100, 100, 1000, 1000, 100000, 10 };
	struct limit limit = { .has_max = true, .max = 10 };
	struct record_board board = { .steps = { 0 } };
	struct chain chain = { 0 };

	cr_assert(record_init(record, &small, 1000, INT64_C(1763755200000000000)) == 0);
	HOSTILE_INTO(record->run.title);
	HOSTILE_INTO(record->run.plan_path);
	HOSTILE_INTO(record->run.bench_path);
	HOSTILE_INTO(record->run.host);
	record->run.plan_text = HOSTILE;
	HOSTILE_INTO(board.name);
	HOSTILE_INTO(board.serial);
	HOSTILE_INTO(board.usb_path);
	HOSTILE_INTO(board.address);
	HOSTILE_INTO(board.firmware);
	cr_assert(record_add_board(record, &board) == 0);
	int console = record_add_channel(record, 0, CHANNEL_CONSOLE, HOSTILE);
	int pin = record_add_channel(record, 0, CHANNEL_PIN, HOSTILE);
	chain_set(&chain, POINT_DUE, stamp_exact(2000));
	chain_set(&chain, POINT_ANSWER, stamp_exact(5000));
	for (uint32_t i = 0; i < 4; i++) {
		step_begin(&room, 0, HOSTILE, HOSTILE, i, 0, 2000 + i * 10000);
		record_step_begin(record, &room.step);
		record_event(record, TIMELINE_CONSOLE, console, 2500 + i * 10000, 0, HOSTILE,
			     sizeof(HOSTILE) - 1);
		record_event(record, TIMELINE_PIN, pin, 2600 + i * 10000, 1, NULL, 0);
		record_event(record, TIMELINE_LOST, pin, 2700 + i * 10000, 3, NULL, 0);
		record_event(record, TIMELINE_NOTE, -1, 2800 + i * 10000, 0, HOSTILE,
			     sizeof(HOSTILE) - 1);
		step_measure_chain(&room, HOSTILE, &chain, POINT_DUE, POINT_ANSWER, 0, &limit);
		step_verdict(&room, VERDICT_ERROR, "%s", HOSTILE);
		room.step.end_ns = 9000 + i * 10000;
		record_step(record, &room.step);
	}
	record_error(record, "%s", HOSTILE);
	record_end(record, 50000);
}

#endif
