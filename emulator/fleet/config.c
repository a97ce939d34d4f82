#include "emulator/fleet/config.h"

#include "emulator/target/wire_agent.h"
#include "emulator/target/wire_framed.h"
#include "emulator/target/wire_http.h"
#include "emulator/target/jsonrpc_options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAME_MAX_LEN 63                   /* what a master of ours remembers of an id */
#define AUTO_ADDRESS UINT32_C(0x7f010001) /* 127.1.0.1 */
#define AUTO_ADDRESS_END UINT32_C(0x7ffffffe)
#define HOSTS_FIRST UINT32_C(0x01000000) /* below: "this network", RFC 1122 3.2.1.3 */
#define HOSTS_LAST UINT32_C(0xdfffffff)  /* above: multicast and reserved */
#define TARGETS_MAX 50000000

static const char *const reply_words[] = { "queued", "done", NULL };
static const char *const report_words[] = { "none", "http", "wire", NULL };
static const char *const listen_words[] = { "auto", "each", NULL };

static const struct setting host_settings[] = {
	{ .name = "host",
	  .kind = SETTING_STRING,
	  .offset = offsetof(struct host_config, host),
	  .def = "127.0.0.1",
	  .help = "an IPv4 address, or a name that resolves to one" },
	{ .name = "port",
	  .kind = SETTING_INT,
	  .offset = offsetof(struct host_config, port),
	  .def = "8081",
	  .min = 1,
	  .max = 65535,
	  .present_offset = offsetof(struct host_config, has_port),
	  .help = "its TCP port; absent: that of each group's wire, 8081 for snyper" },
	{ .name = NULL },
};
static const struct setting_table host_table = { .title = "an address on the network",
						 .size = sizeof(struct host_config),
						 .settings = host_settings,
						 .origin_offset = SIZE_MAX };

static const struct setting report_host_settings[] = {
	{ .name = "host",
	  .kind = SETTING_STRING,
	  .offset = offsetof(struct host_config, host),
	  .def = "",
	  .help = "an IPv4 address or a name; empty: the master's" },
	{ .name = "port",
	  .kind = SETTING_INT,
	  .offset = offsetof(struct host_config, port),
	  .def = "8080",
	  .min = 1,
	  .max = 65535,
	  .help = "its HTTP port" },
	{ .name = NULL },
};
static const struct setting_table report_host_table = { .title = "where hits are reported",
							.size = sizeof(struct host_config),
							.settings = report_host_settings,
							.origin_offset = SIZE_MAX };

#define HIT(member) offsetof(struct group_config, hit.member) - offsetof(struct group_config, hit)
static const struct setting hit_settings[] = {
	{ .name = "probability",
	  .kind = SETTING_FLOAT,
	  .offset = HIT(probability),
	  .def = "0.5",
	  .fmin = 0,
	  .fmax = 1,
	  .help = "how likely an activation is hit at all" },
	{ .name = "after",
	  .kind = SETTING_DIST,
	  .offset = HIT(after),
	  .def = "uniform(200ms, 4s)",
	  .help = "when, from the moment it stands active" },
	{ .name = "value",
	  .kind = SETTING_INT,
	  .offset = HIT(value),
	  .def = "1",
	  .min = -1000000,
	  .max = 1000000,
	  .help = "hit_value of a reported hit" },
	{ .name = "report",
	  .kind = SETTING_WORD,
	  .offset = HIT(report),
	  .def = "none",
	  .words = report_words,
	  .help = "whether a hit is told: by the group's own wire where that has a message for it "
		  "(snyper has none), or by http" },
	{ .name = "report_to",
	  .kind = SETTING_GROUP,
	  .offset = HIT(report_to),
	  .sub = &report_host_table,
	  .help = "where to, with report = \"http\"" },
	{ .name = NULL },
};
static const struct setting_table hit_table = { .title = "hits, decided by the seed",
						.size = sizeof(((struct group_config *)0)->hit),
						.settings = hit_settings,
						.origin_offset = SIZE_MAX };

