/*
 * Which boards are there, out of a sysfs of our own; and boards that come back under another name.
 */
#include "hil/pico/board.h"
#include "hil/serial/find.h"
#include "hil/serial/hotplug.h"
#include "tests/support/fake_board.h"
#include "tests/support/fake_sys.h"
#include "tests/support/hil_bed.h"

#include <errno.h>
#include <string.h>

static struct found found[FIND_MAX];

static size_t find(void)
{
	size_t n = 0;

	REQUIRE(find_all(fake_sys, found, FIND_MAX, &n) == 0);
	return n;
}

Test(serial_find, what_is_there)
{
	fake_sys_start();
	cr_expect_eq(find(), 0);
	fake_sys_usb("1-1.10", "2e8a", "0005", "e66058388310322c", "Board in FS mode");
	fake_sys_tty("ttyACM1", "1-1.10");
	fake_sys_usb("1-1.2", "0403", "6001", "A1", "an adapter");
	fake_sys_tty("ttyUSB0", "1-1.2");
	fake_sys_usb("1-1.3", "046d", "c31c", "", "a keyboard");
	fake_sys_usb("1-2", "2e8a", "0003", "E0C9125B0D9B", "RP2 Boot");
	fake_sys_disk("sda", "1-2");
	/* A UART of the machine, one that is not there, a virtual terminal. */
	fake_sys_sh("mkdir -p devices/pnp/s0 class/tty/ttyS0 class/tty/ttyS1 class/tty/tty0 && "
		    "ln -s ../../../devices/pnp/s0 class/tty/ttyS0/device && "
		    "ln -s ../../../devices/pnp/s0 class/tty/ttyS1/device && "
		    "echo 4 >class/tty/ttyS0/type && echo 0 >class/tty/ttyS1/type");
	cr_assert_eq(find(), 4);
	cr_expect_str_eq(found[0].path, "/dev/ttyS0");
	cr_expect_not(found[0].usb);
	cr_expect_str_eq(found[1].usb_path, "1-1.2");
	cr_expect_str_eq(found[2].usb_path, "1-1.10", "in the order of the sockets");
	cr_expect_str_eq(found[2].path, "/dev/ttyACM1");
	cr_expect_str_eq(found[2].serial, "e66058388310322c");
	cr_expect_str_eq(found[2].product, "Board in FS mode");
	cr_expect(found[2].vid == 0x2e8a && found[2].pid == 5 && found[2].bus == 1 &&
		  found[2].address == 17);
	cr_expect_str_eq(found[3].path, "");
	cr_expect_str_eq(found[3].disk, "/dev/sda1");
	cr_expect_eq(pico_usb_of(found[3].vid, found[3].pid), PICO_USB_BOOTSEL_RP2040);
	fake_sys_end();
}

Test(serial_find, what_a_person_types)
{
	char path[64];
	struct found one;

	fake_sys_start();
	fake_sys_usb("1-1", "2e8a", "0005", "E66058388310322C", "Board in FS mode");
	fake_sys_tty("ttyACM0", "1-1");
	cr_expect_eq(find_port(fake_sys, "e66058388310322c", path, sizeof(path)), 0);
	cr_expect_str_eq(path, "/dev/ttyACM0");
	cr_expect_eq(find_port(fake_sys, "serial:E66058388310322c", path, sizeof(path)), 0);
	cr_expect_eq(find_port(fake_sys, "usb:1-1", path, sizeof(path)), 0);
	cr_expect_eq(find_port(fake_sys, "usb:1-2", path, sizeof(path)), -ENODEV);
	cr_expect_eq(find_port(fake_sys, "", path, sizeof(path)), -ENODEV);
	cr_expect_eq(find_port(fake_sys, "e6605838", path, sizeof(path)), -ENODEV);
	cr_expect_eq(find_port(fake_sys, "tcp://h:1", path, sizeof(path)), 0);
	cr_expect_str_eq(path, "tcp://h:1");
	cr_expect_eq(find_port(fake_sys, "usb:1-1", path, 5), -ENAMETOOLONG);
	/* Clones with one serial number for all. */
	fake_sys_usb("1-2", "2e8a", "0005", "e66058388310322c", "Board in FS mode");
	fake_sys_tty("ttyACM1", "1-2");
	cr_expect_eq(find_port(fake_sys, "e66058388310322c", path, sizeof(path)), -EEXIST);
	struct find_match match = { .serial = "e66058388310322c", .usb_path = "1-2" };
	cr_expect_eq(find_one(fake_sys, &match, &one), 0);
	cr_expect_str_eq(one.path, "/dev/ttyACM1");
	fake_sys_end();
	cr_expect_eq(find_port("/nowhere", "usb:1-1", path, sizeof(path)), -ENOENT);
}

