/* Values: what a table takes, what it refuses, and in which words. */
#include "tests/support/settings_check.h"

Test(settings, everything_at_its_default)
{
	struct sample sample;
	struct settings *settings = load_good("", NULL, 0, &sample);
	const struct sample_fleet *fleet = &sample.fleet;

	cr_expect(sample.title == NULL);
	cr_expect_str_eq(sample.note, "a \"note\"");
	cr_expect(fleet->port == 8081 && !fleet->port_given);
	cr_expect(fleet->bytes == 0 && fleet->loss == 0.25 && !fleet->verbose);
	cr_expect(fleet->timeout_ns == 2 * NS_PER_S);
	cr_expect_str_eq(fleet->range, "1-2");
	cr_expect(!fleet->tls.present && fleet->tls.cert == NULL);
	cr_expect_str_eq(fleet->tls.key, "key.pem");
	cr_expect(fleet->groups.count == 0 && fleet->groups.at == NULL);
	cr_expect_str_eq(fleet->origin.file, "x.cfg");
	cr_expect(fleet->origin.line == 1);
	cr_expect_str_eq(fleet->origin.path, "fleet");
	cr_expect_str_eq(sample.origin.path, "");
	settings_free(settings);
}

Test(settings, every_kind_of_value)
{
	static const char TEXT[] =
		"\xef\xbb\xbf" /* a byte order mark */
		"title : \"one \" /* two */ \"string\\t\\x41\\q\";\n"
		"note = \"\"\n"
		"fleet = {\n"
		"  port = 0x50; bytes = -9223372036854775808, loss = 1e-1\n"
		"  gain = 3; verbose = TRUE; timeout = \" 1m \"; skew = \"5ms\";\n"
		"  range = \"3-4\"; tls = { cert = \"c.pem\"; };\n"
		"  groups = (\n"
		"    { count = 010; wire = \"framed\"; rise = \"exponential(1s)\"; },\n"
		"    { count = 2; name = \"two\"; tags = \"one\" },\n"
		"    { count = 3; tags = [ \"x\", \"y\", \"z\", ]; },\n"
		"    { count = 4; tags = ( ); }, );\n"
		"};\n"
		"steps = ( { at = \"1s\"; then = ( { at = \"2s\" } ) } ) # end";
	struct sample sample;
	struct settings *settings = load_good(TEXT, NULL, 0, &sample);
	const struct sample_fleet *fleet = &sample.fleet;
	const struct sample_group *groups = fleet->groups.at;

	cr_expect_str_eq(sample.title, "one string\tA\\q");
	cr_expect_str_eq(sample.note, "");
	cr_expect(fleet->port == 80 && fleet->port_given && fleet->bytes == INT64_MIN);
	cr_expect(fleet->loss == 0.1 && fleet->gain == 3.0 && fleet->verbose);
	cr_expect(fleet->timeout_ns == 60 * NS_PER_S && fleet->skew_ns == 5 * NS_PER_MS);
	cr_expect_str_eq(fleet->range, "3-4");
	cr_expect(fleet->tls.present);
	cr_expect_str_eq(fleet->tls.cert, "c.pem");
	cr_assert(fleet->groups.count == 4);
	cr_expect(groups[0].count == 10 && groups[0].wire == 2 && groups[0].rise.kind == DIST_EXP);
	cr_expect(groups[0].tags.count == 2);
	cr_expect_str_eq(groups[0].tags.at[1], "b");
	cr_expect(groups[1].rise.kind == DIST_NORMAL && groups[1].rise.b == 20 * NS_PER_MS);
	cr_expect(groups[1].wire == 0 && groups[1].tags.count == 1);
	cr_expect_str_eq(groups[1].tags.at[0], "one");
	cr_expect(groups[2].tags.count == 3 && groups[3].tags.count == 0);
	cr_expect_str_eq(groups[2].tags.at[2], "z");
	cr_expect_str_eq(groups[3].origin.path, "fleet.groups[3]");
	cr_expect(groups[3].origin.line == 11);
	cr_assert(sample.steps.count == 1);

	const struct sample_step *step = sample.steps.at;

	cr_assert(step->at_ns == NS_PER_S && step->then.count == 1);
	cr_expect(((const struct sample_step *)step->then.at)->at_ns == 2 * NS_PER_S);
	settings_free(settings);
}

