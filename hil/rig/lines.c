#include "hil/rig/rig.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* The lines of a board: edges into frames and contacts, outputs held for as long as they are meant.
 */

#define RING_SERVO 4096 /* 40 s of a servo */
#define RING_SWITCH 1024

#define OF(pointer, type, member) ((type *)((char *)(pointer)-offsetof(type, member)))

static void edges_lost(struct station_line *line)
{
	char what[160], text[200];

	edge_counts_describe(&line->reported, &line->watch.ring.counts, what, sizeof(what));
	line->reported = line->watch.ring.counts;
	int len = snprintf(text, sizeof(text), "edges lost: %s", what);
	record_event(line->station->rig->record, TIMELINE_LOST, line->channel,
		     line->watch.complete_ns, 1, text, (size_t)len);
	checks_edges(line->station, line->role, what);
}

static void servo_frame(struct station_line *line, const struct servo_frame *frame)
{
	struct station *station = line->station;

	if (frame->flags & SERVO_CHANGED)
		record_event(station->rig->record, TIMELINE_SERVO, station->channel_width,
			     frame->fall_ns, frame->width_ns, NULL, 0);
	motion_frame(station, frame);
	checks_frame(station, frame);
	if (frame->flags & (SERVO_CHANGED | SERVO_SETTLED))
		rig_tell(station, (struct rig_event){ .kind = RIG_SERVO, .t_ns = frame->fall_ns });
}

static void servo_edges(struct watch_line *watch, int64_t complete_ns)
{
	struct station_line *line = OF(watch, struct station_line, watch);
	struct servo_frame frame;
	struct edge edge;

	(void)complete_ns;
	/* First: what follows may be wrong because of it. */
	if (edge_counts_suspect(&line->reported, &watch->ring.counts) > 0)
		edges_lost(line);
	while (edge_ring_next(&watch->ring, &line->cursor, &edge))
		if (servo_edge(&line->station->servo, &edge, &frame))
			servo_frame(line, &frame);
}

static void switch_change(struct station_line *line, const struct contact_change *change)
{
	struct station *station = line->station;

	motion_switch(station, line->role, change);
	checks_switch(station, line->role, change);
	rig_tell(station, (struct rig_event){ .kind = RIG_SWITCH,
					      .t_ns = change->first_ns,
					      .role = line->role,
					      .level = change->level });
}

static void switch_edges(struct watch_line *watch, int64_t complete_ns)
{
	struct station_line *line = OF(watch, struct station_line, watch);
	struct contact_change change;
	struct edge edge;

	while (edge_ring_next(&watch->ring, &line->cursor, &edge)) {
		record_event(line->station->rig->record, TIMELINE_PIN, line->channel, edge.t_ns,
			     edge.level, NULL, 0);
		if (contact_edge(&line->contact, &edge, &change))
			switch_change(line, &change);
	}
	if (contact_tick(&line->contact, complete_ns, &change))
		switch_change(line, &change);
	if (edge_counts_suspect(&line->reported, &watch->ring.counts) > 0)
		edges_lost(line);
}

static void line_failed(struct watch_line *watch, int error)
{
	struct station_line *line = OF(watch, struct station_line, watch);
	struct station *station = line->station;
	struct gpio_fault why;

	gpio_line_explain(&line->line, error, &why);
	gpio_line_release(&line->line);
	rig_tell(station, (struct rig_event){ .kind = RIG_LINE_LOST,
					      .role = line->role,
					      .error = error,
					      .text = why.text });
}

static struct gpio_request request_of(const struct station *station, enum bench_role role,
				      const struct bench_line *config)
{
	bool output = role >= BENCH_HIT;

	return (struct gpio_request){
		.chip = bench_line_chip(station->rig->bench, station->config, config),
		.line = config->line,
		.use = output ? GPIO_OUTPUT : GPIO_EDGES,
		.bias = config->pull_up     ? GPIO_BIAS_PULL_UP
			: config->pull_down ? GPIO_BIAS_PULL_DOWN
					    : GPIO_BIAS_AS_IS,
		.active_low = config->active_low,
		.open_drain = config->open_drain,
		.level = role == BENCH_POWER, /* on from the first moment */
		.buffer_edges = 1024,
	};
}

