#include "proto/snyper/message.h"

#include <string.h>

enum field { FIELD_TYPE, FIELD_ID, FIELD_TIMESTAMP, FIELD_TARGET_ID, FIELD_DATA, FIELDS };

static const uint8_t orders[][FIELDS] = {
	[QN_SNYPER_ORDER_CPYTHON] = { FIELD_TYPE, FIELD_ID, FIELD_TIMESTAMP, FIELD_TARGET_ID,
				      FIELD_DATA },
	[QN_SNYPER_ORDER_UNIX] = { FIELD_TARGET_ID, FIELD_TIMESTAMP, FIELD_DATA, FIELD_ID,
				   FIELD_TYPE },
	[QN_SNYPER_ORDER_PICO] = { FIELD_TIMESTAMP, FIELD_TYPE, FIELD_DATA, FIELD_ID,
				   FIELD_TARGET_ID },
};

struct constant {
	const char *at;
	size_t len;
};
#define CONSTANT(text)                                                                             \
	{                                                                                          \
		text, sizeof(text) - 1                                                             \
	}

/* What answers say: status and message, in the queued and in the done form. */
struct answer_text {
	struct constant status, message;
};
static const struct answer_text pong = { CONSTANT("\"alive\""),
					 CONSTANT("\"Target reporting for duty!\"") };
static const struct answer_text standing[2] = {
	{ CONSTANT("\"command_queued\""), CONSTANT("\"Stand up command queued\"") },
	{ CONSTANT("\"standing\""), CONSTANT("\"Target is standing\"") },
};
static const struct answer_text down[2] = {
	{ CONSTANT("\"command_queued\""), CONSTANT("\"Lay down command queued\"") },
	{ CONSTANT("\"down\""), CONSTANT("\"Target is down\"") },
};
static const struct answer_text activated[2] = {
	{ CONSTANT("\"activation_queued\""), CONSTANT("\"Activation command queued\"") },
	{ CONSTANT("\"activated\""), CONSTANT("\"Target is active\"") },
};

static void put_constant(struct qn_json_writer *w, struct constant text)
{
	qn_json_put(w, text.at, text.len);
}

static void put_fraction(struct qn_json_writer *w, int64_t value, int digits)
{
	char text[10];

	for (int i = digits; i-- > 0; value /= 10)
		text[i] = (char)('0' + value % 10);
	while (digits > 1 && text[digits - 1] == '0')
		digits--;
	qn_json_put(w, ".", 1);
	qn_json_put(w, text, (size_t)digits);
}

static void put_timestamp(struct qn_json_writer *w, enum qn_snyper_clock clock, int64_t wall_ns)
{
	if (wall_ns < 0) /* a clock fault may go back before 1970; the wire has no such time */
		wall_ns = 0;
	qn_json_put_int(w, wall_ns / 1000000000);
	switch (clock) {
	case QN_SNYPER_CLOCK_SECONDS: break;
	case QN_SNYPER_CLOCK_US: put_fraction(w, wall_ns % 1000000000 / 1000, 6); break;
	case QN_SNYPER_CLOCK_100NS: put_fraction(w, wall_ns % 1000000000 / 100, 7); break;
	}
}

static void put_id(struct qn_json_writer *w, const struct qn_snyper_profile *profile,
		   const struct qn_snyper_out *out)
{
	if (out->id.len > 0) {
		qn_json_put(w, out->id.at, out->id.len);
		return;
	}
	int64_t ms = out->wall_ns > 0 ? out->wall_ns / 1000000 : 0;
	if (profile->clock == QN_SNYPER_CLOCK_SECONDS)
		ms -= ms % 1000; /* the board knows whole seconds only: its ids end in 000 */
	qn_json_put_literal(w, "\"msg_");
	qn_json_put_int(w, ms);
	qn_json_put(w, "\"", 1);
}

static void put_duration(struct qn_json_writer *w, struct qn_text duration)
{
	qn_json_put_literal(w, "\"duration\": ");
	if (duration.len > 0)
		qn_json_put(w, duration.at, duration.len);
	else
		qn_json_put(w, "5", 1);
}

