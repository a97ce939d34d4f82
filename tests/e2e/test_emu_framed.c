/* The wire `framed` with plain sockets at the other end: clients of our server, a server for our
 * targets. */
#include "tests/support/framed_bed.h"
#include "tests/support/json_path.h"

#include <stdlib.h>

TestSuite(emu_framed, .init = e2e_begin, .fini = e2e_end);

/* ---- our server ---- */

Test(emu_framed, the_server_answers_whoever_connects)
{
	start_server("");
	int a = client(1), b = client(2);

	say(a, "{\"type\": \"ping\", \"timestamp\": \"T\"}");
	EXPECT_MATCH(hear(a, line), "{\"type\": \"pong\", \"ping_timestamp\": \"T\", "
				    "\"pong_timestamp\": " STAMP ", \"client_id\": \"#.#.#.#:#\"}");
	say(a, "{\"type\": \"echo\", \"content\": \"hello\"}");
	EXPECT_MATCH(hear(a, line),
		     "{\"type\": \"echo_response\", \"content\": \"hello\", \"timestamp\": " STAMP
		     ", \"echoed_by\": \"TCP Server\"}");
	say(a, "{\"type\": \"broadcast\", \"content\": {\"a\": 1}}");
	EXPECT_MATCH(hear(b, line),
		     "{\"type\": \"broadcast\", \"from_client\": \"#.#.#.#:#\", \"content\": "
		     "{\"a\": #}, \"timestamp\": " STAMP "}");
	EXPECT_MATCH(hear(a, line),
		     "{\"type\": \"broadcast_sent\", \"recipients\": #, \"timestamp\": " STAMP "}");
	say(b, "{\"type\": \"get_stats\"}");
	EXPECT_MATCH(hear(b, line),
		     "{\"type\": \"server_stats\", \"connected_clients\": #, \"uptime_seconds\": "
		     "#, \"total_messages\": #, \"server_start_time\": " STAMP
		     ", \"current_time\": " STAMP "}");
	cr_expect(strstr(line, "\"connected_clients\": 2,") != NULL, "%s", line);
	cr_expect(strstr(line, "\"total_messages\": 1,") != NULL, "%s", line);
	close(a);
	close(b);
	stop_server();
}

Test(emu_framed, frames_split_joined_and_half)
{
	static const char two[] = "\0\0\0\x0fplain text one \0\0\0\0";

	start_server("");
	int fd = client(1);
	for (size_t i = 0; i < 7; i++)
		peer_send(fd, two + i, 1);
	peer_send(fd, two + 7, sizeof(two) - 1 - 7);
	EXPECT_MATCH(hear(fd, line), "{\"type\": \"echo\", \"original_text\": \"plain text one \", "
				     "\"timestamp\": " STAMP ", \"from_server\": true}");
	EXPECT_MATCH(hear(fd, line), "{\"type\": \"echo\", \"original_text\": \"\", "
				     "\"timestamp\": " STAMP ", \"from_server\": true}");
	peer_send(fd, two, 9); /* half a frame, then the end */
	close(fd);
	close(client(2));
	stop_server();
}

Test(emu_framed, lengths_that_lie_and_bad_text_close_that_client_alone)
{
	static const char *const lies[] = { "\x7f\xff\xff\xff", "\xff\xff\xff\xff", "\0\0\x10\1" };

	start_server("framed = { message_limit = 4096; };");
	int other = client(9);
	for (size_t i = 0; i < 3; i++) {
		int fd = client(1);
		peer_send(fd, lies[i], 4);
		peer_expect_end(fd);
		close(fd);
	}
	int fd = client(1);
	say(fd, "bad \xff utf-8");
	peer_expect_end(fd);
	close(fd);
	say(other, "still here");
	EXPECT_MATCH(hear(other, line), "{\"type\": \"echo\", \"original_text\": \"still here\", "
					"\"timestamp\": " STAMP ", \"from_server\": true}");
	close(other);
	stop_server();
}

/* A target as somebody else would write one. */
static void register_as(int fd, const char *name)
{
	char text[256];

	snprintf(text, sizeof(text), "{\"type\": \"target_register\", \"target\": \"%s\"}", name);
	say(fd, text);
	hear(fd, line);
	cr_assert(strstr(line, "\"type\": \"response\"") != NULL, "%s", line);
}