static int watch_line(struct station_line *line)
{
	struct station *station = line->station;
	const struct bench *bench = station->rig->bench;
	bool servo = line->role == BENCH_SERVO;
	int rc = edge_ring_init(&line->watch.ring, servo ? RING_SERVO : RING_SWITCH, 0);

	if (rc < 0)
		return rc;
	line->watch.line = &line->line;
	line->watch.edges = servo ? servo_edges : switch_edges;
	line->watch.failed = line_failed;
	line->watch.prompt = !servo;
	if (servo) {
		struct servo_params params = servo_params_default;
		params.period_ns = bench->servo.period_ns;
		params.period_ns_tolerance = bench->servo.period_tolerance_ns;
		if (station->rig->calibration->edge.n > 0)
			params.stamp_u_ns = 3 * latency_sigma(&station->rig->calibration->edge);
		rc = servo_init(&station->servo, &params);
		if (rc < 0)
			return rc;
		station->servo_watched = true;
	} else {
		contact_init(&line->contact, bench->checks.bounce_still_ns);
	}
	rc = watch_add(&station->watch, &line->watch);
	if (rc == 0 && !servo)
		contact_start(&line->contact, line->watch.ring.start_level);
	if (rc == 0)
		record_event(station->rig->record, TIMELINE_PIN, line->channel,
			     line->watch.ring.start_ns, line->watch.ring.start_level, NULL, 0);
	return rc;
}

static int open_line(struct station *station, enum bench_role role, struct rig_fault *fault)
{
	struct station_line *line = &station->lines[role];
	const struct bench_line *config = &station->config->lines.at[role];
	struct gpio_request request = request_of(station, role, config);
	struct gpio_fault why = { .text = "" };

	/* RUN and BOOTSEL are let alone until they are wanted. */
	if (!config->present || role == BENCH_RUN || role == BENCH_BOOTSEL)
		return 0;
	int rc = gpio_line_request(&line->line, &station->rig->gpio, &request, &why);
	if (rc == 0 && request.use == GPIO_EDGES)
		rc = watch_line(line);
	line->held = rc == 0 && request.use == GPIO_OUTPUT;
	if (rc < 0)
		snprintf(fault->text, sizeof(fault->text), "%s, line %s: %s", station->config->name,
			 bench_role_names[role], why.text[0] != '\0' ? why.text : strerror(-rc));
	return rc;
}

int station_open_lines(struct station *station, struct rig_fault *fault)
{
	int rc = 0;

	edge_watch_init(&station->watch, station->rig->loop, 0);
	for (int role = 0; rc == 0 && role < BENCH_ROLES; role++)
		rc = open_line(station, (enum bench_role)role, fault);
	return rc;
}

void station_close_lines(struct station *station)
{
	if (station->watch.loop != NULL)
		edge_watch_release(&station->watch);
	for (int role = 0; role < BENCH_ROLES; role++) {
		gpio_line_release(&station->lines[role].line);
		edge_ring_release(&station->lines[role].watch.ring);
	}
}

bool station_has(const struct station *station, enum bench_role role)
{
	return station->lines[role].line.handle != NULL;
}

int station_level(struct station *station, enum bench_role role)
{
	struct station_line *line = &station->lines[role];

	if (line->line.handle == NULL)
		return -1;
	if ((role == BENCH_UP || role == BENCH_DOWN) && line->contact.known)
		return line->contact.level;
	return gpio_line_get(&line->line);
}

int station_set(struct station *station, enum bench_role role, int level, struct rig_fault *fault)
{
	struct station_line *line = &station->lines[role];
	const struct bench_line *config = &station->config->lines.at[role];
	struct gpio_request request = request_of(station, role, config);
	struct gpio_fault why = { .text = "" };
	int rc = 0;

	if (level < 0) {
		gpio_line_release(&line->line);
	} else if (line->line.handle == NULL) {
		request.level = level > 0;
		rc = gpio_line_request(&line->line, &station->rig->gpio, &request, &why);
	} else {
		rc = gpio_line_set(&line->line, level > 0);
		if (rc < 0)
			gpio_line_explain(&line->line, rc, &why);
	}
	line->held = line->line.handle != NULL;
	if (rc < 0 && fault != NULL)
		snprintf(fault->text, sizeof(fault->text), "%s, line %s: %s", station->config->name,
			 bench_role_names[role], why.text[0] != '\0' ? why.text : strerror(-rc));
	if (rc == 0)
		record_event(station->rig->record, TIMELINE_PIN, line->channel,
			     station->rig->loop->now_ns, level > 0, NULL, 0);
	return rc;
}
