/*
 * What a fleet's config becomes: names, addresses, groups; and every way to get it wrong.
 */
#include "emulator/fleet/config.h"

#include <criterion/criterion.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct fleet_config fleet;
static struct settings *settings;

static void load(const char *text)
{
	settings_free(settings);
	settings = settings_load_text(text, "x.cfg", NULL, 0, &fleet_table, &fleet);
	fleet.present = true;
	if (settings_errors(settings) == 0)
		fleet_config_check(settings, &fleet);
}

static void load_good(const char *text)
{
	load(text);
	cr_assert_eq(settings_errors(settings), 0, "%s: %s", text,
		     settings_error_text(settings, 0));
}

static void done(void)
{
	settings_free(settings);
}

TestSuite(fleet_config, .fini = done, .timeout = 60);

/* "NAME@ADDRESS ..." of all targets. */
static const char *targets(void)
{
	static char text[4096];
	size_t len = 0;

	text[0] = '\0';
	for (uint32_t i = 0; i < fleet.targets; i++) {
		char at[24];
		net_addr_text((struct net_addr){ fleet.ips[i], 0 }, at, sizeof(at));
		at[strlen(at) - 2] = '\0';
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%s@%s", i > 0 ? " " : "",
					fleet.names[i], at);
		cr_assert_lt(len, sizeof(text));
	}
	return text;
}

/* ---- what is fine ---- */

static const struct {
	const char *text, *targets;
} fine[] = {
	{ "groups = ({ });", "target_1@127.1.0.1" },
	{ "groups = ({ count = 3; });",
	  "target_1@127.1.0.1 target_2@127.1.0.2 target_3@127.1.0.3" },
	{ "groups = ({ name = \"alone\"; });", "alone@127.1.0.1" },
	{ "groups = ({ name = \"t%04d!\"; count = 2; first = 9; });",
	  "t0009!@127.1.0.1 t0010!@127.1.0.2" },
	{ "groups = ({ name = \"%02d\"; count = 2; first = 99; });", "99@127.1.0.1 100@127.1.0.2" },
	{ "groups = ({ name = \"%d\"; first = 0; });", "0@127.1.0.1" },
	{ "groups = ({ name = \"d%dd\"; });", "d1d@127.1.0.1" },
	{ "groups = ({ name = \"a \\\"b\\\" \xc3\xa9\"; });", "a \"b\" \xc3\xa9@127.1.0.1" },
	/* Automatic addresses go on from group to group, past those that have their own. */
	{ "groups = ({ count = 2; }, { name = \"x%d\"; count = 2; addresses = \"10.0.0.0/24\"; },"
	  " { name = \"y%d\"; });",
	  "target_1@127.1.0.1 target_2@127.1.0.2 x1@10.0.0.1 x2@10.0.0.2 y1@127.1.0.3" },
	{ "groups = ({ count = 4; addresses = [\"127.9.0.5\", \"127.9.0.1-127.9.0.2\","
	  " \"127.9.1.0/30\"]; });",
	  "target_1@127.9.0.5 target_2@127.9.0.1 target_3@127.9.0.2 target_4@127.9.1.1" },
};

Test(fleet_config, names_and_addresses)
{
	for (size_t i = 0; i < sizeof(fine) / sizeof(*fine); i++) {
		load_good(fine[i].text);
		cr_expect_str_eq(targets(), fine[i].targets, "%s gave %s", fine[i].text, targets());
	}
}

Test(fleet_config, automatic_addresses_run_through_all_bytes)
{
	load_good("groups = ({ count = 66000; });");
	cr_assert_eq(fleet.targets, 66000);
	cr_expect_eq(fleet.ips[254], UINT32_C(0x7f0100ff));
	cr_expect_eq(fleet.ips[255], UINT32_C(0x7f010100));
	cr_expect_eq(fleet.ips[65999], UINT32_C(0x7f010001) + 65999);
	cr_expect_str_eq(fleet.names[65999], "target_66000");
}

static const struct group_config *group(size_t i)
{
	cr_assert_lt(i, fleet.groups.count);
	return (const struct group_config *)fleet.groups.at + i;
}

