/*
 * The range's messages and both ends of a session on any bytes, in every profile.
 *
 * Input: one byte that chooses profile, role and limit, four that choose where reads are cut, then
 * the bytes of the stream. What must hold whatever comes: a step takes what is there and makes
 * progress; an answer that repeats a request's id and duration is strict JSON on one line; what is
 * read to its newline does not depend on the cuts; a strict line is read the same by all profiles.
 */
#include "proto/snyper/session.h"
#include "proto/utf8.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define REQUIRE(condition)                                                                         \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);            \
			abort();                                                                   \
		}                                                                                  \
	} while (0)

#define CUTS 4
#define OUT_MAX (1 << 17)

static char line[OUT_MAX];

/* Exactly as many bytes as asked for: one more is the sanitizer's. */
static char *exact(const char *bytes, size_t len)
{
	char *copy = malloc(len);

	REQUIRE(copy != NULL || len == 0);
	if (len > 0)
		memcpy(copy, bytes, len);
	return copy;
}

static bool same_text(struct qn_text a, struct qn_text b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.at, b.at, a.len) == 0);
}

static bool within(struct qn_text text, const char *bytes, size_t len)
{
	return text.at == NULL || (text.at >= bytes && text.at + text.len <= bytes + len);
}

static void check_message(const struct qn_snyper_message *message, const char *bytes, size_t len)
{
	REQUIRE(within(message->type_text, bytes, len));
	REQUIRE(within(message->id, bytes, len));
	REQUIRE(within(message->target_id, bytes, len));
	REQUIRE(within(message->client_id, bytes, len));
	REQUIRE(within(message->status, bytes, len));
	REQUIRE(within(message->error, bytes, len));
	REQUIRE(within(message->duration, bytes, len));
	REQUIRE(message->id.len > 0 || message->id.at == NULL);
	REQUIRE(message->duration_s == message->duration_s);
	REQUIRE(message->duration.len > 0 || message->duration_s == 5);
}

/* One line of strict JSON that says what it was asked to say. */
static void check_written(const struct qn_snyper_profile *profile, const struct qn_snyper_out *out)
{
	struct qn_snyper_message message;
	size_t len = qn_snyper_write(profile, out, line, sizeof(line));

	REQUIRE(len > 0 && line[len - 1] == '\n');
	REQUIRE(memchr(line, '\n', len) == line + len - 1);
	enum qn_code code = qn_snyper_parse(qn_snyper_profile(QN_SNYPER_STRICT), line, len - 1,
					    &message, NULL);
	/* An id nested as deep as the reader goes cannot go deeper; the answer is one level less.
	 */
	REQUIRE(code == QN_OK);
	REQUIRE(message.type == out->type);
	REQUIRE(out->id.len == 0 || same_text(message.id, out->id));
	if (out->type == QN_SNYPER_ACTIVATED && out->duration.len > 0)
		REQUIRE(same_text(message.duration, out->duration));
}

/* The answer to a request or a refusal, in every profile's writing. */
static void check_answer(const struct qn_snyper_message *message, enum qn_snyper_type type)
{
	struct qn_snyper_out out = { .type = type,
				     .id = message->id,
				     .target_id = { "target_1", 8 },
				     .error = { "no", 2 },
				     .duration = message->duration,
				     .wall_ns = 1795274924522913700 };

	for (int i = 0; i < QN_SNYPER_PROFILES; i++)
		check_written(qn_snyper_profile((enum qn_snyper_profile_id)i), &out);
}

/* ---- the answering side ---- */

/* What the steps were, whatever the reads: a hash of them. */
struct tale {
	uint64_t hash;
	bool closed;
};

static void tell(struct tale *tale, uint64_t what)
{
	tale->hash = (tale->hash ^ what) * UINT64_C(0x100000001b3);
}

static void tell_text(struct tale *tale, struct qn_text text)
{
	tell(tale, text.len);
	for (size_t i = 0; i < text.len; i++)
		tell(tale, (unsigned char)text.at[i]);
}

