#include "emulator/sniff/dialog.h"

#include "proto/utf8.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char *const dialog_wire_names[] = { "auto",  "snyper",  "http", "framed",
					  "agent", "jsonrpc", NULL };

static decode_fn *const decoders[DIALOG_WIRES] = {
	[DIALOG_SNYPER] = decode_snyper,   [DIALOG_HTTP] = decode_http,
	[DIALOG_FRAMED] = decode_framed,   [DIALOG_AGENT] = decode_agent,
	[DIALOG_JSONRPC] = decode_jsonrpc, [DIALOG_TLS] = decode_tls,
	[DIALOG_RAW] = decode_raw,
};

void dialog_init(struct dialog *dialog, enum dialog_wire wire, struct buffers *buffers)
{
	memset(dialog, 0, sizeof(*dialog));
	dialog->wire = wire;
	dialog->buffers = buffers;
	qn_http_reader_init(&dialog->request);
}

void dialog_release(struct dialog *dialog)
{
	dialog_drop_websocket(dialog);
	buffer_free(dialog->buffers, &dialog->rest[TO_SERVER]);
	buffer_free(dialog->buffers, &dialog->rest[TO_CLIENT]);
}

void dialog_gap(struct dialog *dialog, enum way way)
{
	buffer_free(dialog->buffers, &dialog->rest[way]);
	/* Lines find their way back by themselves: the next one begins after a newline. */
	if (dialog->wire != DIALOG_SNYPER && dialog->wire != DIALOG_RAW)
		dialog->lost[way] = true;
}

/* ---- asking and answering ---- */

static void note_asked(struct dialog *dialog, enum way way, const struct said *said, int64_t t_ns)
{
	if (dialog->n_asked == DIALOG_ASKED_MAX) {
		memmove(dialog->asked, dialog->asked + 1,
			sizeof(dialog->asked) - sizeof(*dialog->asked));
		dialog->n_asked--;
	}
	dialog->asked[dialog->n_asked++] = (struct asked){ said->key, t_ns, way };
}

static int64_t latency(struct dialog *dialog, enum way way, const struct said *said, int64_t t_ns)
{
	for (unsigned i = 0; i < dialog->n_asked; i++) {
		struct asked *asked = &dialog->asked[i];
		if (asked->way == way || asked->key != said->key)
			continue;
		int64_t took_ns = t_ns - asked->t_ns;
		dialog->n_asked--;
		memmove(asked, asked + 1, (dialog->n_asked - i) * sizeof(*asked));
		return took_ns;
	}
	return -1;
}

static void tell(struct dialog *dialog, enum way way, const struct said *said, size_t len,
		 int64_t t_ns, spoke_fn *spoke, void *owner)
{
	struct spoken spoken = {
		.way = way, .t_ns = t_ns, .latency_ns = -1, .len = len, .said = said
	};

	if (said->role == DIALOG_ASKS)
		note_asked(dialog, way, said, t_ns);
	else if (said->role == DIALOG_ANSWERS)
		spoken.latency_ns = latency(dialog, way, said, t_ns);
	spoke(owner, &spoken);
}

/* ---- streams ---- */

/* Takes all that is whole out of bytes; returns how many are done with. */
static size_t take(struct dialog *dialog, enum way way, const char *bytes, size_t len, size_t fresh,
		   bool ended, int64_t t_ns, spoke_fn *spoke, void *owner)
{
	size_t done = 0;

	while (done < len && !dialog->lost[way]) {
		struct said said = { .role = DIALOG_TELLS };
		size_t taken = 0;
		if (dialog->wire == DIALOG_AUTO)
			dialog->wire = dialog_guess(bytes + done, len - done);
		if (dialog->wire == DIALOG_AUTO)
			break;
		/* Nearly always: a length of 22 times 16 MiB is none. */
		if (dialog->wire == DIALOG_AGENT && bytes[done] == 22)
			dialog->wire = DIALOG_TLS;
		enum decode_step step = decoders[dialog->wire](
			dialog, way, bytes + done, len - done, fresh > done ? fresh - done : 0,
			ended, &taken, &said);
		if (step == DECODE_MORE)
			break;
		if (step == DECODE_LOST) {
			dialog->lost[way] = true;
			taken = len - done;
		}
		if (step != DECODE_SKIP)
			tell(dialog, way, &said, taken, t_ns, spoke, owner);
		done += taken;
	}
	if (dialog->lost[way]) {
		dialog->lost_bytes[way] += len - done;
		done = len;
	}
	return done;
}

static void lose(struct dialog *dialog, enum way way, const char *why, size_t len, int64_t t_ns,
		 spoke_fn *spoke, void *owner)
{
	struct said said = { .role = DIALOG_TELLS, .code = QN_E_TOO_LONG };

	said.fault.text = why;
	words_add(&said, "no message");
	dialog->lost[way] = true;
	buffer_free(dialog->buffers, &dialog->rest[way]);
	tell(dialog, way, &said, len, t_ns, spoke, owner);
}

