#include "emulator/master/config.h"

#include "emulator/master/jsonrpc_options.h"

#include "emulator/base/units.h"
#include "emulator/master/wire_agent.h"
#include "emulator/master/wire_framed.h"
#include "emulator/master/wire_http.h"

#include <stdio.h>
#include <string.h>

static const char *const connection_words[] = { "per_message", "kept", NULL };
static const char *const then_words[] = { "exit", "stay", NULL };

#define ROUND(member) offsetof(struct round_config, member)
static const struct setting round_settings[] = {
	{ .name = "command",
	  .kind = SETTING_WORD,
	  .offset = ROUND(command),
	  .required = true,
	  .words = range_command_names,
	  .help = "what is sent" },
	{ .name = "targets",
	  .kind = SETTING_STRING,
	  .offset = ROUND(targets),
	  .def = "all",
	  .help = "to whom: a selector of names, shares and numbers" },
	{ .name = "duration",
	  .kind = SETTING_FLOAT,
	  .offset = ROUND(duration_s),
	  .def = "5",
	  .fmin = -1e9,
	  .fmax = 1e9,
	  .help = "of activate, in seconds as the wire has it" },
	{ .name = "after",
	  .kind = SETTING_DURATION,
	  .offset = ROUND(after_ns),
	  .def = "0s",
	  .min = 0,
	  .max = 24 * 3600 * NS_PER_S,
	  .help = "pause before the round" },
	{ .name = "times",
	  .kind = SETTING_INT,
	  .offset = ROUND(times),
	  .def = "1",
	  .min = 1,
	  .max = 1000000000,
	  .help = "how often" },
	{ .name = "every",
	  .kind = SETTING_DURATION,
	  .offset = ROUND(every_ns),
	  .def = "0s",
	  .min = 0,
	  .max = 24 * 3600 * NS_PER_S,
	  .help = "with times: one so often, however long they take; 0: when the last has ended" },
	{ .name = NULL },
};
static const struct setting_table round_table = { .title = "one round of commands",
						  .size = sizeof(struct round_config),
						  .settings = round_settings,
						  .origin_offset = ROUND(origin) };

#define LISTEN(member)                                                                             \
	offsetof(struct master_config, listen.member) - offsetof(struct master_config, listen)
static const struct setting listen_settings[] = {
	{ .name = "host",
	  .kind = SETTING_STRING,
	  .offset = LISTEN(host),
	  .def = "127.0.0.1",
	  .help = "the address it listens on and calls from" },
	{ .name = "port",
	  .kind = SETTING_INT,
	  .offset = LISTEN(port),
	  .def = "8081",
	  .min = 0,
	  .max = 65535,
	  .present_offset = LISTEN(has_port),
	  .help = "its TCP port; 0: any; absent: its wire's, 8081 for snyper" },
	{ .name = NULL },
};
static const struct setting_table listen_table = {
	.title = "where targets register",
	.size = sizeof(((struct master_config *)0)->listen),
	.settings = listen_settings,
	.origin_offset = SIZE_MAX,
};

#define WAIT(member)                                                                               \
	offsetof(struct master_config, wait.member) - offsetof(struct master_config, wait)
static const struct setting wait_settings[] = {
	{ .name = "targets",
	  .kind = SETTING_INT,
	  .offset = WAIT(targets),
	  .def = "0",
	  .min = 0,
	  .max = 10000000,
	  .help = "start the rounds when so many have registered" },
	{ .name = "timeout",
	  .kind = SETTING_DURATION,
	  .offset = WAIT(timeout_ns),
	  .def = "30s",
	  .min = 0,
	  .max = 24 * 3600 * NS_PER_S,
	  .help = "wait no longer: start with those that are there; the run then fails" },
	{ .name = NULL },
};
static const struct setting_table wait_table = { .title = "before the first round",
						 .size = sizeof(((struct master_config *)0)->wait),
						 .settings = wait_settings,
						 .origin_offset = SIZE_MAX };

