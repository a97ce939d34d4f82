/*
 * The live view, as a terminal and as a log would get it.
 */
#include "hil/report/live.h"

#include "tests/hil/hil_run.h"

#include "emulator/base/units.h"

static struct record record;
static struct live *live;
static FILE *out;
static char *text;
static size_t len;

static void begin(bool terminal, unsigned width)
{
	struct live_options options = { .terminal = terminal, .colour = terminal, .width = width };

	text = NULL;
	out = options.out = open_memstream(&text, &len);
	cr_assert(out != NULL && live_new(&options, &record, &live) == 0);
}

static void end(void)
{
	live_free(live);
	live = NULL;
	fclose(out);
	free(text);
	record_release(&record);
}

static void on_begin(const struct step_result *step, void *context)
{
	(void)context;
	live_step_begin(live, step);
	live_tick(live, step->begin_ns);
}

static void on_end(const struct step_result *step, void *context)
{
	(void)context;
	live_step_end(live, step);
	live_tick(live, step->end_ns);
}

static void run(unsigned boards, unsigned repeats)
{
	struct synthetic options = { .seed = 11, .boards = boards, .repeats = repeats };

	cr_assert(synthetic_run(&options, &record, on_begin, on_end, NULL) == 0);
}

/* ---- a terminal, in so far as the view uses one ---- */

#define ROWS 200
#define WIDTH 300
struct screen {
	char rows[ROWS][WIDTH];
	unsigned y, x, width;
	bool wrapped;
};

static void control(struct screen *screen, const char **at)
{
	unsigned n = 0;
	const char *p = *at + 1;

	cr_assert(*p++ == '[');
	while ((*p >= '0' && *p <= '9') || *p == ';') {
		n = *p == ';' ? 0 : n * 10 + (unsigned)(*p - '0');
		p++;
	}
	switch (*p) {
	case 'm': break;
	case 'A':
		cr_assert(n <= screen->y, "above the top");
		screen->y -= n;
		screen->x = 0;
		break;
	case 'K': memset(screen->rows[screen->y] + screen->x, 0, WIDTH - screen->x); break;
	case 'J':
		for (unsigned y = screen->y; y < ROWS; y++)
			memset(screen->rows[y], 0, WIDTH);
		break;
	default: cr_assert_fail("escape %c", *p);
	}
	*at = p;
}

static void show(struct screen *screen, unsigned width)
{
	fflush(out);
	memset(screen, 0, sizeof(*screen));
	screen->width = width;
	for (const char *at = text; at < text + len; at++) {
		if (*at == '\x1b') {
			control(screen, &at);
		} else if (*at == '\n') {
			cr_assert(++screen->y < ROWS);
			screen->x = 0;
		} else {
			cr_assert(*at >= ' ' && (unsigned char)*at < 0x7f, "byte %02x",
				  (unsigned char)*at);
			screen->wrapped = screen->wrapped || screen->x >= width;
			screen->rows[screen->y][screen->x++] = *at;
		}
	}
}

static bool has_row(const struct screen *screen, const char *what)
{
	for (unsigned y = 0; y < ROWS; y++)
		if (strstr(screen->rows[y], what) != NULL)
			return true;
	return false;
}

static unsigned height(const struct screen *screen)
{
	unsigned n = 0;

	for (unsigned y = 0; y < ROWS; y++)
		n = screen->rows[y][0] != '\0' ? y + 1 : n;
	return n;
}

Test(live, boards_in_columns)
{
	static struct screen screen;

	/* run() makes the record that the view shows: the view is there first. */
	begin(true, 100);
	run(5, 12);
	live_tick(live, record.run.end_ns + NS_PER_S);
	show(&screen, 100);
	cr_expect(has_row(&screen, "alpha        bravo        charlie      delta        echo"));
	cr_expect(has_row(&screen, "180 of 180 steps"));
	cr_expect(has_row(&screen, "PASS          36"));
	cr_expect(has_row(&screen, "FAIL         "));
	cr_expect(!screen.wrapped);
	/* It was redrawn some hundred times, and stands there once. */
	cr_expect(height(&screen) <= 14, "%u rows", height(&screen));
	cr_expect(strstr(text, "\033[1;31m") != NULL, "a failure is red");
	end();
}

Test(live, narrow_screens_get_blocks)
{
	static struct screen screen;

	begin(true, 45);
	run(5, 5);
	live_tick(live, record.run.end_ns + NS_PER_S);
	show(&screen, 45);
	cr_expect(!screen.wrapped, "a row that wraps would be left behind");
	cr_expect(has_row(&screen, "alpha        bravo"));
	cr_expect(has_row(&screen, "charlie      delta"));
	cr_expect(has_row(&screen, "echo"));
	end();
}

Test(live, finished_it_leaves_the_summary_alone)
{
	static struct screen screen;

	begin(true, 100);
	run(5, 5);
	live_tick(live, record.run.end_ns);
	live_finish(live, record.run.end_ns);
	show(&screen, 100);
	cr_expect(height(&screen) == 6, "%u rows", height(&screen));
	cr_expect(strncmp(screen.rows[0], "  PASS", 6) == 0);
	cr_expect(has_row(&screen, "ERROR in 22 s") || has_row(&screen, "ERROR in 23 s"), "%s",
		  screen.rows[5]);
	end();
}

Test(live, messages_do_not_tear_it)
{
	static struct screen screen;

	begin(true, 100);
	run(2, 2);
	live_tick(live, record.run.end_ns + NS_PER_S);
	live_message(live, "the disk is full\x1b[2J");
	live_tick(live, record.run.end_ns + 2 * NS_PER_S);
	show(&screen, 100);
	cr_expect(strcmp(screen.rows[0], "the disk is full?[2J") == 0, "%s", screen.rows[0]);
	cr_expect(has_row(&screen, "alpha        bravo"));
	end();
}

Test(live, a_log_gets_lines_now_and_then)
{
	begin(false, 0);
	run(5, 20);
	fflush(out);
	cr_expect(strchr(text, '\x1b') == NULL, "no colours in a log");
	unsigned lines = 0, failures = 0;
	char *copy = strdup(text);
	for (char *line = strtok(copy, "\n"); line != NULL; line = strtok(NULL, "\n")) {
		lines += strstr(line, "steps") != NULL && strstr(line, "pass ") != NULL;
		failures += strncmp(line, "FAIL", 4) == 0 || strncmp(line, "ERROR", 5) == 0;
	}
	free(copy);
	/* 90 s of run: one in 5 s. */
	cr_expect(lines >= 15 && lines <= 20, "%u lines", lines);
	unsigned bad = 0;
	for (uint32_t i = 0; i < record.step_count; i++)
		bad += record.steps[i].verdict >= VERDICT_INCONCLUSIVE;
	cr_expect(bad > 0 && failures == bad, "%u of %u", failures, bad);
	cr_expect(strstr(text, "left about") != NULL);
	end();
}

Test(live, hostile_names_do_not_steer_the_terminal)
{
	static struct screen screen;

	hostile_run(&record);
	begin(true, 100);
	for (uint32_t i = 0; i < record.step_count; i++) {
		live_step_begin(live, &record.steps[i]);
		live_tick(live, 50000 + i * NS_PER_S);
		live_step_end(live, &record.steps[i]);
	}
	live_tick(live, 60 * NS_PER_S);
	show(&screen, 100);
	cr_expect(!screen.wrapped);
	live_finish(live, 61 * NS_PER_S);
	show(&screen, 100);
	end();
}
