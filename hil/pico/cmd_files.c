#include "hil/pico/commands.h"
#include "hil/pico/session.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "emulator/base/units.h"

/* More than any Pico's file system. */
#define FILE_MAX ((size_t)16 * 1024 * 1024)

static const char put_help[] =
	"usage: quintain-hil put PORT FILE [NAME] [--within TIME]\n"
	"\n"
	"Copies a file to a board: under a temporary name, verified by its SHA-256 as the board\n"
	"reads it back, then renamed into place. NAME is FILE's last part unless told otherwise.\n"
	"\n"
	"PORT is /dev/..., tcp://HOST:PORT, a serial number, or usb:PATH (see quintain-hil list).\n"
	"\n"
	"  --within TIME  a deadline for all of it, 60s unless told otherwise\n"
	"  -h, --help     this text\n"
	"\n"
	"exit codes: 0, 1 the board refused it or reads back something else, 2 usage, 3 no board\n";

static const char get_help[] =
	"usage: quintain-hil get PORT NAME [FILE] [--within TIME]\n"
	"\n"
	"Copies a file from a board, verified by its SHA-256. FILE is NAME's last part unless told\n"
	"otherwise, \"-\" for standard output. A file that is there is replaced.\n"
	"\n"
	"PORT is /dev/..., tcp://HOST:PORT, a serial number, or usb:PATH (see quintain-hil list).\n"
	"\n"
	"  --within TIME  a deadline for all of it, 60s unless told otherwise\n"
	"  -h, --help     this text\n"
	"\n"
	"exit codes: 0, 1 no such file, or not what the board's hash says, 2 usage, 3 no board\n";

struct request {
	const char *command, *help;
	const char *port, *from, *to;
	int64_t within_ns;
};

static const char *last_part(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash != NULL ? slash + 1 : path;
}

/* True: go on. Else *ret_code is the exit code. */
static bool parse(int argc, char **argv, struct request *request, int *ret_code)
{
	static const struct option options[] = { { "within", required_argument, NULL, 'w' },
						 { "help", no_argument, NULL, 'h' },
						 { NULL, 0, NULL, 0 } };
	int c;

	request->within_ns = 60 * NS_PER_S;
	*ret_code = SESSION_USAGE;
	while ((c = getopt_long(argc, argv, "h", options, NULL)) != -1)
		switch (c) {
		case 'w':
			if (!session_within(request->command, optarg, &request->within_ns))
				return false;
			break;
		case 'h':
			fputs(request->help, stdout);
			*ret_code = SESSION_OK;
			return false;
		default: session_usage(request->command, "unknown option"); return false;
		}
	if (argc - optind != 2 && argc - optind != 3) {
		session_usage(request->command, "expected a port, and what to copy");
		return false;
	}
	request->port = argv[optind];
	request->from = argv[optind + 1];
	request->to = argc - optind == 3 ? argv[optind + 2] : last_part(request->from);
	return true;
}

int cmd_put(int argc, char **argv)
{
	struct request request = { .command = "put", .help = put_help };
	struct session session;
	char *bytes = NULL;
	size_t len = 0;
	int code;

	if (!parse(argc, argv, &request, &code))
		return code;
	/* PORT and FILE the other way round: reading would take the board's words, and never end.
	 */
	struct stat st;
	if (stat(request.from, &st) == 0 && S_ISCHR(st.st_mode))
		return session_usage("put", "%.200s is a device, no file: PORT comes first",
				     request.from);
	int rc = session_read_file(request.from, FILE_MAX, &bytes, &len);
	if (rc < 0)
		return session_usage("put", "%.200s: %s", request.from, strerror(-rc));
	code = session_start(&session, "put", request.port, 0);
	if (code == SESSION_OK)
		code = session_run(&session, board_put(session.board, request.to, bytes, len,
						       request.within_ns, session_done, &session));
	session_end(&session);
	free(bytes);
	return code;
}

/* Whole or not at all: what was there before stays until the new one is on the disk. */
static int save(const char *path, const char *bytes, size_t len)
{
	char temporary[4096];
	int rc = 0;

	if (snprintf(temporary, sizeof(temporary), "%s.part", path) >= (int)sizeof(temporary))
		return -ENAMETOOLONG;
	FILE *file = fopen(temporary, "wbe");
	if (file == NULL)
		return -errno;
	if (fwrite(bytes, 1, len, file) != len || fflush(file) != 0)
		rc = -errno;
	if (fclose(file) != 0 && rc == 0)
		rc = -errno;
	if (rc == 0 && rename(temporary, path) < 0)
		rc = -errno;
	if (rc < 0)
		remove(temporary);
	return rc;
}

int cmd_get(int argc, char **argv)
{
	struct request request = { .command = "get", .help = get_help };
	struct session session;
	int code, rc = 0;

	if (!parse(argc, argv, &request, &code))
		return code;
	code = session_start(&session, "get", request.port, FILE_MAX);
	if (code == SESSION_OK)
		code = session_run(&session, board_get(session.board, request.from,
						       request.within_ns, session_done, &session));
	if (code == SESSION_OK) {
		size_t len = session.result.output_len;
		rc = strcmp(request.to, "-") == 0 ? session_print(stdout, session.output, len)
						  : save(request.to, session.output, len);
		if (rc < 0)
			code = session_trouble("get", "%.200s: %s", request.to, strerror(-rc));
	}
	session_end(&session);
	return code;
}
