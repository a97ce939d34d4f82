#include "hil/pico/commands.h"
#include "hil/pico/session.h"

#include <getopt.h>
#include <string.h>

#include "emulator/base/units.h"

static const char reset_help[] =
	"usage: quintain-hil reset PORT [--hard | --raw] [--within TIME]\n"
	"\n"
	"Resets a board. A soft reset starts its application anew (boot.py, main.py).\n"
	"\n"
	"PORT is /dev/..., tcp://HOST:PORT, a serial number, or usb:PATH (see quintain-hil list).\n"
	"\n"
	"  --hard         machine.reset(), and wait until it is back, under whatever name\n"
	"  --raw          a soft reset that stays at the raw prompt (boot.py only)\n"
	"  --within TIME  a deadline for all of it, 15s unless told otherwise\n"
	"  -h, --help     this text\n"
	"\n"
	"exit codes: 0, 1 the board raised, 2 usage, 3 no board, no answer, not back in time\n";

static const char bootsel_help[] =
	"usage: quintain-hil bootsel PORT [--within TIME]\n"
	"\n"
	"Puts a board into BOOTSEL by machine.bootloader(), and waits for it there.\n"
	"\n"
	"PORT is /dev/..., a serial number, or usb:PATH (see quintain-hil list).\n"
	"\n"
	"  --within TIME  a deadline for all of it, 15s unless told otherwise\n"
	"  -h, --help     this text\n"
	"\n"
	"exit codes: 0, 1 the board raised, 2 usage, 3 no board, no answer, not there in time\n";

enum how { SOFT, HARD, RAW, BOOTSEL };

static int begin(struct session *session, enum how how, int64_t within_ns)
{
	switch (how) {
	case HARD: return board_machine_reset(session->board, within_ns, session_done, session);
	case RAW: return board_interrupt(session->board, true, within_ns, session_done, session);
	case BOOTSEL: return board_bootloader(session->board, within_ns, session_done, session);
	case SOFT: break;
	}
	return board_start_app(session->board, within_ns, session_done, session);
}

static int reset(int argc, char **argv, const char *command, const char *help, enum how how)
{
	static const struct option options[] = { { "within", required_argument, NULL, 'w' },
						 { "help", no_argument, NULL, 'h' },
						 { "hard", no_argument, NULL, 'H' },
						 { "raw", no_argument, NULL, 'r' },
						 { NULL, 0, NULL, 0 } };
	int64_t within_ns = 15 * NS_PER_S;
	struct session session;
	struct found found;
	int c;

	while ((c = getopt_long(argc, argv, "h", options, NULL)) != -1) {
		if (c == 'h') {
			fputs(help, stdout);
			return SESSION_OK;
		}
		if (c == 'w' && !session_within(command, optarg, &within_ns))
			return SESSION_USAGE;
		if ((c == 'H' || c == 'r') && how != SOFT)
			return session_usage(command, "one of --hard and --raw, with reset");
		if (c == '?')
			return session_usage(command, "unknown option");
		how = c == 'H' ? HARD : c == 'r' ? RAW : how;
	}
	if (argc - optind != 1)
		return session_usage(command, "expected PORT");
	int code = session_start(&session, command, argv[optind], 0);
	if (code == SESSION_OK)
		code = session_run(&session, begin(&session, how, within_ns));
	if (code == SESSION_OK) {
		fputs(session.text, stdout);
		if ((how == HARD || how == BOOTSEL) && board_found(session.board, &found))
			printf(" (%s, usb:%s)", found.path[0] != '\0' ? found.path : found.disk,
			       found.usb_path);
		putchar('\n');
	}
	session_end(&session);
	return code;
}

int cmd_reset(int argc, char **argv)
{
	return reset(argc, argv, "reset", reset_help, SOFT);
}

int cmd_bootsel(int argc, char **argv)
{
	return reset(argc, argv, "bootsel", bootsel_help, BOOTSEL);
}
