#include "hil/serial/hotplug.h"

#include <errno.h>
#include <libudev.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "emulator/base/units.h"

#define GROUPS 2
#define DONE_A_LOOK                                                                                \
	64 /* waits ended by one look: a done() that waits again cannot hold us here               \
	    */
#define EVENTS_A_TURN 64

struct hotplug;

struct source {
	struct hotplug *hotplug;
	struct udev_monitor *monitor;
	struct loop_watch watch;
};

struct hotplug {
	struct loop *loop;
	struct udev *udev;
	struct source sources[GROUPS];
	size_t source_count;
	const char *sys;
	int64_t rescan_ns;
	struct timer look;   /* now: after an event, or for a wait that is new */
	struct timer rescan; /* while somebody waits: an event may be lost, or never come */
	struct hotplug_wait *waits;
	bool changed;
	void (*on_change)(void *owner);
	void *owner;
};

#define HOTPLUG_OF(pointer, member)                                                                \
	((struct hotplug *)((char *)(pointer)-offsetof(struct hotplug, member)))

static void unlink_wait(struct hotplug *hotplug, struct hotplug_wait *wait)
{
	struct hotplug_wait **link = &hotplug->waits;

	while (*link != NULL && *link != wait)
		link = &(*link)->next;
	if (*link != NULL)
		*link = wait->next;
	timer_cancel(&hotplug->loop->timers, &wait->timer);
	wait->under_way = false;
}

/* Ends one wait that what is there satisfies; false: none. */
static bool end_one(struct hotplug *hotplug, const struct found *found, size_t n)
{
	for (struct hotplug_wait *wait = hotplug->waits; wait != NULL; wait = wait->next) {
		const struct found *one = NULL;
		int rc = find_among(found, n, &wait->match, &one);
		if (wait->absent ? rc != -ENODEV : rc == -ENODEV)
			continue;
		unlink_wait(hotplug, wait);
		wait->done(wait, wait->absent ? 0 : rc, wait->absent ? NULL : one);
		return true;
	}
	return false;
}

static void look_now(struct hotplug *hotplug)
{
	struct found found[FIND_MAX];
	size_t n = 0, ended = 0;

	if (find_all(hotplug->sys, found, FIND_MAX, &n) < 0)
		n = 0;
	while (ended < DONE_A_LOOK && end_one(hotplug, found, n))
		ended++;
	if (ended == DONE_A_LOOK)
		loop_timer(hotplug->loop, &hotplug->look, 0);
	if (hotplug->waits != NULL)
		loop_timer(hotplug->loop, &hotplug->rescan, hotplug->rescan_ns);
	else
		timer_cancel(&hotplug->loop->timers, &hotplug->rescan);
}

static void look_fired(struct timer *timer, int64_t now_ns)
{
	struct hotplug *hotplug = HOTPLUG_OF(timer, look);
	bool changed = hotplug->changed;

	(void)now_ns;
	hotplug->changed = false;
	if (hotplug->waits != NULL)
		look_now(hotplug);
	if (changed && hotplug->on_change != NULL)
		hotplug->on_change(hotplug->owner);
}

static void rescan_fired(struct timer *timer, int64_t now_ns)
{
	(void)now_ns;
	look_now(HOTPLUG_OF(timer, rescan));
}

static void events_ready(struct loop_watch *watch, uint32_t events)
{
	struct source *source = (struct source *)((char *)watch - offsetof(struct source, watch));
	struct hotplug *hotplug = source->hotplug;
	struct udev_device *device;

	(void)events;
	/* NULL as well for what the filter leaves out and for an overrun (ENOBUFS): look anyway. */
	for (int i = 0; i < EVENTS_A_TURN; i++) {
		device = udev_monitor_receive_device(source->monitor);
		if (device == NULL)
			break;
		udev_device_unref(device);
	}
	hotplug->changed = true;
	loop_timer(hotplug->loop, &hotplug->look, 0);
}

