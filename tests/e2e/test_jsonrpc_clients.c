/*
 * Clients that others wrote (npm's ws, jayson, rpc-websockets, vscode-ws-jsonrpc, eventsource,
 * @msgpack/msgpack; Debian's python3-websockets and python3-msgpack; curl) against the wire
 * jsonrpc: the library with nothing behind it, and targets of a running emulator. Skipped, and
 * counted so, where they are not to be had: tests/clients/install fetches them.
 */
#include "tests/support/e2e.h"
#include "tests/support/require.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

TestSuite(jsonrpc_clients, .init = e2e_begin, .fini = e2e_end);

#define SKIP(...)                                                                                  \
	do {                                                                                       \
		e2e_end();                                                                         \
		cr_skip(__VA_ARGS__);                                                              \
	} while (0)

static const char *in_source(const char *path)
{
	static char text[512];

	snprintf(text, sizeof(text), "%s/tests/clients/%s", getenv("QN_SOURCE_DIR"), path);
	return text;
}

/* The modules, of whichever build they were installed in. False: of none. */
static bool find_modules(void)
{
	static const char *const places[] = { "%s/../clients", "%s/../../clients" };
	char folder[512], probe[600];

	for (size_t i = 0; i < 2; i++) {
		snprintf(folder, sizeof(folder), i == 0 ? places[0] : places[1],
			 getenv("QN_BIN_DIR"));
		snprintf(probe, sizeof(probe), "%s/node_modules/ws/package.json", folder);
		if (access(probe, R_OK) == 0)
			return setenv("CLIENTS", folder, 1) == 0;
	}
	return false;
}

static const char *find_program(const char *const paths[])
{
	for (; *paths != NULL; paths++)
		if (access(*paths, X_OK) == 0)
			return *paths;
	return NULL;
}

static const char *node(void)
{
	return find_program((const char *const[]){ "/usr/bin/node", "/usr/local/bin/node", NULL });
}

/* Runs to its end, with what the others say meanwhile; its exit code. */
static int run(struct process *client, struct process *server, const char *const argv[])
{
	struct process *both[] = { client, server };

	process_start(client, argv, NULL);
	while (!process_ended(client))
		if (!process_pump(both, 2, PATIENCE_MS))
			cr_assert_fail("no end: %s", client->out.text);
	return client->code;
}

static void start_echo(struct process *server)
{
	char program[512];

	snprintf(program, sizeof(program), "%s/../bench/rpc_echo", getenv("QN_BIN_DIR"));
	const char *argv[] = { program, e2e_text("@A.0.1"), e2e_text("@P"), NULL };
	process_start(server, argv, NULL);
	emu_listens(server, e2e_ip(0, 1), e2e_port('P'));
}

static void expect_all_ok(const struct process *client, int code)
{
	cr_expect_eq(code, 0, "%s%s", client->out.text, client->err.text);
	cr_expect(strstr(client->out.text, "ok ") != NULL);
	cr_expect(strstr(client->out.text, "not ok") == NULL);
}

Test(jsonrpc_clients, npm)
{
	static struct process server, client;

	if (node() == NULL || !find_modules())
		SKIP("no node, or tests/clients/install has not run\n");
	start_echo(&server);
	const char *argv[] = { node(), in_source("echo.mjs"), e2e_text("@A.0.1:@P"), NULL };
	expect_all_ok(&client, run(&client, &server, argv));
	process_free(&client);
	process_free(&server);
}

Test(jsonrpc_clients, python)
{
	static const char *const pythons[] = { "/usr/bin/python3", NULL };
	static struct process server, client;

	if (find_program(pythons) == NULL)
		SKIP("no python3\n");
	start_echo(&server);
	const char *argv[] = { pythons[0], in_source("echo.py"), e2e_text("@A.0.1:@P"), NULL };
	int code = run(&client, &server, argv);
	if (code == 77) {
		process_free(&client);
		process_free(&server);
		SKIP("no python3-websockets, or no python3-msgpack\n");
	}
	expect_all_ok(&client, code);
	process_free(&client);
	process_free(&server);
}

