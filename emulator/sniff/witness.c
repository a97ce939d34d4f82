#include "emulator/sniff/witness.h"

#include "emulator/base/units.h"
#include "emulator/sniff/pcapng_write.h"
#include "emulator/sniff/recording.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define BUCKETS 4096
#define BUFFER_BYTES ((size_t)64 << 20)

#define PLAIN "\033[0m"
#define DIM "\033[2m"
#define RED "\033[31m"
#define YELLOW "\033[33m"
#define CYAN "\033[36m"
#define GREEN "\033[32m"

struct track {
	struct track *next;
	uint32_t conn;
	bool targets;
	char route[16];
	char client[24], to[24];
	struct dialog dialog;
	struct pcapng_conn capture;
};

struct witness {
	struct witness_options options;
	struct witness_counts counts;
	struct hist latency;
	struct pool tracks;
	struct buffers buffers;
	struct track *buckets[BUCKETS];
	struct track *current; /* while a dialog is telling */
};

int witness_new(const struct witness_options *options, struct witness **ret)
{
	struct witness *witness = calloc(1, sizeof(*witness));

	if (witness == NULL)
		return -ENOMEM;
	witness->options = *options;
	int rc = hist_init(&witness->latency);
	if (rc == 0)
		rc = pool_init(&witness->tracks, sizeof(struct track), options->conns_max);
	if (rc == 0)
		rc = buffers_init(&witness->buffers, BUFFER_BYTES);
	if (rc < 0) {
		witness_free(witness);
		return rc;
	}
	*ret = witness;
	return 0;
}

void witness_free(struct witness *witness)
{
	hist_release(&witness->latency);
	pool_release(&witness->tracks);
	buffers_release(&witness->buffers);
	free(witness);
}

void witness_set_wall(struct witness *witness, int64_t wall_ns)
{
	witness->options.wall_ns = wall_ns;
}

const struct witness_counts *witness_counts(const struct witness *witness)
{
	return &witness->counts;
}

const struct hist *witness_latency(const struct witness *witness)
{
	return &witness->latency;
}

/* ---- printing ---- */

static const char *colour(const struct witness *witness, const char *code)
{
	return witness->options.colour ? code : "";
}

static void print_head(struct witness *witness, const struct track *track, int64_t t_ns,
		       const char *arrow)
{
	fprintf(witness->options.out, "%s%4" PRId64 ".%06d%s #%-4u %-21s %s %-21s ",
		colour(witness, DIM), t_ns / NS_PER_S, (int)(t_ns % NS_PER_S / 1000),
		colour(witness, PLAIN), track->conn, track->client, arrow, track->to);
}

static const char *arrow_of(enum way way)
{
	return way == TO_SERVER ? "->" : "<-";
}

static void print_note(struct witness *witness, const struct track *track,
		       const struct happened *happened, const char *code, const char *word)
{
	struct said safe = { .role = DIALOG_TELLS };
	const char *text = happened->text != NULL ? happened->text : "";
	bool one_way = happened->kind == HAPPENED_EOF || happened->kind == HAPPENED_RESET ||
		       happened->kind == HAPPENED_LOST || happened->kind == HAPPENED_FAULT;

	if (witness->options.out == NULL)
		return;
	words_safe(&safe, (struct qn_text){ text, strlen(text) }, 200);
	print_head(witness, track, happened->t_ns, one_way ? arrow_of(happened->way) : "--");
	fprintf(witness->options.out, "%s[%s%s%s]%s\n", colour(witness, code), word,
		text[0] != '\0' ? " " : "", safe.words, colour(witness, PLAIN));
}

static void print_spoken(struct witness *witness, const struct track *track,
			 const struct spoken *spoken)
{
	const struct said *said = spoken->said;
	FILE *out = witness->options.out;
	const char *code = said->code != QN_OK            ? RED
			   : said->role == DIALOG_ASKS    ? CYAN
			   : said->role == DIALOG_ANSWERS ? GREEN
							  : "";

	print_head(witness, track, spoken->t_ns, arrow_of(spoken->way));
	fprintf(out, "%s%s%s", colour(witness, code), said->words, colour(witness, PLAIN));
	if (spoken->latency_ns >= 0)
		fprintf(out, "  %s+%.3f ms%s", colour(witness, DIM),
			(double)spoken->latency_ns / 1e6, colour(witness, PLAIN));
	if (said->code != QN_OK)
		fprintf(out, "  %smalformed: %s at byte %zu: %s%s", colour(witness, RED),
			qn_code_name(said->code), said->fault.offset,
			said->fault.text != NULL ? said->fault.text : "no message of this wire",
			colour(witness, PLAIN));
	fputc('\n', out);
}

static void on_spoke(void *owner, const struct spoken *spoken)
{
	struct witness *witness = owner;

	witness->counts.messages++;
	witness->counts.malformed += spoken->said->code != QN_OK;
	if (spoken->latency_ns >= 0)
		hist_record(&witness->latency, spoken->latency_ns);
	if (witness->options.out != NULL)
		print_spoken(witness, witness->current, spoken);
}

/* ---- connections ---- */

static struct track **place_of(struct witness *witness, uint32_t conn)
{
	struct track **at = &witness->buckets[conn % BUCKETS];

	while (*at != NULL && (*at)->conn != conn)
		at = &(*at)->next;
	return at;
}

