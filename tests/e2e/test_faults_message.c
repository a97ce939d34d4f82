/* Faults of the message, as a client of plain sockets reads them: docs/FAULTS.md "The message". */
#include "tests/support/faulty.h"

#include "proto/json/json.h"
#include "proto/utf8.h"

TestSuite(faults, .init = e2e_begin, .fini = e2e_end);

static struct faulty f;
static char line[65536];

static bool is_json(const char *text)
{
	return qn_json_check(text, strlen(text), QN_JSON_STRICT, 0, NULL) == QN_OK;
}

/* One ping with the fault, of a target that answers as CPython does; the answer, in `line`. */
static int ping(const char *fault)
{
	faulty_in_service(&f, fault, "profile = \"cpython\";", "");
	int fd = faulty_call(&f);
	peer_say(fd, PING("mine"));
	return fd;
}

static void done(int fd)
{
	close(fd);
	faulty_stop(&f, 0);
}

Test(faults, garbage)
{
	int fd = ping("{ kind = \"garbage\"; bytes = 200; }");
	faulty_read(fd, line, sizeof(line), 200);
	cr_expect(memmem(line, 200, "pong", 4) == NULL);
	cr_expect(qn_utf8_valid_len(line, 200) < 200, "200 random bytes are no text");
	done(fd);
}

Test(faults, cut_json)
{
	int fd = ping("{ kind = \"cut_json\"; factor = 0.5; }");
	peer_line(fd, line);
	size_t len = strlen(line);
	cr_expect(strncmp(line, "{\"type\": \"pong\", ", 17) == 0, "%s", line);
	cr_expect(len > 60 && len < 120, "%zu bytes", len);
	line[len - 1] = '\0';
	cr_expect(!is_json(line), "%s", line);
	done(fd);
}

Test(faults, no_newline)
{
	int fd = ping("{ kind = \"no_newline\"; }");
	ssize_t n = peer_recv(fd, line, sizeof(line));
	cr_expect(n > 0 && line[n - 1] == '}' && is_json(line), "%s", line);
	cr_expect(strstr(line, "\"id\": \"mine\"") != NULL, "%s", line);
	faulty_quiet(fd, 100);
	done(fd);
}

/* More than the 1024 bytes that the real master reads; still a line, and right. */
Test(faults, oversized)
{
	int fd = ping("{ kind = \"oversized\"; bytes = 30000; }");
	faulty_read(fd, line, sizeof(line), 30000);
	cr_expect(strchr(line, '\n') == line + 29999);
	cr_expect(is_json(line) && strstr(line, "\"id\": \"mine\"") != NULL, "%s", line);
	done(fd);
}

Test(faults, wrong_id)
{
	int fd = ping("{ kind = \"wrong_id\"; }");
	peer_line(fd, line);
	cr_expect(strstr(line, "\"id\": \"msg_0\"") != NULL && strstr(line, "mine") == NULL, "%s",
		  line);
	done(fd);
}

Test(faults, wrong_target_id)
{
	int fd = ping("{ kind = \"wrong_target_id\"; text = \"target_7\"; }");
	peer_line(fd, line);
	cr_expect(strstr(line, "\"target_id\": \"target_7\"") != NULL, "%s", line);
	cr_expect(strstr(line, "target_1") == NULL && is_json(line), "%s", line);
	done(fd);
}

Test(faults, wrong_type)
{
	int fd = ping("{ kind = \"wrong_type\"; }");
	peer_line(fd, line);
	cr_expect(strncmp(line, "{\"type\": \"standing\", \"id\": \"mine\"", 33) == 0, "%s", line);
	faulty_ask(fd, MOVE("stand_up", "2"), line);
	cr_expect(strncmp(line, "{\"type\": \"pong\", \"id\": \"2\"", 26) == 0, "%s", line);
	done(fd);
}

Test(faults, upper_type)
{
	int fd = ping("{ kind = \"upper_type\"; }");
	peer_line(fd, line);
	cr_expect(strncmp(line, "{\"type\": \"PONG\", \"id\": \"mine\"", 29) == 0, "%s", line);
	done(fd);
}

Test(faults, duplicate)
{
	int fd = ping("{ kind = \"duplicate\"; }");
	peer_lines(fd, line, sizeof(line), 2);
	size_t half = strlen(line) / 2;
	cr_expect(strncmp(line, line + half, half) == 0 && line[half - 1] == '\n', "%s", line);
	cr_expect(faulty_count(line, "\"id\": \"mine\"") == 2, "%s", line);
	faulty_quiet(fd, 100);
	done(fd);
}

/* Byte for byte what would have been right the time before; the first has none before it. */
Test(faults, stale)
{
	static const struct {
		const char *request, *says;
	} steps[] = {
		{ PING("first"), "{\"type\": \"pong\", \"id\": \"first\", " },
		{ MOVE("stand_up", "second"), "{\"type\": \"pong\", \"id\": \"first\", " },
		{ PING("third"), "{\"type\": \"standing\", \"id\": \"second\", " },
	};
	char before[PEER_LINE] = "", answer[PEER_LINE];

	faulty_in_service(&f, "{ kind = \"stale\"; }", "profile = \"cpython\";", "");
	int fd = faulty_call(&f);
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		faulty_ask(fd, steps[i].request, answer);
		cr_expect(strncmp(answer, steps[i].says, strlen(steps[i].says)) == 0, "%s", answer);
		if (i == 1)
			cr_expect_str_eq(answer, before, "with its timestamp");
		strcpy(before, answer);
	}
	done(fd);
}

Test(faults, bad_utf8)
{
	int fd = ping("{ kind = \"bad_utf8\"; }");
	peer_line(fd, line);
	cr_expect(strstr(line, "\"status\": \"\xfflive\"") != NULL, "%s", line);
	done(fd);
}

Test(faults, deep)
{
	int fd = ping("{ kind = \"deep\"; count = 3000; }");
	size_t len = 0;
	do
		len += (size_t)peer_recv(fd, line + len, sizeof(line) - len);
	while (line[len - 1] != '\n');
	const char *at = strchr(line, '[');
	cr_assert(at != NULL && strspn(at, "[") == 3000 && strspn(at + 3000, "]") == 3000, "%s",
		  line);
	cr_expect(!is_json(line), "nobody of sound mind goes so deep");
	cr_expect(strstr(line, "\"status\": \"alive\"") != NULL, "%s", line);
	done(fd);
}

Test(faults, error_line)
{
	int fd = ping("{ kind = \"error_line\"; text = \"no \\\"luck\\\"\"; }");
	peer_line(fd, line);
	cr_expect(strncmp(line, "{\"type\": \"error\", \"id\": \"mine\", ", 31) == 0, "%s", line);
	cr_expect(strstr(line, "\"data\": {\"error\": \"no \\\"luck\\\"\"}}\n") != NULL, "%s",
		  line);
	done(fd);
}

/* Message and network faults at once: what is wrong is wrong in pieces, too. */
Test(faults, together)
{
	int fd = ping(
		"{ kind = \"oversized\"; bytes = 2000; }, { kind = \"wrong_id\"; },"
		"{ kind = \"duplicate\"; }, { kind = \"split\"; count = 4; time = \"10ms\"; }");
	peer_lines(fd, line, sizeof(line), 2);
	cr_expect(strlen(line) == 4000);
	cr_expect(faulty_count(line, "\"msg_0\"") == 2);
	done(fd);
}
