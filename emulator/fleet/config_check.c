#include "emulator/fleet/config.h"

#include "emulator/target/wire_framed.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What needs more than one setting: names, addresses, and that nobody has another's. */

#define NAME_MAX_LEN 63                   /* what a master of ours remembers of an id */
#define AUTO_ADDRESS UINT32_C(0x7f010001) /* 127.1.0.1 */
#define AUTO_ADDRESS_END UINT32_C(0x7ffffffe)
#define HOSTS_FIRST UINT32_C(0x01000000) /* below: "this network", RFC 1122 3.2.1.3 */
#define HOSTS_LAST UINT32_C(0xdfffffff)  /* above: multicast and reserved */
#define TARGETS_MAX 50000000

struct net_addr host_resolve(struct settings *settings, const struct setting_origin *origin,
			     const char *setting, const struct host_config *host)
{
	struct net_addr addr = { 0, (uint16_t)host->port };

	if (!net_resolve(host->host, &addr.ip))
		settings_error(settings, origin, setting,
			       "\"%s\" is no IPv4 address and no name that resolves to one",
			       host->host);
	return addr;
}

/* ---- names ---- */

/* One %d or %04d, "%%" not needed: ids are plain words. */
static bool pattern_ok(const char *pattern, bool *ret_numbered)
{
	const char *at = strchr(pattern, '%');

	*ret_numbered = at != NULL;
	if (at == NULL)
		return true;
	at++;
	/* A width without the 0 would fill up with spaces. */
	if (*at == '0') {
		at++;
		for (int digits = 0; *at >= '0' && *at <= '9' && digits < 2; digits++)
			at++;
	}
	return *at == 'd' && strchr(at, '%') == NULL;
}

static void write_name(const char *pattern, int64_t number, char *name, size_t cap)
{
	const char *percent = strchr(pattern, '%');

	if (percent == NULL) {
		snprintf(name, cap, "%s", pattern);
		return;
	}
	const char *end = strchr(percent, 'd');
	snprintf(name, cap, "%.*s%0*lld%s", (int)(percent - pattern), pattern, atoi(percent + 1),
		 (long long)number, end + 1);
}

/* Selectors must be able to say it. */
static bool check_word(struct settings *settings, const struct group_config *group,
		       const char *setting, const char *word)
{
	for (const char *at = word; *at != '\0'; at++)
		if ((unsigned char)*at < 0x20 || *at == ',' || *at == '&') {
			settings_error(settings, &group->origin, setting,
				       "\"%s\" must not hold control characters, ',' or '&'", word);
			return false;
		}
	return true;
}

static bool check_words(struct settings *settings, const struct group_config *group)
{
	for (size_t i = 0; i < group->tags.count; i++)
		if (!check_word(settings, group, "tags", group->tags.at[i]))
			return false;
	return check_word(settings, group, "label", group->label);
}

static bool check_pattern(struct settings *settings, struct group_config *group)
{
	char longest[256];
	bool numbered;

	if (!pattern_ok(group->name, &numbered) || group->name[0] == '\0') {
		settings_error(
			settings, &group->origin, "name",
			"\"%s\" is no name; expected one with at most one %%d, e.g. \"target_%%d\"",
			group->name);
		return false;
	}
	if (!numbered && group->count > 1) {
		settings_error(settings, &group->origin, "name",
			       "\"%s\" would name %lld targets alike; expected a %%d in it",
			       group->name, (long long)group->count);
		return false;
	}
	if (!check_word(settings, group, "name", group->name))
		return false;
	write_name(group->name, group->first + group->count - 1, longest, sizeof(longest));
	if (strlen(longest) > NAME_MAX_LEN) {
		settings_error(settings, &group->origin, "name",
			       "\"%s\" has %zu bytes; expected at most %d", longest,
			       strlen(longest), NAME_MAX_LEN);
		return false;
	}
	return true;
}

/* End to end: each answer reads its target's, and the more of them share a cache line the better.
 */
static void write_names(struct settings *settings, const struct group_config *group,
			const char **names)
{
	char name[NAME_MAX_LEN + 1];
	size_t size = 0;

	for (int64_t i = 0; i < group->count; i++) {
		write_name(group->name, group->first + i, name, sizeof(name));
		size += strlen(name) + 1;
	}
	char *at = settings_alloc(settings, size);
	for (int64_t i = 0; i < group->count; i++) {
		write_name(group->name, group->first + i, name, sizeof(name));
		names[i] = at;
		at = stpcpy(at, name) + 1;
	}
}

/* ---- addresses ---- */

