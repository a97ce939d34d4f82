#include "hil/pico/repl_internal.h"

#include <string.h>

static const char raw_banner[] = "raw REPL; CTRL-B to exit\r\n>";
static const char reboot_notice[] = "MPY: soft reboot\r\n";
static const char friendly_prompt[] = ">>> ";

static void give(struct repl *repl, enum repl_stream stream, const char *bytes, size_t len)
{
	if (len > 0 && repl->handler->output != NULL)
		repl->handler->output(repl->owner, stream, bytes, len);
}

/* Whether the console now ends in `text`. */
static bool ends_in(const struct repl *repl, const char *text)
{
	size_t len = strlen(text);

	return memcmp(repl->tail + REPL_TAIL - len, text, len) == 0;
}

static void remember(struct repl *repl, char c)
{
	memmove(repl->tail, repl->tail + 1, REPL_TAIL - 1);
	repl->tail[REPL_TAIL - 1] = c;
}

static void fall_back(struct repl *repl, int64_t now_ns)
{
	repl->no_paste = true;
	repl_move(repl, REPL_TYPING);
	repl->pace_ns = now_ns;
}

/* "R\x01" yes; "R\x00" no, then the prompt; "ra...": a firmware that took it for \x01 alone. */
static void query_byte(struct repl *repl, char c, int64_t now_ns)
{
	enum { FIRST, SECOND, OLD, REFUSED };

	switch (repl->sub) {
	case FIRST:
		if (c == 'R' || c == 'r') {
			repl->sub = c == 'R' ? SECOND : OLD;
			remember(repl, c);
			return;
		}
		break;
	case SECOND:
		if (c == '\x01') {
			repl_move(repl, REPL_WINDOW);
			return;
		}
		if (c == '\0') {
			repl->sub = REFUSED;
			return;
		}
		break;
	case OLD:
		remember(repl, c);
		if (ends_in(repl, raw_banner))
			fall_back(repl, now_ns);
		else if (repl->tail[REPL_TAIL - 1] == '>')
			break;
		return;
	case REFUSED:
		if (c == '>') {
			fall_back(repl, now_ns);
			return;
		}
		break;
	default: break;
	}
	give(repl, REPL_CONSOLE, &c, 1);
	repl_fail(repl, REPL_BROKEN);
}

static void window_byte(struct repl *repl, char c)
{
	repl->window = repl->sub == 0 ? (unsigned char)c
				      : repl->window | (uint32_t)(unsigned char)c << 8;
	if (repl->sub++ == 0)
		return;
	if (repl->window == 0) {
		repl_fail(repl, REPL_BROKEN);
		return;
	}
	repl->window_left = repl->window;
	repl_move(repl, REPL_PASTING);
}

static void to_output(struct repl *repl, int64_t now_ns)
{
	repl_move(repl, REPL_OUTPUT);
	if (repl->no_wait)
		repl->settle_ns = now_ns + NO_WAIT_NS;
}

static void paste_byte(struct repl *repl, char c, int64_t now_ns)
{
	if (c == '\x01') {
		/* A board that gives away windows without end gets no more than there is. */
		if (repl->window_left <= repl->code_len)
			repl->window_left += repl->window;
	} else if (c == '\x04') {
		/* In the middle: it gives up (a syntax error, no memory), and waits for our \x04.
		 */
		if (repl->state == REPL_PASTING)
			repl_say(repl, CTRL_D);
		to_output(repl, now_ns);
	} else {
		give(repl, REPL_CONSOLE, &c, 1);
		repl_fail(repl, REPL_BROKEN);
	}
}

static void typed_byte(struct repl *repl, char c, int64_t now_ns)
{
	if (c != "OK"[repl->sub]) {
		give(repl, REPL_CONSOLE, &c, 1);
		repl_fail(repl, REPL_BROKEN);
	} else if (++repl->sub == 2) {
		to_output(repl, now_ns);
	}
}

