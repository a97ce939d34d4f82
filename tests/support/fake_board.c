#include "tests/support/fake_board.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <pty.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <termios.h>
#include <unistd.h>

#include "tests/support/require.h"

#define WINDOW 128
#define BANNER                                                                                     \
	"MicroPython v1.25.0 on 2026-11-21; fake with nothing\r\n"                                 \
	"Type \"help()\" for more information.\r\n>>> "
#define RAW_BANNER "raw REPL; CTRL-B to exit\r\n>"

#define BOARD_OF(pointer, member)                                                                  \
	((struct fake_board *)((char *)(pointer)-offsetof(struct fake_board, member)))

static void flush(struct fake_board *board)
{
	ssize_t n = board->fd >= 0 && board->out_len > 0
			    ? write(board->fd, board->out, board->out_len)
			    : 0;

	if (n > 0) {
		memmove(board->out, board->out + n, board->out_len - (size_t)n);
		board->out_len -= (size_t)n;
	}
	if (board->fd >= 0)
		loop_change(board->loop, board->fd,
			    EPOLLIN | (board->out_len > 0 ? (uint32_t)EPOLLOUT : 0), &board->watch);
}

void fake_board_say(struct fake_board *board, const char *bytes, size_t len)
{
	if (board->out_len + len > board->out_cap) {
		board->out_cap = 2 * (board->out_len + len);
		board->out = realloc(board->out, board->out_cap);
		REQUIRE(board->out != NULL);
	}
	memcpy(board->out + board->out_len, bytes, len);
	board->out_len += len;
	flush(board);
}

static void say(struct fake_board *board, const char *text)
{
	fake_board_say(board, text, strlen(text));
}

/* ---- files ---- */

struct fake_file *fake_board_file(struct fake_board *board, const char *name)
{
	for (size_t i = 0; i < FAKE_FILES; i++)
		if (board->files[i].name[0] != '\0' && strcmp(board->files[i].name, name) == 0)
			return &board->files[i];
	return NULL;
}

void fake_board_store(struct fake_board *board, const char *name, const char *bytes, size_t len)
{
	struct fake_file *file = fake_board_file(board, name);

	for (size_t i = 0; file == NULL && i < FAKE_FILES; i++)
		if (board->files[i].name[0] == '\0')
			file = &board->files[i];
	REQUIRE(file != NULL && len <= FAKE_FILE_MAX);
	if (file->bytes == NULL)
		file->bytes = malloc(FAKE_FILE_MAX);
	REQUIRE(file->bytes != NULL);
	snprintf(file->name, sizeof(file->name), "%s", name);
	if (len > 0)
		memcpy(file->bytes, bytes, len);
	file->len = len;
}

static size_t stored(const struct fake_board *board)
{
	size_t all = 0;

	for (size_t i = 0; i < FAKE_FILES; i++)
		all += board->files[i].name[0] != '\0' ? board->files[i].len : 0;
	return all;
}

/* ---- code ---- */

/* The traceback of a line; what it is about. */
static const char *raise_error(const char *what)
{
	static char text[300];

	snprintf(text, sizeof(text),
		 "Traceback (most recent call last):\r\n  File \"<stdin>\", line 1, in "
		 "<module>\r\n%s\r\n",
		 what);
	return text;
}

static void say_hex(struct fake_board *board, const void *bytes, size_t len)
{
	char digits[3];

	for (size_t i = 0; i < len; i++) {
		snprintf(digits, sizeof(digits), "%02x", ((const unsigned char *)bytes)[i]);
		fake_board_say(board, digits, 2);
	}
	say(board, "\r\n");
}

static const char *run_write(struct fake_board *board, const char *digits)
{
	char text[32];
	size_t n = strcspn(digits, "'") / 2;

	if (board->open == NULL)
		return raise_error("NameError: name '_qf' isn't defined");
	if (stored(board) + n > board->room)
		return raise_error("OSError: [Errno 28] ENOSPC");
	REQUIRE(board->open->len + n <= FAKE_FILE_MAX);
	for (size_t i = 0; i < n; i++) {
		char pair[3] = { digits[2 * i], digits[2 * i + 1], '\0' };
		board->open->bytes[board->open->len++] = (char)strtoul(pair, NULL, 16);
	}
	snprintf(text, sizeof(text), "%zu\r\n", n);
	say(board, text);
	return "";
}

