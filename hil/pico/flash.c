#include "hil/pico/flash.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "hil/pico/uf2.h"
#include "hil/serial/console.h"

#define UF2_MAX ((size_t)64 * 1024 * 1024)
#define FLASH_OF(pointer, member)                                                                  \
	((struct flash *)((char *)(pointer)-offsetof(struct flash, member)))

static void next_step(struct flash *flash);

/* ---- the child ---- */

static void drop_child(struct flash *flash)
{
	if (flash->child_fd >= 0) {
		loop_remove(flash->loop, flash->child_fd);
		close(flash->child_fd);
	}
	if (flash->said_fd >= 0) {
		loop_remove(flash->loop, flash->said_fd);
		close(flash->said_fd);
	}
	flash->child_fd = flash->said_fd = -1;
}

static void finish(struct flash *flash, int error, const char *text)
{
	drop_child(flash);
	timer_cancel(&flash->loop->timers, &flash->timer);
	hotplug_cancel(&flash->wait);
	flash->stage = FLASH_IDLE;
	flash->done(flash, error, text);
}

/* What it says last is what it died of. */
static void hear(struct flash *flash)
{
	char raw[128];
	ssize_t n;

	while ((n = read(flash->said_fd, raw, sizeof(raw))) > 0) {
		size_t keep = sizeof(flash->said) - 1 - (size_t)n;
		if (flash->said_len > keep) {
			memmove(flash->said, flash->said + flash->said_len - keep, keep);
			flash->said_len = keep;
		}
		memcpy(flash->said + flash->said_len, raw, (size_t)n);
		flash->said_len += (size_t)n;
	}
	flash->said[flash->said_len] = '\0';
	if (n == 0) { /* or the hang-up would wake us until the child ends as well */
		loop_remove(flash->loop, flash->said_fd);
		close(flash->said_fd);
		flash->said_fd = -1;
	}
}

static void said_ready(struct loop_watch *watch, uint32_t events)
{
	struct flash *flash = FLASH_OF(watch, said_watch);

	(void)events;
	if (flash->said_fd >= 0)
		hear(flash);
}

static void child_ready(struct loop_watch *watch, uint32_t events)
{
	struct flash *flash = FLASH_OF(watch, child_watch);
	char safe[400], text[600];
	int status = 0;

	(void)events;
	if (flash->child_fd < 0)
		return;
	if (flash->said_fd >= 0)
		hear(flash);
	waitpid(flash->child, &status, 0);
	flash->child = 0;
	drop_child(flash);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
		if (flash->stage == FLASH_MOUNTING)
			next_step(flash);
		else
			finish(flash, 0, "written");
		return;
	}
	console_print_safe(flash->said, flash->said_len, safe, sizeof(safe));
	snprintf(text, sizeof(text), "%s failed: %s",
		 flash->stage == FLASH_MOUNTING ? "mounting" : "writing", safe);
	finish(flash, -EIO, text);
}

/* As much as there is, and onto the disk; errno says what it failed of. */
static bool copy(int in, int out)
{
	char bytes[65536];
	ssize_t n;

	while ((n = read(in, bytes, sizeof(bytes))) > 0)
		for (ssize_t at = 0, w; at < n; at += w)
			if ((w = write(out, bytes + at, (size_t)(n - at))) < 0)
				return false;
	/* The boot ROM resets with the last block: the disk may be gone before fsync() is done. */
	return n == 0 && (fsync(out) == 0 || errno == EIO || errno == ENODEV) &&
	       (close(out) == 0 || errno == EIO || errno == ENODEV);
}

/* The child's part of a start: runs argv, or, without one, copies. Never returns. */
static void be_child(const struct flash *flash, char *const argv[], const char *to, int said)
{
	dup2(said, STDOUT_FILENO);
	dup2(said, STDERR_FILENO);
	if (argv != NULL) {
		execvp(argv[0], argv);
		fprintf(stderr, "%s: %s", argv[0], strerror(errno));
		fflush(stderr);
		_exit(127);
	}
	/* No other board's port, whose lock would stay with a child that hangs. */
	close_range(3, ~0U, 0);
	int in = open(flash->file, O_RDONLY | O_CLOEXEC);
	int out = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	bool written = in >= 0 && out >= 0 && copy(in, out);
	if (!written)
		fprintf(stderr, "%s: %s", to, strerror(errno));
	fflush(stderr);
	_exit(written ? 0 : 1);
}