Test(settings, integers_of_every_width)
{
	static const struct {
		const char *text;
		int64_t value;
	} CASES[] = {
		{ "0", 0 },
		{ "+7", 7 },
		{ "-7", -7 },
		{ "2147483648", INT64_C(2147483648) },
		{ "-2147483649", INT64_C(-2147483649) },
		{ "5000000000", INT64_C(5000000000) },
		{ "5000000000L", INT64_C(5000000000) },
		{ "5LL", 5 },
		{ "9223372036854775807", INT64_MAX },
		{ "-9223372036854775808", INT64_MIN },
		{ "0xFFFFFFFF", INT64_C(0xFFFFFFFF) },
		{ "0x7fffffffffffffff", INT64_MAX },
		{ "0X1fL", 31 },
		{ "0000000000000000000000000000000000000000000012", 12 },
	};

	for (size_t i = 0; i < N_OF(CASES); i++) {
		struct sample sample;
		char text[128], set[128];
		const char *sets[] = { set };

		snprintf(text, sizeof(text), "fleet = { bytes = %s; };", CASES[i].text);
		snprintf(set, sizeof(set), "fleet.bytes=%s", CASES[i].text);
		settings_free(load_good(text, NULL, 0, &sample));
		cr_expect(sample.fleet.bytes == CASES[i].value, "%s", text);
		settings_free(load_good("", sets, 1, &sample));
		cr_expect(sample.fleet.bytes == CASES[i].value, "%s", set);
	}
}

