#include "hil/pico/board_internal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "emulator/base/units.h"

#define RETRY_EVERY_NS (100 * NS_PER_MS)

#define BOARD_OF(pointer, member)                                                                  \
	((struct board *)((char *)(pointer)-offsetof(struct board, member)))

/* ---- the REPL on the port ---- */

void board_pump(struct board *board)
{
	const char *bytes;
	size_t len;

	if (board->port == NULL)
		return;
	while ((len = repl_out(&board->repl, board->loop->now_ns, &bytes)) > 0) {
		int rc = serial_write(board->port, bytes, len);
		if (rc == -ENOBUFS) /* our own limit: the window keeps us far below it */
			repl_abandon(&board->repl);
		if (rc < 0)
			return; /* gone() follows */
	}
	int64_t due_ns = repl_due_ns(&board->repl);
	if (due_ns == INT64_MAX)
		timer_cancel(&board->loop->timers, &board->repl_timer);
	else
		timer_arm(&board->loop->timers, &board->repl_timer, due_ns);
}

void board_repl_timer(struct timer *timer, int64_t now_ns)
{
	struct board *board = BOARD_OF(timer, repl_timer);

	repl_tick(&board->repl, now_ns);
	board_pump(board);
}

/* For a person's eyes: lines stay lines, all else that is not printable is escaped. */
static void keep_traceback(struct capture *traceback, const char *bytes, size_t len)
{
	char safe[256];

	while (len > 0) {
		size_t n = 0;
		while (n < len && bytes[n] != '\r' && bytes[n] != '\n')
			n++;
		if (n > 0) {
			n = console_print_safe(bytes, n, safe, sizeof(safe));
			capture_add(traceback, safe, strlen(safe));
		} else {
			if (bytes[0] == '\n')
				capture_add(traceback, "\n", 1);
			n = 1;
		}
		bytes += n;
		len -= n;
	}
}

static void repl_output(void *owner, enum repl_stream stream, const char *bytes, size_t len)
{
	struct board *board = owner;

	if (stream == REPL_STDOUT && board->into != NULL) {
		capture_add(board->into, bytes, len);
		return;
	}
	if (stream == REPL_STDERR && board->keep_traceback)
		return;
	if (stream == REPL_STDERR) {
		keep_traceback(&board->traceback, bytes, len);
		return;
	}
	console_feed(board->console, bytes, len, board->span);
	if (board->options.heard != NULL)
		board->options.heard(board->options.owner, bytes, len, board->span);
}

void board_work(struct board *board, enum repl_status status)
{
	board->stage = STAGE_WORK;
	board->step(board, status);
}

static void repl_done(void *owner, enum repl_status status)
{
	struct board *board = owner;

	board->into = NULL;
	switch (board->stage) {
	case STAGE_ENTER:
		if (status == REPL_OK)
			board_work(board, status);
		else if (status != REPL_CANCELLED)
			job_end_repl(board, status, "going to the raw prompt");
		break;
	case STAGE_CLEAN: board_work(board, status); break;
	case STAGE_LEAVE:
	case STAGE_WORK:
		/* Of a port that went: the port's own news follows, and says more. */
		if (status != REPL_CANCELLED)
			board->step(board, status);
		break;
	default: break;
	}
}

const struct repl_handler board_repl_handler = { repl_output, repl_done };

/* ---- the port ---- */

void board_close_port(struct board *board)
{
	timer_cancel(&board->loop->timers, &board->repl_timer);
	serial_close(board->port);
	board->port = NULL;
	repl_abandon(&board->repl);
	/* Another board may come back there, with another firmware. */
	repl_init(&board->repl, &board_repl_handler, board);
}

void board_port_ready(struct board *board)
{
	if (board->reopening) {
		board->stage = STAGE_WORK;
		job_end(board, BOARD_OK, "it is back");
		return;
	}
	if (!board->needs_raw) {
		board_work(board, REPL_OK);
		return;
	}
	board->stage = STAGE_ENTER;
	repl_enter(&board->repl, board->loop->now_ns, board->deadline_ns);
	board_pump(board);
}

static void port_opened(void *owner)
{
	struct board *board = owner;

	if (board->stage == STAGE_OPEN)
		board_port_ready(board);
}

static void port_received(void *owner, const char *bytes, size_t len, struct serial_span span)
{
	struct board *board = owner;

	board->span = span;
	repl_received(&board->repl, bytes, len, board->loop->now_ns);
	board_pump(board);
}

static void followed(struct board *board)
{
	board->reopening = true;
	board_seek(board);
}

static void disk_found(struct hotplug_wait *wait, int error, const struct found *found)
{
	struct board *board = wait->owner;

	if (error == 0) {
		board->found = *found;
		job_end(board, BOARD_OK, "in BOOTSEL");
	} else {
		job_end(board, BOARD_TIMEOUT, "it went, and did not come back in BOOTSEL");
	}
}