static void check_step(struct tale *tale, enum qn_snyper_step step,
		       const struct qn_snyper_message *message, const struct qn_fault *fault,
		       enum qn_snyper_role role, const char *bytes, size_t len)
{
	tell(tale, (uint64_t)step);
	if (step != QN_SNYPER_STEP_REQUEST) {
		REQUIRE(fault->text != NULL);
		tell(tale, (uint64_t)fault->code);
	}
	if (step == QN_SNYPER_STEP_REQUEST ||
	    (step == QN_SNYPER_STEP_REFUSE && fault->code == QN_OK)) {
		check_message(message, bytes, len);
		tell(tale, (uint64_t)message->type);
		tell_text(tale, message->id);
		bool request = step == QN_SNYPER_STEP_REQUEST;
		check_answer(message,
			     request ? qn_snyper_answer_to(message->type) : QN_SNYPER_ERROR);
		if (!request) {
			char space[64];
			REQUIRE(qn_snyper_unsupported(role, message->type, space, sizeof(space))
					.len > 0);
		}
	}
}

/* One read unit: what was kept, and what is fresh. Returns how many bytes are kept now. */
static size_t answer_unit(struct qn_snyper_answerer *answerer, struct tale *tale, char *kept,
			  size_t kept_len, const char *unit, size_t unit_len)
{
	size_t len = kept_len + unit_len, fresh = kept_len, done = 0;

	if (unit_len > 0)
		memcpy(kept + kept_len, unit, unit_len);
	char *bytes = exact(kept, len);
	for (;;) {
		struct qn_snyper_message message;
		struct qn_fault fault = { QN_OK, 0, NULL };
		size_t taken = SIZE_MAX;
		enum qn_snyper_step step = qn_snyper_answerer_next(
			answerer, bytes + done, len - done, fresh > done ? fresh - done : 0, &taken,
			&message, &fault);
		REQUIRE(taken <= len - done);
		done += taken;
		if (step == QN_SNYPER_STEP_MORE)
			break;
		check_step(tale, step, &message, &fault, (enum qn_snyper_role)answerer->role, bytes,
			   len);
		if (step == QN_SNYPER_STEP_CLOSE) {
			tale->closed = true;
			break;
		}
		REQUIRE(taken > 0);
	}
	len -= done;
	memmove(kept, bytes + done, len);
	free(bytes);
	return len;
}

static struct tale answer(const char *bytes, size_t len, const size_t *ends, size_t n,
			  enum qn_snyper_profile_id profile, enum qn_snyper_role role,
			  uint32_t limit)
{
	struct qn_snyper_answerer answerer;
	struct tale tale = { UINT64_C(0xcbf29ce484222325), false };
	char *kept = malloc(len + 1);
	size_t kept_len = 0, start = 0;

	REQUIRE(kept != NULL);
	qn_snyper_answerer_init(&answerer, qn_snyper_profile(profile), role, limit);
	for (size_t i = 0; i < n && !tale.closed; i++) {
		kept_len = answer_unit(&answerer, &tale, kept, kept_len, bytes + start,
				       ends[i] - start);
		start = ends[i];
	}
	free(kept);
	return tale;
}

/* ---- the asking side ---- */

static const enum qn_snyper_type requests[] = { QN_SNYPER_PING, QN_SNYPER_STAND_UP,
						QN_SNYPER_ACTIVATE, QN_SNYPER_REGISTER };

static void check_state(const struct qn_snyper_asker *asker,
			const struct qn_snyper_message *message, const char *bytes, size_t len)
{
	REQUIRE((asker->state == QN_SNYPER_BAD) == (asker->reason != QN_SNYPER_REASON_NONE));
	if (asker->state != QN_SNYPER_ANSWERED)
		return;
	check_message(message, bytes, len);
	REQUIRE(message->type == qn_snyper_answer_to((enum qn_snyper_type)asker->asked));
	REQUIRE(message->has_data);
}

/* Asks, feeds the units, ends. Returns state and reason. */
static unsigned ask(const char *bytes, size_t len, const size_t *ends, size_t n,
		    enum qn_snyper_profile_id profile, enum qn_snyper_type type, uint32_t limit)
{
	struct qn_snyper_out request = { .type = type, .client_id = { "t", 1 }, .wall_ns = 1 };
	struct qn_snyper_asker asker;
	struct qn_snyper_message message;
	size_t kept = 0; /* where what is not taken begins */

