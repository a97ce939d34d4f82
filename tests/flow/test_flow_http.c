/*
 * The wire http: a target and a master that speak it, both ends' bytes, kept and closed, answers
 * that wait, faults, and a master with a port for each wire and one registry.
 */
#include "tests/support/range.h"

#include "emulator/master/wire_http.h"
#include "emulator/target/wire_http.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

static struct range range;
static struct guest guest;
static struct target_http_options options;
static struct master_http_options master_options;

#define TARGET_HEAD(status, length)                                                                \
	"HTTP/1.1 " status "\r\nContent-Type: application/json\r\nContent-Length: " length         \
	"\r\nConnection: close\r\n\r\n"
#define KEPT_HEAD(status, length)                                                                  \
	"HTTP/1.1 " status "\r\nContent-Type: application/json\r\nContent-Length: " length         \
	"\r\n\r\n"
#define PONG                                                                                       \
	"{\"status\": \"alive\", \"target_id\": \"target_1\", \"message\": "                       \
	"\"Target reporting for duty!\"}"
#define HOST "Host: 127.1.0.1:8081\r\n"

static void over_http(void)
{
	options = (struct target_http_options){ 1, false, 2048, 8192, 64, 24576 };
	master_options = (struct master_http_options){ 1 };
	range_init(&range, QN_SNYPER_CPYTHON);
	range.group.wire = target_wire(WIRE_HTTP);
	range.group.wire_options = &options;
	range.options.listen.wire = WIRE_HTTP;
	range.options.listen.wire_options = &master_options;
}

static void finish(void)
{
	range_release(&range);
}

/* A target in service, without a master that would speak to it. */
static struct target *in_service(void)
{
	struct target *target = range_target(&range);

	range_master(&range);
	target_power_on(target);
	range_pass(&range, 10);
	cr_assert_eq(target->state, TARGET_DOWN);
	range_trace(&range);
	return target;
}

static const char *ask(const char *request)
{
	guest_call(&range, &guest, 0);
	range_pass(&range, 0);
	guest_send(&guest, request);
	range_pass(&range, 0);
	return guest_take(&guest);
}

static void expect_answer(const char *request, const char *answer, bool closed)
{
	cr_expect_str_eq(ask(request), answer, "%s", request);
	cr_expect_eq(guest.ended, closed);
	if (!guest.ended)
		guest_close(&guest);
	range_pass(&range, 0);
}

Test(flow_http, registration, .init = over_http, .fini = finish)
{
	struct target *target = range_target(&range);

	range_master(&range);
	target_power_on(target);
	range_pass(&range, 10);
	cr_assert_eq(pipe_units(range.net), 2u);
	cr_expect_str_eq(pipe_unit(range.net, 0)->bytes,
			 "POST /register HTTP/1.1\r\nHost: 127.0.0.1:8081\r\nConnection: close\r\n"
			 "Content-Type: application/json\r\nContent-Length: 25\r\n\r\n"
			 "{\"client_id\": \"target_1\"}");
	cr_expect_str_eq(pipe_unit(range.net, 1)->bytes,
			 TARGET_HEAD("200 OK", "49") "{\"status\": \"registered\", "
						     "\"client_id\": \"target_1\"}");
	cr_expect(target->registered && target->state == TARGET_DOWN);
	cr_expect_eq(master_known(range.master), 1u);
}

Test(flow_http, registration_in_1_0, .init = over_http, .fini = finish)
{
	options.version = 0;
	range_master(&range);
	target_power_on(range_target(&range));
	range_pass(&range, 10);
	cr_expect_eq(strncmp(pipe_unit(range.net, 0)->bytes, "POST /register HTTP/1.0\r\n", 25), 0);
	cr_expect_eq(strncmp(pipe_unit(range.net, 1)->bytes, "HTTP/1.0 200 OK\r\n", 17), 0);
	cr_expect_eq(master_known(range.master), 1u);
}

static void answered_with(const char *answer, bool closes, const char *trace)
{
	static struct stranger stranger;

	memset(&stranger, 0, sizeof(stranger));
	stranger_listen(&range, &stranger, range.group.master);
	target_power_on(range_target(&range));
	range_pass(&range, 10);
	range_trace(&range);
	guest_send(&stranger.guests[0], answer);
	if (closes)
		guest_close(&stranger.guests[0]);
	range_pass(&range, 1);
	EXPECT_TRACE(&range, trace);
	stranger_stop(&stranger);
}

