/*
 * Lists and ranges of IPv4 addresses: "127.1.0.1", "10.0.0.5-10.0.0.99", "10.1.0.0/24".
 *
 * Purpose: what a group's targets live on. Of a network in CIDR form the first and last address are
 * left out (network, broadcast). Units: host byte order.
 * Errors: false with what was expected. Threads: no state.
 */
#ifndef ADDRESSES_H
#define ADDRESSES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ADDRESS_RANGES_MAX 64

struct address_list {
	size_t count;
	struct {
		uint32_t first, last;
	} ranges[ADDRESS_RANGES_MAX];
};

bool addresses_add(struct address_list *list, const char *text, const char **expected);
uint64_t addresses_total(const struct address_list *list);
/* The i-th, i < addresses_total(). */
uint32_t addresses_at(const struct address_list *list, uint64_t i);

#endif
