#include "emulator/base/net.h"
#include "emulator/base/units.h"
#include "emulator/master/master.h"

#include <criterion/criterion.h>
#include <linux/net_tstamp.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* The kernel's stamp of what was sent: inside the send, on the wall clock, and harmless. */

struct run {
	struct loop loop;
	struct net *net;
	struct net_conn *client;
	int64_t before_ns, after_ns, read_ns, stamp_ns[2];
	int stamps[2], got, ended;
	bool ask;
};
static struct run run;

static int64_t wall(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (int64_t)ts.tv_sec * NS_PER_S + ts.tv_nsec;
}

static void stamped(struct net_conn *conn, enum net_stamped what, int64_t wall_ns)
{
	(void)conn;
	run.stamps[what]++;
	run.stamp_ns[what] = wall_ns;
}

static void opened(struct net_conn *conn)
{
	if (run.ask)
		cr_assert_eq(net_stamp(conn), 0);
	run.before_ns = wall();
	cr_assert_eq(net_send(conn, "ping\n", 5), 0);
	run.after_ns = wall();
}

static size_t received(struct net_conn *conn, const char *bytes, size_t len, size_t fresh)
{
	(void)bytes;
	(void)fresh;
	run.got += (int)len;
	run.read_ns = wall();
	if (conn == run.client)
		loop_stop(&run.loop);
	else
		net_send(conn, "pong\n", 5);
	return len;
}

static void closed(struct net_conn *conn, int error)
{
	(void)conn;
	cr_expect_eq(error, 0, "%d", error);
	run.ended++;
	loop_stop(&run.loop);
}

static const struct net_handler client = {
	.opened = opened, .received = received, .closed = closed, .stamped = stamped
};
static const struct net_handler server = { .received = received, .closed = NULL };

static bool accepted(struct net_listener *listener, struct net_conn *conn)
{
	(void)listener;
	conn->handler = &server;
	return true;
}

static void exchange(bool ask)
{
	struct net_socket_limits limits = { 8, 2, 65536 };
	struct net_listener *listener;

	run = (struct run){ .ask = ask };
	cr_assert_eq(loop_init(&run.loop), 0);
	cr_assert_eq(net_socket_new(&run.loop, &limits, &run.net), 0);
	cr_assert_eq(net_listen(run.net, (struct net_addr){ 0x7f2f0101, 0 }, &listener), 0);
	listener->accepted = accepted;
	cr_assert_eq(net_connect(run.net, (struct net_addr){ 0, 0 }, listener->local, &client,
				 &run.client),
		     0);
	cr_assert_eq(loop_run(&run.loop, TIMERS_NEVER), 0);
	cr_expect_eq(run.got, 10);
	cr_expect_eq(run.ended, 0, "a stamp on the error queue is no error");
	net_socket_free(run.net);
	loop_release(&run.loop);
}

/*
 * The kernel begins to stamp what arrives when the first socket asks for it, a little later, by
 * deferred work (net_enable_timestamp(), net/core/dev.c), and goes on while one does.
 */
static void exchange_stamped(void)
{
	int flags = SOF_TIMESTAMPING_RX_SOFTWARE | SOF_TIMESTAMPING_SOFTWARE;
	int asks = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	cr_assert_eq(setsockopt(asks, SOL_SOCKET, SO_TIMESTAMPING, &flags, sizeof(flags)), 0);
	int64_t deadline_ns = wall() + 20 * NS_PER_S;
	do
		exchange(true);
	while (run.stamps[NET_STAMPED_RECEIVED] == 0 && wall() < deadline_ns);
	close(asks);
}

Test(net_stamp, lies_within_the_send)
{
	exchange_stamped();
	cr_assert_eq(run.stamps[NET_STAMPED_SENT], 1);
	cr_expect_geq(run.stamp_ns[NET_STAMPED_SENT], run.before_ns);
	cr_expect_leq(run.stamp_ns[NET_STAMPED_SENT], run.after_ns);
	cr_assert_eq(run.stamps[NET_STAMPED_RECEIVED], 1);
	cr_expect_geq(run.stamp_ns[NET_STAMPED_RECEIVED], run.stamp_ns[NET_STAMPED_SENT]);
	cr_expect_leq(run.stamp_ns[NET_STAMPED_RECEIVED], run.read_ns);
}

Test(net_stamp, is_off_unless_asked_for)
{
	exchange(false);
	cr_expect_eq(run.stamps[NET_STAMPED_SENT] + run.stamps[NET_STAMPED_RECEIVED], 0);
}