Test(settings, wrong_values_in_words)
{
	static const struct error_case CASES[] = {
		{ "fleet = { port = \"80\"; };",
		  "x.cfg:1: fleet.port: \"80\" is a string; expected an integer, 1 .. 65535\n" },
		{ "fleet = { port = 80.0; };", "x.cfg:1: fleet.port: 80.0 is a decimal number; "
					       "expected an integer, 1 .. 65535\n" },
		{ "fleet = { port = true; };",
		  "x.cfg:1: fleet.port: true is a bool; expected an integer, 1 .. 65535\n" },
		{ "fleet = { port = ( 1 ); };",
		  "x.cfg:1: fleet.port: this is a list; expected an integer, 1 .. 65535\n" },
		{ "fleet = {\n port\n =\n 0x1FFFF; };",
		  "x.cfg:2: fleet.port: 0x1FFFF is out of range; expected 1 .. 65535\n" },
		{ "fleet = { port = 0; };",
		  "x.cfg:1: fleet.port: 0 is out of range; expected 1 .. 65535\n" },
		{ "fleet = { port = 4294967376; };", /* 80 in its low 32 bits */
		  "x.cfg:1: fleet.port: 4294967376 is out of range; expected 1 .. 65535\n" },
		{ "fleet = { bytes = 1.5; };",
		  "x.cfg:1: fleet.bytes: 1.5 is a decimal number; expected an integer\n" },
		{ "fleet = { loss = 0.50001; };",
		  "x.cfg:1: fleet.loss: 0.50001 is out of range; expected 0 .. 0.5\n" },
		{ "fleet = { loss = -1; };",
		  "x.cfg:1: fleet.loss: -1 is out of range; expected 0 .. 0.5\n" },
		{ "fleet = { gain = 1e999; };",
		  "x.cfg:1: fleet.gain: 1e999 is too large for a number\n" },
		{ "fleet = { gain = \"1\"; };",
		  "x.cfg:1: fleet.gain: \"1\" is a string; expected a number\n" },
		{ "fleet = { verbose = 1; };",
		  "x.cfg:1: fleet.verbose: 1 is an integer; expected true or false\n" },
		{ "title = 5;", "x.cfg:1: title: 5 is an integer; expected a string\n" },
		{ "title = [ \"a\" ];", "x.cfg:1: title: this is an array; expected a string\n" },
		{ "fleet = { tls = { cert = \"\"; key = \"\" } };",
		  "x.cfg:1: fleet.tls.key: is empty; expected some text\n" },
		{ "fleet = { tls = { cert = \"\"; key = \"123456789012345678901\" } };",
		  "x.cfg:1: fleet.tls.key: \"123456789012345678901\" has 21 bytes; "
		  "expected 1 .. 20\n" },
		{ "fleet = { timeout = 250; };",
		  "x.cfg:1: fleet.timeout: 250 is an integer; expected a duration with a unit, "
		  "e.g. \"250ms\", 1ms .. 1m\n" },
		{ "fleet = { timeout = \"250\"; };",
		  "x.cfg:1: fleet.timeout: \"250\" is no duration; expected e.g. \"250ms\"\n" },
		{ "fleet = { timeout = \"2h\"; };",
		  "x.cfg:1: fleet.timeout: \"2h\" is out of range; expected 1ms .. 1m\n" },
		{ "fleet = { skew = \"-1s\"; };",
		  "x.cfg:1: fleet.skew: \"-1s\" is out of range; expected 0s or more\n" },
		{ "fleet = { range = \"all\"; };",
		  "x.cfg:1: fleet.range: \"all\" is not valid; expected a range such as 1-5\n" },
		{ "fleet = { range = \"nothing\"; };",
		  "x.cfg:1: fleet.range: \"nothing\" is not valid\n" },
		{ "fleet = { range = 1.5; };",
		  "x.cfg:1: fleet.range: 1.5 is not valid; expected a range such as 1-5\n" },
		{ "fleet = { range = { }; };",
		  "x.cfg:1: fleet.range: this is a group; expected a string\n" },
		{ "fleet = 5;", "x.cfg:1: fleet: 5 is an integer; expected a group: { ... }\n" },
		{ "fleet = ( { } );",
		  "x.cfg:1: fleet: this is a list; expected a group: { ... }\n" },
		{ "fleet = { tls = { } };",
		  "x.cfg:1: fleet.tls.cert: required, but missing; expected a string\n" },
	};

	expect_errors(CASES, N_OF(CASES));
}