#define LISTENER(member) offsetof(struct listener_config, member)
static const struct setting listener_settings[] = {
	{ .name = "wire",
	  .kind = SETTING_WORD,
	  .offset = LISTENER(wire),
	  .required = true,
	  .words = wire_names,
	  .help = "what is spoken there" },
	{ .name = "host",
	  .kind = SETTING_STRING,
	  .offset = LISTENER(host),
	  .def = "",
	  .help = "the address; empty: that of master.listen" },
	{ .name = "port",
	  .kind = SETTING_INT,
	  .offset = LISTENER(port),
	  .def = "0",
	  .min = 0,
	  .max = 65535,
	  .help = "its TCP port; 0: its wire's, 8080 for http" },
	{ .name = "agent",
	  .kind = SETTING_GROUP,
	  .offset = LISTENER(options[WIRE_AGENT]),
	  .sub = &master_agent_table,
	  .help = "with wire = \"agent\": who may come, pings, certificates" },
	{ .name = "target_port",
	  .kind = SETTING_INT,
	  .offset = LISTENER(target_port),
	  .def = "0",
	  .min = 0,
	  .max = 65535,
	  .help = "where its targets listen; 0: its own number" },
	{ .name = "profile",
	  .kind = SETTING_WORD,
	  .offset = LISTENER(profile),
	  .def = "pico",
	  .words = qn_snyper_profile_names,
	  .help = "whose habits it has on the wire" },
	{ .name = "connections",
	  .kind = SETTING_WORD,
	  .offset = LISTENER(connections),
	  .def = "per_message",
	  .words = connection_words,
	  .help = "one a message, or one kept for each of its targets" },
	{ .name = "http",
	  .kind = SETTING_GROUP,
	  .offset = LISTENER(options[WIRE_HTTP]),
	  .sub = &master_http_table,
	  .help = "with wire = \"http\"" },
	{ .name = "framed",
	  .kind = SETTING_GROUP,
	  .offset = LISTENER(options[WIRE_FRAMED]),
	  .sub = &master_framed_table,
	  .help = "of the wire framed" },
	{ .name = "jsonrpc",
	  .kind = SETTING_GROUP,
	  .offset = LISTENER(options[WIRE_JSONRPC]),
	  .sub = &master_jsonrpc_table,
	  .help = "with wire = \"jsonrpc\": how" },
	{ .name = NULL },
};
static const struct setting_table listener_table = { .title = "one more port of a master",
						     .size = sizeof(struct listener_config),
						     .settings = listener_settings,
						     .origin_offset = LISTENER(origin) };

