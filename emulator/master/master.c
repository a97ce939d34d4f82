#include "emulator/master/parts.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

void master_tell(struct master *master, enum event_kind kind, const struct remote *remote,
		 uint8_t type, int64_t value, const char *text, size_t text_len)
{
	if (!events_wanted(master->events, kind))
		return;
	struct event event = {
		.t_ns = master->loop->now_ns,
		.kind = kind,
		.target = remote != NULL ? (uint32_t)(remote - master->remotes) : EVENT_NO_TARGET,
		.name = remote != NULL ? remote->id : NULL,
		.type = type,
		.value = value,
		.text = text,
		.text_len = text_len,
	};
	events_deliver(master->events, &event);
}

static int open_listener(struct master *master, const struct master_listener_options *options)
{
	struct master_listener *listener = &master->listeners[master->n_listeners];
	size_t conns = master->options.limits.concurrency + master->options.limits.targets +
		       master->options.limits.registrations + 1024;
	int rc = 0;

	*listener = (struct master_listener){ .master = master,
					      .wire = master_wire(options->wire),
					      .options = *options,
					      .net = master->net,
					      .address = options->at };
	if (listener->wire->conn_bytes > 0)
		rc = pool_init(&listener->conns, listener->wire->conn_bytes, conns);
	if (rc == 0 && listener->wire->open != NULL)
		rc = listener->wire->open(listener);
	if (rc < 0)
		pool_release(&listener->conns);
	else
		master->n_listeners++;
	return rc;
}

static void close_listener(struct master_listener *listener)
{
	if (listener->wire->close != NULL && !listener->closed)
		listener->wire->close(listener);
	listener->closed = true;
	pool_release(&listener->conns);
}

int master_new(struct loop *loop, struct net *net, struct events *events,
	       const struct master_options *options, struct master **ret)
{
	struct master *master = calloc(1, sizeof(*master));

	if (master == NULL)
		return -ENOMEM;
	master->loop = loop;
	master->net = net;
	master->events = events;
	master->options = *options;
	master->waiting_end = &master->waiting;
	int rc = options->n_more < MASTER_LISTENERS_MAX ? registry_init(master) : -EINVAL;
	if (rc == 0)
		rc = open_listener(master, &options->listen);
	for (size_t i = 0; rc == 0 && i < options->n_more; i++)
		rc = open_listener(master, &options->more[i]);
	/* Every target may wait for every kind of command at once. */
	if (rc == 0)
		rc = pool_init(&master->commands, sizeof(struct command),
			       (size_t)options->limits.targets * 4 + options->limits.concurrency);
	for (int i = 0; rc == 0 && i < RANGE_COMMANDS; i++) {
		rc = hist_init(&master->stats[i].latency);
		if (rc == 0)
			rc = hist_init(&master->stats[i].service);
	}
	if (rc < 0) {
		master_free(master);
		return rc;
	}
	*ret = master;
	return 0;
}

void master_shut(struct master *master)
{
	for (size_t i = 0; i < master->n_listeners; i++)
		close_listener(&master->listeners[i]);
}

/* Connections are the net's to close: it goes before the master's memory does. */
void master_free(struct master *master)
{
	if (master == NULL)
		return;
	master_shut(master);
	for (int i = 0; i < RANGE_COMMANDS; i++) {
		hist_release(&master->stats[i].latency);
		hist_release(&master->stats[i].service);
	}
	pool_release(&master->commands);
	registry_release(master);
	free(master);
}

static int listen_at(struct master_listener *listener)
{
	if (listener->listener != NULL)
		return 0;
	int rc = net_listen(listener->net, listener->options.at, &listener->listener);

	if (rc < 0)
		return rc;
	listener->listener->accepted = registration_accept;
	listener->listener->owner = listener;
	listener->address = listener->listener->local;
	return 0;
}

static void unlisten(struct master *master)
{
	for (size_t i = 0; i < master->n_listeners; i++) {
		if (master->listeners[i].listener != NULL)
			net_unlisten(master->listeners[i].listener);
		master->listeners[i].listener = NULL;
	}
}

int master_listen(struct master *master)
{
	for (size_t i = 0; i < master->n_listeners; i++) {
		int rc = listen_at(&master->listeners[i]);
		if (rc < 0) {
			master->failed_listener = i;
			unlisten(master);
			return rc;
		}
	}
	return 0;
}

void master_stop(struct master *master)
{
	unlisten(master);
	for (uint32_t i = 0; i < master->count; i++)
		master_forget(master, i);
}

struct net_addr master_address(const struct master *master)
{
	return master_address_of(master, 0);
}

size_t master_listeners(const struct master *master)
{
	return master->n_listeners;
}

struct net_addr master_address_of(const struct master *master, size_t i)
{
	return master->listeners[i < master->n_listeners ? i : master->failed_listener].address;
}

void master_reset_stats(struct master *master)
{
	struct master_totals *totals = &master->totals;

	assert(totals->under_way == 0 && totals->waiting == 0);
	totals->sent = totals->ok = totals->failed = totals->lost = 0;
	totals->refused = totals->reset = totals->closed = totals->timed_out_connecting = 0;
	totals->bad_answers = totals->no_resources = 0;
	for (int i = 0; i < RANGE_COMMANDS; i++) {
		struct master_command_stats *stats = &master->stats[i];
		stats->sent = stats->ok = stats->failed = stats->lost = 0;
		hist_reset(&stats->latency);
		hist_reset(&stats->service);
	}
}

const struct master_totals *master_totals(const struct master *master)
{
	return &master->totals;
}