static const char *run_read(struct fake_board *board)
{
	size_t n = board->open->len - board->read_at;

	n = n < 256 ? n : 256;
	say_hex(board, board->open->bytes + board->read_at, n);
	board->read_at += n;
	return "";
}

static const char *run_open(struct fake_board *board, const char *name, bool writing)
{
	if (writing)
		fake_board_store(board, name, "", 0);
	board->open = fake_board_file(board, name);
	board->read_at = 0;
	return board->open != NULL ? "" : raise_error("OSError: [Errno 2] ENOENT");
}

static const char *run_hash(struct fake_board *board, const char *name)
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned n = 0;
	struct fake_file *file = fake_board_file(board, name);

	if (file == NULL)
		return raise_error("OSError: [Errno 2] ENOENT");
	EVP_Digest(file->bytes, file->len, digest, &n, EVP_sha256(), NULL);
	digest[0] ^= board->hash_is_wrong;
	say_hex(board, digest, n);
	return "";
}

static const char *run_rename(struct fake_board *board, const char *from, const char *to)
{
	struct fake_file *file = fake_board_file(board, from), *old = fake_board_file(board, to);

	if (file == NULL)
		return raise_error("OSError: [Errno 2] ENOENT");
	if (old != NULL && board->fat)
		return raise_error("OSError: [Errno 17] EEXIST");
	if (old != NULL)
		old->name[0] = '\0';
	snprintf(file->name, sizeof(file->name), "%s", to);
	return "";
}

static const char *run_remove(struct fake_board *board, const char *name)
{
	struct fake_file *file = fake_board_file(board, name);

	if (file == NULL)
		return raise_error("OSError: [Errno 2] ENOENT");
	file->name[0] = '\0';
	return "";
}

/* The rig's snippets. NULL: none of them. */
static const char *run_snippet(struct fake_board *board, const char *code)
{
	char a[140], b[140];

	if (sscanf(code, "import binascii;_qf=open('%130[^']','%1s", a, b) == 2)
		return run_open(board, a, b[0] == 'w');
	if (strncmp(code, "print(_qf.write(binascii.unhexlify('", 36) == 0)
		return run_write(board, code + 36);
	if (strcmp(code, "print(binascii.hexlify(_qf.read(256)).decode())") == 0)
		return run_read(board);
	if (strcmp(code, "_qf.close()") == 0)
		return "";
	if (sscanf(code, "import binascii,hashlib\n_qh=hashlib.sha256()\n_qf=open('%130[^']'", a) ==
	    1)
		return run_hash(board, a);
	if (sscanf(code, "import os;os.rename('%130[^']','%130[^']'", a, b) == 2)
		return run_rename(board, a, b);
	if (sscanf(code, "import os;os.remove('%130[^']'", a) == 1)
		return run_remove(board, a);
	if (strncmp(code, "import sys,machine,binascii\n", 28) == 0) {
		say(board, "e66058388310322c\r\nmicropython\r\n1.25.0\r\nRaspberry Pi Pico W with "
			   "RP2040\r\n3.4.0; MicroPython v1.25.0 on 2025-04-15\r\n(name="
			   "'micropython', version=(1, 25, 0, ''), _mpy=4870)\r\n");
		return "";
	}
	return NULL;
}

static void reboot(struct fake_board *board)
{
	board->reboots++;
	board->line_len = 0;
	say(board, "MPY: soft reboot\r\n");
}

static void prompt(struct fake_board *board)
{
	board->mode = board->raw ? FAKE_RAW : FAKE_FRIENDLY;
	board->line_len = 0;
	say(board, board->raw ? ">" : ">>> ");
}