#define MASTER(member) offsetof(struct master_config, member)
static const struct setting master_settings[] = {
	{ .name = "listen",
	  .kind = SETTING_GROUP,
	  .offset = MASTER(listen),
	  .sub = &listen_table,
	  .help = "where targets register" },
	{ .name = "wire",
	  .kind = SETTING_WORD,
	  .offset = MASTER(wire),
	  .def = "snyper",
	  .words = wire_names,
	  .help = "what is spoken there" },
	{ .name = "http",
	  .kind = SETTING_GROUP,
	  .offset = MASTER(wire_options[WIRE_HTTP]),
	  .sub = &master_http_table,
	  .help = "with wire = \"http\"" },
	{ .name = "agent",
	  .kind = SETTING_GROUP,
	  .offset = MASTER(wire_options[WIRE_AGENT]),
	  .sub = &master_agent_table,
	  .help = "with wire = \"agent\": who may come, pings, certificates" },
	{ .name = "listeners",
	  .kind = SETTING_LIST,
	  .offset = MASTER(listeners),
	  .sub = &listener_table,
	  .max = MASTER_LISTENERS_MAX - 1,
	  .help = "more ports, of the same or other wires; all share one registry" },
	{ .name = "target_port",
	  .kind = SETTING_INT,
	  .offset = MASTER(target_port),
	  .def = "0",
	  .min = 0,
	  .max = 65535,
	  .help = "where targets listen; 0: its own number, as the range does" },
	{ .name = "profile",
	  .kind = SETTING_WORD,
	  .offset = MASTER(profile),
	  .def = "pico",
	  .words = qn_snyper_profile_names,
	  .help = "whose habits it has on the wire" },
	{ .name = "connections",
	  .kind = SETTING_WORD,
	  .offset = MASTER(connections),
	  .def = "per_message",
	  .words = connection_words,
	  .help = "one a message, as the real master, or one kept for each target" },
	{ .name = "concurrency",
	  .kind = SETTING_INT,
	  .offset = MASTER(concurrency),
	  .def = "512",
	  .min = 1,
	  .max = 100000,
	  .help = "commands under way at the same time" },
	{ .name = "targets_max",
	  .kind = SETTING_INT,
	  .offset = MASTER(targets_max),
	  .def = "10000",
	  .min = 1,
	  .max = 10000000,
	  .help = "how many targets it can know" },
	{ .name = "connect_timeout",
	  .kind = SETTING_DURATION,
	  .offset = MASTER(connect_timeout_ns),
	  .def = "5s",
	  .min = NS_PER_MS,
	  .max = 3600 * NS_PER_S,
	  .help = "for a connection" },
	{ .name = "answer_timeout",
	  .kind = SETTING_DURATION,
	  .offset = MASTER(answer_timeout_ns),
	  .def = "5s",
	  .min = NS_PER_MS,
	  .max = 3600 * NS_PER_S,
	  .help = "then for the answer" },
	{ .name = "forget_failed",
	  .kind = SETTING_BOOL,
	  .offset = MASTER(forget_failed),
	  .def = "true",
	  .help = "after a round, forget who failed, as the real master does" },
	{ .name = "wait",
	  .kind = SETTING_GROUP,
	  .offset = MASTER(wait),
	  .sub = &wait_table,
	  .help = "before the first round" },
	{ .name = "rounds",
	  .kind = SETTING_LIST,
	  .offset = MASTER(rounds),
	  .sub = &round_table,
	  .help = "what it sends, in order; none: it takes registrations only" },
	{ .name = "repeat",
	  .kind = SETTING_INT,
	  .offset = MASTER(repeat),
	  .def = "1",
	  .min = 0,
	  .max = 1000000000,
	  .help = "all rounds so often; 0: until the run ends" },
	{ .name = "then",
	  .kind = SETTING_WORD,
	  .offset = MASTER(after_rounds),
	  .def = "exit",
	  .words = then_words,
	  .help = "after the last round: end the run, or stay" },
	{ .name = "framed",
	  .kind = SETTING_GROUP,
	  .offset = MASTER(wire_options[WIRE_FRAMED]),
	  .sub = &master_framed_table,
	  .help = "of the wire framed" },
	{ .name = "jsonrpc",
	  .kind = SETTING_GROUP,
	  .offset = MASTER(wire_options[WIRE_JSONRPC]),
	  .sub = &master_jsonrpc_table,
	  .help = "with wire = \"jsonrpc\": how" },
	{ .name = NULL },
};
const struct setting_table master_table = { .title = "a master",
					    .size = sizeof(struct master_config),
					    .settings = master_settings,
					    .origin_offset = MASTER(origin) };

static const char *no_name(const void *context, uint32_t i)
{
	(void)context;
	(void)i;
	return "";
}

static void check_round(struct settings *settings, struct round_config *round)
{
	static const struct selector_subject names_only = { .name = no_name };
	const char *expected;

	round->type = range_commands[round->command];
	units_number_text(round->duration_s, round->duration_text, sizeof(round->duration_text));
	if (!selector_parse(round->targets, &round->selector, &expected)) {
		settings_error(settings, &round->origin, "targets", "\"%s\": %s", round->targets,
			       expected);
		return;
	}
	const char *lacks = selector_lacks(&round->selector, &names_only);
	if (lacks != NULL)
		settings_error(settings, &round->origin, "targets",
			       "\"%s\": a master knows its targets' names, not their %s",
			       round->targets, lacks);
}

