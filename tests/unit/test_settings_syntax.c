/* Files: what is no config at all, in which words, and what includes what. */
#include "tests/support/settings_check.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

Test(settings_syntax, slips)
{
	static const struct error_case CASES[] = {
		{ "title = plain;", "x.cfg:1: title: syntax error at \"plain\": text needs quotes: "
				    "\"plain\"; the line "
				    "is: title = plain;\n" },
		{ "title = 'plain';", "x.cfg:1: title: syntax error at \"'\": text stands in plain "
				      "double quotes: \"text\"; the line is: title = 'plain';\n" },
		{ "title = \xe2\x80\x9cplain\xe2\x80\x9d;",
		  "x.cfg:1: title: syntax error at \"\xe2\x80\x9c\": text stands in plain double "
		  "quotes: \"text\"; the line is: title = \xe2\x80\x9cplain\xe2\x80\x9d;\n" },
		{ "\n\tfleet {  \r\n port = 1 }", "x.cfg:2: fleet: syntax error at \"{\": a '=' is "
						  "missing after fleet; the line is: "
						  "fleet {\n" },
		{ "fleet port = 1;", "x.cfg:1: fleet: syntax error at \"port\": a '=' is missing "
				     "after fleet; the line is: fleet port = 1;\n" },
		{ "fleet = { port = 1;; };", "x.cfg:1: fleet: syntax error at \";\": one ';' too "
					     "many; the line is: fleet = { port = 1;; };\n" },
		{ "fleet = {\n port = ; };", "x.cfg:2: fleet.port: syntax error at \";\": a value "
					     "is missing before it; the line is: port = ; };\n" },
		{ "fleet = {\n timeout = 250ms;\n loss = 5%; };",
		  "x.cfg:2: fleet.timeout: 250ms is no number; a value with a unit needs quotes: "
		  "\"250ms\"\n"
		  "x.cfg:3: fleet.loss: 5% is no number; a value with a unit needs quotes: "
		  "\"5%\"\n" },
		{ "title = 5;\n6 = 7;",
		  "x.cfg:2: syntax error at \"6\": a name and '=' are missing "
		  "before it; the line is: 6 = 7;\n" },
		{ "\"title\" = 5;",
		  "x.cfg:1: syntax error at \"title\": a name and '=' are missing "
		  "before it; the line is: \"title\" = 5;\n" },
		{ "true = 5;",
		  "x.cfg:1: syntax error at \"true\": a name and '=' are missing before "
		  "it; the line is: true = 5;\n" },
		{ "_title = 5;",
		  "x.cfg:1: syntax error at \"_title\": a name begins with a letter; "
		  "the line is: _title = 5;\n" },
		{ "title = 5; = 6;", "x.cfg:1: syntax error at \"=\"; the line is: title = 5; = "
				     "6;\n" },
		{ "title = 5;\n }", "x.cfg:2: syntax error at \"}\": nothing is open that it could "
				    "close; the line is: }\n" },
	};

	expect_errors(CASES, N_OF(CASES));
}

Test(settings_syntax, slips_in_lists)
{
	static const struct error_case CASES[] = {
		{ "steps = (\n { at = \"1s\" }\n { at = \"2s\" }\n);",
		  "x.cfg:3: steps[0]: syntax error at \"{\": a ',' is missing before it; the line "
		  "is: { at = \"2s\" }\n" },
		{ "title = ( \"a\" \"b\" 5 );",
		  "x.cfg:1: title[0]: syntax error at \"5\": a ',' is "
		  "missing before it; the line is: title = ( \"a\" "
		  "\"b\" 5 );\n" },
		{ "steps = ( 1 ; 2 );",
		  "x.cfg:1: steps[0]: syntax error at \";\": the elements of a "
		  "list stand between commas; the line is: steps = ( 1 ; 2 "
		  ");\n" },
		{ "steps = ( 1,, 2 );",
		  "x.cfg:1: steps[1]: syntax error at \",\": one ',' too many; "
		  "the line is: steps = ( 1,, 2 );\n" },
		{ "steps = ( , );",
		  "x.cfg:1: steps[0]: syntax error at \",\": one ',' too many; the "
		  "line is: steps = ( , );\n" },
		{ "steps = [ { at = \"1s\" } ];",
		  "x.cfg:1: steps[0]: syntax error at \"{\": a list of groups or lists stands in "
		  "( ), not in [ ]; the line is: steps = [ { at = \"1s\" } ];\n" },
		{ "steps = [ 1, \"a\" ];",
		  "x.cfg:1: steps: the elements of an array in [ ] must all "
		  "be of one type; a list in ( ) may mix them\n" },
		{ "steps = ( [ 1 ),\n );",
		  "x.cfg:1: steps[0][0]: syntax error at \")\": the '[' of "
		  "line 1 is still open, and closed by ']'; the line is: "
		  "steps = ( [ 1 ),\n" },
		{ "steps = ( one );", "x.cfg:1: steps[0]: syntax error at \"one\": text needs "
				      "quotes: \"one\"; the line is: steps = ( one );\n" },
	};

	expect_errors(CASES, N_OF(CASES));
}

