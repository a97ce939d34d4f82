/* Hits, told by HTTP to a server of plain sockets. */
#include "tests/support/e2e.h"
#include "tests/support/json_path.h"
#include "tests/support/peer.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

TestSuite(emu_hit_report, .init = e2e_begin, .fini = e2e_end);

static struct process *fleet;
static int master;

/* One target, registered, that is hit at once. */
static void in_service(const char *hit, const char *more)
{
	char config[1024], line[PEER_LINE];

	snprintf(config, sizeof(config),
		 "fleet = { master = { host = \"@A.0.1\"; port = @P; }; %s\n"
		 "  groups = ( { addresses = \"@A.1.1\"; rise = \"1ms\"; fall = \"1ms\";\n"
		 "    hit = { probability = 1.0; after = \"0ms\"; value = 42; report = \"http\";\n"
		 "      %s }; } ); };\n",
		 more, hit);
	e2e_file("fleet.cfg", config);
	master = peer_listen(e2e_ip(0, 1), e2e_port('P'));
	fleet = EMU("run", "@D/fleet.cfg", "--json", "--log", "/dev/stderr");
	int fd = peer_accept(master, NULL);
	peer_line(fd, line);
	peer_say(fd, "{\"type\": \"registered\", \"id\": \"1\", \"data\": {\"status\": "
		     "\"registered\"}}\n");
	close(fd);
	emu_hears(fleet, "event=listening ", 1);
}

static void activate(void)
{
	char line[PEER_LINE];
	int fd = peer_connect(e2e_ip(0, 1), e2e_ip(1, 1), e2e_port('P'));

	peer_say(fd, "{\"type\": \"activate\", \"id\": \"1\", \"data\": {\"duration\": 60}}\n");
	peer_line(fd, line);
	cr_expect(strstr(line, "\"activated\"") != NULL, "%s", line);
	close(fd);
}

static const char *stop(void)
{
	emu_signal(fleet, SIGTERM);
	emu_expect_code(fleet, 0);
	close(master);
	return emu_json(fleet);
}

/* Reads one whole request; the place of its body. */
static const char *read_request(int fd, char *buf, size_t cap)
{
	size_t len = 0;

	for (;;) {
		const char *end = strstr(buf, "\r\n\r\n");
		const char *length = strcasestr(buf, "\r\nContent-Length: ");
		if (len > 0 && end != NULL) {
			cr_assert(length != NULL && length < end, "%s", buf);
			if (buf + len >= end + 4 + strtoul(length + 18, NULL, 10))
				return end + 4;
		}
		ssize_t n = peer_recv(fd, buf + len, cap - len);
		cr_assert(n > 0, "half a request: %s", buf);
		len += (size_t)n;
	}
}

/* The answer to the next report. */
static int reported(int server)
{
	char request[PEER_LINE] = "";
	uint32_t ip;
	int fd = peer_accept(server, &ip);
	const char *body = read_request(fd, request, sizeof(request));

	cr_expect(ip == e2e_ip(1, 1), "reported from %08x", ip);
	cr_expect(strncmp(request, "POST /target_hit HTTP/1.", 24) == 0, "%s", request);
	cr_expect(strcasestr(request, "\r\nContent-Type: application/json") != NULL, "%s", request);
	cr_expect(strcasestr(request, "\r\nHost: ") != NULL, "%s", request);
	cr_expect_str_eq(body, "{\"target_id\": \"target_1\", \"hit_value\": 42}");
	return fd;
}

Test(emu_hit_report, is_posted)
{
	int server = peer_listen(e2e_ip(0, 2), e2e_port('Q'));

	in_service("report_to = { host = \"@A.0.2\"; port = @Q; };", "");
	for (int i = 0; i < 2; i++) {
		activate();
		int fd = reported(server);
		peer_say(fd, "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\n{}");
		peer_expect_end(fd);
		close(fd);
		emu_hears(fleet, "event=hit_reported", 1);
	}
	const char *json = stop();
	EXPECT_JSON(json, "fleet.hits", 2);
	EXPECT_JSON(json, "fleet.hits_reported", 2);
	EXPECT_JSON(json, "fleet.hit_reports_failed", 0);
	emu_expect_prints(fleet, "hits reported by HTTP: 2, failed: 0");
	close(server);
}

/* An answer without a length ends where the connection does. */
Test(emu_hit_report, goes_to_the_master_where_nothing_else_is_said)
{
	int server = peer_listen(e2e_ip(0, 1), e2e_port('Q'));

	in_service("report_to = { port = @Q; };", "");
	activate();
	int fd = reported(server);
	peer_say(fd, "HTTP/1.1 204 No Content\r\n");
	peer_say(fd, "Server: x\r\n\r\n");
	close(fd);
	emu_hears(fleet, "event=hit_reported", 1);
	EXPECT_JSON(stop(), "fleet.hits_reported", 1);
	close(server);
}

Test(emu_hit_report, that_fails_is_counted)
{
	static const char *const answers[] = {
		"HTTP/1.0 500 Sorry\r\nContent-Length: 0\r\n\r\n",
		"HTTP/1.0 404 Not Found\r\n\r\n",
		"hello\r\n\r\n",
		"",
	};
	int server = peer_listen(e2e_ip(0, 2), e2e_port('Q'));

	in_service("report_to = { host = \"@A.0.2\"; port = @Q; };", "");
	for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
		activate();
		int fd = reported(server);
		peer_say(fd, answers[i]);
		close(fd);
		emu_hears(fleet, "event=hit_report_failed", 1);
	}
	activate();
	peer_reset(reported(server));
	emu_hears(fleet, "event=hit_report_failed", 1);
	close(server); /* refused */
	activate();
	emu_hears(fleet, "event=hit_report_failed", 1);
	const char *json = stop();
	EXPECT_JSON(json, "fleet.hits", 6);
	EXPECT_JSON(json, "fleet.hits_reported", 0);
	EXPECT_JSON(json, "fleet.hit_reports_failed", 6);
	emu_expect_says(fleet, "text=\"HTTP status 500\"");
	emu_expect_says(fleet, "text=\"HTTP status 404\"");
	emu_expect_says(fleet, "text=\"closed without an answer\"");
	emu_expect_says(fleet, "text=\"Connection refused\"");
}

Test(emu_hit_report, that_is_never_answered_fails_in_time)
{
	int server = peer_listen(e2e_ip(0, 2), e2e_port('Q'));

	in_service("report_to = { host = \"@A.0.2\"; port = @Q; };",
		   "answer_timeout = \"2s\"; reregister = { every = \"0s\"; };");
	activate();
	int fd = reported(server);
	peer_expect_end(fd);
	close(fd);
	emu_hears(fleet, "event=hit_report_failed", 1);
	emu_expect_says(fleet, "text=\"no answer in time\"");
	EXPECT_JSON(stop(), "fleet.hit_reports_failed", 1);
	close(server);
}
