/*
 * The record: what it keeps, what it counts when it is full, and that a retry erases nothing.
 */
#include "hil/measure/record.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

static struct record record;
static struct step_room room;

static void set_up(const struct record_limits *limits)
{
	cr_assert(record_init(&record, limits, 1000, INT64_C(1700000000000000000)) == 0);
	cr_assert(record_add_board(&record, &(struct record_board){ .name = "a" }) == 0);
	cr_assert(record_add_board(&record, &(struct record_board){ .name = "b" }) == 1);
}

static const struct step_result *one_step(int board, uint32_t attempt, int64_t value)
{
	struct limit limit = { .has_max = true, .max = 10 };

	step_begin(&room, board, "steps[0]", "stand up", 0, attempt, 2000);
	record_step_begin(&record, &room.step);
	step_measure(&room, "latency", UNIT_NS, value, NULL, 0, &limit);
	room.step.end_ns = 3000;
	return record_step(&record, &room.step);
}

Test(record, a_retry_never_erases_a_failure)
{
	set_up(NULL);
	one_step(0, 0, 11);
	one_step(0, 1, 5);
	one_step(1, 0, 5);
	cr_expect(record.worst == VERDICT_FAIL && verdict_exit_code(record.worst) == 1);
	cr_expect(record.boards[0].worst == VERDICT_FAIL && record.boards[0].retries == 1);
	cr_expect(record.boards[1].worst == VERDICT_PASS);
	cr_expect(record.boards[0].steps[VERDICT_FAIL] == 1 &&
		  record.boards[0].steps[VERDICT_PASS] == 1);
	cr_expect(record_step_flaky(&record, 0) && !record_step_flaky(&record, 1));
	cr_expect(!record_step_flaky(&record, 2));
	record_release(&record);
}

Test(record, a_retry_that_fails_too_is_no_flake)
{
	set_up(NULL);
	one_step(0, 0, 11);
	one_step(0, 1, 12);
	one_step(1, 1, 5);
	cr_expect(!record_step_flaky(&record, 0), "the other board's success is not its own");
	record_release(&record);
}

/* Passed, and then failed when it was done again: nothing made that failure good. */
Test(record, an_earlier_success_makes_nothing_good)
{
	set_up(NULL);
	one_step(0, 0, 5);
	one_step(0, 1, 11);
	cr_expect(!record_step_flaky(&record, 1));
	record_release(&record);
}

Test(record, keeps_copies)
{
	struct chain chain = { 0 };

	set_up(NULL);
	chain_set(&chain, POINT_DUE, stamp_exact(0));
	chain_set(&chain, POINT_SENT, stamp_exact(5));
	chain_set(&chain, POINT_ANSWER, stamp_exact(9));
	step_begin(&room, 0, "steps[1]", "ping", 3, 0, 0);
	step_measure_chain(&room, "due to answer", &chain, POINT_DUE, POINT_ANSWER, 0, NULL);
	const struct step_result *kept = record_step(&record, &room.step);
	memset(&room, 0x55, sizeof(room));
	cr_assert(kept != NULL && kept->measurement_count == 1 && kept->repeat == 3);
	cr_expect(kept->verdict == VERDICT_NONE && kept->measurements[0].value == 9);
	cr_expect(kept->measurements[0].hop_count == 2 &&
		  kept->measurements[0].hops[1].value_ns == 4);
	record_release(&record);
}

Test(record, missing_points)
{
	struct limit limit = { .has_max = true, .max = 10 };
	struct chain chain = { 0 };

	chain_set(&chain, POINT_DUE, stamp_exact(100));
	step_begin(&room, 0, "s", "s", 0, 0, 0);
	const struct measurement *m = step_measure_chain(&room, "m", &chain, POINT_DUE,
							 POINT_ANSWER, 150, &limit);
	cr_expect(m->missing && m->value == 50 && m->judged.verdict == VERDICT_FAIL);
	cr_expect(room.step.verdict == VERDICT_FAIL && strstr(room.step.why, "m: never came"));
	/* Without its beginning nothing can be said of the board. */
	m = step_measure_chain(&room, "n", &chain, POINT_SENT, POINT_DUE, 150, &limit);
	cr_expect(m->judged.verdict == VERDICT_ERROR && room.step.verdict == VERDICT_ERROR);
}

