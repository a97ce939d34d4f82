/*
 * MicroPython's REPL, sans I/O: friendly, raw, raw-paste and plain raw.
 *
 * Purpose: run code on a board and get its output and its traceback apart, exactly; know which mode
 * the board is in; never wait without a deadline. Bytes in by repl_received(), bytes out by
 * repl_out(), time by the caller.
 * Units: nanoseconds of any one clock.
 * Ownership: the caller stores a struct repl; the code of repl_exec() must live until the operation
 * ends. No allocation.
 * Errors: an operation ends in an enum repl_status, by handler->done. Bytes from the board never
 * trip an assertion.
 * Threads: none of its own. The handler must not call back into the same repl, done() excepted:
 * it is called last and may begin the next operation.
 * Source: MicroPython's REPL reference (raw mode, raw-paste mode), pyexec.c's behaviour as recorded
 * in fixtures/transcripts/repl_qemu_cortexm.jsonl.
 *
 * One write unit is what one repl_out() gives: a caller that keeps them apart sends the very writes
 * that other tools do.
 */
#ifndef PICO_REPL_H
#define PICO_REPL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum repl_state {
	REPL_UNKNOWN,   /* nothing is known, or the board did not answer as it should */
	REPL_FRIENDLY,  /* left to itself: a prompt, or an application that prints */
	REPL_ENTERING,  /* interrupted and asked for raw mode */
	REPL_RAW,       /* at the raw prompt */
	REPL_QUERY,     /* asked for raw-paste */
	REPL_WINDOW,    /* reading the window's size */
	REPL_PASTING,   /* streaming code within the window */
	REPL_PASTED,    /* all sent; the board has not said that it has it */
	REPL_TYPING,    /* plain raw: 256 bytes every 10 ms */
	REPL_TYPED,     /* all sent; "OK" is due */
	REPL_OUTPUT,    /* it runs: output until \x04 */
	REPL_TRACEBACK, /* traceback until \x04 */
	REPL_PROMPT,    /* then '>' */
	REPL_RESETTING, /* soft reset within raw mode: "OK", boot.py, the raw prompt */
	REPL_LEAVING,   /* asked for the friendly prompt */
	REPL_STARTING,  /* soft reset at the friendly prompt: until "MPY: soft reboot" */
	REPL_STATES
};

enum repl_status {
	REPL_OK,
	REPL_RAISED,  /* it ended with a traceback */
	REPL_EXITED,  /* SystemExit, or a reset of its own: the board has rebooted, into raw mode */
	REPL_TIMEOUT, /* no answer, or not the whole of it, by the deadline */
	REPL_BROKEN,  /* answers that cannot be: output that holds \x04, another program's bytes */
	REPL_BAD_CODE,  /* the code holds bytes 1 to 5: nothing was sent */
	REPL_BAD_STATE, /* not from this state: nothing was sent */
	REPL_CANCELLED, /* repl_abandon() */
};

enum repl_stream {
	REPL_CONSOLE, /* what the board says outside of a result: its application, banners, boot.py
		       */
	REPL_STDOUT,  /* output of the code */
	REPL_STDERR,  /* its traceback */
};

struct repl;

struct repl_handler {
	/* Bytes as they come. May be NULL. */
	void (*output)(void *owner, enum repl_stream stream, const char *bytes, size_t len);
	/* The operation has ended; repl->state says where the board is. */
	void (*done)(void *owner, enum repl_status status);
};

#define REPL_OUT_MAX 32
#define REPL_TAIL 32

struct repl {
	enum repl_state state;
	bool busy;     /* an operation is under way */
	bool no_paste; /* the firmware has no raw-paste: found out, kept until repl_init() */
	const struct repl_handler *handler;
	void *owner;
	int64_t deadline_ns; /* of the operation */
	/* private */
	int64_t retry_ns, pace_ns, settle_ns; /* INT64_MAX: not set */
	const char *code;
	size_t code_len, code_sent;
	uint32_t window, window_left;
	unsigned sub;   /* position within a step of several bytes */
	unsigned tries; /* of entering raw mode, since it was last entered */
	bool no_wait, raised, timed_out, rebooted;
	char last;                 /* byte of the traceback */
	char tail[REPL_TAIL];      /* the last bytes of the console, for banners */
	char out[REPL_OUT_MAX];    /* write units that are not code */
	unsigned char units[4];    /* their lengths */
	size_t unit_count, out_at; /* the first that was not taken, where it stands */
};

void repl_init(struct repl *repl, const struct repl_handler *handler, void *owner);

/*
 * Each begins an operation; done() follows, from repl_received(), repl_tick() or, for what is
 * refused, from within the call itself. One at a time: busy is our own bug.
 */

/* Interrupts what runs and goes into raw mode, from any state. */
void repl_enter(struct repl *repl, int64_t now_ns, int64_t deadline_ns);
/* From REPL_RAW. At the deadline the code is interrupted by \x03 and REPL_TIMEOUT follows, with the
 * board in REPL_RAW where it heeds it. */
void repl_exec(struct repl *repl, const char *code, size_t len, int64_t now_ns,
	       int64_t deadline_ns);
/* The same for code that does not come back (a reset): REPL_OK once the board has received it; its
 * state is then REPL_UNKNOWN. REPL_RAISED where it did come back, with an error. */
void repl_exec_no_wait(struct repl *repl, const char *code, size_t len, int64_t now_ns,
		       int64_t deadline_ns);
/* A soft reset that stays in raw mode: runs boot.py, not main.py. From REPL_RAW. */
void repl_reset_raw(struct repl *repl, int64_t now_ns, int64_t deadline_ns);
/* Back to the friendly prompt. From REPL_RAW. */
void repl_leave(struct repl *repl, int64_t now_ns, int64_t deadline_ns);
/* A soft reset at the friendly prompt: boot.py, then main.py, whose output goes to REPL_CONSOLE.
 * From REPL_FRIENDLY, at an empty prompt (after repl_leave()). */
void repl_start_app(struct repl *repl, int64_t now_ns, int64_t deadline_ns);
/* Ends what is under way, REPL_CANCELLED, without a word to the board: the port is gone. The state
 * is REPL_UNKNOWN. done() is called if something was. */
void repl_abandon(struct repl *repl);

/* Takes all of it. */
void repl_received(struct repl *repl, const char *bytes, size_t len, int64_t now_ns);
/* The next write unit, or 0 bytes. *ret is valid until the next call of anything here. To be called
 * after every other call until it gives nothing. */
size_t repl_out(struct repl *repl, int64_t now_ns, const char **ret);
/* When repl_tick() is due; INT64_MAX: never. */
int64_t repl_due_ns(const struct repl *repl);
void repl_tick(struct repl *repl, int64_t now_ns);

const char *repl_state_text(enum repl_state state);
const char *repl_status_text(enum repl_status status);

#endif