Test(flow_http, refused_registration, .init = over_http, .fini = finish)
{
	answered_with("HTTP/1.0 400 Bad Request\r\n\r\n{\"error\": \"x\"}", true,
		      "10 target_1 register_failed: Bad Request\n"
		      "10 target_1 gave_up: registration failed\n");
}

Test(flow_http, registration_without_a_length, .init = over_http, .fini = finish)
{
	answered_with("HTTP/1.0 200 OK\r\n\r\n{\"status\": \"registered\"}", true,
		      "10 target_1 registered\n10 target_1 listening\n");
}

Test(flow_http, registration_that_says_something_else, .init = over_http, .fini = finish)
{
	answered_with("HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\n{}", false,
		      "10 target_1 register_failed: wrong_type\n"
		      "10 target_1 gave_up: registration failed\n");
}

Test(flow_http, registration_cut_short, .init = over_http, .fini = finish)
{
	answered_with("HTTP/1.0 200 OK\r\nContent-Length: 20\r\n\r\n{}", true,
		      "10 target_1 register_failed: closed without an answer\n"
		      "10 target_1 gave_up: registration failed\n");
}

Test(flow_http, answers, .init = over_http, .fini = finish)
{
	in_service();
	expect_answer("GET /ping HTTP/1.1\r\n" HOST "\r\n", TARGET_HEAD("200 OK", "85") PONG, true);
	expect_answer("GET /stand_up HTTP/1.1\r\n" HOST "\r\n",
		      TARGET_HEAD("200 OK", "53") "{\"status\": \"command_queued\", "
						  "\"target_id\": \"target_1\"}",
		      true);
	expect_answer("GET /lay_down?why=not HTTP/1.1\r\n" HOST "\r\n",
		      TARGET_HEAD("200 OK", "53") "{\"status\": \"command_queued\", "
						  "\"target_id\": \"target_1\"}",
		      true);
	expect_answer(
		"POST /activate HTTP/1.1\r\n" HOST "Content-Length: 18\r\n\r\n"
		"{\"duration\": 2.50}",
		TARGET_HEAD("200 OK", "74") "{\"status\": \"activation_queued\", \"target_id\": "
					    "\"target_1\", \"duration\": 2.50}",
		true);
	expect_answer(
		"POST /activate HTTP/1.1\r\n" HOST "Content-Length: 2\r\n\r\n{}",
		TARGET_HEAD("200 OK", "71") "{\"status\": \"activation_queued\", \"target_id\": "
					    "\"target_1\", \"duration\": 5}",
		true);
	EXPECT_TRACE(&range, "10 target_1 command ping\n10 target_1 answer pong\n"
			     "10 target_1 command stand_up\n10 target_1 answer standing\n"
			     "10 target_1 rising\n"
			     "10 target_1 command lay_down\n10 target_1 answer down\n"
			     "10 target_1 command activate\n10 target_1 answer activated\n"
			     "10 target_1 command activate\n10 target_1 answer activated\n");
}

Test(flow_http, refused_requests, .init = over_http, .fini = finish)
{
	in_service();
	expect_answer("GET /fly HTTP/1.1\r\n" HOST "\r\n",
		      TARGET_HEAD("404 Not Found", "22") "{\"error\": \"Not Found\"}", true);
	expect_answer("POST /ping HTTP/1.1\r\n" HOST "\r\n",
		      TARGET_HEAD("405 Method Not Allowed", "31") "{\"error\": "
								  "\"Method Not Allowed\"}",
		      true);
	expect_answer("POST /activate HTTP/1.1\r\n" HOST "Content-Length: 4\r\n\r\nnope",
		      TARGET_HEAD("400 Bad Request", "39") "{\"error\": \"the body is no JSON "
							   "object\"}",
		      true);
	expect_answer("POST /activate HTTP/1.1\r\n" HOST "Content-Length: 17\r\n\r\n"
		      "{\"duration\": \"x\"}",
		      TARGET_HEAD("400 Bad Request", "38") "{\"error\": \"duration must be a "
							   "number\"}",
		      true);
	/* Smuggling: whatever stands behind it is not looked at. */
	expect_answer("POST /activate HTTP/1.1\r\n" HOST "Content-Length: 4\r\n"
		      "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /stand_up HTTP/1.1\r\n" HOST
		      "\r\n",
		      TARGET_HEAD("400 Bad Request", "36") "{\"error\": \"two lengths of one "
							   "body\"}",
		      true);
	cr_expect_eq(range.env.totals.bad_lines, 5u);
	cr_expect_eq(range.env.totals.commands[RANGE_STAND_UP], 0u);
}