Test(record, the_first_reason_of_the_worst_verdict_stays)
{
	struct limit limit = { .has_max = true, .max = 10, .margin = 5 };

	step_begin(&room, 0, "s", "s", 0, 0, 0);
	step_measure(&room, "good", UNIT_COUNT, 1, NULL, 0, &limit);
	cr_expect(room.step.verdict == VERDICT_PASS && room.step.why[0] == '\0');
	step_measure(&room, "near", UNIT_COUNT, 9, NULL, 0, &limit);
	cr_expect(room.step.verdict == VERDICT_MARGINAL && strncmp(room.step.why, "near", 4) == 0);
	step_measure(&room, "bad", UNIT_COUNT, 11, NULL, 0, &limit);
	step_measure(&room, "worse", UNIT_COUNT, 99, NULL, 0, &limit);
	cr_expect(room.step.verdict == VERDICT_FAIL && strncmp(room.step.why, "bad: ", 5) == 0);
	step_verdict(&room, VERDICT_PASS, "nothing");
	cr_expect(room.step.verdict == VERDICT_FAIL);
	step_verdict(&room, VERDICT_ERROR, "the port is %s", "gone");
	cr_expect_str_eq(room.step.why, "the port is gone");
}

Test(record, too_many_measurements_are_an_error)
{
	step_begin(&room, 0, "s", "s", 0, 0, 0);
	for (int i = 0; i < STEP_MEASUREMENTS_MAX; i++)
		cr_expect(step_measure(&room, "m", UNIT_COUNT, i, NULL, 0, NULL) != NULL);
	cr_expect(step_measure(&room, "m", UNIT_COUNT, 0, NULL, 0, NULL) == NULL);
	cr_expect(room.step.verdict == VERDICT_ERROR && room.step.measurements_left_out == 1);
}

Test(record, full_it_still_counts)
{
	set_up(&(struct record_limits){ .steps = 2 });
	cr_expect(one_step(0, 0, 5) != NULL && one_step(0, 0, 5) != NULL);
	cr_expect(one_step(0, 0, 99) == NULL);
	cr_expect(record.step_count == 2 && record.steps_left_out == 1);
	cr_expect(record.worst == VERDICT_FAIL, "what found no room was a failure");
	record_release(&record);
	set_up(&(struct record_limits){ .measurements = 1 });
	cr_expect(one_step(0, 0, 5) != NULL && one_step(0, 0, 5) == NULL);
	cr_expect(record.step_count == 1 && record.steps_left_out == 1);
	record_release(&record);
}

Test(record, the_timeline_loses_its_oldest)
{
	char text[16];

	set_up(&(struct record_limits){ .events = 10 });
	int channel = record_add_channel(&record, 0, CHANNEL_CONSOLE, "console");
	cr_assert(channel >= 0);
	for (int i = 0; i < 25; i++) {
		int len = snprintf(text, sizeof(text), "line %d", i);
		record_event(&record, TIMELINE_CONSOLE, channel, 100 + i, i, text, (size_t)len);
	}
	record_sort_events(&record);
	cr_assert(record_event_count(&record) == 10 && record.events_left_out == 15);
	for (uint32_t i = 0; i < 10; i++) {
		struct timeline_event event = record_event_at(&record, i);
		int len = snprintf(text, sizeof(text), "line %d", 15 + (int)i);
		cr_expect(event.t_ns == 115 + (int64_t)i && event.text_len == len &&
			  memcmp(event.text, text, (size_t)len) == 0);
	}
	/* After sorting the next event takes the oldest one's place. */
	record_event(&record, TIMELINE_NOTE, -1, 500, 0, NULL, 0);
	record_sort_events(&record);
	cr_expect(record_event_at(&record, 0).t_ns == 116 &&
		  record_event_at(&record, 9).t_ns == 500);
	record_release(&record);
}

