/* The wire `framed`: targets that load a server, byte by byte and among ours. */
#include "tests/support/framed_bed.h"
#include "tests/support/json_path.h"

TestSuite(emu_framed_talk, .init = e2e_begin, .fini = e2e_end);

/* The target's own connection is served; *ret is its one that talks. */
static int start_talk(const char *talk, int *ret)
{
	char group[512];

	snprintf(group, sizeof(group), "framed = { talk = { %s }; };", talk);
	int fd = start_fleet(group);
	welcome(fd);
	*ret = dialled();
	say(*ret, "{\"type\": \"welcome\", \"client_id\": \"y\"}");
	return fd;
}

/* What it says in the end. */
static const char *result(int a, int b)
{
	emu_signal(fleet, SIGTERM);
	emu_wait(fleet);
	close(a);
	close(b);
	close(listener);
	return emu_json(fleet);
}

Test(emu_framed_talk, a_batch_in_one_write_and_the_next_when_it_is_answered)
{
	int talk, own = start_talk("every = \"0s\"; batch = 3; bytes = 12;", &talk);
	char all[4096];

	for (int round = 0; round < 2; round++) {

		ssize_t n = recv(talk, all, sizeof(all), 0);
		ssize_t each = n / 3, len = (unsigned char)all[3];
		cr_assert(n == 3 * (4 + len), "three frames in one read, not %zd bytes", n);
		for (int i = 0; i < 3; i++) {
			char should[128], answer[128];
			snprintf(should, sizeof(should),
				 "{\"type\": \"echo\", \"content\": \"%010dxx\", \"timestamp\": ",
				 round * 3 + i);
			cr_assert(memcmp(all + i * each + 4, should, strlen(should)) == 0, "%.*s",
				  (int)len, all + i * each + 4);
			snprintf(answer, sizeof(answer),
				 "{\"type\": \"echo_response\", \"content\": \"%010dxx\"}",
				 round * 3 + i);
			/* Others' talk in between is nobody's answer. */
			say(talk, BROADCAST("\"talk\""));
			say(talk, answer);
		}
	}
	cr_assert(recv(talk, all, sizeof(all), 0) > 0); /* so all were taken */
	const char *json = result(own, talk);
	EXPECT_JSON(json, "fleet.talk.sent", 9);
	EXPECT_JSON(json, "fleet.talk.answered", 6);
	EXPECT_JSON(json, "fleet.talk.lost", 0);
	EXPECT_JSON(json, "fleet.talk.latency_us.n", 6);
	EXPECT_JSON(json, "fleet.disconnects", 0);
}

static void expect_wrong(const char *talk_settings, const char *answer, const char *why)
{
	int talk, own = start_talk(talk_settings, &talk);

	hear(talk, line);
	say(talk, answer);
	peer_expect_end(talk);
	close(talk);
	emu_hears(fleet, why, 1);
	talk = dialled(); /* and tries again */
	const char *json = result(own, talk);
	EXPECT_JSON(json, "fleet.talk.wrong", 1);
	EXPECT_JSON(json, "fleet.talk.lost", 1);
	EXPECT_JSON(json, "fleet.talk.answered", 0);
	EXPECT_JSON(json, "fleet.disconnects", 1);
}

Test(emu_framed_talk, an_echo_of_something_else)
{
	expect_wrong("every = \"0s\"; bytes = 12;",
		     "{\"type\": \"echo_response\", \"content\": \"0000000001xx\"}",
		     "an answer to something else");
}

Test(emu_framed_talk, an_answer_of_another_kind)
{
	expect_wrong("every = \"0s\"; what = \"stats\";", "{\"type\": \"pong\"}",
		     "an answer to something else");
}

Test(emu_framed_talk, a_server_that_leaves_is_dialled_again_and_warned_of)
{
	int talk, own = start_talk("every = \"0s\"; what = \"ping\"; batch = 2;", &talk);

	for (int i = 0; i < 3; i++) {
		hear(talk, line);
		close(talk);
		talk = dialled();
		say(talk, "{\"type\": \"welcome\"}");
	}
	emu_hears(fleet, "event=disconnected ", 3);
	const char *json = result(own, talk);
	EXPECT_JSON(json, "fleet.talk.lost", 6);
	EXPECT_JSON(json, "fleet.disconnects", 3);
	emu_expect_prints(fleet, "warning: connections lost: 3");
}

/* Where the server leaves too, its own connection is the only one that is dialled again. */
Test(emu_framed_talk, ends_with_the_registration_and_begins_with_it)
{
	int talk, own = start_talk("every = \"1h\";", &talk);

	close(own);
	peer_expect_end(talk);
	close(talk);
	own = dialled();
	welcome(own);
	talk = dialled();
	EXPECT_JSON(result(own, talk), "fleet.disconnects", 1);
}

Test(emu_framed_talk, rates_and_pools)
{
	e2e_file(
		"both.cfg",
		"master = { wire = \"framed\"; listen = { host = \"@A.0.1\"; port = @P; }; then = "
		"\"stay\"; };\n"
		"fleet = { master = { host = \"@A.0.1\"; port = @P; }; ramp = 0; groups = ( { wire "
		"= \"framed\"; count = 10; addresses = \"@A.1.1-@A.1.10\"; framed = { talk = { "
		"every = \"0s\"; what = \"custom\"; connections = 4; batch = 2; rate_limit = 100; "
		"}; }; } ); };\n");
	struct process *process = EMU("run", "@D/both.cfg", "--json", "--simulate", "--for", "10s");
	emu_expect_code(process, 0);
	const char *json = emu_json(process);
	/* 10 targets, 100 a second each, 10 s; less what the first round takes. */
	double sent = json_number(json, "fleet.talk.sent");
	cr_expect(sent > 9700 && sent <= 10080, "%f", sent);
	EXPECT_JSON(json, "fleet.talk.wrong", 0);
	EXPECT_JSON(json, "fleet.talk.lost", 0);
}

Test(emu_framed_talk, a_batch_that_is_too_large_is_refused)
{
	e2e_file("bad.cfg", "fleet = { master = { host = \"@A.0.1\"; port = @P; }; groups = ( { "
			    "wire = \"framed\"; addresses = \"@A.1.1\"; framed = { talk = { batch "
			    "= 1000; bytes = 100000; }; }; } ); };\n");
	struct process *process = EMU("check", "@D/bad.cfg");
	emu_expect_code(process, 2);
	emu_expect_says(process,
			"a batch of 1000 messages of 100000 bytes; expected at most 4 MiB");
}