static int start_child(struct flash *flash, char *const argv[], const char *to)
{
	int pipes[2];

	flash->said_len = 0;
	if (pipe2(pipes, O_CLOEXEC | O_NONBLOCK) < 0)
		return -errno;
	pid_t child = fork();
	if (child == 0)
		be_child(flash, argv, to, pipes[1]);
	int rc = child < 0 ? -errno : 0;
	close(pipes[1]);
	if (rc < 0) {
		close(pipes[0]);
		return rc;
	}
	flash->child = child;
	flash->said_fd = pipes[0];
	flash->child_fd = (int)syscall(SYS_pidfd_open, child, 0);
	if (flash->child_fd < 0)
		rc = -errno;
	if (rc == 0)
		rc = loop_add(flash->loop, flash->child_fd, EPOLLIN, &flash->child_watch);
	if (rc == 0)
		rc = loop_add(flash->loop, flash->said_fd, EPOLLIN, &flash->said_watch);
	return rc;
}

static void end_child(struct flash *flash)
{
	if (flash->child > 0) {
		kill(flash->child, SIGKILL);
		/* A write to a dying USB disk may hang in the kernel: it is not waited for. */
		waitpid(flash->child, NULL, WNOHANG);
	}
	flash->child = 0;
}

/* ---- which way ---- */

static bool have_program(const char *name)
{
	const char *at = getenv("PATH");
	char path[512];

	while (at != NULL && *at != '\0') {
		size_t len = strcspn(at, ":");
		snprintf(path, sizeof(path), "%.*s/%s", (int)len, at, name);
		if (len > 0 && access(path, X_OK) == 0)
			return true;
		at += len + (at[len] == ':');
	}
	return false;
}

/* proc(5): "36 35 98:0 / /mnt rw - ext3 /dev/root rw"; blanks in names are \040. */
bool flash_mount_point(const char *mounts, const char *disk, char *ret, size_t cap)
{
	FILE *file = fopen(mounts != NULL ? mounts : "/proc/self/mountinfo", "re");
	char line[2048], at[1024], source[256];
	bool found = false;

	while (file != NULL && !found && fgets(line, sizeof(line), file) != NULL) {
		const char *dash = strstr(line, " - ");
		if (dash == NULL || sscanf(line, "%*s %*s %*s %*s %1023s", at) != 1 ||
		    sscanf(dash, " - %*s %255s", source) != 1 || strcmp(source, disk) != 0)
			continue;
		size_t n = 0;
		for (const char *c = at; *c != '\0' && n + 1 < cap; n++)
			if (c[0] == '\\' && c[1] >= '0' && c[1] <= '3' && c[2] != '\0' &&
			    c[3] != '\0') {
				ret[n] = (char)((c[1] - '0') << 6 | (c[2] - '0') << 3 |
						(c[3] - '0'));
				c += 4;
			} else {
				ret[n] = *c++;
			}
		ret[n] = '\0';
		found = true;
	}
	if (file != NULL)
		fclose(file);
	return found;
}

static int run_picotool(struct flash *flash)
{
	char load[] = "load", verify[] = "-v", execute[] = "-x", bus[] = "--bus",
	     address[] = "--address", name[] = "picotool", bus_text[12], address_text[12];
	char *argv[] = { name, load,     verify,  execute,      flash->file,
			 bus,  bus_text, address, address_text, NULL };

	snprintf(bus_text, sizeof(bus_text), "%u", flash->bus);
	snprintf(address_text, sizeof(address_text), "%u", flash->address);
	flash->stage = FLASH_WRITING;
	return start_child(flash, argv, NULL);
}

static int write_disk(struct flash *flash)
{
	char name[] = "udisksctl", mount[] = "mount", no[] = "--no-user-interaction", b[] = "-b";
	char *argv[] = { name, mount, no, b, flash->disk, NULL };
	char folder[512], to[600];

	if (flash_mount_point(flash->mounts, flash->disk, folder, sizeof(folder))) {
		snprintf(to, sizeof(to), "%s/firmware.uf2", folder);
		flash->stage = FLASH_WRITING;
		return start_child(flash, NULL, to);
	}
	if (flash->stage == FLASH_MOUNTING || !have_program("udisksctl"))
		return -ENOENT;
	flash->stage = FLASH_MOUNTING;
	return start_child(flash, argv, NULL);
}

static void next_step(struct flash *flash)
{
	char text[256];
	bool picotool = flash->way != FLASH_DISK && have_program("picotool");
	int rc = picotool                                                 ? run_picotool(flash)
		 : flash->way == FLASH_PICOTOOL || flash->disk[0] == '\0' ? -ENOENT
									  : write_disk(flash);

	if (rc == 0)
		return;
	if (rc == -ENOENT)
		snprintf(text, sizeof(text),
			 "picotool is not installed%s%s%s; install it, or mount the disk",
			 flash->disk[0] != '\0' ? ", and " : "", flash->disk,
			 flash->disk[0] != '\0' ? " is not mounted" : "");
	else
		snprintf(text, sizeof(text), "%s", strerror(-rc));
	end_child(flash);
	finish(flash, rc, text);
}