static bool listen_to(struct hotplug *hotplug, const char *group)
{
	static const char *const subsystems[] = { "usb", "tty", "block" };
	struct source *source = &hotplug->sources[hotplug->source_count];
	struct udev_monitor *monitor = udev_monitor_new_from_netlink(hotplug->udev, group);

	if (monitor == NULL)
		return false;
	for (size_t i = 0; i < sizeof(subsystems) / sizeof(subsystems[0]); i++)
		udev_monitor_filter_add_match_subsystem_devtype(monitor, subsystems[i], NULL);
	source->hotplug = hotplug;
	source->monitor = monitor;
	source->watch.ready = events_ready;
	if (udev_monitor_enable_receiving(monitor) < 0 ||
	    loop_add(hotplug->loop, udev_monitor_get_fd(monitor), EPOLLIN, &source->watch) < 0) {
		udev_monitor_unref(monitor);
		return false;
	}
	hotplug->source_count++;
	return true;
}

int hotplug_new(struct loop *loop, const struct hotplug_options *options, struct hotplug **ret)
{
	struct hotplug *hotplug = calloc(1, sizeof(*hotplug));

	if (hotplug == NULL)
		return -ENOMEM;
	hotplug->loop = loop;
	hotplug->sys = options != NULL ? options->sys : NULL;
	hotplug->rescan_ns = options != NULL ? options->rescan_ns : 0;
	if (hotplug->rescan_ns == 0)
		hotplug->rescan_ns = 500 * NS_PER_MS;
	hotplug->look.fire = look_fired;
	hotplug->rescan.fire = rescan_fired;
	if (options == NULL || !options->without_udev)
		hotplug->udev = udev_new();
	if (hotplug->udev != NULL) {
		listen_to(hotplug, "kernel");
		listen_to(hotplug, "udev");
	}
	*ret = hotplug;
	return 0;
}

void hotplug_free(struct hotplug *hotplug)
{
	if (hotplug == NULL)
		return;
	while (hotplug->waits != NULL)
		unlink_wait(hotplug, hotplug->waits);
	timer_cancel(&hotplug->loop->timers, &hotplug->look);
	timer_cancel(&hotplug->loop->timers, &hotplug->rescan);
	for (size_t i = 0; i < hotplug->source_count; i++) {
		loop_remove(hotplug->loop, udev_monitor_get_fd(hotplug->sources[i].monitor));
		udev_monitor_unref(hotplug->sources[i].monitor);
	}
	if (hotplug->udev != NULL)
		udev_unref(hotplug->udev);
	free(hotplug);
}

bool hotplug_has_events(const struct hotplug *hotplug)
{
	return hotplug->source_count > 0;
}

const char *hotplug_sys(const struct hotplug *hotplug)
{
	return hotplug->sys;
}

void hotplug_on_change(struct hotplug *hotplug, void (*changed)(void *owner), void *owner)
{
	hotplug->on_change = changed;
	hotplug->owner = owner;
}

static void wait_fired(struct timer *timer, int64_t now_ns)
{
	struct hotplug_wait *wait =
		(struct hotplug_wait *)((char *)timer - offsetof(struct hotplug_wait, timer));

	(void)now_ns;
	unlink_wait(wait->hotplug, wait);
	wait->done(wait, -ETIMEDOUT, NULL);
}

void hotplug_wait(struct hotplug *hotplug, struct hotplug_wait *wait, int64_t within_ns)
{
	wait->hotplug = hotplug;
	wait->under_way = true;
	wait->next = hotplug->waits;
	hotplug->waits = wait;
	memset(&wait->timer, 0, sizeof(wait->timer));
	wait->timer.fire = wait_fired;
	loop_timer(hotplug->loop, &wait->timer, within_ns);
	loop_timer(hotplug->loop, &hotplug->look, 0);
}

void hotplug_cancel(struct hotplug_wait *wait)
{
	if (wait->under_way)
		unlink_wait(wait->hotplug, wait);
}
