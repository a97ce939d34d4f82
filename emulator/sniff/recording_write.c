#include "emulator/sniff/recording.h"

#include "proto/json/json.h"
#include "proto/utf8.h"

#include <inttypes.h>

/* A unit is at most one read; a byte may become six. */
static char text_space[6 * 65536 + 64];

static void put_string(struct out_file *out, const char *name, struct qn_text text)
{
	struct qn_json_writer w;

	qn_json_writer_init(&w, text_space, sizeof(text_space));
	qn_json_put_string(&w, text.at, text.len, false);
	out_printf(out, ", \"%s\": ", name);
	out_put(out, text_space, qn_json_written(&w));
}

static void put_hex(struct out_file *out, const char *name, struct qn_text bytes)
{
	static const char digits[] = "0123456789abcdef";

	out_printf(out, ", \"%s\": \"", name);
	for (size_t i = 0; i < bytes.len; i++) {
		unsigned char c = (unsigned char)bytes.at[i];
		char two[2] = { digits[c >> 4], digits[c & 15] };
		out_put(out, two, 2);
	}
	out_put(out, "\"", 1);
}

/* Text where it is text to the last byte; zero bytes are none, they would end it for C. */
static void put_bytes(struct out_file *out, struct qn_text bytes, const char *utf8, const char *hex)
{
	if (bytes.len == 0)
		put_string(out, utf8, (struct qn_text){ "", 0 });
	else if (bytes.len <= 65536 && memchr(bytes.at, 0, bytes.len) == NULL &&
		 qn_utf8_valid_len(bytes.at, bytes.len) == bytes.len)
		put_string(out, utf8, bytes);
	else
		put_hex(out, hex, bytes);
}

static void put_text(struct out_file *out, const char *name, const char *text)
{
	put_string(out, name, (struct qn_text){ text, strlen(text) });
}

void recording_begin(struct out_file *out, const char *meta, int64_t wall_ns)
{
	struct qn_json_writer w;

	qn_json_writer_init(&w, text_space, sizeof(text_space));
	qn_json_put_string(&w, meta, strlen(meta), false);
	out_put(out, "{\"meta\": ", 9);
	out_put(out, text_space, qn_json_written(&w));
	out_printf(out, ", \"wall_ns\": %" PRId64 "}\n", wall_ns);
}

static void put_open(struct out_file *out, const struct happened *happened)
{
	char buf[24];

	put_text(out, "ev", "open");
	put_text(out, "client", net_addr_text(happened->client, buf, sizeof(buf)));
	if (happened->via.ip != 0)
		put_text(out, "via", net_addr_text(happened->via, buf, sizeof(buf)));
	put_text(out, "to", net_addr_text(happened->to, buf, sizeof(buf)));
}

void recording_put(struct out_file *out, const struct happened *happened, const char *route,
		   bool targets)
{
	static const char *const dirs[2][2] = { { "c>s", "s>c" }, { "m>t", "t>m" } };
	/* A target that registers is the client, the master who commands it is one as well. */
	const char *dir = strcmp(route, "reg") == 0 ? (happened->way == TO_SERVER ? "t>m" : "m>t")
						    : dirs[targets][happened->way];

	out_printf(out, "{\"t_ms\": %" PRId64 ".%06d, \"conn\": %u", happened->t_ns / 1000000,
		   (int)(happened->t_ns % 1000000), happened->conn);
	put_text(out, "route", route);
	if (happened->kind == HAPPENED_BYTES || happened->kind == HAPPENED_EOF ||
	    happened->kind == HAPPENED_RESET || happened->kind == HAPPENED_FAULT ||
	    happened->kind == HAPPENED_LOST)
		put_text(out, "dir", dir);
	switch (happened->kind) {
	case HAPPENED_OPEN: put_open(out, happened); break;
	case HAPPENED_BYTES: put_bytes(out, happened->bytes, "bytes_utf8", "bytes_hex"); break;
	case HAPPENED_EOF: put_text(out, "ev", "eof"); break;
	case HAPPENED_RESET: put_text(out, "ev", "reset"); break;
	case HAPPENED_CLOSE: put_text(out, "ev", "close"); break;
	case HAPPENED_REFUSED:
		put_text(out, "ev", "refused");
		put_text(out, "text", happened->text);
		break;
	case HAPPENED_LOST:
		put_text(out, "ev", "lost");
		put_text(out, "text", happened->text);
		break;
	case HAPPENED_FAULT:
		put_text(out, "ev", "fault");
		put_text(out, "text", happened->text);
		put_bytes(out, happened->bytes, "was_utf8", "was_hex");
		break;
	}
	out_put(out, "}\n", 2);
}
