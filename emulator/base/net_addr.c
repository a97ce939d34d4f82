#include "emulator/base/net.h"

#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

const char *net_addr_text(struct net_addr addr, char *buf, size_t cap)
{
	snprintf(buf, cap, "%u.%u.%u.%u:%u", addr.ip >> 24, addr.ip >> 16 & 255, addr.ip >> 8 & 255,
		 addr.ip & 255, addr.port);
	return buf;
}

bool net_ip_parse(const char *text, size_t len, uint32_t *ret)
{
	uint32_t ip = 0;
	size_t i = 0;

	for (int part = 0; part < 4; part++) {
		unsigned value = 0, digits = 0;
		if (part > 0 && (i >= len || text[i++] != '.'))
			return false;
		for (; i < len && text[i] >= '0' && text[i] <= '9' && digits < 4; i++, digits++)
			value = value * 10 + (unsigned)(text[i] - '0');
		if (digits == 0 || digits > 3 || value > 255)
			return false;
		ip = ip << 8 | value;
	}
	if (i != len)
		return false;
	*ret = ip;
	return true;
}

bool net_resolve(const char *host, uint32_t *ret)
{
	struct addrinfo hints = { .ai_family = AF_INET, .ai_socktype = SOCK_STREAM }, *found;

	if (net_ip_parse(host, strlen(host), ret))
		return true;
	/* RFC 6761, 6.3: loopback everywhere, also where nothing resolves names. */
	if (strcasecmp(host, "localhost") == 0) {
		*ret = INADDR_LOOPBACK;
		return true;
	}
	if (getaddrinfo(host, NULL, &hints, &found) != 0)
		return false;
	*ret = ntohl(((const struct sockaddr_in *)(const void *)found->ai_addr)->sin_addr.s_addr);
	freeaddrinfo(found);
	return true;
}
