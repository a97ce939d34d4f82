#include "emulator/base/ports.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define TCP_LISTEN_STATE 0x0A

/* IPv6 sockets that listen on every address take the IPv4 port too; mapped ones end in the address.
 */
static bool find_in(const char *path, struct net_addr addr, struct net_addr *ret_at,
		    unsigned long *ret_inode)
{
	FILE *file = fopen(path, "re");
	char line[512], ip_text[40];
	bool found = false;

	if (file == NULL)
		return false;
	while (!found && fgets(line, sizeof(line), file) != NULL) {
		unsigned port, state;
		unsigned long inode;
		if (sscanf(line, " %*d: %32[0-9A-F]:%x %*[0-9A-F]:%*x %x %*s %*s %*s %*s %*s %lu",
			   ip_text, &port, &state, &inode) != 4 ||
		    state != TCP_LISTEN_STATE || port != addr.port)
			continue;
		size_t len = strlen(ip_text);
		uint32_t ip =
			ntohl((uint32_t)strtoul(ip_text + (len >= 8 ? len - 8 : 0), NULL, 16));
		if (ip != 0 && ip != addr.ip && addr.ip != 0)
			continue;
		*ret_at = (struct net_addr){ ip, addr.port };
		*ret_inode = inode;
		found = true;
	}
	fclose(file);
	return found;
}

static bool process_has(const char *pid, const char *wanted)
{
	char path[300], link[64];
	bool found = false;

	snprintf(path, sizeof(path), "/proc/%s/fd", pid);
	DIR *fds = opendir(path);
	if (fds == NULL)
		return false;
	for (struct dirent *entry = readdir(fds); entry != NULL && !found; entry = readdir(fds)) {
		snprintf(path, sizeof(path), "/proc/%.20s/fd/%.20s", pid, entry->d_name);
		ssize_t len = readlink(path, link, sizeof(link) - 1);
		if (len <= 0)
			continue;
		link[len] = '\0';
		found = strcmp(link, wanted) == 0;
	}
	closedir(fds);
	return found;
}

static void find_process(unsigned long inode, struct port_holder *holder)
{
	char wanted[64], path[300];
	DIR *proc = opendir("/proc");

	if (proc == NULL)
		return;
	snprintf(wanted, sizeof(wanted), "socket:[%lu]", inode);
	for (struct dirent *entry = readdir(proc); entry != NULL; entry = readdir(proc)) {
		if (!isdigit((unsigned char)entry->d_name[0]) ||
		    !process_has(entry->d_name, wanted))
			continue;
		holder->pid = atoi(entry->d_name);
		snprintf(path, sizeof(path), "/proc/%.20s/comm", entry->d_name);
		FILE *comm = fopen(path, "re");
		if (comm != NULL) {
			if (fgets(holder->name, sizeof(holder->name), comm) != NULL)
				holder->name[strcspn(holder->name, "\n")] = '\0';
			fclose(comm);
		}
		break;
	}
	closedir(proc);
}

int port_try(struct net_addr addr)
{
	struct sockaddr_in in = { .sin_family = AF_INET,
				  .sin_port = htons(addr.port),
				  .sin_addr.s_addr = htonl(addr.ip) };
	int one = 1, rc = 0, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	/* As a listener has it: of those that are bound, only one that listens is in the way. */
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, (struct sockaddr *)&in, sizeof(in)) < 0)
		rc = -errno;
	close(fd);
	return rc;
}

bool port_find_holder(struct net_addr addr, struct port_holder *ret)
{
	struct port_holder holder = { .pid = 0 };
	unsigned long inode;

	if (!find_in("/proc/net/tcp", addr, &holder.at, &inode) &&
	    !find_in("/proc/net/tcp6", addr, &holder.at, &inode))
		return false;
	find_process(inode, &holder);
	*ret = holder;
	return true;
}

const char *port_holder_text(struct net_addr addr, const struct port_holder *holder, char *buf,
			     size_t cap)
{
	const char *where = holder->at.ip == 0 ? ", which listens on every address" : "";
	char text[24], who[64] = "a process that is not ours to see";

	if (holder->pid != 0)
		snprintf(who, sizeof(who), "%s (pid %d)", holder->name, holder->pid);
	/* A process names itself: with escapes for our terminal, if it likes. */
	for (char *at = who; *at != '\0'; at++)
		if ((unsigned char)*at < 0x20 || *at == 0x7f)
			*at = '?';
	snprintf(buf, cap, "%s is taken by %s%s", net_addr_text(addr, text, sizeof(text)), who,
		 where);
	return buf;
}
