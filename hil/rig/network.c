#include "hil/rig/proxy.h"
#include "hil/rig/rig.h"

#include "emulator/base/ports.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* The network side: the master that the boards register with, and what it tells. */

#define OF(pointer, type, member) ((type *)((char *)(pointer)-offsetof(type, member)))

static struct station *by_remote(struct rig *rig, uint32_t number)
{
	for (unsigned i = 0; i < rig->count; i++)
		if (rig->stations[i].remote == (int64_t)number)
			return &rig->stations[i];
	return NULL;
}

static struct station *by_id(struct rig *rig, const char *id)
{
	for (unsigned i = 0; i < rig->count; i++)
		if (strcmp(rig->stations[i].config->target_id, id) == 0)
			return &rig->stations[i];
	return NULL;
}

static struct station *by_address(struct rig *rig, uint32_t ip)
{
	for (unsigned i = 0; ip != 0 && i < rig->count; i++)
		if (rig->stations[i].config->ip == ip)
			return &rig->stations[i];
	return NULL;
}

static void registered(struct rig *rig, const struct event *event)
{
	char from[32];
	uint32_t ip = master_remote(rig->master, event->target)->ip;
	struct station *station = by_id(rig, event->name);
	struct station *there = by_address(rig, ip);

	snprintf(from, sizeof(from), "%.*s", (int)event->text_len, event->text);
	if (station == NULL || (there != NULL && there != station) ||
	    (station->config->ip != 0 && station->config->ip != ip)) {
		/* Where it sits counts: that is the place with a wrong board in it. */
		struct station *blamed = there != NULL ? there : station;
		if (blamed != NULL)
			checks_identity(blamed, event->name, from);
		if (station == NULL)
			return;
	}
	station->remote = (int64_t)event->target;
	station->registrations++;
	station->registered_ns = event->t_ns;
	checks_registered(station, from);
	station->app_stopped = false;
	station->heard_ns = event->t_ns;
	char text[96];
	int len = snprintf(text, sizeof(text), "register from %s", from);
	record_event(rig->record, TIMELINE_RECEIVED, station->channel_wire, event->t_ns, 0, text,
		     (size_t)len);
	rig_tell(station,
		 (struct rig_event){ .kind = RIG_REGISTERED, .t_ns = event->t_ns, .text = from });
	if (rig->proxy != NULL)
		proxy_registered(rig->proxy, station);
}

static void answered(struct station *station, const struct event *event)
{
	char why[RIG_TEXT_MAX] = "";

	if (event->text != NULL)
		snprintf(why, sizeof(why), "%.*s", (int)event->text_len, event->text);
	motion_answered(station,
			event->kind == EVENT_M_OK       ? MASTER_OK
			: event->kind == EVENT_M_FAILED ? MASTER_FAILED
							: MASTER_LOST,
			why);
}

static void heard(struct event_sink *sink, const struct event *event)
{
	struct rig *rig = OF(sink, struct rig, sink);

	if (event->kind == EVENT_M_REGISTERED) {
		registered(rig, event);
		return;
	}
	struct station *station = by_remote(rig, event->target);
	if (station == NULL)
		return;
	if (event->kind == EVENT_M_SENT) {
		int64_t now_ns = rig_clock_ns();
		chain_set(&station->motion.chain, POINT_WRITTEN, rig_now_stamp(rig, now_ns));
		record_event(rig->record, TIMELINE_SENT, station->channel_wire, now_ns, 0,
			     event->text, event->text_len);
		return;
	}
	answered(station, event);
}

/* The kernel's word on when it left and when the answer was there. */
static void stamped(struct master_tap *tap, uint32_t number, enum range_word command,
		    enum net_stamped what, int64_t wall_ns)
{
	struct rig *rig = OF(tap, struct rig, tap);
	struct station *station = by_remote(rig, number);

	(void)command;
	if (station == NULL)
		return;
	enum point point = what == NET_STAMPED_SENT ? POINT_SENT : POINT_ANSWER;
	if (!station->motion.chain.at[point].known)
		chain_set(&station->motion.chain, point, rig_wall_stamp(rig, wall_ns));
}

