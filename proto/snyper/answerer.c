#include "proto/snyper/session.h"

#include "proto/line/line.h"
#include "proto/utf8.h"

#include <assert.h>
#include <string.h>

void qn_snyper_answerer_init(struct qn_snyper_answerer *answerer,
			     const struct qn_snyper_profile *profile, enum qn_snyper_role role,
			     uint32_t limit)
{
	*answerer = (struct qn_snyper_answerer){ .profile = profile,
						 .limit = limit > 0 ? limit
								    : QN_SNYPER_LINE_DEFAULT,
						 .role = (uint8_t)role };
}

static bool serves(enum qn_snyper_role role, enum qn_snyper_type type)
{
	if (role == QN_SNYPER_MASTER)
		return type == QN_SNYPER_REGISTER;
	return type == QN_SNYPER_PING || type == QN_SNYPER_STAND_UP || type == QN_SNYPER_LAY_DOWN ||
	       type == QN_SNYPER_ACTIVATE;
}

static enum qn_snyper_step close_it(struct qn_snyper_answerer *answerer, struct qn_fault *fault,
				    struct qn_fault why)
{
	answerer->closed = true;
	*fault = why;
	return QN_SNYPER_STEP_CLOSE;
}

static bool blank(struct qn_text line)
{
	for (size_t i = 0; i < line.len; i++)
		if (line.at[i] != ' ' && line.at[i] != '\t' && line.at[i] != '\r')
			return false;
	return true;
}

static enum qn_snyper_step bad_line(struct qn_snyper_answerer *answerer, enum qn_code code)
{
	bool shape = code == QN_E_TYPE || code == QN_E_UTF8;
	enum qn_snyper_reaction reaction = shape ? answerer->profile->wrong_shape
						 : answerer->profile->not_json;

	switch (reaction) {
	case QN_SNYPER_IGNORE: return QN_SNYPER_STEP_IGNORED;
	case QN_SNYPER_TELL: return QN_SNYPER_STEP_REFUSE;
	case QN_SNYPER_CLOSE: break;
	}
	answerer->closed = true;
	return QN_SNYPER_STEP_CLOSE;
}

/* The firmware decodes every read by itself: a character split across two reads kills it. */
static bool read_unit_is_bad(struct qn_snyper_answerer *answerer, const char *bytes, size_t len,
			     size_t fresh, size_t *ret_offset)
{
	if (!answerer->profile->decode_each_read || answerer->checked)
		return false;
	answerer->checked = true;
	*ret_offset = fresh + qn_utf8_valid_len(bytes + fresh, len - fresh);
	return *ret_offset < len;
}

enum qn_snyper_step qn_snyper_answerer_next(struct qn_snyper_answerer *answerer, const char *bytes,
					    size_t len, size_t fresh, size_t *taken,
					    struct qn_snyper_message *message,
					    struct qn_fault *fault)
{
	struct qn_text line;
	size_t offset = 0;

	assert(!answerer->closed);
	*taken = 0;
	if (read_unit_is_bad(answerer, bytes, len, fresh, &offset))
		return close_it(answerer, fault,
				(struct qn_fault){ QN_E_UTF8, offset, "a read that is no UTF-8" });
	for (;;) {
		size_t line_taken;
		size_t scanned = fresh > *taken ? fresh - *taken : 0;
		enum qn_code code = qn_line_next(bytes + *taken, len - *taken, scanned,
						 answerer->limit, &line, &line_taken);
		if (code == QN_MORE) {
			answerer->checked = false;
			return QN_SNYPER_STEP_MORE;
		}
		if (code == QN_E_TOO_LONG)
			return close_it(answerer, fault,
					(struct qn_fault){ code, answerer->limit,
							   "a line longer than the limit" });
		*taken += line_taken;
		if (!blank(line))
			break;
	}
	enum qn_code code = qn_snyper_parse(answerer->profile, line.at, line.len, message, fault);
	if (code != QN_OK)
		return bad_line(answerer, code);
	if (!serves((enum qn_snyper_role)answerer->role, message->type)) {
		*fault = (struct qn_fault){ QN_OK, 0, "unsupported" };
		return QN_SNYPER_STEP_REFUSE;
	}
	return QN_SNYPER_STEP_REQUEST;
}

struct qn_text qn_snyper_unsupported(enum qn_snyper_role role, enum qn_snyper_type type,
				     char *space, size_t cap)
{
	const char *prefix = role == QN_SNYPER_TARGET ? "Unsupported command: "
						      : "Unsupported message type: ";
	const char *name = qn_snyper_type_name(type);
	size_t prefix_len = strlen(prefix), name_len = strlen(name);

	assert(prefix_len + name_len <= cap);
	memcpy(space, prefix, prefix_len);
	memcpy(space + prefix_len, name, name_len);
	return (struct qn_text){ space, prefix_len + name_len };
}
