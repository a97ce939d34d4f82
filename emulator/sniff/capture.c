#include "emulator/sniff/capture.h"

#include <string.h>

#define SECTION UINT32_C(0x0a0d0d0a)
#define MAGIC_NG UINT32_C(0x1a2b3c4d)
#define MAGIC_US UINT32_C(0xa1b2c3d4)
#define MAGIC_NS UINT32_C(0xa1b23c4d)
#define BLOCK_INTERFACE 1
#define BLOCK_SIMPLE 3
#define BLOCK_PACKET 6
#define OPT_TSRESOL 9
#define OPT_TSOFFSET 14
#define NS_PER_S INT64_C(1000000000)

static uint32_t get32(const struct capture *capture, const unsigned char *at)
{
	uint32_t value;

	memcpy(&value, at, sizeof(value));
	return capture->swapped ? __builtin_bswap32(value) : value;
}

static uint16_t get16(const struct capture *capture, const unsigned char *at)
{
	uint16_t value;

	memcpy(&value, at, sizeof(value));
	return capture->swapped ? __builtin_bswap16(value) : value;
}

static size_t left(const struct capture *capture)
{
	return (size_t)(capture->end - capture->at);
}

static enum capture_step broken(const struct capture *capture, struct qn_fault *fault,
				const char *why)
{
	*fault = (struct qn_fault){ QN_E_SYNTAX, (size_t)(capture->at - capture->start), why };
	return CAPTURE_BROKEN;
}

static bool is_magic(uint32_t value, uint32_t magic, bool *ret_swapped)
{
	*ret_swapped = value == __builtin_bswap32(magic);
	return value == magic || *ret_swapped;
}

bool capture_is(const void *bytes, size_t len)
{
	uint32_t value;
	bool swapped;

	if (len < 4)
		return false;
	memcpy(&value, bytes, sizeof(value));
	return value == SECTION || is_magic(value, MAGIC_US, &swapped) ||
	       is_magic(value, MAGIC_NS, &swapped);
}

bool capture_open(struct capture *capture, const void *bytes, size_t len)
{
	uint32_t value;

	if (!capture_is(bytes, len))
		return false;
	memset(capture, 0, sizeof(*capture));
	capture->at = capture->start = bytes;
	capture->end = capture->at + len;
	memcpy(&value, bytes, sizeof(value));
	capture->ng = value == SECTION;
	if (capture->ng)
		return true;
	bool nanoseconds = is_magic(value, MAGIC_NS, &capture->swapped);
	if (!nanoseconds)
		is_magic(value, MAGIC_US, &capture->swapped);
	if (len < 24)
		return false;
	/* The upper bits of the link type say something of frame check sequences. */
	capture->interfaces[0].link = (uint16_t)(get32(capture, capture->at + 20) & 0xffff);
	capture->interfaces[0].exponent = nanoseconds ? 9 : 6;
	capture->n_interfaces = 1;
	capture->at += 24;
	return true;
}

static enum capture_step next_classic(struct capture *capture, struct captured *ret,
				      struct qn_fault *fault)
{
	const unsigned char *at = capture->at;

	if (left(capture) == 0)
		return CAPTURE_END;
	if (left(capture) < 16)
		return broken(capture, fault, "the file ends inside a packet's head");
	size_t len = get32(capture, at + 8);
	if (len > left(capture) - 16)
		return broken(capture, fault, "the file ends inside a packet");
	int64_t part = get32(capture, at + 4);
	ret->at_ns = (int64_t)get32(capture, at) * NS_PER_S +
		     (capture->interfaces[0].exponent == 9 ? part : part * 1000);
	ret->link = capture->interfaces[0].link;
	ret->bytes = at + 16;
	ret->len = len;
	ret->whole = get32(capture, at + 12);
	capture->at += 16 + len;
	return CAPTURE_PACKET;
}

/* ---- pcapng ---- */

static bool new_section(struct capture *capture)
{
	uint32_t magic;

	memcpy(&magic, capture->at + 8, sizeof(magic));
	if (!is_magic(magic, MAGIC_NG, &capture->swapped))
		return false;
	capture->n_interfaces = 0;
	return true;
}

