/* --set, and the reference. */
#include "tests/support/settings_check.h"

static const char FILE_TEXT[] = "fleet = { port = 80; groups = ( { count = 1 }, { count = 2; "
				"name = \"b\" } ) };";

Test(settings_set, values_of_every_kind)
{
	static const char *const SET[] = {
		"title=plain text, (no) quotes",
		"note=\"quoted \\\"text\\\"\"",
		" fleet.port = 99 ",
		"fleet.bytes=0x1FFFFFFFF",
		"fleet.loss=.5",
		"fleet.gain=2",
		"fleet.verbose=True",
		"fleet.timeout=5s",
		"fleet.skew=0",
		"fleet.range=7",
		"fleet.tls.cert=a.pem",
		"fleet.groups[1].count=20",
		"fleet.groups[0].rise=uniform(1s, 2s)",
		"fleet.groups[0].wire=http",
		"fleet.groups[0].tags=one",
		"fleet.groups[1].tags=[\"x\", \"y\", ]",
		"fleet.groups[1].name=",
	};
	struct sample sample;
	struct settings *settings = load_good(FILE_TEXT, SET, N_OF(SET), &sample);
	const struct sample_fleet *fleet = &sample.fleet;
	const struct sample_group *groups = fleet->groups.at;

	cr_expect_str_eq(sample.title, "plain text, (no) quotes");
	cr_expect_str_eq(sample.note, "quoted \"text\"");
	cr_expect(fleet->port == 99 && fleet->port_given && fleet->bytes == 0x1FFFFFFFF);
	cr_expect(fleet->loss == 0.5 && fleet->gain == 2 && fleet->verbose);
	cr_expect(fleet->timeout_ns == 5 * NS_PER_S && fleet->skew_ns == 0);
	cr_expect_str_eq(fleet->range, "7");
	cr_expect(fleet->tls.present);
	cr_expect_str_eq(fleet->tls.cert, "a.pem");
	cr_assert(fleet->groups.count == 2);
	cr_expect(groups[0].count == 1 && groups[1].count == 20 && groups[0].wire == 1);
	cr_expect(groups[0].rise.kind == DIST_UNIFORM && groups[0].tags.count == 1);
	cr_expect(groups[1].tags.count == 2);
	cr_expect_str_eq(groups[1].tags.at[1], "y");
	cr_expect_str_eq(groups[1].name, "");
	cr_expect_str_eq(fleet->origin.file, "x.cfg");
	settings_free(settings);
}

Test(settings_set, a_group_that_the_file_lacks)
{
	static const char *const SET[] = { "fleet.tls.cert=c", "fleet.port=1", "fleet.port=2" };
	struct sample sample;
	struct settings *settings = load_good("", SET, 3, &sample);

	cr_expect(sample.fleet.tls.present && sample.fleet.port == 2);
	cr_expect_str_eq(sample.fleet.origin.file, "--set");
	cr_expect(sample.fleet.origin.line == 0);
	settings_error(settings, &sample.fleet.origin, "tls", "wrong");
	settings_error(settings, &sample.fleet.origin, "port", "odd");
	cr_expect_str_eq(settings_error_text(settings, 0),
			 "--set fleet.tls.cert=c: fleet.tls: wrong");
	cr_expect_str_eq(settings_error_text(settings, 1), "--set fleet.port=2: fleet.port: odd");
	settings_free(settings);
}

Test(settings_set, wrong_values)
{
	static const struct set_case CASES[] = {
		{ "",
		  "--set fleet.port=99999: fleet.port: 99999 is out of range; expected 1 .. 65535\n"
		  "--set fleet.verbose=yes: fleet.verbose: \"yes\" is a string; expected true or "
		  "false\n"
		  "--set fleet.bytes=99999999999999999999: fleet.bytes: 99999999999999999999 is "
		  "too "
		  "large for an integer (64 bits)\n"
		  "--set fleet.loss=\"1\": fleet.loss: \"1\" is a string; expected a number, "
		  "0 .. 0.5\n",
		  { "fleet.port=99999", "fleet.verbose=yes", "fleet.bytes=99999999999999999999",
		    "fleet.loss=\"1\"" } },
		{ "",
		  "--set fleet.port=: fleet.port: \"\" is a string; expected an integer, "
		  "1 .. 65535\n"
		  "--set fleet.timeout=250: fleet.timeout: \"250\" is no duration; expected e.g. "
		  "\"250ms\"\n"
		  "--set note=\"a\" 5: note: \"a\" 5 is no value that the config's syntax knows; "
		  "expected a string\n"
		  "--set title=\"a\"; note = \"b\": title: \"a\"; note = \"b\" is no value that "
		  "the "
		  "config's syntax knows; expected a string\n",
		  { "fleet.port=", "fleet.timeout=250", "note=\"a\" 5",
		    "title=\"a\"; note = \"b\"" } },
		{ FILE_TEXT,
		  "--set fleet.groups[0].tags=[\"a\": fleet.groups[0].tags: [\"a\" is no value "
		  "that "
		  "the config's syntax knows; expected a string, or several as [ \"a\", \"b\" ]\n"
		  "--set fleet.groups[1].tags=(\"a\", 5): fleet.groups[1].tags[1]: 5 is an "
		  "integer; "
		  "expected a string\n"
		  "--set fleet.gain=1e999: fleet.gain: 1e999 is too large for a number\n"
		  "--set fleet.loss=-1e-3: fleet.loss: -1e-3 is out of range; expected 0 .. 0.5\n",
		  { "fleet.groups[0].tags=[\"a\"", "fleet.groups[1].tags=(\"a\", 5)",
		    "fleet.gain=1e999", "fleet.loss=-1e-3" } },
		/* The file's wrong value is replaced, so nothing is wrong. */
		{ "fleet = { port = 0; };", "", { "fleet.port=5", "fleet.port=6" } },
		{ "",
		  "--set fleet.timeout=a\\nb: fleet.timeout: \"a\\nb\" is no duration; expected "
		  "e.g. "
		  "\"250ms\"\n",
		  { "fleet.timeout=a\nb" } },
	};

	expect_errors_set(CASES, N_OF(CASES));
}