static void wait_for(struct board *board, struct find_match match,
		     void (*done)(struct hotplug_wait *, int, const struct found *))
{
	board->wait = (struct hotplug_wait){ .match = match, .done = done, .owner = board };
	hotplug_wait(board->hotplug, &board->wait, board->deadline_ns - board->loop->now_ns);
}

static void wait_for_bootsel(struct board *board)
{
	struct find_match match = { .usb_path = board->usb_path, .bootsel = true };

	board->stage = STAGE_DISK;
	wait_for(board, match, disk_found);
}

static void port_gone(void *owner, int error)
{
	struct board *board = owner;
	enum stage stage = board->stage;

	board_close_port(board);
	console_gone(board->console);
	if (stage == STAGE_IDLE) {
		if (board->options.gone != NULL)
			board->options.gone(board->options.owner, error);
	} else if (stage == STAGE_WORK && board->pins != NULL) {
		return; /* RUN is low: as it should be */
	} else if (stage == STAGE_LEAVE && board->back == BACK_BOOTSEL) {
		wait_for_bootsel(board);
	} else if (board->back == BACK_PORT) {
		/* Also while it is being opened: what was found was the device that is leaving. */
		followed(board);
	} else if (stage == STAGE_OPEN) {
		snprintf(board->text, sizeof(board->text), "%.200s: %s", board->port_spec,
			 strerror(error == 0 ? ECONNRESET : -error));
		job_end(board, error == -ETIMEDOUT ? BOARD_TIMEOUT : BOARD_REFUSED, board->text);
	} else {
		bool stuck = error == -ETIMEDOUT;
		job_end(board, stuck ? BOARD_TIMEOUT : BOARD_GONE,
			stuck ? "the board takes no bytes" : board_status_text(BOARD_GONE));
	}
}

static const struct serial_handler port_handler = { port_opened, port_received, port_gone };

static void learn(struct board *board, const struct found *found)
{
	board->found = *found;
	board->has_found = true;
	if (board->usb_path != NULL || !found->usb)
		return;
	board->usb_path = strdup(found->usb_path);
}

static void try_open(struct board *board, const char *path)
{
	struct serial_trouble trouble;
	int rc = serial_open(board->loop, path, &board->options.serial, &port_handler, board,
			     &board->port, &trouble);

	if (rc == 0) {
		struct found found;
		struct find_match match = { .path = serial_port_path(board->port) };
		if (serial_port_kind(board->port) != SERIAL_TCP && board->hotplug != NULL &&
		    find_one(hotplug_sys(board->hotplug), &match, &found) == 0)
			learn(board, &found);
		board->stage = STAGE_OPEN;
		return;
	}
	bool soon = rc == -EACCES || rc == -EBUSY || rc == -EIO || rc == -ENODEV;
	bool later = rc == -ENOENT || rc == -ENXIO;
	int64_t now_ns = board->loop->now_ns;
	board->refusal.text[0] = '\0';
	if (!later)
		board->refusal = trouble;
	if (now_ns < board->deadline_ns && (later || (soon && now_ns < board->retry_until_ns)))
		loop_timer(board->loop, &board->kick, RETRY_EVERY_NS);
	else
		job_end(board, later ? BOARD_ABSENT : BOARD_REFUSED,
			later ? board_status_text(BOARD_ABSENT) : board->refusal.text);
}

static void port_found(struct hotplug_wait *wait, int error, const struct found *found)
{
	struct board *board = wait->owner;

	if (error == 0) {
		learn(board, found);
		try_open(board, found->path);
	} else if (error == -EEXIST) {
		snprintf(board->text, sizeof(board->text),
			 "more than one device is %.60s (one at usb:%s): name its USB path",
			 board->port_spec, found->usb_path);
		job_end(board, BOARD_REFUSED, board->text);
	} else {
		snprintf(board->text, sizeof(board->text), "no device is %.100s%s",
			 board->port_spec, board->reopening ? ": it did not come back" : "");
		job_end(board, BOARD_ABSENT, board->text);
	}
}

void board_seek(struct board *board)
{
	struct find_match match = find_spec(board->port_spec);

	board->stage = STAGE_SEEK;
	/* A path may be another's by the time it comes back; its socket is not. */
	if (match.path != NULL && board->reopening && board->usb_path != NULL &&
	    board->hotplug != NULL) {
		match.path = NULL;
		match.usb_path = board->usb_path;
	}
	if (match.path != NULL)
		try_open(board, match.path);
	else
		wait_for(board, match, port_found);
}

void job_follow(struct board *board, enum comes_back back)
{
	bool device = board->hotplug != NULL && board->has_found && board->found.usb;

	board->back = back;
	if (!device) {
		job_end(board, BOARD_OK, "sent; this port does not re-enumerate");
		return;
	}
	board->stage = STAGE_LEAVE;
	board->retry_until_ns = board->deadline_ns;
	/* Held by us it is gone when the kernel says so; else it may be on its way by now. */
	if (board->port == NULL && back == BACK_BOOTSEL)
		wait_for_bootsel(board);
	else if (board->port == NULL)
		followed(board);
}
