/*
 * Captures of the proxy in tshark, with proto/wireshark/quintain.lua: the bytes are the bytes, the
 * fields are there, what is malformed says so. Without tshark these are skips, and counted.
 */
#include "tests/support/certs.h"
#include "tests/support/sniff_bed.h"

#include <ctype.h>

TestSuite(sniff_tshark, .init = bed_begin, .fini = bed_end);

static struct process tshark;
static char line[PEER_LINE];

static void need_tshark(void)
{
	if (access("/usr/bin/tshark", X_OK) == 0)
		return;
	bed_end();
	cr_skip("no tshark here");
}

/* Fields of the capture's packets that pass the filter; as: "tcp.port==N,WIRE". */
static const char *fields(const char *path, const char *as, const char *filter,
			  const char *const names[4])
{
	const char *source = getenv("QN_SOURCE_DIR"), *argv[40];
	static char lua[300], file[300], keys[300];
	size_t n = 0;

	snprintf(lua, sizeof(lua), "lua_script:%s/proto/wireshark/quintain.lua", source);
	snprintf(file, sizeof(file), "%s", e2e_text(path));
	snprintf(keys, sizeof(keys), "tls.keylog_file:%s", e2e_text("@D/keys.log"));
	argv[n++] = "/usr/bin/tshark";
	argv[n++] = "-X";
	argv[n++] = lua;
	argv[n++] = "-r";
	argv[n++] = file;
	argv[n++] = "-o";
	argv[n++] = keys;
	argv[n++] = "-o";
	argv[n++] = "tcp.check_checksum:TRUE";
	argv[n++] = "-d";
	argv[n++] = as;
	argv[n++] = "-Y";
	argv[n++] = filter;
	argv[n++] = "-T";
	argv[n++] = "fields";
	for (size_t i = 0; i < 4 && names[i] != NULL; i++) {
		argv[n++] = "-e";
		argv[n++] = names[i];
	}
	argv[n] = NULL;
	process_start(&tshark, argv, NULL);
	while (!process_ended(&tshark))
		cr_assert(process_pump((struct process *const[]){ &tshark }, 1, PATIENCE_MS));
	cr_assert_eq(tshark.code, 0, "%s", tshark.err.text);
	cr_expect_null(strstr(tshark.err.text, "Lua"), "%s", tshark.err.text);
	return tshark.out.text;
}
#define FIELDS(path, as, filter, ...)                                                              \
	fields(path, as, filter, (const char *const[4]){ __VA_ARGS__ })

static const char *decode_as(const char *wire)
{
	static char as[40];

	snprintf(as, sizeof(as), "tcp.port==%u,%s", e2e_port('Q'), wire);
	return as;
}

static void say(int from, int to, const char *bytes, size_t len)
{
	size_t got = 0;

	peer_send(from, bytes, len);
	while (got < len) {
		ssize_t n = recv(to, line, sizeof(line), 0);
		cr_assert_gt(n, 0);
		got += (size_t)n;
	}
}
#define SAY(from, to, bytes) say(from, to, bytes, sizeof(bytes) - 1)

static void hang_up(void)
{
	close(bed.client);
	close(bed.server);
	bed.client = bed.server = -1;
	bed_stop(0);
}

Test(sniff_tshark, snyper_fields_reassembly_and_what_is_malformed)
{
	need_tshark();
	SNIFF("snyper", "--pcap", "@D/rec.pcapng");
	bed_connect();
	SAY(bed.client, bed.server,
	    "{\"type\": \"activate\", \"id\": \"m\\u00e9\", \"target_id\": ");
	SAY(bed.client, bed.server, "\"t_1\", \"data\": {\"duration\": 2.5}}\n");
	SAY(bed.server, bed.client,
	    "{\"type\": \"activated\", \"id\": \"x\", \"data\": {\"status\": \"queued\"}}\n");
	SAY(bed.client, bed.server, "{\"type\": \"ping\" \"id\": 1}\n[1]\n{\"type\": \"ping\"}\n");
	SAY(bed.client, bed.server, "{\"type\": \"\377\"}\n");
	hang_up();
	const char *said = FIELDS("@D/rec.pcapng", decode_as("snyper"), "snyper", "snyper.type",
				  "snyper.id", "snyper.duration", "snyper.status");
	cr_expect_str_eq(
		said, "activate\tm\303\251\t2.5\t\nactivated\tx\t\tqueued\nping\t\t\t\n\t\t\t\n");
	process_free(&tshark);
	said = FIELDS("@D/rec.pcapng", decode_as("snyper"), "snyper.response_to", "snyper.type");
	cr_expect_str_eq(said, "activated\n");
	process_free(&tshark);
	said = FIELDS("@D/rec.pcapng", decode_as("snyper"), "snyper.malformed",
		      "_ws.expert.message");
	cr_expect_str_eq(said, "at byte 16: expected ',' or '}',a message must be an object,"
			       "a message needs an id\nat byte 10: no UTF-8\n");
	process_free(&tshark);
	/* Nothing in it that TCP would not do. */
	said = FIELDS("@D/rec.pcapng", decode_as("snyper"),
		      "tcp.checksum.status == 0 || ip.checksum.status == 0 || tcp.analysis.flags",
		      "frame.number");
	cr_expect_str_eq(said, "");
	process_free(&tshark);
}