/* A device says of itself what it likes. */
Test(serial_find, names_are_made_harmless)
{
	fake_sys_start();
	fake_sys_usb("1-1", "2e8a", "0005", "abc", "\033[2Jpwned\x07\xc3\xa9");
	fake_sys_tty("ttyACM0", "1-1");
	cr_assert_eq(find(), 1);
	cr_expect_str_eq(found[0].product, "?[2Jpwned???");
	fake_sys_sh("head -c 5000 /dev/zero | tr '\\0' x >devices/usb1/1-1/product");
	cr_assert_eq(find(), 1);
	cr_expect_eq(strlen(found[0].product), sizeof(found[0].product) - 1);
	fake_sys_end();
}

/* ---- waiting ---- */

static int waited;
static struct found came;

static void wait_done(struct hotplug_wait *wait, int error, const struct found *one)
{
	(void)wait;
	waited = error;
	if (one != NULL)
		came = *one;
	loop_stop(&bed.loop);
}

static struct hotplug *start_hotplug(void)
{
	struct hotplug_options options = { .sys = fake_sys,
					   .rescan_ns = 5 * NS_PER_MS,
					   .without_udev = true };
	struct hotplug *hotplug = NULL;

	REQUIRE(hotplug_new(&bed.loop, &options, &hotplug) == 0);
	cr_expect_not(hotplug_has_events(hotplug));
	return hotplug;
}

Test(serial_find, waiting)
{
	bed_start();
	fake_sys_start();
	struct hotplug *hotplug = start_hotplug();
	struct hotplug_wait wait = { .match = { .serial = "ABC", .with_tty = true },
				     .done = wait_done };
	waited = 1;
	hotplug_wait(hotplug, &wait, 30 * NS_PER_MS);
	cr_expect_eq(waited, 1);
	bed_run();
	cr_expect_eq(waited, -ETIMEDOUT);
	hotplug_wait(hotplug, &wait, 30 * NS_PER_S);
	cr_expect_not(bed_run_for(20), "a device without a tty is not it");
	fake_sys_usb("1-1", "2e8a", "0005", "abc", "x");
	cr_expect_not(bed_run_for(20));
	fake_sys_tty("ttyACM7", "1-1");
	bed_run();
	cr_expect_eq(waited, 0);
	cr_expect_str_eq(came.path, "/dev/ttyACM7");
	wait.absent = true;
	hotplug_wait(hotplug, &wait, 30 * NS_PER_S);
	cr_expect_not(bed_run_for(20));
	fake_sys_remove("1-1");
	bed_run();
	cr_expect_eq(waited, 0);
	hotplug_wait(hotplug, &wait, 30 * NS_PER_S);
	hotplug_cancel(&wait);
	hotplug_cancel(&wait);
	cr_expect_not(bed_run_for(20));
	hotplug_wait(hotplug, &wait, 30 * NS_PER_S);
	hotplug_free(hotplug);
	fake_sys_end();
	bed_end();
}

/* The kernel's own group can be had by anybody. */
Test(serial_find, events)
{
	struct hotplug *hotplug = NULL;

	bed_start();
	REQUIRE(hotplug_new(&bed.loop, NULL, &hotplug) == 0);
	cr_expect(hotplug_has_events(hotplug));
	hotplug_free(hotplug);
	bed_end();
}

/* ---- a board that re-enumerates ---- */

static struct board_result end;
static char end_text[300];

static void job_done(void *owner, const struct board_result *result)
{
	(void)owner;
	end = *result;
	snprintf(end_text, sizeof(end_text), "%s", result->text);
	loop_stop(&bed.loop);
}

static struct fake_board *plug_in(struct fake_board *fake, const char *usb_path)
{
	char name[32];

	snprintf(name, sizeof(name), "pts!%s", strrchr(fake->path, '/') + 1);
	fake_sys_usb(usb_path, "2e8a", "0005", "e66058388310322c", "Board in FS mode");
	fake_sys_tty(name, usb_path);
	return fake;
}

static struct fake_board *plug(const char *usb_path)
{
	return plug_in(fake_board_new(&bed.loop), usb_path);
}

