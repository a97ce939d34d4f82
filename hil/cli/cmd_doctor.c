#include "hil/cli/cmd.h"
#include "hil/cli/load.h"
#include "hil/rig/doctor.h"

#include "proto/json/json.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <string.h>
#include <unistd.h>

static const char help[] =
	"usage: quintain-hil doctor [--bench FILE] [options]\n"
	"\n"
	"Looks for what keeps a bench from working on this machine: permissions, ModemManager,\n"
	"kernel and libgpiod, autosuspend, clock source, disk; with a bench also its lines, ports\n"
	"and addresses, and who holds them. Each finding has its remedy.\n"
	"\n"
	"  --bench FILE       the bench\n"
	"  --rules            print the udev rules, and nothing else\n"
	"  --write-rules      write them to " DOCTOR_RULES_PATH " (as root)\n"
	"  --json             a line of JSON for each look\n"
	"  -h, --help         this text\n"
	"\n"
	"exit codes: 0 all is well or odd, 3 something is bad\n";

static void say_text(void *owner, enum doctor_state state, const char *name, const char *seen,
		     const char *remedy)
{
	static const char *const words[] = { "fine", "odd ", "BAD " };

	(void)owner;
	printf("%s  %s: %s\n", words[state], name, seen);
	if (remedy[0] != '\0')
		printf("      -> %s\n", remedy);
}

static void say_json(void *owner, enum doctor_state state, const char *name, const char *seen,
		     const char *remedy)
{
	static const char *const words[] = { "fine", "odd", "bad" };
	struct qn_json_writer out;
	char line[4096];

	(void)owner;
	qn_json_writer_init(&out, line, sizeof(line));
	qn_json_put_literal(&out, "{\"state\": ");
	qn_json_put_string(&out, words[state], strlen(words[state]), false);
	qn_json_put_literal(&out, ", \"name\": ");
	qn_json_put_string(&out, name, strlen(name), false);
	qn_json_put_literal(&out, ", \"seen\": ");
	qn_json_put_string(&out, seen, strlen(seen), false);
	qn_json_put_literal(&out, ", \"remedy\": ");
	qn_json_put_string(&out, remedy, strlen(remedy), false);
	qn_json_put_literal(&out, "}\n");
	fwrite(line, 1, qn_json_written(&out), stdout);
}

static int write_rules(void)
{
	size_t len = strlen(doctor_rules);
	int fd = open(DOCTOR_RULES_PATH, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	if (fd < 0)
		return cmd_trouble("doctor", DOCTOR_RULES_PATH ": %s%s", strerror(errno),
				   errno == EACCES ? "; try it with sudo" : "");
	bool whole = write(fd, doctor_rules, len) == (ssize_t)len;
	if (close(fd) < 0 || !whole)
		return cmd_trouble("doctor", DOCTOR_RULES_PATH ": %s", strerror(errno));
	printf("written: " DOCTOR_RULES_PATH "\nnow: sudo udevadm control --reload && sudo udevadm "
	       "trigger\n");
	return HIL_EXIT_OK;
}

static int look(const char *bench, bool json)
{
	struct doctor doctor = { .root = "", .say = json ? say_json : say_text };
	struct overrides none = { .n = 0 };
	struct loaded loaded = { .plan_settings = NULL };

	if (bench != NULL) {
		int rc = loaded_open_bench("doctor", bench, &none, &loaded);
		if (rc != HIL_EXIT_OK) {
			loaded_release(&loaded);
			return rc;
		}
		doctor.bench = &loaded.bench.bench;
	}
	doctor_look(&doctor);
	loaded_release(&loaded);
	return doctor.worst == DOCTOR_BAD ? HIL_EXIT_ENVIRONMENT : HIL_EXIT_OK;
}

int cmd_doctor(int argc, char **argv)
{
	static const struct option options[] = {
		{ "bench", required_argument, NULL, 'b' }, { "rules", no_argument, NULL, 'r' },
		{ "write-rules", no_argument, NULL, 'w' }, { "json", no_argument, NULL, 'j' },
		{ "help", no_argument, NULL, 'h' },        { NULL, 0, NULL, 0 }
	};
	const char *bench = NULL;
	bool json = false;

	optind = 1;
	for (int opt; (opt = getopt_long(argc, argv, "h", options, NULL)) != -1;) {
		switch (opt) {
		case 'b': bench = optarg; break;
		case 'r': fputs(doctor_rules, stdout); return HIL_EXIT_OK;
		case 'w': return write_rules();
		case 'j': json = true; break;
		case 'h': fputs(help, stdout); return HIL_EXIT_OK;
		default: return cmd_wrong_option("doctor");
		}
	}
	if (optind != argc)
		return cmd_usage(argv[0], "takes no argument");
	return look(bench, json);
}