Test(settings_syntax, what_never_ends)
{
	static const struct error_case CASES[] = {
		{ "fleet = {\n groups = ( {\n }\n\n", "x.cfg:3: fleet.groups[0]: the file ends, "
						      "but the '(' of x.cfg:2 is still open (a "
						      "')' is missing)\n" },
		{ "title =\n\n", "x.cfg:1: title: the file ends before title has its value\n" },
		{ "title", "x.cfg:1: title: the file ends before title has its value\n" },
		{ "title = \"a\n\n",
		  "x.cfg:1: title: the string that begins here never ends (a '\"' is missing)\n" },
		{ "title = \"a;\nnote = \"b\";\n", "x.cfg:2: b: the string that begins here never "
						   "ends; is the closing '\"' of the one "
						   "in line 1 missing?\n" },
		{ "title = \"a;\nnote = \"b;\n",
		  "x.cfg:2: b: syntax error at \";\": a string begins in line 1 and runs over "
		  "lines: is its closing '\"' missing?; the line is: note = \"b;\n" },
		{ "title = 5\n/* comment\n\n",
		  "x.cfg:2: title: the comment that begins here never ends (a '*/' is missing)\n" },
	};

	expect_errors(CASES, N_OF(CASES));
}

Test(settings_syntax, what_libconfig_would_cut_or_lose)
{
	static const struct error_case CASES[] = {
		{ "fleet = { port = 99999999999999999999; };",
		  "x.cfg:1: fleet.port: 99999999999999999999 is too large for an integer (64 "
		  "bits)\n" },
		{ "fleet = { port = -9223372036854775809L; bytes = 0xFFFFFFFFFFFFFFFF };",
		  "x.cfg:1: fleet.port: -9223372036854775809L is too large for an integer (64 "
		  "bits)\n"
		  "x.cfg:1: fleet.bytes: 0xFFFFFFFFFFFFFFFF is too large for an integer (64 "
		  "bits)\n" },
		{ "title = \"a\\x00b\";", "x.cfg:1: title: \\x00 cannot stand in a string\n" },
		{ "fleet = { gain = .; };",
		  "x.cfg:1: fleet.gain: syntax error at \".\": a value is "
		  "missing before it; the line is: fleet = { gain = .; "
		  "};\n" },
		{ "title = \"a\";\nnote = \"b\";\n\ntitle = \"c\";",
		  "x.cfg:4: title: set twice in this group; first in x.cfg:1\n" },
		{ "fleet = { port = 1; tls = { port = 2; };\n port = 3; };",
		  "x.cfg:2: fleet.port: set twice in this group; first in x.cfg:1\n" },
		{ "a = (((((((((((((((((((((((((((((((((1)))))))))))))))))))))))))))))))));",
		  "x.cfg:1: a[0][0][0][0][0][0][0][0][0][0][0][0][0][0][0][0][0][0][0][0][0][0][0]"
		  "[0][0][0][0][0][0][0][0][0]: groups and lists stand inside each other too deep; "
		  "at most 32 levels are taken\n" },
	};

	expect_errors(CASES, N_OF(CASES));
}

Test(settings_syntax, a_flood_of_faults_stops_early)
{
	struct sample sample;
	char text[400] = "";

	for (int i = 0; i < 30; i++)
		strcat(text, "a=1x;\n");
	struct settings *settings = settings_load_text(text, "x.cfg", NULL, 0, &SAMPLE, &sample);

	cr_assert(settings_errors(settings) == 21);
	cr_expect_str_eq(settings_error_text(settings, 19),
			 "x.cfg:20: a: 1x is no number; a value with a unit needs quotes: \"1x\"");
	cr_expect_str_eq(settings_error_text(settings, 20),
			 "x.cfg: too many errors; reading stopped");
	cr_expect(sample.fleet.port == 8081, "defaults all the same");
	settings_free(settings);
}

