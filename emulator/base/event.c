#include "emulator/base/event.h"

#include <string.h>

static const char *const names[] = {
#define X(kind, name) [EVENT_##kind] = name,
	EVENT_KINDS(X)
#undef X
};

const char *event_name(enum event_kind kind)
{
	return names[kind];
}

int event_of(const char *name, size_t len)
{
	for (int kind = 0; kind < EVENT_KIND_COUNT; kind++)
		if (strlen(names[kind]) == len && memcmp(names[kind], name, len) == 0)
			return kind;
	return -1;
}

void events_add(struct events *events, struct event_sink *sink)
{
	struct event_sink **end = &events->sinks;

	while (*end != NULL)
		end = &(*end)->next;
	sink->next = NULL;
	*end = sink;
	events->mask |= sink->mask;
}

void events_deliver(const struct events *events, const struct event *event)
{
	for (struct event_sink *sink = events->sinks; sink != NULL; sink = sink->next)
		if (sink->mask & EVENT_BIT(event->kind))
			sink->event(sink, event);
}
