#include "emulator/sniff/recording.h"

#include "proto/json/json.h"
#include "proto/line/line.h"

#include <stdlib.h>
#include <string.h>

/* A line's members as they stand; empty: absent. */
struct line {
	bool meta;
	struct qn_text t_ms, conn, wall_ns;
	struct qn_text route, dir, utf8, hex, ev, client, via, to, text;
};

/* The texts of one line, unescaped. */
struct reader {
	char *space;
	size_t cap, used;
	const char *why;
};

static bool take_line(struct qn_text text, struct line *line, struct qn_fault *fault)
{
	const struct {
		const char *name;
		struct qn_text *to;
		enum qn_json_token is;
	} members[] = {
		{ "t_ms", &line->t_ms, QN_JSON_NUMBER },
		{ "conn", &line->conn, QN_JSON_NUMBER },
		{ "route", &line->route, QN_JSON_STRING },
		{ "dir", &line->dir, QN_JSON_STRING },
		{ "ev", &line->ev, QN_JSON_STRING },
		{ "text", &line->text, QN_JSON_STRING },
		{ "bytes_utf8", &line->utf8, QN_JSON_STRING },
		{ "bytes_hex", &line->hex, QN_JSON_STRING },
		{ "was_utf8", &line->utf8, QN_JSON_STRING },
		{ "was_hex", &line->hex, QN_JSON_STRING },
		{ "client", &line->client, QN_JSON_STRING },
		{ "via", &line->via, QN_JSON_STRING },
		{ "to", &line->to, QN_JSON_STRING },
		{ "wall_ns", &line->wall_ns, QN_JSON_NUMBER },
	};
	struct qn_json_reader json;
	enum qn_json_token token;

	qn_json_open(&json, text.at, text.len, QN_JSON_STRICT, 0);
	if (qn_json_next(&json) != QN_JSON_OBJECT)
		goto wrong;
	while ((token = qn_json_next(&json)) == QN_JSON_KEY) {
		struct qn_text name = json.text, raw;
		enum qn_json_token is = qn_json_value(&json, &raw);
		if (is == QN_JSON_ERROR)
			goto wrong;
		if (name.len == 4 && memcmp(name.at, "meta", 4) == 0)
			line->meta = true;
		for (size_t i = 0; i < sizeof(members) / sizeof(*members); i++)
			if (strlen(members[i].name) == name.len &&
			    memcmp(members[i].name, name.at, name.len) == 0 && is == members[i].is)
				*members[i].to = raw;
	}
	if (token == QN_JSON_OBJECT_END && qn_json_next(&json) == QN_JSON_END)
		return true;
wrong:
	*fault = json.fault;
	if (fault->text == NULL)
		fault->text = "no JSON object";
	return false;
}

/* A quoted text without its escapes, terminated. */
static struct qn_text plain(struct reader *reader, struct qn_text raw)
{
	if (raw.at == NULL || raw.len < 2)
		return (struct qn_text){ "", 0 };
	struct qn_text inside = { raw.at + 1, raw.len - 2 };
	char *at = reader->space + reader->used;
	/* The result is never longer than the line, for which there is room. */
	size_t len = qn_json_unescape(inside, QN_JSON_STRICT, at, reader->cap - reader->used - 1);
	at[len] = '\0';
	reader->used += len + 1;
	return (struct qn_text){ at, len };
}

static int digit(char c)
{
	return c >= '0' && c <= '9'   ? c - '0'
	       : c >= 'a' && c <= 'f' ? c - 'a' + 10
	       : c >= 'A' && c <= 'F' ? c - 'A' + 10
				      : -1;
}

static bool unhex(struct reader *reader, struct qn_text raw, struct qn_text *ret)
{
	struct qn_text text = plain(reader, raw);
	char *at = reader->space + (text.at - reader->space);

	for (size_t i = 0; i + 1 < text.len; i += 2) {
		int high = digit(text.at[i]), low = digit(text.at[i + 1]);
		if (high < 0 || low < 0)
			return false;
		at[i / 2] = (char)(high << 4 | low);
	}
	*ret = (struct qn_text){ at, text.len / 2 };
	return text.len % 2 == 0;
}

/* "127.0.0.1:8081", or without a port. */
static bool address(struct reader *reader, struct qn_text raw, struct net_addr *ret)
{
	struct qn_text text = plain(reader, raw);
	const char *colon = memchr(text.at, ':', text.len);
	size_t len = colon != NULL ? (size_t)(colon - text.at) : text.len;

	*ret = (struct net_addr){ 0, 0 };
	if (text.len == 0)
		return true;
	if (!net_ip_parse(text.at, len, &ret->ip))
		return false;
	unsigned long port = colon != NULL ? strtoul(colon + 1, NULL, 10) : 0;
	ret->port = (uint16_t)port;
	return port <= 65535;
}