static bool check_addresses(struct settings *settings, struct group_config *group,
			    uint32_t *next_auto)
{
	const char *expected;

	for (size_t i = 0; i < group->addresses.count; i++) {
		if (!addresses_add(&group->list, group->addresses.at[i], &expected)) {
			settings_error(settings, &group->origin, "addresses", "\"%s\": %s",
				       group->addresses.at[i], expected);
			return false;
		}
		size_t added = group->list.count - 1;
		if (group->list.ranges[added].first < HOSTS_FIRST ||
		    group->list.ranges[added].last > HOSTS_LAST) {
			settings_error(settings, &group->origin, "addresses",
				       "\"%s\" holds addresses that no host can have",
				       group->addresses.at[i]);
			return false;
		}
	}
	if (group->list.count == 0) {
		if ((uint64_t)*next_auto + (uint64_t)group->count - 1 > AUTO_ADDRESS_END) {
			settings_error(settings, &group->origin, "count",
				       "127.0.0.0/8 has no addresses left for %lld targets",
				       (long long)group->count);
			return false;
		}
		group->list.ranges[0].first = *next_auto;
		group->list.ranges[0].last = *next_auto + (uint32_t)group->count - 1;
		group->list.count = 1;
		*next_auto += (uint32_t)group->count;
	}
	if (addresses_total(&group->list) < (uint64_t)group->count) {
		settings_error(settings, &group->origin, "addresses",
			       "holds %llu addresses; %lld targets need one each",
			       (unsigned long long)addresses_total(&group->list),
			       (long long)group->count);
		return false;
	}
	return true;
}

/* ---- clashes ---- */

static int by_name(const void *a, const void *b, void *names)
{
	const char **all = names;

	return strcmp(all[*(const uint32_t *)a], all[*(const uint32_t *)b]);
}

static int by_ip(const void *a, const void *b, void *ips)
{
	const uint32_t *all = ips;
	uint32_t x = all[*(const uint32_t *)a], y = all[*(const uint32_t *)b];

	return x < y ? -1 : x > y;
}

static const struct group_config *group_of(const struct fleet_config *fleet, uint32_t number)
{
	const struct group_config *group = fleet->groups.at;

	for (;; group++) {
		if (number < group->count)
			return group;
		number -= (uint32_t)group->count;
	}
}

static void find_clashes(struct settings *settings, const struct fleet_config *fleet)
{
	uint32_t *order = malloc(fleet->targets * sizeof(*order));
	char text[24];

	if (order == NULL)
		return;
	for (uint32_t i = 0; i < fleet->targets; i++)
		order[i] = i;
	qsort_r(order, fleet->targets, sizeof(*order), by_name, (void *)fleet->names);
	for (uint32_t i = 1; i < fleet->targets; i++)
		if (strcmp(fleet->names[order[i - 1]], fleet->names[order[i]]) == 0) {
			uint32_t later = order[i] > order[i - 1] ? order[i] : order[i - 1];
			settings_error(settings, &group_of(fleet, later)->origin, "name",
				       "two targets would be called \"%s\"; ids must differ",
				       fleet->names[later]);
			break;
		}
	qsort_r(order, fleet->targets, sizeof(*order), by_ip, fleet->ips);
	for (uint32_t i = 1; i < fleet->targets; i++)
		if (fleet->ips[order[i - 1]] == fleet->ips[order[i]]) {
			uint32_t later = order[i] > order[i - 1] ? order[i] : order[i - 1];
			net_addr_text((struct net_addr){ fleet->ips[later], 0 }, text,
				      sizeof(text));
			text[strlen(text) - 2] = '\0';
			settings_error(
				settings, &group_of(fleet, later)->origin, "addresses",
				"two targets would live on %s; a master tells them apart by it",
				text);
			break;
		}
	free(order);
}

/* ---- what targets share ---- */

static void check_faults(struct settings *settings, struct group_config *group)
{
	struct fault_spec *faults = group->faults.at;

	for (size_t i = 0; i < group->faults.count; i++) {
		fault_spec_check(settings, &faults[i]);
		fault_spec_check_wire(settings, &faults[i], target_wire((enum wire_id)group->wire));
	}
	if (group->start > group->count)
		settings_error(settings, &group->origin, "start",
			       "starts %lld of %lld targets; expected at most all of them",
			       (long long)group->start, (long long)group->count);
}

static void share(struct settings *settings, struct fleet_config *fleet, struct group_config *group,
		  struct net_addr master)
{
	struct target_group *shared = &group->shared;
	enum wire_id wire = (enum wire_id)group->wire;

