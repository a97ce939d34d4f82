#include "emulator/cli/app.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#define OF(pointer, type, member) ((type *)((char *)(pointer)-offsetof(type, member)))
#define DRAW_EVERY_NS (NS_PER_S / 4)
#define LINE_EVERY_NS (3 * NS_PER_S)
#define RECENT 6
#define RECENT_LEN 100

/* What is worth a line among the recent events: changes, not messages. */
#define RECENT_MASK                                                                                \
	(EVENT_BIT(EVENT_REGISTER_FAILED) | EVENT_BIT(EVENT_LISTEN_FAILED) |                       \
	 EVENT_BIT(EVENT_CRASHED) | EVENT_BIT(EVENT_GAVE_UP) | EVENT_BIT(EVENT_HIT) |              \
	 EVENT_BIT(EVENT_MISS) | EVENT_BIT(EVENT_BAD_LINE) | EVENT_BIT(EVENT_QUEUE_FULL) |         \
	 EVENT_BIT(EVENT_M_FAILED) | EVENT_BIT(EVENT_M_LOST) | EVENT_BIT(EVENT_M_FORGOTTEN) |      \
	 EVENT_BIT(EVENT_M_ROUND) | EVENT_BIT(EVENT_M_REJECTED) | EVENT_BIT(EVENT_DISCONNECTED))

struct live {
	struct event_sink sink;
	struct app *app;
	struct timer timer;
	int64_t shown_real_ns; /* simulated: when progress was last shown, on the real clock */
	bool terminal, colour, started;
	int lines_drawn, width;
	uint64_t last_ok, last_answers, last_disconnects;
	int64_t last_ns;
	size_t recent_next;
	int64_t recent_second;
	unsigned recent_this_second;
	char recent[RECENT][RECENT_LEN];
};

static void remember(struct event_sink *sink, const struct event *event)
{
	struct live *live = (struct live *)sink;
	int64_t second = event->t_ns / DRAW_EVERY_NS;

	/* A view shows six lines four times a second: more need not be formatted. */
	if (second != live->recent_second) {
		live->recent_second = second;
		live->recent_this_second = 0;
	}
	if (live->recent_this_second++ >= RECENT)
		return;
	const char *type = event->type != 0 ? range_word_name((enum range_word)event->type) : "";
	char *line = live->recent[live->recent_next++ % RECENT];
	snprintf(line, RECENT_LEN, "%8.3f  %-16s %s %s",
		 (double)(event->t_ns - live->app->start_ns) / 1e9, event_name(event->kind),
		 event->name != NULL ? event->name : "", type);
	size_t len = strlen(line);
	for (size_t i = 0; i < event->text_len && len + 3 < RECENT_LEN; i++) {
		unsigned char c = (unsigned char)event->text[i];
		if (i == 0)
			line[len++] = ' ';
		line[len++] = c >= 0x20 && c < 0x7f ? (char)c : '?';
	}
	line[len] = '\0';
}

static int terminal_width(void)
{
	struct winsize size;

	return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 20 ? size.ws_col : 80;
}

/* One line of the view, cut to the screen so that it never wraps. */
static void row(struct live *live, int width, const char *text)
{
	fprintf(stderr, "%.*s\033[K\n", width - 1, text);
	live->lines_drawn++;
}

static double rate(uint64_t now, uint64_t *last, int64_t ns)
{
	double per_s = ns > 0 ? (double)(now - *last) * 1e9 / (double)ns : 0;

	*last = now;
	return per_s;
}

static size_t describe_states(const struct fleet *fleet, char *text, size_t cap)
{
	size_t len = 0;

	for (int state = 0; state < TARGET_STATES; state++) {
		uint64_t n = fleet->env.totals.by_state[state];
		if (n > 0 && len + 32 < cap)
			len += (size_t)snprintf(text + len, cap - len, "  %s %llu",
						target_state_name((enum target_state)state),
						(unsigned long long)n);
	}
	return len;
}

