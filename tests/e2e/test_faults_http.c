/* Faults that only the wire http has, and those it has not: docs/FAULTS.md "HTTP". */
#include "tests/support/faulty.h"

#include <stdlib.h>

TestSuite(faults, .init = e2e_begin, .fini = e2e_end);

static struct process *fleet;
static int master;

static void config_with(const char *fault)
{
	char config[1024];

	snprintf(
		config, sizeof(config),
		"fleet = { master = { host = \"@A.0.1\"; port = @P; };\n"
		"  groups = ( { wire = \"http\"; addresses = \"@A.1.1\"; faults = ( %s ); } ); };\n",
		fault);
	e2e_file("http.cfg", config);
}

/* One target in service on http, with the fault; its answer to a ping, up to the close. */
static const char *ping(const char *fault)
{
	static char text[8192];
	char line[PEER_LINE];

	config_with(fault);
	master = peer_listen(e2e_ip(0, 1), e2e_port('P'));
	fleet = EMU("run", "@D/http.cfg", "--quiet", "--log", "/dev/stderr");
	int fd = peer_accept(master, NULL);
	peer_recv(fd, line, sizeof(line));
	cr_expect(strncmp(line, "POST /register HTTP/1.1\r\n", 25) == 0, "%s", line);
	peer_say(fd, "HTTP/1.0 200 OK\r\n\r\n{\"status\": \"registered\", \"client_id\": "
		     "\"target_1\"}");
	close(fd);
	emu_hears(fleet, "event=listening ", 1);
	fd = peer_connect(e2e_ip(0, 1), e2e_ip(1, 1), e2e_port('P'));
	peer_say(fd, "GET /ping HTTP/1.0\r\n\r\n");
	faulty_read_all(fd, text, sizeof(text));
	close(fd);
	return text;
}

static void done(void)
{
	close(master);
	emu_signal(fleet, SIGTERM);
	emu_expect_code(fleet, 0);
}

Test(faults, http_status)
{
	const char *answer = ping("{ kind = \"http_status\"; count = 503; }");

	cr_expect(strncmp(answer, "HTTP/1.0 503 OK\r\n", 17) == 0, "%s", answer);
	cr_expect(strstr(answer, "\"alive\"") != NULL, "%s", answer);
	done();
}

Test(faults, http_length)
{
	const char *answer = ping("{ kind = \"http_length\"; count = 10; }");
	const char *length = strstr(answer, "Content-Length: ");
	const char *body = strstr(answer, "\r\n\r\n");

	cr_assert(length != NULL && body != NULL, "%s", answer);
	cr_expect_eq((size_t)atoi(length + 16), strlen(body + 4) + 10, "%s", answer);
	done();
}

static void refused(const char *fault, const char *why)
{
	config_with(fault);
	struct process *emu = EMU("check", "@D/http.cfg");
	emu_expect_code(emu, 2);
	cr_expect(strstr(emu->err.text, why) != NULL, "%s", emu->err.text);
}

Test(faults, http_without_ids_and_lines)
{
	refused("{ kind = \"no_newline\"; }",
		"kind: \"no_newline\" makes no sense on the wire \"http\"; it does on: snyper");
	refused("{ kind = \"http_status\"; count = 5; }", "expected a status, 100 .. 999");
}

Test(faults, http_status_on_snyper)
{
	e2e_file("s.cfg",
		 "fleet = { groups = ( { faults = ( { kind = \"http_status\"; } ); } ); };\n");
	struct process *emu = EMU("check", "@D/s.cfg");
	emu_expect_code(emu, 2);
	cr_expect(strstr(emu->err.text, "\"http_status\" makes no sense on the wire \"snyper\"; it "
					"does on: http") != NULL,
		  "%s", emu->err.text);
}
