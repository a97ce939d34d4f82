#include "emulator/cli/app.h"

static void describe_faults(const struct group_config *group)
{
	const struct fault_spec *faults = group->faults.at;
	char text[256];

	for (size_t i = 0; i < group->faults.count; i++)
		printf("      fault: %s\n", fault_spec_text(&faults[i], text, sizeof(text)));
}

static void describe_fleet(const struct fleet_config *fleet)
{
	const struct group_config *groups = fleet->groups.at;
	char master[24], first[24], rise[96], fall[96];
	uint32_t number = 0;

	net_addr_text(groups->shared.master, master, sizeof(master));
	printf("fleet: %u target%s in %zu group%s, registering with %s\n", fleet->targets,
	       fleet->targets == 1 ? "" : "s", fleet->groups.count,
	       fleet->groups.count == 1 ? "" : "s", master);
	for (size_t i = 0; i < fleet->groups.count; i++) {
		const struct group_config *group = &groups[i];
		net_addr_text((struct net_addr){ fleet->ips[number], group->shared.port }, first,
			      sizeof(first));
		printf("  group %s: %s%s%s on %s%s; profile %s, reply \"%s\", rise %s, fall %s\n",
		       group->label, fleet->names[number], group->count > 1 ? " .. " : "",
		       group->count > 1 ? fleet->names[number + (uint32_t)group->count - 1] : "",
		       first, group->count > 1 ? " and on" : "", group->shared.profile->name,
		       group->reply == TARGET_REPLY_DONE ? "done" : "queued",
		       units_dist_text(&group->rise, rise, sizeof(rise)),
		       units_dist_text(&group->fall, fall, sizeof(fall)));
		describe_faults(group);
		number += (uint32_t)group->count;
	}
}

static void describe_expectations(const struct setting_list *list)
{
	const struct expect_config *all = list->at;

	if (list->count > 0)
		printf("expectations:\n");
	for (size_t i = 0; i < list->count; i++) {
		printf("  ");
		expect_describe(&all[i], stdout);
	}
}

static void describe_master(const struct master_config *master)
{
	const struct round_config *rounds = master->rounds.at;
	char text[32];

	printf("master: on %s (%s)", net_addr_text(master->options.listen.at, text, sizeof(text)),
	       wire_names[master->options.listen.wire]);
	for (size_t i = 0; i < master->options.n_more; i++)
		printf(", %s (%s)", net_addr_text(master->options.more[i].at, text, sizeof(text)),
		       wire_names[master->options.more[i].wire]);
	printf(", %zu round%s\n", master->rounds.count, master->rounds.count == 1 ? "" : "s");
	for (size_t i = 0; i < master->rounds.count; i++) {
		printf("  %zu. %s to %s", i + 1, range_word_name(rounds[i].type),
		       rounds[i].targets);
		if (rounds[i].type == RANGE_ACTIVATE)
			printf(", duration %s s", rounds[i].duration_text);
		if (rounds[i].times > 1)
			printf(", %lld times", (long long)rounds[i].times);
		if (rounds[i].after_ns > 0)
			printf(", after a pause of %s",
			       units_duration_text(rounds[i].after_ns, text, sizeof(text)));
		printf("\n");
	}
}

enum exit_code check_config(const struct app_options *options)
{
	struct emu_config config;
	struct settings *settings = emu_config_load(options->config_path, options->overrides,
						    options->n_overrides, &config);
	size_t errors = settings_errors(settings);

	for (size_t i = 0; i < errors; i++)
		fprintf(stderr, "%s\n", settings_error_text(settings, i));
	if (errors > 0) {
		fprintf(stderr, "%s: %zu error%s\n", options->config_path, errors,
			errors == 1 ? "" : "s");
	} else {
		if (config.title[0] != '\0')
			printf("%s\n", config.title);
		if (config.fleet.present)
			describe_fleet(&config.fleet);
		if (config.master.present)
			describe_master(&config.master);
		timeline_describe(&config.scenario.timeline, config.scenario.duration_ns, stdout);
		describe_expectations(&config.scenario.expect);
		printf("%s: fine\n", options->config_path);
	}
	settings_free(settings);
	return errors > 0 ? EXIT_USAGE : EXIT_AS_ASKED;
}
