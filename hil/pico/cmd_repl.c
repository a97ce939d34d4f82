#include "hil/pico/commands.h"
#include "hil/pico/session.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <unistd.h>

#include "emulator/base/units.h"

#define LEAVE_KEY '\x1d' /* Ctrl-] */
/* After the end of piped input: how long the board may be quiet before we go. */
#define QUIET_NS (500 * NS_PER_MS)
#define FOUND_WITHIN_NS (5 * NS_PER_S)

static const char help[] =
	"usage: quintain-hil repl PORT\n"
	"\n"
	"A terminal on a board: what is typed goes there, what it says comes here, as it is.\n"
	"Ctrl-] leaves; Ctrl-C, Ctrl-D and all other keys are the board's. Input that is no\n"
	"terminal is sent, each line's end as Enter, and the answer waited for until the board\n"
	"is quiet.\n"
	"\n"
	"PORT is /dev/..., tcp://HOST:PORT, a serial number, or usb:PATH (see quintain-hil list).\n"
	"\n"
	"  -h, --help  this text\n"
	"\n"
	"exit codes: 0 left, 2 usage, 3 no board, port held, unplugged\n";

struct terminal {
	struct session *session;
	struct serial_port *port;
	struct loop_watch keys, signals;
	struct timer quiet;
	int signal_fd, code;
	bool open, ended;
	bool after_return; /* the last byte of piped input was \r */
};

/* The terminal is put back however this ends; so it cannot be on the stack. */
static struct termios before;
static bool changed;

static void put_back(void)
{
	if (changed)
		tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
	changed = false;
}

static int make_raw(void)
{
	struct termios tio;

	if (!isatty(STDIN_FILENO))
		return 0;
	if (tcgetattr(STDIN_FILENO, &before) < 0)
		return -errno;
	tio = before;
	cfmakeraw(&tio);
	if (tcsetattr(STDIN_FILENO, TCSAFLUSH, &tio) < 0)
		return -errno;
	changed = true;
	atexit(put_back);
	return 0;
}

static void leave(struct terminal *terminal, int code)
{
	terminal->code = code;
	loop_stop(&terminal->session->loop);
}

/* The board's prompt knows \r as Enter and drops \n, where a pipe's lines end in \n or \r\n. */
static size_t enter_for_newline(struct terminal *terminal, char *bytes, size_t len)
{
	size_t kept = 0;

	for (size_t i = 0; i < len; i++) {
		bool second = bytes[i] == '\n' && terminal->after_return;
		terminal->after_return = bytes[i] == '\r';
		if (!second)
			bytes[kept++] = bytes[i] == '\n' ? '\r' : bytes[i];
	}
	return kept;
}

static void keys_ready(struct loop_watch *watch, uint32_t events)
{
	struct terminal *terminal =
		(struct terminal *)((char *)watch - offsetof(struct terminal, keys));
	char bytes[1024];
	ssize_t n = read(STDIN_FILENO, bytes, sizeof(bytes));

	(void)events;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		loop_remove(&terminal->session->loop, STDIN_FILENO);
		if (isatty(STDIN_FILENO)) /* hung up */
			leave(terminal, SESSION_OK);
		terminal->ended = true;
		loop_timer(&terminal->session->loop, &terminal->quiet, QUIET_NS);
		return;
	}
	if (!changed)
		n = (ssize_t)enter_for_newline(terminal, bytes, (size_t)n);
	const char *key = changed ? memchr(bytes, LEAVE_KEY, (size_t)n) : NULL;
	if (terminal->open &&
	    serial_write(terminal->port, bytes, key != NULL ? (size_t)(key - bytes) : (size_t)n) ==
		    -ENOBUFS)
		fputs("\r\nquintain-hil repl: the board takes nothing: dropped\r\n", stderr);
	if (key != NULL)
		leave(terminal, SESSION_OK);
}

static void signal_ready(struct loop_watch *watch, uint32_t events)
{
	struct terminal *terminal =
		(struct terminal *)((char *)watch - offsetof(struct terminal, signals));

	(void)events;
	leave(terminal, SESSION_ENVIRONMENT);
}

static void quiet_fired(struct timer *timer, int64_t now_ns)
{
	(void)now_ns;
	leave((struct terminal *)((char *)timer - offsetof(struct terminal, quiet)), SESSION_OK);
}