static void put_answer(struct qn_json_writer *w, const struct qn_snyper_profile *profile,
		       const struct answer_text *answer, const struct qn_text *duration)
{
	if (profile->values_last) {
		if (duration != NULL) {
			put_duration(w, *duration);
			qn_json_put_literal(w, ", ");
		}
		qn_json_put_literal(w, "\"message\": ");
		put_constant(w, answer->message);
		qn_json_put_literal(w, ", \"status\": ");
		put_constant(w, answer->status);
		return;
	}
	qn_json_put_literal(w, "\"status\": ");
	put_constant(w, answer->status);
	if (duration != NULL) {
		qn_json_put_literal(w, ", ");
		put_duration(w, *duration);
	}
	qn_json_put_literal(w, ", \"message\": ");
	put_constant(w, answer->message);
}

static void put_data(struct qn_json_writer *w, const struct qn_snyper_profile *profile,
		     const struct qn_snyper_out *out)
{
	switch (out->type) {
	case QN_SNYPER_REGISTER:
		qn_json_put_literal(w, "\"client_id\": ");
		qn_json_put_string(w, out->client_id.at, out->client_id.len, profile->ascii);
		break;
	case QN_SNYPER_REGISTERED: qn_json_put_literal(w, "\"status\": \"registered\""); break;
	case QN_SNYPER_PING:
	case QN_SNYPER_STAND_UP:
	case QN_SNYPER_LAY_DOWN: qn_json_put_literal(w, "\"from\": \"master\""); break;
	case QN_SNYPER_ACTIVATE:
		if (profile->values_last) {
			put_duration(w, out->duration);
			qn_json_put_literal(w, ", \"from\": \"master\"");
		} else {
			qn_json_put_literal(w, "\"from\": \"master\", ");
			put_duration(w, out->duration);
		}
		break;
	case QN_SNYPER_PONG: put_answer(w, profile, &pong, NULL); break;
	case QN_SNYPER_STANDING: put_answer(w, profile, &standing[out->done], NULL); break;
	case QN_SNYPER_DOWN: put_answer(w, profile, &down[out->done], NULL); break;
	case QN_SNYPER_ACTIVATED:
		put_answer(w, profile, &activated[out->done], &out->duration);
		break;
	case QN_SNYPER_ERROR:
		qn_json_put_literal(w, "\"error\": ");
		qn_json_put_string(w, out->error.at, out->error.len, profile->ascii);
		break;
	case QN_SNYPER_UNKNOWN:
	case QN_SNYPER_TYPES: break;
	}
}

static void put_field(struct qn_json_writer *w, enum field field,
		      const struct qn_snyper_profile *profile, const struct qn_snyper_out *out)
{
	switch (field) {
	case FIELD_TYPE: {
		const char *name = qn_snyper_type_name(out->type);
		qn_json_put_literal(w, "\"type\": \"");
		qn_json_put(w, name, strlen(name));
		qn_json_put(w, "\"", 1);
		break;
	}
	case FIELD_ID:
		qn_json_put_literal(w, "\"id\": ");
		put_id(w, profile, out);
		break;
	case FIELD_TIMESTAMP:
		qn_json_put_literal(w, "\"timestamp\": ");
		put_timestamp(w, profile->clock, out->wall_ns);
		break;
	case FIELD_TARGET_ID:
		qn_json_put_literal(w, "\"target_id\": ");
		qn_json_put_string(w, out->target_id.at, out->target_id.len, profile->ascii);
		break;
	case FIELD_DATA:
		qn_json_put_literal(w, "\"data\": {");
		put_data(w, profile, out);
		qn_json_put(w, "}", 1);
		break;
	case FIELDS: break;
	}
}

size_t qn_snyper_write(const struct qn_snyper_profile *profile, const struct qn_snyper_out *out,
		       char *buffer, size_t cap)
{
	struct qn_json_writer w;
	const uint8_t *order = orders[profile->order];
	bool first = true;

	qn_json_writer_init(&w, buffer, cap);
	qn_json_put(&w, "{", 1);
	for (int i = 0; i < FIELDS; i++) {
		if (order[i] == FIELD_TARGET_ID && out->target_id.len == 0)
			continue;
		if (!first)
			qn_json_put_literal(&w, ", ");
		first = false;
		put_field(&w, (enum field)order[i], profile, out);
	}
	qn_json_put_literal(&w, "}\n");
	return w.full ? 0 : qn_json_written(&w);
}