/* After the code was received: output, \x04, traceback, \x04, prompt. */
static void run_code(struct fake_board *board)
{
	const char *traceback = "";
	char text[300];

	board->line[board->line_len] = '\0';
	const char *known = run_snippet(board, board->line);
	if (known != NULL) {
		traceback = known;
	} else if (sscanf(board->line, "print('%250[^']", text) == 1) {
		say(board, text);
		say(board, "\r\n");
	} else if (strncmp(board->line, "1/0", 3) == 0) {
		traceback = raise_error("ZeroDivisionError: divide by zero");
	} else if (strncmp(board->line, "raise SystemExit", 16) == 0) {
		fake_board_say(board, "\x04\x04", 2);
		reboot(board);
		say(board, RAW_BANNER);
		board->mode = FAKE_RAW;
		return;
	} else if (strncmp(board->line, "forever", 7) == 0) {
		say(board, "started\r\n");
		board->mode = FAKE_RUNNING;
		return;
	} else if (strncmp(board->line, "dirty", 5) == 0) {
		fake_board_say(board,
			       "a\x04"
			       "b",
			       3);
	} else if (strncmp(board->line, "machine", 7) == 0 ||
		   strncmp(board->line, "import machine;", 15) == 0) {
		board->mode = FAKE_RUNNING;
		board->silent = true;
		return;
	} else {
		traceback = raise_error("SyntaxError: invalid syntax");
	}
	fake_board_say(board, "\x04", 1);
	say(board, traceback);
	fake_board_say(board, "\x04", 1);
	prompt(board);
}

/* ---- bytes ---- */

static void interrupt(struct fake_board *board)
{
	board->interrupts++;
	if (board->mode == FAKE_RUNNING && !board->deaf_to_ctrl_c) {
		fake_board_say(board, "\x04", 1);
		say(board, raise_error("KeyboardInterrupt: "));
		fake_board_say(board, "\x04", 1);
		prompt(board);
	} else if (board->mode == FAKE_PASTING) {
		fake_board_say(board,
			       "\x04\x04"
			       "KeyboardInterrupt: \r\n\x04",
			       23);
		prompt(board);
	} else if (board->mode == FAKE_FRIENDLY) {
		say(board, "\r\n");
		prompt(board);
	}
	board->line_len = 0;
}

static void enter_raw(struct fake_board *board)
{
	if (board->swallow_first) {
		board->swallow_first = false;
		return;
	}
	if (!board->raw)
		say(board, "\r\n");
	board->raw = true;
	board->mode = FAKE_RAW;
	board->line_len = 0;
	say(board, RAW_BANNER);
}

static void leave_raw(struct fake_board *board)
{
	board->raw = false;
	board->mode = FAKE_FRIENDLY;
	board->line_len = 0;
	say(board, "\r\n" BANNER);
}

static void end_of_line(struct fake_board *board)
{
	if (!board->raw) {
		if (board->line_len == 0) {
			say(board, "\r\n");
			reboot(board);
			say(board, "main.py says hello\r\n");
		}
		return;
	}
	say(board, "OK");
	if (board->line_len > 0) {
		run_code(board);
		return;
	}
	say(board, "\r\n");
	reboot(board);
	say(board, RAW_BANNER);
}

static void query_byte(struct fake_board *board, char c)
{
	if (board->query++ == 0)
		return; /* the letter */
	board->mode = FAKE_RAW;
	if (board->paste == FAKE_PASTE_OLD) {
		say(board, RAW_BANNER);
	} else if (board->paste == FAKE_PASTE_REFUSED || c != '\x01') {
		fake_board_say(board, "R\x00>", 3);
	} else {
		fake_board_say(board, "R\x01\x80\x00\x01", 5);
		board->mode = FAKE_PASTING;
		board->line_len = board->since_window = 0;
	}
}

static void paste_byte(struct fake_board *board, char c)
{
	if (c == '\x04') {
		fake_board_say(board, "\x04", 1);
		run_code(board);
		return;
	}
	REQUIRE(board->line_len < sizeof(board->line) - 1);
	board->line[board->line_len++] = c;
	if (board->line_len == board->give_up_after) {
		fake_board_say(board, "\x04", 1);
		board->mode = FAKE_DRAINING;
	} else if (++board->since_window == WINDOW) {
		board->since_window = 0;
		fake_board_say(board, "\x01", 1);
	}
}

static void plain_byte(struct fake_board *board, char c)
{
	switch (c) {
	case '\x01': enter_raw(board); break;
	case '\x02': leave_raw(board); break;
	case '\x04': end_of_line(board); break;
	case '\x05':
		board->mode = FAKE_QUERY;
		board->query = 0;
		break;
	case '\r':
		if (!board->raw) {
			say(board, "\r\n");
			prompt(board);
		} else if (board->line_len > 0) {
			board->line[board->line_len++] = c;
		}
		break;
	default:
		REQUIRE(board->line_len < sizeof(board->line) - 1);
		board->line[board->line_len++] = c;
		if (!board->raw)
			fake_board_say(board, &c, 1);
	}
}