Test(sniff_tshark, a_stream_has_exactly_the_bytes)
{
	static char bytes[9000], hex[2 * sizeof(bytes) + 1];

	need_tshark();
	for (size_t i = 0; i < sizeof(bytes); i++) {
		bytes[i] = (char)(i * 2654435761u >> 11);
		snprintf(hex + 2 * i, 3, "%02x", (unsigned char)bytes[i]);
	}
	SNIFF("auto", "--pcap", "@D/rec.pcapng", "--quiet");
	bed_connect();
	for (size_t at = 0; at < sizeof(bytes); at += 1500)
		say(bed.client, bed.server, bytes + at, 1500);
	hang_up();
	const char *said = FIELDS("@D/rec.pcapng", decode_as("data"), "tcp.len > 0", "tcp.payload");
	size_t n = 0;
	for (const char *at = said; *at != '\0'; at++) {
		if (!isxdigit((unsigned char)*at))
			continue;
		cr_assert_eq(*at, hex[n], "digit %zu", n);
		n++;
	}
	cr_expect_eq(n, 2 * sizeof(bytes));
	process_free(&tshark);
}

Test(sniff_tshark, framed_frames_split_joined_and_lying)
{
	need_tshark();
	SNIFF("framed", "--pcap", "@D/rec.pcapng");
	bed_connect();
	SAY(bed.server, bed.client, "\0\0\0\x13{\"type\": \"welcome\"}");
	SAY(bed.client, bed.server, "\0\0\0\x10{\"type\": \"ping\"}\0\0\0\x04te");
	SAY(bed.client, bed.server, "xt");
	SAY(bed.server, bed.client, "\0\0\0\x10{\"type\": \"pong\"}");
	SAY(bed.client, bed.server, "\0\0\0\x02\377\376");
	SAY(bed.client, bed.server, "\x7f\377\377\377lies");
	hang_up();
	const char *said = FIELDS("@D/rec.pcapng", decode_as("framed"), "framed", "framed.type",
				  "framed.length", "framed.response_to");
	cr_expect_str_eq(said,
			 "welcome\t19\t\nping\t16\t\n\t4\t\npong\t16\t5\n\t2\t\n\t2147483647\t\n");
	process_free(&tshark);
	said = FIELDS("@D/rec.pcapng", decode_as("framed"), "framed.malformed",
		      "_ws.expert.message");
	cr_expect_str_eq(said, "at byte 0: no UTF-8\n"
			       "a length of 2147483647: no frame of this wire\n");
	process_free(&tshark);
}

/* Our own fleet and manager over TLS, whose keys the manager writes down. */
Test(sniff_tshark, agent_under_tls)
{
	char config[2048];

	need_tshark();
	certs_make();
	close(bed.listener);
	bed.listener = -1;
	snprintf(
		config, sizeof(config),
		"master = { wire = \"agent\"; listen = { host = \"@A.0.1\"; port = @Q; };\n"
		"  agent = { agents = ( { id = \"target_*\"; secret = \"s\"; } );\n"
		"    tls = { ca = \"%s\"; cert = \"%s\"; key = \"%s\"; }; };\n"
		"  wait = { targets = 3; timeout = \"1h\"; }; rounds = ( { command = \"ping\"; } ); };\n",
		certs_file("ca.pem"), certs_file("manager.pem"), certs_file("manager.key"));
	e2e_file("manager.cfg", config);
	snprintf(
		config, sizeof(config),
		"fleet = { master = { host = \"@A.3.1\"; port = @P; }; ramp = 0.0;\n"
		"  groups = ( { name = \"target_%%d\"; addresses = \"@A.1.1-@A.1.9\"; count = 3;\n"
		"    wire = \"agent\"; agent = { secret = \"s\"; retry_first = \"20ms\";\n"
		"      tls = { ca = \"%s\"; cert = \"%s\"; key = \"%s\"; hostname = \"localhost\"; };\n"
		"    }; } ); };\n",
		certs_file("ca.pem"), certs_file("agent.pem"), certs_file("agent.key"));
	e2e_file("fleet.cfg", config);
	SNIFF("agent", "--pcap", "@D/rec.pcapng");
	setenv("SSLKEYLOGFILE", e2e_text("@D/keys.log"), 1);
	struct process *manager = EMU("run", "@D/manager.cfg", "--json");
	emu_listens(manager, e2e_ip(0, 1), e2e_port('Q'));
	unsetenv("SSLKEYLOGFILE");
	struct process *fleet = EMU("run", "@D/fleet.cfg", "--quiet");
	emu_expect_code(manager, 0);
	emu_signal(fleet, SIGTERM);
	emu_expect_code(fleet, 0);
	bed_stop(0);
	emu_expect_prints(bed.emu, "TLS application_data, ");
	emu_expect_prints(bed.emu, " 0 malformed, ");
	char as[40];
	snprintf(as, sizeof(as), "tls.port==%u,agent", e2e_port('Q'));
	const char *said = FIELDS("@D/rec.pcapng", as, "agent.t == 10", "agent.id");
	cr_expect_eq(bed_count(said, "target_"), 3, "%s", said);
	process_free(&tshark);
	said = FIELDS("@D/rec.pcapng", as, "agent.t == 21 && agent.success == 1",
		      "agent.response_time");
	cr_expect_eq(bed_count(said, "0.0"), 3, "%s", said);
	process_free(&tshark);
	said = FIELDS("@D/rec.pcapng", as, "agent.cmdtype", "agent.cmdtype", "agent.method");
	cr_expect_eq(bed_count(said, "\tcommand\n"), 3, "%s", said);
	process_free(&tshark);
	certs_remove();
}
