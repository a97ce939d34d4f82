#include "emulator/sniff/routes.h"

#include <stdlib.h>
#include <string.h>

/* "A:PORT" or "A-B:PORT". */
static bool parse(const char *text, bool any_port, struct net_addr *ret, uint32_t *ret_count,
		  bool *ret_range)
{
	const char *colon = strrchr(text, ':'), *dash = strchr(text, '-');
	struct net_addr addr;
	uint32_t last;
	char *end;

	if (colon == NULL || colon[1] < '0' || colon[1] > '9')
		return false;
	unsigned long port = strtoul(colon + 1, &end, 10);
	if (*end != '\0' || port > 65535 || (port == 0 && !any_port))
		return false;
	addr.port = (uint16_t)port;
	size_t first_len = (size_t)((dash != NULL ? dash : colon) - text);
	if (!net_ip_parse(text, first_len, &addr.ip))
		return false;
	last = addr.ip;
	if (dash != NULL && !net_ip_parse(dash + 1, (size_t)(colon - dash - 1), &last))
		return false;
	if (last < addr.ip || last - addr.ip >= ROUTE_ADDRESSES_MAX)
		return false;
	*ret = addr;
	*ret_count = last - addr.ip + 1;
	*ret_range = dash != NULL;
	return true;
}

const char *routes_add(struct routes *routes, const char *listen, const char *to)
{
	struct route route;
	uint32_t to_count;
	bool range;

	if (routes->n == ROUTES_MAX)
		return "too many --listen; at most 16";
	if (!parse(listen, true, &route.listen, &route.count, &range))
		return "--listen takes ADDRESS:PORT or FIRST-LAST:PORT (at most 4096 addresses)";
	if (!parse(to, false, &route.to, &to_count, &route.targets))
		return "--to takes ADDRESS:PORT or FIRST-LAST:PORT (at most 4096 addresses)";
	if (to_count != route.count)
		return "--listen and --to must be as many addresses";
	if (routes->addresses + route.count > ROUTE_ADDRESSES_MAX)
		return "at most 4096 addresses in all";
	routes->addresses += route.count;
	routes->routes[routes->n++] = route;
	return NULL;
}

uint32_t routes_face_of(const struct routes *routes, uint32_t client)
{
	for (size_t i = 0; i < routes->n; i++) {
		const struct route *route = &routes->routes[i];
		if (route->targets && client - route->to.ip < route->count)
			return route->listen.ip + (client - route->to.ip);
	}
	return client;
}
