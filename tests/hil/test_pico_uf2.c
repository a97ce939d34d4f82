/*
 * Firmware files, and the way onto a board: the corpus with its verdicts, mount points, the copy by
 * a child process, and what goes wrong there. No Pico was near.
 */
#include "hil/pico/flash.h"
#include "hil/pico/uf2.h"
#include "tests/support/fake_sys.h"
#include "tests/support/guard.h"
#include "tests/support/hil_bed.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char bytes[65536];

static size_t corpus(const char *name, char *path, size_t cap)
{
	const char *source = getenv("QN_SOURCE_DIR");

	snprintf(path, cap, "%s/tests/fuzz/corpus/hil_uf2/%s", source != NULL ? source : ".", name);
	FILE *file = fopen(path, "rb");
	REQUIRE(file != NULL);
	size_t len = fread(bytes, 1, sizeof(bytes), file);
	fclose(file);
	return len;
}

Test(uf2, corpus)
{
	static const struct {
		const char *name;
		enum uf2_fault fault;
		size_t block;
	} cases[] = {
		{ "rp2040", UF2_OK, 0 },
		{ "rp2350_with_erratum", UF2_OK, 0 },
		{ "cut", UF2_CUT, 0 },
		{ "missing", UF2_BAD_NUMBER, 1 },
		{ "count", UF2_BAD_COUNT, 1 },
		{ "no_family", UF2_NO_FAMILY, 0 },
		{ "overlap", UF2_BAD_ADDRESS, 1 },
		{ "payload", UF2_BAD_PAYLOAD, 0 },
		{ "top", UF2_BAD_ADDRESS, 0 },
		{ "comment_only", UF2_EMPTY, 1 },
		{ "families", UF2_TOO_MANY, 4 },
		{ "empty", UF2_EMPTY, 0 },
	};
	char path[512];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct uf2 uf2;
		size_t block = 0, len = corpus(cases[i].name, path, sizeof(path));
		char *copy = guard_copy(bytes, len);
		enum uf2_fault fault = uf2_check(copy, len, &uf2, &block);
		guard_free(copy, len);
		cr_expect_eq(fault, cases[i].fault, "%s: %s", cases[i].name, uf2_fault_text(fault));
		cr_expect_eq(block, cases[i].block, "%s: block %zu", cases[i].name, block);
	}
}

Test(uf2, which_chip)
{
	struct uf2 uf2;
	size_t block;
	char path[512];
	size_t len = corpus("rp2040", path, sizeof(path));

	REQUIRE(uf2_check(bytes, len, &uf2, &block) == UF2_OK);
	cr_expect(uf2_for_rp2040(&uf2) && !uf2_for_rp2350(&uf2));
	cr_expect_eq(uf2.parts[0].first, 0x10000000);
	cr_expect_eq(uf2.parts[0].end, 0x10000300);
	len = corpus("rp2350_with_erratum", path, sizeof(path));
	REQUIRE(uf2_check(bytes, len, &uf2, &block) == UF2_OK);
	cr_expect(!uf2_for_rp2040(&uf2) && uf2_for_rp2350(&uf2));
	/* Any bit of the header that is turned makes it another file, or none. */
	len = corpus("rp2040", path, sizeof(path));
	for (size_t bit = 0; bit < 8 * 28; bit++) {
		if (bit / 8 >= 9 && bit / 8 < 12)
			continue; /* flags that nobody asks for */
		bytes[512 + bit / 8] ^= (char)(1 << bit % 8);
		enum uf2_fault fault = uf2_check(bytes, len, &uf2, &block);
		bool higher = bit >= 8 * 13 && bit < 8 * 16; /* an address further up is fine */
		cr_expect(fault != UF2_OK || higher || bit < 8 * 12, "bit %zu", bit);
		bytes[512 + bit / 8] ^= (char)(1 << bit % 8);
	}
}

/* ---- flashing ---- */

static struct {
	int calls, error;
	char text[600];
} end;

static void done(struct flash *flash, int error, const char *text)
{
	(void)flash;
	end.calls++;
	end.error = error;
	snprintf(end.text, sizeof(end.text), "%s", text);
	loop_stop(&bed.loop);
}

static struct flash flash = { .done = done };
static struct hotplug *hotplug;
static char folder[100], mounts[100], target[160];

static void start(void)
{
	struct hotplug_options options = { .sys = fake_sys,
					   .rescan_ns = 5 * NS_PER_MS,
					   .without_udev = true };

	bed_start();
	fake_sys_start();
	REQUIRE(hotplug_new(&bed.loop, &options, &hotplug) == 0);
	snprintf(folder, sizeof(folder), "%s/RPI-RP2 disk", fake_sys);
	REQUIRE(mkdir(folder, 0700) == 0);
	snprintf(target, sizeof(target), "%s/firmware.uf2", folder);
	snprintf(mounts, sizeof(mounts), "%s/mountinfo", fake_sys);
	fake_sys_sh("printf '%%s\\n' '36 35 8:0 / / rw - ext4 /dev/sdb1 rw' "
		    "'37 35 8:1 / %s/RPI-RP2\\040disk rw shared:1 - vfat /dev/sda1 rw' >mountinfo",
		    fake_sys);
	/* Neither of the two programs is to be had, whatever this machine has. */
	setenv("PATH", "/nonexistent", 1);
}

static void stop(void)
{
	setenv("PATH", "/usr/bin:/bin", 1);
	hotplug_free(hotplug);
	fake_sys_end();
	bed_end();
}

static void bootsel(const char *usb_path, const char *disk)
{
	setenv("PATH", "/usr/bin:/bin", 1);
	fake_sys_usb(usb_path, "2e8a", "0003", "E0C9125B0D9B", "RP2 Boot");
	fake_sys_disk(disk, usb_path);
	setenv("PATH", "/nonexistent", 1);
}