Test(emu_framed, commands_go_to_their_target_and_reports_come_back)
{
	start_server("wait = { targets = 2; }; rounds = ( { command = \"stand_up\"; }, { command = "
		     "\"activate\"; duration = 2.5; targets = \"target_2\"; } );");
	int guest = client(9), fd[2] = { client(1), client(2) };

	register_as(fd[0], "target_1");
	register_as(fd[1], "target_2");
	for (int i = 0; i < 2; i++) {
		char should[256];
		snprintf(should, sizeof(should),
			 "{\"type\": \"broadcast\", \"from_client\": \"#.#.#.#:#\", \"content\": "
			 "{\"command\": \"stand_up\", \"target\": \"target_#\", \"duration\": "
			 "null}, \"timestamp\": " STAMP "}");
		EXPECT_MATCH(hear(fd[i], line), should);
		say(fd[i], "{\"type\": \"target_report\", \"command\": \"stand_up\", "
			   "\"data\": {\"status\": \"done\"}}");
		hear(fd[i], line); /* its response */
	}
	hear(fd[1], line);
	cr_expect(strstr(line, "{\"command\": \"activate\", \"target\": \"target_2\", "
			       "\"duration\": 2.5") != NULL,
		  "%s", line);
	say(fd[1], "{\"type\": \"target_report\", \"command\": \"activate\", \"data\": "
		   "{\"status\": \"error\", \"error\": \"no\"}}");
	emu_hears(server, "event=m_failed ", 1);
	say(guest, "hello"); /* it has heard nothing of all that */
	EXPECT_MATCH(hear(guest, line), "{\"type\": \"echo\", \"original_text\": \"hello\", "
					"\"timestamp\": " STAMP ", \"from_server\": true}");
	emu_signal(server, SIGTERM);
	emu_expect_code(server, 1);
	const char *json = emu_json(server);
	EXPECT_JSON(json, "master.ok", 2);
	EXPECT_JSON(json, "master.failed", 1);
	close(guest);
	close(fd[0]);
	close(fd[1]);
}

/* ---- our targets ---- */

Test(emu_framed, a_target_obeys_broadcasts_that_name_it)
{
	int fd = start_fleet("");

	welcome(fd);
	say(fd, BROADCAST("\"just talk\""));
	say(fd, BROADCAST("{\"command\": \"stand_up\", \"target\": \"target_2\"}"));
	say(fd, BROADCAST("{\"command\": \"ping\", \"target\": \"target_1\", \"duration\": null}"));
	EXPECT_MATCH(hear(fd, line), "{\"type\": \"target_report\", \"timestamp\": " STAMP
				     ", \"target\": \"target_1\", \"command\": \"ping\", \"data\": "
				     "{\"status\": \"alive\"}}");
	say(fd, BROADCAST("{\"command\": \"activate\", \"target\": \"all\", \"duration\": 0.1}"));
	hear(fd, line);
	cr_expect(strstr(line, "\"command\": \"activate\", \"data\": {\"status\": "
			       "\"activation_queued\", \"duration\": 0.1}") != NULL,
		  "%s", line);
	/* As a person types it into a client that can only send texts. */
	say(fd, BROADCAST("\"{\\\"command\\\": \\\"lay_down\\\"}\""));
	hear(fd, line);
	cr_expect(strstr(line, "\"command\": \"lay_down\", \"data\": {\"status\": "
			       "\"command_queued\"}") != NULL,
		  "%s", line);
	say(fd, BROADCAST("{\"command\": \"jump\", \"target\": \"target_1\"}"));
	hear(fd, line);
	cr_expect(strstr(line, "\"status\": \"error\", \"error\": \"Unsupported command\"") != NULL,
		  "%s", line);
	emu_hears(fleet, "event=down ", 1);
	close(fd);
	emu_hears(fleet, "event=disconnected ", 1);
	fd = dialled();
	welcome(fd);
	close(fd);
	stop_fleet();
}

Test(emu_framed, a_target_passes_over_what_is_too_long_for_it)
{
	int fd = start_fleet("framed = { message_limit = 4096; };");

	say_long(fd, 1000000);
	welcome(fd);
	say_long(fd, 4097);
	say_long(fd, 3000000);
	say(fd, BROADCAST("{\"command\": \"ping\"}"));
	EXPECT_MATCH(hear(fd, line), "{\"type\": \"target_report\", \"timestamp\": " STAMP
				     ", \"target\": \"target_1\", \"command\": \"ping\", \"data\": "
				     "{\"status\": \"alive\"}}");
	emu_hears(fleet, "a message that is too long: passed over", 2);
	close(fd);
	stop_fleet();
}