Test(settings_set, wrong_paths)
{
	static const struct set_case CASES[] = {
		{ "",
		  "--set fleet.prot=1: fleet.prot: unknown setting (did you mean \"port\"?)\n"
		  "--set flete.port=1: flete: unknown setting (did you mean \"fleet\"?)\n"
		  "--set count=1: count: unknown setting here (it belongs at "
		  "fleet.groups[].count)\n"
		  "--set fleet.tls.zzzzz=1: fleet.tls.zzzzz: unknown setting; known here: \"cert\" "
		  "and \"key\"\n",
		  { "fleet.prot=1", "flete.port=1", "count=1", "fleet.tls.zzzzz=1" } },
		{ "",
		  "--set fleet=1: fleet: a group cannot be set whole; set one of its settings, "
		  "e.g. "
		  "fleet.port\n"
		  "--set fleet.groups=1: fleet.groups: a list of groups cannot be set whole; set "
		  "one "
		  "setting of an element, e.g. fleet.groups[0].name\n"
		  "--set fleet.port.x=1: fleet.port: is a single setting: nothing stands below it\n"
		  "--set fleet.port[0]=1: fleet.port: is no list of groups: it can only be set "
		  "whole\n",
		  { "fleet=1", "fleet.groups=1", "fleet.port.x=1", "fleet.port[0]=1" } },
		{ FILE_TEXT,
		  "--set fleet.groups.count=1: fleet.groups: is a list: say which element, e.g. "
		  "fleet.groups[0]\n"
		  "--set fleet[0].port=1: fleet: is a group, not a list: leave out the [0]\n"
		  "--set fleet.groups[2].count=1: fleet.groups[2]: does not exist; the file's list "
		  "ends with [1]\n"
		  "--set fleet.groups[1]=1: fleet.groups[1]: a group cannot be set whole; set one "
		  "of "
		  "its settings, e.g. fleet.groups[1].name\n",
		  { "fleet.groups.count=1", "fleet[0].port=1", "fleet.groups[2].count=1",
		    "fleet.groups[1]=1" } },
		{ "fleet = { groups = ( ) };",
		  "--set fleet.groups[0].count=1: fleet.groups[0]: does not exist; the file's list "
		  "has no elements\n"
		  "--set steps[3].at=1s: steps[3]: does not exist; the file's list has no "
		  "elements\n",
		  { "fleet.groups[0].count=1", "steps[3].at=1s" } },
		{ "",
		  "--set fleet.groups[0].count=1: fleet.groups[0]: does not exist; the file has no "
		  "such list\n"
		  "--set fleet.port: expected PATH=VALUE, e.g. fleet.port=8081\n"
		  "--set =5: expected a path before '='\n"
		  "--set : expected PATH=VALUE, e.g. fleet.port=8081\n",
		  { "fleet.groups[0].count=1", "fleet.port", "=5", "" } },
		{ "",
		  "--set fleet..port=1: fleet..port: is no path; expected e.g. "
		  "fleet.groups[0].count\n"
		  "--set fleet.=1: fleet.: is no path; expected e.g. fleet.groups[0].count\n"
		  "--set fleet.groups[-1].count=1: fleet.groups[-1].count: is no path; expected "
		  "e.g. "
		  "fleet.groups[0].count\n"
		  "--set .port=1: .port: is no path; expected e.g. fleet.groups[0].count\n",
		  { "fleet..port=1", "fleet.=1", "fleet.groups[-1].count=1", ".port=1" } },
		{ "",
		  "--set fleet.groups[9999999999].count=1: fleet.groups[9999999999].count: is no "
		  "path; expected e.g. fleet.groups[0].count\n"
		  "--set fleet.groups[0]x=1: fleet.groups[0]x: is no path; expected e.g. "
		  "fleet.groups[0].count\n",
		  { "fleet.groups[9999999999].count=1", "fleet.groups[0]x=1" } },
	};

	expect_errors_set(CASES, N_OF(CASES));
}

