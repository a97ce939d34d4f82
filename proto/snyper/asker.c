#include "proto/snyper/session.h"

#include "proto/line/line.h"
#include "proto/utf8.h"

#include <assert.h>

const char *qn_snyper_reason_name(enum qn_snyper_reason reason)
{
	static const char *const names[QN_SNYPER_REASONS] = {
		[QN_SNYPER_REASON_NONE] = "none",
		[QN_SNYPER_REASON_ERROR] = "error",
		[QN_SNYPER_REASON_WRONG_TYPE] = "wrong_type",
		[QN_SNYPER_REASON_NO_DATA] = "no_data",
		[QN_SNYPER_REASON_NOT_A_MESSAGE] = "not_a_message",
		[QN_SNYPER_REASON_TOO_LONG] = "too_long",
	};
	return names[reason];
}

/* legal[from] is the set of states that may follow. */
#define TO(state) (1u << (state))
static const uint8_t legal[] = {
	[QN_SNYPER_IDLE] = TO(QN_SNYPER_ASKED) | TO(QN_SNYPER_CLOSED),
	[QN_SNYPER_ASKED] = TO(QN_SNYPER_ANSWERED) | TO(QN_SNYPER_BAD) | TO(QN_SNYPER_CLOSED) |
			    TO(QN_SNYPER_EXPIRED),
	[QN_SNYPER_ANSWERED] = TO(QN_SNYPER_ASKED) | TO(QN_SNYPER_CLOSED),
	[QN_SNYPER_BAD] = 0,
	[QN_SNYPER_CLOSED] = 0,
	[QN_SNYPER_EXPIRED] = 0,
};

static enum qn_snyper_asker_state move(struct qn_snyper_asker *asker,
				       enum qn_snyper_asker_state state)
{
	assert(legal[asker->state] & TO(state));
	asker->state = (uint8_t)state;
	return state;
}

static enum qn_snyper_asker_state bad(struct qn_snyper_asker *asker, enum qn_snyper_reason reason)
{
	asker->reason = (uint8_t)reason;
	return move(asker, QN_SNYPER_BAD);
}

void qn_snyper_asker_init(struct qn_snyper_asker *asker, const struct qn_snyper_profile *profile,
			  uint32_t limit)
{
	*asker = (struct qn_snyper_asker){ .profile = profile,
					   .limit = limit > 0 ? limit : QN_SNYPER_LINE_DEFAULT };
}

size_t qn_snyper_asker_ask(struct qn_snyper_asker *asker, const struct qn_snyper_out *request,
			   int64_t deadline_ns, char *buffer, size_t cap)
{
	size_t len = qn_snyper_write(asker->profile, request, buffer, cap);

	if (len == 0)
		return 0;
	move(asker, QN_SNYPER_ASKED);
	asker->asked = (uint8_t)request->type;
	asker->reason = QN_SNYPER_REASON_NONE;
	asker->deadline_ns = deadline_ns;
	return len;
}

static enum qn_snyper_asker_state judge(struct qn_snyper_asker *asker, struct qn_text line,
					struct qn_snyper_message *answer)
{
	enum qn_code code = qn_snyper_parse(asker->profile, line.at, line.len, answer, NULL);

	/* The real master looks at type and data alone, but without an id it is no message to it.
	 */
	if (code != QN_OK && code != QN_E_UNKNOWN)
		return bad(asker, QN_SNYPER_REASON_NOT_A_MESSAGE);
	if (answer->type == QN_SNYPER_ERROR)
		return bad(asker, QN_SNYPER_REASON_ERROR);
	if (answer->type != qn_snyper_answer_to((enum qn_snyper_type)asker->asked))
		return bad(asker, QN_SNYPER_REASON_WRONG_TYPE);
	if (!answer->has_data)
		return bad(asker, QN_SNYPER_REASON_NO_DATA);
	return move(asker, QN_SNYPER_ANSWERED);
}

static bool is_space(char c)
{
	return c == '\n' || c == '\r' || c == ' ' || c == '\t';
}

static struct qn_text trim(const char *bytes, size_t len)
{
	while (len > 0 && is_space(bytes[0])) {
		bytes++;
		len--;
	}
	while (len > 0 && is_space(bytes[len - 1]))
		len--;
	return (struct qn_text){ bytes, len };
}

/*
 * The real master reads once, up to 1024 bytes, and takes what came for one message: leading blank
 * lines and a missing newline pass; a second line, a longer answer or half of one do not.
 */
static enum qn_snyper_asker_state read_once(struct qn_snyper_asker *asker, const char *bytes,
					    size_t len, size_t *taken,
					    struct qn_snyper_message *answer)
{
	size_t unit = len < asker->profile->answer_max ? len : asker->profile->answer_max;

	*taken = len;
	if (len > unit)
		return bad(asker, QN_SNYPER_REASON_TOO_LONG);
	if (qn_utf8_valid_len(bytes, unit) < unit)
		return bad(asker, QN_SNYPER_REASON_NOT_A_MESSAGE);
	return judge(asker, trim(bytes, unit), answer);
}

static enum qn_snyper_asker_state read_line(struct qn_snyper_asker *asker, const char *bytes,
					    size_t len, size_t fresh, size_t *taken,
					    struct qn_snyper_message *answer)
{
	struct qn_text line;

	*taken = 0;
	do {
		size_t line_taken;
		size_t scanned = fresh > *taken ? fresh - *taken : 0;
		enum qn_code code = qn_line_next(bytes + *taken, len - *taken, scanned,
						 asker->limit, &line, &line_taken);
		if (code == QN_MORE)
			return QN_SNYPER_ASKED;
		if (code == QN_E_TOO_LONG)
			return bad(asker, QN_SNYPER_REASON_TOO_LONG);
		*taken += line_taken;
		line = trim(line.at, line.len);
	} while (line.len == 0);
	return judge(asker, line, answer);
}

enum qn_snyper_asker_state qn_snyper_asker_read(struct qn_snyper_asker *asker, const char *bytes,
						size_t len, size_t fresh, size_t *taken,
						struct qn_snyper_message *answer)
{
	if (asker->state != QN_SNYPER_ASKED) {
		*taken = len;
		return (enum qn_snyper_asker_state)asker->state;
	}
	if (asker->profile->one_read_answer)
		return read_once(asker, bytes, len, taken, answer);
	return read_line(asker, bytes, len, fresh, taken, answer);
}

enum qn_snyper_asker_state qn_snyper_asker_closed(struct qn_snyper_asker *asker, const char *bytes,
						  size_t len, struct qn_snyper_message *answer)
{
	if (asker->state == QN_SNYPER_ASKED && len > 0) {
		struct qn_text line = trim(bytes, len);
		if (line.len > 0)
			return judge(asker, line, answer);
	}
	if (legal[asker->state] & TO(QN_SNYPER_CLOSED))
		return move(asker, QN_SNYPER_CLOSED);
	return (enum qn_snyper_asker_state)asker->state;
}

enum qn_snyper_asker_state qn_snyper_asker_time(struct qn_snyper_asker *asker, int64_t now_ns)
{
	if (asker->state == QN_SNYPER_ASKED && now_ns >= asker->deadline_ns)
		return move(asker, QN_SNYPER_EXPIRED);
	return (enum qn_snyper_asker_state)asker->state;
}