Test(flow_http, header_flood, .init = over_http, .fini = finish)
{
	static char request[20000];
	size_t len = (size_t)sprintf(request, "GET /ping HTTP/1.1\r\n" HOST);

	in_service();
	for (int i = 0; i < 100; i++)
		len += (size_t)sprintf(request + len, "X-%d: y\r\n", i);
	strcpy(request + len, "\r\n");
	cr_expect(strncmp(ask(request), "HTTP/1.1 431 ", 13) == 0);
	cr_expect(guest.ended);
	/* One header that never ends. */
	memset(request, 'x', 9000);
	memcpy(request, "GET /ping HTTP/1.1\r\nX: ", 23);
	request[9000] = '\0';
	cr_expect(strncmp(ask(request), "HTTP/1.1 431 ", 13) == 0);
	cr_expect(guest.ended);
}

Test(flow_http, kept_and_pipelined, .init = over_http, .fini = finish)
{
	options.keep = true;
	in_service();
	expect_answer("GET /ping HTTP/1.1\r\n" HOST "\r\nGET /fly HTTP/1.1\r\n" HOST "\r\n",
		      KEPT_HEAD("200 OK", "85") PONG KEPT_HEAD("404 Not Found", "22") "{\"error\": "
										      "\"Not "
										      "Found\"}",
		      false);
	expect_answer("GET /ping HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n"
		      "GET /ping HTTP/1.1\r\n" HOST "\r\n",
		      TARGET_HEAD("200 OK", "85") PONG, true);
	expect_answer("GET /ping HTTP/1.0\r\n\r\n",
		      "HTTP/1.0 200 OK\r\nContent-Type: application/json\r\nContent-Length: "
		      "85\r\n\r\n" PONG,
		      true);
	expect_answer("GET /ping HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
		      "HTTP/1.0 200 OK\r\nContent-Type: application/json\r\nContent-Length: 85\r\n"
		      "Connection: keep-alive\r\n\r\n" PONG,
		      false);
}

/* With reply = "done" a ping behind a move waits for it: answers keep the requests' order. */
Test(flow_http, answers_in_order, .init = over_http, .fini = finish)
{
	options.keep = true;
	range.group.reply = TARGET_REPLY_DONE;
	in_service();
	cr_expect_str_eq(
		ask("GET /stand_up HTTP/1.1\r\n" HOST "\r\nGET /ping HTTP/1.1\r\n" HOST "\r\n"),
		"");
	range_pass(&range, 499);
	cr_expect_str_eq(guest_take(&guest), "");
	range_pass(&range, 1);
	cr_expect_str_eq(guest_take(&guest),
			 KEPT_HEAD("200 OK", "47") "{\"status\": \"standing\", \"target_id\": "
						   "\"target_1\"}" KEPT_HEAD("200 OK", "85") PONG);
}

Test(flow_http, continues, .init = over_http, .fini = finish)
{
	in_service();
	cr_expect_str_eq(ask("POST /activate HTTP/1.1\r\n" HOST
			     "Expect: 100-continue\r\nContent-Length: 2\r\n\r\n"),
			 "HTTP/1.1 100 Continue\r\n\r\n");
	guest_send(&guest, "{}");
	range_pass(&range, 0);
	cr_expect(strncmp(guest_take(&guest), "HTTP/1.1 200 OK\r\n", 17) == 0);
}

/* ---- faults ---- */

static void with_fault(struct target *target, struct fault_spec *spec)
{
	spec->probability = 1;
	cr_assert(target_fault_on(target, spec));
}

