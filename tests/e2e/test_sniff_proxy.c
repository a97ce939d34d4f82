/* The proxy between two peers: what goes in comes out, and is seen, recorded and counted. */
#include "tests/support/sniff_bed.h"

#include <fcntl.h>
#include <poll.h>

TestSuite(sniff_proxy, .init = bed_begin, .fini = bed_end);

#define PING "{\"type\": \"ping\", \"id\": \"msg_1\", \"target_id\": \"target_1\"}\n"
#define PONG                                                                                       \
	"{\"type\": \"pong\", \"id\": \"msg_1\", \"target_id\": \"target_1\", "                    \
	"\"data\": {\"status\": \"alive\"}}\n"

static char line[PEER_LINE];

Test(sniff_proxy, a_unit_is_a_unit_and_a_line_on_the_screen)
{
	SNIFF("snyper", "--connections");
	bed_connect();
	peer_say(bed.client, PING);
	peer_line(bed.server, line);
	cr_expect_str_eq(line, PING);
	peer_say(bed.server, PONG);
	peer_line(bed.client, line);
	cr_expect_str_eq(line, PONG);
	/* Half a line, and the rest: two units here, one message there. */
	peer_send(bed.client, PING, 10);
	cr_expect_eq(peer_recv(bed.server, line, sizeof(line)), 10);
	peer_say(bed.client, &PING[10]);
	cr_expect_eq(peer_recv(bed.server, line, sizeof(line)), (ssize_t)strlen(PING) - 10);
	close(bed.client);
	close(bed.server);
	bed.client = bed.server = -1;
	bed_stop(0);
	emu_expect_prints(bed.emu, "ping target_1 id=\"msg_1\"\n");
	emu_expect_prints(bed.emu, "pong target_1 status=alive id=\"msg_1\"  +");
	emu_expect_prints(bed.emu, "[open]");
	emu_expect_prints(bed.emu, ": 3 messages, 0 malformed, ");
	cr_expect_null(strchr(bed.emu->out.text, '\033'), "colours are for terminals");
}

Test(sniff_proxy, a_half_close_and_a_reset_are_passed_on)
{
	SNIFF("snyper", "--record", "@D/rec.jsonl");
	bed_connect();
	peer_say(bed.client, PING);
	peer_line(bed.server, line);
	cr_assert_eq(shutdown(bed.client, SHUT_WR), 0);
	cr_expect_eq(peer_recv(bed.server, line, sizeof(line)), 0, "the end is passed on");
	peer_say(bed.server, PONG);
	peer_line(bed.client, line);
	close(bed.server);
	cr_expect_eq(peer_end_of(bed.client), 0);
	close(bed.client);
	bed_connect();
	peer_say(bed.client, PING);
	peer_line(bed.server, line);
	peer_reset(bed.client);
	bed.client = -1;
	cr_expect_eq(peer_end_of(bed.server), -ECONNRESET);
	close(bed.server);
	bed_connect();
	peer_reset(bed.server);
	bed.server = -1;
	cr_expect_eq(peer_end_of(bed.client), -ECONNRESET);
	bed_stop(0);
	emu_expect_prints(bed.emu, "3 connections (0 refused, 2 reset)");
	char *text = bed_slurp("@D/rec.jsonl", NULL);
	cr_expect_eq(bed_count(text, "\"ev\": \"eof\""), 2, "%s", text);
	cr_expect_eq(bed_count(text, "\"ev\": \"reset\""), 2, "%s", text);
	cr_expect_eq(bed_count(text, "\"ev\": \"close\""), 3, "%s", text);
	free(text);
}

Test(sniff_proxy, nobody_there_is_a_reset_and_said)
{
	close(bed.listener);
	bed.listener = -1;
	SNIFF("snyper", "--record", "@D/rec.jsonl", "--pcap", "@D/rec.pcapng");
	bed.client = peer_connect(e2e_ip(1, 1), e2e_ip(3, 1), e2e_port('P'));
	cr_expect_eq(peer_end_of(bed.client), -ECONNRESET);
	bed_stop(0);
	emu_expect_prints(bed.emu, "[refused Connection refused]");
	char *text = bed_slurp("@D/rec.jsonl", NULL);
	cr_expect_not_null(strstr(text, "\"ev\": \"refused\", \"text\": \"Connection refused\"}"));
	free(text);
	struct process *decode = EMU("decode", "@D/rec.pcapng");
	emu_expect_code(decode, 0);
	emu_expect_prints(decode, "[refused Connection refused]");
	emu_expect_prints(decode, "1 connections (1 refused, 0 reset)");
}

