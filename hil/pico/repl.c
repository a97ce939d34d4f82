#include "hil/pico/repl_internal.h"

#include <assert.h>
#include <string.h>

/* How long the board may take before it is asked again. */
#define RETRY_NS (500 * NS_PER_MS)
/* For the result of code that was interrupted at its deadline. */
#define GRACE_NS (2000 * NS_PER_MS)
/* Plain raw mode has no flow control, and the board's ring holds 512 bytes. */
#define TYPE_BYTES 256
#define TYPE_EVERY_NS (10 * NS_PER_MS)

#define CTRL_A "\x01"
#define CTRL_B "\x02"
#define CTRL_C "\x03"
#define PASTE_QUERY                                                                                \
	"\x05"                                                                                     \
	"A" CTRL_A

#define BIT(state) (1U << (state))
/* Any state may become REPL_UNKNOWN or REPL_ENTERING. */
static const uint32_t may_follow[REPL_STATES] = {
	[REPL_UNKNOWN] = 0,
	[REPL_FRIENDLY] = BIT(REPL_STARTING),
	[REPL_ENTERING] = BIT(REPL_RAW),
	[REPL_RAW] = BIT(REPL_QUERY) | BIT(REPL_TYPING) | BIT(REPL_RESETTING) | BIT(REPL_LEAVING),
	[REPL_QUERY] = BIT(REPL_WINDOW) | BIT(REPL_TYPING),
	[REPL_WINDOW] = BIT(REPL_PASTING),
	[REPL_PASTING] = BIT(REPL_PASTED) | BIT(REPL_OUTPUT),
	[REPL_PASTED] = BIT(REPL_OUTPUT),
	[REPL_TYPING] = BIT(REPL_TYPED),
	[REPL_TYPED] = BIT(REPL_OUTPUT),
	[REPL_OUTPUT] = BIT(REPL_TRACEBACK),
	[REPL_TRACEBACK] = BIT(REPL_PROMPT),
	[REPL_PROMPT] = BIT(REPL_RAW) | BIT(REPL_RESETTING),
	[REPL_RESETTING] = BIT(REPL_RAW),
	[REPL_LEAVING] = BIT(REPL_FRIENDLY),
	[REPL_STARTING] = BIT(REPL_FRIENDLY),
};

void repl_move(struct repl *repl, enum repl_state to)
{
	assert(to == REPL_UNKNOWN || to == REPL_ENTERING ||
	       (may_follow[repl->state] & BIT(to)) != 0);
	repl->state = to;
	repl->sub = 0;
	memset(repl->tail, 0, sizeof(repl->tail));
}

void repl_init(struct repl *repl, const struct repl_handler *handler, void *owner)
{
	memset(repl, 0, sizeof(*repl));
	repl->handler = handler;
	repl->owner = owner;
	repl->deadline_ns = repl->retry_ns = repl->pace_ns = repl->settle_ns = NEVER;
}

/* ---- output ---- */

void repl_drop_out(struct repl *repl)
{
	repl->unit_count = repl->out_at = 0;
}

/* A write unit of its own. */
void repl_say(struct repl *repl, const char *bytes)
{
	size_t len = strlen(bytes), used = repl->out_at;

	for (size_t i = 0; i < repl->unit_count; i++)
		used += repl->units[i];
	assert(repl->unit_count < sizeof(repl->units) && used + len <= sizeof(repl->out));
	memcpy(repl->out + used, bytes, len);
	repl->units[repl->unit_count++] = (unsigned char)len;
}

static size_t code_out(struct repl *repl, int64_t now_ns, const char **ret)
{
	size_t n = repl->code_len - repl->code_sent;

	if (repl->state == REPL_PASTING) {
		n = n < repl->window_left ? n : repl->window_left;
		repl->window_left -= (uint32_t)n;
	} else {
		n = n < TYPE_BYTES ? n : TYPE_BYTES;
		repl->pace_ns = now_ns + TYPE_EVERY_NS;
	}
	*ret = repl->code + repl->code_sent;
	repl->code_sent += n;
	return n;
}