static void describe_fleet(struct live *live, int64_t ns, char *text, size_t cap)
{
	const struct fleet *fleet = live->app->fleet;
	const struct target_totals *totals = &fleet->env.totals;
	size_t len = (size_t)snprintf(text, cap, "fleet   %llu of %u registered ",
				      (unsigned long long)totals->registered, fleet->count);

	len += describe_states(fleet, text + len, cap - len);
	snprintf(text + len, cap - len, "   %.0f answers/s",
		 rate(totals->answers, &live->last_answers, ns));
}

/* One line however many there are. */
static void describe_drops(const struct fleet *fleet, char *text, size_t cap)
{
	snprintf(text, cap, "warning: connections lost: %llu",
		 (unsigned long long)fleet->env.totals.disconnects);
}

static void describe_master(struct live *live, int64_t ns, char *text, size_t cap)
{
	const struct master *master = live->app->master;
	const struct master_totals *totals = master_totals(master);

	snprintf(
		text, cap,
		"master  %u known   sent %llu  ok %llu  failed %llu  lost %llu  under way %llu   %.0f ok/s",
		master_known(master), (unsigned long long)totals->sent,
		(unsigned long long)totals->ok, (unsigned long long)totals->failed,
		(unsigned long long)totals->lost,
		(unsigned long long)(totals->under_way + totals->waiting),
		rate(totals->ok, &live->last_ok, ns));
}

static void draw_latencies(struct live *live, int width)
{
	char text[160];

	for (size_t i = 0; i < 4; i++) {
		const struct master_command_stats *stats = master_stats(live->app->master,
									range_commands[i]);
		if (stats->latency.n == 0)
			continue;
		snprintf(text, sizeof(text),
			 "        %-9s p50 %9.3f ms   p99 %9.3f ms   max %9.3f ms",
			 range_word_name(range_commands[i]),
			 (double)hist_percentile(&stats->latency, 50) / 1e6,
			 (double)hist_percentile(&stats->latency, 99) / 1e6,
			 (double)stats->latency.max / 1e6);
		row(live, width, text);
	}
}

static void erase(struct live *live)
{
	if (live->lines_drawn > 0)
		fprintf(stderr, "\033[%dA\033[J", live->lines_drawn);
	live->lines_drawn = 0;
}

static void draw(struct live *live, int64_t now_ns)
{
	struct app *app = live->app;
	int width = terminal_width();
	char text[256], where[80];
	int64_t ns = now_ns - live->last_ns;

	if (live->width != width && live->lines_drawn > 0) {
		/* The terminal has wrapped what stood there: nobody knows how many rows it is now.
		 */
		fputs("\033[H\033[J", stderr);
		live->lines_drawn = 0;
	}
	live->width = width;
	if (live->lines_drawn > 0)
		fprintf(stderr, "\033[%dA", live->lines_drawn);
	live->lines_drawn = 0;
	const char *what = app->rounds != NULL ? rounds_describe(app->rounds, where, sizeof(where))
					       : NULL;
	snprintf(text, sizeof(text), "%s  %.1f s   %s   (Ctrl-C ends)",
		 app->config.title[0] != '\0' ? app->config.title : "quintain-emu",
		 (double)(now_ns - app->start_ns) / 1e9, what != NULL ? what : "");
	row(live, width, text);
	if (app->fleet != NULL) {
		describe_fleet(live, ns, text, sizeof(text));
		row(live, width, text);
		if (app->fleet->env.totals.disconnects > 0) {
			describe_drops(app->fleet, text, sizeof(text));
			row(live, width, text);
		}
	}
	if (app->master != NULL) {
		describe_master(live, ns, text, sizeof(text));
		row(live, width, text);
		draw_latencies(live, width);
	}
	for (size_t i = 0; i < RECENT; i++) {
		const char *recent = live->recent[(live->recent_next + i) % RECENT];
		if (recent[0] != '\0')
			row(live, width, recent);
	}
	fputs("\033[J", stderr);
	live->last_ns = now_ns;
}