/* ---- files, in a folder of the test's own ---- */

static char folder[] = "/tmp/quintain-settings-XXXXXX";

static void enter_folder(void)
{
	cr_assert(mkdtemp(folder) && chdir(folder) == 0 && mkdir("sub", 0755) == 0);
}

static void leave_folder(void)
{
	char command[64];

	snprintf(command, sizeof(command), "rm -rf %s", folder);
	cr_assert(chdir("/") == 0 && system(command) == 0);
}

static void put_bytes(const char *path, const char *bytes, size_t n)
{
	FILE *out = fopen(path, "w");

	cr_assert(out && fwrite(bytes, 1, n, out) == n && fclose(out) == 0);
}

static void put_file(const char *path, const char *text)
{
	put_bytes(path, text, strlen(text));
}

static void expect_load(const char *path, const char *expected)
{
	struct sample sample;
	struct settings *settings = settings_load(path, NULL, 0, &SAMPLE, &sample);
	char *errors = errors_of(settings);

	cr_expect_str_eq(errors, expected, "is: %s   should: %s", errors, expected);
	cr_expect_str_eq(sample.note ? sample.note : "", "a \"note\"", "the default");
	free(errors);
	settings_free(settings);
}

TestSuite(settings_files, .init = enter_folder, .fini = leave_folder);

Test(settings_files, that_are_none)
{
	expect_load("nothing.cfg", "nothing.cfg: no such file\n");
	expect_load("sub", "sub: is a folder, not a file\n");
	expect_load("/dev/null", "/dev/null: the file is empty\n");
	expect_load("/dev/zero", "/dev/zero: larger than 16 MiB, with all that is included\n");
	put_file("blank.cfg", " \n\t\r\n");
	expect_load("blank.cfg", "blank.cfg: the file is empty\n");
	put_file("comment.cfg", "# all at its default");
	expect_load("comment.cfg", "");
	put_bytes("nul.cfg", "title = 5;\n\0x", 13);
	expect_load("nul.cfg", "nul.cfg:2: a NUL byte: this is no text file\n");
	put_file("odd\nname.cfg", "titel = 5;");
	expect_load("odd\nname.cfg",
		    "odd?name.cfg:1: titel: unknown setting (did you mean \"title\"?)\n");
}

Test(settings_files, errors_after_an_unreadable_file)
{
	struct sample sample;
	struct settings *settings = settings_load("nothing.cfg", NULL, 0, &SAMPLE, &sample);

	settings_error(settings, &sample.fleet.origin, "port", "in use");
	cr_assert(settings_errors(settings) == 2);
	cr_expect_str_eq(settings_error_text(settings, 1), "nothing.cfg:1: fleet.port: in use");
	settings_free(settings);
}

Test(settings_files, standard_input)
{
	struct sample sample;

	put_file("in.cfg", "@include \"sub/port.cfg\"\ntitle = 5;");
	put_file("sub/port.cfg", "fleet = { port = 0; };");
	int fd = open("in.cfg", O_RDONLY);

	cr_assert(fd >= 0 && dup2(fd, STDIN_FILENO) == STDIN_FILENO);
	struct settings *settings = settings_load("-", NULL, 0, &SAMPLE, &sample);
	char *errors = errors_of(settings);

	cr_expect_str_eq(errors,
			 "sub/port.cfg:1: fleet.port: 0 is out of range; expected 1 .. 65535\n"
			 "<stdin>:2: title: 5 is an integer; expected a string\n");
	free(errors);
	settings_free(settings);
	close(fd);
}