/* Targets of an emulator, without a master. */
static struct process *start_targets(void)
{
	const char *config = e2e_file(
		"servers.cfg",
		"seed = 3;\n"
		"fleet = { groups = ( { label = \"range\"; name = \"target_%d\"; count = 4;\n"
		"  wire = \"jsonrpc\"; port = @P; addresses = \"@A.1.1-@A.1.4\";\n"
		"  jsonrpc = { register = false; };\n"
		"  boot = \"10ms\"; rise = \"50ms\"; fall = \"50ms\";\n"
		"  hit = { probability = 1.0; after = \"20ms\"; }; } ); };\n"
		"scenario = { duration = \"2m\"; };\n");
	struct process *emu = EMU("run", config);

	for (unsigned i = 1; i <= 4; i++)
		emu_listens(emu, e2e_ip(1, i), e2e_port('P'));
	return emu;
}

Test(jsonrpc_clients, npm_against_targets)
{
	static struct process client;

	if (node() == NULL || !find_modules())
		SKIP("no node, or tests/clients/install has not run\n");
	struct process *emu = start_targets();
	const char *argv[] = { node(),
			       in_source("targets.mjs"),
			       e2e_text("@A.1.1:@P"),
			       e2e_text("@A.1.2:@P"),
			       e2e_text("@A.1.3:@P"),
			       e2e_text("@A.1.4:@P"),
			       NULL };
	expect_all_ok(&client, run(&client, emu, argv));
	process_free(&client);
	emu_signal(emu, SIGTERM);
	emu_wait(emu);
}

Test(jsonrpc_clients, curl)
{
	static const char *const curls[] = { "/usr/bin/curl", NULL };
	static struct process client;

	if (find_program(curls) == NULL)
		SKIP("no curl\n");
	struct process *emu = start_targets();
	const char *post[] = {
		curls[0],
		"-s",
		"-d",
		"{\"jsonrpc\":\"2.0\",\"method\":\"target.standUp\",\"id\":\"\\u00e4\"}",
		e2e_text("http://@A.1.1:@P/rpc"),
		NULL
	};
	cr_expect_eq(run(&client, emu, post), 0);
	cr_expect_str_eq(client.out.text,
			 "{\"jsonrpc\":\"2.0\",\"result\":{\"status\":\"command_queued\","
			 "\"target_id\":\"target_1\"},\"id\":\"\\u00e4\"}");
	process_free(&client);
	/* It says to wait before it sends so much: "Expect: 100-continue". */
	const char *large = e2e_file("large.json", "@D");
	FILE *file = fopen(large, "w");
	REQUIRE(file != NULL);
	fputs("{\"jsonrpc\":\"2.0\",\"method\":\"target.ping\",\"id\":1,\"more\":\"", file);
	for (int i = 0; i < 4000; i++)
		fputs("0123456789", file);
	fputs("\"}", file);
	fclose(file);
	char from[512];
	snprintf(from, sizeof(from), "@%s", large);
	const char *long_post[] = { curls[0],
				    "-s",
				    "-H",
				    "Expect: 100-continue",
				    "--data-binary",
				    from,
				    e2e_text("http://@A.1.2:@P/rpc"),
				    NULL };
	cr_expect_eq(run(&client, emu, long_post), 0);
	cr_expect(strstr(client.out.text, "\"alive\"") != NULL, "%s", client.out.text);
	process_free(&client);
	const char *compressed[] = { curls[0],
				     "-s",
				     "--compressed",
				     "-i",
				     e2e_text("http://@A.1.1:@P/api/v1/range/dashboard"),
				     NULL };
	cr_expect_eq(run(&client, emu, compressed), 0);
	cr_expect(strstr(client.out.text, "ETag: \"") != NULL, "%s", client.out.text);
	process_free(&client);
	emu_signal(emu, SIGTERM);
	emu_wait(emu);
}