Test(settings, wrong_values_in_lists)
{
	static const struct error_case CASES[] = {
		{ "fleet = { groups = {\n } };",
		  "x.cfg:1: fleet.groups: this is a group; expected a list of groups: "
		  "( { ... }, { ... } )\n" },
		{ "fleet = { groups = ( {count=1},\n 7,\n \"x\"\n , [ ] ) };",
		  "x.cfg:2: fleet.groups[1]: 7 is an integer; expected a group: { ... }\n"
		  "x.cfg:3: fleet.groups[2]: \"x\" is a string; expected a group: { ... }\n"
		  "x.cfg:4: fleet.groups[3]: this is an array; expected a group: { ... }\n" },
		{ "fleet = { groups = ( {}, {}, {}, {}, {} ) };",
		  "x.cfg:1: fleet.groups: has 5 elements; expected 0 .. 4\n" },
		{ "fleet = { groups = (\n {\n name = \"a\"\n }) };",
		  "x.cfg:2: fleet.groups[0].count: required, but missing; expected an integer, "
		  "1 .. 1000\n" },
		{ "fleet = { groups = ( { count = 1; wire = \"htttp\" } ) };",
		  "x.cfg:1: fleet.groups[0].wire: \"htttp\" is unknown; expected \"snyper\", "
		  "\"http\" or \"framed\" (did you mean \"http\"?)\n" },
		{ "fleet = { groups = ( { count = 1; wire = \"smoke\" } ) };",
		  "x.cfg:1: fleet.groups[0].wire: \"smoke\" is unknown; expected \"snyper\", "
		  "\"http\" or \"framed\"\n" },
		{ "fleet = { groups = ( { count = 1; wire = 2 } ) };",
		  "x.cfg:1: fleet.groups[0].wire: 2 is an integer; expected \"snyper\", \"http\" "
		  "or "
		  "\"framed\"\n" },
		{ "fleet = { groups = ( { count = 1; rise = \"soon\" } ) };",
		  "x.cfg:1: fleet.groups[0].rise: \"soon\" is no duration; expected e.g. \"500ms\" "
		  "or \"normal(500ms, 20ms)\"\n" },
		{ "fleet = { groups = ( { count = 1; rise = 500 } ) };",
		  "x.cfg:1: fleet.groups[0].rise: 500 is an integer; expected a duration or a "
		  "distribution, e.g. \"500ms\" or \"normal(500ms, 20ms)\"\n" },
		{ "fleet = { groups = ( { count = 1; rise = \"uniform(1s, 11s)\" } ) };",
		  "x.cfg:1: fleet.groups[0].rise: \"uniform(1s, 11s)\" is out of range; expected "
		  "0s .. 10s\n" },
		{ "fleet = { groups = ( { count = 1; tags = ( \"a\",\n 5,\n \"c\\n\"\n ) } ) };",
		  "x.cfg:2: fleet.groups[0].tags[1]: 5 is an integer; expected a string\n" },
		{ "fleet = { groups = ( { count = 1; tags = [ 1.50 ] } ) };",
		  "x.cfg:1: fleet.groups[0].tags[0]: 1.50 is a decimal number; expected a "
		  "string\n" },
		{ "fleet = { groups = ( { count = 1; tags = [ \"\", \"\", \"\", \"\" ] } ) };",
		  "x.cfg:1: fleet.groups[0].tags: has 4 elements; expected 0 .. 3\n" },
		{ "fleet = { groups = ( { count = 1; tags = 1 } ) };",
		  "x.cfg:1: fleet.groups[0].tags: 1 is an integer; expected a string, or several "
		  "as "
		  "[ \"a\", \"b\" ]\n" },
	};

	expect_errors(CASES, N_OF(CASES));
}

Test(settings, lists_that_must_not_be_empty)
{
	struct needs {
		struct setting_list steps;
		struct setting_strings names;
		int64_t low, high;
	} needs;
	static const struct setting SETTINGS[] = {
		{ .name = "steps", .kind = SETTING_LIST, .sub = &SAMPLE_STEP, .required = true },
		{ .name = "names",
		  .kind = SETTING_STRINGS,
		  .offset = offsetof(struct needs, names),
		  .min = 1,
		  .max = 9 },
		{ .name = "low",
		  .kind = SETTING_INT,
		  .offset = offsetof(struct needs, low),
		  .min = 5,
		  .max = INT64_MAX,
		  .def = "5" },
		{ .name = "high",
		  .kind = SETTING_INT,
		  .offset = offsetof(struct needs, high),
		  .min = INT64_MIN,
		  .max = 5 },
		{ 0 },
	};
	static const struct setting_table TABLE = { .title = "needs",
						    .size = sizeof(struct needs),
						    .settings = SETTINGS,
						    .origin_offset = SIZE_MAX };
	struct settings *settings = settings_load_text("steps = ( );\nnames = [ ];\nlow = 4;\n"
						       "high = 6;",
						       "x.cfg", NULL, 0, &TABLE, &needs);
	char *errors = errors_of(settings);

	cr_expect_str_eq(errors, "x.cfg:1: steps: is empty; expected a list of groups: ( { ... }, "
				 "{ ... } )\n"
				 "x.cfg:2: names: is empty; expected a string, or several as "
				 "[ \"a\", \"b\" ]\n"
				 "x.cfg:3: low: 4 is out of range; expected 5 or more\n"
				 "x.cfg:4: high: 6 is out of range; expected 5 or less\n");
	free(errors);
	settings_free(settings);
	settings = settings_load_text("", "x.cfg", NULL, 0, &TABLE, &needs);
	errors = errors_of(settings);
	cr_expect_str_eq(errors, "x.cfg:1: steps: required, but missing; expected a list of "
				 "groups: ( { ... }, { ... } )\n");
	free(errors);
	settings_free(settings);
}