	if (group->master_port != 0)
		master.port = (uint16_t)group->master_port;
	else if (!fleet->master.has_port)
		master.port = wire_port(wire);
	int64_t port = group->port != 0 ? group->port : fleet->port;
	*shared = (struct target_group){
		.name = group->label,
		.wire = target_wire(wire),
		.run = &group->run,
		.wire_options = group->options[wire],
		.profile = qn_snyper_profile((enum qn_snyper_profile_id)group->profile),
		.master = master,
		.port = port != 0 ? (uint16_t)port : master.port,
		.reply = (enum target_reply)group->reply,
		.boot = group->boot,
		.rise = group->rise,
		.fall = group->fall,
		.answer_timeout_ns = fleet->answer_timeout_ns,
		.attempts = fleet->retry.attempts,
		.retry_first_ns = fleet->retry.first_ns,
		.retry_max_ns = fleet->retry.max_ns,
		.reregister_every_ns = fleet->reregister.every_ns,
		.reregister_silence_ns = fleet->reregister.silence_ns,
		.hit_probability = group->hit.probability,
		.hit_after = group->hit.after,
		.poll_ns = group->poll_ns,
		.report_hit = (enum target_report)group->hit.report,
		.report_to = { master.ip, (uint16_t)group->hit.report_to.port },
		.hit_value = group->hit.value,
		.line_limit = (uint32_t)group->line_limit,
		.connections_max = (uint16_t)group->connections_max,
		.queue_max = (uint16_t)group->queue_max,
	};
	if (shared->wire->choose != NULL)
		shared->wire = shared->wire->choose(shared->wire_options);
	if (shared->wire->check != NULL)
		shared->wire->check(settings, &group->origin, group->options[wire]);
	if (shared->report_hit == TARGET_REPORT_WIRE && shared->wire->report_hit == NULL)
		settings_error(settings, &group->origin, "hit",
			       "report = \"wire\": the wire \"%s\" has no message for a hit",
			       wire_names[wire]);
	if (shared->report_hit == TARGET_REPORT_WIRE)
		shared->report_to = master;
	else if (group->hit.report_to.host[0] != '\0')
		shared->report_to = host_resolve(settings, &group->origin, "hit",
						 &group->hit.report_to);
}

/* Connections beside those of the targets themselves. */
static size_t talkers(const struct group_config *group)
{
	const struct target_framed *framed = (const void *)group->options[WIRE_FRAMED];
	const struct framed_talk_options *talk = &framed->talk;

	return group->wire == WIRE_FRAMED && talk->present
		       ? (size_t)group->count * (size_t)talk->connections
		       : 0;
}

static void label_groups(struct settings *settings, struct fleet_config *fleet)
{
	struct group_config *groups = fleet->groups.at;

	for (size_t i = 0; i < fleet->groups.count; i++) {
		if (groups[i].label[0] == '\0') {
			char *label = settings_alloc(settings, 24);
			snprintf(label, 24, "%zu", i + 1);
			groups[i].label = label;
		}
		for (size_t j = 0; j < i; j++)
			if (strcmp(groups[j].label, groups[i].label) == 0)
				settings_error(settings, &groups[i].origin, "label",
					       "another group is labelled \"%s\"", groups[i].label);
	}
}

void fleet_config_check(struct settings *settings, struct fleet_config *fleet)
{
	struct group_config *groups = fleet->groups.at;
	uint32_t next_auto = AUTO_ADDRESS;
	uint64_t total = 0;
	bool ok = true;

	if (!fleet->present)
		return;
	if (fleet->retry.max_ns < fleet->retry.first_ns)
		settings_error(settings, &fleet->origin, "retry", "max is shorter than first");
	struct net_addr master = host_resolve(settings, &fleet->origin, "master", &fleet->master);
	label_groups(settings, fleet);
	for (size_t i = 0; i < fleet->groups.count; i++) {
		ok &= check_pattern(settings, &groups[i]);
		ok &= check_words(settings, &groups[i]);
		ok &= check_addresses(settings, &groups[i], &next_auto);
		check_faults(settings, &groups[i]);
		share(settings, fleet, &groups[i], master);
		groups[i].shared.first_number = (uint32_t)total;
		groups[i].shared.count = (uint32_t)groups[i].count;
		fleet->talkers += talkers(&groups[i]);
		total += (uint64_t)groups[i].count;
	}
	if (total > TARGETS_MAX)
		settings_error(settings, &fleet->origin, "groups",
			       "%llu targets; expected at most %d", (unsigned long long)total,
			       TARGETS_MAX);
	if (!ok || total > TARGETS_MAX)
		return;
	fleet->targets = (uint32_t)total;
	fleet->names = settings_alloc(settings, total * sizeof(*fleet->names) + 1);
	fleet->ips = settings_alloc(settings, total * sizeof(*fleet->ips) + 1);
	uint32_t number = 0;
	for (size_t i = 0; i < fleet->groups.count; i++) {
		write_names(settings, &groups[i], fleet->names + number);
		for (int64_t j = 0; j < groups[i].count; j++)
			fleet->ips[number++] = addresses_at(&groups[i].list, (uint64_t)j);
	}
	find_clashes(settings, fleet);
}
