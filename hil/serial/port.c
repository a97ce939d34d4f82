#include "hil/serial/port_internal.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "emulator/base/units.h"

#define READ_BYTES 4096 /* a turn: a storm on one port must not keep the others waiting */
#define OUT_DEFAULT 65536

struct serial_port {
	struct loop *loop;
	const struct serial_handler *handler;
	void *owner;
	struct port_handle handle;
	struct serial_options options;
	struct loop_watch watch;
	struct timer news;  /* opened() and gone(), which are never called from within our calls */
	struct timer stuck; /* the connect, or output that nobody takes */
	struct timer look;
	struct loop_deferred burial;
	int64_t look_every_ns, empty_ns;
	bool left_some; /* the last read was full: more may have been there already */
	int error;
	bool open, failed, dead, on_loop;
	char *out;
	size_t out_start, out_len;
	struct serial_stats stats;
};

#define PORT_OF(pointer, member)                                                                   \
	((struct serial_port *)((char *)(pointer)-offsetof(struct serial_port, member)))

static int64_t clock_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * NS_PER_S + ts.tv_nsec;
}

static void leave_loop(struct serial_port *port)
{
	timer_cancel(&port->loop->timers, &port->stuck);
	timer_cancel(&port->loop->timers, &port->look);
	timer_cancel(&port->loop->timers, &port->news);
	if (port->on_loop)
		loop_remove(port->loop, port->handle.fd);
	port->on_loop = false;
}

/* Now, from the loop: nothing of the port may be touched after it. */
static void lose(struct serial_port *port, int error)
{
	leave_loop(port);
	port->open = false;
	port->failed = true;
	port->handler->gone(port->owner, error);
}

/* Later, since a caller of ours is on the stack. */
static void lose_soon(struct serial_port *port, int error)
{
	if (port->failed)
		return;
	leave_loop(port);
	port->open = false;
	port->failed = true;
	port->error = error;
	loop_timer(port->loop, &port->news, 0);
}

static void tell_news(struct timer *timer, int64_t now_ns)
{
	struct serial_port *port = PORT_OF(timer, news);

	(void)now_ns;
	if (port->failed) {
		port->handler->gone(port->owner, port->error);
		return;
	}
	port->handler->opened(port->owner);
}

static void stuck_fired(struct timer *timer, int64_t now_ns)
{
	(void)now_ns;
	lose(PORT_OF(timer, stuck), -ETIMEDOUT);
}

/* ---- output ---- */

static void want_writable(struct serial_port *port, bool on)
{
	uint32_t events = EPOLLIN | (on ? (uint32_t)EPOLLOUT : 0);

	loop_change(port->loop, port->handle.fd, events, &port->watch);
	if (on)
		loop_timer(port->loop, &port->stuck, port->options.stuck_after_ns);
	else
		timer_cancel(&port->loop->timers, &port->stuck);
}

/* How much the kernel took: 0 where it takes none now, or -errno. */
static ssize_t put(struct serial_port *port, const char *bytes, size_t len)
{
	ssize_t n = port->handle.kind == SERIAL_TCP
			    ? send(port->handle.fd, bytes, len, MSG_NOSIGNAL)
			    : write(port->handle.fd, bytes, len);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	port->stats.bytes_out += (size_t)n;
	return n;
}

static int lost_error(const struct serial_port *port, int error)
{
	/* What drivers say of a device that was pulled out. */
	bool gone = error == -EIO || error == -ENXIO || error == -ENODEV || error == -EPIPE;

	return port->handle.kind != SERIAL_TCP && gone ? -ENODEV : error;
}

static bool flush_out(struct serial_port *port)
{
	size_t first = port->options.out_max - port->out_start;
	ssize_t n = put(port, port->out + port->out_start,
			port->out_len < first ? port->out_len : first);

	if (n < 0) {
		lose(port, lost_error(port, (int)n));
		return false;
	}
	if (n > 0) {
		port->out_start = (port->out_start + (size_t)n) % port->options.out_max;
		port->out_len -= (size_t)n;
		want_writable(port, port->out_len > 0);
	}
	return true;
}

int serial_write(struct serial_port *port, const char *bytes, size_t len)
{
	if (!port->open)
		return -ENOTCONN;
	if (len > port->options.out_max - port->out_len)
		return -ENOBUFS;
	if (port->out_len == 0 && len > 0) {
		ssize_t n = put(port, bytes, len);
		if (n < 0) {
			lose_soon(port, lost_error(port, (int)n));
			return -ENOTCONN;
		}
		bytes += n;
		len -= (size_t)n;
		if (len > 0)
			want_writable(port, true);
	}
	size_t end = (port->out_start + port->out_len) % port->options.out_max;
	size_t first = port->options.out_max - end < len ? port->options.out_max - end : len;
	memcpy(port->out + end, bytes, first);
	memcpy(port->out, bytes + first, len - first);
	port->out_len += len;
	if (port->out_len > port->stats.unsent_max)
		port->stats.unsent_max = port->out_len;
	return 0;
}

size_t serial_unsent(const struct serial_port *port)
{
	return port->out_len;
}

/* ---- input ---- */

/* A read that brought nothing: nothing there, or nobody. 0 or the end, as gone() says it. */
static int what_no_bytes_mean(struct serial_port *port, ssize_t n, int error, bool hung_up)
{
	if (n < 0 && (error == EAGAIN || error == EINTR))
		return hung_up ? -ENODEV : 0;
	if (n < 0)
		return lost_error(port, -error);
	/* libserialport sets VMIN to 0: a real port gives no bytes for either reason. */
	if (port->handle.sp != NULL && !hung_up && (int)sp_input_waiting(port->handle.sp) >= 0)
		return 0;
	return -ENODEV;
}