Test(settings, a_word_among_many)
{
	struct many {
		int kind;
	} many;
	static const char *const WORDS[] = { "a0", "a1", "a2", "a3",   "a4",    "a5",    "a6",
					     "a7", "a8", "a9", "b0",   "b1",    "b2",    "b3",
					     "b4", "b5", "b6", "drop", "delay", "reset", NULL };
	static const struct setting SETTINGS[] = {
		{ .name = "kind", .kind = SETTING_WORD, .words = WORDS, .def = "drop" },
		{ .name = NULL },
	};
	static const struct setting_table TABLE = { .title = "many",
						    .size = sizeof(struct many),
						    .settings = SETTINGS,
						    .origin_offset = SIZE_MAX };
	struct settings *settings = settings_load_text("kind = \"dely\";", "x.cfg", NULL, 0, &TABLE,
						       &many);
	char *errors = errors_of(settings);

	cr_expect_str_eq(errors, "x.cfg:1: kind: \"dely\" is unknown (did you mean \"delay\"?); "
				 "expected one of 20 words\n");
	free(errors);
	settings_free(settings);
	settings = settings_load_text("kind = \"zzzz\";", "x.cfg", NULL, 0, &TABLE, &many);
	errors = errors_of(settings);
	cr_expect_not_null(strstr(errors, "expected \"a0\", \"a1\""), "%s", errors);
	free(errors);
	settings_free(settings);
}

Test(settings, unknown_settings)
{
	static const struct error_case CASES[] = {
		{ "flaet = { };", "x.cfg:1: flaet: unknown setting (did you mean \"fleet\"?)\n" },
		{ "Title = \"\";", "x.cfg:1: Title: unknown setting (did you mean \"title\"?)\n" },
		{ "fleet = { groups = ( {\n count = 1;\n cuont = 1 } ) };",
		  "x.cfg:3: fleet.groups[0].cuont: unknown setting (did you mean \"count\"?)\n" },
		{ "count = 5;", "x.cfg:1: count: unknown setting here (it belongs at "
				"fleet.groups[].count)\n" },
		{ "fleet = { cert = \"\"; };",
		  "x.cfg:1: fleet.cert: unknown setting here (it belongs at fleet.tls.cert)\n" },
		{ "steps = ( { at = \"1s\"; att = 5; zzz = 5 } );",
		  "x.cfg:1: steps[0].att: unknown setting (did you mean \"at\"?)\n"
		  "x.cfg:1: steps[0].zzz: unknown setting; known here: \"at\" and \"then\"\n" },
		{ "fleet = { nots = 1; };", "x.cfg:1: fleet.nots: unknown setting; known here: "
					    "\"port\", \"bytes\", \"loss\", "
					    "\"gain\", \"verbose\", \"timeout\", \"skew\", "
					    "\"range\", \"tls\" and \"groups\"\n" },
		{ "steps = ( { key = 1; thn = 1; ket = 1 } );",
		  "x.cfg:1: steps[0].key: unknown setting here (it belongs at fleet.tls.key)\n"
		  "x.cfg:1: steps[0].thn: unknown setting (did you mean \"then\"?)\n"
		  "x.cfg:1: steps[0].ket: unknown setting; known here: \"at\" and \"then\"\n" },
		{ "plan = { };", "x.cfg:1: plan: unknown setting here; try the rig\n" },
		{ "fleet = { tls = { cert = \"\"; note = \"\" } };",
		  "x.cfg:1: fleet.tls.note: unknown setting here (it belongs at note)\n" },
	};

	expect_errors(CASES, N_OF(CASES));
}