/* ---- who does not read ---- */

#define FLOOD ((size_t)48 << 20)

static unsigned char flood_byte(size_t i)
{
	return (unsigned char)(i * 2654435761u >> 13);
}

static size_t flood(size_t from, size_t to)
{
	unsigned char bytes[8192];

	while (from < to) {
		size_t n = to - from < sizeof(bytes) ? to - from : sizeof(bytes);
		for (size_t i = 0; i < n; i++)
			bytes[i] = flood_byte(from + i);
		ssize_t sent = send(bed.client, bytes, n, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (sent < 0 && errno == EAGAIN) {
			struct pollfd full = { bed.client, POLLOUT, 0 };
			/* Long enough for a proxy that would read on to have done so. */
			if (poll(&full, 1, 300) == 0)
				break;
			continue;
		}
		cr_assert_gt(sent, 0, "%s", strerror(errno));
		from += (size_t)sent;
	}
	return from;
}

static size_t drink(size_t from, size_t to)
{
	static unsigned char bytes[65536];

	while (from < to) {
		ssize_t n = recv(bed.server, bytes, sizeof(bytes), 0);
		cr_assert_gt(n, 0);
		for (size_t i = 0; i < (size_t)n; i++)
			if (bytes[i] != flood_byte(from + i))
				cr_assert_fail("byte %zu differs", from + i);
		from += (size_t)n;
	}
	return from;
}

Test(sniff_proxy, who_does_not_read_is_not_read_for_and_nothing_is_lost)
{
	SNIFF("auto", "--quiet");
	bed_connect();
	size_t sent = flood(0, FLOOD), read = 0;
	cr_assert_lt(sent, FLOOD, "the sender has to wait");
	while (read < FLOOD) {
		size_t goal = sent;
		read = drink(read, goal);
		sent = flood(sent, FLOOD);
	}
	cr_expect_eq(read, FLOOD);
	bed_stop(0);
	char bytes[40];
	snprintf(bytes, sizeof(bytes), " %zu bytes in ", FLOOD);
	emu_expect_prints(bed.emu, bytes);
}

/* ---- recordings ---- */

Test(sniff_proxy, a_recording_and_a_capture_say_what_the_screen_said)
{
	static const char binary[] = "\0\1\2\377\"\\\n";

	SNIFF("auto", "--record", "@D/rec.jsonl", "--pcap", "@D/rec.pcapng");
	bed_connect();
	peer_say(bed.client, PING);
	peer_line(bed.server, line);
	peer_say(bed.server, "{\"type\": \"pong\" no\n");
	peer_line(bed.client, line);
	peer_send(bed.client, binary, sizeof(binary) - 1);
	peer_recv(bed.server, line, sizeof(line));
	close(bed.client);
	close(bed.server);
	bed.client = bed.server = -1;
	bed_stop(0);
	emu_expect_prints(bed.emu, "malformed: syntax at byte 16: ");
	char *text = bed_slurp("@D/rec.jsonl", NULL);
	cr_expect_not_null(strstr(text, "\"dir\": \"c>s\", \"bytes_hex\": \"000102ff225c0a\"}"),
			   "%s", text);
	free(text);

	const char *said = bed.emu->out.text;
	size_t lines_len = (size_t)(strstr(said, "1 connections") - said);
	static const char *const files[] = { "@D/rec.jsonl", "@D/rec.pcapng" };
	for (size_t i = 0; i < 2; i++) {
		struct process *decode = EMU("decode", files[i]);
		emu_expect_code(decode, 1); /* something is malformed */
		cr_expect(strncmp(decode->out.text, said, lines_len) == 0, "%s:\n%s\n%s", files[i],
			  decode->out.text, said);
	}
	/* There and back again. */
	emu_expect_code(EMU("decode", "@D/rec.pcapng", "--record", "@D/two.jsonl"), 1);
	emu_expect_code(EMU("decode", "@D/rec.jsonl", "--pcap", "@D/two.pcapng"), 1);
	struct process *decode = EMU("decode", "@D/two.pcapng");
	emu_expect_code(decode, 1);
	cr_expect(strncmp(decode->out.text, said, lines_len) == 0);
}

Test(sniff_proxy, a_full_disk_costs_the_recording_alone)
{
	SNIFF("snyper", "--record", "/dev/full");
	bed_connect();
	for (int i = 0; i < 2; i++) {
		peer_say(bed.client, PING);
		peer_line(bed.server, line);
		emu_hears(bed.emu, "/dev/full: No space left on device", i == 0 ? 1 : 0);
	}
	bed_stop(3);
	cr_expect_eq(bed_count(bed.emu->err.text, "No space left"), 1, "said once");
}

Test(sniff_proxy, what_cannot_be_is_said)
{
	struct process *emu = EMU("sniff", "snyper", "--listen", "@A.0.1:@Q", "--to", "@A.0.2:1");

	emu_expect_code(emu, 3);
	emu_expect_says(emu, e2e_text("@A.0.1:@Q is taken by "));
	emu = EMU("sniff", "snyper", "--listen", "@A.0.1:@P", "--to", "@A.0.2:1", "--record",
		  "@D/none/rec");
	emu_expect_code(emu, 3);
	emu_expect_says(emu, "No such file or directory");
	emu = EMU("decode", "@D/none");
	emu_expect_code(emu, 3);
	e2e_file("text", "no recording\n");
	emu = EMU("decode", "@D/text");
	emu_expect_code(emu, 3);
	emu_expect_says(emu, "text:1: ");

	static const char *const wrong[][6] = {
		{ "sniff", NULL },
		{ "sniff", "snypr", NULL },
		{ "sniff", "snyper", "--listen", "@A.0.1:1", NULL },
		{ "sniff", "snyper", "--to", "@A.0.1:1", NULL },
		{ "sniff", "snyper", "--on", "both", NULL },
		{ "decode", NULL },
	};
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		emu = emu_start(wrong[i], NULL);
		emu_expect_code(emu, 2);
		e2e_forget(emu);
	}
}

