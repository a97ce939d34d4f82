#include "emulator/cli/app.h"

#include "emulator/base/ports.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

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
	size_t least = wanted > 0 ? wanted : CONNECTIONS_LEAST;

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
	return room < CONNECTIONS_AUTO_MAX ? room : CONNECTIONS_AUTO_MAX;
}

/* Every address must be this host's: found out by binding, before anything starts. */
bool environment_addresses(const struct fleet_config *fleet)
{
	char text[24];

	for (uint32_t i = 0; i < fleet->targets; i++) {
		struct sockaddr_in in = { .sin_family = AF_INET,
					  .sin_addr.s_addr = htonl(fleet->ips[i]) };
		int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
		if (fd < 0)
			return true;
		int rc = bind(fd, (struct sockaddr *)&in, sizeof(in)) < 0 ? errno : 0;
		close(fd);
		if (rc == 0)
			continue;
		net_addr_text((struct net_addr){ fleet->ips[i], 0 }, text, sizeof(text));
		text[strlen(text) - 2] = '\0';
		complain("%s cannot live on %s: %s; give the host that address "
			 "(ip address add %s/32 dev IFACE), or use a range in 127.0.0.0/8",
			 fleet->names[i], text, strerror(rc), text);
		return false;
	}
	return true;
}

/* A listener on every address takes the port from all targets of this host. */
bool environment_port(const struct fleet_config *fleet)
{
	const struct group_config *group = fleet->groups.at;
	uint16_t port = group->shared.port;
	struct port_holder holder;
	char text[160];

	if (!port_find_holder((struct net_addr){ fleet->ips[0], port }, &holder))
		return true;
	complain("%s", port_holder_text((struct net_addr){ fleet->ips[0], port }, &holder, text,
					sizeof(text)));
	if (holder.at.ip == 0)
		complain("a real master on this host must share the port with the targets: run it in a "
			 "network namespace of its own (ip netns add range; ip netns exec range ...), "
			 "or let it listen on one address (127.0.0.1), or give the targets another "
			 "port (fleet.port) where the master allows it");
	return false;
}