void dialog_hear(struct dialog *dialog, enum way way, const char *bytes, size_t len, int64_t t_ns,
		 spoke_fn *spoke, void *owner)
{
	struct buffer *rest = &dialog->rest[way];
	size_t before = rest->len, done;

	if (dialog->lost[way]) {
		dialog->lost_bytes[way] += len;
		return;
	}
	if (before == 0) {
		done = take(dialog, way, bytes, len, 0, false, t_ns, spoke, owner);
		if (done == len)
			return;
		bytes += done;
		len -= done;
	}
	if (rest->len + len > DIALOG_MESSAGE_MAX ||
	    buffer_reserve(dialog->buffers, rest, len) < 0) {
		lose(dialog, way, "longer than what is put together here", rest->len + len, t_ns,
		     spoke, owner);
		return;
	}
	memcpy(rest->at + rest->len, bytes, len);
	rest->len += (uint32_t)len;
	if (before == 0)
		return;
	done = take(dialog, way, rest->at, rest->len, before, false, t_ns, spoke, owner);
	if (done > 0)
		buffer_drop(dialog->buffers, rest, done);
}

void dialog_end(struct dialog *dialog, enum way way, int64_t t_ns, spoke_fn *spoke, void *owner)
{
	struct buffer *rest = &dialog->rest[way];
	struct said said = { .role = DIALOG_TELLS, .code = QN_E_SYNTAX };

	if (rest->len > 0 && !dialog->lost[way]) {
		size_t done = take(dialog, way, rest->at, rest->len, rest->len, true, t_ns, spoke,
				   owner);
		if (done < rest->len) {
			said.fault.text = "it ends before the message does";
			said.fault.offset = rest->len - done;
			words_add(&said, "half a message ");
			words_safe(&said, (struct qn_text){ rest->at + done, rest->len - done },
				   80);
			tell(dialog, way, &said, rest->len - done, t_ns, spoke, owner);
		}
	}
	buffer_free(dialog->buffers, rest);
}

/* ---- which wire ---- */

static bool begins(const char *bytes, size_t len, const char *with)
{
	size_t n = strlen(with);

	return memcmp(bytes, with, len < n ? len : n) == 0;
}

enum dialog_wire dialog_guess(const char *bytes, size_t len)
{
	static const char *const methods[] = { "GET ",    "POST ",    "PUT ",   "HEAD ",
					       "DELETE ", "OPTIONS ", "PATCH ", "HTTP/1." };
	const unsigned char *at = (const unsigned char *)bytes;

	if (at[0] == '{' || at[0] == '\n' || at[0] == '\r' || at[0] == ' ')
		return DIALOG_SNYPER;
	if (at[0] >= 'A' && at[0] <= 'Z') {
		for (size_t i = 0; i < sizeof(methods) / sizeof(*methods); i++)
			if (begins(bytes, len, methods[i]))
				return len < strlen(methods[i])
					       ? DIALOG_AUTO
					       : DIALOG_JSONRPC; /* HTTP, and what it may become */
		return DIALOG_SNYPER;                            /* a line that is no JSON */
	}
	if (at[0] == 22 && (len < 2 || at[1] == 3))
		return len < 2 ? DIALOG_AUTO : DIALOG_TLS;
	if (at[0] == 0) { /* a length below 16 MiB; a map of the wire agent is no text */
		if (len < 5)
			return DIALOG_AUTO;
		return at[4] >= 0x80 && (at[4] < 0xc2 || at[4] >= 0xde) ? DIALOG_AGENT
									: DIALOG_FRAMED;
	}
	return DIALOG_RAW;
}

/* ---- words ---- */

void words_add(struct said *said, const char *format, ...)
{
	size_t len = strlen(said->words);
	va_list args;

	va_start(args, format);
	vsnprintf(said->words + len, sizeof(said->words) - len, format, args);
	va_end(args);
}

void words_safe(struct said *said, struct qn_text text, size_t max)
{
	size_t len = strlen(said->words), n = text.len < max ? text.len : max, i = 0;

	while (i < n && sizeof(said->words) - len > 8) {
		unsigned char c = (unsigned char)text.at[i];
		size_t whole = c < 0x80 ? 1 : c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : c >= 0xc2 ? 2 : 0;
		/* C1 control characters move a terminal's cursor as C0's do. */
		bool shown = c >= ' ' && c != 0x7f && whole > 0 && whole <= text.len - i &&
			     qn_utf8_valid_len(text.at + i, whole) == whole &&
			     !(c == 0xc2 && (unsigned char)text.at[i + 1] < 0xa0);
		if (shown) {
			memcpy(said->words + len, text.at + i, whole);
			len += whole;
			i += whole;
		} else {
			len += (size_t)snprintf(said->words + len, sizeof(said->words) - len,
						"\\x%02x", c);
			i++;
		}
	}
	said->words[len] = '\0';
	if (i < text.len)
		words_add(said, "...");
}

uint64_t dialog_key(struct qn_text id)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325); /* FNV-1a */

	for (size_t i = 0; i < id.len; i++)
		h = (h ^ (unsigned char)id.at[i]) * UINT64_C(0x100000001b3);
	return h | 1; /* 0 means by order */
}
