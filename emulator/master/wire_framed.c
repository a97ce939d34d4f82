#include "emulator/master/wire_framed.h"

#include "emulator/base/framed_zip.h"
#include "emulator/base/local_time.h"
#include "emulator/master/parts.h"
#include "proto/framed/offer.h"
#include "proto/framed/range.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/*
 * `framed` (PROTOCOL.md "framed"): a server for whoever connects, which answers each message as the
 * real one does, and knows besides which of its clients are targets. A command goes to its target
 * alone, in the shape of a broadcast.
 */

#define OPTION(member) offsetof(struct master_framed, member)
static const char *const compressions[] = { "none", "zlib", NULL };
static const struct setting settings[] = {
	{ .name = "message_limit",
	  .kind = SETTING_INT,
	  .offset = OPTION(message_limit),
	  .def = "1048576",
	  .min = 256,
	  .max = (4 << 20) - 64,
	  .help = "bytes of the longest frame that it takes" },
	{ .name = "auth",
	  .kind = SETTING_STRING,
	  .offset = OPTION(auth),
	  .def = "",
	  .max = QN_FRAMED_TOKEN_MAX,
	  .help = "token without which nobody is served; empty: none is wanted" },
	{ .name = "compression",
	  .kind = SETTING_WORD,
	  .offset = OPTION(compression),
	  .def = "none",
	  .words = compressions,
	  .help = "zlib: packs long answers where a client asks for it" },
	{ .name = "compress_from",
	  .kind = SETTING_INT,
	  .offset = OPTION(compress_from),
	  .def = "1024",
	  .min = 64,
	  .max = 1 << 20,
	  .help = "bytes of the shortest text that is packed" },
	{ .name = NULL },
};
const struct setting_table master_framed_table = { .title = "a master's port on the wire framed",
						   .size = sizeof(struct master_framed),
						   .settings = settings,
						   .origin_offset = SIZE_MAX };
_Static_assert(sizeof(struct master_framed) <= MASTER_WIRE_OPTIONS_BYTES, "a config has room");

/* One connected client, in its connection. */
struct client {
	struct net_conn *next, *prev;
	char id[24]; /* "ip:port" */
	uint8_t id_len;
	bool entered; /* it is served: a client among the others */
	bool packs;   /* it agreed on zlib */
};
_Static_assert(sizeof(struct client) <= TALK_WIRE_BYTES, "in place");

struct server {
	struct qn_framed_server known;
	struct net_conn *clients;
	uint32_t limit;
	struct qn_text token;   /* empty: none is wanted */
	struct framed_zip *zip; /* NULL: nothing is packed */
	/* Answers to what one read brought leave together: `answers_len` bytes wait. */
	size_t cap, answers_len;
	char *answers, *for_others, *packed;
};
#define FLUSH_AT 32768
/* Who has not said his token by then, or within a first message of so many bytes, is no client. */
#define TOKEN_LIMIT_NS INT64_C(30000000000)
#define TOKEN_LIMIT_BYTES 4096u

static struct server *server_of(struct net_conn *conn)
{
	return talk_of(conn)->listener->state;
}

static struct client *client_of(struct net_conn *conn)
{
	return talk_wire(conn);
}

static struct qn_text id_of(struct net_conn *conn)
{
	const struct client *client = client_of(conn);

	return (struct qn_text){ client->id, client->id_len };
}

/* The server as it is at this moment. */
static const struct qn_framed_server *now(struct net_conn *conn)
{
	struct server *server = server_of(conn);
	const struct loop *loop = conn->net->loop;

	struct qn_framed_clock clock = { loop->wall_ns, local_utc_offset_s(loop) };
	qn_framed_server_time(&server->known, &clock);
	return &server->known;
}

/* ---- its life ---- */

static int open_server(struct master_listener *listener)
{
	const struct master_framed *options = listener->options.wire_options;
	size_t cap = (size_t)options->message_limit * QN_FRAMED_GROWTH + 4096;
	struct server *server = calloc(1, sizeof(*server) + 3 * cap);
	int rc = 0;

	if (server == NULL)
		return -ENOMEM;
	server->answers = (char *)(server + 1);
	server->for_others = server->answers + cap;
	server->packed = server->for_others + cap;
	server->limit = (uint32_t)options->message_limit;
	server->token = (struct qn_text){ options->auth, strlen(options->auth) };
	server->cap = cap;
	server->known.started_ns = listener->master->loop->wall_ns;
	if (options->compression != 0)
		rc = framed_zip_new((uint32_t)cap, (uint32_t)options->compress_from, &server->zip);
	if (rc < 0) {
		free(server);
		return rc;
	}
	listener->state = server;
	return 0;
}

static void close_server(struct master_listener *listener)
{
	struct server *server = listener->state;

	framed_zip_free(server->zip);
	free(server);
	listener->state = NULL;
}

