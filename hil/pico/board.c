#include "hil/pico/board_internal.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "emulator/base/units.h"

#define OUTPUT_DEFAULT ((size_t)256 * 1024)
#define TRACEBACK_MAX 4096
#define ANSWER_MAX 1024
/* udev may not have given the device its group yet, and ModemManager looks at new ports. */
#define RETRY_FOR_NS (3 * NS_PER_S)

#define BOARD_OF(pointer, member)                                                                  \
	((struct board *)((char *)(pointer)-offsetof(struct board, member)))

const char *board_status_text(enum board_status status)
{
	switch (status) {
	case BOARD_OK: return "ok";
	case BOARD_RAISED: return "raised an exception";
	case BOARD_TIMEOUT: return "no answer in time";
	case BOARD_ABSENT: return "not there";
	case BOARD_REFUSED: return "the port cannot be opened";
	case BOARD_GONE: return "unplugged or reset";
	case BOARD_BROKEN: return "answers that cannot be";
	case BOARD_MISMATCH: return "not what it should be";
	case BOARD_FULL: return "no room on the board";
	case BOARD_TOO_LARGE: return "too large";
	case BOARD_BAD_INPUT: return "cannot be sent";
	case BOARD_CANCELLED: return "cancelled";
	}
	return "?";
}

/* ---- captures ---- */

void capture_clear(struct capture *capture)
{
	capture->len = capture->lost = 0;
	capture->bytes[0] = '\0';
}

void capture_add(struct capture *capture, const char *bytes, size_t len)
{
	size_t room = capture->cap - capture->len;
	size_t n = len < room ? len : room;

	memcpy(capture->bytes + capture->len, bytes, n);
	capture->len += n;
	capture->bytes[capture->len] = '\0';
	capture->lost += len - n;
}

static bool capture_new(struct capture *capture, size_t cap)
{
	capture->cap = cap;
	capture->bytes = malloc(cap + 1);
	if (capture->bytes != NULL)
		capture_clear(capture);
	return capture->bytes != NULL;
}

/* ---- jobs ---- */

static void kick_fired(struct timer *timer, int64_t now_ns)
{
	struct board *board = BOARD_OF(timer, kick);

	(void)now_ns;
	if (board->blind && board->stage == STAGE_SEEK && board->back == BACK_NOT) {
		repl_abandon(&board->repl);
		board_work(board, REPL_OK);
		return;
	}
	if (board->port == NULL) {
		board_seek(board);
		return;
	}
	board->stage = STAGE_OPEN;
	if (board->needs_raw && board->repl.state == REPL_RAW)
		board_work(board, REPL_OK);
	else
		board_port_ready(board);
}

static void pause_fired(struct timer *timer, int64_t now_ns)
{
	struct board *board = BOARD_OF(timer, pause);

	(void)now_ns;
	board->step(board, REPL_OK);
}

static void deadline_fired(struct timer *timer, int64_t now_ns)
{
	struct board *board = BOARD_OF(timer, deadline);
	char within[32];

	(void)now_ns;
	if (board->repl.busy)
		return; /* it has the same deadline, and interrupts what runs */
	if (board->stage == STAGE_SEEK && board->refusal.text[0] != '\0') {
		job_end(board, BOARD_REFUSED, board->refusal.text);
		return;
	}
	units_duration_text(board->deadline_ns - board->began_ns, within, sizeof(within));
	if (board->stage == STAGE_SEEK)
		snprintf(board->text, sizeof(board->text), "%.200s was not there within %s",
			 board->port_spec, within);
	else
		snprintf(board->text, sizeof(board->text), "%s within %s",
			 board->stage == STAGE_LEAVE  ? "asked to reset, it did not go"
			 : board->stage == STAGE_DISK ? "it went, and did not come back in BOOTSEL"
						      : "it did not happen",
			 within);
	job_end(board, board->stage == STAGE_SEEK ? BOARD_ABSENT : BOARD_TIMEOUT, board->text);
}

int job_begin(struct board *board, job_step *step, bool needs_raw, int64_t within_ns,
	      board_done *done, void *owner)
{
	struct loop *loop = board->loop;

	if (board->stage != STAGE_IDLE)
		return -EBUSY;
	board->step = step;
	board->at = 0;
	board->needs_raw = needs_raw;
	board->blind = false;
	board->pins = NULL;
	board->keep_traceback = false;
	board->reopening = false;
	board->back = BACK_NOT;
	board->failure = BOARD_OK;
	board->refusal.text[0] = '\0';
	board->done = done;
	board->owner = owner;
	board->began_ns = loop->now_ns;
	if (__builtin_add_overflow(loop->now_ns, within_ns, &board->deadline_ns))
		board->deadline_ns = INT64_MAX;
	board->retry_until_ns = loop->now_ns + RETRY_FOR_NS;
	board->stage = STAGE_SEEK;
	capture_clear(&board->output);
	capture_clear(&board->answer);
	capture_clear(&board->traceback);
	timer_arm(&loop->timers, &board->deadline, board->deadline_ns);
	loop_timer(loop, &board->kick, 0);
	return 0;
}

int job_begin_blind(struct board *board, job_step *step, int64_t within_ns, board_done *done,
		    void *owner)
{
	int rc = job_begin(board, step, false, within_ns, done, owner);

	if (rc == 0)
		board->blind = true;
	return rc;
}

static void quiet(struct board *board)
{
	timer_cancel(&board->loop->timers, &board->deadline);
	timer_cancel(&board->loop->timers, &board->pause);
	timer_cancel(&board->loop->timers, &board->kick);
	if (board->hotplug != NULL)
		hotplug_cancel(&board->wait);
	board->stage = STAGE_IDLE;
	board->into = NULL;
}