/* False: the port is gone, or closed by its owner. */
static bool take_in(struct serial_port *port, bool hung_up)
{
	char bytes[READ_BYTES];
	int64_t before_ns = clock_now();
	ssize_t n = read(port->handle.fd, bytes, sizeof(bytes));
	int error = errno;
	/* Nothing was there when it was last read empty, nor when the loop last looked. */
	int64_t unready_ns = port->left_some ? 0 : port->loop->unready_ns;
	struct serial_span span = { unready_ns > port->empty_ns ? unready_ns : port->empty_ns,
				    clock_now() };

	/* A full read may have left some behind: those that come next may have been there before.
	 */
	port->left_some = n == (ssize_t)sizeof(bytes);
	if (!port->left_some)
		port->empty_ns = before_ns;
	if (n > 0) {
		port->stats.reads++;
		port->stats.bytes_in += (size_t)n;
		port->handler->received(port->owner, bytes, (size_t)n, span);
		return !port->dead && port->open;
	}
	if (n == 0 && port->handle.kind == SERIAL_TCP) {
		lose(port, 0);
		return false;
	}
	int end = what_no_bytes_mean(port, n, error, hung_up);
	if (end != 0)
		lose(port, end);
	return end == 0;
}

static void connected(struct serial_port *port)
{
	int error = 0;
	socklen_t len = sizeof(error);

	if (getsockopt(port->handle.fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0)
		error = errno;
	if (error != 0) {
		lose(port, -error);
		return;
	}
	port->handle.connecting = false;
	port->open = true;
	want_writable(port, false);
	port->empty_ns = port->loop->now_ns;
	port->handler->opened(port->owner);
}

static void ready(struct loop_watch *watch, uint32_t events)
{
	struct serial_port *port = PORT_OF(watch, watch);

	if (port->dead || port->failed)
		return; /* closed by somebody earlier in this turn */
	if (port->handle.connecting) {
		connected(port);
		return;
	}
	if ((events & EPOLLOUT) != 0 && port->out_len > 0 && !flush_out(port))
		return;
	if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0)
		take_in(port, (events & (EPOLLHUP | EPOLLERR)) != 0);
}

static void look_fired(struct timer *timer, int64_t now_ns)
{
	struct serial_port *port = PORT_OF(timer, look);

	(void)now_ns;
	loop_timer(port->loop, &port->look, port->look_every_ns);
	if (port->open)
		take_in(port, false);
}

void serial_watch(struct serial_port *port, int64_t every_ns)
{
	port->look_every_ns = every_ns;
	timer_cancel(&port->loop->timers, &port->look);
	if (every_ns > 0 && !port->failed)
		loop_timer(port->loop, &port->look, every_ns);
}

/* ---- life ---- */

static void bury(struct loop_deferred *deferred)
{
	struct serial_port *port = PORT_OF(deferred, burial);

	free(port->out);
	free(port);
}

int serial_open(struct loop *loop, const char *path, const struct serial_options *options,
		const struct serial_handler *handler, void *owner, struct serial_port **ret,
		struct serial_trouble *trouble)
{
	struct serial_port *port = calloc(1, sizeof(*port));
	int rc = -ENOMEM;

	strcpy(trouble->text, "no memory");
	if (port == NULL)
		return rc;
	if (options != NULL)
		port->options = *options;
	if (port->options.baud == 0)
		port->options.baud = 115200;
	if (port->options.out_max == 0)
		port->options.out_max = OUT_DEFAULT;
	if (port->options.connect_within_ns == 0)
		port->options.connect_within_ns = 5 * NS_PER_S;
	if (port->options.stuck_after_ns == 0)
		port->options.stuck_after_ns = 5 * NS_PER_S;
	port->out = malloc(port->options.out_max);
	if (port->out == NULL)
		goto fail;
	port->loop = loop;
	port->handler = handler;
	port->owner = owner;
	port->watch.ready = ready;
	port->news.fire = tell_news;
	port->stuck.fire = stuck_fired;
	port->look.fire = look_fired;
	port->burial.run = bury;
	rc = port_open(path, &port->options, &port->handle, trouble);
	if (rc < 0)
		goto fail;
	bool connecting = port->handle.connecting;
	port->empty_ns = clock_now();
	rc = loop_add(loop, port->handle.fd, connecting ? EPOLLOUT : EPOLLIN, &port->watch);
	if (rc < 0) {
		strcpy(trouble->text, "no room in epoll");
		port_close(&port->handle);
		goto fail;
	}
	port->on_loop = true;
	port->open = !connecting;
	if (connecting)
		loop_timer(loop, &port->stuck, port->options.connect_within_ns);
	else
		loop_timer(loop, &port->news, 0);
	*ret = port;
	return 0;
fail:
	free(port->out);
	free(port);
	return rc;
}

void serial_close(struct serial_port *port)
{
	if (port == NULL)
		return;
	assert(!port->dead);
	leave_loop(port);
	port_close(&port->handle);
	port->dead = true;
	port->open = false;
	loop_defer(port->loop, &port->burial);
}

enum serial_kind serial_port_kind(const struct serial_port *port)
{
	return port->handle.kind;
}

const char *serial_port_path(const struct serial_port *port)
{
	return port->handle.path;
}

struct serial_stats serial_port_stats(const struct serial_port *port)
{
	return port->stats;
}

bool serial_is_path(const char *spec)
{
	return strchr(spec, '/') != NULL;
}
