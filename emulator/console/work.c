#include "emulator/base/hist.h"
#include "emulator/base/units.h"
#include "emulator/console/parts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* --demo: what the original client shows. --performance: echoes, as many as asked, timed. */

#define DEMO_STEP_NS (200 * NS_PER_MS)
#define OF(pointer, type, member) ((type *)((char *)(pointer)-offsetof(type, member)))

struct work {
	struct console *console;
	struct timer timer;
	unsigned step;

	/* --performance */
	bool measures;
	uint64_t messages, window, asked, answered;
	size_t bytes;
	int64_t start_ns, said_ns;
	int64_t *asked_ns; /* ring of window */
	struct hist latency;
};

/* ---- the demonstration ---- */

static const char *const demo[] = {
	"/ping",
	"/echo Hello TCP Server!",
	"/echo This is a test message for echo",
	"/broadcast Hello all clients!",
	"/stats",
	"/custom custom_test {\"data\": \"custom payload\", \"test_id\": 123}",
	"This is a plain text message",
};
#define DEMO_STEPS (sizeof(demo) / sizeof(*demo))

static void demo_step(struct timer *timer, int64_t now_ns)
{
	struct work *work = OF(timer, struct work, timer);

	(void)now_ns;
	if (work->step == DEMO_STEPS) {
		console_leave(work->console, 0);
		return;
	}
	const char *line = demo[work->step++];
	screen_print(work->console, SCREEN_DIM, "> %s", line);
	command_line(work->console, line);
	loop_timer(&work->console->loop, timer, DEMO_STEP_NS);
}

/* ---- the measurement ---- */

static void ask(struct work *work)
{
	struct console *console = work->console;
	struct qn_framed_clock clock = client_clock(console);
	static char text[1 << 16];
	int len = snprintf(text, sizeof(text), "Performance test message %llu",
			   (unsigned long long)work->asked + 1);
	size_t size = (size_t)len < work->bytes ? work->bytes : (size_t)len;

	memset(text + len, '.', size - (size_t)len);
	work->asked_ns[work->asked % work->window] = console->loop.now_ns;
	work->asked++;
	client_send(console, qn_framed_say(QN_FRAMED_ECHO, &clock, (struct qn_text){ text, size },
					   console->unit, sizeof(console->unit)));
}

static void summary(struct work *work)
{
	struct console *console = work->console;
	double s = (double)(console->loop.now_ns - work->start_ns) / 1e9;

	screen_print(console, SCREEN_PLAIN,
		     "%llu messages of %zu bytes, %llu in flight: %.3f s, %.0f messages/s\n"
		     "latency in ms: p50 %.3f  p99 %.3f  p99.9 %.3f  max %.3f",
		     (unsigned long long)work->answered, work->bytes,
		     (unsigned long long)work->window, s, (double)work->answered / s,
		     (double)hist_percentile(&work->latency, 50) / 1e6,
		     (double)hist_percentile(&work->latency, 99) / 1e6,
		     (double)hist_percentile(&work->latency, 99.9) / 1e6,
		     (double)hist_percentile(&work->latency, 100) / 1e6);
}

static void take_echo(struct work *work)
{
	struct console *console = work->console;
	int64_t now = console->loop.now_ns;

	/* One server answers one client in order. */
	hist_record(&work->latency, now - work->asked_ns[work->answered % work->window]);
	work->answered++;
	if (work->answered == work->messages) {
		summary(work);
		console_leave(console, 0);
		return;
	}
	if (work->asked < work->messages)
		ask(work);
	if (now - work->said_ns > 2 * NS_PER_S) {
		work->said_ns = now;
		screen_print(console, SCREEN_DIM, "%llu of %llu messages",
			     (unsigned long long)work->answered,
			     (unsigned long long)work->messages);
	}
}

/* ---- both ---- */

void work_connected(struct console *console)
{
	struct work *work = console->work;

	if (work == NULL)
		return;
	work->start_ns = work->said_ns = console->loop.now_ns;
	if (!work->measures)
		loop_timer(&console->loop, &work->timer, DEMO_STEP_NS);
	while (work->measures && work->asked < work->window && work->asked < work->messages)
		ask(work);
}

bool work_heard(struct console *console, const struct qn_framed_message *message)
{
	struct work *work = console->work;

	if (work == NULL || !work->measures)
		return false;
	if (message->type == QN_FRAMED_ECHO_RESPONSE)
		take_echo(work);
	return true;
}

static struct work *new_work(struct console *console)
{
	struct work *work = calloc(1, sizeof(*work));

	if (work == NULL)
		return NULL;
	work->console = console;
	work->timer.fire = demo_step;
	console->work = work;
	return work;
}

int work_demo(struct console *console)
{
	return new_work(console) != NULL ? 0 : -ENOMEM;
}

int work_performance(struct console *console, uint64_t messages, uint64_t window, size_t bytes)
{
	struct work *work = new_work(console);

	if (work == NULL)
		return -ENOMEM;
	work->measures = true;
	work->messages = messages;
	work->window = window;
	work->bytes = bytes;
	work->asked_ns = calloc(window, sizeof(*work->asked_ns));
	if (work->asked_ns == NULL)
		return -ENOMEM;
	return hist_init(&work->latency);
}

void work_free(struct console *console)
{
	struct work *work = console->work;

	if (work == NULL)
		return;
	timer_cancel(&console->loop.timers, &work->timer);
	hist_release(&work->latency);
	free(work->asked_ns);
	free(work);
	console->work = NULL;
}