Test(flow_http, fault_answers, .init = over_http, .fini = finish)
{
	struct fault_spec status = { .kind = FAULT_HTTP_STATUS, .count = 503 };
	struct fault_spec length = { .kind = FAULT_HTTP_LENGTH, .count = 13 };
	struct fault_spec cut = { .kind = FAULT_CUT_JSON, .factor = 0.5 };
	struct fault_spec twice = { .kind = FAULT_DUPLICATE };
	struct fault_spec newline = { .kind = FAULT_NO_NEWLINE };

	cr_assert_eq(target_env_reserve_faults(&range.env, 4), 0);
	struct target *target = in_service();
	with_fault(target, &status);
	expect_answer("GET /ping HTTP/1.1\r\n" HOST "\r\n", TARGET_HEAD("503 OK", "85") PONG, true);
	target_fault_off(target, FAULT_HTTP_STATUS);
	with_fault(target, &length);
	expect_answer("GET /ping HTTP/1.1\r\n" HOST "\r\n", TARGET_HEAD("200 OK", "98") PONG, true);
	target_fault_off(target, FAULT_HTTP_LENGTH);
	with_fault(target, &cut);
	expect_answer("GET /ping HTTP/1.1\r\n" HOST "\r\n",
		      TARGET_HEAD("200 OK", "42") "{\"status\": \"alive\", \"target_id\": "
						  "\"target_1",
		      true);
	target_fault_off(target, FAULT_CUT_JSON);
	with_fault(target, &twice);
	expect_answer("GET /ping HTTP/1.1\r\n" HOST "\r\n",
		      TARGET_HEAD("200 OK", "85") PONG TARGET_HEAD("200 OK", "85") PONG, true);
	target_fault_off(target, FAULT_DUPLICATE);
	/* It makes no sense here, and changes nothing. */
	with_fault(target, &newline);
	cr_expect_not(target_fault_active(target, FAULT_NO_NEWLINE));
}

/* ---- a master ---- */

static unsigned results[3];

static void over(struct master *master, uint32_t number, enum range_word word,
		 enum master_outcome outcome, void *context)
{
	(void)master;
	(void)number;
	(void)word;
	(void)context;
	results[outcome]++;
}

static void command(enum range_word word)
{
	cr_assert_eq(master_command(range.master, 0, word, range.loop.now_ns,
				    (struct qn_text){ NULL, 0 }, over, NULL),
		     0);
	range_pass(&range, 0);
}

Test(flow_http, commands, .init = over_http, .fini = finish)
{
	in_service();
	size_t before = pipe_units(range.net);
	command(RANGE_PING);
	command(RANGE_STAND_UP);
	command(RANGE_LAY_DOWN);
	command(RANGE_ACTIVATE);
	cr_expect_eq(results[MASTER_OK], 4u);
	cr_expect_str_eq(pipe_unit(range.net, before)->bytes,
			 "GET /ping HTTP/1.1\r\nHost: 127.1.0.1:8081\r\nConnection: close\r\n\r\n");
	cr_expect_str_eq(pipe_unit(range.net, before + 6)->bytes,
			 "POST /activate HTTP/1.1\r\nHost: 127.1.0.1:8081\r\nConnection: close\r\n"
			 "Content-Type: application/json\r\nContent-Length: 15\r\n\r\n"
			 "{\"duration\": 5}");
	cr_expect_eq(range.net->stats.accepted, 5u, "one connection each");
}

Test(flow_http, commands_over_a_kept_connection, .init = over_http, .fini = finish)
{
	options.keep = range.options.listen.keep = true;
	in_service();
	for (int i = 0; i < 5; i++)
		command(RANGE_PING);
	cr_expect_eq(results[MASTER_OK], 5u);
	cr_expect_eq(range.net->stats.accepted, 2u, "one registration, one kept");
}

/* The master would keep it; the target closes, and says so. */
Test(flow_http, a_target_that_keeps_none, .init = over_http, .fini = finish)
{
	range.options.listen.keep = true;
	in_service();
	for (int i = 0; i < 3; i++)
		command(RANGE_PING);
	cr_expect_eq(results[MASTER_OK], 3u);
	cr_expect_eq(range.net->stats.accepted, 4u);
}

static void bad_answer(const char *answer, bool closes, const char *why)
{
	static struct stranger stranger;
	char trace[256];

	range_master(&range);
	guest_connect(&range, &guest, RANGE_IP(0), range.options.listen.at);
	range_pass(&range, 0);
	guest_send(&guest, "POST /register HTTP/1.0\r\nContent-Length: 25\r\n\r\n"
			   "{\"client_id\": \"target_1\"}");
	range_pass(&range, 0);
	cr_assert_eq(master_known(range.master), 1u);
	memset(&stranger, 0, sizeof(stranger));
	stranger_listen(&range, &stranger, (struct net_addr){ RANGE_IP(0), RANGE_PORT });
	command(RANGE_PING);
	range_trace(&range);
	guest_send(&stranger.guests[0], answer);
	if (closes)
		guest_close(&stranger.guests[0]);
	range_pass(&range, 0);
	snprintf(trace, sizeof(trace), "0 target_1 m_failed ping 0: %s\n", why);
	EXPECT_TRACE(&range, trace);
	cr_expect_eq(results[MASTER_FAILED], 1u);
}

