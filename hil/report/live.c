#include "hil/report/live.h"

#include "hil/report/parts.h"

#include "emulator/base/markup.h"
#include "emulator/base/units.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define DRAW_EVERY_NS (NS_PER_S / 4)
#define LINE_EVERY_NS (5 * NS_PER_S)
#define RECENT 5
#define COLUMN 13
#define LABEL 14
#define BLOCKS_MAX 4

struct at_board {
	char step[COLUMN];
	uint32_t repeat, attempt;
	bool busy;
};

struct live {
	struct live_options options;
	const struct record *record;
	struct at_board boards[RECORD_BOARDS_MAX];
	uint32_t done; /* first attempts: retries were not planned */
	int64_t last_ns, next_line_ns;
	unsigned lines, width;
	struct {
		enum verdict verdict;
		char text[240];
	} recent[RECENT];
	uint64_t recent_count;
};

/* ---- colours ---- */

static const char *colour(const struct live *live, enum verdict verdict)
{
	static const char *const codes[VERDICTS] = { "\033[2m",    "\033[32m",   "\033[33m",
						     "\033[1;35m", "\033[1;31m", "\033[1;33m" };

	return live->options.colour ? codes[verdict] : "";
}

static const char *plain(const struct live *live)
{
	return live->options.colour ? "\033[0m" : "";
}

/* ---- rows ---- */

/* Names and reasons come from plans, boards and the kernel: nothing in them may steer a terminal.
 */
static void clean(char *text)
{
	for (; *text != '\0'; text++)
		if ((unsigned char)*text < 0x20 || (unsigned char)*text >= 0x7f)
			*text = '?';
}

static void row_end(struct live *live)
{
	fprintf(live->options.out, "%s\n", live->options.terminal ? "\033[K" : "");
	live->lines++;
}

/* Cut to the screen, so that it never wraps: the next redraw counts rows. */
static void row(struct live *live, const char *text)
{
	fprintf(live->options.out, "%.*s", (int)live->width - 1, text);
	row_end(live);
}

/* ---- time ---- */

/* "3 min 05 s", "42 s": no fractions, they would flicker. */
static const char *time_text(int64_t ns, char *buf, size_t cap)
{
	long long s = (long long)((ns + NS_PER_S / 2) / NS_PER_S);

	if (s >= 3600)
		snprintf(buf, cap, "%lld h %02lld min", s / 3600, s / 60 % 60);
	else if (s >= 60)
		snprintf(buf, cap, "%lld min %02lld s", s / 60, s % 60);
	else
		snprintf(buf, cap, "%lld s", s);
	return buf;
}

/* A guess out of what was done is none before a few steps. */
static bool time_left(const struct live *live, int64_t now_ns, int64_t *ret)
{
	uint32_t planned = live->record->run.steps_planned;
	int64_t took = now_ns - live->record->run.start_ns;

	if (planned == 0 || live->done < 3 || live->done > planned)
		return false;
	*ret = (int64_t)((double)took / live->done * (planned - live->done));
	return true;
}

static void progress(const struct live *live, int64_t now_ns, char *buf, size_t cap)
{
	char took[32], left[32], planned[24] = "";
	int64_t ns;

	if (live->record->run.steps_planned > 0)
		snprintf(planned, sizeof(planned), " of %u", live->record->run.steps_planned);
	snprintf(buf, cap, "%s   %u%s steps%s%s",
		 time_text(now_ns - live->record->run.start_ns, took, sizeof(took)), live->done,
		 planned, time_left(live, now_ns, &ns) ? "   left about " : "",
		 time_left(live, now_ns, &ns) ? time_text(ns, left, sizeof(left)) : "");
}

/* ---- boards in columns ---- */

static unsigned columns(const struct live *live)
{
	unsigned room = live->width > LABEL + COLUMN ? (live->width - 1 - LABEL) / COLUMN : 1;

	return room < 1 ? 1 : room;
}

static void draw_names(struct live *live, unsigned from, unsigned to)
{
	char text[RECORD_BOARDS_MAX * COLUMN + LABEL + 1];
	int len = snprintf(text, sizeof(text), "%-*s", LABEL, "");

	for (unsigned i = from; i < to; i++)
		len += snprintf(text + len, sizeof(text) - (size_t)len, "%-*.*s", COLUMN,
				COLUMN - 1, live->record->boards[i].name);
	clean(text);
	row(live, text);
}