Test(settings_files, includes)
{
	struct sample sample;
	char absolute[128];

	snprintf(absolute, sizeof(absolute), "title = \"t\"; @include \"%s/sub/c.cfg\"", folder);
	put_file("top.cfg", "fleet = {\n  @include \"sub/a.cfg\" # relative to top.cfg\n"
			    "  verbose = 1;\n};\n  @include\t\"sub/steps.cfg\"\n");
	put_file("sub/a.cfg", "port = 0;\n@include \"b.cfg\"\ngroups = ( {\n count = 0 } )");
	put_file("sub/b.cfg", "\n\nloss = 2;");
	put_file("sub/steps.cfg", absolute);
	put_file("sub/c.cfg", "steps = (\n5 )");
	struct settings *settings = settings_load("top.cfg", NULL, 0, &SAMPLE, &sample);
	const struct sample_group *groups = sample.fleet.groups.at;

	cr_assert(sample.fleet.groups.count == 1);
	cr_expect_str_eq(groups[0].origin.file, "sub/a.cfg");
	cr_expect(groups[0].origin.line == 3);
	settings_error(settings, &groups[0].origin, "count", "odd");
	char *errors = errors_of(settings), *expected;

	cr_assert(asprintf(&expected,
			   "sub/a.cfg:1: fleet.port: 0 is out of range; expected 1 .. 65535\n"
			   "sub/b.cfg:3: fleet.loss: 2 is out of range; expected 0 .. 0.5\n"
			   "sub/a.cfg:4: fleet.groups[0].count: 0 is out of range; expected "
			   "1 .. 1000\n"
			   "sub/a.cfg:4: fleet.groups[0].count: odd\n"
			   "top.cfg:3: fleet.verbose: 1 is an integer; expected true or false\n"
			   "%s/sub/c.cfg:2: steps[0]: 5 is an integer; expected a group: { ... }\n",
			   folder) > 0);
	cr_expect_str_eq(errors, expected, "%s", errors);
	free(expected);
	free(errors);
	settings_free(settings);
}

Test(settings_files, includes_that_fail)
{
	cr_assert(mkfifo("fifo", 0600) == 0);
	put_file("x.cfg", "title = \"t\";\nfleet = {\n@include \"sub/no.cfg\"\n"
			  "@include \"sub\"\n@include \"fifo\"\n@include sub\nport = 1x; };\n"
			  "@include \"x.cfg\"\n@include \"sub/back.cfg\"\n");
	put_file("sub/back.cfg", "@include \"../x.cfg\"");
	expect_load("x.cfg",
		    "x.cfg:3: fleet: @include \"sub/no.cfg\": sub/no.cfg: no such file\n"
		    "x.cfg:4: fleet: @include \"sub\": sub: is a folder, not a file\n"
		    "x.cfg:5: fleet: @include \"fifo\": fifo: is no regular file\n"
		    "x.cfg:6: fleet: expected @include \"FILE\"\n"
		    "x.cfg:7: fleet.port: 1x is no number; a value with a unit needs quotes: "
		    "\"1x\"\n"
		    "x.cfg:8: @include \"x.cfg\": x.cfg: includes itself\n"
		    "sub/back.cfg:1: @include \"../x.cfg\": sub/../x.cfg: includes itself\n");
	put_file("y.cfg", "fleet = {\n @include \"sub/open.cfg\"\n");
	put_file("sub/open.cfg", "port = 1;\n tls = { cert = \"c\";\n");
	expect_load("y.cfg", "sub/open.cfg:2: fleet.tls: the file ends, but the '{' of "
			     "sub/open.cfg:2 is still open (a '}' is missing)\n");
	put_file("z.cfg", "title = \"a\";\n@include \"sub/t.cfg\"");
	put_file("sub/t.cfg", "note = \"a \\\"note\\\"\";\ntitle = \"b\";");
	expect_load("z.cfg", "sub/t.cfg:2: title: set twice in this group; first in z.cfg:1\n");
}

Test(settings_files, too_many_includes)
{
	char text[64], name[32];

	for (int i = 0; i < 20; i++) {
		snprintf(name, sizeof(name), "%d.cfg", i);
		snprintf(text, sizeof(text), "@include \"%d.cfg\"", i + 1);
		put_file(name, text);
	}
	expect_load("0.cfg", "16.cfg:1: @include \"17.cfg\": too many files; at most 16 inside "
			     "each other and 256 in all are taken\n");

	FILE *out = fopen("many.cfg", "w");

	for (int i = 0; i < 256; i++)
		fputs("@include \"sub/empty.cfg\"\n", out);
	fclose(out);
	put_file("sub/empty.cfg", "");
	expect_load("many.cfg", "many.cfg:256: @include \"sub/empty.cfg\": too many files; at most "
				"16 inside each other and 256 in all are taken\n");
}