Test(sniff_proxy, descriptors_run_out_and_come_back)
{
	const struct process_options few = { .fds_soft = 14, .fds_hard = 14 };
	int fds[8];

	bed.emu = EMU_WITH(&few, "sniff", "snyper", "--listen", "@A.3.1:@P", "--to", "@A.0.1:@Q");
	emu_hears(bed.emu, "leads to", 1);
	for (size_t i = 0; i < 8; i++)
		fds[i] = peer_connect(e2e_ip(1, 1), e2e_ip(3, 1), e2e_port('P'));
	/* All eight at once are too many; it says so while they are there. */
	for (int i = 0; i < 1000 && strstr(bed.emu->out.text, "Too many open files") == NULL; i++) {
		poll(NULL, 0, 10);
		e2e_pump();
	}
	for (size_t i = 0; i < 8; i++)
		close(fds[i]);
	/* Those that came through are gone when their server has closed them too. */
	struct pollfd came = { bed.listener, POLLIN, 0 };
	line[0] = '\0';
	for (int i = 0; i < 100 && line[0] == '\0'; i++) {
		bed.client = peer_connect(e2e_ip(1, 1), e2e_ip(3, 1), e2e_port('P'));
		send(bed.client, PING, strlen(PING), MSG_NOSIGNAL); /* it may be refused again */
		while (line[0] == '\0' && poll(&came, 1, 200) > 0) {
			bed.server = peer_accept(bed.listener, NULL);
			if (peer_recv(bed.server, line, sizeof(line)) <= 0)
				close(bed.server);
		}
		if (line[0] == '\0')
			close(bed.client);
	}
	cr_expect_str_eq(line, PING);
	bed_stop(0);
	emu_expect_prints(bed.emu, "[refused Too many open files]");
}

