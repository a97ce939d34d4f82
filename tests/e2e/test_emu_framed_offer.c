/* The wire `framed`: tokens, and packed messages, between processes. */
#include "tests/support/framed_bed.h"
#include "tests/support/json_path.h"

#include <stdlib.h>
#include <zlib.h>

TestSuite(emu_framed_offer, .init = e2e_begin, .fini = e2e_end);

/* ---- tokens ---- */

Test(emu_framed_offer, nobody_is_served_before_his_token)
{
	start_server("framed = { auth = \"open \\xc3\\xa4\"; };");
	int in = client(1), out = client(2), silent = client(3);

	say(in, "{\"type\": \"authenticate\", \"token\": \"open \\u00e4\"}");
	EXPECT_MATCH(hear(in, line),
		     "{\"type\": \"auth_response\", \"timestamp\": " STAMP ", \"success\": true}");
	say(out, "{\"type\": \"ping\"}");
	EXPECT_MATCH(hear(out, line), "{\"type\": \"auth_response\", \"timestamp\": " STAMP
				      ", \"success\": false, \"message\": \"a message before its "
				      "token\"}");
	peer_expect_end(out);
	emu_hears(server, "event=m_rejected text=\"a message before its token\"", 1);
	/* The others are those who were let in. */
	say(in, "{\"type\": \"broadcast\", \"content\": 1}");
	EXPECT_MATCH(hear(in, line),
		     "{\"type\": \"broadcast_sent\", \"recipients\": #, \"timestamp\": " STAMP "}");
	cr_expect(strstr(line, "\"recipients\": 0,") != NULL, "%s", line);
	peer_send(silent, "\0\0\x10\1", 4); /* longer than a first message may be */
	peer_expect_end(silent);
	close(in);
	close(out);
	close(silent);
	stop_server();
}

Test(emu_framed_offer, a_wrong_token_is_told_and_closed)
{
	static const char *const wrong[] = {
		"{\"type\": \"authenticate\", \"token\": \"secreT\"}",
		"{\"type\": \"authenticate\", \"token\": \"secret2\"}",
		"{\"type\": \"authenticate\", \"token\": \"\"}",
		"{\"type\": \"authenticate\"}",
		"{\"type\": \"authenticate\", \"token\": [\"secret\"]}",
	};

	start_server("framed = { auth = \"secret\"; };");
	for (size_t i = 0; i < 5; i++) {
		int fd = client(1);
		say(fd, wrong[i]);
		hear(fd, line);
		cr_expect(strstr(line, "\"success\": false, \"message\": \"a wrong token\"") !=
				  NULL,
			  "%s", line);
		peer_expect_end(fd);
		close(fd);
	}
	emu_hears(server, "a wrong token", 5);
	emu_signal(server, SIGTERM);
	emu_wait(server);
	EXPECT_JSON(emu_json(server), "master.registrations_rejected", 5);
}

/* A real server has no tokens: it answers as to any object, and that will do. */
Test(emu_framed_offer, targets_say_theirs_first)
{
	int fd = start_fleet("framed = { auth = \"open\"; compression = \"zlib\"; };");

	say(fd, "{\"type\": \"welcome\", \"client_id\": \"x\"}");
	EXPECT_MATCH(hear(fd, line),
		     "{\"type\": \"authenticate\", \"timestamp\": " STAMP ", \"token\": \"open\"}");
	EXPECT_MATCH(hear(fd, line), "{\"type\": \"negotiate\", \"timestamp\": " STAMP
				     ", \"compression\": [\"zlib\"]}");
	say(fd, "{\"type\": \"response\", \"original_message\": {\"type\": \"authenticate\"}}");
	say(fd, "{\"type\": \"response\", \"original_message\": {\"type\": \"negotiate\"}}");
	welcome(fd);
	/* Nothing was agreed on: a packed frame is a length that cannot be. */
	peer_send(fd, "\x80\0\0\1x", 5);
	emu_hears(fleet, "a message that is too long", 1);
	close(fd);
	stop_fleet();
}

