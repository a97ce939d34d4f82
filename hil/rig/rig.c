#include "hil/rig/rig.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TICK_NS (50 * NS_PER_MS)
#define OF(pointer, type, member) ((type *)((char *)(pointer)-offsetof(type, member)))

void rig_tell(struct station *station, struct rig_event event)
{
	struct rig *rig = station->rig;

	event.station = station;
	if (event.t_ns == 0)
		event.t_ns = rig->loop->now_ns;
	if (rig->listen != NULL && !rig->closing)
		rig->listen(rig->owner, &event);
}

void rig_finding(struct station *station, enum check check, int64_t t_ns, const char *format, ...)
{
	struct rig *rig = station->rig;
	enum check_severity severity = check_severity(&rig->bench->checks, check);
	char text[TIMELINE_TEXT_MAX], note[TIMELINE_TEXT_MAX + 64];
	va_list args;

	if (severity == CHECK_OFF || rig->closing)
		return;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	uint64_t times = station->checks.found[check];
	size_t used = strlen(text);
	if (times > 1 && used < sizeof(text))
		snprintf(text + used, sizeof(text) - used, " (%llu times so far)",
			 (unsigned long long)times);
	struct finding finding = {
		.check = check, .severity = severity, .t_ns = t_ns, .text = text
	};
	int len = snprintf(note, sizeof(note), "%s: %s", check_name(check), text);
	record_event(rig->record, TIMELINE_NOTE, station->channel_wire, t_ns, 0, note, (size_t)len);
	rig_tell(station,
		 (struct rig_event){ .kind = RIG_FINDING, .t_ns = t_ns, .finding = &finding });
}

/* ---- one station ---- */

static void station_tick(struct timer *timer, int64_t now_ns)
{
	struct station *station = OF(timer, struct station, timer);

	checks_tick(station, now_ns - EDGE_WATCH_LAG_NS);
	loop_timer(station->rig->loop, timer, TICK_NS);
}

static int station_init(struct rig *rig, unsigned index)
{
	struct station *station = &rig->stations[index];
	const struct bench_board *config = bench_board_at(rig->bench, index);
	struct record_board board = { .name = "" };

	station->rig = rig;
	station->index = index;
	station->config = config;
	station->remote = -1;
	station->registrations_due = 1;
	/* It may still be at the last order of the run before this one. */
	station->free_ns = rig->loop->now_ns + rig->bench->movement_ns;
	station->timer.fire = station_tick;
	snprintf(board.name, sizeof(board.name), "%s", config->name);
	snprintf(board.serial, sizeof(board.serial), "%s", config->serial);
	snprintf(board.usb_path, sizeof(board.usb_path), "%s", config->usb_path);
	snprintf(board.address, sizeof(board.address), "%s", config->address);
	station->record_board = record_add_board(rig->record, &board);
	if (station->record_board < 0)
		return station->record_board;
	int b = station->record_board;
	station->channel_wire = record_add_channel(rig->record, b, CHANNEL_WIRE, "wire");
	station->channel_console = record_add_channel(rig->record, b, CHANNEL_CONSOLE, "console");
	station->channel_width = record_add_channel(rig->record, b, CHANNEL_SERVO, "servo_width");
	for (int role = 0; role < BENCH_ROLES; role++) {
		station->lines[role].station = station;
		station->lines[role].role = (enum bench_role)role;
		station->lines[role].line.fd = -1;
		if (config->lines.at[role].present)
			station->lines[role].channel = record_add_channel(
				rig->record, b, CHANNEL_PIN, bench_role_names[role]);
	}
	return 0;
}

static int station_open(struct station *station, const struct rig_options *options,
			struct rig_fault *fault)
{
	int rc = options->without_lines ? 0 : station_open_lines(station, fault);

	if (rc == 0 && !options->without_ports)
		rc = station_open_port(station, fault);
	if (rc == 0)
		loop_timer(station->rig->loop, &station->timer, TICK_NS);
	return rc;
}

/* ---- the bench ---- */

int rig_open(struct rig *rig, struct loop *loop, const struct bench *bench, struct record *record,
	     const struct calibration *calibration, const struct rig_options *options,
	     struct rig_fault *fault)
{
	static const struct rig_options all = { .gpio = NULL };
	int rc = 0;

	*rig = (struct rig){ .loop = loop,
			     .bench = bench,
			     .record = record,
			     .calibration = calibration,
			     .count = (unsigned)bench->boards.count };
	options = options != NULL ? options : &all;
	if (options->gpio != NULL)
		rig->gpio = *options->gpio;
	else
		gpio_init(&rig->gpio);
	rig->stations = calloc(rig->count, sizeof(*rig->stations));
	if (rig->stations == NULL)
		rc = -ENOMEM;
	for (unsigned i = 0; rc == 0 && i < rig->count; i++)
		rc = station_init(rig, i);
	if (rc == 0 && !options->without_ports)
		rc = hotplug_new(loop, NULL, &rig->hotplug);
	if (rc < 0)
		snprintf(fault->text, sizeof(fault->text), "the rig: %s", strerror(-rc));
	/* The network first: a board that a line of ours wakes up registers at once. */
	if (rc == 0 && !options->without_net)
		rc = network_open(rig, fault);
	for (unsigned i = 0; rc == 0 && i < rig->count; i++)
		rc = station_open(&rig->stations[i], options, fault);
	if (rc < 0)
		rig_close(rig);
	return rc;
}

void rig_close(struct rig *rig)
{
	if (rig->stations == NULL)
		return;
	rig->closing = true;
	for (unsigned i = 0; i < rig->count; i++) {
		struct station *station = &rig->stations[i];
		timer_cancel(&rig->loop->timers, &station->timer);
		station_close_port(station);
		station_close_lines(station);
	}
	network_close(rig);
	hotplug_free(rig->hotplug);
	/* What was put off stands on memory that goes now. */
	loop_settle(rig->loop);
	free(rig->stations);
	rig->stations = NULL;
}

void rig_cost(const struct rig *rig, double *ret_wakeups_per_s, double *ret_cpu_share)
{
	double most = 0, share = 0;

	for (unsigned i = 0; i < rig->count; i++) {
		const struct edge_watch *watch = &rig->stations[i].watch;
		if (watch->loop == NULL)
			continue;
		double wakeups = edge_watch_wakeups_per_s(watch, rig->loop->now_ns);
		most = wakeups > most ? wakeups : most;
		share += edge_watch_cpu_share(watch, rig->loop->now_ns);
	}
	*ret_wakeups_per_s = most;
	*ret_cpu_share = share;
}