static struct track *open_track(struct witness *witness, const struct happened *happened)
{
	struct track **at = place_of(witness, happened->conn);

	if (*at != NULL) /* a recording in which a connection opens twice: go on with it */
		return *at;
	struct track *track = pool_get(&witness->tracks);
	if (track == NULL) {
		witness->counts.unseen++;
		return NULL;
	}
	memset(track, 0, sizeof(*track));
	track->conn = happened->conn;
	track->targets = happened->targets;
	snprintf(track->route, sizeof(track->route), "%s",
		 happened->route != NULL ? happened->route : "tcp");
	net_addr_text(happened->client, track->client, sizeof(track->client));
	net_addr_text(happened->to, track->to, sizeof(track->to));
	dialog_init(&track->dialog, witness->options.wire, &witness->buffers);
	*at = track;
	witness->counts.conns++;
	return track;
}

static void close_track(struct witness *witness, uint32_t conn)
{
	struct track **at = place_of(witness, conn), *track = *at;

	assert(track != NULL); /* whoever closes it has just found it */
	dialog_release(&track->dialog);
	*at = track->next;
	pool_put(&witness->tracks, track);
}

static void end_dialog(struct witness *witness, struct track *track, enum way way, int64_t t_ns)
{
	dialog_end(&track->dialog, way, t_ns, on_spoke, witness);
}

static void take(struct witness *witness, struct track *track, const struct happened *happened)
{
	switch (happened->kind) {
	case HAPPENED_OPEN:
		if (witness->options.connections)
			print_note(witness, track, happened, DIM, "open");
		break;
	case HAPPENED_BYTES:
		witness->counts.units++;
		witness->counts.bytes += happened->bytes.len;
		dialog_hear(&track->dialog, happened->way, happened->bytes.at, happened->bytes.len,
			    happened->t_ns, on_spoke, witness);
		break;
	case HAPPENED_EOF:
		end_dialog(witness, track, happened->way, happened->t_ns);
		if (witness->options.connections)
			print_note(witness, track, happened, DIM, "eof");
		break;
	case HAPPENED_RESET:
		witness->counts.resets++;
		print_note(witness, track, happened, YELLOW, "reset");
		break;
	case HAPPENED_CLOSE:
		end_dialog(witness, track, TO_SERVER, happened->t_ns);
		end_dialog(witness, track, TO_CLIENT, happened->t_ns);
		if (witness->options.connections)
			print_note(witness, track, happened, DIM, "close");
		break;
	case HAPPENED_REFUSED:
		witness->counts.refused++;
		print_note(witness, track, happened, YELLOW, "refused");
		break;
	case HAPPENED_LOST:
		witness->counts.lost++;
		dialog_gap(&track->dialog, happened->way);
		print_note(witness, track, happened, RED, "lost");
		break;
	case HAPPENED_FAULT:
		witness->counts.faults++;
		print_note(witness, track, happened, YELLOW, "fault");
		break;
	}
}

void witness_happened(void *owner, const struct happened *happened)
{
	struct witness *witness = owner;
	/* A recording that begins in the middle has no opening. */
	struct track *track = open_track(witness, happened);

	if (track == NULL)
		return;
	if (witness->options.recording != NULL)
		recording_put(witness->options.recording, happened, track->route, track->targets);
	if (witness->options.capture != NULL)
		pcapng_put(witness->options.capture, &track->capture, happened,
			   witness->options.wall_ns);
	witness->current = track;
	take(witness, track, happened);
	if (happened->kind == HAPPENED_CLOSE || happened->kind == HAPPENED_REFUSED)
		close_track(witness, happened->conn);
}

void witness_end(struct witness *witness, int64_t t_ns)
{
	for (size_t i = 0; i < BUCKETS; i++) {
		while (witness->buckets[i] != NULL) {
			struct happened end = { .kind = HAPPENED_CLOSE,
						.conn = witness->buckets[i]->conn,
						.t_ns = t_ns };
			witness_happened(witness, &end);
		}
	}
}

void witness_summary(const struct witness *witness, int64_t took_ns, FILE *out)
{
	const struct witness_counts *c = &witness->counts;
	char took[32];

	fprintf(out,
		"%" PRIu64 " connections (%" PRIu64 " refused, %" PRIu64 " reset) in %s: %" PRIu64
		" messages, %" PRIu64 " malformed, %" PRIu64 " bytes in %" PRIu64 " units\n",
		c->conns, c->refused, c->resets,
		units_duration_text(took_ns / NS_PER_MS * NS_PER_MS, took, sizeof(took)),
		c->messages, c->malformed, c->bytes, c->units);
	if (c->faults > 0)
		fprintf(out, "%" PRIu64 " faults struck\n", c->faults);
	if (c->lost > 0)
		fprintf(out, "%" PRIu64 " times bytes were missing\n", c->lost);
	if (c->unseen > 0)
		fprintf(out, "%" PRIu64 " events of connections for which there was no room\n",
			c->unseen);
	if (witness->latency.n > 0)
		fprintf(out, "answers: %" PRIu64 ", p50 %.3f ms, p99 %.3f ms, max %.3f ms\n",
			witness->latency.n, (double)hist_percentile(&witness->latency, 50) / 1e6,
			(double)hist_percentile(&witness->latency, 99) / 1e6,
			(double)witness->latency.max / 1e6);
}
