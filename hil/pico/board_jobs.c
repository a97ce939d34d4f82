#include "hil/pico/board_internal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define REPL_NS(board) (board)->loop->now_ns, (board)->deadline_ns

static void open_step(struct board *board, enum repl_status status)
{
	(void)status;
	job_end(board, BOARD_OK, "open");
}

int board_open(struct board *board, int64_t within_ns, board_done *done, void *owner)
{
	return job_begin(board, open_step, false, within_ns, done, owner);
}

int board_wait_back(struct board *board, int64_t within_ns, board_done *done, void *owner)
{
	if (board->stage != STAGE_IDLE)
		return -EBUSY;
	board_close(board);
	int rc = board_open(board, within_ns, done, owner);
	board->reopening = rc == 0;
	board->back = rc == 0 ? BACK_PORT : BACK_NOT;
	return rc;
}

static void interrupt_step(struct board *board, enum repl_status status)
{
	if (status != REPL_OK) {
		job_end_repl(board, status, "soft reset");
		return;
	}
	if (board->soft_reset && board->at++ == 0) {
		repl_reset_raw(&board->repl, REPL_NS(board));
		board_pump(board);
		return;
	}
	job_end(board, BOARD_OK, "at the raw prompt");
}

int board_interrupt(struct board *board, bool soft_reset, int64_t within_ns, board_done *done,
		    void *owner)
{
	int rc = job_begin(board, interrupt_step, true, within_ns, done, owner);

	if (rc == 0)
		board->soft_reset = soft_reset;
	return rc;
}

static void exec_step(struct board *board, enum repl_status status)
{
	if (board->at++ == 0) {
		job_run(board, board->bytes, board->len, &board->output);
		return;
	}
	job_end(board, job_status_of(board, status), repl_status_text(status));
}

static int begin_code(struct board *board, const char *code, size_t len, int64_t within_ns,
		      board_done *done, void *owner)
{
	int rc = job_begin(board, exec_step, true, within_ns, done, owner);

	if (rc == 0) {
		board->bytes = code;
		board->len = len;
	}
	return rc;
}

int board_exec(struct board *board, const char *code, size_t len, int64_t within_ns,
	       board_done *done, void *owner)
{
	return begin_code(board, code, len, within_ns, done, owner);
}

int board_identify(struct board *board, int64_t within_ns, board_done *done, void *owner)
{
	return begin_code(board, SNIPPET_IDENTITY, sizeof(SNIPPET_IDENTITY) - 1, within_ns, done,
			  owner);
}

static int begin_named(struct board *board, const char *format, const char *name, int64_t within_ns,
		       board_done *done, void *owner)
{
	if (board->stage != STAGE_IDLE)
		return -EBUSY;
	if (!snippet_quote(name, board->name, sizeof(board->name)))
		return -EINVAL;
	/* Each of them has one place to fill. */
	const char *place = strstr(format, "%s");
	snprintf(board->code, sizeof(board->code), "%.*s%s%s", (int)(place - format), format,
		 board->name, place + 2);
	return begin_code(board, board->code, strlen(board->code), within_ns, done, owner);
}

int board_remove(struct board *board, const char *name, int64_t within_ns, board_done *done,
		 void *owner)
{
	return begin_named(board, SNIPPET_REMOVE, name, within_ns, done, owner);
}

int board_mkdir(struct board *board, const char *name, int64_t within_ns, board_done *done,
		void *owner)
{
	return begin_named(board, SNIPPET_MKDIR, name, within_ns, done, owner);
}

int board_list(struct board *board, const char *name, int64_t within_ns, board_done *done,
	       void *owner)
{
	return begin_named(board, SNIPPET_LIST, name, within_ns, done, owner);
}

static void app_step(struct board *board, enum repl_status status)
{
	if (status != REPL_OK) {
		job_end_repl(board, status, "starting the application");
		return;
	}
	switch (board->at++) {
	case 0: repl_leave(&board->repl, REPL_NS(board)); break;
	case 1: repl_start_app(&board->repl, REPL_NS(board)); break;
	default: job_end(board, BOARD_OK, "soft reboot into the application"); return;
	}
	board_pump(board);
}

int board_start_app(struct board *board, int64_t within_ns, board_done *done, void *owner)
{
	return job_begin(board, app_step, true, within_ns, done, owner);
}