static void enter(struct net_conn *conn)
{
	struct server *server = server_of(conn);
	struct client *client = client_of(conn);

	client->entered = true;
	client->next = server->clients;
	if (server->clients != NULL)
		client_of(server->clients)->prev = conn;
	server->clients = conn;
	server->known.clients++;
}

static void begin(struct net_conn *conn)
{
	struct server *server = server_of(conn);
	struct client *client = client_of(conn);

	conn->rest_max = server->limit + QN_FRAMED_HEAD + 1;
	client->id_len = (uint8_t)strlen(net_addr_text(conn->peer, client->id, sizeof(client->id)));
	if (server->token.len == 0)
		enter(conn);
	else
		loop_timer(conn->net->loop, &conn->timer, TOKEN_LIMIT_NS);
	size_t len = qn_framed_welcome(now(conn), id_of(conn), server->for_others, server->cap);
	net_send(conn, server->for_others, len);
}

static void gone(struct net_conn *conn)
{
	struct server *server = server_of(conn);
	struct client *client = client_of(conn);

	if (!client->entered)
		return;
	if (client->prev != NULL)
		client_of(client->prev)->next = client->next;
	else
		server->clients = client->next;
	if (client->next != NULL)
		client_of(client->next)->prev = client->prev;
	server->known.clients--;
}

/* ---- targets among its clients ---- */

static size_t plain(struct qn_text quoted_inside, char *out, size_t cap)
{
	return qn_json_unescape(quoted_inside, QN_JSON_CPYTHON, out, cap);
}

static void register_target(struct net_conn *conn, const struct qn_framed_message *message)
{
	char id[sizeof(((struct remote *)0)->id)];
	const char *why;
	size_t len = plain(qn_framed_string(message, "target"), id, sizeof(id));
	struct remote *remote = master_enter(conn, id, len, &why);

	if (remote == NULL)
		master_reject(conn, why, strlen(why));
	else
		master_link(conn, remote);
}

static void take_report(struct net_conn *conn, struct qn_text name, bool error)
{
	static const struct master_flaw flaw = { "an error", true };
	enum range_word word = range_word_of(name.at, name.len);

	if (!talk_of(conn)->linked)
		return;
	struct command *command = master_command_of_word(conn, word);
	if (command != NULL)
		master_answered(conn, command, error ? &flaw : NULL);
}

static void take_hit(struct net_conn *conn, const struct qn_framed_message *message)
{
	char id[sizeof(((struct remote *)0)->id)];
	int64_t value = 0;
	size_t len = plain(qn_framed_string(message, "target"), id, sizeof(id));

	qn_json_int64(qn_framed_member(message, "hit_value"), &value);
	if (len <= sizeof(id))
		master_hit(conn, id, len, value);
}

static void take_own(struct net_conn *conn, const struct qn_framed_message *message)
{
	struct qn_text command, target;
	bool error;

	if (qn_framed_read_report(message, &command, &target, &error))
		take_report(conn, command, error);
	else if (qn_framed_type_is(message, QN_FRAMED_REGISTER))
		register_target(conn, message);
	else if (qn_framed_type_is(message, QN_FRAMED_HIT))
		take_hit(conn, message);
}

/* ---- messages ---- */

/* To the others, packed once for all of those who agreed on that. */
static void pass_on(struct net_conn *from, const struct qn_framed_message *message)
{
	struct server *server = server_of(from);
	size_t len = qn_framed_pass_on(now(from), message, id_of(from), server->for_others,
				       server->cap);
	size_t packed_len = 0;

	for (struct net_conn *to = server->clients; to != NULL; to = client_of(to)->next) {
		const char *unit = server->for_others;
		size_t unit_len = len;
		if (to == from)
			continue;
		if (client_of(to)->packs) {
			if (packed_len == 0) {
				memcpy(server->packed, unit, len);
				packed_len = framed_zip_pack(server->zip, server->packed, len);
			}
			unit = server->packed;
			unit_len = packed_len;
		}
		if (net_send(to, unit, unit_len) == 0)
			server->known.delivered++;
	}
}

static void flush(struct net_conn *conn)
{
	struct server *server = server_of(conn);
	size_t len = server->answers_len;

	server->answers_len = 0;
	if (len > 0)
		net_send(conn, server->answers, len);
}

static void answer(struct net_conn *conn, const struct qn_framed_message *message)
{
	struct server *server = server_of(conn);
	size_t room = server->cap - server->answers_len;

	if (server->answers_len > FLUSH_AT || message->text.len * QN_FRAMED_GROWTH + 512 > room)
		flush(conn);
	char *unit = server->answers + server->answers_len;
	size_t len = qn_framed_answer(&server->known, message, id_of(conn), unit,
				      server->cap - server->answers_len);
	if (client_of(conn)->packs)
		len = framed_zip_pack(server->zip, unit, len);
	server->answers_len += len;
}