static void print_lines(struct live *live, int64_t now_ns)
{
	struct app *app = live->app;
	char text[256];
	int64_t ns = now_ns - live->last_ns;

	if (app->fleet != NULL) {
		describe_fleet(live, ns, text, sizeof(text));
		fprintf(stderr, "%7.1f s  %s\n", (double)(now_ns - app->start_ns) / 1e9, text);
		/* Said again only when there are more. */
		if (app->fleet->env.totals.disconnects > live->last_disconnects) {
			describe_drops(app->fleet, text, sizeof(text));
			fprintf(stderr, "%7.1f s  %s\n", (double)(now_ns - app->start_ns) / 1e9,
				text);
		}
		live->last_disconnects = app->fleet->env.totals.disconnects;
	}
	if (app->master != NULL) {
		describe_master(live, ns, text, sizeof(text));
		fprintf(stderr, "%7.1f s  %s\n", (double)(now_ns - app->start_ns) / 1e9, text);
	}
	live->last_ns = now_ns;
}

/* A simulated run has no view; what takes longer than two real seconds says how far it is. */
static void tick_simulated(struct live *live, int64_t now_ns)
{
	struct app *app = live->app;
	struct timespec real;
	int64_t end = app->options->for_ns > 0 ? app->options->for_ns
					       : app->config.scenario.duration_ns;

	clock_gettime(CLOCK_MONOTONIC, &real);
	int64_t real_ns = (int64_t)real.tv_sec * NS_PER_S + real.tv_nsec;
	if (live->shown_real_ns == 0)
		live->shown_real_ns = real_ns;
	if (real_ns - live->shown_real_ns < 2 * NS_PER_S)
		return;
	live->shown_real_ns = real_ns;
	fprintf(stderr, "%9.1f s simulated", (double)now_ns / 1e9);
	if (end > 0)
		fprintf(stderr, " of %.1f s (%.0f %%)", (double)end / 1e9,
			100.0 * (double)now_ns / (double)end);
	if (app->master != NULL)
		fprintf(stderr, "  commands sent %llu",
			(unsigned long long)master_totals(app->master)->sent);
	fputc('\n', stderr);
}

static void tick(struct timer *timer, int64_t now_ns)
{
	struct live *live = OF(timer, struct live, timer);

	if (live->app->loop.simulated) {
		tick_simulated(live, now_ns);
		loop_timer(&live->app->loop, timer, NS_PER_S);
		return;
	}

	if (live->terminal)
		draw(live, now_ns);
	else
		print_lines(live, now_ns);
	loop_timer(&live->app->loop, timer, live->terminal ? DRAW_EVERY_NS : LINE_EVERY_NS);
}

int live_new(struct app *app, struct live **ret)
{
	struct live *live = calloc(1, sizeof(*live));
	const char *term = getenv("TERM");

	if (live == NULL)
		return -ENOMEM;
	live->app = app;
	live->timer.fire = tick;
	live->terminal = !app->options->quiet && !app->loop.simulated && isatty(STDERR_FILENO) &&
			 term != NULL && strcmp(term, "dumb") != 0;
	if (live->terminal) {
		live->sink = (struct event_sink){ .event = remember, .mask = RECENT_MASK };
		events_add(&app->events, &live->sink);
	}
	*ret = live;
	return 0;
}

void live_start(struct live *live)
{
	live->last_ns = live->app->loop.now_ns;
	if (live->app->options->quiet)
		return;
	int64_t first = live->terminal              ? DRAW_EVERY_NS
			: live->app->loop.simulated ? NS_PER_S
						    : LINE_EVERY_NS;
	loop_timer(&live->app->loop, &live->timer, first);
}

void live_message(struct live *live, const char *text)
{
	if (live != NULL)
		erase(live);
	fprintf(stderr, "quintain-emu: %s\n", text);
}

void live_free(struct live *live)
{
	if (live == NULL)
		return;
	timer_cancel(&live->app->loop.timers, &live->timer);
	erase(live);
	free(live);
}
