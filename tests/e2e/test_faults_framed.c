/* Faults of the wire `framed` alone, each by the bytes that a server gets. */
#include "tests/support/framed_bed.h"

TestSuite(faults_framed, .init = e2e_begin, .fini = e2e_end);

/* What the head of its answer to a ping says, and how long that is. */
static void length(const char *text, uint32_t *ret_says, size_t *ret_is)
{
	char fault[128], answer[1024] = "";
	unsigned char head[QN_FRAMED_HEAD];

	snprintf(fault, sizeof(fault), "faults = ( { kind = \"length_lie\"; text = \"%s\"; } );",
		 text);
	int fd = start_fleet(fault);
	welcome(fd);
	say(fd, BROADCAST("{\"command\": \"ping\"}"));
	cr_assert_eq(recv(fd, head, sizeof(head), MSG_WAITALL), 4);
	*ret_says = (uint32_t)head[0] << 24 | (uint32_t)head[1] << 16 | (uint32_t)head[2] << 8 |
		    head[3];
	for (*ret_is = 0; strstr(answer, "}}") == NULL; (*ret_is)++)
		cr_assert_eq(recv(fd, answer + *ret_is, 1, 0), 1);
	close(fd);
	stop_fleet();
}

Test(faults_framed, a_length_too_long)
{
	uint32_t says;
	size_t is;

	length("long", &says, &is);
	cr_expect_eq(says, is + 256);
}

Test(faults_framed, a_length_too_short)
{
	uint32_t says;
	size_t is;

	length("short", &says, &is);
	cr_expect_eq(says, is - 1);
}

Test(faults_framed, a_length_that_is_negative)
{
	uint32_t says;
	size_t is;

	length("negative", &says, &is);
	cr_expect_eq(says, UINT32_MAX);
}

Test(faults_framed, a_length_that_is_huge)
{
	uint32_t says;
	size_t is;

	length("huge", &says, &is);
	cr_expect_eq(says, INT32_MAX);
}

Test(faults_framed, half_a_frame_then_the_end)
{
	int fd = start_fleet("faults = ( { kind = \"close_middle\"; factor = 0.5; } );");
	unsigned char head[QN_FRAMED_HEAD];
	char rest[1024];
	size_t have = 0;

	welcome(fd);
	say(fd, BROADCAST("{\"command\": \"ping\"}"));
	cr_assert_eq(recv(fd, head, sizeof(head), MSG_WAITALL), 4);
	size_t says = (size_t)head[2] << 8 | head[3];
	for (ssize_t n; (n = recv(fd, rest, sizeof(rest), 0)) > 0;)
		have += (size_t)n;
	cr_expect(have > 0 && have < says, "%zu of %zu", have, says);
	close(fd);
	stop_fleet();
}

Test(faults_framed, another_token)
{
	int fd = start_fleet("framed = { auth = \"right\"; }; faults = ( { kind = "
			     "\"wrong_secret\"; text = \"guess\"; } );");

	hear(fd, line);
	cr_expect(strstr(line, "\"token\": \"guess\"}") != NULL, "%s", line);
	close(fd);
	emu_signal(fleet, SIGTERM);
	emu_wait(fleet);
	close(listener);
}