static void refuse(struct net_conn *conn, const char *why)
{
	flush(conn);
	master_reject(conn, why, strlen(why));
	talk_close(conn);
}

/* ---- what is asked for first ---- */

static void check_token(struct net_conn *conn, const struct qn_framed_message *message)
{
	struct server *server = server_of(conn);
	struct client *client = client_of(conn);
	const char *why = NULL;
	char unit[512];

	if (!qn_framed_type_is(message, QN_FRAMED_AUTHENTICATE))
		why = "a message before its token";
	else if (!qn_framed_token_is(message, server->token))
		why = "a wrong token";
	flush(conn);
	size_t len = qn_framed_auth_response(now(conn), why, unit, sizeof(unit));
	net_send(conn, unit, len);
	if (why != NULL) {
		refuse(conn, why);
		return;
	}
	if (!client->entered) {
		timer_cancel(&conn->net->loop->timers, &conn->timer);
		enter(conn);
	}
}

static void negotiate(struct net_conn *conn, const struct qn_framed_message *message)
{
	struct client *client = client_of(conn);
	char unit[256];

	client->packs = qn_framed_offers_zlib(message);
	flush(conn);
	size_t len = qn_framed_negotiated(now(conn), client->packs, unit, sizeof(unit));
	net_send(conn, unit, len);
}

/* A server that wants no token, or packs nothing, knows no such requests: like the real one. */
static bool take_offer(struct net_conn *conn, const struct qn_framed_message *message)
{
	const struct server *server = server_of(conn);

	if (server->token.len > 0 &&
	    (!client_of(conn)->entered || qn_framed_type_is(message, QN_FRAMED_AUTHENTICATE))) {
		check_token(conn, message);
		return true;
	}
	if (server->zip == NULL || !qn_framed_type_is(message, QN_FRAMED_NEGOTIATE))
		return false;
	negotiate(conn, message);
	return true;
}

/* ---- reading ---- */

static void take(struct net_conn *conn, const struct qn_framed_message *message)
{
	if ((message->type == QN_FRAMED_OTHER || !client_of(conn)->entered) &&
	    take_offer(conn, message))
		return;
	/* Others get theirs before the sender is told, as at the real server. */
	if (message->type == QN_FRAMED_BROADCAST)
		pass_on(conn, message);
	answer(conn, message);
	if (message->type != QN_FRAMED_OTHER)
		return;
	/* A target is told that it is registered before the first command comes. */
	flush(conn);
	take_own(conn, message);
}

static enum qn_code next(struct net_conn *conn, const char *bytes, size_t len, struct qn_text *text,
			 size_t *taken)
{
	const struct server *server = server_of(conn);
	const struct client *client = client_of(conn);
	uint32_t limit = server->limit;

	if (!client->entered && limit > TOKEN_LIMIT_BYTES)
		limit = TOKEN_LIMIT_BYTES;
	return framed_zip_next(client->packs ? server->zip : NULL, bytes, len, limit, text, taken);
}

static size_t received(struct net_conn *conn, const char *bytes, size_t len, size_t fresh)
{
	struct qn_framed_message message;
	struct qn_fault fault;
	struct qn_text text;
	size_t done = 0, taken;

	(void)fresh;
	master_alive(conn);
	now(conn); /* for all of these */
	while (!talk_of(conn)->gone) {
		enum qn_code code = next(conn, bytes + done, len - done, &text, &taken);
		if (code == QN_MORE)
			break;
		if (code != QN_OK) {
			refuse(conn, framed_zip_why(code));
			return done;
		}
		done += taken;
		if (qn_framed_read(text, &message, &fault) == QN_OK)
			take(conn, &message);
		else
			refuse(conn, fault.text);
	}
	flush(conn);
	return done;
}

static size_t ask(struct net_conn *conn, const struct master_request *request, char *unit,
		  size_t cap)
{
	const struct qn_text none = { NULL, 0 };
	char self[24];
	const char *from = net_addr_text(talk_of(conn)->listener->address, self, sizeof(self));

	return qn_framed_command(now(conn), (struct qn_text){ from, strlen(from) },
				 range_word_name(request->word), request->target_id,
				 request->word == RANGE_ACTIVATE ? request->duration : none, unit,
				 cap);
}

static struct qn_text describe(const char *unit, size_t len, char *space, size_t cap)
{
	(void)space;
	(void)cap;
	return (struct qn_text){ unit + QN_FRAMED_HEAD, len - QN_FRAMED_HEAD };
}

const struct master_wire master_wire_framed = {
	.id = WIRE_FRAMED,
	.dialled = true,
	.guests = true,
	.open = open_server,
	.close = close_server,
	.accepted = { .received = received, .closed = talk_closed },
	.begin = begin,
	.gone = gone,
	.ask = ask,
	.describe = describe,
};