Test(settings, errors_come_in_the_files_order)
{
	static const struct set_case CASE = {
		"titel = 1;\nfleet = {\n groups = ( {\n  x = 1;\n } );\n tls = { };\n timeout = "
		"1;\n"
		" zzzzz = 1;\n port = 0;\n};\nnote = 5;",
		"x.cfg:1: titel: unknown setting (did you mean \"title\"?)\n"
		"x.cfg:3: fleet.groups[0].count: required, but missing; expected an integer, "
		"1 .. 1000\n"
		"x.cfg:4: fleet.groups[0].x: unknown setting; known here: \"name\", \"count\", "
		"\"rise\", \"wire\" and \"tags\"\n"
		"x.cfg:6: fleet.tls.cert: required, but missing; expected a string\n"
		"x.cfg:7: fleet.timeout: 1 is an integer; expected a duration with a unit, e.g. "
		"\"250ms\", 1ms .. 1m\n"
		"x.cfg:8: fleet.zzzzz: unknown setting; known here: \"port\", \"bytes\", \"loss\", "
		"\"gain\", \"verbose\", \"timeout\", \"skew\", \"range\", \"tls\" and \"groups\"\n"
		"x.cfg:9: fleet.port: 0 is out of range; expected 1 .. 65535\n"
		"x.cfg:11: note: 5 is an integer; expected a string\n"
		"--set fleet.gain=x: fleet.gain: \"x\" is a string; expected a number\n"
		"--set fleet.gian=1: fleet.gian: unknown setting (did you mean \"gain\"?)\n",
		{ "fleet.gain=x", "fleet.gian=1" }
	};

	expect_errors_set(&CASE, 1);
}

Test(settings, a_wrong_value_leaves_the_default)
{
	struct sample sample;
	struct settings *settings = settings_load_text(
		"fleet = { port = 0; range = \"?\"; groups = ( { tags = 5; } ); }", "x.cfg", NULL,
		0, &SAMPLE, &sample);

	cr_expect(settings_errors(settings) == 4);
	cr_expect(sample.fleet.port == 8081 && sample.fleet.groups.count == 1);
	cr_expect(((const struct sample_group *)sample.fleet.groups.at)->tags.count == 2);
	settings_free(settings);
}

Test(settings, what_was_written_is_shown_on_one_line_and_cut)
{
	static const struct error_case CASES[] = {
		{ "fleet = { timeout = \"a\\n\\\"\\t\\x01\\\\\"; };",
		  "x.cfg:1: fleet.timeout: \"a\\n\\\"\\t\\x01\\\\\" is no duration; expected e.g. "
		  "\"250ms\"\n" },
		{ "fleet = { timeout = \"a\nb\"; };",
		  "x.cfg:1: fleet.timeout: \"a\\nb\" is no duration; expected e.g. \"250ms\"\n" },
		{ "fleet = { timeout = \"123456789 123456789 123456789 123456789 123456789 "
		  "123456789 "
		  "123456789 123456789 12345678\xc3\xa4 123456789\"; };",
		  "x.cfg:1: fleet.timeout: \"123456789 123456789 123456789 123456789 123456789 "
		  "123456789 123456789 123456789 12345678\"... is no duration; expected e.g. "
		  "\"250ms\"\n" },
	};

	expect_errors(CASES, N_OF(CASES));
}