static void draw_steps(struct live *live, unsigned from, unsigned to)
{
	char text[RECORD_BOARDS_MAX * COLUMN + LABEL + 1], number[COLUMN];
	int len = snprintf(text, sizeof(text), "%-*s", LABEL, "step");

	for (unsigned i = from; i < to; i++)
		len += snprintf(text + len, sizeof(text) - (size_t)len, "%-*.*s", COLUMN,
				COLUMN - 1, live->boards[i].busy ? live->boards[i].step : "-");
	clean(text);
	row(live, text);
	len = snprintf(text, sizeof(text), "%-*s", LABEL, "");
	for (unsigned i = from; i < to; i++) {
		const struct at_board *at = &live->boards[i];
		snprintf(number, sizeof(number), at->attempt > 0 ? "#%u try %u" : "#%u",
			 at->repeat + 1, at->attempt + 1);
		len += snprintf(text + len, sizeof(text) - (size_t)len, "%-*.*s", COLUMN,
				COLUMN - 1, at->busy ? number : "");
	}
	row(live, text);
}

static void draw_counts(struct live *live, enum verdict verdict, unsigned from, unsigned to)
{
	FILE *out = live->options.out;

	fprintf(out, "%-*s", LABEL, verdict_name(verdict));
	for (unsigned i = from; i < to; i++) {
		uint32_t n = live->record->boards[i].steps[verdict];
		fprintf(out, "%s%-*u%s", n > 0 ? colour(live, verdict) : "", COLUMN, n,
			n > 0 ? plain(live) : "");
	}
	row_end(live);
}

static void draw_boards(struct live *live)
{
	unsigned n = live->record->board_count, each = columns(live), from = 0;

	for (unsigned block = 0; block < BLOCKS_MAX && from < n; block++, from += each) {
		unsigned to = from + each < n ? from + each : n;
		draw_names(live, from, to);
		draw_steps(live, from, to);
		for (int verdict = VERDICT_PASS; verdict < VERDICTS; verdict++)
			draw_counts(live, (enum verdict)verdict, from, to);
	}
	if (from < n) {
		char text[48];
		snprintf(text, sizeof(text), "and %u boards more", n - from);
		row(live, text);
	}
}

/* ---- the view ---- */

static unsigned screen_width(const struct live *live)
{
	struct winsize size;

	if (live->options.width > 0)
		return live->options.width;
	return ioctl(fileno(live->options.out), TIOCGWINSZ, &size) == 0 && size.ws_col > 20
		       ? size.ws_col
		       : 80;
}

static void erase(struct live *live)
{
	if (live->lines > 0)
		fprintf(live->options.out, "\033[%uA\033[J", live->lines);
	live->lines = 0;
}

static void draw(struct live *live, int64_t now_ns)
{
	FILE *out = live->options.out;
	unsigned width = screen_width(live);
	char text[320], where[160];

	/* The terminal has wrapped what stood there: nobody knows how many rows it is now. */
	if (live->width != width && live->lines > 0) {
		fputs("\033[H\033[J", out);
		live->lines = 0;
	}
	live->width = width;
	if (live->lines > 0)
		fprintf(out, "\033[%uA", live->lines);
	live->lines = 0;
	progress(live, now_ns, where, sizeof(where));
	snprintf(text, sizeof(text), "%.100s   %s", run_title(live->record), where);
	clean(text);
	row(live, text);
	draw_boards(live);
	for (uint64_t i = live->recent_count > RECENT ? live->recent_count - RECENT : 0;
	     i < live->recent_count; i++) {
		fputs(colour(live, live->recent[i % RECENT].verdict), out);
		fprintf(out, "%.*s%s", (int)width - 1, live->recent[i % RECENT].text, plain(live));
		row_end(live);
	}
	fputs("\033[J", out);
	fflush(out);
}

static void print_line(struct live *live, int64_t now_ns)
{
	char where[160];
	uint64_t n[VERDICTS];

	for (int i = 0; i < VERDICTS; i++)
		n[i] = steps_total(live->record, (enum verdict)i);
	progress(live, now_ns, where, sizeof(where));
	fprintf(live->options.out,
		"%s   pass %llu marginal %llu inconclusive %llu fail %llu error %llu\n", where,
		(unsigned long long)n[VERDICT_PASS], (unsigned long long)n[VERDICT_MARGINAL],
		(unsigned long long)n[VERDICT_INCONCLUSIVE], (unsigned long long)n[VERDICT_FAIL],
		(unsigned long long)n[VERDICT_ERROR]);
	fflush(live->options.out);
}