#define GROUP(member) offsetof(struct group_config, member)
static const struct setting group_settings[] = {
	{ .name = "name",
	  .kind = SETTING_STRING,
	  .offset = GROUP(name),
	  .def = "target_%d",
	  .help = "the targets' ids; %d (or %04d) stands for the number" },
	{ .name = "label",
	  .kind = SETTING_STRING,
	  .offset = GROUP(label),
	  .def = "",
	  .help = "the group's own name, for selectors and results; empty: its number" },
	{ .name = "count",
	  .kind = SETTING_INT,
	  .offset = GROUP(count),
	  .def = "1",
	  .min = 1,
	  .max = 10000000,
	  .help = "how many targets" },
	{ .name = "first",
	  .kind = SETTING_INT,
	  .offset = GROUP(first),
	  .def = "1",
	  .min = 0,
	  .max = 1000000000,
	  .help = "the number of the first" },
	{ .name = "addresses",
	  .kind = SETTING_STRINGS,
	  .offset = GROUP(addresses),
	  .help = "where they live: addresses, ranges, networks; absent: from 127.1.0.1 on" },
	{ .name = "tags",
	  .kind = SETTING_STRINGS,
	  .offset = GROUP(tags),
	  .help = "words that selectors find them by" },
	{ .name = "start",
	  .kind = SETTING_INT,
	  .offset = GROUP(start),
	  .def = "-1",
	  .min = -1,
	  .max = 10000000,
	  .help = "so many are switched on at the start, the rest is for spawn; -1: all" },
	{ .name = "faults",
	  .kind = SETTING_LIST,
	  .offset = GROUP(faults),
	  .sub = &fault_table,
	  .help = "what they do wrong from the start" },
	{ .name = "wire",
	  .kind = SETTING_WORD,
	  .offset = GROUP(wire),
	  .def = "snyper",
	  .words = wire_names,
	  .help = "how they talk: proto/PROTOCOL.md has a chapter on each" },
	{ .name = "agent",
	  .kind = SETTING_GROUP,
	  .offset = GROUP(options[WIRE_AGENT]),
	  .sub = &target_agent_table,
	  .help = "with wire = \"agent\": secrets, pings, certificates" },
	{ .name = "jsonrpc",
	  .kind = SETTING_GROUP,
	  .offset = GROUP(options[WIRE_JSONRPC]),
	  .sub = &target_jsonrpc_table,
	  .help = "with wire = \"jsonrpc\": how" },
	{ .name = "port",
	  .kind = SETTING_INT,
	  .offset = GROUP(port),
	  .def = "0",
	  .min = 0,
	  .max = 65535,
	  .help = "where they listen; 0: as fleet.port says" },
	{ .name = "master_port",
	  .kind = SETTING_INT,
	  .offset = GROUP(master_port),
	  .def = "0",
	  .min = 0,
	  .max = 65535,
	  .help = "where their master listens; 0: as fleet.master.port says" },
	{ .name = "http",
	  .kind = SETTING_GROUP,
	  .offset = GROUP(options[WIRE_HTTP]),
	  .sub = &target_http_table,
	  .help = "with wire = \"http\"" },
	{ .name = "profile",
	  .kind = SETTING_WORD,
	  .offset = GROUP(profile),
	  .def = "pico",
	  .words = qn_snyper_profile_names,
	  .help = "whose habits they have on the wire" },
	{ .name = "reply",
	  .kind = SETTING_WORD,
	  .offset = GROUP(reply),
	  .def = "queued",
	  .words = reply_words,
	  .help = "answer when the move is queued (as the firmware) or when it is done" },
	{ .name = "boot",
	  .kind = SETTING_DIST,
	  .offset = GROUP(boot),
	  .def = "0s",
	  .help = "from power to the first registration" },
	{ .name = "rise",
	  .kind = SETTING_DIST,
	  .offset = GROUP(rise),
	  .def = "500ms",
	  .help = "how long standing up takes" },
	{ .name = "fall",
	  .kind = SETTING_DIST,
	  .offset = GROUP(fall),
	  .def = "500ms",
	  .help = "how long lying down takes" },
	{ .name = "hit",
	  .kind = SETTING_GROUP,
	  .offset = GROUP(hit),
	  .sub = &hit_table,
	  .help = "what an active target feels" },
	{ .name = "poll",
	  .kind = SETTING_DURATION,
	  .offset = GROUP(poll_ns),
	  .def = "10ms",
	  .min = 0,
	  .max = 60 * NS_PER_S,
	  .help = "how often the sensor is read" },
	{ .name = "line_limit",
	  .kind = SETTING_INT,
	  .offset = GROUP(line_limit),
	  .def = "32768",
	  .min = 256,
	  .max = 65000,
	  .help = "the longest line that is taken, in bytes" },
	{ .name = "connections",
	  .kind = SETTING_INT,
	  .offset = GROUP(connections_max),
	  .def = "64",
	  .min = 1,
	  .max = 65535,
	  .help = "at most so many at a time to one target; more are closed" },
	{ .name = "queue",
	  .kind = SETTING_INT,
	  .offset = GROUP(queue_max),
	  .def = "8",
	  .min = 1,
	  .max = 1024,
	  .help = "moves that may wait; more are answered with an error" },
	{ .name = "framed",
	  .kind = SETTING_GROUP,
	  .offset = GROUP(options[WIRE_FRAMED]),
	  .sub = &target_framed_table,
	  .help = "of the wire framed" },
	{ .name = NULL },
};
static const struct setting_table group_table = { .title = "one group of targets",
						  .size = sizeof(struct group_config),
						  .settings = group_settings,
						  .origin_offset = GROUP(origin) };