Test(settings, modules_add_their_errors_in_order)
{
	static const char *const SET[] = { "fleet.timeout=1s" };
	struct sample sample;
	struct settings *settings = settings_load_text(
		"title = 1;\nfleet = {\n port = 1;\n groups = ( { count = 1; },\n"
		" {\n count = 2;\n name = \"b\" } );\n};\nnote = 1;",
		"x.cfg", SET, 1, &SAMPLE, &sample);
	const struct sample_group *groups = sample.fleet.groups.at;

	cr_assert(sample.fleet.groups.count == 2);
	settings_error(settings, &sample.fleet.origin, "timeout", "too short for %d targets", 3);
	settings_error(settings, &groups[1].origin, "name", "taken");
	settings_error(settings, &groups[0].origin, "rise", "%s", "slower than its timeout");
	settings_error(settings, &sample.fleet.origin, NULL, "does not fit");
	settings_error(settings, NULL, "steps", "missing");
	settings_error(settings, NULL, NULL, "no use");
	settings_error(settings, &groups[1].origin, "count", "odd");

	char *errors = errors_of(settings);

	cr_expect_str_eq(errors,
			 "x.cfg:1: steps: missing\n"
			 "x.cfg:1: no use\n"
			 "x.cfg:1: title: 1 is an integer; expected a string\n"
			 "x.cfg:2: fleet: does not fit\n"
			 "x.cfg:4: fleet.groups[0].rise: slower than its timeout\n"
			 "x.cfg:6: fleet.groups[1].count: odd\n"
			 "x.cfg:7: fleet.groups[1].name: taken\n"
			 "x.cfg:9: note: 1 is an integer; expected a string\n"
			 "--set fleet.timeout=1s: fleet.timeout: too short for 3 targets\n");
	free(errors);
	settings_free(settings);
}

Test(settings, a_flood_of_errors_is_bounded)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);
	struct sample sample;

	for (int i = 0; i < 1500; i++)
		fprintf(out, "x%d = 1;\n", i);
	fclose(out);
	struct settings *settings = settings_load_text(text, "x.cfg", NULL, 0, &SAMPLE, &sample);

	cr_assert(settings_errors(settings) == 1001);
	cr_expect_str_eq(settings_error_text(settings, 999),
			 "x.cfg:1000: x999: unknown setting; known here: \"title\", \"note\", "
			 "\"fleet\" and \"steps\"");
	cr_expect_str_eq(settings_error_text(settings, 1000), "500 more errors are not shown");
	settings_free(settings);
	free(text);
}

Test(settings, memory_is_zeroed_and_apart)
{
	struct sample sample;
	struct settings *settings = load_good("", NULL, 0, &sample);
	char *a = settings_alloc(settings, 100), *b = settings_alloc(settings, 100);

	for (size_t i = 0; i < 100; i++)
		cr_assert(a[i] == 0 && b[i] == 0);
	memset(a, 1, 100);
	cr_expect(b[0] == 0 && b[99] == 0);
	cr_expect((uintptr_t)a % _Alignof(max_align_t) == 0);
	cr_expect(settings_alloc(settings, 0) != NULL);
	settings_free(settings);
	settings_free(NULL);
}

Test(settings, nearest_names)
{
	static const char *const KNOWN[] = { "count", "duration", "rise_ms", "tls", "id", NULL };
	static const struct {
		const char *name, *nearest;
	} CASES[] = {
		{ "cuont", "count" },
		{ "cont", "count" },
		{ "COUNT", "count" },
		{ "dur", "duration" },
		{ "druatoin", "duration" },
		{ "rise-ms", "rise_ms" },
		{ "risems", "rise_ms" },
		{ "tsl", "tls" },
		{ "ID", "id" },
		{ "ix", NULL },
		{ "x", NULL },
		{ "", NULL },
		{ "zebra", NULL },
		{ "co", NULL },
	};
	char longest[300];

	for (size_t i = 0; i < N_OF(CASES); i++) {
		const char *nearest = settings_nearest(CASES[i].name, KNOWN);

		cr_expect(nearest == CASES[i].nearest || (nearest && CASES[i].nearest &&
							  strcmp(nearest, CASES[i].nearest) == 0),
			  "%s: %s", CASES[i].name, nearest ? nearest : "none");
	}
	memset(longest, 'c', sizeof(longest));
	longest[sizeof(longest) - 1] = '\0';
	cr_expect(settings_nearest(longest, KNOWN) == NULL);
	cr_expect(settings_nearest("count", KNOWN + 5) == NULL);
}