Test(fleet_config, what_targets_share)
{
	load_good("groups = ({ });");
	const struct target_group *shared = &group(0)->shared;
	cr_expect(shared->master.ip == UINT32_C(0x7f000001) && shared->master.port == 8081);
	cr_expect_eq(shared->port, 8081, "they listen on the master's number");
	cr_expect_str_eq(shared->name, "1", "a group without a label is called by its number");
	cr_expect_eq(shared->line_limit, 32768);
	cr_expect(shared->report_to.ip == UINT32_C(0x7f000001) && shared->report_to.port == 8080);
	load_good(
		"master = { host = \"localhost\"; port = 9000; }; port = 9001;"
		"retry = { first = \"1s\"; max = \"1s\"; attempts = 7; };"
		"groups = ({ label = \"w\"; line_limit = 300; queue = 2; connections = 3;"
		"  hit = { probability = 1; report_to = { host = \"127.0.0.9\"; port = 1; }; }; },"
		" { name = \"other\"; });");
	shared = &group(0)->shared;
	cr_expect(shared->master.ip == UINT32_C(0x7f000001) && shared->master.port == 9000);
	cr_expect_eq(shared->port, 9001);
	cr_expect_str_eq(shared->name, "w");
	cr_expect_str_eq(group(1)->shared.name, "2");
	cr_expect(shared->retry_first_ns == NS_PER_S && shared->retry_max_ns == NS_PER_S &&
		  shared->attempts == 7);
	cr_expect(shared->line_limit == 300 && shared->queue_max == 2 &&
		  shared->connections_max == 3);
	cr_expect_float_eq(shared->hit_probability, 1, 0);
	cr_expect(shared->report_to.ip == UINT32_C(0x7f000009) && shared->report_to.port == 1);
}

Test(fleet_config, absent_is_fine)
{
	load_good("groups = ({ });");
	memset(&fleet, 0, sizeof(fleet));
	fleet_config_check(settings, &fleet);
	cr_expect(settings_errors(settings) == 0 && fleet.targets == 0);
}

/* ---- what is not ---- */

#define NO_NAME "expected one with at most one %d, e.g. \"target_%d\"\n"
#define NO_WORD "must not hold control characters, ',' or '&'\n"
#define NO_ADDRESS                                                                                 \
	"expected an address, a range or a network: \"127.1.0.1\", \"127.1.0.1-127.1.3.255\" or "  \
	"\"10.1.0.0/24\"\n"
#define SIXTY_THREE "123456789012345678901234567890123456789012345678901234567890123"

