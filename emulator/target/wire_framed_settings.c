#include "emulator/target/framed_parts.h"
#include "proto/framed/offer.h"

/* What a group may say about the wire `framed`. */

#define OPTION(member) offsetof(struct target_framed, member)
#define TALK(member) offsetof(struct framed_talk_options, member)
static const char *const what_words[] = { "ping",   "echo", "broadcast", "stats",
					  "custom", "text", NULL };
static const struct setting talk_settings[] = {
	{ .name = "what",
	  .kind = SETTING_WORD,
	  .offset = TALK(what),
	  .def = "echo",
	  .words = what_words,
	  .help = "what is sent; text: no JSON" },
	{ .name = "every",
	  .kind = SETTING_DIST,
	  .offset = TALK(every),
	  .def = "1s",
	  .min = 0,
	  .max = 24 * 3600 * NS_PER_S,
	  .help = "between two batches of a connection; 0s: the next when all are answered" },
	{ .name = "bytes",
	  .kind = SETTING_INT,
	  .offset = TALK(bytes),
	  .def = "64",
	  .min = 0,
	  .max = 1 << 20,
	  .help = "of the content; ping and stats have none" },
	{ .name = "batch",
	  .kind = SETTING_INT,
	  .offset = TALK(batch),
	  .def = "1",
	  .min = 1,
	  .max = 1000,
	  .help = "messages in one write" },
	{ .name = "connections",
	  .kind = SETTING_INT,
	  .offset = TALK(connections),
	  .def = "1",
	  .min = 1,
	  .max = 1000,
	  .help = "of each target, beside its own" },
	{ .name = "rate_limit",
	  .kind = SETTING_INT,
	  .offset = TALK(rate_limit),
	  .def = "0",
	  .min = 0,
	  .max = 10000000,
	  .help = "messages a second of one target, over all its connections; 0: none" },
	{ .name = NULL },
};
static const struct setting_table talk_table = { .title = "what loads the server, beside targets",
						 .size = sizeof(struct framed_talk_options),
						 .settings = talk_settings,
						 .origin_offset = SIZE_MAX };

static const char *const compressions[] = { "none", "zlib", NULL };
static const struct setting group_settings[] = {
	{ .name = "ping_every",
	  .kind = SETTING_DURATION,
	  .offset = OPTION(ping_every_ns),
	  .def = "30s",
	  .min = 0,
	  .max = 24 * 3600 * NS_PER_S,
	  .help = "its heartbeat; 0: none" },
	{ .name = "ping_timeout",
	  .kind = SETTING_DURATION,
	  .offset = OPTION(ping_timeout_ns),
	  .def = "5s",
	  .min = 1,
	  .max = 3600 * NS_PER_S,
	  .help = "without a pong by then it connects anew" },
	{ .name = "message_limit",
	  .kind = SETTING_INT,
	  .offset = OPTION(message_limit),
	  .def = "65536",
	  .min = 256,
	  .max = 1 << 20,
	  .help = "bytes of the longest frame that it takes" },
	{ .name = "auth",
	  .kind = SETTING_STRING,
	  .offset = OPTION(auth),
	  .def = "",
	  .max = QN_FRAMED_TOKEN_MAX,
	  .help = "token that it says before anything else; empty: none" },
	{ .name = "compression",
	  .kind = SETTING_WORD,
	  .offset = OPTION(compression),
	  .def = "none",
	  .words = compressions,
	  .help = "zlib: asks whether long messages may be packed" },
	{ .name = "compress_from",
	  .kind = SETTING_INT,
	  .offset = OPTION(compress_from),
	  .def = "1024",
	  .min = 64,
	  .max = 1 << 20,
	  .help = "bytes of the shortest text that is packed" },
	{ .name = "talk",
	  .kind = SETTING_GROUP,
	  .offset = OPTION(talk),
	  .sub = &talk_table,
	  .present_offset = OPTION(talk.present),
	  .help = "more connections, which load the server" },
	{ .name = NULL },
};
const struct setting_table target_framed_table = { .title = "a group on the wire framed",
						   .size = sizeof(struct target_framed),
						   .settings = group_settings,
						   .origin_offset = SIZE_MAX };
_Static_assert(sizeof(struct target_framed) <= TARGET_WIRE_OPTIONS_BYTES, "a config has room");
_Static_assert(sizeof(struct target_framed) <= TARGET_WIRE_OPTIONS_BYTES, "a config has room");

void target_framed_check(struct settings *settings, const struct setting_origin *origin,
			 void *options)
{
	const struct framed_talk_options *talk = &((struct target_framed *)options)->talk;

	if (talk->present &&
	    talk->batch * (talk->bytes + FRAMED_TALK_OVERHEAD) > FRAMED_TALK_BATCH_MAX)
		settings_error(
			settings, origin, "framed",
			"talk: a batch of %lld messages of %lld bytes; expected at most 4 MiB, "
			"with 2 kB for each message",
			(long long)talk->batch, (long long)talk->bytes);
}