static void take_byte(struct fake_board *board, char c)
{
	if (c == '\x03') {
		interrupt(board);
		return;
	}
	switch (board->mode) {
	case FAKE_QUERY: query_byte(board, c); break;
	case FAKE_PASTING: paste_byte(board, c); break;
	case FAKE_DRAINING:
		if (c == '\x04') {
			fake_board_say(board, "\x04", 1);
			say(board, raise_error("MemoryError: memory allocation failed"));
			fake_board_say(board, "\x04", 1);
			prompt(board);
		}
		break;
	case FAKE_RUNNING: break;
	default: plain_byte(board, c); break;
	}
}

static void ready(struct loop_watch *watch, uint32_t events)
{
	struct fake_board *board = BOARD_OF(watch, watch);
	char bytes[512];

	flush(board);
	if ((events & EPOLLIN) == 0)
		return;
	ssize_t n = read(board->fd, bytes, sizeof(bytes));
	if (n <= 0)
		return;
	if (board->seen_len + (size_t)n < sizeof(board->seen)) {
		memcpy(board->seen + board->seen_len, bytes, (size_t)n);
		board->seen_len += (size_t)n;
	}
	if (board->echoes) {
		fake_board_say(board, bytes, (size_t)n);
		return;
	}
	for (ssize_t i = 0; i < n && !board->silent; i++)
		take_byte(board, bytes[i]);
	if (board->unplug_after != 0 && board->seen_len >= board->unplug_after)
		fake_board_unplug(board);
}

/* ---- life ---- */

static struct fake_board *new_board(struct loop *loop)
{
	struct fake_board *board = calloc(1, sizeof(*board));

	REQUIRE(board != NULL);
	board->loop = loop;
	board->fd = board->slave_fd = board->listener = -1;
	board->watch.ready = ready;
	board->room = SIZE_MAX / 2;
	return board;
}

static void plug_in(struct fake_board *board, int fd)
{
	board->fd = fd;
	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
	REQUIRE(loop_add(board->loop, fd, EPOLLIN, &board->watch) == 0);
}

struct fake_board *fake_board_new(struct loop *loop)
{
	struct fake_board *board = new_board(loop);
	struct termios tio;
	int fd;

	/* The slave is held open, or the master would see a hang-up between two of its users. */
	REQUIRE(openpty(&fd, &board->slave_fd, board->path, NULL, NULL) == 0);
	REQUIRE(tcgetattr(board->slave_fd, &tio) == 0);
	cfmakeraw(&tio);
	REQUIRE(tcsetattr(board->slave_fd, TCSANOW, &tio) == 0);
	plug_in(board, fd);
	return board;
}

static void accept_ready(struct loop_watch *watch, uint32_t events)
{
	struct fake_board *board = BOARD_OF(watch, accept_watch);
	int fd = accept(board->listener, NULL, NULL);

	(void)events;
	REQUIRE(fd >= 0);
	plug_in(board, fd);
}

struct fake_board *fake_board_new_tcp(struct loop *loop)
{
	struct fake_board *board = new_board(loop);
	struct sockaddr_in at = { .sin_family = AF_INET,
				  .sin_addr.s_addr = htonl(0x7f2e0001) }; /* 127.46.0.1 */
	socklen_t len = sizeof(at);

	board->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	REQUIRE(bind(board->listener, (struct sockaddr *)&at, sizeof(at)) == 0);
	REQUIRE(listen(board->listener, 4) == 0);
	REQUIRE(getsockname(board->listener, (struct sockaddr *)&at, &len) == 0);
	snprintf(board->path, sizeof(board->path), "tcp://127.46.0.1:%u", ntohs(at.sin_port));
	board->accept_watch.ready = accept_ready;
	REQUIRE(loop_add(loop, board->listener, EPOLLIN, &board->accept_watch) == 0);
	return board;
}

void fake_board_unplug(struct fake_board *board)
{
	if (board->fd >= 0) {
		loop_remove(board->loop, board->fd);
		close(board->fd);
	}
	if (board->slave_fd >= 0)
		close(board->slave_fd);
	board->fd = board->slave_fd = -1;
}

void fake_board_free(struct fake_board *board)
{
	fake_board_unplug(board);
	if (board->listener >= 0) {
		loop_remove(board->loop, board->listener);
		close(board->listener);
	}
	for (size_t i = 0; i < FAKE_FILES; i++)
		free(board->files[i].bytes);
	free(board->out);
	free(board);
}
