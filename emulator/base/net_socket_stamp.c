#include "emulator/base/net_socket_parts.h"

#include "emulator/base/units.h"

#include <errno.h>
#include <linux/errqueue.h>
#include <linux/net_tstamp.h>
#include <string.h>
#include <sys/socket.h>

/* The kernel's stamps (Documentation/networking/timestamping.rst). */

static void tell_stamp(struct socket_conn *sc, struct msghdr *msg, enum net_stamped what)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c != NULL; c = CMSG_NXTHDR(msg, c)) {
		struct scm_timestamping at;
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_TIMESTAMPING)
			continue;
		memcpy(&at, CMSG_DATA(c), sizeof(at));
		if (sc->conn.handler->stamped != NULL && at.ts[0].tv_sec != 0)
			sc->conn.handler->stamped(&sc->conn, what,
						  (int64_t)at.ts[0].tv_sec * NS_PER_S +
							  at.ts[0].tv_nsec);
		return;
	}
}

/* Most drivers stamp within the send; what comes later makes an EPOLLERR, and SO_ERROR stays 0. */
void socket_take_stamps(struct socket_conn *sc)
{
	_Alignas(struct cmsghdr) char control[256];

	while (sc->state != SOCKET_DEAD) {
		struct msghdr msg = { .msg_control = control, .msg_controllen = sizeof(control) };
		if (recvmsg(sc->fd, &msg, MSG_ERRQUEUE | MSG_DONTWAIT) < 0)
			return;
		tell_stamp(sc, &msg, NET_STAMPED_SENT);
	}
}

ssize_t socket_receive_stamped(struct socket_conn *sc, char *bytes, size_t room)
{
	_Alignas(struct cmsghdr) char control[256];
	struct iovec iov = { bytes, room };
	struct msghdr msg = { .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = control,
			      .msg_controllen = sizeof(control) };
	ssize_t n = recvmsg(sc->fd, &msg, 0);

	if (n > 0)
		tell_stamp(sc, &msg, NET_STAMPED_RECEIVED);
	return n;
}

int socket_stamp(struct net_conn *conn)
{
	struct socket_conn *sc = of_conn(conn);
	int flags = SOF_TIMESTAMPING_TX_SOFTWARE | SOF_TIMESTAMPING_RX_SOFTWARE |
		    SOF_TIMESTAMPING_SOFTWARE | SOF_TIMESTAMPING_OPT_ID |
		    SOF_TIMESTAMPING_OPT_TSONLY;

	if (setsockopt(sc->fd, SOL_SOCKET, SO_TIMESTAMPING, &flags, sizeof(flags)) < 0)
		return -errno;
	sc->stamps = true;
	return 0;
}