Test(settings_set, what_the_file_has_wrong_is_told_once)
{
	static const struct set_case CASES[] = {
		{ "fleet = 5;",
		  "x.cfg:1: fleet: 5 is an integer; expected a group: { ... }\n",
		  { "fleet.port=1", "fleet.tls.cert=1" } },
		{ "fleet = { groups = 5; };",
		  "x.cfg:1: fleet.groups: 5 is an integer; expected a list of groups: "
		  "( { ... }, { ... } )\n",
		  { "fleet.groups[0].count=1" } },
		{ "fleet = { groups = ( 5 ) };",
		  "x.cfg:1: fleet.groups[0]: 5 is an integer; expected a group: { ... }\n",
		  { "fleet.groups[0].count=1" } },
		{ "fleet = ;",
		  "x.cfg:1: fleet: syntax error at \";\": a value is missing before it; the line "
		  "is: fleet = ;\n",
		  { "fleet.port=99999" } },
	};

	expect_errors_set(CASES, N_OF(CASES));
}

static char *reference_of(const struct setting_table *table, const char *root)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	settings_reference(table, root, out);
	fclose(out);
	return text;
}

Test(settings_set, the_reference)
{
	static const char EXPECTED[] =
		"### Top level\n\nA sample\n\n"
		"| Setting | Type | Default | Allowed | Meaning |\n|---|---|---|---|---|\n"
		"| `title` | string | none |  |  |\n"
		"| `note` | string | `\"a \\\"note\\\"\"` |  |  |\n"
		"| `fleet` | group |  |  | see `fleet` |\n"
		"| `steps` | list of groups | none |  | see `steps[]` |\n"
		"\n### `fleet`\n\nThe fleet\n\n"
		"| Setting | Type | Default | Allowed | Meaning |\n|---|---|---|---|---|\n"
		"| `port` | integer | `8081` | 1 .. 65535 |  |\n"
		"| `bytes` | integer | `0` |  |  |\n"
		"| `loss` | number | `0.25` | 0 .. 0.5 |  |\n"
		"| `gain` | number | `0` |  |  |\n"
		"| `verbose` | bool | `false` | `true`, `false` |  |\n"
		"| `timeout` | duration | `\"2s\"` | 1ms .. 1m |  |\n"
		"| `skew` | duration | `\"0s\"` |  |  |\n"
		"| `range` | string | `\"1-2\"` |  |  |\n"
		"| `tls` | group |  |  | see `fleet.tls` |\n"
		"| `groups` | list of groups | none | 0 .. 4 elements | see `fleet.groups[]` |\n"
		"\n### `steps[]`\n\nOne step\n\n"
		"| Setting | Type | Default | Allowed | Meaning |\n|---|---|---|---|---|\n"
		"| `at` | duration | `\"0s\"` |  |  |\n"
		"| `then` | list of groups | none |  | see `steps[]` |\n"
		"\n### `fleet.tls`\n\nTLS of the fleet\n\n"
		"| Setting | Type | Default | Allowed | Meaning |\n|---|---|---|---|---|\n"
		"| `cert` | string | required |  | PEM file |\n"
		"| `key` | string | `\"key.pem\"` | 1 .. 20 bytes |  |\n"
		"\n### `fleet.groups[]`\n\nOne group of targets\n\n"
		"| Setting | Type | Default | Allowed | Meaning |\n|---|---|---|---|---|\n"
		"| `name` | string | `\"\"` |  |  |\n"
		"| `count` | integer | required | 1 .. 1000 | how many: 1 \\| many |\n"
		"| `rise` | distribution | `\"normal(500ms, 20ms)\"` | 0s .. 10s |  |\n"
		"| `wire` | word | `\"snyper\"` | `\"snyper\"`, `\"http\"`, `\"framed\"` |  |\n"
		"| `tags` | strings | `[\"a\", \"b\"]` | 0 .. 3 elements |  |\n";
	char *text = reference_of(&SAMPLE, "");

	cr_expect_str_eq(text, EXPECTED);
	free(text);
	text = reference_of(&SAMPLE_STEP, "steps[]");
	cr_expect_str_eq(text, "### `steps[]`\n\nOne step\n\n"
			       "| Setting | Type | Default | Allowed | Meaning |\n"
			       "|---|---|---|---|---|\n"
			       "| `at` | duration | `\"0s\"` |  |  |\n"
			       "| `then` | list of groups | none |  | see `steps[]` |\n");
	free(text);
}