size_t repl_out(struct repl *repl, int64_t now_ns, const char **ret)
{
	if (repl->unit_count == 0 && (repl->state == REPL_PASTING || repl->state == REPL_TYPING)) {
		if (repl->state == REPL_TYPING && now_ns < repl->pace_ns)
			return 0;
		if (repl->code_sent < repl->code_len)
			return code_out(repl, now_ns, ret);
		/* The end counts in no window. */
		repl_say(repl, CTRL_D);
		repl->pace_ns = NEVER;
		repl_move(repl, repl->state == REPL_PASTING ? REPL_PASTED : REPL_TYPED);
	}
	if (repl->unit_count == 0) {
		repl->out_at = 0;
		return 0;
	}
	size_t len = repl->units[0];
	*ret = repl->out + repl->out_at;
	repl->out_at += len;
	memmove(repl->units, repl->units + 1, --repl->unit_count);
	return len;
}

/* ---- operations ---- */

void repl_finish(struct repl *repl, enum repl_status status)
{
	assert(repl->busy);
	repl->busy = false;
	repl->deadline_ns = repl->retry_ns = repl->pace_ns = repl->settle_ns = NEVER;
	repl->code = NULL;
	repl->handler->done(repl->owner, status);
}

void repl_fail(struct repl *repl, enum repl_status status)
{
	repl_drop_out(repl);
	/* Answers may still be on their way: the next repl_enter() waits until it is quiet. */
	if (repl->tries == 0)
		repl->tries = 1;
	repl_move(repl, REPL_UNKNOWN);
	repl_finish(repl, repl->timed_out ? REPL_TIMEOUT : status);
}

/* False: refused, and said so. */
static bool begin(struct repl *repl, enum repl_state from, int64_t deadline_ns)
{
	assert(!repl->busy);
	repl->busy = true;
	repl->deadline_ns = deadline_ns;
	repl->timed_out = repl->raised = repl->rebooted = repl->no_wait = false;
	if (from == REPL_STATES || repl->state == from)
		return true;
	repl_finish(repl, REPL_BAD_STATE);
	return false;
}

/*
 * First \x03, for whatever runs, with a \r before it that ends a line somebody left there; then
 * \x01. Two units, as others send them: some programs drop what stands behind a \x03.
 */
static void ask_for_raw(struct repl *repl, int64_t now_ns)
{
	repl_drop_out(repl);
	repl_say(repl, "\r" CTRL_C);
	repl_say(repl, "\r" CTRL_A);
	repl->tries++;
	repl->retry_ns = now_ns + RETRY_NS;
	repl->settle_ns = NEVER;
}

void repl_enter(struct repl *repl, int64_t now_ns, int64_t deadline_ns)
{
	begin(repl, REPL_STATES, deadline_ns);
	repl_move(repl, REPL_ENTERING);
	ask_for_raw(repl, now_ns);
}

static bool can_be_sent(const char *code, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (code[i] >= 1 && code[i] <= 5)
			return false;
	return true;
}

static void exec(struct repl *repl, const char *code, size_t len, bool no_wait, int64_t now_ns,
		 int64_t deadline_ns)
{
	if (!begin(repl, REPL_RAW, deadline_ns))
		return;
	/* On an empty line \x04 is a soft reset, and not the end of no code. */
	if (len == 0 || !can_be_sent(code, len)) {
		repl_finish(repl, REPL_BAD_CODE);
		return;
	}
	repl->code = code;
	repl->code_len = len;
	repl->code_sent = 0;
	repl->no_wait = no_wait;
	repl->last = '\0';
	if (repl->no_paste) {
		repl_move(repl, REPL_TYPING);
		repl->pace_ns = now_ns;
		return;
	}
	repl_move(repl, REPL_QUERY);
	repl_say(repl, PASTE_QUERY);
}

void repl_exec(struct repl *repl, const char *code, size_t len, int64_t now_ns, int64_t deadline_ns)
{
	exec(repl, code, len, false, now_ns, deadline_ns);
}

void repl_exec_no_wait(struct repl *repl, const char *code, size_t len, int64_t now_ns,
		       int64_t deadline_ns)
{
	exec(repl, code, len, true, now_ns, deadline_ns);
}

static void one_word(struct repl *repl, enum repl_state from, enum repl_state to, const char *word,
		     int64_t deadline_ns)
{
	if (!begin(repl, from, deadline_ns))
		return;
	repl_move(repl, to);
	repl_say(repl, word);
}

void repl_reset_raw(struct repl *repl, int64_t now_ns, int64_t deadline_ns)
{
	(void)now_ns;
	one_word(repl, REPL_RAW, REPL_RESETTING, CTRL_D, deadline_ns);
}