static bool kind_of(struct reader *reader, const struct line *line, struct happened *happened)
{
	static const char *const names[] = {
		[HAPPENED_OPEN] = "open",   [HAPPENED_BYTES] = "",
		[HAPPENED_EOF] = "eof",     [HAPPENED_RESET] = "reset",
		[HAPPENED_CLOSE] = "close", [HAPPENED_REFUSED] = "refused",
		[HAPPENED_LOST] = "lost",   [HAPPENED_FAULT] = "fault",
	};
	const char *ev = plain(reader, line->ev).at;

	for (unsigned i = 0; i < sizeof(names) / sizeof(*names); i++) {
		if (strcmp(ev, names[i]) == 0) {
			happened->kind = (enum happened_kind)i;
			return true;
		}
	}
	return false;
}

/*
 * Who sent. The target is the client where it registers and the server where it is called; an
 * agent and a host connect as any client does.
 */
static bool way_of(struct reader *reader, const struct line *line, bool reg,
		   struct happened *happened)
{
	static const char *const ways[][2] = { { "c>s", "s>c" },
					       { "a>m", "m>a" },
					       { "h>d", "d>h" } };
	const char *dir = plain(reader, line->dir).at;

	happened->way = TO_SERVER;
	if (dir[0] == '\0' || strcmp(dir, reg ? "t>m" : "m>t") == 0)
		return true;
	for (size_t i = 0; i < sizeof(ways) / sizeof(*ways); i++)
		if (strcmp(dir, ways[i][0]) == 0)
			return true;
	happened->way = TO_CLIENT;
	if (strcmp(dir, reg ? "m>t" : "t>m") == 0)
		return true;
	for (size_t i = 0; i < sizeof(ways) / sizeof(*ways); i++)
		if (strcmp(dir, ways[i][1]) == 0)
			return true;
	return false;
}

static bool tell(struct reader *reader, const struct line *line, happened_fn *fn, void *owner)
{
	struct happened happened = { .kind = HAPPENED_BYTES };
	int64_t conn;
	double t_ms;

	reader->why = "t_ms or conn is missing, or no number";
	if (line->t_ms.at == NULL || line->conn.at == NULL || !qn_json_double(line->t_ms, &t_ms) ||
	    !qn_json_int64(line->conn, &conn) || conn < 1 || conn > UINT32_MAX || t_ms < 0 ||
	    t_ms > 1e12)
		return false;
	happened.t_ns = (int64_t)(t_ms * 1e6 + 0.5);
	happened.conn = (uint32_t)conn;
	happened.route = plain(reader, line->route).at;
	bool reg = strcmp(happened.route, "reg") == 0;
	happened.targets = strncmp(happened.route, "cmd", 3) == 0;
	if (!kind_of(reader, line, &happened))
		return true; /* an event of others, such as "tls": nothing that is needed here */
	reader->why = "dir is none of c>s, s>c, t>m, m>t, a>m, m>a, h>d, d>h";
	if (!way_of(reader, line, reg, &happened))
		return false;
	reader->why = "no address";
	if (!address(reader, line->client, &happened.client) ||
	    !address(reader, line->via, &happened.via) || !address(reader, line->to, &happened.to))
		return false;
	happened.text = plain(reader, line->text).at;
	reader->why = "bytes_hex has something else than pairs of hexadecimal digits";
	if (line->hex.at != NULL && !unhex(reader, line->hex, &happened.bytes))
		return false;
	if (line->utf8.at != NULL)
		happened.bytes = plain(reader, line->utf8);
	reader->why = "neither ev nor bytes";
	if (happened.kind == HAPPENED_BYTES && line->utf8.at == NULL && line->hex.at == NULL)
		return false;
	fn(owner, &happened);
	return true;
}

bool recording_read(const char *text, size_t len, happened_fn *happened, void *owner,
		    int64_t *ret_wall_ns, struct recording_fault *fault)
{
	struct reader reader = { .cap = 0 };
	size_t number = 0, done = 0, taken;
	struct qn_fault json_fault;
	bool ok = true;

	*ret_wall_ns = 0;
	while (ok && done < len) {
		struct line line = { .meta = false };
		struct qn_text row;
		number++;
		if (qn_line_next(text + done, len - done, 0, SIZE_MAX, &row, &taken) != QN_OK) {
			row = (struct qn_text){ text + done, len - done };
			taken = len - done;
		}
		done += taken;
		if (row.len == 0)
			continue;
		/* Each of its dozen texts is terminated. */
		if (row.len + 32 > reader.cap) {
			reader.cap = 2 * row.len + 4096;
			free(reader.space);
			reader.space = malloc(reader.cap);
		}
		reader.used = 0;
		reader.why = "out of memory";
		ok = reader.space != NULL;
		if (ok && !take_line(row, &line, &json_fault)) {
			reader.why = json_fault.text;
			ok = false;
		} else if (ok && line.meta) {
			if (line.wall_ns.at != NULL)
				qn_json_int64(line.wall_ns, ret_wall_ns);
		} else if (ok) {
			ok = tell(&reader, &line, happened, owner);
		}
	}
	if (!ok)
		*fault = (struct recording_fault){ number, reader.why };
	free(reader.space);
	return ok;
}