static void port_opened(void *owner)
{
	struct terminal *terminal = owner;

	terminal->open = true;
	int rc = loop_add(&terminal->session->loop, STDIN_FILENO, EPOLLIN, &terminal->keys);
	if (rc == -EPERM) /* epoll takes no regular files */
		session_usage("repl", "standard input is a file: see exec --file");
	if (rc < 0)
		leave(terminal, rc == -EPERM ? SESSION_USAGE : SESSION_ENVIRONMENT);
}

static void port_received(void *owner, const char *bytes, size_t len, struct serial_span span)
{
	struct terminal *terminal = owner;

	(void)span;
	while (len > 0) {
		ssize_t n = write(STDOUT_FILENO, bytes, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			leave(terminal, SESSION_ENVIRONMENT);
			return;
		}
		bytes += n;
		len -= (size_t)n;
	}
	if (terminal->ended)
		loop_timer(&terminal->session->loop, &terminal->quiet, QUIET_NS);
}

static void port_gone(void *owner, int error)
{
	struct terminal *terminal = owner;

	put_back();
	session_trouble("repl", "%s",
			error == -ENODEV ? "unplugged"
			: error == 0     ? "the other end has closed"
					 : strerror(-error));
	leave(terminal, SESSION_ENVIRONMENT);
}

static const struct serial_handler handler = { port_opened, port_received, port_gone };

static int watch_signals(struct terminal *terminal)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGINT); /* of somebody else: our own Ctrl-C is a key for the board */
	sigaddset(&set, SIGQUIT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	terminal->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	terminal->signals.ready = signal_ready;
	if (terminal->signal_fd < 0)
		return -errno;
	return loop_add(&terminal->session->loop, terminal->signal_fd, EPOLLIN, &terminal->signals);
}

/* A board that a path does not name is found by a job, which then lets go of the port. */
static int find_path(struct session *session, const char *spec, char *path, size_t cap)
{
	int code = SESSION_OK;

	if (serial_is_path(spec)) {
		snprintf(path, cap, "%s", spec);
		return code;
	}
	code = session_run(session,
			   board_open(session->board, FOUND_WITHIN_NS, session_done, session));
	if (code != SESSION_OK)
		return code;
	snprintf(path, cap, "%s", serial_port_path(board_port(session->board)));
	board_close(session->board);
	return SESSION_OK;
}

static int run(const char *spec)
{
	struct session session;
	struct terminal terminal = { .session = &session, .signal_fd = -1 };
	struct serial_trouble trouble;
	char path[256];
	int code = session_start(&session, "repl", spec, 0);

	if (code == SESSION_OK)
		code = find_path(&session, spec, path, sizeof(path));
	if (code != SESSION_OK)
		goto out;
	terminal.keys.ready = keys_ready;
	terminal.quiet.fire = quiet_fired;
	if (serial_open(&session.loop, path, NULL, &handler, &terminal, &terminal.port, &trouble) <
	    0) {
		code = session_trouble("repl", "%s", trouble.text);
		goto out;
	}
	int rc = watch_signals(&terminal);
	if (rc == 0)
		rc = make_raw();
	if (rc == 0 && changed)
		fprintf(stderr, "%s: Ctrl-] leaves\r\n", path);
	session.loop.stopping = false;
	if (rc == 0)
		rc = loop_run(&session.loop, TIMERS_NEVER);
	put_back();
	code = rc < 0 ? session_trouble("repl", "%s", strerror(-rc)) : terminal.code;
	timer_cancel(&session.loop.timers, &terminal.quiet);
	serial_close(terminal.port);
	if (terminal.signal_fd >= 0)
		close(terminal.signal_fd);
out:
	session_end(&session);
	return code;
}

int cmd_repl(int argc, char **argv)
{
	static const struct option options[] = { { "help", no_argument, NULL, 'h' },
						 { NULL, 0, NULL, 0 } };
	int c;

	while ((c = getopt_long(argc, argv, "h", options, NULL)) != -1) {
		if (c != 'h')
			return session_usage("repl", "unknown option");
		fputs(help, stdout);
		return SESSION_OK;
	}
	if (argc - optind != 1)
		return session_usage("repl", "expected PORT");
	return run(argv[optind]);
}