	(void)len;
	qn_snyper_asker_init(&asker, qn_snyper_profile(profile), limit);
	REQUIRE(qn_snyper_asker_ask(&asker, &request, 1, line, sizeof(line)) > 0);
	size_t start = 0, end = 0;
	for (size_t i = 0; i < n && asker.state == QN_SNYPER_ASKED; i++) {
		start = end;
		end = ends[i];
		if (end == start)
			continue;
		size_t taken = SIZE_MAX;
		char *unit = exact(bytes + kept, end - kept);
		enum qn_snyper_asker_state state = qn_snyper_asker_read(
			&asker, unit, end - kept, start - kept, &taken, &message);
		REQUIRE(taken <= end - kept);
		REQUIRE((unsigned)state == asker.state);
		check_state(&asker, &message, unit, end - kept);
		kept += taken;
		free(unit);
	}
	if (asker.state == QN_SNYPER_ASKED) {
		char *rest = exact(bytes + kept, end - kept);
		qn_snyper_asker_closed(&asker, rest, end - kept, &message);
		REQUIRE(asker.state != QN_SNYPER_ASKED);
		check_state(&asker, &message, rest, end - kept);
		free(rest);
	}
	return asker.state * 16u + asker.reason;
}

/* ---- lines and texts ---- */

/* A strict line is taken by every profile, and says the same. */
static void check_parsing(const char *bytes, size_t len)
{
	struct qn_snyper_message strict, other;
	enum qn_code code = qn_snyper_parse(qn_snyper_profile(QN_SNYPER_STRICT), bytes, len,
					    &strict, NULL);

	for (int i = 0; i < QN_SNYPER_PROFILES; i++) {
		struct qn_fault fault = { QN_OK, 0, NULL };
		enum qn_code theirs =
			qn_snyper_parse(qn_snyper_profile((enum qn_snyper_profile_id)i), bytes, len,
					&other, &fault);
		REQUIRE(theirs == fault.code || theirs == QN_OK);
		REQUIRE(fault.offset <= len);
		if (theirs == QN_OK)
			check_message(&other, bytes, len);
		if (code != QN_OK)
			continue;
		REQUIRE(theirs == QN_OK && other.type == strict.type);
		REQUIRE(same_text(other.id, strict.id));
		REQUIRE(same_text(other.client_id, strict.client_id));
		REQUIRE(same_text(other.duration, strict.duration));
		REQUIRE(other.has_data == strict.has_data);
		REQUIRE(other.duration_s == strict.duration_s);
	}
}

/* Names and errors of any bytes: strict JSON, save that MicroPython passes bad UTF-8 on. */
static void check_texts(const char *bytes, size_t len)
{
	bool utf8 = qn_utf8_valid_len(bytes, len) == len;
	struct qn_snyper_out out = { .type = QN_SNYPER_REGISTER,
				     .target_id = { bytes, len },
				     .client_id = { bytes, len },
				     .wall_ns = 1 };

	if (len > OUT_MAX / 16)
		return;
	for (int i = 0; i < QN_SNYPER_PROFILES; i++) {
		const struct qn_snyper_profile *profile =
			qn_snyper_profile((enum qn_snyper_profile_id)i);
		if (utf8 || profile->ascii)
			check_written(profile, &out);
	}
}

static const char *above_ascii(const char *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if ((bytes[i] & 0x80) != 0)
			return bytes + i;
	return NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t ends[CUTS + 1];

	if (size < 1 + CUTS)
		return 0;
	const char *bytes = (const char *)data + 1 + CUTS;
	size_t len = size - 1 - CUTS;
	enum qn_snyper_profile_id profile = (enum qn_snyper_profile_id)(data[0] & 3);
	enum qn_snyper_role role = (data[0] & 4) != 0 ? QN_SNYPER_MASTER : QN_SNYPER_TARGET;
	enum qn_snyper_type type = requests[data[0] >> 3 & 3];
	uint32_t limit = (data[0] & 32) != 0 ? 100 : 0;

	for (size_t i = 0; i < CUTS; i++) {
		ends[i] = len * data[1 + i] / 256;
		if (i > 0 && ends[i] < ends[i - 1])
			ends[i] = ends[i - 1];
	}
	ends[CUTS] = len;
	struct tale whole = answer(bytes, len, &len, 1, profile, role, limit);
	struct tale cut = answer(bytes, len, ends, CUTS + 1, profile, role, limit);
	bool ascii = above_ascii(bytes, len) == NULL;
	REQUIRE((qn_snyper_profile(profile)->decode_each_read && !ascii) || whole.hash == cut.hash);
	unsigned answered = ask(bytes, len, &len, 1, profile, type, limit);
	unsigned pieces = ask(bytes, len, ends, CUTS + 1, profile, type, limit);
	REQUIRE(qn_snyper_profile(profile)->one_read_answer || answered == pieces);
	check_parsing(bytes, len);
	check_texts(bytes, len);
	return 0;
}