int64_t live_tick(struct live *live, int64_t now_ns)
{
	int64_t every = live->options.terminal ? DRAW_EVERY_NS : LINE_EVERY_NS;

	live->last_ns = now_ns;
	if (live->next_line_ns == 0)
		live->next_line_ns = live->options.terminal ? now_ns : now_ns + every;
	if (now_ns < live->next_line_ns)
		return live->next_line_ns - now_ns;
	if (live->options.terminal)
		draw(live, now_ns);
	else
		print_line(live, now_ns);
	live->next_line_ns = now_ns + every;
	return every;
}

/* ---- what happens ---- */

static struct at_board *at_board(struct live *live, int board)
{
	return board >= 0 && (unsigned)board < live->record->board_count ? &live->boards[board]
									 : NULL;
}

void live_step_begin(struct live *live, const struct step_result *step)
{
	struct at_board *at = at_board(live, step->board);

	if (at == NULL)
		return;
	snprintf(at->step, sizeof(at->step), "%.*s", COLUMN - 1, step->name);
	at->repeat = step->repeat;
	at->attempt = step->attempt;
	at->busy = true;
}

void live_step_end(struct live *live, const struct step_result *step)
{
	struct at_board *at = at_board(live, step->board);
	char text[400];

	live->done += step->attempt == 0;
	if (at != NULL)
		at->busy = false;
	if (step->verdict < VERDICT_INCONCLUSIVE)
		return;
	snprintf(text, sizeof(text), "%-12s %s %s #%u: %s", verdict_name(step->verdict),
		 board_name(live->record, step->board), step->name, step->repeat + 1, step->why);
	clean(text);
	if (!live->options.terminal) {
		fprintf(live->options.out, "%s\n", text);
		fflush(live->options.out);
		return;
	}
	live->recent[live->recent_count % RECENT].verdict = step->verdict;
	snprintf(live->recent[live->recent_count % RECENT].text, sizeof(live->recent[0].text),
		 "%.239s", text);
	live->recent_count++;
}

void live_message(struct live *live, const char *text)
{
	char copy[600];

	snprintf(copy, sizeof(copy), "%s", text);
	clean(copy);
	erase(live);
	fprintf(live->options.out, "%s\n", copy);
	fflush(live->options.out);
	live->next_line_ns = live->options.terminal ? 0 : live->next_line_ns;
}

/* ---- the end ---- */

static void summary_line(struct live *live, const struct record_board *board)
{
	char name[64];
	FILE *out = live->options.out;

	snprintf(name, sizeof(name), "%s", board->name);
	clean(name);
	fprintf(out, "  %s%-12s%s %-16s", colour(live, board->worst), verdict_name(board->worst),
		plain(live), name);
	for (int i = VERDICT_PASS; i < VERDICTS; i++)
		if (board->steps[i] > 0)
			fprintf(out, "  %u %s", board->steps[i], verdict_name((enum verdict)i));
	if (board->retries > 0)
		fprintf(out, "  (%u retries)", board->retries);
	fputc('\n', out);
}

void live_finish(struct live *live, int64_t now_ns)
{
	const struct record *record = live->record;
	FILE *out = live->options.out;
	char took[32];

	erase(live);
	for (unsigned i = 0; i < record->board_count; i++)
		summary_line(live, &record->boards[i]);
	if (record->bench.worst != VERDICT_NONE)
		summary_line(live, &record->bench);
	fprintf(out, "%s%s%s in %s", colour(live, record->worst), verdict_name(record->worst),
		plain(live), time_text(now_ns - record->run.start_ns, took, sizeof(took)));
	if (record->error[0] != '\0') {
		char text[200];
		snprintf(text, sizeof(text), "%s", record->error);
		clean(text);
		fprintf(out, ": %s", text);
	}
	fprintf(out, "   run %s\n", record->run.id);
	fflush(out);
}

int live_new(const struct live_options *options, const struct record *record, struct live **ret)
{
	struct live *live = calloc(1, sizeof(*live));

	if (live == NULL)
		return -ENOMEM;
	live->options = *options;
	live->record = record;
	live->width = 80;
	*ret = live;
	return 0;
}

void live_free(struct live *live)
{
	if (live == NULL)
		return;
	erase(live);
	fflush(live->options.out);
	free(live);
}