static uint32_t check_host(struct settings *settings, const struct setting_origin *origin,
			   const char *setting, const char *host)
{
	uint32_t ip = 0;

	if (!net_ip_parse(host, strlen(host), &ip))
		settings_error(settings, origin, setting,
			       "\"%s\" is no IPv4 address; expected one of this host, e.g. "
			       "\"127.0.0.1\", or \"0.0.0.0\" for all",
			       host);
	return ip;
}

static void check_options(struct settings *settings, const struct setting_origin *origin,
			  const struct master_listener_options *options, void *of_wire)
{
	const struct master_wire *wire = master_wire(options->wire);

	if (wire->check != NULL)
		wire->check(settings, origin, of_wire);
}

static void check_listeners(struct settings *settings, struct master_config *config,
			    const struct master_listener_options *first)
{
	struct listener_config *listeners = config->listeners.at;

	for (size_t i = 0; i < config->listeners.count && i < MASTER_LISTENERS_MAX - 1; i++) {
		struct listener_config *l = &listeners[i];
		struct master_listener_options *options = &config->more[i];
		*options = (struct master_listener_options){
			.wire = (enum wire_id)l->wire,
			.at = first->at,
			.target_port = (uint16_t)l->target_port,
			.profile = qn_snyper_profile((enum qn_snyper_profile_id)l->profile),
			.keep = l->connections == 1,
			.wire_options = l->options[l->wire],
		};
		options->at.port = l->port != 0 ? (uint16_t)l->port : wire_port(options->wire);
		if (l->host[0] != '\0')
			options->at.ip = check_host(settings, &l->origin, "host", l->host);
		check_options(settings, &l->origin, options, l->options[l->wire]);
		for (size_t j = 0; j <= i; j++) {
			const struct net_addr *other = j == 0 ? &first->at
							      : &config->more[j - 1].at;
			if (other->port == options->at.port && other->ip == options->at.ip)
				settings_error(settings, &l->origin, "port",
					       "%u is taken by another listener of this master",
					       options->at.port);
		}
	}
}

void master_config_check(struct settings *settings, struct master_config *config, uint64_t seed)
{
	struct round_config *rounds = config->rounds.at;

	if (!config->present)
		return;
	enum wire_id wire = (enum wire_id)config->wire;
	struct master_listener_options listen = {
		.wire = wire,
		.at = { check_host(settings, &config->origin, "listen", config->listen.host),
			config->listen.has_port ? (uint16_t)config->listen.port : wire_port(wire) },
		.target_port = (uint16_t)config->target_port,
		.profile = qn_snyper_profile((enum qn_snyper_profile_id)config->profile),
		.keep = config->connections == 1,
		.wire_options = config->wire_options[wire],
	};
	check_options(settings, &config->origin, &listen, config->wire_options[wire]);
	check_listeners(settings, config, &listen);
	for (size_t i = 0; i < config->rounds.count; i++)
		check_round(settings, &rounds[i]);
	if (config->wait.targets > config->targets_max)
		settings_error(settings, &config->origin, "wait",
			       "waits for %lld targets; targets_max is %lld",
			       (long long)config->wait.targets, (long long)config->targets_max);
	config->options = (struct master_options){
		.listen = listen,
		.more = config->more,
		.n_more = config->listeners.count,
		.forget_failed = config->forget_failed,
		.connect_timeout_ns = config->connect_timeout_ns,
		.answer_timeout_ns = config->answer_timeout_ns,
		.limits = { .targets = (uint32_t)config->targets_max,
			    .concurrency = (uint32_t)config->concurrency },
		.seed = seed,
	};
}
