/*
 * What the files of the board share: one job at a time, step by step.
 *
 * A job goes through the stages port, raw prompt, work; its own part is a step function, called
 * when the work begins and then after each thing that it began (code, a pause) has ended.
 * Ownership, errors, threads: as in board.h.
 */
#ifndef PICO_BOARD_INTERNAL_H
#define PICO_BOARD_INTERNAL_H

#include "hil/pico/board.h"

enum stage {
	STAGE_IDLE,
	STAGE_SEEK,  /* waiting for the device, or trying to open it */
	STAGE_OPEN,  /* tcp://: connecting; else the loop's next turn */
	STAGE_ENTER, /* to the raw prompt */
	STAGE_WORK,  /* the job's own steps */
	STAGE_LEAVE, /* a reset was asked for: the device is about to go */
	STAGE_DISK,  /* waiting for BOOTSEL */
	STAGE_CLEAN, /* after a failure: back to the raw prompt, to tidy up */
};

/* After it went: nothing, back to its port, or into BOOTSEL. */
enum comes_back { BACK_NOT, BACK_PORT, BACK_BOOTSEL };

/* Called with REPL_OK to begin with. */
typedef void job_step(struct board *board, enum repl_status status);

struct capture {
	char *bytes;
	size_t len, cap, lost;
};

struct board {
	struct loop *loop;
	struct hotplug *hotplug;
	struct board_options options;
	char *port_spec, *usb_path;
	struct serial_port *port;
	struct repl repl;
	struct timer repl_timer;
	struct console *console;
	struct serial_span span; /* of the bytes that are being taken in */
	struct found found;
	bool has_found;

	enum stage stage;
	enum comes_back back;
	bool needs_raw, reopening;
	bool blind; /* needs no port */
	job_step *step;
	unsigned at; /* the job's own count of its steps */
	board_done *done;
	void *owner;
	int64_t began_ns, deadline_ns, retry_until_ns;
	struct timer deadline, pause, kick;
	struct hotplug_wait wait;
	struct serial_trouble refusal; /* of the last try to open it; "": there was none */

	struct capture *into; /* where output goes now */
	struct capture output, answer, traceback;
	char text[300];

	/* Of files. */
	const char *bytes;
	size_t len, offset;
	char name[SNIPPET_NAME_MAX + 3], temporary[SNIPPET_NAME_MAX + 3];
	char code[SNIPPET_BYTES_MAX];
	enum board_status failure;
	bool replaced;       /* the old file was removed to make room for the new name */
	bool keep_traceback; /* of the failure, while tidying up */

	const struct board_pins *pins; /* a job that pulls them */
	bool soft_reset;
	struct loop_deferred burial;
};

/* Begins a job: 0, or -EBUSY. */
int job_begin(struct board *board, job_step *step, bool needs_raw, int64_t within_ns,
	      board_done *done, void *owner);
/* The same for a job that needs no port, and uses it where it is open. */
int job_begin_blind(struct board *board, job_step *step, int64_t within_ns, board_done *done,
		    void *owner);
/* Ends it. The last thing a step does. */
void job_end(struct board *board, enum board_status status, const char *text);
/* The same for a step of the REPL's that did not end well; `what` was being done. */
void job_end_repl(struct board *board, enum repl_status status, const char *what);
enum board_status job_status_of(const struct board *board, enum repl_status status);
/* Runs code of the job's; its output goes to `into`. The step follows. */
void job_run(struct board *board, const char *code, size_t len, struct capture *into);
/* A snippet, filled in; its output goes to board->answer. */
void job_snippet(struct board *board, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
void job_pause(struct board *board, int64_t for_ns);
/* After a reset was asked for: waits for the device to go and come back. */
void job_follow(struct board *board, enum comes_back back);
/* Back to the raw prompt, with a deadline of its own; then the step. */
void job_enter_again(struct board *board, int64_t within_ns);

/* ---- board_link.c: the port, and the REPL on it ---- */

extern const struct repl_handler board_repl_handler;
void board_repl_timer(struct timer *timer, int64_t now_ns);
/* Looks for the device, and opens it. */
void board_seek(struct board *board);
/* It is open: to the raw prompt, or straight to work. */
void board_port_ready(struct board *board);
void board_work(struct board *board, enum repl_status status);
void board_close_port(struct board *board);
/* Sends what the REPL has to say, and sets its timer. */
void board_pump(struct board *board);

void capture_clear(struct capture *capture);
void capture_add(struct capture *capture, const char *bytes, size_t len);

#endif
