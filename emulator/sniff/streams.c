#include "emulator/sniff/streams.h"

#include "emulator/base/pool.h"
#include "emulator/base/wires.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CONNS_MAX 65536
#define PIECES_MAX 262144
#define BUCKETS 16384
/* So many segments behind a hole: what was in it will not come. */
#define WAITING_MAX 256

struct piece {
	struct piece *next;
	const char *bytes;
	uint32_t seq, len, missing;
};

struct half {
	uint32_t next, end; /* end: where its FIN stands */
	bool known, has_end, ended;
	unsigned waiting;
	struct piece *first; /* by sequence number */
};

struct conn {
	struct conn *next;
	struct net_addr ends[2]; /* [TO_SERVER]: the client */
	uint32_t salt, number;
	struct half halves[2];
};

struct streams {
	happened_fn *happened;
	void *owner;
	struct pool conns, pieces;
	uint32_t opened;
	uint64_t ignored;
	struct conn *buckets[BUCKETS];
};

int streams_new(happened_fn *happened, void *owner, struct streams **ret)
{
	struct streams *streams = calloc(1, sizeof(*streams));

	if (streams == NULL)
		return -ENOMEM;
	streams->happened = happened;
	streams->owner = owner;
	int rc = pool_init(&streams->conns, sizeof(struct conn), CONNS_MAX);
	if (rc == 0)
		rc = pool_init(&streams->pieces, sizeof(struct piece), PIECES_MAX);
	if (rc < 0) {
		streams_free(streams);
		return rc;
	}
	*ret = streams;
	return 0;
}

void streams_free(struct streams *streams)
{
	pool_release(&streams->conns);
	pool_release(&streams->pieces);
	free(streams);
}

uint64_t streams_ignored(const struct streams *streams)
{
	return streams->ignored;
}

/* ---- telling ---- */

static void tell(struct streams *streams, const struct conn *conn, enum happened_kind kind,
		 enum way way, struct qn_text bytes, const char *text, int64_t t_ns)
{
	struct happened happened = { .kind = kind,
				     .way = way,
				     .conn = conn->number,
				     .t_ns = t_ns,
				     .bytes = bytes,
				     .text = text,
				     .client = conn->ends[TO_SERVER],
				     .to = conn->ends[TO_CLIENT],
				     .route = "tcp" };

	streams->happened(streams->owner, &happened);
}

static void tell_event(struct streams *streams, const struct conn *conn, enum happened_kind kind,
		       enum way way, int64_t t_ns)
{
	tell(streams, conn, kind, way, (struct qn_text){ NULL, 0 }, NULL, t_ns);
}

static void tell_lost(struct streams *streams, const struct conn *conn, enum way way, uint32_t n,
		      const char *why, int64_t t_ns)
{
	char text[80];

	snprintf(text, sizeof(text), "%u bytes %s", n, why);
	tell(streams, conn, HAPPENED_LOST, way, (struct qn_text){ NULL, 0 }, text, t_ns);
}

/* ---- in order ---- */

static int32_t distance(uint32_t from, uint32_t to)
{
	return (int32_t)(to - from);
}

static void keep(struct streams *streams, struct half *half, const struct piece *piece)
{
	struct piece **at = &half->first, *kept = pool_get(&streams->pieces);

	if (kept == NULL) {
		streams->ignored++;
		return;
	}
	while (*at != NULL && distance((*at)->seq, piece->seq) >= 0)
		at = &(*at)->next;
	*kept = *piece;
	kept->next = *at;
	*at = kept;
	half->waiting++;
}