#define RETRY(member)                                                                              \
	offsetof(struct fleet_config, retry.member) - offsetof(struct fleet_config, retry)
static const struct setting retry_settings[] = {
	{ .name = "attempts",
	  .kind = SETTING_INT,
	  .offset = RETRY(attempts),
	  .def = "0",
	  .min = 0,
	  .max = 1000000,
	  .help = "give up after so many; 0: never; 1: as the firmware" },
	{ .name = "first",
	  .kind = SETTING_DURATION,
	  .offset = RETRY(first_ns),
	  .def = "500ms",
	  .min = NS_PER_MS,
	  .max = 3600 * NS_PER_S,
	  .help = "the first pause; it doubles" },
	{ .name = "max",
	  .kind = SETTING_DURATION,
	  .offset = RETRY(max_ns),
	  .def = "10s",
	  .min = NS_PER_MS,
	  .max = 24 * 3600 * NS_PER_S,
	  .help = "the longest pause" },
	{ .name = NULL },
};
static const struct setting_table retry_table = {
	.title = "when a registration fails",
	.size = sizeof(((struct fleet_config *)0)->retry),
	.settings = retry_settings,
	.origin_offset = SIZE_MAX,
};

#define REREGISTER(member)                                                                         \
	offsetof(struct fleet_config, reregister.member) - offsetof(struct fleet_config, reregister)
static const struct setting reregister_settings[] = {
	{ .name = "every",
	  .kind = SETTING_DURATION,
	  .offset = REREGISTER(every_ns),
	  .def = "0s",
	  .min = 0,
	  .max = 24 * 3600 * NS_PER_S,
	  .help = "again so often; 0: once, as the firmware" },
	{ .name = "silence",
	  .kind = SETTING_DURATION,
	  .offset = REREGISTER(silence_ns),
	  .def = "0s",
	  .min = 0,
	  .max = 24 * 3600 * NS_PER_S,
	  .help = "again when no command came for so long; 0: never" },
	{ .name = NULL },
};
static const struct setting_table reregister_table = {
	.title = "registering again",
	.size = sizeof(((struct fleet_config *)0)->reregister),
	.settings = reregister_settings,
	.origin_offset = SIZE_MAX,
};

#define FLEET(member) offsetof(struct fleet_config, member)
static const struct setting fleet_settings[] = {
	{ .name = "master",
	  .kind = SETTING_GROUP,
	  .offset = FLEET(master),
	  .sub = &host_table,
	  .help = "where the targets register" },
	{ .name = "port",
	  .kind = SETTING_INT,
	  .offset = FLEET(port),
	  .def = "0",
	  .min = 0,
	  .max = 65535,
	  .help = "where the targets listen; 0: the master's number, as the range does" },
	{ .name = "listen",
	  .kind = SETTING_WORD,
	  .offset = FLEET(listen),
	  .def = "auto",
	  .words = listen_words,
	  .help = "a listener for each target, opened once it has registered" },
	{ .name = "ramp",
	  .kind = SETTING_FLOAT,
	  .offset = FLEET(ramp_per_s),
	  .def = "200",
	  .fmin = 0,
	  .fmax = 10000000,
	  .help = "targets switched on a second; 0: all at once" },
	{ .name = "answer_timeout",
	  .kind = SETTING_DURATION,
	  .offset = FLEET(answer_timeout_ns),
	  .def = "5s",
	  .min = NS_PER_MS,
	  .max = 3600 * NS_PER_S,
	  .help = "for a registration to connect, and again for its answer" },
	{ .name = "retry",
	  .kind = SETTING_GROUP,
	  .offset = FLEET(retry),
	  .sub = &retry_table,
	  .help = "when a registration fails" },
	{ .name = "reregister",
	  .kind = SETTING_GROUP,
	  .offset = FLEET(reregister),
	  .sub = &reregister_table,
	  .help = "registering again while in service" },
	{ .name = "connections",
	  .kind = SETTING_INT,
	  .offset = FLEET(connections_max),
	  .def = "0",
	  .min = 0,
	  .max = 1000000,
	  .help = "reserved for all targets together; 0: what the descriptors allow" },
	{ .name = "buffers",
	  .kind = SETTING_INT,
	  .offset = FLEET(buffer_bytes),
	  .def = "33554432",
	  .min = 1048576,
	  .max = INT64_C(8589934592),
	  .help = "bytes for half-read lines and unsent answers" },
	{ .name = "groups",
	  .kind = SETTING_LIST,
	  .offset = FLEET(groups),
	  .sub = &group_table,
	  .required = true,
	  .help = "the targets" },
	{ .name = NULL },
};
const struct setting_table fleet_table = { .title = "virtual targets",
					   .size = sizeof(struct fleet_config),
					   .settings = fleet_settings,
					   .origin_offset = FLEET(origin) };

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

/* ---- */

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