static void answer_bytes(struct master_tap *tap, uint32_t number, enum range_word command,
			 const char *bytes, size_t len)
{
	struct rig *rig = OF(tap, struct rig, tap);
	struct station *station = by_remote(rig, number);

	(void)command;
	if (station == NULL)
		return;
	struct motion *motion = &station->motion;
	if (motion->answer_units++ == 0)
		console_print_safe(bytes, len, motion->answer, sizeof(motion->answer));
	for (size_t i = 0; i < len; i++)
		motion->answer_lines += bytes[i] == '\n';
	motion->answer_whole = len > 0 && bytes[len - 1] == '\n';
	record_event(rig->record, TIMELINE_RECEIVED, station->channel_wire, rig->loop->now_ns, 0,
		     bytes, len);
}

/* ---- opening ---- */

static int open_master(struct rig *rig, struct rig_fault *fault)
{
	const struct bench_master *config = &rig->bench->master;
	struct master_options options = {
		.listen = { .wire = WIRE_SNYPER,
			    .at = config->listen_at,
			    .target_port = (uint16_t)config->target_port,
			    .profile =
				    qn_snyper_profile((enum qn_snyper_profile_id)config->profile) },
		.connect_timeout_ns = config->connect_timeout_ns,
		.answer_timeout_ns = config->answer_timeout_ns,
		.limits = { BENCH_BOARDS_MAX * 4, BENCH_BOARDS_MAX * 2, BENCH_BOARDS_MAX },
		.tap = &rig->tap,
	};

	rig->tap = (struct master_tap){ .stamped = stamped, .answered = answer_bytes };
	int rc = master_new(rig->loop, rig->net, &rig->events, &options, &rig->master);
	if (rc == 0)
		rc = master_listen(rig->master);
	if (rc == 0)
		return 0;
	struct port_holder holder;
	char at[24], text[200];
	if (rc == -EADDRINUSE && port_find_holder(config->listen_at, &holder))
		snprintf(fault->text, sizeof(fault->text), "the master: %s",
			 port_holder_text(config->listen_at, &holder, text, sizeof(text)));
	else
		snprintf(fault->text, sizeof(fault->text), "the master cannot listen on %s: %s%s",
			 net_addr_text(config->listen_at, at, sizeof(at)), strerror(-rc),
			 rc == -EADDRNOTAVAIL ? "; is it an address of this host?" : "");
	return rc;
}

/* Boards that registered with an earlier run are known by their config. */
static void adopt(struct rig *rig)
{
	for (unsigned i = 0; i < rig->count; i++) {
		struct station *station = &rig->stations[i];
		const char *id = station->config->target_id;
		if (station->config->ip == 0)
			continue;
		int64_t number = master_adopt(rig->master, id, strlen(id), station->config->ip);
		if (number >= 0)
			station->remote = number;
	}
}

int network_open(struct rig *rig, struct rig_fault *fault)
{
	struct net_socket_limits limits = { 512, 2 + BENCH_BOARDS_MAX, 1 << 20 };
	int rc = net_socket_new(rig->loop, &limits, &rig->net);

	if (rc < 0) {
		snprintf(fault->text, sizeof(fault->text), "the network: %s", strerror(-rc));
		return rc;
	}
	rig->sink.event = heard;
	rig->sink.mask = EVENT_BIT(EVENT_M_REGISTERED) | EVENT_BIT(EVENT_M_SENT) |
			 EVENT_BIT(EVENT_M_OK) | EVENT_BIT(EVENT_M_FAILED) |
			 EVENT_BIT(EVENT_M_LOST);
	events_add(&rig->events, &rig->sink);
	rc = open_master(rig, fault);
	if (rc == 0)
		adopt(rig);
	if (rc == 0 && rig->bench->master.kind == BENCH_MASTER_PROXY)
		rc = proxy_open(rig, fault, &rig->proxy);
	return rc;
}

void network_close(struct rig *rig)
{
	proxy_close(rig->proxy);
	rig->proxy = NULL;
	if (rig->master != NULL)
		master_shut(rig->master);
	if (rig->net != NULL)
		net_socket_free(rig->net);
	rig->net = NULL;
	master_free(rig->master);
	rig->master = NULL;
}
