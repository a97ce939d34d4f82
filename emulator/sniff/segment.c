#include "emulator/sniff/capture.h"

#include <stddef.h>

/* From a frame down to a TCP segment. Source: IEEE 802.1Q; LINKTYPE_LINUX_SLL, LINKTYPE_LINUX_SLL2,
 * LINKTYPE_NULL of tcpdump.org; RFC 791, RFC 8200, RFC 9293. */

enum {
	LINK_NULL = 0,
	LINK_ETHERNET = 1,
	LINK_RAW_OLD = 12,
	LINK_RAW = 101,
	LINK_LOOP = 108,
	LINK_SLL = 113,
	LINK_IPV4 = 228,
	LINK_IPV6 = 229,
	LINK_SLL2 = 276,
};
#define TYPE_IPV4 0x0800
#define TYPE_IPV6 0x86dd
#define PROTOCOL_TCP 6

struct bytes {
	const unsigned char *at;
	size_t len;
};

static uint32_t big16(const unsigned char *at)
{
	return (uint32_t)at[0] << 8 | at[1];
}

static uint32_t big32(const unsigned char *at)
{
	return big16(at) << 16 | big16(at + 2);
}

static void drop(struct bytes *bytes, size_t n)
{
	bytes->at += n;
	bytes->len -= n;
}

bool segment_link_known(uint16_t link)
{
	switch (link) {
	case LINK_NULL:
	case LINK_ETHERNET:
	case LINK_RAW_OLD:
	case LINK_RAW:
	case LINK_LOOP:
	case LINK_SLL:
	case LINK_IPV4:
	case LINK_IPV6:
	case LINK_SLL2: return true;
	default: return false;
	}
}

/* How many bytes stand before the IP packet; 0 bytes left: they do not fit. */
static bool strip_link(uint16_t link, struct bytes *frame)
{
	size_t head = link == LINK_ETHERNET                    ? 14
		      : link == LINK_SLL                       ? 16
		      : link == LINK_SLL2                      ? 20
		      : link == LINK_NULL || link == LINK_LOOP ? 4
							       : 0;
	size_t type_at = link == LINK_ETHERNET ? 12 : link == LINK_SLL ? 14 : 0;

	if (frame->len < head)
		return false;
	if (link != LINK_ETHERNET && link != LINK_SLL && link != LINK_SLL2) {
		drop(frame, head);
		return true;
	}
	uint32_t type = big16(frame->at + type_at);
	drop(frame, head);
	while ((type == 0x8100 || type == 0x88a8) && frame->len >= 4) {
		type = big16(frame->at + 2);
		drop(frame, 4);
	}
	return type == TYPE_IPV4 || type == TYPE_IPV6;
}

static enum segment_kind strip_ipv4(struct bytes *packet, struct segment *ret, size_t *ret_whole)
{
	size_t head = (packet->at[0] & 15u) * 4u;

	if (packet->len < 20 || head < 20 || head > packet->len)
		return SEGMENT_MALFORMED;
	size_t total = big16(packet->at + 2);
	if (packet->at[9] != PROTOCOL_TCP)
		return SEGMENT_OTHER;
	if ((big16(packet->at + 6) & 0x3fff) != 0)
		return SEGMENT_FRAGMENT;
	ret->from_ip = big32(packet->at + 12);
	ret->to_ip = big32(packet->at + 16);
	/* 0: the network card was to cut it (segmentation offload); the frame's length counts. */
	if (total == 0)
		total = *ret_whole;
	if (total < head)
		return SEGMENT_MALFORMED;
	if (packet->len > total)
		packet->len = total; /* an Ethernet frame's padding */
	*ret_whole = total - head;
	if (packet->len < head)
		return SEGMENT_MALFORMED;
	drop(packet, head);
	return SEGMENT_TCP;
}

static enum segment_kind strip_ipv6(struct bytes *packet, struct segment *ret, size_t *ret_whole)
{
	if (packet->len < 40)
		return SEGMENT_MALFORMED;
	size_t total = big16(packet->at + 4);
	unsigned next = packet->at[6];
	for (unsigned i = 0; i < 16; i++)
		ret->salt = (ret->salt ^ packet->at[8 + i] ^ packet->at[24 + i]) * 16777619u;
	ret->from_ip = big32(packet->at + 20);
	ret->to_ip = big32(packet->at + 36);
	drop(packet, 40);
	if (packet->len > total)
		packet->len = total;
	/* Hop-by-hop, routing and destination options; no packet has more than a few. */
	for (unsigned i = 0; i < 8 && (next == 0 || next == 43 || next == 60); i++) {
		if (packet->len < 8 || packet->len < 8 + packet->at[1] * 8u)
			return SEGMENT_MALFORMED;
		size_t head = 8 + packet->at[1] * 8u;
		next = packet->at[0];
		drop(packet, head);
		total -= head;
	}
	if (next == 44)
		return SEGMENT_FRAGMENT;
	*ret_whole = total;
	return next == PROTOCOL_TCP ? SEGMENT_TCP : SEGMENT_OTHER;
}

enum segment_kind segment_of(const struct captured *packet, struct segment *ret)
{
	struct bytes left = { packet->bytes, packet->len };
	size_t whole = packet->whole > packet->len ? packet->whole : packet->len;
	struct segment segment = { .salt = 0 };

	if (!strip_link(packet->link, &left))
		return SEGMENT_OTHER;
	whole -= packet->len - left.len;
	if (left.len < 1)
		return SEGMENT_MALFORMED;
	enum segment_kind kind = left.at[0] >> 4 == 4   ? strip_ipv4(&left, &segment, &whole)
				 : left.at[0] >> 4 == 6 ? strip_ipv6(&left, &segment, &whole)
							: SEGMENT_OTHER;
	if (kind != SEGMENT_TCP)
		return kind;
	if (left.len < 20)
		return SEGMENT_MALFORMED;
	size_t head = (left.at[12] >> 4) * 4u;
	if (head < 20 || head > left.len)
		return SEGMENT_MALFORMED;
	segment.from_port = (uint16_t)big16(left.at);
	segment.to_port = (uint16_t)big16(left.at + 2);
	segment.seq = big32(left.at + 4);
	segment.fin = left.at[13] & 1;
	segment.syn = left.at[13] & 2;
	segment.rst = left.at[13] & 4;
	segment.ack = left.at[13] & 16;
	segment.missing = whole > left.len ? whole - left.len : 0;
	drop(&left, head);
	segment.bytes = (const char *)left.at;
	segment.len = left.len;
	*ret = segment;
	return SEGMENT_TCP;
}