void repl_leave(struct repl *repl, int64_t now_ns, int64_t deadline_ns)
{
	(void)now_ns;
	one_word(repl, REPL_RAW, REPL_LEAVING, "\r" CTRL_B, deadline_ns);
}

void repl_start_app(struct repl *repl, int64_t now_ns, int64_t deadline_ns)
{
	(void)now_ns;
	one_word(repl, REPL_FRIENDLY, REPL_STARTING, CTRL_D, deadline_ns);
}

void repl_abandon(struct repl *repl)
{
	repl_drop_out(repl);
	repl_move(repl, REPL_UNKNOWN);
	if (repl->busy)
		repl_finish(repl, REPL_CANCELLED);
}

/* ---- time ---- */

int64_t repl_due_ns(const struct repl *repl)
{
	int64_t due_ns = repl->deadline_ns;

	due_ns = repl->retry_ns < due_ns ? repl->retry_ns : due_ns;
	due_ns = repl->pace_ns < due_ns ? repl->pace_ns : due_ns;
	return repl->settle_ns < due_ns ? repl->settle_ns : due_ns;
}

static bool code_runs(const struct repl *repl)
{
	return repl->state == REPL_OUTPUT || repl->state == REPL_TRACEBACK ||
	       repl->state == REPL_PROMPT;
}

/* The code is interrupted once more, or, out of grace, given up. */
static void past_deadline(struct repl *repl, int64_t now_ns)
{
	bool first = !repl->timed_out;

	repl->timed_out = true;
	if (!first || !code_runs(repl)) {
		repl_fail(repl, REPL_TIMEOUT);
		return;
	}
	repl->deadline_ns = now_ns + GRACE_NS;
	repl->retry_ns = now_ns + RETRY_NS;
	repl_drop_out(repl);
	repl_say(repl, CTRL_C);
}

void repl_tick(struct repl *repl, int64_t now_ns)
{
	if (!repl->busy)
		return;
	if (now_ns >= repl->settle_ns) {
		repl->settle_ns = NEVER;
		if (repl->state == REPL_ENTERING) {
			repl->tries = 0;
			repl_move(repl, REPL_RAW);
			repl_finish(repl, REPL_OK);
			return;
		}
		if (repl->no_wait && code_runs(repl)) {
			repl_move(repl, REPL_UNKNOWN);
			repl_finish(repl, REPL_OK);
			return;
		}
	}
	if (now_ns >= repl->deadline_ns) {
		past_deadline(repl, now_ns);
		return;
	}
	if (now_ns < repl->retry_ns)
		return;
	if (repl->state == REPL_ENTERING) {
		ask_for_raw(repl, now_ns);
	} else if (repl->timed_out) {
		/* Code that catches KeyboardInterrupt may be out of its handler by now. */
		repl_drop_out(repl);
		repl_say(repl, CTRL_C);
		repl->retry_ns = now_ns + RETRY_NS;
	} else {
		repl->retry_ns = NEVER;
	}
}

const char *repl_state_text(enum repl_state state)
{
	static const char *const texts[REPL_STATES] = {
		[REPL_UNKNOWN] = "unknown",       [REPL_FRIENDLY] = "left to itself",
		[REPL_ENTERING] = "entering raw", [REPL_RAW] = "raw",
		[REPL_QUERY] = "raw-paste query", [REPL_WINDOW] = "raw-paste window",
		[REPL_PASTING] = "pasting",       [REPL_PASTED] = "pasted",
		[REPL_TYPING] = "typing",         [REPL_TYPED] = "typed",
		[REPL_OUTPUT] = "output",         [REPL_TRACEBACK] = "traceback",
		[REPL_PROMPT] = "prompt",         [REPL_RESETTING] = "soft reset",
		[REPL_LEAVING] = "leaving raw",   [REPL_STARTING] = "starting the application",
	};

	return (unsigned)state < REPL_STATES && texts[state] != NULL ? texts[state] : "?";
}

const char *repl_status_text(enum repl_status status)
{
	switch (status) {
	case REPL_OK: return "ok";
	case REPL_RAISED: return "raised an exception";
	case REPL_EXITED: return "ended in a soft reboot";
	case REPL_TIMEOUT: return "no answer in time";
	case REPL_BROKEN: return "an answer that cannot be";
	case REPL_BAD_CODE: return "code that is empty or holds the bytes 1 to 5";
	case REPL_BAD_STATE: return "not in this state";
	case REPL_CANCELLED: return "cancelled";
	}
	return "?";
}