static void read_interface(struct capture *capture, const unsigned char *body, size_t len)
{
	struct capture_interface interface = { .exponent = 6 };
	size_t i = 8;

	interface.link = get16(capture, body);
	while (len - i >= 4) {
		uint16_t code = get16(capture, body + i);
		size_t size = get16(capture, body + i + 2), room = (size + 3) & ~(size_t)3;
		i += 4;
		if (code == 0 || room > len - i)
			break;
		if (code == OPT_TSRESOL && size >= 1) {
			interface.binary = body[i] & 0x80;
			interface.exponent = body[i] & 0x7f;
		}
		if (code == OPT_TSOFFSET && size == 8) {
			uint64_t low = get32(capture, body + i + (capture->swapped ? 4 : 0));
			uint64_t high = get32(capture, body + i + (capture->swapped ? 0 : 4));
			interface.offset_s = (int64_t)(high << 32 | low);
		}
		i += room;
	}
	capture->interfaces[capture->n_interfaces++] = interface;
}

/* What no clock can say becomes 0 rather than nonsense. */
static int64_t to_ns(const struct capture_interface *interface, uint64_t ticks)
{
	unsigned __int128 ns = (unsigned __int128)ticks * (uint64_t)NS_PER_S;

	if (interface->binary) {
		ns = interface->exponent < 64 ? ns >> interface->exponent : 0;
	} else {
		for (unsigned i = 0; i < interface->exponent && ns > 0; i++)
			ns /= 10;
	}
	__int128 at = (__int128)ns + (__int128)interface->offset_s * NS_PER_S;
	return at < 0 || at > INT64_MAX ? 0 : (int64_t)at;
}

static enum capture_step read_packet(struct capture *capture, const unsigned char *body, size_t len,
				     struct captured *ret, struct qn_fault *fault)
{
	if (len < 20)
		return broken(capture, fault, "a packet block without room for its head");
	uint32_t interface = get32(capture, body);
	size_t size = get32(capture, body + 12);
	if (interface >= capture->n_interfaces)
		return broken(capture, fault, "a packet of an interface that was not described");
	if (size > len - 20)
		return broken(capture, fault, "a packet longer than its block");
	uint64_t ticks = (uint64_t)get32(capture, body + 4) << 32 | get32(capture, body + 8);
	ret->at_ns = to_ns(&capture->interfaces[interface], ticks);
	ret->link = capture->interfaces[interface].link;
	ret->bytes = body + 20;
	ret->len = size;
	ret->whole = get32(capture, body + 16);
	return CAPTURE_PACKET;
}

static enum capture_step next_block(struct capture *capture, struct captured *ret,
				    struct qn_fault *fault)
{
	while (left(capture) > 0) {
		if (left(capture) < 12)
			return broken(capture, fault, "the file ends inside a block");
		uint32_t type = get32(capture, capture->at);
		if (type == SECTION && (left(capture) < 28 || !new_section(capture)))
			return broken(capture, fault, "a section without its byte-order magic");
		size_t len = get32(capture, capture->at + 4);
		if (len < 12 || len % 4 != 0 || len > left(capture))
			return broken(capture, fault,
				      "the file ends inside a block, or its length is none");
		const unsigned char *body = capture->at + 8;
		size_t body_len = len - 12;
		if (get32(capture, body + body_len) != len)
			return broken(capture, fault, "a block whose two lengths differ");
		if (type == BLOCK_INTERFACE) {
			if (body_len < 8 || capture->n_interfaces == CAPTURE_INTERFACES)
				return broken(capture, fault,
					      "too many interfaces, or a short one");
			read_interface(capture, body, body_len);
		} else if (type == BLOCK_PACKET) {
			enum capture_step step = read_packet(capture, body, body_len, ret, fault);
			if (step == CAPTURE_PACKET)
				capture->at += len;
			return step;
		} else if (type == BLOCK_SIMPLE) {
			return broken(capture, fault, "packets without times are of no use here");
		}
		capture->at += len; /* others are passed over, as the format wants it */
	}
	return CAPTURE_END;
}

enum capture_step capture_next(struct capture *capture, struct captured *ret,
			       struct qn_fault *fault)
{
	return capture->ng ? next_block(capture, ret, fault) : next_classic(capture, ret, fault);
}