Test(emu_framed, a_target_reports_its_hit)
{
	int fd = start_fleet(
		"hit = { probability = 1.0; after = \"0s\"; report = \"wire\"; value = 7; };");

	welcome(fd);
	say(fd, BROADCAST("{\"command\": \"activate\", \"duration\": 30}"));
	hear(fd, line);
	EXPECT_MATCH(hear(fd, line), "{\"type\": \"target_hit\", \"timestamp\": " STAMP
				     ", \"target\": \"target_1\", \"hit_value\": #}");
	cr_expect(strstr(line, "\"hit_value\": 7}") != NULL);
	close(fd);
	stop_fleet();
}

Test(emu_framed, a_server_that_is_silently_gone_is_noticed)
{
	int fd = start_fleet("framed = { ping_every = \"50ms\"; ping_timeout = \"2s\"; };");

	welcome(fd);
	for (int i = 0; i < 3; i++) {
		EXPECT_MATCH(hear(fd, line), "{\"type\": \"ping\", \"timestamp\": " STAMP
					     ", \"client_info\": \"target_#\"}");
		if (i < 2)
			say(fd, "{\"type\": \"pong\"}");
	}
	emu_hears(fleet, "no pong in time", 1);
	int again = dialled();
	welcome(again);
	close(fd);
	close(again);
	stop_fleet();
}

/* ---- the console ---- */

static struct process *console(const char *script, const char *option)
{
	struct process_options options = { .in_path = e2e_file("script", script) };

	return EMU_WITH(&options, "console", "framed://@A.0.1:@P", option);
}

Test(emu_framed, a_script_is_sent_and_all_of_it_answered)
{
	start_server("");
	struct process *process = console("/ping\n/echo hello\n\n/custom x {\"a\": 1}\n/custom "
					  "\n/nonsense\nplain \x1b text\n/broadcast {\"b\": 2}",
					  NULL);
	emu_expect_code(process, 0);
	emu_expect_prints(process, "\"type\": \"pong\"");
	emu_expect_prints(process, "\"content\": \"hello\"");
	emu_expect_prints(process, "\"original_message\": {\"type\": \"x\", ");
	emu_expect_prints(process, "\"a\": 1}");
	emu_expect_prints(process, "/custom wants a type");
	emu_expect_prints(process, "no command /nonsense; /help lists them");
	emu_expect_prints(process, "\"original_text\": \"plain \\u001b text\"");
	emu_expect_prints(process, "\"recipients\": 0");
	stop_server();
}

/* As one leaves by hand: not before the answers have come; what stands behind is not sent. */
Test(emu_framed, a_script_that_says_exit)
{
	static const char *const scripts[] = { "/ping\n/echo hello\n/exit\n/echo behind\n",
					       "/ping\n/echo hello\n/exit" };

	start_server("");
	for (size_t i = 0; i < 2; i++) {
		struct process *process = console(scripts[i], NULL);
		emu_expect_code(process, 0);
		emu_expect_prints(process, "\"type\": \"pong\"");
		emu_expect_prints(process, "\"content\": \"hello\"");
		cr_expect(strstr(process->out.text, "behind") == NULL);
	}
	stop_server();
}

Test(emu_framed, the_demonstration_and_the_measurement)
{
	start_server("");
	struct process *process = console("", "--demo");
	emu_expect_code(process, 0);
	emu_expect_prints(process, "> /broadcast Hello all clients!");
	emu_expect_prints(process, "\"original_text\": \"This is a plain text message\"");
	process = EMU("console", "@A.0.1:@P", "--performance", "--messages", "500", "--in-flight",
		      "7", "--bytes", "3000");
	emu_expect_code(process, 0);
	emu_expect_prints(process, "500 messages of 3000 bytes, 7 in flight: ");
	stop_server();
}

Test(emu_framed, a_console_that_finds_nobody_says_so)
{
	struct process *process = console("/ping", NULL);

	emu_expect_code(process, 3);
	emu_expect_prints(process, "no connection to framed://");
	process = EMU("console", "framed://@A.0.1:0");
	emu_expect_code(process, 2);
	process = EMU("console", "ws://@A.0.1:1");
	emu_expect_code(process, 2);
	emu_expect_says(process, "only framed:// is spoken here");
	process = EMU("console", "no.such.host.invalid");
	emu_expect_code(process, 3);
}

Test(emu_framed, a_server_that_leaves_ends_a_script)
{
	listener = peer_listen(e2e_ip(0, 1), e2e_port('P'));
	struct process *process = console("/ping", NULL);
	int fd = dialled();

	say(fd, "{\"type\": \"welcome\"}");
	hear(fd, line);
	close(fd);
	emu_expect_code(process, 3);
	emu_expect_prints(process, "connection lost: the server closed it");
	close(listener);
}