/* ---- both directions of a whole range ---- */

Test(sniff_proxy, a_fleet_and_its_master_see_each_other_through_it)
{
	e2e_file(
		"master.cfg",
		"master = { listen = { host = \"@A.0.9\"; port = @P; }; target_port = @R;\n"
		"  wait = { targets = 20; timeout = \"1h\"; };\n"
		"  rounds = ( { command = \"ping\"; times = 3; }, { command = \"stand_up\"; } ); };\n");
	e2e_file("fleet.cfg",
		 "fleet = { master = { host = \"@A.3.1\"; port = @P; }; ramp = 0.0;\n"
		 "  groups = ( { count = 20; addresses = \"@A.1.1-@A.1.20\"; port = @R; } ); };\n");
	struct process *master = EMU("run", "@D/master.cfg", "--json", "--quiet");
	emu_listens(master, e2e_ip(0, 9), e2e_port('P'));
	bed.emu = EMU("sniff", "snyper", "--listen", "@A.3.1:@P", "--to", "@A.0.9:@P", "--listen",
		      "@A.2.1-@A.2.20:@R", "--to", "@A.1.1-@A.1.20:@R", "--record", "@D/rec.jsonl");
	emu_hears(bed.emu, "leads to", 2);
	struct process *fleet = EMU("run", "@D/fleet.cfg", "--quiet");
	emu_expect_code(master, 0);
	const char *json = emu_json(master);
	cr_expect_not_null(strstr(json, "\"sent\": 80, \"ok\": 80, \"failed\": 0, \"lost\": 0"),
			   "%s", json);
	/* Before the fleet: one that is told to end resets what it has not seen the end of. */
	bed_stop(0);
	emu_signal(fleet, SIGTERM);
	emu_expect_code(fleet, 0);
	emu_expect_prints(bed.emu, "100 connections (0 refused, 0 reset)");
	emu_expect_prints(bed.emu, ": 200 messages, 0 malformed, ");
	emu_expect_prints(bed.emu, "answers: 100, ");
	/* As the fixtures have it: who is a target, who the master. */
	char *text = bed_slurp("@D/rec.jsonl", NULL);
	cr_expect_eq(bed_count(text, "\"route\": \"reg\", \"dir\": \"t>m\", \"bytes_utf8\""), 20);
	cr_expect_eq(bed_count(text, "\"route\": \"cmd7\", \"dir\": \"m>t\", \"bytes_utf8\""), 4);
	cr_expect_eq(bed_count(text, "\"route\": \"cmd7\", \"dir\": \"t>m\", \"bytes_utf8\""), 4);
	free(text);
}

Test(sniff_proxy, the_wire_http_likewise)
{
	e2e_file(
		"master.cfg",
		"master = { wire = \"http\"; listen = { host = \"@A.0.9\"; port = @P; };\n"
		"  target_port = @R; wait = { targets = 5; timeout = \"1h\"; };\n"
		"  rounds = ( { command = \"ping\"; times = 3; }, { command = \"activate\"; } ); };\n");
	e2e_file("fleet.cfg",
		 "fleet = { master = { host = \"@A.3.1\"; port = @P; }; ramp = 0.0;\n"
		 "  groups = ( { wire = \"http\"; count = 5; addresses = \"@A.1.1-@A.1.5\";\n"
		 "    port = @R; } ); };\n");
	struct process *master = EMU("run", "@D/master.cfg", "--json", "--quiet");
	emu_listens(master, e2e_ip(0, 9), e2e_port('P'));
	bed.emu = EMU("sniff", "http", "--listen", "@A.3.1:@P", "--to", "@A.0.9:@P", "--listen",
		      "@A.2.1-@A.2.5:@R", "--to", "@A.1.1-@A.1.5:@R");
	emu_hears(bed.emu, "leads to", 2);
	struct process *fleet = EMU("run", "@D/fleet.cfg", "--quiet");
	emu_expect_code(master, 0);
	cr_expect_not_null(strstr(emu_json(master), "\"sent\": 20, \"ok\": 20, "));
	emu_signal(fleet, SIGTERM);
	emu_expect_code(fleet, 0);
	bed_stop(0);
	emu_expect_prints(bed.emu, "POST /register {\"client_id\": \"target_1\"}");
	emu_expect_prints(bed.emu, "GET /ping\n");
	emu_expect_prints(bed.emu, ": 50 messages, 0 malformed, ");
	emu_expect_prints(bed.emu, "answers: 25, ");
}

