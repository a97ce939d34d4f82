#include "emulator/sniff/sniff.h"

#include "emulator/base/settings.h"
#include "emulator/base/units.h"
#include "emulator/sniff/capture.h"
#include "emulator/sniff/pcapng_write.h"
#include "emulator/sniff/recording.h"
#include "emulator/sniff/streams.h"
#include "emulator/sniff/witness.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { AS_ASKED = 0, MALFORMED = 1, USAGE = 2, ENVIRONMENT = 3 };
#define FILE_MAX ((size_t)2 << 30)
#define CONNS_MAX 65536

static const char help[] =
	"usage: quintain-emu decode FILE [options]\n"
	"\n"
	"Says what a recording of sniff, or a capture (pcap or pcapng: ours, tcpdump's, Wireshark's)\n"
	"holds: every message with its time, what is malformed and why, how long answers took.\n"
	"FILE \"-\" is standard input.\n"
	"\n"
	"  --wire W           snyper, http, framed, agent, jsonrpc, or auto: by the first bytes (auto)\n"
	"  --record FILE      write it as a recording\n"
	"  --pcap FILE        write it as a capture for Wireshark\n"
	"  --connections      show beginnings and ends, too\n"
	"  --quiet            only the summary\n"
	"  -h, --help         this text\n"
	"\n"
	"exit codes: 0 as asked, 1 something is malformed, 2 usage, 3 the file is none, or broken\n";

struct options {
	const char *path, *record, *pcap;
	enum dialog_wire wire;
	bool connections, quiet;
};

struct decode {
	struct options options;
	struct witness *witness;
	struct out_file recording, capture;
	char *text;
	size_t len;
	int64_t last_ns, wall_ns;
	uint64_t packets, fragments, malformed, unknown_links;
	bool begun;
};

static int usage(const char *what)
{
	fprintf(stderr, "quintain-emu decode: %s\ntry: quintain-emu decode --help\n", what);
	return USAGE;
}

static int take_wire(struct options *options, const char *name)
{
	for (unsigned i = 0; dialog_wire_names[i] != NULL; i++) {
		if (strcmp(name, dialog_wire_names[i]) == 0) {
			options->wire = (enum dialog_wire)i;
			return AS_ASKED;
		}
	}
	return usage("--wire takes snyper, http, framed, agent, jsonrpc or auto");
}

/* AS_ASKED: go on. -1: it is done (--help). */
static int parse(struct options *options, int argc, char **argv)
{
	enum { WIRE = 256, RECORD, PCAP, CONNECTIONS, QUIET };
	static const struct option longs[] = {
		{ "wire", required_argument, NULL, WIRE },
		{ "record", required_argument, NULL, RECORD },
		{ "pcap", required_argument, NULL, PCAP },
		{ "connections", no_argument, NULL, CONNECTIONS },
		{ "quiet", no_argument, NULL, QUIET },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};

	optind = 1;
	for (int opt; (opt = getopt_long(argc, argv, "h", longs, NULL)) != -1;) {
		switch (opt) {
		case WIRE:
			if (take_wire(options, optarg) != AS_ASKED)
				return USAGE;
			break;
		case RECORD: options->record = optarg; break;
		case PCAP: options->pcap = optarg; break;
		case CONNECTIONS: options->connections = true; break;
		case QUIET: options->quiet = true; break;
		case 'h': fputs(help, stdout); return -1;
		default: fputs("try: quintain-emu decode --help\n", stderr); return USAGE;
		}
	}
	if (argc - optind != 1)
		return usage("expected one FILE, or - for standard input");
	options->path = argv[optind];
	return AS_ASKED;
}

/* ---- the file ---- */

