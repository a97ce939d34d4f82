#include "emulator/fleet/addresses.h"

#include "emulator/base/net.h"

#include <stdlib.h>
#include <string.h>

static bool parse_network(const char *text, const char *slash, uint32_t *first, uint32_t *last)
{
	char *end;
	unsigned long bits = strtoul(slash + 1, &end, 10);

	/* strtoul() alone would take "/ 8" and "/+8". */
	if (slash[1] < '0' || slash[1] > '9' || *end != '\0' || bits > 32 ||
	    !net_ip_parse(text, (size_t)(slash - text), first))
		return false;
	uint32_t host = bits == 0 ? UINT32_MAX : (UINT32_C(1) << (32 - bits)) - 1;
	*first &= ~host;
	*last = *first | host;
	if (bits <= 30) {
		*first += 1;
		*last -= 1;
	}
	return true;
}

bool addresses_add(struct address_list *list, const char *text, const char **expected)
{
	const char *dash = strchr(text, '-'), *slash = strchr(text, '/');
	uint32_t first, last;
	bool ok;

	*expected = "expected an address, a range or a network: \"127.1.0.1\", "
		    "\"127.1.0.1-127.1.3.255\" or \"10.1.0.0/24\"";
	if (slash != NULL) {
		ok = parse_network(text, slash, &first, &last);
	} else if (dash != NULL) {
		ok = net_ip_parse(text, (size_t)(dash - text), &first) &&
		     net_ip_parse(dash + 1, strlen(dash + 1), &last) && first <= last;
	} else {
		ok = net_ip_parse(text, strlen(text), &first);
		last = first;
	}
	if (!ok)
		return false;
	if (list->count == ADDRESS_RANGES_MAX) {
		*expected = "at most 64 ranges";
		return false;
	}
	list->ranges[list->count].first = first;
	list->ranges[list->count].last = last;
	list->count++;
	return true;
}

uint64_t addresses_total(const struct address_list *list)
{
	uint64_t total = 0;

	for (size_t i = 0; i < list->count; i++)
		total += (uint64_t)list->ranges[i].last - list->ranges[i].first + 1;
	return total;
}

uint32_t addresses_at(const struct address_list *list, uint64_t i)
{
	for (size_t r = 0;; r++) {
		uint64_t size = (uint64_t)list->ranges[r].last - list->ranges[r].first + 1;
		if (i < size)
			return list->ranges[r].first + (uint32_t)i;
		i -= size;
	}
}
