#include "emulator/sniff/pcapng_write.h"

#include <stdio.h>
#include <string.h>

#define BLOCK_SECTION UINT32_C(0x0a0d0d0a)
#define BLOCK_INTERFACE 1u
#define BLOCK_PACKET 6u
#define BYTE_ORDER UINT32_C(0x1a2b3c4d)
#define LINKTYPE_RAW 101
#define OPT_END 0
#define OPT_COMMENT 1
#define OPT_SHB_USERAPPL 4
#define OPT_IF_NAME 2
#define OPT_IF_TSRESOL 9

#define IP_HEAD 20
#define TCP_HEAD 20
#define PAYLOAD_MAX (65535u - IP_HEAD - TCP_HEAD)

enum { FIN = 1, SYN = 2, RST = 4, PSH = 8, ACK = 16 };

static size_t padded(size_t len)
{
	return (len + 3) & ~(size_t)3;
}

static void put_u16(struct out_file *out, uint16_t value)
{
	out_put(out, &value, sizeof(value)); /* of this machine: the byte-order magic says which */
}

static void put_u32(struct out_file *out, uint32_t value)
{
	out_put(out, &value, sizeof(value));
}

static void put_padded(struct out_file *out, const void *bytes, size_t len)
{
	static const char zeros[4];

	out_put(out, bytes, len);
	out_put(out, zeros, padded(len) - len);
}

static void put_option(struct out_file *out, uint16_t code, const void *bytes, size_t len)
{
	put_u16(out, code);
	put_u16(out, (uint16_t)len);
	put_padded(out, bytes, len);
}

void pcapng_begin(struct out_file *out, const char *program)
{
	static const char name[] = "quintain";
	static const uint8_t nanoseconds = 9;
	uint32_t app = 4 + (uint32_t)padded(strlen(program));
	uint32_t section = 28 + app + 4;
	uint32_t interface = 20 + 4 + (uint32_t)padded(sizeof(name) - 1) + 8 + 4;
	int64_t unknown = -1;

	put_u32(out, BLOCK_SECTION);
	put_u32(out, section);
	put_u32(out, BYTE_ORDER);
	put_u16(out, 1);
	put_u16(out, 0);
	out_put(out, &unknown, sizeof(unknown));
	put_option(out, OPT_SHB_USERAPPL, program, strlen(program));
	put_option(out, OPT_END, NULL, 0);
	put_u32(out, section);

	put_u32(out, BLOCK_INTERFACE);
	put_u32(out, interface);
	put_u16(out, LINKTYPE_RAW);
	put_u16(out, 0);
	put_u32(out, 0); /* no limit */
	put_option(out, OPT_IF_NAME, name, sizeof(name) - 1);
	put_option(out, OPT_IF_TSRESOL, &nanoseconds, 1);
	put_option(out, OPT_END, NULL, 0);
	put_u32(out, interface);
}

/* ---- a packet ---- */

static void big16(unsigned char *at, uint32_t value)
{
	at[0] = (unsigned char)(value >> 8);
	at[1] = (unsigned char)value;
}

static void big32(unsigned char *at, uint32_t value)
{
	big16(at, value >> 16);
	big16(at + 2, value & 0xffff);
}

/* RFC 1071. */
static uint32_t sum(uint32_t so_far, const void *bytes, size_t len)
{
	const unsigned char *at = bytes;
	uint64_t total = so_far;

	for (size_t i = 0; i + 1 < len; i += 2)
		total += (uint32_t)at[i] << 8 | at[i + 1];
	if (len % 2 == 1)
		total += (uint32_t)at[len - 1] << 8;
	while (total >> 16 != 0)
		total = (total & 0xffff) + (total >> 16);
	return (uint32_t)total;
}

static void build_heads(unsigned char heads[IP_HEAD + TCP_HEAD], const struct pcapng_conn *conn,
			enum way way, unsigned flags, struct qn_text payload)
{
	struct net_addr from = conn->ends[way], to = conn->ends[!way];
	unsigned char *tcp = heads + IP_HEAD, pseudo[12] = { 0 };
	size_t tcp_len = TCP_HEAD + payload.len;

	memset(heads, 0, IP_HEAD + TCP_HEAD);
	heads[0] = 0x45;
	big16(heads + 2, (uint32_t)(IP_HEAD + tcp_len));
	heads[6] = 0x40; /* DF */
	heads[8] = 64;
	heads[9] = 6;
	big32(heads + 12, from.ip);
	big32(heads + 16, to.ip);
	big16(heads + 10, ~sum(0, heads, IP_HEAD) & 0xffff);

	big16(tcp, from.port);
	big16(tcp + 2, to.port);
	big32(tcp + 4, conn->seq[way]);
	big32(tcp + 8, flags & ACK ? conn->seq[!way] : 0);
	tcp[12] = TCP_HEAD / 4 << 4;
	tcp[13] = (unsigned char)flags;
	big16(tcp + 14, 65535);
	big32(pseudo, from.ip);
	big32(pseudo + 4, to.ip);
	pseudo[9] = 6;
	big16(pseudo + 10, (uint32_t)tcp_len);
	uint32_t so_far = sum(sum(0, pseudo, sizeof(pseudo)), tcp, TCP_HEAD);
	big16(tcp + 16, ~sum(so_far, payload.at, payload.len) & 0xffff);
}