Test(sniff_proxy, targets_that_dial_and_stay_on_framed)
{
	close(bed.listener);
	bed.listener = -1;
	e2e_file("master.cfg",
		 "master = { wire = \"framed\"; listen = { host = \"@A.0.1\"; port = @Q; };\n"
		 "  wait = { targets = 5; timeout = \"1h\"; };\n"
		 "  rounds = ( { command = \"ping\"; times = 3; } ); };\n");
	e2e_file(
		"fleet.cfg",
		"fleet = { master = { host = \"@A.3.1\"; port = @P; }; ramp = 0.0;\n"
		"  groups = ( { wire = \"framed\"; count = 5; addresses = \"@A.1.1-@A.1.5\"; } ); };\n");
	SNIFF("framed", "--record", "@D/rec.jsonl");
	struct process *master = EMU("run", "@D/master.cfg", "--json", "--quiet");
	emu_listens(master, e2e_ip(0, 1), e2e_port('Q'));
	struct process *fleet = EMU("run", "@D/fleet.cfg", "--quiet");
	emu_expect_code(master, 0);
	cr_expect_not_null(strstr(emu_json(master), "\"sent\": 15, \"ok\": 15, "));
	emu_signal(fleet, SIGTERM);
	emu_expect_code(fleet, 0);
	bed_stop(0);
	emu_expect_prints(bed.emu, "welcome ");
	emu_expect_prints(bed.emu, "target_register ");
	emu_expect_prints(bed.emu, " 0 malformed, ");
	struct process *decode = EMU("decode", "@D/rec.jsonl", "--wire", "framed", "--quiet");
	emu_expect_code(decode, 0);
	emu_expect_prints(decode, " 0 malformed, ");
}

Test(sniff_proxy, websockets_of_jsonrpc)
{
	close(bed.listener);
	bed.listener = -1;
	e2e_file("master.cfg",
		 "master = { wire = \"jsonrpc\"; listen = { host = \"@A.0.1\"; port = @Q; };\n"
		 "  wait = { targets = 3; timeout = \"1h\"; };\n"
		 "  rounds = ( { command = \"ping\"; times = 3; } ); };\n");
	e2e_file("fleet.cfg",
		 "fleet = { master = { host = \"@A.3.1\"; port = @P; }; ramp = 0.0;\n"
		 "  groups = ( { wire = \"jsonrpc\"; jsonrpc = { dial = true; }; count = 3;\n"
		 "    addresses = \"@A.1.1-@A.1.3\"; } ); };\n");
	SNIFF("auto", "--record", "@D/rec.jsonl", "--pcap", "@D/rec.pcapng");
	struct process *master = EMU("run", "@D/master.cfg", "--json", "--quiet");
	emu_listens(master, e2e_ip(0, 1), e2e_port('Q'));
	struct process *fleet = EMU("run", "@D/fleet.cfg", "--quiet");
	emu_expect_code(master, 0);
	cr_expect_not_null(strstr(emu_json(master), "\"sent\": 9, \"ok\": 9, "));
	emu_signal(fleet, SIGTERM);
	emu_expect_code(fleet, 0);
	bed_stop(0);
	emu_expect_prints(bed.emu, "101 Switching Protocols");
	emu_expect_prints(bed.emu, "target.register {\"client_id\":\"target_1\"");
	emu_expect_prints(bed.emu, "target.ping id=");
	emu_expect_prints(bed.emu, " 0 malformed, ");
	struct process *decode = EMU("decode", "@D/rec.pcapng", "--quiet");
	emu_expect_code(decode, 0);
	emu_expect_prints(decode, " 0 malformed, ");
}
