#include "hil/pico/board_internal.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "emulator/base/units.h"

#define TIDY_NS (3 * NS_PER_S)
#define DIGEST_HEX 64

static bool digest_hex(const char *bytes, size_t len, char hex[DIGEST_HEX + 1])
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned n = 0;

	if (EVP_Digest(bytes, len, digest, &n, EVP_sha256(), NULL) != 1 || n != DIGEST_HEX / 2)
		return false;
	for (unsigned i = 0; i < n; i++)
		snprintf(hex + 2 * (size_t)i, 3, "%02x", digest[i]);
	return true;
}

/* What a snippet printed, without the end of its line. */
static struct capture *one_line(struct board *board)
{
	struct capture *answer = &board->answer;

	while (answer->len > 0 && strchr("\r\n", answer->bytes[answer->len - 1]) != NULL)
		answer->bytes[--answer->len] = '\0';
	return answer;
}

static bool same_digest(struct board *board, const char *bytes, size_t len)
{
	char hex[DIGEST_HEX + 1];

	return digest_hex(bytes, len, hex) && strcmp(one_line(board)->bytes, hex) == 0;
}

/* ---- put ---- */

enum put_at {
	PUT_OPEN,
	PUT_CHUNK,
	PUT_CLOSED,
	PUT_HASHED,
	PUT_RENAMED,
	PUT_REMOVED,
	PUT_ENTERED,
	PUT_TIDY_CLOSED,
	PUT_TIDY_REMOVED
};

static void put_chunk(struct board *board)
{
	char hex[2 * SNIPPET_CHUNK + 1];
	size_t n = board->len - board->offset;

	if (n == 0) {
		board->at = PUT_CLOSED;
		job_snippet(board, SNIPPET_CLOSE);
		return;
	}
	n = n < SNIPPET_CHUNK ? n : SNIPPET_CHUNK;
	for (size_t i = 0; i < n; i++)
		snprintf(hex + 2 * i, 3, "%02x", (unsigned char)board->bytes[board->offset + i]);
	board->offset += n;
	board->at = PUT_CHUNK;
	job_snippet(board, SNIPPET_WRITE, hex);
}

/* Ends in that status once the temporary file is away. */
static void put_tidy(struct board *board, enum board_status failure, const char *what)
{
	snprintf(board->text, sizeof(board->text), "%s at byte %zu of %zu: %s", board->name,
		 board->offset, board->len, what);
	board->failure = failure;
	/* The traceback of what went wrong is the one to keep. */
	board->keep_traceback = true;
	board->at = PUT_ENTERED;
	job_enter_again(board, TIDY_NS);
}

static void put_written(struct board *board)
{
	size_t due = board->offset % SNIPPET_CHUNK != 0 ? board->offset % SNIPPET_CHUNK
							: SNIPPET_CHUNK;
	char *end;
	unsigned long written = strtoul(one_line(board)->bytes, &end, 10);

	if (end == board->answer.bytes || *end != '\0')
		put_tidy(board, BOARD_BROKEN, "no count of bytes came back");
	else if (written != due)
		put_tidy(board, BOARD_FULL, "fewer bytes were written than sent");
	else
		put_chunk(board);
}

static void put_rename(struct board *board)
{
	board->at = PUT_RENAMED;
	job_snippet(board, SNIPPET_RENAME, board->temporary, board->name);
}

static void put_renamed(struct board *board, enum repl_status status)
{
	bool exists = strstr(board->traceback.bytes, "EEXIST") != NULL ||
		      strstr(board->traceback.bytes, "OSError: 17") != NULL;

	if (status == REPL_RAISED && exists && !board->replaced) {
		board->replaced = true;
		board->at = PUT_REMOVED;
		job_snippet(board, SNIPPET_REMOVE, board->name);
	} else if (status != REPL_OK) {
		put_tidy(board, job_status_of(board, status), "it could not be renamed into place");
	} else {
		snprintf(board->text, sizeof(board->text), "%s: %zu bytes, verified", board->name,
			 board->len);
		job_end(board, BOARD_OK, board->text);
	}
}

static void put_tidied(struct board *board, enum repl_status status)
{
	bool removed = status == REPL_OK;
	size_t used = strlen(board->text);

	if (!removed)
		snprintf(board->text + used, sizeof(board->text) - used, "; %s may be left behind",
			 board->temporary);
	board->keep_traceback = false;
	job_end(board, board->failure, board->text);
}

