#include "hil/pico/board_internal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "emulator/base/units.h"

#define HOLD_NS (100 * NS_PER_MS)
#define AFTER_RUN_NS (50 * NS_PER_MS)

/* In BOOTSEL every RP2040 has the same serial number: without its socket it is not followed. */
static bool can_follow(const struct board *board)
{
	return board->hotplug != NULL && board->usb_path != NULL;
}

static void cannot_follow(struct board *board)
{
	job_end(board, BOARD_BAD_INPUT,
		"this port has no USB path: the board cannot be found in BOOTSEL");
}

static void command_step(struct board *board, const char *snippet, enum comes_back back,
			 enum repl_status status)
{
	if (board->at++ == 0) {
		board->stage = STAGE_LEAVE; /* it may go before it has said that it has the code */
		board->back = back;
		capture_clear(&board->traceback);
		repl_exec_no_wait(&board->repl, snippet, strlen(snippet), board->loop->now_ns,
				  board->deadline_ns);
		board_pump(board);
		return;
	}
	if (status == REPL_OK)
		job_follow(board, back);
	else
		job_end_repl(board, status, "asking for a reset");
}

static void reset_step(struct board *board, enum repl_status status)
{
	command_step(board, SNIPPET_RESET, BACK_PORT, status);
}

static void bootloader_step(struct board *board, enum repl_status status)
{
	if (board->at == 0 && !can_follow(board))
		cannot_follow(board);
	else
		command_step(board, SNIPPET_BOOTLOADER, BACK_BOOTSEL, status);
}

int board_machine_reset(struct board *board, int64_t within_ns, board_done *done, void *owner)
{
	return job_begin(board, reset_step, true, within_ns, done, owner);
}

int board_bootloader(struct board *board, int64_t within_ns, board_done *done, void *owner)
{
	return job_begin(board, bootloader_step, true, within_ns, done, owner);
}

/* ---- by pins ---- */

struct pull {
	enum board_pin pin;
	bool low;
	int64_t then_ns;
};

static const struct pull reset_pulls[] = {
	{ BOARD_PIN_RUN, true, HOLD_NS },
	{ BOARD_PIN_RUN, false, 0 },
};
static const struct pull bootsel_pulls[] = {
	{ BOARD_PIN_BOOTSEL, true, HOLD_NS },
	{ BOARD_PIN_RUN, true, HOLD_NS },
	{ BOARD_PIN_RUN, false, AFTER_RUN_NS },
	{ BOARD_PIN_BOOTSEL, false, 0 },
};

static void pull(struct board *board, const struct pull *pulls, size_t n, enum comes_back back)
{
	if (board->at == n) {
		board->pins = NULL;
		/* A port that stays open although its board was reset does not re-enumerate, or it
		 * goes in a moment. */
		job_follow(board, back);
		return;
	}
	const struct pull *next = &pulls[board->at++];
	int rc = board->pins->set(board->pins->owner, next->pin, next->low);
	if (rc < 0) {
		/* Whatever is held must not stay so. */
		board->pins->set(board->pins->owner, BOARD_PIN_RUN, false);
		board->pins->set(board->pins->owner, BOARD_PIN_BOOTSEL, false);
		board->pins = NULL;
		snprintf(board->text, sizeof(board->text), "the %s line: %s",
			 next->pin == BOARD_PIN_RUN ? "RUN" : "BOOTSEL", strerror(-rc));
		job_end(board, BOARD_REFUSED, board->text);
		return;
	}
	job_pause(board, next->then_ns);
}

static void reset_pins_step(struct board *board, enum repl_status status)
{
	(void)status;
	pull(board, reset_pulls, sizeof(reset_pulls) / sizeof(reset_pulls[0]), BACK_PORT);
}

static void bootsel_pins_step(struct board *board, enum repl_status status)
{
	(void)status;
	pull(board, bootsel_pulls, sizeof(bootsel_pulls) / sizeof(bootsel_pulls[0]), BACK_BOOTSEL);
}

int board_reset_by_pins(struct board *board, const struct board_pins *pins, int64_t within_ns,
			board_done *done, void *owner)
{
	int rc = job_begin_blind(board, reset_pins_step, within_ns, done, owner);

	if (rc == 0)
		board->pins = pins;
	return rc;
}

int board_bootsel_by_pins(struct board *board, const struct board_pins *pins, int64_t within_ns,
			  board_done *done, void *owner)
{
	if (board->stage == STAGE_IDLE && !can_follow(board))
		return -EINVAL;
	int rc = job_begin_blind(board, bootsel_pins_step, within_ns, done, owner);
	if (rc == 0)
		board->pins = pins;
	return rc;
}
