#include "hil/pico/commands.h"
#include "hil/pico/session.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "emulator/base/units.h"

#define CODE_MAX ((size_t)256 * 1024)
#define OUTPUT_MAX ((size_t)4 * 1024 * 1024)

static const char help[] =
	"usage: quintain-hil exec PORT CODE [options]\n"
	"       quintain-hil exec PORT --file FILE [options]\n"
	"\n"
	"Runs MicroPython code on a board, interrupting what runs there; its output goes to\n"
	"standard output, a traceback to standard error.\n"
	"\n"
	"PORT is /dev/..., tcp://HOST:PORT, a serial number, or usb:PATH (see quintain-hil list).\n"
	"\n"
	"  --file FILE    the code, \"-\" for standard input\n"
	"  --within TIME  a deadline for all of it, 10s unless told otherwise\n"
	"  --fresh        after a soft reset: boot.py runs, main.py does not\n"
	"  --app          start the application afterwards\n"
	"  -h, --help     this text\n"
	"\n"
	"exit codes: 0, 1 the code raised, 2 usage, 3 no board, no answer\n";

struct request {
	const char *port, *code, *file;
	int64_t within_ns;
	bool fresh, app;
};

static int run(const struct request *request, const char *code, size_t len)
{
	struct session session;
	int rc = session_start(&session, "exec", request->port, OUTPUT_MAX);

	if (rc == SESSION_OK && request->fresh)
		rc = session_run(&session, board_interrupt(session.board, true, request->within_ns,
							   session_done, &session));
	if (rc == SESSION_OK) {
		rc = session_run(&session, board_exec(session.board, code, len, request->within_ns,
						      session_done, &session));
		if (session.output != NULL &&
		    session_print(stdout, session.output, session.result.output_len) < 0)
			rc = session_trouble("exec", "standard output cannot be written");
		if (session.result.output_lost > 0)
			rc = session_trouble("exec", "%zu bytes of output more than %zu were lost",
					     session.result.output_lost, OUTPUT_MAX);
	}
	if (rc <= SESSION_FAILED && request->app) {
		int started = session_run(
			&session,
			board_start_app(session.board, request->within_ns, session_done, &session));
		rc = started > rc ? started : rc;
	}
	session_end(&session);
	return rc;
}

int cmd_exec(int argc, char **argv)
{
	static const struct option options[] = { { "file", required_argument, NULL, 'f' },
						 { "within", required_argument, NULL, 'w' },
						 { "fresh", no_argument, NULL, 'r' },
						 { "app", no_argument, NULL, 'a' },
						 { "help", no_argument, NULL, 'h' },
						 { NULL, 0, NULL, 0 } };
	struct request request = { .within_ns = 10 * NS_PER_S };
	char *read = NULL;
	size_t len;
	int c;

	while ((c = getopt_long(argc, argv, "hf:", options, NULL)) != -1)
		switch (c) {
		case 'f': request.file = optarg; break;
		case 'w':
			if (!session_within("exec", optarg, &request.within_ns))
				return SESSION_USAGE;
			break;
		case 'r': request.fresh = true; break;
		case 'a': request.app = true; break;
		case 'h': fputs(help, stdout); return SESSION_OK;
		default: return session_usage("exec", "unknown option");
		}
	if (argc - optind != (request.file != NULL ? 1 : 2))
		return session_usage("exec", "expected PORT and CODE, or PORT and --file FILE");
	request.port = argv[optind];
	if (request.file == NULL)
		return run(&request, argv[optind + 1], strlen(argv[optind + 1]));
	int rc = session_read_file(request.file, CODE_MAX, &read, &len);
	if (rc < 0)
		return session_usage("exec", "%.200s: %s", request.file, strerror(-rc));
	rc = run(&request, read, len);
	free(read);
	return rc;
}