/* The part of a piece that is new. */
static void deliver(struct streams *streams, struct conn *conn, enum way way,
		    const struct piece *piece, int64_t t_ns)
{
	struct half *half = &conn->halves[way];
	int32_t old = distance(piece->seq, half->next);
	uint32_t all = piece->len + piece->missing;

	if (old < 0 || (uint32_t)old >= all)
		return;
	half->next = piece->seq + all;
	uint32_t skip = (uint32_t)old;
	if (skip < piece->len) {
		struct qn_text bytes = { piece->bytes + skip, piece->len - skip };
		tell(streams, conn, HAPPENED_BYTES, way, bytes, NULL, t_ns);
		skip = piece->len;
	}
	if (piece->missing > 0)
		tell_lost(streams, conn, way, all - skip, "were cut off by the capture", t_ns);
}

static void take_waiting(struct streams *streams, struct conn *conn, enum way way, int64_t t_ns)
{
	struct half *half = &conn->halves[way];
	struct piece *piece;

	while ((piece = half->first) != NULL && distance(half->next, piece->seq) <= 0) {
		half->first = piece->next;
		half->waiting--;
		deliver(streams, conn, way, piece, t_ns);
		pool_put(&streams->pieces, piece);
	}
	if (half->has_end && !half->ended && half->first == NULL && half->next == half->end) {
		half->ended = true;
		tell_event(streams, conn, HAPPENED_EOF, way, t_ns);
	}
}

/* What is missing will not come: goes on behind it. */
static void give_up(struct streams *streams, struct conn *conn, enum way way, int64_t t_ns)
{
	struct half *half = &conn->halves[way];

	while (half->first != NULL || (half->has_end && !half->ended)) {
		uint32_t to = half->first != NULL ? half->first->seq : half->end;
		int32_t hole = distance(half->next, to);
		if (hole > 0)
			tell_lost(streams, conn, way, (uint32_t)hole, "are not in the capture",
				  t_ns);
		/* An end before the bytes that came is a lie: it ends here. */
		half->next = to;
		take_waiting(streams, conn, way, t_ns);
	}
}

/* ---- connections ---- */

static bool is_same(struct net_addr a, struct net_addr b)
{
	return a.ip == b.ip && a.port == b.port;
}

static struct conn **bucket_of(struct streams *streams, struct net_addr a, struct net_addr b)
{
	/* The same from both sides. */
	uint32_t h = (a.ip ^ b.ip) * 2654435761u + (uint32_t)(a.port ^ b.port) * 40503u;

	return &streams->buckets[(h ^ h >> 15) % BUCKETS];
}

static struct conn *find(struct streams *streams, const struct segment *segment, enum way *ret_way)
{
	struct net_addr from = { segment->from_ip, segment->from_port },
			to = { segment->to_ip, segment->to_port };

	for (struct conn *conn = *bucket_of(streams, from, to); conn != NULL; conn = conn->next) {
		if (conn->salt != segment->salt)
			continue;
		for (enum way way = TO_SERVER; way <= TO_CLIENT; way++) {
			if (is_same(conn->ends[way], from) && is_same(conn->ends[!way], to)) {
				*ret_way = way;
				return conn;
			}
		}
	}
	return NULL;
}

static void forget(struct streams *streams, struct conn *conn)
{
	struct conn **at = bucket_of(streams, conn->ends[0], conn->ends[1]);

	while (*at != conn)
		at = &(*at)->next;
	*at = conn->next;
	for (unsigned i = 0; i < 2; i++) {
		while (conn->halves[i].first != NULL) {
			struct piece *piece = conn->halves[i].first;
			conn->halves[i].first = piece->next;
			pool_put(&streams->pieces, piece);
		}
	}
	pool_put(&streams->conns, conn);
}

static void end(struct streams *streams, struct conn *conn, int64_t t_ns)
{
	give_up(streams, conn, TO_SERVER, t_ns);
	give_up(streams, conn, TO_CLIENT, t_ns);
	tell_event(streams, conn, HAPPENED_CLOSE, TO_SERVER, t_ns);
	forget(streams, conn);
}

static bool is_known_port(uint16_t port)
{
	for (unsigned i = 0; i < WIRE_COUNT; i++)
		if (wire_port((enum wire_id)i) == port)
			return true;
	return false;
}

