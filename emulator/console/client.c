#include "emulator/base/local_time.h"
#include "emulator/base/units.h"
#include "emulator/console/parts.h"

#include <errno.h>
#include <string.h>

/* The connection: dialled, read, dialled again after 1, 2, 4, 8, 8 s when it is lost. */

#define TRIES 5
#define OF(pointer, type, member) ((type *)((char *)(pointer)-offsetof(type, member)))

static struct console *console_of(struct net_conn *conn)
{
	struct console *console;

	memcpy(&console, conn->session, sizeof(console));
	return console;
}

struct qn_framed_clock client_clock(const struct console *console)
{
	return (struct qn_framed_clock){ console->loop.wall_ns,
					 local_utc_offset_s(&console->loop) };
}

static void lost(struct console *console, const char *why)
{
	int64_t pause_ns = NS_PER_S << (console->tries < 3 ? console->tries : 3);

	console->conn = NULL;
	console->connected = false;
	if (console->leaving)
		return;
	/* A script, and a work that was half done, are better told than kept waiting. */
	if (!console->screen && console->ever) {
		screen_print(console, SCREEN_RED, "connection lost: %s", why);
		console_leave(console, 3);
		return;
	}
	if (++console->tries > TRIES || !console->screen) {
		screen_print(console, SCREEN_RED, "no connection to %s: %s", console->url, why);
		console_leave(console, 3);
		return;
	}
	screen_print(console, SCREEN_RED, "%s: %s; trying again in %lld s (%u of %d)",
		     console->ever ? "connection lost" : "no connection", why,
		     (long long)(pause_ns / NS_PER_S), console->tries, TRIES);
	loop_timer(&console->loop, &console->redial, pause_ns);
}

static void show(struct console *console, const struct qn_framed_message *message)
{
	char line[8192];
	const char *colour = message->type == QN_FRAMED_BROADCAST ? SCREEN_CYAN : SCREEN_GREEN;

	screen_print(console, colour, "< %s", screen_safe(message->text, line, sizeof(line)));
}

static void take(struct console *console, const struct qn_framed_message *message)
{
	if (message->type == QN_FRAMED_WELCOME) {
		work_connected(console);
		if (console->work != NULL)
			return;
	} else if (message->type != QN_FRAMED_BROADCAST) {
		console->answered++;
	}
	if (!work_heard(console, message))
		show(console, message);
	/* A script's last answer has come. */
	if (console->input_ended && console->work == NULL && console->answered >= console->sent)
		console_leave(console, 0);
}

static size_t received(struct net_conn *conn, const char *bytes, size_t len, size_t fresh)
{
	struct console *console = console_of(conn);
	struct qn_framed_message message;
	struct qn_text text;
	size_t done = 0, taken;

	(void)fresh;
	while (console->conn == conn) {
		enum qn_code code = qn_framed_next(bytes + done, len - done, console->limit, &text,
						   &taken);
		if (code == QN_MORE)
			break;
		if (code != QN_OK) {
			net_reset(conn);
			lost(console, "a message that is longer than any may be");
			break;
		}
		done += taken;
		if (qn_framed_read(text, &message, NULL) == QN_OK)
			take(console, &message);
		else
			screen_print(console, SCREEN_RED,
				     "a message that is no UTF-8, or too deep");
	}
	return done;
}

static void opened(struct net_conn *conn)
{
	struct console *console = console_of(conn);

	console->connected = console->ever = true;
	console->tries = 0;
	screen_print(console, SCREEN_DIM, "connected to %s", console->url);
	if (console->types && screen_open(console) < 0) {
		screen_print(console, SCREEN_RED, "standard input cannot be read");
		console_leave(console, 3);
	}
}

static void closed(struct net_conn *conn, int error)
{
	lost(console_of(conn), error != 0 ? strerror(-error) : "the server closed it");
}

static const struct net_handler handler = { .opened = opened,
					    .received = received,
					    .closed = closed };

static void dial_again(struct timer *timer, int64_t now_ns)
{
	(void)now_ns;
	client_dial(OF(timer, struct console, redial));
}

void client_dial(struct console *console)
{
	struct net_addr any = { 0, 0 };
	int rc = net_connect(console->net, any, console->at, &handler, &console->conn);

	console->redial.fire = dial_again;
	if (rc < 0) {
		lost(console, strerror(-rc));
		return;
	}
	memcpy(console->conn->session, &console, sizeof(console));
	console->conn->rest_max = console->limit + QN_FRAMED_HEAD + 1;
}

bool client_send(struct console *console, size_t len)
{
	if (!console->connected) {
		screen_print(console, SCREEN_RED, "not connected; that was not sent");
		return false;
	}
	if (len == 0) {
		screen_print(console, SCREEN_RED, "that is too long to be sent");
		return false;
	}
	console->sent++;
	net_send(console->conn, console->unit, len);
	return true;
}

void client_close(struct console *console)
{
	timer_cancel(&console->loop.timers, &console->redial);
	if (console->conn != NULL)
		net_close(console->conn);
	console->conn = NULL;
	console->connected = false;
}