#define BAD(name, answer, closes, why)                                                             \
	Test(flow_http, name, .init = over_http, .fini = finish)                                   \
	{                                                                                          \
		bad_answer(answer, closes, why);                                                   \
	}
BAD(no_http, "pong\n", false, "the answer is no HTTP")
BAD(server_error, "HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n", false, "Internal Server Error")
BAD(another_status, "HTTP/1.0 200 OK\r\n\r\n{\"status\": \"standing\"}", true, "wrong_type")
BAD(no_status, "HTTP/1.0 200 OK\r\n\r\n{}", true, "no_data")
BAD(no_object, "HTTP/1.0 200 OK\r\n\r\n[]", true, "not_a_message")
BAD(cut_short, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{\"st", true, "cut short")
BAD(nothing, "", true, "closed without an answer")

Test(flow_http, master_serves, .init = over_http, .fini = finish)
{
	range.options.listen.keep = true;
	range_master(&range);
	guest_connect(&range, &guest, RANGE_IP(0), range.options.listen.at);
	range_pass(&range, 0);
	guest_send(&guest, "GET / HTTP/1.1\r\n" HOST "\r\n");
	range_pass(&range, 0);
	cr_expect_str_eq(guest_take(&guest),
			 KEPT_HEAD("200 OK", "47") "{\"status\": \"ready\", \"game\": "
						   "\"carnival_shooter\"}");
	guest_send(&guest, "POST /target_hit HTTP/1.1\r\n" HOST "Content-Length: 41\r\n\r\n"
			   "{\"target_id\": \"target_1\", \"hit_value\": 3}");
	range_pass(&range, 0);
	cr_expect_str_eq(guest_take(&guest),
			 KEPT_HEAD("200 OK", "28") "{\"status\": \"hit_registered\"}");
	cr_expect_eq(master_totals(range.master)->hits, 1u);
	guest_send(&guest, "POST /register HTTP/1.1\r\n" HOST "Content-Length: 2\r\n\r\n{}");
	range_pass(&range, 0);
	cr_expect_str_eq(guest_take(&guest),
			 KEPT_HEAD("400 Bad Request", "37") "{\"error\": \"client_id must be a "
							    "name\"}");
	guest_send(&guest, "DELETE / HTTP/1.1\r\n" HOST "\r\n");
	range_pass(&range, 0);
	cr_expect(strncmp(guest_take(&guest), "HTTP/1.1 405 ", 13) == 0);
	guest_send(&guest, "GET / HTTP/1.1\r\n" HOST "X : y\r\n\r\n");
	range_pass(&range, 0);
	cr_expect(strncmp(guest_take(&guest), "HTTP/1.1 400 ", 13) == 0);
	cr_expect(guest.ended);
	cr_expect_eq(master_totals(range.master)->registrations_rejected, 3u);
	cr_expect_eq(master_known(range.master), 0u);
}

/* As the range while it migrated: two ports, one registry; the last registration's wire counts. */
Test(flow_http, two_wires_one_registry, .init = over_http, .fini = finish)
{
	struct master_listener_options http = { .wire = WIRE_HTTP,
						.at = { RANGE_MASTER_IP, 8080 },
						.target_port = RANGE_PORT,
						.profile = qn_snyper_profile(QN_SNYPER_CPYTHON),
						.wire_options = &master_options };

	range.options.listen.wire = WIRE_SNYPER;
	range.options.more = &http;
	range.options.n_more = 1;
	range.group.master.port = 8080;
	in_service();
	command(RANGE_PING);
	cr_expect_eq(results[MASTER_OK], 1u);
	cr_expect_eq(range.env.totals.commands[RANGE_PING], 1u);
	guest_connect(&range, &guest, RANGE_IP(7), range.options.listen.at);
	range_pass(&range, 0);
	guest_send(&guest, "{\"type\": \"register\", \"id\": \"1\", \"data\": {\"client_id\": "
			   "\"target_1\"}}\n");
	range_pass(&range, 0);
	cr_expect_eq(master_known(range.master), 1u, "it is the same target");
	cr_expect_eq(master_remote(range.master, 0)->ip, RANGE_IP(7));
	size_t before = pipe_units(range.net);
	static struct stranger stranger;
	stranger_listen(&range, &stranger, (struct net_addr){ RANGE_IP(7), RANGE_PORT });
	command(RANGE_PING);
	cr_assert_eq(pipe_units(range.net), before + 1);
	cr_expect_eq(pipe_unit(range.net, before)->bytes[0], '{', "asked as it registered last");
}
