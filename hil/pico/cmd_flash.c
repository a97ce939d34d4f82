#include "hil/pico/commands.h"
#include "hil/pico/flash.h"
#include "hil/pico/session.h"

#include <getopt.h>
#include <string.h>

#include "emulator/base/units.h"

static const char help[] =
	"usage: quintain-hil flash PORT FILE.uf2 [options]\n"
	"\n"
	"New firmware for a board. A board that runs MicroPython is put into BOOTSEL first; one\n"
	"that is in BOOTSEL already is named by usb:PATH, since every RP2040 has the same serial\n"
	"number there. The file is checked before anything happens.\n"
	"\n"
	"PORT is /dev/..., a serial number, or usb:PATH (see quintain-hil list).\n"
	"\n"
	"  --picotool     by picotool only\n"
	"  --disk         by the boot ROM's disk only\n"
	"  --within TIME  a deadline for all of it, 60s unless told otherwise\n"
	"  -h, --help     this text\n"
	"\n"
	"exit codes: 0, 2 usage or a file that is not right, 3 no board, not written\n";

struct request {
	const char *port, *file;
	enum flash_way way;
	int64_t within_ns;
};

struct flashing {
	struct flash flash;
	struct session *session;
	int error;
};

static void flashed(struct flash *flash, int error, const char *text)
{
	struct flashing *flashing = flash->owner;

	flashing->error = error;
	snprintf(flashing->session->text, sizeof(flashing->session->text), "%s", text);
	loop_stop(&flashing->session->loop);
}

/* Its USB path, once it is in BOOTSEL. */
static int to_bootsel(struct session *session, const struct request *request, char *usb_path,
		      size_t cap)
{
	struct find_match match = find_spec(request->port);
	struct found found;

	match.with_tty = false;
	match.bootsel = true;
	if (find_one(NULL, &match, &found) == 0) {
		snprintf(usb_path, cap, "%s", found.usb_path);
		return SESSION_OK;
	}
	int code = session_run(session, board_bootloader(session->board, request->within_ns,
							 session_done, session));
	if (code == SESSION_OK && board_found(session->board, &found))
		snprintf(usb_path, cap, "%s", found.usb_path);
	return code;
}

static int run(const struct request *request)
{
	struct session session;
	struct flashing flashing = { .session = &session };
	struct serial_trouble trouble;
	char usb_path[32] = "";
	int code = flash_check(request->file, &trouble);

	if (code < 0)
		return session_usage("flash", "%s", trouble.text);
	code = session_start(&session, "flash", request->port, 0);
	if (code == SESSION_OK)
		code = to_bootsel(&session, request, usb_path, sizeof(usb_path));
	if (code != SESSION_OK)
		goto out;
	flashing.flash.done = flashed;
	flashing.flash.owner = &flashing;
	if (flash_start(&flashing.flash, &session.loop, session.hotplug, request->file, usb_path,
			request->way, NULL, request->within_ns, &trouble) < 0) {
		code = session_usage("flash", "%s", trouble.text);
		goto out;
	}
	session.loop.stopping = false;
	int rc = loop_run(&session.loop, TIMERS_NEVER);
	if (rc < 0 || flashing.error != 0)
		code = session_trouble("flash", "%s", rc < 0 ? strerror(-rc) : session.text);
	else
		printf("%s (usb:%s)\n", session.text, usb_path);
	flash_cancel(&flashing.flash);
out:
	session_end(&session);
	return code;
}

int cmd_flash(int argc, char **argv)
{
	static const struct option options[] = { { "within", required_argument, NULL, 'w' },
						 { "help", no_argument, NULL, 'h' },
						 { "picotool", no_argument, NULL, 'p' },
						 { "disk", no_argument, NULL, 'd' },
						 { NULL, 0, NULL, 0 } };
	struct request request = { .within_ns = 60 * NS_PER_S };
	int c;

	while ((c = getopt_long(argc, argv, "h", options, NULL)) != -1)
		switch (c) {
		case 'w':
			if (!session_within("flash", optarg, &request.within_ns))
				return SESSION_USAGE;
			break;
		case 'p': request.way = FLASH_PICOTOOL; break;
		case 'd': request.way = FLASH_DISK; break;
		case 'h': fputs(help, stdout); return SESSION_OK;
		default: return session_usage("flash", "unknown option");
		}
	if (argc - optind != 2)
		return session_usage("flash", "expected PORT and FILE.uf2");
	request.port = argv[optind];
	request.file = argv[optind + 1];
	return run(&request);
}
