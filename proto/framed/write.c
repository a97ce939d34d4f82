#include "proto/framed/again.h"
#include "proto/framed/message.h"

/* ---- frames ---- */

static void begin(struct qn_json_writer *writer, char *buffer, size_t cap)
{
	static const char room[QN_FRAMED_HEAD];

	qn_json_writer_init(writer, buffer, cap);
	qn_json_put(writer, room, sizeof(room));
}

static size_t finish(struct qn_json_writer *writer)
{
	size_t len = qn_json_written(writer);

	if (writer->full || len - QN_FRAMED_HEAD > UINT32_MAX)
		return 0;
	qn_framed_put_head(writer->start, (uint32_t)(len - QN_FRAMED_HEAD));
	return len;
}

static void put_text(struct qn_json_writer *writer, struct qn_text text)
{
	qn_json_put_string(writer, text.at, text.len, true);
}

static void put_stamp(struct qn_json_writer *writer, const struct qn_framed_clock *clock)
{
	char stamp[QN_FRAMED_STAMP_MAX];

	qn_json_put_literal(writer, "\"");
	qn_json_put(writer, stamp, qn_framed_stamp(clock, stamp));
	qn_json_put_literal(writer, "\"");
}

/* The server's own, which is the same for all answers of a moment. */
static void put_now(struct qn_json_writer *writer, const struct qn_framed_server *server)
{
	size_t len = server->stamp_len;

	if (!writer->full && writer->end - writer->at >= QN_FRAMED_STAMP_ROOM + 2) {
		char *at = writer->at;
		at[0] = '"';
		memcpy(at + 1, server->stamp, QN_FRAMED_STAMP_ROOM);
		at[1 + len] = '"';
		writer->at = at + len + 2;
		return;
	}
	qn_json_put_literal(writer, "\"");
	qn_json_put(writer, server->stamp, len);
	qn_json_put_literal(writer, "\"");
}

/* A value that was read, or what stands in its place. */
static void put_value(struct qn_json_writer *writer, struct qn_text value, bool simple,
		      const char *otherwise)
{
	if (simple)
		qn_framed_put_simple(writer, value);
	else if (value.len == 0)
		qn_json_put(writer, otherwise, strlen(otherwise));
	else
		qn_framed_put_again(writer, value);
}

/* ---- the server ---- */

void qn_framed_server_time(struct qn_framed_server *server, const struct qn_framed_clock *now)
{
	if (server->stamp_len > 0 && server->now.wall_ns == now->wall_ns &&
	    server->now.utc_offset_s == now->utc_offset_s)
		return;
	server->now = *now;
	server->stamp_len = (uint8_t)qn_framed_stamp(now, server->stamp);
}

size_t qn_framed_welcome(const struct qn_framed_server *server, struct qn_text client_id,
			 char *buffer, size_t cap)
{
	struct qn_json_writer writer;

	begin(&writer, buffer, cap);
	qn_json_put_literal(&writer, "{\"type\": \"welcome\", \"client_id\": ");
	put_text(&writer, client_id);
	qn_json_put_literal(&writer, ", \"message\": \"Welcome to TCP Server!\", \"timestamp\": ");
	put_now(&writer, server);
	qn_json_put_literal(&writer, "}");
	return finish(&writer);
}

static void put_pong(struct qn_json_writer *writer, const struct qn_framed_server *server,
		     const struct qn_framed_message *message, struct qn_text client_id)
{
	qn_json_put_literal(writer, "{\"type\": \"pong\", \"ping_timestamp\": ");
	put_value(writer, message->timestamp, message->timestamp_is_simple, "null");
	qn_json_put_literal(writer, ", \"pong_timestamp\": ");
	put_now(writer, server);
	qn_json_put_literal(writer, ", \"client_id\": ");
	put_text(writer, client_id);
	qn_json_put_literal(writer, "}");
}

static void put_echo_response(struct qn_json_writer *writer, const struct qn_framed_server *server,
			      const struct qn_framed_message *message)
{
	qn_json_put_literal(writer, "{\"type\": \"echo_response\", \"content\": ");
	put_value(writer, message->content, message->content_is_simple, "\"\"");
	qn_json_put_literal(writer, ", \"timestamp\": ");
	put_now(writer, server);
	qn_json_put_literal(writer, ", \"echoed_by\": \"TCP Server\"}");
}

static void put_sent(struct qn_json_writer *writer, const struct qn_framed_server *server)
{
	qn_json_put_literal(writer, "{\"type\": \"broadcast_sent\", \"recipients\": ");
	qn_json_put_uint(writer, server->clients - 1);
	qn_json_put_literal(writer, ", \"timestamp\": ");
	put_now(writer, server);
	qn_json_put_literal(writer, "}");
}

