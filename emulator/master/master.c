#include "emulator/master/parts.h"

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
	int rc = registry_init(master);
	/* Every target may wait for every kind of command at once. */
	if (rc == 0)
		rc = pool_init(&master->commands, sizeof(struct command),
			       (size_t)options->limits.targets * 4 + options->limits.concurrency);
	for (int i = 0; rc == 0 && i < 4; i++) {
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

/* Connections are the net's to close: it goes before the master's memory does. */
void master_free(struct master *master)
{
	if (master == NULL)
		return;
	for (int i = 0; i < 4; i++) {
		hist_release(&master->stats[i].latency);
		hist_release(&master->stats[i].service);
	}
	pool_release(&master->commands);
	registry_release(master);
	free(master);
}

int master_listen(struct master *master)
{
	if (master->listener != NULL)
		return 0;
	int rc = net_listen(master->net, master->options.listen, &master->listener);

	if (rc < 0)
		return rc;
	master->listener->accepted = registration_accept;
	master->listener->owner = master;
	master->address = master->listener->local;
	return 0;
}

void master_stop(struct master *master)
{
	if (master->listener != NULL)
		net_unlisten(master->listener);
	master->listener = NULL;
	for (uint32_t i = 0; i < master->count; i++)
		master_forget(master, i);
}

struct net_addr master_address(const struct master *master)
{
	return master->address;
}

const struct master_totals *master_totals(const struct master *master)
{
	return &master->totals;
}
