/*
 * A board that speaks MicroPython's REPL, played on the loop of the test itself: on the master side
 * of a pseudo-terminal, or on a connection.
 *
 * Purpose: the exact bytes of the recorded firmware (fixtures/transcripts/repl_qemu_cortexm.jsonl),
 * and every way in which a board can fail to give them. It runs no Python: it knows the rig's
 * snippets, print('TEXT'), and a few words of its own (see run_code()).
 * Ownership: fake_board_new(), fake_board_free(). Errors: fail the test. Threads: the loop's.
 */
#ifndef TEST_FAKE_BOARD_H
#define TEST_FAKE_BOARD_H

#include "emulator/base/loop.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FAKE_FILES 6
#define FAKE_FILE_MAX 70000

struct fake_file {
	char name[140]; /* "": free */
	size_t len;
	char *bytes;
};

enum fake_paste { FAKE_PASTE, FAKE_PASTE_REFUSED, FAKE_PASTE_OLD };
enum fake_mode { FAKE_FRIENDLY, FAKE_RAW, FAKE_QUERY, FAKE_PASTING, FAKE_DRAINING, FAKE_RUNNING };

struct fake_board {
	struct loop *loop;
	struct loop_watch watch;
	int fd, slave_fd, listener; /* -1: none */
	struct loop_watch accept_watch;
	char path[64]; /* of the port that the rig opens */
	/* What is wrong with it. */
	enum fake_paste paste;
	bool silent;         /* answers nothing at all */
	bool echoes;         /* gives back what it gets, and nothing else */
	bool deaf_to_ctrl_c; /* code that catches KeyboardInterrupt */
	bool swallow_first;  /* the first \x01 is lost */
	bool hash_is_wrong;
	bool fat;             /* os.rename() replaces nothing */
	size_t room;          /* bytes that its files may have in all */
	size_t give_up_after; /* bytes of raw-paste; 0: never */
	size_t unplug_after;  /* bytes of input; 0: never */
	/* What it has seen. */
	char seen[200000];
	size_t seen_len;
	unsigned interrupts, reboots;
	/* private */
	enum fake_mode mode;
	bool raw;
	char line[4096];
	size_t line_len, since_window, query;
	struct fake_file files[FAKE_FILES], *open;
	size_t read_at;
	char *out;
	size_t out_len, out_cap;
};

/* On a new pseudo-terminal: board->path is its slave. */
struct fake_board *fake_board_new(struct loop *loop);
/* Listening at 127.46.0.1: board->path is tcp://127.46.0.1:PORT. */
struct fake_board *fake_board_new_tcp(struct loop *loop);
void fake_board_free(struct fake_board *board);
/* Says something on its own: its application's output. */
void fake_board_say(struct fake_board *board, const char *bytes, size_t len);
/* Pulled out. */
void fake_board_unplug(struct fake_board *board);
struct fake_file *fake_board_file(struct fake_board *board, const char *name);
void fake_board_store(struct fake_board *board, const char *name, const char *bytes, size_t len);

#endif
