/*
 * Captures and recordings of any bytes: whatever comes out of them goes through the decoders, and
 * every byte that is told lies inside the input. What is told never exceeds what was there.
 *
 * Input: the file.
 */
#include "emulator/sniff/capture.h"
#include "emulator/sniff/recording.h"
#include "emulator/sniff/streams.h"
#include "emulator/sniff/witness.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define REQUIRE(condition)                                                                         \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);            \
			abort();                                                                   \
		}                                                                                  \
	} while (0)

static void read_capture(struct witness *witness, const char *bytes, size_t size)
{
	struct capture capture;
	struct captured packet;
	struct qn_fault fault;
	struct segment segment;
	struct streams *streams;
	enum capture_step step;

	REQUIRE(streams_new(witness_happened, witness, &streams) == 0);
	if (capture_open(&capture, bytes, size)) {
		while ((step = capture_next(&capture, &packet, &fault)) == CAPTURE_PACKET) {
			const char *at = (const char *)packet.bytes;
			REQUIRE(at >= bytes && packet.len <= (size_t)(bytes + size - at));
			if (segment_of(&packet, &segment) != SEGMENT_TCP)
				continue;
			REQUIRE(segment.bytes >= at &&
				segment.bytes + segment.len <= at + packet.len);
			streams_segment(streams, &segment, 0);
		}
		REQUIRE(step == CAPTURE_END || fault.offset <= size);
	}
	streams_end(streams, 0);
	streams_free(streams);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct witness_options options = { .wire = DIALOG_AUTO, .conns_max = 64 };
	struct recording_fault fault;
	struct witness *witness;
	int64_t wall_ns;
	char *bytes = malloc(size + 1); /* its own end, for the sanitizer to see */

	REQUIRE(bytes != NULL);
	memcpy(bytes, data, size);
	bytes = realloc(bytes, size > 0 ? size : 1);
	REQUIRE(bytes != NULL && witness_new(&options, &witness) == 0);
	if (capture_is(bytes, size))
		read_capture(witness, bytes, size);
	else
		recording_read(bytes, size, witness_happened, witness, &wall_ns, &fault);
	witness_end(witness, 0);
	REQUIRE(witness_counts(witness)->bytes <= size);
	witness_free(witness);
	free(bytes);
	return 0;
}