static void device_found(struct hotplug_wait *wait, int error, const struct found *found)
{
	struct flash *flash = wait->owner;

	if (error != 0) {
		finish(flash, error == -ETIMEDOUT ? -ENODEV : error,
		       "no board in BOOTSEL at this USB path");
		return;
	}
	bool rp2040 = pico_usb_of(found->vid, found->pid) == PICO_USB_BOOTSEL_RP2040;
	if (rp2040 ? !flash->for_rp2040 : !flash->for_rp2350) {
		finish(flash, -EINVAL,
		       rp2040 ? "the file is not for the RP2040"
			      : "the file is not for the RP2350");
		return;
	}
	flash->bus = found->bus;
	flash->address = found->address;
	strcpy(flash->disk, found->disk);
	next_step(flash);
}

static void out_of_time(struct timer *timer, int64_t now_ns)
{
	struct flash *flash = FLASH_OF(timer, timer);
	bool waiting = flash->stage == FLASH_WAITING;

	(void)now_ns;
	end_child(flash);
	finish(flash, waiting ? -ENODEV : -ETIMEDOUT,
	       waiting ? "no board in BOOTSEL at this USB path" : "not done in time");
}

/* ---- life ---- */

static int check_file(const char *path, struct uf2 *ret, struct serial_trouble *trouble)
{
	struct stat st = { .st_size = 0 };
	size_t block = 0;
	int rc = 0;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	char *bytes = NULL;

	if (fd < 0 || fstat(fd, &st) < 0)
		rc = -errno;
	else if (!S_ISREG(st.st_mode) || (size_t)st.st_size > UF2_MAX)
		rc = -EFBIG;
	else if ((bytes = malloc((size_t)st.st_size + 1)) == NULL)
		rc = -ENOMEM;
	else if (read(fd, bytes, (size_t)st.st_size) != st.st_size)
		rc = -EIO;
	if (fd >= 0)
		close(fd);
	if (rc < 0) {
		snprintf(trouble->text, sizeof(trouble->text), "%.120s: %s", path, strerror(-rc));
	} else {
		enum uf2_fault fault = uf2_check(bytes, (size_t)st.st_size, ret, &block);
		if (fault != UF2_OK) {
			snprintf(trouble->text, sizeof(trouble->text), "%.100s: block %zu %s", path,
				 block, uf2_fault_text(fault));
			rc = -EINVAL;
		}
	}
	free(bytes);
	return rc;
}

int flash_check(const char *file, struct serial_trouble *trouble)
{
	struct uf2 uf2;

	return check_file(file, &uf2, trouble);
}

int flash_start(struct flash *flash, struct loop *loop, struct hotplug *hotplug, const char *file,
		const char *usb_path, enum flash_way way, const char *mounts, int64_t within_ns,
		struct serial_trouble *trouble)
{
	strcpy(trouble->text, "a name that is too long");
	if (strlen(file) >= sizeof(flash->file) || strlen(usb_path) >= sizeof(flash->usb_path))
		return -ENAMETOOLONG;
	strcpy(flash->file, file);
	strcpy(flash->usb_path, usb_path);
	struct uf2 uf2;
	int rc = check_file(file, &uf2, trouble);
	if (rc < 0)
		return rc;
	flash->for_rp2040 = uf2_for_rp2040(&uf2);
	flash->for_rp2350 = uf2_for_rp2350(&uf2);
	flash->loop = loop;
	flash->hotplug = hotplug;
	flash->mounts = mounts;
	flash->way = way;
	flash->child = 0;
	flash->child_fd = flash->said_fd = -1;
	flash->child_watch.ready = child_ready;
	flash->said_watch.ready = said_ready;
	memset(&flash->timer, 0, sizeof(flash->timer));
	flash->timer.fire = out_of_time;
	flash->stage = FLASH_WAITING;
	loop_timer(loop, &flash->timer, within_ns);
	flash->wait = (struct hotplug_wait){
		.match = { .usb_path = flash->usb_path,
			   .bootsel = true,
			   .with_disk = way == FLASH_DISK ||
					(way == FLASH_AUTO && !have_program("picotool")) },
		.done = device_found,
		.owner = flash,
	};
	hotplug_wait(hotplug, &flash->wait, within_ns);
	return 0;
}

void flash_cancel(struct flash *flash)
{
	if (flash->stage == FLASH_IDLE)
		return;
	end_child(flash);
	drop_child(flash);
	timer_cancel(&flash->loop->timers, &flash->timer);
	hotplug_cancel(&flash->wait);
	flash->stage = FLASH_IDLE;
}