static int begin(const char *name, int64_t within)
{
	struct serial_trouble trouble;
	char path[512];

	corpus(name, path, sizeof(path));
	return flash_start(&flash, &bed.loop, hotplug, path, "1-1", FLASH_AUTO, mounts, within,
			   &trouble);
}

Test(uf2, mount_points)
{
	char at[100];

	start();
	cr_expect(flash_mount_point(mounts, "/dev/sda1", at, sizeof(at)));
	cr_expect_str_eq(at, folder);
	cr_expect_not(flash_mount_point(mounts, "/dev/sda", at, sizeof(at)));
	cr_expect_not(flash_mount_point("/nonexistent", "/dev/sda1", at, sizeof(at)));
	stop();
}

Test(uf2, onto_the_disk_of_that_socket)
{
	struct stat st;

	start();
	bootsel("1-2", "sdb");
	cr_expect_eq(begin("rp2040", 20 * NS_PER_S), 0);
	cr_expect_not(bed_run_for(30), "another board's disk is not it");
	bootsel("1-1", "sda");
	bed_run();
	cr_expect_eq(end.error, 0, "%s", end.text);
	cr_expect(stat(target, &st) == 0 && st.st_size == 3 * 512);
	stop();
}

Test(uf2, what_may_go_wrong)
{
	start();
	cr_expect_eq(begin("cut", NS_PER_S), -EINVAL);
	cr_expect_eq(begin("rp2040", 20 * NS_PER_MS), 0);
	bed_run();
	cr_expect_eq(end.error, -ENODEV, "%s", end.text);
	bootsel("1-1", "sda");
	cr_expect_eq(begin("rp2350_with_erratum", 20 * NS_PER_S), 0);
	bed_run();
	cr_expect_eq(end.error, -EINVAL, "%s", end.text);
	/* A disk that is full, however early. */
	REQUIRE(symlink("/dev/full", target) == 0);
	cr_expect_eq(begin("rp2040", 20 * NS_PER_S), 0);
	bed_run();
	cr_expect_eq(end.error, -EIO, "%s", end.text);
	cr_expect_not_null(strstr(end.text, "No space left"), "%s", end.text);
	unlink(target);
	cr_expect_eq(begin("rp2040", 20 * NS_PER_S), 0);
	rmdir(folder);
	bed_run();
	cr_expect_eq(end.error, -EIO, "%s", end.text);
	cr_expect_not_null(strstr(end.text, "firmware.uf2: No such file"), "%s", end.text);
	unlink(mounts);
	cr_expect_eq(begin("rp2040", 20 * NS_PER_S), 0);
	bed_run();
	cr_expect_eq(end.error, -ENOENT, "%s", end.text);
	cr_expect_eq(end.calls, 5);
	cr_expect_eq(begin("rp2040", 20 * NS_PER_S), 0);
	flash_cancel(&flash);
	flash_cancel(&flash);
	cr_expect_eq(end.calls, 5);
	stop();
}

static void fake_program(const char *name, const char *script)
{
	char path[200];

	snprintf(path, sizeof(path), "%s/%s", fake_sys, name);
	FILE *file = fopen(path, "w");
	REQUIRE(file != NULL);
	fprintf(file, "#!/bin/sh\n%s\n", script);
	fclose(file);
	REQUIRE(chmod(path, 0700) == 0);
	setenv("PATH", fake_sys, 1);
}

/* A picotool of our own, that says how it was called. */
Test(uf2, by_picotool)
{
	char said[400] = "", path[100];

	start();
	bootsel("1-1", "sda");
	fake_program("picotool", "echo \"$@\" >\"${0%/*}/said\"");
	cr_expect_eq(begin("rp2040", 20 * NS_PER_S), 0);
	bed_run();
	cr_expect_eq(end.error, 0, "%s", end.text);
	snprintf(path, sizeof(path), "%s/said", fake_sys);
	FILE *file = fopen(path, "r");
	REQUIRE(file != NULL && fgets(said, sizeof(said), file) != NULL);
	fclose(file);
	cr_expect(strncmp(said, "load -v -x /", 12) == 0 &&
			  strstr(said, "/rp2040 --bus 1 --address 17\n") != NULL,
		  "%s", said);
	fake_program("picotool", "echo 'no \033device' >&2; exit 3");
	cr_expect_eq(begin("rp2040", 20 * NS_PER_S), 0);
	bed_run();
	cr_expect_eq(end.error, -EIO);
	cr_expect_str_eq(end.text, "writing failed: no \\x1bdevice\\x0a");
	/* It hangs: it is ended at the deadline. */
	fake_program("picotool", "while :; do :; done");
	cr_expect_eq(begin("rp2040", 100 * NS_PER_MS), 0);
	bed_run();
	cr_expect_eq(end.error, -ETIMEDOUT, "%s", end.text);
	stop();
}

Test(uf2, mounted_when_asked)
{
	struct stat st;
	char script[300];

	start();
	bootsel("1-1", "sda");
	unlink(mounts);
	/* /bin/sh's echo may undo the \040: cat does not. */
	snprintf(script, sizeof(script),
		 "/bin/cat >%s <<'X'\n37 35 8:1 / %s/RPI-RP2\\040disk rw - vfat /dev/sda1 rw\nX",
		 mounts, fake_sys);
	fake_program("udisksctl", script);
	cr_expect_eq(begin("rp2040", 20 * NS_PER_S), 0);
	bed_run();
	cr_expect_eq(end.error, 0, "%s", end.text);
	cr_expect(stat(target, &st) == 0 && st.st_size == 3 * 512);
	stop();
}