Test(serial_find, a_board_comes_back_under_another_name)
{
	struct board *board = NULL;
	struct board_options options = { .port = "E66058388310322C" };

	bed_start();
	fake_sys_start();
	struct hotplug *hotplug = start_hotplug();
	REQUIRE(board_new(&bed.loop, hotplug, &options, &board) == 0);
	struct fake_board *first = plug("1-1"), *second = fake_board_new(&bed.loop);
	REQUIRE(board_machine_reset(board, 30 * NS_PER_S, job_done, NULL) == 0);
	cr_expect_not(bed_run_for(700), "it has not gone yet");
	cr_expect(first->silent, "it has the command");
	fake_board_unplug(first);
	fake_sys_remove("1-1");
	cr_expect_not(bed_run_for(50), "it is not back yet");
	plug_in(second, "1-1");
	cr_expect_str_neq(first->path, second->path);
	bed_run();
	cr_expect_eq(end.status, BOARD_OK, "%s", end_text);
	cr_assert_not_null(board_port(board));
	cr_expect_str_eq(serial_port_path(board_port(board)), second->path);
	REQUIRE(board_exec(board, "print('up')", 11, 30 * NS_PER_S, job_done, NULL) == 0);
	bed_run();
	cr_expect_eq(end.status, BOARD_OK, "%s", end_text);
	board_free(board);
	fake_board_free(first);
	fake_board_free(second);
	loop_settle(&bed.loop);
	hotplug_free(hotplug);
	fake_sys_end();
	bed_end();
}

/* Its tty may be another's by the time it is back: its socket is not. */
Test(serial_find, a_board_named_by_its_tty)
{
	struct board *board = NULL;

	bed_start();
	fake_sys_start();
	struct hotplug *hotplug = start_hotplug();
	struct fake_board *first = plug("1-1"), *other = fake_board_new(&bed.loop),
			  *second = fake_board_new(&bed.loop);
	struct board_options options = { .port = first->path };
	REQUIRE(board_new(&bed.loop, hotplug, &options, &board) == 0);
	REQUIRE(board_machine_reset(board, 30 * NS_PER_S, job_done, NULL) == 0);
	cr_expect_not(bed_run_for(700));
	fake_board_unplug(first);
	fake_sys_remove("1-1");
	plug_in(other, "1-2");
	cr_expect_not(bed_run_for(50), "that is another one");
	plug_in(second, "1-1");
	bed_run();
	cr_expect_eq(end.status, BOARD_OK, "%s", end_text);
	cr_assert_not_null(board_port(board));
	cr_expect_str_eq(serial_port_path(board_port(board)), second->path);
	board_free(board);
	fake_board_free(first);
	fake_board_free(other);
	fake_board_free(second);
	loop_settle(&bed.loop);
	hotplug_free(hotplug);
	fake_sys_end();
	bed_end();
}

/* In BOOTSEL all have the same serial number: another board there must not be taken for ours. */
Test(serial_find, into_bootsel)
{
	struct board *board = NULL;
	struct board_options options = { .port = "e66058388310322c" };
	struct found there;

	bed_start();
	fake_sys_start();
	struct hotplug *hotplug = start_hotplug();
	REQUIRE(board_new(&bed.loop, hotplug, &options, &board) == 0);
	struct fake_board *fake = plug("1-1");
	fake_sys_usb("1-3", "2e8a", "0003", "E0C9125B0D9B", "RP2 Boot");
	fake_sys_disk("sdz", "1-3");
	REQUIRE(board_bootloader(board, 30 * NS_PER_S, job_done, NULL) == 0);
	cr_expect_not(bed_run_for(700));
	fake_board_unplug(fake);
	fake_sys_remove("1-1");
	cr_expect_not(bed_run_for(50), "the other one is not it");
	fake_sys_usb("1-1", "2e8a", "0003", "E0C9125B0D9B", "RP2 Boot");
	fake_sys_disk("sda", "1-1");
	bed_run();
	cr_expect_eq(end.status, BOARD_OK, "%s", end_text);
	cr_expect(board_found(board, &there));
	cr_expect_str_eq(there.usb_path, "1-1");
	cr_expect_not(board_is_open(board));
	board_free(board);
	fake_board_free(fake);
	loop_settle(&bed.loop);
	hotplug_free(hotplug);
	fake_sys_end();
	bed_end();
}

Test(serial_find, never_comes_back)
{
	struct board *board = NULL;
	struct board_options options = { .port = "usb:1-1" };

	bed_start();
	fake_sys_start();
	struct hotplug *hotplug = start_hotplug();
	REQUIRE(board_new(&bed.loop, hotplug, &options, &board) == 0);
	struct fake_board *fake = plug("1-1");
	REQUIRE(board_open(board, 30 * NS_PER_S, job_done, NULL) == 0);
	bed_run();
	REQUIRE(board_machine_reset(board, NS_PER_S, job_done, NULL) == 0);
	cr_expect_not(bed_run_for(600));
	fake_board_unplug(fake);
	fake_sys_remove("1-1");
	bed_run();
	cr_expect_eq(end.status, BOARD_ABSENT, "%s", end_text);
	board_free(board);
	fake_board_free(fake);
	loop_settle(&bed.loop);
	hotplug_free(hotplug);
	fake_sys_end();
	bed_end();
}