void job_end(struct board *board, enum board_status status, const char *text)
{
	struct board_result result = { .status = status,
				       .text = text,
				       .output = board->output.bytes,
				       .output_len = board->output.len,
				       .output_lost = board->output.lost,
				       .traceback = board->traceback.bytes,
				       .began_ns = board->began_ns,
				       .ended_ns = board->loop->now_ns };

	/* A connection half made is of no use to the next job. */
	bool opening = board->stage == STAGE_OPEN && board->port != NULL;
	quiet(board);
	if (opening)
		board_close_port(board);
	else if (board->repl.busy)
		repl_abandon(&board->repl);
	board->done(board->owner, &result);
}

enum board_status job_status_of(const struct board *board, enum repl_status status)
{
	switch (status) {
	case REPL_OK:
	case REPL_EXITED: return BOARD_OK;
	case REPL_RAISED:
		return strstr(board->traceback.bytes, "ENOSPC") != NULL ||
				       strstr(board->traceback.bytes, "OSError: 28") != NULL
			       ? BOARD_FULL
			       : BOARD_RAISED;
	case REPL_TIMEOUT: return BOARD_TIMEOUT;
	case REPL_BAD_CODE: return BOARD_BAD_INPUT;
	case REPL_CANCELLED: return BOARD_GONE;
	case REPL_BROKEN:
	case REPL_BAD_STATE: break;
	}
	return BOARD_BROKEN;
}

void job_end_repl(struct board *board, enum repl_status status, const char *what)
{
	snprintf(board->text, sizeof(board->text), "%s: %s", what, repl_status_text(status));
	job_end(board, job_status_of(board, status), board->text);
}

void job_run(struct board *board, const char *code, size_t len, struct capture *into)
{
	capture_clear(into);
	if (!board->keep_traceback)
		capture_clear(&board->traceback);
	board->into = into;
	repl_exec(&board->repl, code, len, board->loop->now_ns, board->deadline_ns);
	board_pump(board);
}

void job_snippet(struct board *board, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	int n = vsnprintf(board->code, sizeof(board->code), format, args);
	va_end(args);
	job_run(board, board->code, n > 0 ? (size_t)n : 0, &board->answer);
}

void job_pause(struct board *board, int64_t for_ns)
{
	loop_timer(board->loop, &board->pause, for_ns);
}

void job_enter_again(struct board *board, int64_t within_ns)
{
	board->deadline_ns = board->loop->now_ns + within_ns;
	timer_arm(&board->loop->timers, &board->deadline, board->deadline_ns);
	board->stage = STAGE_CLEAN;
	repl_enter(&board->repl, board->loop->now_ns, board->deadline_ns);
	board_pump(board);
}

/* ---- life ---- */

static void release(struct board *board)
{
	console_free(board->console);
	free(board->output.bytes);
	free(board->answer.bytes);
	free(board->traceback.bytes);
	free(board->port_spec);
	free(board->usb_path);
	free(board);
}

int board_new(struct loop *loop, struct hotplug *hotplug, const struct board_options *options,
	      struct board **ret)
{
	if (hotplug == NULL && !serial_is_path(options->port))
		return -EINVAL;
	struct board *board = calloc(1, sizeof(*board));
	if (board == NULL)
		return -ENOMEM;
	board->loop = loop;
	board->hotplug = hotplug;
	board->options = *options;
	repl_init(&board->repl, &board_repl_handler, board);
	board->repl_timer.fire = board_repl_timer;
	board->deadline.fire = deadline_fired;
	board->pause.fire = pause_fired;
	board->kick.fire = kick_fired;
	board->port_spec = strdup(options->port);
	board->usb_path = options->usb_path != NULL ? strdup(options->usb_path) : NULL;
	size_t output_max = options->output_max != 0 ? options->output_max : OUTPUT_DEFAULT;
	if (board->port_spec == NULL || (options->usb_path != NULL && board->usb_path == NULL) ||
	    !capture_new(&board->output, output_max) || !capture_new(&board->answer, ANSWER_MAX) ||
	    !capture_new(&board->traceback, TRACEBACK_MAX) ||
	    console_new(loop, &options->console, &board->console) < 0) {
		release(board);
		return -ENOMEM;
	}
	*ret = board;
	return 0;
}

static void bury(struct loop_deferred *deferred)
{
	release(BOARD_OF(deferred, burial));
}

/* May come from a job's done(), with the REPL's own functions on the stack. */
void board_free(struct board *board)
{
	if (board == NULL)
		return;
	quiet(board);
	board_close_port(board);
	board->burial.run = bury;
	loop_defer(board->loop, &board->burial);
}

void board_cancel(struct board *board)
{
	if (board->stage != STAGE_IDLE)
		job_end(board, BOARD_CANCELLED, board_status_text(BOARD_CANCELLED));
}

void board_close(struct board *board)
{
	enum stage stage = board->stage;

	board->stage = STAGE_IDLE; /* what ends with the port must not end the job twice */
	board_close_port(board);
	board->stage = stage;
	board_cancel(board);
}

bool board_is_open(const struct board *board)
{
	return board->port != NULL && board->stage != STAGE_OPEN;
}

bool board_is_busy(const struct board *board)
{
	return board->stage != STAGE_IDLE;
}

struct console *board_console(struct board *board)
{
	return board->console;
}

struct serial_port *board_port(struct board *board)
{
	return board->port;
}

enum repl_state board_state(const struct board *board)
{
	return board->repl.state;
}

bool board_found(const struct board *board, struct found *ret)
{
	if (board->has_found)
		*ret = board->found;
	return board->has_found;
}