static void put_packet(struct out_file *out, struct pcapng_conn *conn, enum way way, unsigned flags,
		       struct qn_text payload, int64_t at_ns, const char *comment)
{
	static const char zeros[4];
	unsigned char heads[IP_HEAD + TCP_HEAD];
	size_t len = sizeof(heads) + payload.len, note = comment != NULL ? strlen(comment) : 0;
	uint32_t block = 32 + (uint32_t)padded(len);

	if (comment != NULL)
		block += 4 + (uint32_t)padded(note) + 4;
	build_heads(heads, conn, way, flags, payload);
	put_u32(out, BLOCK_PACKET);
	put_u32(out, block);
	put_u32(out, 0);
	put_u32(out, (uint32_t)((uint64_t)at_ns >> 32));
	put_u32(out, (uint32_t)at_ns);
	put_u32(out, (uint32_t)len);
	put_u32(out, (uint32_t)len);
	out_put(out, heads, sizeof(heads));
	out_put(out, payload.at, payload.len);
	out_put(out, zeros, padded(len) - len);
	if (comment != NULL) {
		put_option(out, OPT_COMMENT, comment, note);
		put_option(out, OPT_END, NULL, 0);
	}
	put_u32(out, block);
	conn->seq[way] += (uint32_t)payload.len + ((flags & (SYN | FIN)) != 0);
}

/* ---- a connection ---- */

#define NOTHING ((struct qn_text){ NULL, 0 })

/* The SYN went out when the connection was opened. */
static void shake_hands(struct out_file *out, struct pcapng_conn *conn, int64_t at_ns)
{
	put_packet(out, conn, TO_CLIENT, SYN | ACK, NOTHING, at_ns, NULL);
	put_packet(out, conn, TO_SERVER, ACK, NOTHING, at_ns, NULL);
	conn->shook = true;
}

static void open_conn(struct pcapng_conn *conn, const struct happened *happened)
{
	*conn = (struct pcapng_conn){ .open = true };
	conn->ends[TO_SERVER] = happened->client;
	conn->ends[TO_CLIENT] = happened->to;
	/* A recording of others may leave ports out: a connection of its own all the same. */
	if (conn->ends[TO_SERVER].port == 0)
		conn->ends[TO_SERVER].port = (uint16_t)(32768 + happened->conn % 28000);
	conn->seq[TO_SERVER] = happened->conn * 1000003u;
	conn->seq[TO_CLIENT] = ~(happened->conn * 1000003u);
}

static void put_unit(struct out_file *out, struct pcapng_conn *conn,
		     const struct happened *happened, int64_t at_ns)
{
	struct qn_text left = happened->bytes;

	do {
		struct qn_text part = { left.at, left.len < PAYLOAD_MAX ? left.len : PAYLOAD_MAX };
		left.at += part.len;
		left.len -= part.len;
		put_packet(out, conn, happened->way, left.len == 0 ? PSH | ACK : ACK, part, at_ns,
			   NULL);
	} while (left.len > 0);
}

static void put_fault(struct out_file *out, struct pcapng_conn *conn,
		      const struct happened *happened, int64_t at_ns)
{
	char comment[120];

	/* An empty ACK carries the words: what a fault does to the bytes comes after it. */
	snprintf(comment, sizeof(comment), "fault %.60s on %zu bytes", happened->text,
		 happened->bytes.len);
	put_packet(out, conn, happened->way, ACK, NOTHING, at_ns, comment);
}

void pcapng_put(struct out_file *out, struct pcapng_conn *conn, const struct happened *happened,
		int64_t wall_ns)
{
	int64_t at_ns = wall_ns + happened->t_ns;

	if (happened->kind == HAPPENED_OPEN) {
		open_conn(conn, happened);
		put_packet(out, conn, TO_SERVER, SYN, NOTHING, at_ns, NULL);
		return;
	}
	if (!conn->open)
		return;
	if (happened->kind == HAPPENED_REFUSED) {
		put_packet(out, conn, TO_CLIENT, RST | ACK, NOTHING, at_ns, happened->text);
		conn->open = false;
		return;
	}
	if (!conn->shook)
		shake_hands(out, conn, at_ns);
	switch (happened->kind) {
	case HAPPENED_BYTES: put_unit(out, conn, happened, at_ns); break;
	case HAPPENED_EOF:
		if (!conn->fin[happened->way])
			put_packet(out, conn, happened->way, FIN | ACK, NOTHING, at_ns, NULL);
		conn->fin[happened->way] = true;
		conn->last = happened->way;
		break;
	case HAPPENED_RESET:
		put_packet(out, conn, happened->way, RST | ACK, NOTHING, at_ns, NULL);
		conn->open = false;
		break;
	case HAPPENED_CLOSE:
		if (conn->fin[0] && conn->fin[1])
			put_packet(out, conn, !conn->last, ACK, NOTHING, at_ns, NULL);
		conn->open = false;
		break;
	case HAPPENED_FAULT: put_fault(out, conn, happened, at_ns); break;
	default: break;
	}
}