Test(emu_framed_offer, a_target_that_is_refused_says_why_and_tries_again)
{
	int fd = start_fleet("framed = { auth = \"open\"; };");

	for (int i = 0; i < 2; i++) {
		hear(fd, line); /* the token, and behind it, unasked, its registration */
		hear(fd, line);
		say(fd, "{\"type\": \"auth_response\", \"success\": false}");
		peer_expect_end(fd);
		close(fd);
		fd = dialled();
	}
	emu_hears(fleet, "the server refused its token", 2);
	close(fd);
	emu_signal(fleet, SIGTERM);
	emu_wait(fleet);
	close(listener);
}

/* Both of ours in one process. */
static struct process *both(const char *master, const char *group)
{
	char config[1024];

	snprintf(config, sizeof(config),
		 "master = { wire = \"framed\"; listen = { host = \"@A.0.1\"; port = @P; }; %s };\n"
		 "fleet = { master = { host = \"@A.0.1\"; port = @P; }; retry = { attempts = 2; "
		 "first = \"1ms\"; };\n groups = ( { wire = \"framed\"; count = 20; addresses = "
		 "\"@A.1.1-@A.1.20\"; rise = \"1ms\"; fall = \"1ms\"; %s } ); };\n",
		 master, group);
	e2e_file("both.cfg", config);
	return EMU("run", "@D/both.cfg", "--json", "--log", "/dev/stderr");
}

Test(emu_framed_offer, ours_on_both_ends)
{
	struct process *process =
		both("wait = { targets = 20; }; rounds = ( { command = \"stand_up\"; } ); "
		     "framed = { auth = \"t\"; compression = \"zlib\"; compress_from = 64; };",
		     "framed = { auth = \"t\"; compression = \"zlib\"; };");

	emu_expect_code(process, 0);
	EXPECT_JSON(emu_json(process), "master.ok", 20);
}

Test(emu_framed_offer, ours_with_another_token)
{
	struct process *process = both("wait = { targets = 20; }; framed = { auth "
				       "= \"t\"; };",
				       "framed = { auth = \"T\"; };");

	emu_hears(process, "the server refused its token", 20);
	emu_signal(process, SIGTERM);
	emu_wait(process);
	EXPECT_JSON(emu_json(process), "master.registrations", 0);
}

/* ---- packed messages ---- */

static void say_packed(int fd, const char *text, size_t len)
{
	static char unit[1 << 16];
	uLongf packed_len = sizeof(unit) - QN_FRAMED_HEAD;

	cr_assert_eq(
		compress2((Bytef *)unit + QN_FRAMED_HEAD, &packed_len, (const Bytef *)text, len, 9),
		Z_OK);
	qn_framed_put_head(unit, (uint32_t)packed_len | 0x80000000u);
	peer_send(fd, unit, QN_FRAMED_HEAD + packed_len);
}

/* One frame, that must be packed; its text. */
static const char *hear_packed(int fd)
{
	static char packed[1 << 16], text[1 << 16];
	unsigned char head[QN_FRAMED_HEAD];
	uLongf len = sizeof(text) - 1;

	cr_assert_eq(recv(fd, head, sizeof(head), MSG_WAITALL), 4);
	cr_assert(head[0] == 0x80, "%02x", head[0]);
	size_t packed_len = (size_t)head[2] << 8 | head[3];
	cr_assert_eq(recv(fd, packed, packed_len, MSG_WAITALL), (ssize_t)packed_len);
	cr_assert_eq(uncompress((Bytef *)text, &len, (const Bytef *)packed, packed_len), Z_OK);
	text[len] = '\0';
	return text;
}

static int packing_client(unsigned number)
{
	int fd = client(number);

	say(fd, "{\"type\": \"negotiate\", \"compression\": [\"br\", 1, \"zlib\"]}");
	EXPECT_MATCH(hear(fd, line), "{\"type\": \"negotiated\", \"timestamp\": " STAMP
				     ", \"compression\": \"zlib\"}");
	return fd;
}