/* All of it into memory: what came out of order, or in pieces, is then only pointed at. */
static int read_all(struct decode *decode, int fd)
{
	size_t cap = 0;

	for (;;) {
		if (decode->len == cap) {
			cap = cap == 0 ? (size_t)1 << 20 : cap * 2;
			if (cap > FILE_MAX)
				return -EFBIG;
			char *more = realloc(decode->text, cap);
			if (more == NULL)
				return -ENOMEM;
			decode->text = more;
		}
		ssize_t n = read(fd, decode->text + decode->len, cap - decode->len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return 0;
		decode->len += (size_t)n;
	}
}

static int load(struct decode *decode)
{
	bool standard = strcmp(decode->options.path, "-") == 0;
	int fd = standard ? STDIN_FILENO : open(decode->options.path, O_RDONLY | O_CLOEXEC);
	int rc = fd < 0 ? -errno : read_all(decode, fd);

	if (fd >= 0 && !standard)
		close(fd);
	if (rc < 0)
		fprintf(stderr, "quintain-emu decode: %s: %s\n", decode->options.path,
			strerror(-rc));
	return rc;
}

/* ---- what is in it ---- */

static void on_happened(void *owner, const struct happened *happened)
{
	struct decode *decode = owner;

	if (!decode->begun) {
		decode->begun = true;
		witness_set_wall(decode->witness, decode->wall_ns);
		if (decode->options.record != NULL)
			recording_begin(&decode->recording, "quintain-emu decode " QN_VERSION,
					decode->wall_ns);
	}
	decode->last_ns = happened->t_ns > decode->last_ns ? happened->t_ns : decode->last_ns;
	witness_happened(decode->witness, happened);
}

static bool decode_recording(struct decode *decode)
{
	struct recording_fault fault;

	if (recording_read(decode->text, decode->len, on_happened, decode, &decode->wall_ns,
			   &fault))
		return true;
	fprintf(stderr, "quintain-emu decode: %s:%zu: %s\n", decode->options.path, fault.line,
		fault.why);
	return false;
}

static void take_packet(struct decode *decode, struct streams *streams,
			const struct captured *packet)
{
	struct segment segment;

	if (decode->packets++ == 0)
		decode->wall_ns = packet->at_ns;
	int64_t t_ns = packet->at_ns - decode->wall_ns;
	/* A clock that was set back does not make time run backwards. */
	t_ns = t_ns > decode->last_ns ? t_ns : decode->last_ns;
	if (!segment_link_known(packet->link)) {
		decode->unknown_links++;
		return;
	}
	switch (segment_of(packet, &segment)) {
	case SEGMENT_TCP: streams_segment(streams, &segment, t_ns); break;
	case SEGMENT_FRAGMENT: decode->fragments++; break;
	case SEGMENT_MALFORMED: decode->malformed++; break;
	default: break;
	}
}

static bool decode_capture(struct decode *decode)
{
	enum capture_step step = CAPTURE_BROKEN;
	struct qn_fault fault = { QN_E_SYNTAX, 0, "the file ends inside its head" };
	struct capture capture;
	struct captured packet;
	struct streams *streams;

	if (streams_new(on_happened, decode, &streams) < 0)
		return false;
	if (capture_open(&capture, decode->text, decode->len))
		while ((step = capture_next(&capture, &packet, &fault)) == CAPTURE_PACKET)
			take_packet(decode, streams, &packet);
	streams_end(streams, decode->last_ns);
	if (step == CAPTURE_BROKEN)
		fprintf(stderr, "quintain-emu decode: %s: at byte %zu: %s\n", decode->options.path,
			fault.offset, fault.text);
	if (decode->unknown_links + decode->fragments + decode->malformed +
		    streams_ignored(streams) >
	    0)
		fprintf(stderr,
			"quintain-emu decode: %s: passed over: %" PRIu64
			" packets of an unknown link, %" PRIu64 " fragments, %" PRIu64
			" malformed, %" PRIu64 " for which there was no room\n",
			decode->options.path, decode->unknown_links, decode->fragments,
			decode->malformed, streams_ignored(streams));
	streams_free(streams);
	return step == CAPTURE_END;
}

static int open_file(struct out_file *out, const char *path)
{
	out->fd = -1;
	int rc = path != NULL ? out_open(out, path) : 0;

	if (rc < 0)
		fprintf(stderr, "quintain-emu decode: %s: %s\n", path, strerror(-rc));
	return rc;
}

static bool close_file(struct out_file *out)
{
	int rc = out_close(out);

	if (rc < 0)
		fprintf(stderr, "quintain-emu decode: %s: %s\n", out->path, strerror(-rc));
	return rc == 0;
}

static int run(struct decode *decode)
{
	struct options *options = &decode->options;
	struct witness_options how = {
		.wire = options->wire,
		.out = options->quiet ? NULL : stdout,
		.colour = isatty(STDOUT_FILENO) && getenv("NO_COLOR") == NULL,
		.connections = options->connections,
		.recording = options->record != NULL ? &decode->recording : NULL,
		.capture = options->pcap != NULL ? &decode->capture : NULL,
		.conns_max = CONNS_MAX,
	};

	if (witness_new(&how, &decode->witness) < 0) {
		fputs("quintain-emu decode: out of memory\n", stderr);
		return ENVIRONMENT;
	}
	if (options->pcap != NULL)
		pcapng_begin(&decode->capture, "quintain-emu " QN_VERSION);
	bool whole = capture_is(decode->text, decode->len) ? decode_capture(decode)
							   : decode_recording(decode);
	witness_end(decode->witness, decode->last_ns);
	bool written = close_file(&decode->recording);
	written = close_file(&decode->capture) && written;
	witness_summary(decode->witness, decode->last_ns, stdout);
	bool malformed = witness_counts(decode->witness)->malformed > 0;
	witness_free(decode->witness);
	return !whole || !written ? ENVIRONMENT : malformed ? MALFORMED : AS_ASKED;
}

int decode_main(int argc, char **argv)
{
	static struct decode decode;
	int rc = parse(&decode.options, argc, argv);

	if (rc != AS_ASKED)
		return rc < 0 ? AS_ASKED : rc;
	/* Input first: `decode X --record X` must not have emptied it. */
	rc = load(&decode) < 0 ? ENVIRONMENT : AS_ASKED;
	decode.recording.fd = decode.capture.fd = -1;
	if (rc == AS_ASKED && (open_file(&decode.recording, decode.options.record) < 0 ||
			       open_file(&decode.capture, decode.options.pcap) < 0))
		rc = ENVIRONMENT;
	if (rc == AS_ASKED)
		rc = run(&decode);
	free(decode.text);
	return rc;
}