static void put_step(struct board *board, enum repl_status status)
{
	enum put_at at = (enum put_at)board->at;

	if (status != REPL_OK && at < PUT_RENAMED) {
		/* Of the very first step nothing is left on the board. */
		if (at == PUT_CHUNK && board->offset == 0)
			job_end_repl(board, status, board->temporary);
		else
			put_tidy(board, job_status_of(board, status), repl_status_text(status));
		return;
	}
	switch (at) {
	case PUT_OPEN:
		board->at = PUT_CHUNK;
		job_snippet(board, SNIPPET_OPEN_WRITE, board->temporary);
		break;
	case PUT_CHUNK:
		if (board->offset == 0)
			put_chunk(board);
		else
			put_written(board);
		break;
	case PUT_CLOSED:
		board->at = PUT_HASHED;
		job_snippet(board, SNIPPET_HASH, board->temporary);
		break;
	case PUT_HASHED:
		if (same_digest(board, board->bytes, board->len))
			put_rename(board);
		else
			put_tidy(board, BOARD_MISMATCH, "the board reads back something else");
		break;
	case PUT_RENAMED: put_renamed(board, status); break;
	case PUT_REMOVED:
		if (status == REPL_OK)
			put_rename(board);
		else
			put_tidy(board, job_status_of(board, status), "the old file stays");
		break;
	case PUT_ENTERED:
		if (status != REPL_OK) {
			put_tidied(board, status);
			break;
		}
		board->at = PUT_TIDY_CLOSED;
		job_snippet(board, SNIPPET_CLOSE);
		break;
	case PUT_TIDY_CLOSED: /* it may be closed already, or never have been opened */
		board->at = PUT_TIDY_REMOVED;
		job_snippet(board, SNIPPET_REMOVE, board->temporary);
		break;
	case PUT_TIDY_REMOVED: put_tidied(board, status); break;
	}
}

int board_put(struct board *board, const char *name, const char *bytes, size_t len,
	      int64_t within_ns, board_done *done, void *owner)
{
	char temporary[SNIPPET_NAME_MAX + 1];

	if (board->stage != STAGE_IDLE)
		return -EBUSY;
	if (snprintf(temporary, sizeof(temporary), "%s.tmp", name) >= (int)sizeof(temporary) ||
	    !snippet_quote(name, board->name, sizeof(board->name)) ||
	    !snippet_quote(temporary, board->temporary, sizeof(board->temporary)))
		return -EINVAL;
	int rc = job_begin(board, put_step, true, within_ns, done, owner);
	if (rc == 0) {
		board->bytes = bytes;
		board->len = len;
		board->offset = 0;
		board->replaced = board->keep_traceback = false;
	}
	return rc;
}

/* ---- get ---- */

enum get_at { GET_OPEN, GET_OPENED, GET_CHUNK, GET_CLOSED, GET_HASHED };

static int nibble(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Appends what the digits say; false: they are none. */
static bool take_hex(struct board *board, const struct capture *digits)
{
	if (digits->len % 2 != 0 || digits->len > 2 * SNIPPET_CHUNK)
		return false;
	for (size_t i = 0; i < digits->len; i += 2) {
		int high = nibble(digits->bytes[i]), low = nibble(digits->bytes[i + 1]);
		if (high < 0 || low < 0)
			return false;
		char byte = (char)(high << 4 | low);
		capture_add(&board->output, &byte, 1);
	}
	return true;
}

static void get_chunk(struct board *board)
{
	const struct capture *digits = one_line(board);

	if (!take_hex(board, digits)) {
		job_end(board, BOARD_BROKEN, "the file did not come as hexadecimal digits");
	} else if (board->output.lost > 0) {
		snprintf(board->text, sizeof(board->text), "%s is larger than %zu bytes",
			 board->name, board->output.cap);
		job_end(board, BOARD_TOO_LARGE, board->text);
	} else if (digits->len > 0) {
		job_snippet(board, SNIPPET_READ);
	} else {
		board->at = GET_CLOSED;
		job_snippet(board, SNIPPET_CLOSE);
	}
}

static void get_step(struct board *board, enum repl_status status)
{
	if (status != REPL_OK) {
		job_end_repl(board, status, board->name);
		return;
	}
	switch ((enum get_at)board->at) {
	case GET_OPEN:
		board->at = GET_OPENED;
		job_snippet(board, SNIPPET_OPEN_READ, board->name);
		break;
	case GET_OPENED:
		board->at = GET_CHUNK;
		job_snippet(board, SNIPPET_READ);
		break;
	case GET_CHUNK: get_chunk(board); break;
	case GET_CLOSED:
		board->at = GET_HASHED;
		job_snippet(board, SNIPPET_HASH, board->name);
		break;
	case GET_HASHED:
		if (same_digest(board, board->output.bytes, board->output.len))
			job_end(board, BOARD_OK, "verified");
		else
			job_end(board, BOARD_MISMATCH, "the board's hash is of something else");
		break;
	}
}

int board_get(struct board *board, const char *name, int64_t within_ns, board_done *done,
	      void *owner)
{
	if (board->stage != STAGE_IDLE)
		return -EBUSY;
	if (!snippet_quote(name, board->name, sizeof(board->name)))
		return -EINVAL;
	return job_begin(board, get_step, true, within_ns, done, owner);
}
