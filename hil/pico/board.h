/*
 * A board on a serial port: what one can ask of it, each as a job that ends in a call.
 *
 * Purpose: find the board's port (by path, serial number or USB path), hold it, capture its
 * console, and run one job at a time: exec, files, reset, identity. Where a job makes the board
 * re-enumerate, the port is closed, the board is waited for under whatever tty it comes back, and
 * opened again. Units: nanoseconds; every job has a deadline, `within_ns` from its start, for all
 * of it. Ownership: board_new(), board_free(). Texts and bytes that are handed in must live until
 * the job ends; what board_result points to lives during the call. Errors: a job's refusal (-EBUSY:
 * one is under way; -EINVAL) is returned and no call follows; all else is in the result. Threads:
 * the loop's.
 *
 * A job leaves the board at the raw prompt, where the next one begins at once: the application does
 * not run. board_start_app() starts it. What the board says outside of jobs goes to the console.
 */
#ifndef PICO_BOARD_H
#define PICO_BOARD_H

#include "emulator/base/loop.h"
#include "hil/pico/repl.h"
#include "hil/pico/snippets.h"
#include "hil/serial/console.h"
#include "hil/serial/hotplug.h"
#include "hil/serial/port.h"

struct board;

enum board_status {
	BOARD_OK,
	BOARD_RAISED,    /* a traceback: in the result */
	BOARD_TIMEOUT,   /* no answer by the deadline */
	BOARD_ABSENT,    /* no such board or port */
	BOARD_REFUSED,   /* the port is held by another program, or may not be opened */
	BOARD_GONE,      /* unplugged, or reset, in the middle */
	BOARD_BROKEN,    /* answers that cannot be: something else writes to the port */
	BOARD_MISMATCH,  /* a hash, a size or an identity is not what it should be */
	BOARD_FULL,      /* no room on the board */
	BOARD_TOO_LARGE, /* more output, or a larger file, than was asked for */
	BOARD_BAD_INPUT, /* a name or code that cannot be sent */
	BOARD_CANCELLED,
};

const char *board_status_text(enum board_status status);

struct board_result {
	enum board_status status;
	/* For a person: what failed and where. Never NULL. */
	const char *text;
	/* Output of exec, the file of get, lines of list; as bytes. output[output_len] is 0. */
	const char *output;
	size_t output_len;
	size_t output_lost;    /* bytes beyond output_max */
	const char *traceback; /* "" where there is none; control bytes are escaped */
	int64_t began_ns, ended_ns;
};

typedef void board_done(void *owner, const struct board_result *result);

struct board_options {
	/* Where it is: as find_port() takes it. Copied. */
	const char *port;
	/* To follow it where `port` is a tty's path: NULL, or as in struct find_match. A port that
	 * is found by a serial number remembers its USB path. Copied. */
	const char *usb_path;
	struct serial_options serial;
	struct console_limits console;
	size_t output_max; /* of a job; 0: 256 KiB */
	/* Every console byte as it comes, besides the console's ring; NULL: nobody. */
	void (*heard)(void *owner, const char *bytes, size_t len, struct serial_span span);
	/* The port has gone outside of a job. */
	void (*gone)(void *owner, int error);
	void *owner;
};

/* `hotplug` may be NULL for ports that never re-enumerate (pseudo-terminals, tcp://). Nothing is
 * opened. */
int board_new(struct loop *loop, struct hotplug *hotplug, const struct board_options *options,
	      struct board **ret);
/* Ends a job without a call, drops DTR and closes the port. NULL is fine. */
void board_free(struct board *board);

/* Waits for the board to be there, and opens its port. */
int board_open(struct board *board, int64_t within_ns, board_done *done, void *owner);
/* At once. A job under way ends, BOARD_CANCELLED. */
void board_close(struct board *board);
/* Ends the job under way, if any, BOARD_CANCELLED. A board in the middle of code is interrupted by
 * the next job. */
void board_cancel(struct board *board);

bool board_is_open(const struct board *board);
bool board_is_busy(const struct board *board);
struct console *board_console(struct board *board);
struct serial_port *board_port(struct board *board); /* NULL: not open */
enum repl_state board_state(const struct board *board);

/* Every job below opens the port first where it is not open. */

/* Interrupts what runs and goes to the raw prompt; with `soft_reset` from a fresh interpreter
 * (boot.py runs, main.py does not). */
int board_interrupt(struct board *board, bool soft_reset, int64_t within_ns, board_done *done,
		    void *owner);
/* Output may hold any byte but \x04: that breaks the REPL's framing and is BOARD_BROKEN. */
int board_exec(struct board *board, const char *code, size_t len, int64_t within_ns,
	       board_done *done, void *owner);
/*
 * Writes NAME.tmp in chunks of 256 bytes, compares the board's SHA-256 of it, renames it to NAME.
 * On any failure NAME.tmp is removed and what NAME was stays (but on a FAT disk, where a rename
 * replaces nothing: there the old file is removed first).
 */
int board_put(struct board *board, const char *name, const char *bytes, size_t len,
	      int64_t within_ns, board_done *done, void *owner);
/* The file is the result's output; its SHA-256 is compared with the board's. */
int board_get(struct board *board, const char *name, int64_t within_ns, board_done *done,
	      void *owner);
int board_remove(struct board *board, const char *name, int64_t within_ns, board_done *done,
		 void *owner);
int board_mkdir(struct board *board, const char *name, int64_t within_ns, board_done *done,
		void *owner);
/* Output: a line each, "16384 0 lib" or "32768 1234 main.py". */
int board_list(struct board *board, const char *name, int64_t within_ns, board_done *done,
	       void *owner);
/* The output is what SNIPPET_IDENTITY prints: identity_parse() reads it. */
int board_identify(struct board *board, int64_t within_ns, board_done *done, void *owner);

/* Leaves raw mode and soft-resets: boot.py, main.py. Ends when the board says "soft reboot": what
 * comes next is the application's, on the console. */
int board_start_app(struct board *board, int64_t within_ns, board_done *done, void *owner);
/* machine.reset(): ends when the board is back and its port is open again. On a port that does not
 * re-enumerate: when the board has the command. */
int board_machine_reset(struct board *board, int64_t within_ns, board_done *done, void *owner);
/* machine.bootloader(): ends when the device in the same socket is in BOOTSEL; the port is closed.
 */
int board_bootloader(struct board *board, int64_t within_ns, board_done *done, void *owner);

/* RUN and BOOTSEL, held low by somebody else's GPIO. The lines are open drain: released, not driven
 * high. set() returns 0 or -errno. */
enum board_pin { BOARD_PIN_RUN, BOARD_PIN_BOOTSEL };
struct board_pins {
	int (*set)(void *owner, enum board_pin pin, bool low);
	void *owner;
};
/* RUN low for 100 ms; ends when the board is back and its port is open. Needs no answer from it. */
int board_reset_by_pins(struct board *board, const struct board_pins *pins, int64_t within_ns,
			board_done *done, void *owner);
/* BOOTSEL low, 100 ms, RUN low, 100 ms, RUN free, 50 ms, BOOTSEL free; ends when it is in BOOTSEL.
 */
int board_bootsel_by_pins(struct board *board, const struct board_pins *pins, int64_t within_ns,
			  board_done *done, void *owner);
/* Waits for the board after somebody else has reset or powered it, and opens its port. The same as
 * board_close() and board_open(). */
int board_wait_back(struct board *board, int64_t within_ns, board_done *done, void *owner);

/* What is known of the device: false where it is no USB device. */
bool board_found(const struct board *board, struct found *ret);

#endif
