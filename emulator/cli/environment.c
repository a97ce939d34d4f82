#include "emulator/cli/app.h"

#include "emulator/base/ports.h"

#include <errno.h>
#include <stdarg.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>
#include <stdio.h>
#include <string.h>

#define FDS_SPARE 64 /* files, epoll, signals, what libraries open */
#define CONNECTIONS_LEAST 256
#define CONNECTIONS_AUTO_MAX 16384

void complain(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fputs("quintain-emu: ", stderr);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
	va_end(args);
}

/* How many connections fit beside the listeners; 0 where they do not. */
size_t environment_connections(const struct emu_config *config, size_t fd_limit)
{
	const struct fleet_config *fleet = &config->fleet;
	size_t wanted = fleet->present ? (size_t)fleet->connections_max : 0;
	size_t fixed = FDS_SPARE + (fleet->present ? fleet->targets : 0) + 1;
	size_t talkers = fleet->present ? fleet->talkers : 0;
	size_t least = (wanted > 0 ? wanted : CONNECTIONS_LEAST) + talkers;

	if (config->master.present)
		least += config->master.options.limits.concurrency;
	if (fixed + least > fd_limit) {
		complain("this config needs %zu file descriptors (%u listeners, %zu connections), "
			 "the limit is %zu: raise it with `ulimit -n %zu` (as root, or in "
			 "/etc/security/limits.conf), or make the fleet smaller",
			 fixed + least, fleet->targets, least, fd_limit, fixed + least);
		return 0;
	}
	if (wanted > 0)
		return least;
	size_t room = fd_limit - fixed;
	size_t most = CONNECTIONS_AUTO_MAX + talkers;
	return room < most ? room : most;
}

void environment_explain(const char *who, struct net_addr at, int error)
{
	struct port_holder holder;
	char text[200];

	if (error == -EADDRINUSE && port_find_holder(at, &holder)) {
		complain("%s: %s", who, port_holder_text(at, &holder, text, sizeof(text)));
		return;
	}
	complain("%s: %s: %s%s", who, net_addr_text(at, text, sizeof(text)), strerror(-error),
		 error == -EACCES ? "; ports below 1024 are root's: choose a higher one, or "
				    "setcap cap_net_bind_service=ep quintain-emu"
		 : error == -EADDRNOTAVAIL ? "; this host has no such address (see ip address)"
					   : "");
}

static void explain_target(const struct fleet_config *fleet, uint32_t number, struct net_addr at,
			   int error)
{
	struct port_holder holder;
	char text[24];

	if (error == -EADDRNOTAVAIL) {
		net_addr_text((struct net_addr){ at.ip, 0 }, text, sizeof(text));
		text[strlen(text) - 2] = '\0';
		complain("%s cannot live on %s: %s; give the host that address "
			 "(ip address add %s/32 dev IFACE), or use a range in 127.0.0.0/8",
			 fleet->names[number], text, strerror(-error), text);
		return;
	}
	environment_explain(fleet->names[number], at, error);
	/* A listener on every address takes the port from all targets of this host. */
	if (error == -EADDRINUSE && port_find_holder(at, &holder) && holder.at.ip == 0)
		complain("a real master on this host must share the port with the targets: run it "
			 "in a "
			 "network namespace of its own (ip netns add range; ip netns exec range "
			 "...), "
			 "or let it listen on one address (127.0.0.1), or give the targets another "
			 "port (fleet.port) where the master allows it");
}

/* Asks the kernel: is there a way from this address to the master? A UDP connect sends nothing. */
static bool reaches_master(const struct fleet_config *fleet, uint32_t number, struct net_addr to)
{
	struct sockaddr_in from = { .sin_family = AF_INET,
				    .sin_addr.s_addr = htonl(fleet->ips[number]) };
	struct sockaddr_in at = { .sin_family = AF_INET,
				  .sin_port = htons(to.port),
				  .sin_addr.s_addr = htonl(to.ip) };
	int error = 0, fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	char a[24], b[24];

	if (fd < 0)
		return true;
	if (bind(fd, (struct sockaddr *)&from, sizeof(from)) < 0 ||
	    connect(fd, (struct sockaddr *)&at, sizeof(at)) < 0)
		error = errno;
	close(fd);
	if (error == 0)
		return true;
	net_addr_text((struct net_addr){ fleet->ips[number], 0 }, a, sizeof(a));
	a[strlen(a) - 2] = '\0';
	complain(
		"%s on %s cannot reach the master at %s: %s%s", fleet->names[number], a,
		net_addr_text(to, b, sizeof(b)), strerror(error),
		fleet->ips[number] >> 24 == 127
			? "; 127.0.0.0/8 ends at this host: give the targets addresses of the network"
			: "");
	return false;
}

bool environment_targets(const struct fleet_config *fleet)
{
	const struct group_config *group = fleet->groups.at;
	int64_t left = group->count;

	for (uint32_t i = 0; i < fleet->targets; i++, left--) {
		if (left == 0)
			left = (++group)->count;
		/* Who only dials out needs the address, and no port of it. */
		uint16_t port = group->shared.wire->listens ? group->shared.port : 0;
		struct net_addr at = { fleet->ips[i], port };
		int rc = port_try(at);
		if (rc < 0) {
			explain_target(fleet, i, at, rc);
			return false;
		}
		if (left == group->count && !reaches_master(fleet, i, group->shared.master))
			return false;
	}
	return true;
}
