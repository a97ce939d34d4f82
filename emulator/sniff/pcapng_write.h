/*
 * Captures for Wireshark: what happened on connections as packets of one TCP connection each.
 *
 * Purpose: a proxy sees units, not packets; here each becomes an IPv4 packet between client and
 * server as if there were no proxy: handshake, sequence numbers, FIN or RST, checksums. A unit is
 * one packet, or two past 65,495 bytes, with PSH on the last. Faults stand as comments.
 * Units: ns. Ownership: a pcapng_conn is its connection's, the file the caller's.
 * Errors: as out_file.h. Threads: one.
 * Source: draft-ietf-opsawg-pcapng, 4.1 to 4.3 (Section Header, Interface Description and Enhanced
 * Packet Blocks); LINKTYPE_RAW (101); RFC 791; RFC 9293.
 */
#ifndef SNIFF_PCAPNG_WRITE_H
#define SNIFF_PCAPNG_WRITE_H

#include "emulator/sniff/happened.h"
#include "emulator/sniff/out_file.h"

struct pcapng_conn {
	struct net_addr ends[2]; /* [TO_SERVER]: who sends that way, the client */
	uint32_t seq[2];
	bool open, shook, fin[2];
	enum way last; /* whose FIN came last */
};

void pcapng_begin(struct out_file *out, const char *program);
/* wall_ns: of t_ns 0. */
void pcapng_put(struct out_file *out, struct pcapng_conn *conn, const struct happened *happened,
		int64_t wall_ns);

#endif