/* Up to and with the \x04. Returns how many bytes it took. */
static size_t result_bytes(struct repl *repl, const char *bytes, size_t len)
{
	const char *end = memchr(bytes, '\x04', len);
	size_t n = end != NULL ? (size_t)(end - bytes) : len;
	bool traceback = repl->state == REPL_TRACEBACK;

	give(repl, traceback ? REPL_STDERR : REPL_STDOUT, bytes, n);
	if (traceback && n > 0) {
		repl->raised = true;
		repl->last = bytes[n - 1];
	}
	if (end == NULL)
		return n;
	repl_move(repl, traceback ? REPL_PROMPT : REPL_TRACEBACK);
	return n + 1;
}

static void prompt_byte(struct repl *repl, char c)
{
	if (c == '>' && (!repl->raised || repl->last == '\n')) {
		repl_move(repl, REPL_RAW);
		repl_finish(repl, repl->timed_out ? REPL_TIMEOUT
				  : repl->raised  ? REPL_RAISED
						  : REPL_OK);
		return;
	}
	if (c == reboot_notice[0] && !repl->raised) {
		/* SystemExit, or machine.soft_reset(): no prompt, but a reboot within raw mode. */
		repl_move(repl, REPL_RESETTING);
		remember(repl, c);
		repl->settle_ns = NEVER;
		give(repl, REPL_CONSOLE, &c, 1);
		return;
	}
	/* What was taken for the end of the output or of the traceback was a byte of theirs. */
	give(repl, REPL_CONSOLE, &c, 1);
	repl_fail(repl, REPL_BROKEN);
}

static void banner_byte(struct repl *repl, char c, int64_t now_ns)
{
	remember(repl, c);
	switch (repl->state) {
	case REPL_ENTERING:
		if (repl->settle_ns != NEVER)
			repl->settle_ns = now_ns + SETTLE_NS;
		if (!ends_in(repl, raw_banner))
			return;
		if (repl->tries > 1) {
			repl->settle_ns = now_ns + SETTLE_NS;
			repl->retry_ns = NEVER;
			return;
		}
		repl->tries = 0;
		break;
	case REPL_RESETTING:
		if (ends_in(repl, reboot_notice))
			repl->rebooted = true;
		if (!ends_in(repl, raw_banner))
			return;
		if (!repl->rebooted) {
			repl_fail(repl, REPL_BROKEN);
			return;
		}
		break;
	case REPL_LEAVING:
		if (!ends_in(repl, friendly_prompt))
			return;
		break;
	default:
		if (!ends_in(repl, reboot_notice))
			return;
		break;
	}
	bool exited = repl->state == REPL_RESETTING && repl->code != NULL;
	repl_move(repl, repl->state == REPL_ENTERING || repl->state == REPL_RESETTING
				? REPL_RAW
				: REPL_FRIENDLY);
	repl_finish(repl, repl->timed_out ? REPL_TIMEOUT : exited ? REPL_EXITED : REPL_OK);
}

void repl_received(struct repl *repl, const char *bytes, size_t len, int64_t now_ns)
{
	while (len > 0) {
		size_t n = 1;
		switch (repl->state) {
		case REPL_QUERY: query_byte(repl, *bytes, now_ns); break;
		case REPL_WINDOW: window_byte(repl, *bytes); break;
		case REPL_PASTING:
		case REPL_PASTED: paste_byte(repl, *bytes, now_ns); break;
		case REPL_TYPED: typed_byte(repl, *bytes, now_ns); break;
		case REPL_OUTPUT:
		case REPL_TRACEBACK: n = result_bytes(repl, bytes, len); break;
		case REPL_PROMPT: prompt_byte(repl, *bytes); break;
		case REPL_ENTERING:
		case REPL_RESETTING:
		case REPL_LEAVING:
		case REPL_STARTING:
			give(repl, REPL_CONSOLE, bytes, 1);
			banner_byte(repl, *bytes, now_ns);
			break;
		case REPL_RAW:
		case REPL_TYPING:
			/* A prompt that was not the last: the result before it was cut short. */
			if (*bytes == '\x04' && !repl->busy)
				repl_move(repl, REPL_UNKNOWN);
			give(repl, REPL_CONSOLE, bytes, 1);
			break;
		default:
			n = len;
			give(repl, REPL_CONSOLE, bytes, n);
			break;
		}
		bytes += n;
		len -= n;
	}
}