static const struct {
	const char *text, *errors;
} wrong[] = {
	{ "groups = ({ name = \"\"; });", "x.cfg:1: groups[0].name: \"\" is no name; " NO_NAME },
	{ "groups = ({ name = \"a%\"; });",
	  "x.cfg:1: groups[0].name: \"a%\" is no name; " NO_NAME },
	{ "groups = ({ name = \"%s\"; });",
	  "x.cfg:1: groups[0].name: \"%s\" is no name; " NO_NAME },
	{ "groups = ({ name = \"%n\"; });",
	  "x.cfg:1: groups[0].name: \"%n\" is no name; " NO_NAME },
	{ "groups = ({ name = \"%d%d\"; });",
	  "x.cfg:1: groups[0].name: \"%d%d\" is no name; " NO_NAME },
	{ "groups = ({ name = \"%-4d\"; });",
	  "x.cfg:1: groups[0].name: \"%-4d\" is no name; " NO_NAME },
	{ "groups = ({ name = \"%123d\"; });",
	  "x.cfg:1: groups[0].name: \"%123d\" is no name; " NO_NAME },
	/* Filled up with spaces, which nobody means. */
	{ "groups = ({ name = \"%4d\"; });",
	  "x.cfg:1: groups[0].name: \"%4d\" is no name; " NO_NAME },
	{ "groups = ({ name = \"a\"; count = 2; });",
	  "x.cfg:1: groups[0].name: \"a\" would name 2 targets alike; expected a %d in it\n" },
	{ "groups = ({ name = \"a,b\"; });", "x.cfg:1: groups[0].name: \"a,b\" " NO_WORD },
	{ "groups = ({ label = \"a&b\"; });", "x.cfg:1: groups[0].label: \"a&b\" " NO_WORD },
	{ "groups = ({ tags = [\"fine\", \"a, b\"]; });",
	  "x.cfg:1: groups[0].tags: \"a, b\" " NO_WORD },
	{ "groups = ({ name = \"" SIXTY_THREE "\"; });", "" },
	{ "groups = ({ name = \"" SIXTY_THREE "4\"; });",
	  "x.cfg:1: groups[0].name: \"" SIXTY_THREE "4\" has 64 bytes; expected at most 63\n" },
	{ "groups = ({ name = \"%062d-\"; count = 1; first = 1000000000; });", "" },
	{ "groups = (\n{ name = \"t_%d\"; count = 3; },\n{ name = \"t_%d\";\nfirst = 3; });",
	  "x.cfg:3: groups[1].name: two targets would be called \"t_3\"; ids must differ\n" },
	{ "groups = ({ name = \"a1\"; }, { name = \"a%d\"; });",
	  "x.cfg:1: groups[1].name: two targets would be called \"a1\"; ids must differ\n" },
	{ "groups = ({ },\n{ name = \"b\";\naddresses = \"127.1.0.1\"; });",
	  "x.cfg:3: groups[1].addresses: two targets would live on 127.1.0.1; a master tells them "
	  "apart by it\n" },
	{ "groups = ({ count = 2; addresses = [\"1.0.0.1\", \"1.0.0.1\"]; });",
	  "x.cfg:1: groups[0].addresses: two targets would live on 1.0.0.1; a master tells them "
	  "apart by it\n" },
	{ "groups = ({ addresses = [\"127.1.0.1\", \"bad\"]; });",
	  "x.cfg:1: groups[0].addresses: \"bad\": " NO_ADDRESS },
	{ "groups = ({ count = 3; addresses = \"127.1.0.0/30\"; });",
	  "x.cfg:1: groups[0].addresses: holds 2 addresses; 3 targets need one each\n" },
	{ "groups = ({ addresses = \"0.0.0.0\"; });",
	  "x.cfg:1: groups[0].addresses: \"0.0.0.0\" holds addresses that no host can have\n" },
	{ "groups = ({ addresses = [\"10.0.0.1\", \"223.0.0.0-224.0.0.1\"]; });",
	  "x.cfg:1: groups[0].addresses: \"223.0.0.0-224.0.0.1\" holds addresses that no host can "
	  "have\n" },
	{ "groups = ({ name = \"a%d\"; count = 10000000; },\n{ name = \"b%d\"; count = 10000000; "
	  "});",
	  "x.cfg:2: groups[1].count: 127.0.0.0/8 has no addresses left for 10000000 targets\n" },
	{ "groups = ({ label = \"x\"; },\n{ label = \"x\"; name = \"b\"; });",
	  "x.cfg:2: groups[1].label: another group is labelled \"x\"\n" },
	{ "groups = ({ label = \"2\"; },\n{ name = \"b\"; });",
	  "x.cfg:2: groups[1].label: another group is labelled \"2\"\n" },
	{ "master = { host = \"127.0.0.256\"; };\ngroups = ({ });",
	  "x.cfg:1: master: \"127.0.0.256\" is no IPv4 address and no name that resolves to "
	  "one\n" },
	{ "retry = { first = \"20s\"; }; groups = ({ });",
	  "x.cfg:1: retry: max is shorter than first\n" },
	/* All of them, not the first alone. */
	{ "retry = { first = \"20s\"; };\ngroups = (\n{ name = \"%s\"; addresses = \"bad\"; },\n"
	  "{ name = \"\"; });",
	  "x.cfg:1: retry: max is shorter than first\n"
	  "x.cfg:3: groups[0].name: \"%s\" is no name; " NO_NAME
	  "x.cfg:3: groups[0].addresses: \"bad\": " NO_ADDRESS
	  "x.cfg:4: groups[1].name: \"\" is no name; " NO_NAME },
};

static void expect_errors(const char *text, const char *errors)
{
	char all[4096] = "";

	load(text);
	for (size_t i = 0; i < settings_errors(settings); i++) {
		strcat(all, settings_error_text(settings, i));
		strcat(all, "\n");
	}
	cr_expect_str_eq(all, errors, "%s\n is: %s\n should: %s", text, all, errors);
}

Test(fleet_config, errors)
{
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
		expect_errors(wrong[i].text, wrong[i].errors);
}

Test(fleet_config, control_characters_in_words)
{
	static const char *const texts[] = {
		"groups = ({ name = \"a\\tb\"; });",
		"groups = ({ label = \"\\x1b[2J\"; });",
		"groups = ({ tags = [\"a\\nb\"]; });",
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		load(texts[i]);
		cr_assert_eq(settings_errors(settings), 1, "%s", texts[i]);
		const char *error = settings_error_text(settings, 0);
		cr_expect(strstr(error, "must not hold control characters") != NULL, "%s", error);
		cr_expect(strpbrk(error, "\t\n\x1b") == NULL, "and they are not repeated raw");
	}
}

Test(fleet_config, too_many_targets)
{
	char text[2048] = "groups = (";

	for (int i = 1; i <= 6; i++)
		sprintf(text + strlen(text),
			"%s{ name = \"%c%%d\"; count = 10000000; addresses = \"%d.0.0.0/8\"; }",
			i > 1 ? ",\n" : "", 'a' + i, i);
	strcat(text, ");");
	expect_errors(text, "x.cfg:1: groups: 60000000 targets; expected at most 50000000\n");
	cr_expect_eq(fleet.targets, 0);
}
