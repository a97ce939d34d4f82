/*
 * Captures of others: packets out of pcap and pcapng files.
 *
 * Purpose: walks a file that is wholly in memory; whatever is in it, a packet is either inside it
 * or not there at all.
 * Units: ns since 1970. Ownership: packets point into the caller's bytes.
 * Errors: CAPTURE_BROKEN with the offset and why; what came before stays good.
 * Threads: no state.
 * Source: draft-ietf-opsawg-pcapng (blocks, if_tsresol, if_tsoffset); draft-ietf-opsawg-pcap (the
 * classic format, with microseconds or nanoseconds).
 */
#ifndef SNIFF_CAPTURE_H
#define SNIFF_CAPTURE_H

#include "proto/fault.h"

#include <stdbool.h>
#include <stdint.h>

#define CAPTURE_INTERFACES 64

struct capture_interface {
	uint16_t link;
	bool binary; /* resolution 2^-exponent s, else 10^-exponent s */
	uint8_t exponent;
	int64_t offset_s;
};

struct capture {
	const unsigned char *at, *end, *start;
	bool ng, swapped;
	uint32_t n_interfaces;
	struct capture_interface interfaces[CAPTURE_INTERFACES];
};

struct captured {
	int64_t at_ns;
	uint16_t link; /* LINKTYPE_* */
	const unsigned char *bytes;
	size_t len, whole; /* captured; on the wire */
};

enum capture_step { CAPTURE_PACKET, CAPTURE_END, CAPTURE_BROKEN };

/* Do these bytes begin as one? */
bool capture_is(const void *bytes, size_t len);
/* False: they do not. */
bool capture_open(struct capture *capture, const void *bytes, size_t len);
/* fault: offset in the file, and why. */
enum capture_step capture_next(struct capture *capture, struct captured *ret,
			       struct qn_fault *fault);

/* ---- packets ---- */

struct segment {
	/* IPv4 as it is; of IPv6 the last 4 bytes, and a hash of all in `salt`. */
	uint32_t from_ip, to_ip, salt;
	uint16_t from_port, to_port;
	uint32_t seq;
	bool syn, ack, fin, rst;
	const char *bytes;
	size_t len;     /* captured */
	size_t missing; /* bytes of the segment that were cut off */
};

enum segment_kind { SEGMENT_TCP, SEGMENT_OTHER, SEGMENT_FRAGMENT, SEGMENT_MALFORMED };
/* Ethernet (with VLAN tags), Linux cooked (both), raw IP, BSD loopback. */
enum segment_kind segment_of(const struct captured *packet, struct segment *ret);
/* Is that link known here? */
bool segment_link_known(uint16_t link);

#endif
