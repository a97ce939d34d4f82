#include "hil/report/parts.h"

#include "hil/report/writers.h"

#include "emulator/base/units.h"

#include <ctype.h>
#include <inttypes.h>
#include <string.h>

/*
 * Value Change Dump (IEEE 1364-2005, 18.2), with strings as GTKWave has them. Only single bits and
 * strings: libsigrok 0.5.2, which PulseView of Debian 12 reads with, gives up at a real and at a
 * vector, and skips strings it does not know. It also forgets scopes, so a name has its board in
 * it; and it makes a sample of every tick, so a tick is a microsecond. A bit turns over with every
 * text, for who cannot see the text. Codes begin with a letter that begins no value.
 */
#define TICK_NS NS_PER_US

static char lower_word(char c)
{
	return isalnum((unsigned char)c) ? c : '_';
}

static void put_word(FILE *out, const char *text)
{
	for (; *text != '\0'; text++)
		fputc(lower_word(*text), out);
}

static bool has_text(const struct channel *channel)
{
	return channel->kind != CHANNEL_PIN;
}

static void put_variables(const struct record *record, int board, FILE *out)
{
	fputs("$scope module ", out);
	put_word(out, board_name(record, board));
	fputs(" $end\n", out);
	for (unsigned i = 0; i < record->channel_count; i++) {
		const struct channel *channel = &record->channels[i];
		if (channel->board != board)
			continue;
		int forms = has_text(channel) ? 2 : 1;
		for (int text = 0; text < forms; text++) {
			fprintf(out, "$var %s 1 %c%u ", text ? "string" : "wire", text ? 't' : 'w',
				i);
			put_word(out, board_name(record, board));
			fputc('_', out);
			put_word(out, channel->name);
			fprintf(out, "%s $end\n", !text && has_text(channel) ? "_new" : "");
		}
	}
	fputs("$upscope $end\n", out);
}

static void put_header(const struct record *record, FILE *out)
{
	char when[WHEN_CAP];

	fprintf(out, "$date %s $end\n$version quintain-hil %s $end\n",
		when_text(record->run.start_wall_ns, when), QN_VERSION);
	if (run_warning(record)[0] != '\0')
		fprintf(out, "$comment %s $end\n", run_warning(record));
	if (record->events_left_out > 0)
		fprintf(out, "$comment the oldest %" PRIu64 " events found no room $end\n",
			record->events_left_out);
	fputs("$timescale 1 us $end\n", out);
	for (unsigned i = 0; i < record->board_count; i++)
		put_variables(record, (int)i, out);
	put_variables(record, RECORD_NO_BOARD, out);
	fputs("$scope module bench_notes $end\n$var string 1 tn notes $end\n$upscope $end\n"
	      "$enddefinitions $end\n",
	      out);
}

/* One word, as GTKWave wants it: spaces and what does not print as \xNN. */
static void put_string(FILE *out, const char *text, size_t len)
{
	fputc('s', out);
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];
		if (c == '\\')
			fputs("\\\\", out);
		else if (c > 0x20 && c < 0x7f)
			fputc(c, out);
		else if (c == '\n' && i + 1 == len)
			continue;
		else
			fprintf(out, "\\x%02x", c);
	}
}

/* What a value turns into that has no text of its own. */
static size_t describe(const struct timeline_event *event, char *buf, size_t cap)
{
	int len = 0;

	switch (event->kind) {
	case TIMELINE_SERVO:
		len = event->value == 0 ? snprintf(buf, cap, "no pulses")
					: snprintf(buf, cap, "%.1f us", (double)event->value / 1e3);
		break;
	case TIMELINE_LOST: len = snprintf(buf, cap, "LOST %" PRId64, event->value); break;
	case TIMELINE_SENT: len = snprintf(buf, cap, "-> "); break;
	case TIMELINE_RECEIVED: len = snprintf(buf, cap, "<- "); break;
	case TIMELINE_STEP_END:
		len = snprintf(buf, cap, "%s ", verdict_name((enum verdict)event->value));
		break;
	default: break;
	}
	int text = event->text != NULL && (size_t)len < cap ? event->text_len : 0;
	if (text > (int)(cap - (size_t)len))
		text = (int)cap - len;
	if (text > 0)
		memcpy(buf + len, event->text, (size_t)text);
	return (size_t)len + (size_t)text;
}

static void put_event(const struct record *record, const struct timeline_event *event, bool *level,
		      FILE *out)
{
	char text[TIMELINE_TEXT_MAX + 64];

	if (event->channel < 0) {
		put_string(out, text, describe(event, text, sizeof(text)));
		fputs(" tn\n", out);
		return;
	}
	unsigned c = (unsigned)event->channel;
	if (event->kind == TIMELINE_PIN) {
		fprintf(out, "%dw%u\n", event->value != 0, c);
		return;
	}
	/* Edges that were lost on a line of bits: what it is, nobody knows. */
	if (!has_text(&record->channels[c])) {
		fprintf(out, "xw%u\n", c);
		return;
	}
	level[c] = !level[c];
	fprintf(out, "%dw%u\n", level[c], c);
	put_string(out, text, describe(event, text, sizeof(text)));
	fprintf(out, " t%u\n", c);
}

static void put_first_values(const struct record *record, FILE *out)
{
	fputs("$dumpvars\n", out);
	for (unsigned i = 0; i < record->channel_count; i++) {
		if (has_text(&record->channels[i]))
			fprintf(out, "0w%u\ns t%u\n", i, i);
		else
			fprintf(out, "xw%u\n", i);
	}
	fputs("s tn\n$end\n", out);
}

void vcd_put(const struct record *record, FILE *out)
{
	bool level[RECORD_CHANNELS_MAX] = { false };
	int64_t base = record->run.start_ns, now = -1, end = run_span(record) / TICK_NS;

	uint32_t n = record_event_count(record);
	/* What came before the run: the axis begins with it. */
	if (n > 0 && record_event_at(record, 0).t_ns < base)
		base = record_event_at(record, 0).t_ns;
	put_header(record, out);
	fputs("#0\n", out);
	put_first_values(record, out);
	now = 0;
	for (uint32_t i = 0; i < n; i++) {
		struct timeline_event event = record_event_at(record, i);
		int64_t tick = (event.t_ns - base) / TICK_NS;
		if (tick != now)
			fprintf(out, "#%" PRId64 "\n", tick);
		now = tick;
		put_event(record, &event, level, out);
	}
	if (end > now)
		fprintf(out, "#%" PRId64 "\n", end);
}