static const char *echo_of(size_t len)
{
	static char text[4096];
	size_t at = (size_t)snprintf(text, sizeof(text), "{\"type\": \"echo\", \"content\": \"");

	memset(text + at, 'x', len);
	memcpy(text + at + len, "\"}", 3);
	return text;
}

Test(emu_framed_offer, long_messages_are_packed_where_that_was_agreed)
{
	start_server("framed = { compression = \"zlib\"; };");
	int plain = client(1), packing = packing_client(2);
	const char *text = echo_of(3000);

	say(packing, "{\"type\": \"echo\", \"content\": \"short\"}");
	EXPECT_MATCH(hear(packing, line),
		     "{\"type\": \"echo_response\", \"content\": \"short\", "
		     "\"timestamp\": " STAMP ", \"echoed_by\": \"TCP Server\"}");
	say_packed(packing, text, strlen(text));
	const char *back = hear_packed(packing);
	cr_expect(strncmp(back, "{\"type\": \"echo_response\", \"content\": \"xxxx", 41) == 0);
	cr_expect_gt(strlen(back), 3000);
	say(plain, text);
	hear(plain, line);
	cr_expect_gt(strlen(line), 3000);
	/* A broadcast reaches each as he has it. */
	say(plain, "{\"type\": \"get_stats\"}");
	hear(plain, line);
	char *broadcast = strdup(text);
	memcpy(strstr(broadcast, "echo"), "x\"  ", 4);
	static char all[8192];
	snprintf(all, sizeof(all), "{\"type\": \"broadcast\", %s", strchr(broadcast, ',') + 1);
	free(broadcast);
	say_packed(packing, all, strlen(all));
	hear(plain, line);
	cr_expect(strncmp(line, "{\"type\": \"broadcast\", \"from_client\": ", 37) == 0, "%s",
		  line);
	hear(packing, line); /* broadcast_sent is short */
	say(plain, all);
	back = hear_packed(packing);
	cr_expect(strncmp(back, "{\"type\": \"broadcast\", \"from_client\": ", 37) == 0);
	close(plain);
	close(packing);
	stop_server();
}

Test(emu_framed_offer, bombs_and_what_is_no_stream_are_refused)
{
	static char zeros[1 << 22];
	const struct {
		const char *bytes;
		size_t len;
		const char *why;
	} bad[] = {
		{ "\x80\0\0\4abcd", 8, "a packed message that is no zlib stream" },
		{ "\x80\0\0\0", 4, "a packed message that is no zlib stream" },
		{ "\xff\xff\xff\xff", 4, "a message that is too long" },
	};

	start_server("framed = { compression = \"zlib\"; };");
	for (size_t i = 0; i < 3; i++) {
		int fd = packing_client(1);
		peer_send(fd, bad[i].bytes, bad[i].len);
		peer_expect_end(fd);
		emu_hears(server, bad[i].why, 1);
		close(fd);
	}
	int fd = packing_client(1);
	say_packed(fd, zeros, sizeof(zeros)); /* 4 kB that hold four times what a text may be */
	peer_expect_end(fd);
	emu_hears(server, "a message that is too long", 1);
	close(fd);
	stop_server();
}

Test(emu_framed_offer, a_server_without_it_knows_no_such_request)
{
	start_server("");
	int fd = client(1);

	say(fd, "{\"type\": \"negotiate\", \"compression\": [\"zlib\"]}");
	EXPECT_MATCH(hear(fd, line),
		     "{\"type\": \"response\", \"original_message\": {\"type\": "
		     "\"negotiate\", \"compression\": [\"zlib\"]}, \"timestamp\": " STAMP
		     ", \"from_server\": true}");
	say(fd, "{\"type\": \"authenticate\", \"token\": 1}");
	EXPECT_MATCH(hear(fd, line), "{\"type\": \"response\", \"original_message\": {\"type\": "
				     "\"authenticate\", \"token\": #}, \"timestamp\": " STAMP
				     ", \"from_server\": true}");
	peer_send(fd, "\x80\0\0\1x", 5);
	peer_expect_end(fd);
	close(fd);
	stop_server();
}