/* Texts go round in a ring of their own: what was overwritten is gone, not mixed up. */
Test(record, texts_are_whole_or_gone)
{
	char text[TIMELINE_TEXT_MAX + 50];
	unsigned whole = 0;

	set_up(&(struct record_limits){ .events = 100, .text_bytes = 1000 });
	for (int i = 0; i < 100; i++) {
		size_t len = (size_t)(i * 13 % (int)sizeof(text));
		memset(text, 'a' + i % 26, sizeof(text));
		record_event(&record, TIMELINE_NOTE, -1, i, i, text, len);
	}
	record_sort_events(&record);
	for (uint32_t i = 0; i < 100; i++) {
		struct timeline_event event = record_event_at(&record, i);
		size_t wanted = (size_t)(event.value * 13 % (int)sizeof(text));
		if (event.text == NULL)
			continue;
		whole++;
		cr_expect(event.text_len ==
			  (wanted > TIMELINE_TEXT_MAX ? TIMELINE_TEXT_MAX : wanted));
		for (size_t k = 0; k < event.text_len; k++)
			cr_assert(event.text[k] == 'a' + event.value % 26);
	}
	cr_expect(whole > 0 && whole < 99);
	record_release(&record);
}

Test(record, events_come_in_any_order_and_leave_in_that_of_time)
{
	set_up(NULL);
	record_event(&record, TIMELINE_NOTE, -1, 30, 1, NULL, 0);
	record_event(&record, TIMELINE_NOTE, -1, 10, 2, NULL, 0);
	record_event(&record, TIMELINE_NOTE, -1, 30, 3, NULL, 0);
	record_event(&record, TIMELINE_NOTE, -1, 20, 4, NULL, 0);
	record_sort_events(&record);
	static const int64_t order[] = { 2, 4, 1, 3 };
	for (uint32_t i = 0; i < 4; i++)
		cr_expect(record_event_at(&record, i).value == order[i]);
	record_release(&record);
}

Test(record, a_failure_has_its_boards_last_events)
{
	set_up(NULL);
	int of_a = record_add_channel(&record, 0, CHANNEL_CONSOLE, "console");
	int of_b = record_add_channel(&record, 1, CHANNEL_CONSOLE, "console");
	record_event(&record, TIMELINE_CONSOLE, of_a, -90000000, 0, "long ago", 8);
	for (int i = 0; i < 100; i++) {
		record_event(&record, TIMELINE_CONSOLE, of_a, 2000 + i, i, "mine", 4);
		record_event(&record, TIMELINE_CONSOLE, of_b, 2000 + i, i, "other", 5);
	}
	one_step(0, 0, 5);
	cr_expect(record.excerpt_count == 0);
	one_step(0, 0, 11);
	const struct excerpt *excerpt = record_excerpt(&record, 1);
	cr_assert(excerpt != NULL && excerpt->event_count == EXCERPT_EVENTS_MAX);
	cr_expect(record_excerpt(&record, 0) == NULL);
	cr_expect(excerpt->left_out > 0);
	for (uint32_t i = 0; i < excerpt->event_count; i++) {
		const struct timeline_event *event = &excerpt->events[i];
		cr_expect(event->channel != of_b && event->t_ns >= 2000);
		cr_expect(i == 0 || event->t_ns >= excerpt->events[i - 1].t_ns);
	}
	const struct timeline_event *last = &excerpt->events[excerpt->event_count - 1];
	cr_expect(last->kind == TIMELINE_STEP_END && last->value == VERDICT_FAIL);
	record_release(&record);
}

Test(record, excerpts_are_bounded)
{
	set_up(&(struct record_limits){ .excerpts = 1 });
	one_step(0, 0, 11);
	one_step(0, 0, 11);
	cr_expect(record.excerpt_count == 1 && record.excerpts_left_out == 1);
	record_release(&record);
}

Test(record, boards_and_channels_are_bounded)
{
	set_up(NULL);
	while (record.board_count < RECORD_BOARDS_MAX)
		cr_assert(record_add_board(&record, &(struct record_board){ .name = "x" }) >= 0);
	cr_expect(record_add_board(&record, &(struct record_board){ .name = "x" }) < 0);
	while (record.channel_count < RECORD_CHANNELS_MAX)
		cr_assert(record_add_channel(&record, 0, CHANNEL_PIN, "x") >= 0);
	cr_expect(record_add_channel(&record, 0, CHANNEL_PIN, "x") < 0);
	record_release(&record);
}

Test(record, trouble_of_the_rig_is_an_error)
{
	set_up(NULL);
	one_step(0, 0, 5);
	record_error(&record, "the chip %s is gone", "gpiochip0");
	record_error(&record, "and more");
	cr_expect(record.worst == VERDICT_ERROR && verdict_exit_code(record.worst) == 3);
	cr_expect_str_eq(record.error, "the chip gpiochip0 is gone");
	record_release(&record);
}
