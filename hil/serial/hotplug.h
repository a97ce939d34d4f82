/*
 * Boards that come and go.
 *
 * Purpose: wait, with a deadline, until a device is there (under whatever tty) or is gone. Events
 * only say when to look: what is there is read from sysfs each time, so that an event that is lost
 * or comes twice does no harm. Both netlink groups are listened to: the kernel's is there where no
 * udevd runs (user-mode Linux, containers; /run/udev may be the host's and prove nothing), udev's
 * comes after its rules have given the device its permissions. Where neither can be had a timer
 * looks again, every rescan_ns, while somebody waits.
 * Units: nanoseconds. Ownership: hotplug_new() and hotplug_free(); a wait is the caller's memory.
 * Errors: 0 or -errno. Threads: the loop's.
 * Source: libudev, udev_monitor_new_from_netlink(3).
 */
#ifndef SERIAL_HOTPLUG_H
#define SERIAL_HOTPLUG_H

#include "emulator/base/loop.h"
#include "hil/serial/find.h"

struct hotplug;

struct hotplug_options {
	const char *sys;   /* NULL: "/sys" */
	int64_t rescan_ns; /* 0: 500 ms */
	bool without_udev; /* rescans only */
};

/* options may be NULL. That no events can be had is no failure: see hotplug_has_events(). */
int hotplug_new(struct loop *loop, const struct hotplug_options *options, struct hotplug **ret);
/* Waits that are still under way are forgotten, without a call. NULL is fine. */
void hotplug_free(struct hotplug *hotplug);
bool hotplug_has_events(const struct hotplug *hotplug);
const char *hotplug_sys(const struct hotplug *hotplug);

/* For whoever draws a list: called after events, at most once a turn. NULL: nobody. */
void hotplug_on_change(struct hotplug *hotplug, void (*changed)(void *owner), void *owner);

struct hotplug_wait {
	struct find_match match; /* its texts must live as long as the wait */
	bool absent;             /* wait for it to be gone instead */
	/* 0 and what was found (NULL when absent); -ETIMEDOUT; -EEXIST: more than one fits. */
	void (*done)(struct hotplug_wait *wait, int error, const struct found *found);
	void *owner;
	/* private */
	struct hotplug *hotplug;
	struct hotplug_wait *next;
	struct timer timer;
	bool under_way;
};

/* done() comes from the loop, never from within this call, even if the device is there already. */
void hotplug_wait(struct hotplug *hotplug, struct hotplug_wait *wait, int64_t within_ns);
/* Harmless on one that is not under way. No call follows. */
void hotplug_cancel(struct hotplug_wait *wait);

#endif