static bool from_client(const struct segment *segment)
{
	if (segment->syn)
		return !segment->ack;
	bool from = is_known_port(segment->from_port), to = is_known_port(segment->to_port);
	return from != to ? to : segment->to_port < segment->from_port;
}

static struct conn *begin(struct streams *streams, const struct segment *segment, int64_t t_ns,
			  enum way *ret_way)
{
	struct net_addr from = { segment->from_ip, segment->from_port },
			to = { segment->to_ip, segment->to_port };
	struct conn **bucket = bucket_of(streams, from, to), *conn = pool_get(&streams->conns);

	if (conn == NULL) {
		streams->ignored++;
		return NULL;
	}
	*ret_way = from_client(segment) ? TO_SERVER : TO_CLIENT;
	memset(conn, 0, sizeof(*conn));
	conn->ends[*ret_way] = from;
	conn->ends[!*ret_way] = to;
	conn->salt = segment->salt;
	conn->number = ++streams->opened;
	conn->next = *bucket;
	*bucket = conn;
	tell_event(streams, conn, HAPPENED_OPEN, TO_SERVER, t_ns);
	return conn;
}

static void take_segment(struct streams *streams, struct conn *conn, enum way way,
			 const struct segment *segment, int64_t t_ns)
{
	struct half *half = &conn->halves[way];
	struct piece piece = { .bytes = segment->bytes,
			       .seq = segment->seq + segment->syn,
			       .len = (uint32_t)segment->len,
			       .missing = (uint32_t)segment->missing };
	uint32_t all = piece.len + piece.missing;

	if (!half->known) {
		half->known = true;
		half->next = piece.seq;
	}
	if (segment->fin && !half->has_end) {
		half->has_end = true;
		half->end = piece.seq + all;
	}
	if (all > 0 && !half->ended) {
		if (distance(half->next, piece.seq) > 0)
			keep(streams, half, &piece);
		else
			deliver(streams, conn, way, &piece, t_ns);
	}
	take_waiting(streams, conn, way, t_ns);
	if (half->waiting > WAITING_MAX)
		give_up(streams, conn, way, t_ns);
}

void streams_segment(struct streams *streams, const struct segment *segment, int64_t t_ns)
{
	enum way way = TO_SERVER;
	struct conn *conn = find(streams, segment, &way);

	/* The same addresses again: a new connection, unless it is the SYN once more. */
	if (conn != NULL && segment->syn && conn->halves[way].known &&
	    conn->halves[way].next != segment->seq + 1 &&
	    distance(segment->seq, conn->halves[way].next) != 1) {
		end(streams, conn, t_ns);
		conn = NULL;
	}
	if (conn == NULL) {
		/* The tail of one that is told already, or begins nothing. */
		if (!segment->syn && segment->len == 0)
			return;
		conn = begin(streams, segment, t_ns, &way);
	}
	if (conn == NULL)
		return;
	if (segment->rst && way == TO_CLIENT && !conn->halves[TO_CLIENT].known) {
		tell(streams, conn, HAPPENED_REFUSED, way, (struct qn_text){ NULL, 0 },
		     "Connection refused", t_ns);
		forget(streams, conn);
		return;
	}
	take_segment(streams, conn, way, segment, t_ns);
	if (segment->rst) {
		give_up(streams, conn, TO_SERVER, t_ns);
		give_up(streams, conn, TO_CLIENT, t_ns);
		tell_event(streams, conn, HAPPENED_RESET, way, t_ns);
		end(streams, conn, t_ns);
	} else if (conn->halves[0].ended && conn->halves[1].ended) {
		end(streams, conn, t_ns);
	}
}

void streams_end(struct streams *streams, int64_t t_ns)
{
	for (size_t i = 0; i < BUCKETS; i++)
		while (streams->buckets[i] != NULL)
			end(streams, streams->buckets[i], t_ns);
}