static void put_stats(struct qn_json_writer *writer, const struct qn_framed_server *server)
{
	struct qn_framed_clock start = { server->started_ns, server->now.utc_offset_s };
	int64_t up_s = (server->now.wall_ns - server->started_ns) / 1000000000;

	qn_json_put_literal(writer, "{\"type\": \"server_stats\", \"connected_clients\": ");
	qn_json_put_uint(writer, server->clients);
	qn_json_put_literal(writer, ", \"uptime_seconds\": ");
	qn_json_put_int(writer, up_s);
	qn_json_put_literal(writer, ", \"total_messages\": ");
	qn_json_put_uint(writer, server->delivered);
	qn_json_put_literal(writer, ", \"server_start_time\": ");
	put_stamp(writer, &start);
	qn_json_put_literal(writer, ", \"current_time\": ");
	put_now(writer, server);
	qn_json_put_literal(writer, "}");
}

/* What nobody defined: given back whole. */
static void put_back(struct qn_json_writer *writer, const struct qn_framed_server *server,
		     const struct qn_framed_message *message)
{
	if (message->type > QN_FRAMED_VALUE)
		qn_json_put_literal(writer, "{\"type\": \"response\", \"original_message\": ");
	else
		qn_json_put_literal(writer, "{\"type\": \"echo\", \"original_text\": ");
	if (message->type == QN_FRAMED_TEXT)
		put_text(writer, message->text);
	else
		qn_framed_put_again(writer, message->text);
	qn_json_put_literal(writer, ", \"timestamp\": ");
	put_now(writer, server);
	qn_json_put_literal(writer, ", \"from_server\": true}");
}

size_t qn_framed_answer(const struct qn_framed_server *server,
			const struct qn_framed_message *message, struct qn_text client_id,
			char *buffer, size_t cap)
{
	struct qn_json_writer writer;

	begin(&writer, buffer, cap);
	switch (message->type) {
	case QN_FRAMED_PING: put_pong(&writer, server, message, client_id); break;
	case QN_FRAMED_ECHO: put_echo_response(&writer, server, message); break;
	case QN_FRAMED_BROADCAST: put_sent(&writer, server); break;
	case QN_FRAMED_GET_STATS: put_stats(&writer, server); break;
	default: put_back(&writer, server, message); break;
	}
	return finish(&writer);
}

size_t qn_framed_pass_on(const struct qn_framed_server *server,
			 const struct qn_framed_message *message, struct qn_text client_id,
			 char *buffer, size_t cap)
{
	struct qn_json_writer writer;

	begin(&writer, buffer, cap);
	qn_json_put_literal(&writer, "{\"type\": \"broadcast\", \"from_client\": ");
	put_text(&writer, client_id);
	qn_json_put_literal(&writer, ", \"content\": ");
	put_value(&writer, message->content, message->content_is_simple, "\"\"");
	qn_json_put_literal(&writer, ", \"timestamp\": ");
	put_now(&writer, server);
	qn_json_put_literal(&writer, "}");
	return finish(&writer);
}

/* ---- clients ---- */

size_t qn_framed_ping(const struct qn_framed_clock *clock, struct qn_text client_info, char *buffer,
		      size_t cap)
{
	struct qn_json_writer writer;

	begin(&writer, buffer, cap);
	qn_json_put_literal(&writer, "{\"type\": \"ping\", \"timestamp\": ");
	put_stamp(&writer, clock);
	qn_json_put_literal(&writer, ", \"client_info\": ");
	put_text(&writer, client_info);
	qn_json_put_literal(&writer, "}");
	return finish(&writer);
}

size_t qn_framed_say(enum qn_framed_type type, const struct qn_framed_clock *clock,
		     struct qn_text content, char *buffer, size_t cap)
{
	struct qn_json_writer writer;
	const char *name = qn_framed_type_name(type);

	begin(&writer, buffer, cap);
	qn_json_put_literal(&writer, "{\"type\": ");
	qn_json_put_string(&writer, name, strlen(name), true);
	qn_json_put_literal(&writer, ", \"content\": ");
	put_text(&writer, content);
	qn_json_put_literal(&writer, ", \"timestamp\": ");
	put_stamp(&writer, clock);
	qn_json_put_literal(&writer, "}");
	return finish(&writer);
}

size_t qn_framed_custom(struct qn_text type, const struct qn_framed_clock *clock,
			struct qn_text more, char *buffer, size_t cap)
{
	struct qn_json_writer writer;

	begin(&writer, buffer, cap);
	qn_json_put_literal(&writer, "{\"type\": ");
	put_text(&writer, type);
	qn_json_put_literal(&writer, ", \"timestamp\": ");
	put_stamp(&writer, clock);
	if (more.len > 0) {
		qn_json_put_literal(&writer, ", ");
		qn_json_put(&writer, more.at, more.len);
	}
	qn_json_put_literal(&writer, "}");
	return finish(&writer);
}

size_t qn_framed_get_stats(const struct qn_framed_clock *clock, char *buffer, size_t cap)
{
	return qn_framed_custom((struct qn_text){ "get_stats", 9 }, clock,
				(struct qn_text){ NULL, 0 }, buffer, cap);
}

size_t qn_framed_plain(struct qn_text text, char *buffer, size_t cap)
{
	struct qn_json_writer writer;

	begin(&writer, buffer, cap);
	qn_json_put(&writer, text.at, text.len);
	return finish(&writer);
}
