/*
 * TLS over the loopback device: units and records, handshakes that come to nothing, ends.
 */
#include "emulator/base/net_tls.h"
#include "emulator/base/pool.h"
#include "tests/support/certs.h"
#include "tests/support/net_bed.h"

#include <stdio.h>
#include <sys/stat.h>

static struct bed bed;
static struct net *below;
static struct tls_context *serving, *dialling;
static struct net *dialler; /* another net of TLS on the same loop: the other end */
static unsigned failures;
static char failed_why[160];
static bool failed_accepted;

static void note_failure(void *owner, struct net_addr peer, bool accepted, const char *why)
{
	cr_expect_eq(owner, &bed);
	cr_expect_eq(peer.ip, LOOPBACK);
	failures++;
	failed_accepted = accepted;
	snprintf(failed_why, sizeof(failed_why), "%s", why);
	bed_note(&bed);
}

static struct tls_context *context_of(const char *ca, const char *cert, const char *key)
{
	struct tls_files files = { ca != NULL ? certs_file(ca) : NULL,
				   cert != NULL ? certs_file(cert) : NULL,
				   key != NULL ? certs_file(key) : NULL };
	struct tls_context *context = NULL;
	char why[256] = "";

	cr_assert_eq(tls_context_new(&files, &context, why, sizeof(why)), 0, "%s", why);
	return context;
}

static struct net *net_of(struct tls_context *context, const char *hostname, bool check,
			  size_t (*record_len)(const char *, size_t))
{
	const struct net_tls_options options = { .context = context,
						 .hostname = hostname,
						 .check_hostname = check,
						 .handshake_timeout_ns = 20 * NS_PER_S,
						 .connections = 32,
						 .listeners = 4,
						 .buffer_bytes = 1 << 20,
						 .record_len = record_len,
						 .failed = note_failure,
						 .owner = &bed };
	struct net *net = NULL;

	cr_assert_eq(net_tls_new(below, &options, &net), 0);
	return net;
}

/* The bed's net and listener become TLS ones; `dialler` is who connects to them. */
static void serve(const char *cert, const char *key)
{
	serving = context_of("ca.pem", cert, key);
	net_unlisten(bed.listener);
	bed.net = net_of(serving, NULL, true, NULL);
	cr_assert_eq(net_listen(bed.net, (struct net_addr){ LOOPBACK, 0 }, &bed.listener), 0);
	bed.listener->accepted = bed_accepted;
	bed.listener->owner = &bed;
}

static void dial_with(const char *ca, const char *cert, const char *key, const char *hostname,
		      bool check)
{
	dialling = context_of(ca, cert, key);
	dialler = net_of(dialling, hostname, check, NULL);
}

static void setup(void)
{
	certs_make();
	bed_init(&bed, 64, 1 << 22);
	below = bed.net;
	failures = 0;
	failed_why[0] = '\0';
}

static void teardown(void)
{
	if (dialler != NULL)
		net_tls_free(dialler);
	if (bed.net != below)
		net_tls_free(bed.net);
	bed.net = below;
	bed_release(&bed);
	tls_context_free(serving);
	tls_context_free(dialling);
	certs_remove();
}

TestSuite(net_tls, .init = setup, .fini = teardown, .timeout = 60);

static struct side *dial(const struct net_handler *handler, const struct net_tls_trick *trick)
{
	struct net_conn *conn;

	cr_assert_eq(net_tls_connect(dialler, (struct net_addr){ 0, 0 }, bed.listener->local,
				     handler, trick, &conn),
		     0);
	return bed_side(&bed, conn);
}

static void both(void)
{
	serve("manager.pem", "manager.key");
	dial_with("ca.pem", "agent.pem", "agent.key", NULL, true);
}

static size_t echo(struct side *side, const char *bytes, size_t len, size_t fresh)
{
	(void)fresh;
	cr_assert_eq(net_send(side->conn, bytes, len), 0);
	return len;
}

static void greet(struct side *side)
{
	cr_expect_eq(net_send(side->conn, "hello", 5), 0);
	cr_expect_eq(net_send(side->conn, "again", 5), 0);
}

/* ---- units ---- */

Test(net_tls, there_and_back)
{
	both();
	bed.take = echo;
	struct side *client = dial(&side_handler, NULL);
	client->on_open = greet;
	cr_expect_eq(net_send(client->conn, "x", 1), -EPIPE, "it is not open yet");
	WAIT(&bed, client->got_len == 10);
	cr_expect_str_eq(client->got, "helloagain");
	cr_expect_eq(client->opened, 1);
	struct side *server = &bed.side[1];
	cr_expect_eq(server->calls, 2, "a call for each record, however they arrived");
	cr_expect_eq(server->last_len, 5);
	cr_expect_str_eq(net_tls_version(client->conn), "TLSv1.3");
	cr_expect_eq(net_tls_stats(bed.net)->records_in, 2);
	cr_expect_eq(net_tls_stats(bed.net)->handshakes, 1);
	cr_expect(bed.net->stats.accepted == 1 && dialler->stats.connected == 1);
	/* Nothing of it stood on the wire: the net below saw more than these ten bytes. */
	cr_expect_gt(below->stats.bytes_in, 1000);
	net_close(client->conn);
	WAIT(&bed, server->closed);
	cr_expect_eq(server->error, 0);
	cr_expect_eq(net_tls_stats(bed.net)->truncated, 0, "close_notify came first");
	cr_expect_eq(client->closed, 0, "no closed() behind our own close");
	cr_expect(bed.net->stats.open == 0 && dialler->stats.open == 0 && failures == 0);
}

/* All that has come so far is taken when it is whole: `whole` bytes. */
static size_t whole;
static size_t take_whole(struct side *side, const char *bytes, size_t len, size_t fresh)
{
	if (whole > NET_REST_DEFAULT && whole < BUFFER_LARGEST)
		side->conn->rest_max = (uint32_t)whole;
	(void)bytes;
	(void)fresh;
	return len < whole ? 0 : whole;
}

static char *pattern(size_t len)
{
	char *bytes = malloc(len);

	cr_assert_not_null(bytes);
	for (size_t i = 0; i < len; i++)
		bytes[i] = (char)(i * 2654435761u >> 11);
	return bytes;
}

static void send_whole(struct side *side)
{
	char *bytes = pattern(whole);

	/* 32 kB at a time, as far as the sockets take them. */
	for (size_t at = 0; at < whole; at += 32768) {
		size_t len = whole - at < 32768 ? whole - at : 32768;
		cr_expect_eq(net_send(side->conn, bytes + at, len), 0);
	}
	free(bytes);
}

static void long_message(size_t len)
{
	both();
	whole = len;
	bed.take = take_whole;
	struct side *client = dial(&side_handler, NULL);
	client->on_open = send_whole;
	WAIT(&bed, bed.sides == 2 && (bed.side[1].got_len > 0 || bed.side[1].closed));
	char *bytes = pattern(len);
	struct side *server = &bed.side[1];
	cr_assert_eq(server->got_len, len);
	cr_assert_eq(memcmp(server->got, bytes, len), 0);
	cr_assert_eq(server->calls, (int)((len + 16383) / 16384), "records of 16 kB at most");
	free(bytes);
}

Test(net_tls, a_message_of_several_records)
{
	long_message(60000);
}

Test(net_tls, a_message_that_needs_a_large_buffer)
{
	long_message(300000);
}

Test(net_tls, longer_than_any_buffer)
{
	both();
	whole = SIZE_MAX;
	bed.take = take_whole;
	struct side *client = dial(&side_handler, NULL);
	WAIT(&bed, client->opened);
	struct side *server = &bed.side[1];
	char *bytes = pattern(16384);
	for (size_t sent = 0; !server->closed; sent += 16384) {
		cr_assert_lt(sent, 4u << 20);
		size_t before = server->calls;
		cr_assert_eq(net_send(client->conn, bytes, 16384), 0);
		WAIT(&bed, (size_t)server->calls > before || server->closed);
	}
	free(bytes);
	cr_expect_eq(server->error, -ENOBUFS);
	cr_expect_eq(bed.net->stats.buffers_short, 1);
	WAIT(&bed, client->closed);
}

static size_t pairs(const char *bytes, size_t len)
{
	(void)bytes;
	return len < 2 ? len : 2;
}

Test(net_tls, units_cut_into_records)
{
	serve("manager.pem", "manager.key");
	dialling = context_of("ca.pem", "agent.pem", "agent.key");
	dialler = net_of(dialling, NULL, true, pairs);
	struct side *client = dial(&side_handler, NULL);
	WAIT(&bed, client->opened);
	struct side *server = &bed.side[1];
	cr_expect_eq(net_send(client->conn, "aabbc", 5), 0);
	WAIT(&bed, server->got_len == 5);
	cr_expect_eq(server->calls, 3);
	net_tls_join(client->conn, true);
	cr_expect_eq(net_send(client->conn, "ddeef", 5), 0);
	WAIT(&bed, server->got_len == 10);
	cr_expect_eq(server->calls, 4);
	cr_expect_str_eq(server->got, "aabbcddeef");
}

/* ---- handshakes that come to nothing ---- */

static void refused(int client_error, const char *client_why, bool seen_by_server)
{
	struct side *client = dial(&side_handler, NULL);

	WAIT(&bed, client->closed && (!seen_by_server || failures > 0));
	cr_expect_eq(client->error, client_error, "%s", strerror(-client->error));
	cr_expect_str_eq(net_tls_why(dialler), client_why);
	cr_expect_eq(bed.sides, 1, "nobody heard of the server's end");
}

Test(net_tls, a_manager_of_another_ca)
{
	serve("stranger.pem", "stranger.key");
	dial_with("ca.pem", "agent.pem", "agent.key", NULL, true);
	refused(-EKEYREJECTED, "the peer's certificate: unable to get local issuer certificate",
		true);
}

Test(net_tls, a_manager_whose_time_is_over)
{
	serve("expired.pem", "expired.pem");
	dial_with("ca.pem", "agent.pem", "agent.key", NULL, false);
	refused(-EKEYEXPIRED, "the peer's certificate: certificate has expired", true);
}

Test(net_tls, a_manager_of_another_name)
{
	serve("elsewhere.pem", "elsewhere.key");
	dial_with("ca.pem", "agent.pem", "agent.key", NULL, true);
	refused(-EKEYREJECTED, "the peer's certificate: IP address mismatch", true);
}

Test(net_tls, another_name_where_nobody_asks)
{
	serve("elsewhere.pem", "elsewhere.key");
	dial_with("ca.pem", "agent.pem", "agent.key", NULL, false);
	struct side *client = dial(&side_handler, NULL);
	WAIT(&bed, client->opened);
}

Test(net_tls, a_name_that_is_asked_for)
{
	serve("elsewhere.pem", "elsewhere.key");
	dial_with("ca.pem", "agent.pem", "agent.key", "elsewhere.example", true);
	struct side *client = dial(&side_handler, NULL);
	WAIT(&bed, client->opened);
}

Test(net_tls, a_name_that_is_not_the_asked_one)
{
	serve("manager.pem", "manager.key");
	dial_with("ca.pem", "agent.pem", "agent.key", "elsewhere.example", true);
	refused(-EKEYREJECTED, "the peer's certificate: hostname mismatch", true);
}

/* In TLS 1.3 the client is done before the server has looked at its certificate: it learns of the
 * refusal afterwards. */
static void refused_later(const struct net_tls_trick *trick, int client_error,
			  const char *server_why)
{
	struct side *client = dial(&side_handler, trick);

	WAIT(&bed, client->closed && failures > 0);
	cr_expect_eq(client->opened, 1);
	cr_expect_eq(client->error, client_error, "%s", net_tls_why(dialler));
	cr_expect_str_eq(failed_why, server_why);
	cr_expect(failed_accepted);
	cr_expect_eq(net_tls_stats(bed.net)->handshakes_failed, 1);
	cr_expect_eq(bed.sides, 1, "nobody heard of the server's end");
}

Test(net_tls, an_agent_of_another_ca)
{
	serve("manager.pem", "manager.key");
	dial_with("ca.pem", "stranger.pem", "stranger.key", NULL, true);
	refused_later(NULL, -EKEYREJECTED,
		      "the peer's certificate: unable to get local issuer certificate");
}

Test(net_tls, an_agent_whose_time_is_over)
{
	serve("manager.pem", "manager.key");
	dial_with("ca.pem", "expired.pem", "expired.pem", NULL, true);
	refused_later(NULL, -EKEYEXPIRED, "the peer's certificate: certificate has expired");
}

Test(net_tls, an_agent_without_a_certificate)
{
	serve("manager.pem", "manager.key");
	dial_with("ca.pem", NULL, NULL, NULL, true);
	refused_later(NULL, -EKEYREJECTED, "peer did not return a certificate");
}

Test(net_tls, an_agent_that_shows_a_strangers_certificate)
{
	struct tls_context *stranger = NULL;
	char why[160] = "";

	both();
	cr_assert_eq(tls_context_new_stranger(certs_file("ca.pem"), &stranger, why, sizeof(why)), 0,
		     "%s", why);
	struct net_tls_trick trick = { .context = stranger };
	refused_later(&trick, -EKEYREJECTED, "the peer's certificate: self-signed certificate");
	tls_context_free(stranger);
	/* The next one is honest again. */
	struct side *client = dial(&side_handler, NULL);
	WAIT(&bed, client->opened && bed.sides == 3);
}

static struct net *hurried(struct tls_context *context)
{
	const struct net_tls_options options = { .context = context,
						 .handshake_timeout_ns = 50 * NS_PER_MS,
						 .connections = 4,
						 .listeners = 1,
						 .failed = note_failure,
						 .owner = &bed };
	struct net *net = NULL;

	cr_assert_eq(net_tls_new(below, &options, &net), 0);
	return net;
}

Test(net_tls, a_client_that_stalls)
{
	both();
	struct net *impatient = hurried(serving);
	struct net_listener *listener;
	cr_assert_eq(net_listen(impatient, (struct net_addr){ LOOPBACK, 0 }, &listener), 0);
	bed.listener->local = listener->local;
	struct net_tls_trick trick = { .stall = true };
	struct side *client = dial(&side_handler, &trick);
	WAIT(&bed, client->closed);
	cr_expect_str_eq(failed_why,
			 "the peer ended the connection within the handshake"); /* its own */
	cr_expect_eq(client->error, -ECONNRESET);
	cr_expect_eq(net_tls_stats(impatient)->handshakes_timed_out, 1);
	cr_expect_eq(failures, 2);
	net_tls_free(impatient);
}

Test(net_tls, a_server_that_stalls)
{
	struct net_addr at;
	int listener = plain_listen(&at);

	both();
	struct net *impatient = hurried(dialling);
	struct net_conn *conn;
	cr_assert_eq(net_connect(impatient, (struct net_addr){ 0, 0 }, at, &side_handler, &conn),
		     0);
	struct side *client = bed_side(&bed, conn);
	WAIT(&bed, client->closed);
	cr_expect_eq(client->error, -ETIMEDOUT);
	cr_expect_str_eq(net_tls_why(impatient), "the TLS handshake took too long");
	cr_expect_eq(client->opened, 0);
	cr_expect_eq(impatient->stats.connect_failed, 1);
	net_tls_free(impatient);
	close(listener);
}

Test(net_tls, a_client_that_speaks_no_tls)
{
	both();
	int fd = plain_connect(bed.listener->local);
	plain_send(fd, "GET / HTTP/1.1\r\n\r\n", 18);
	WAIT(&bed, failures > 0);
	cr_expect_str_eq(failed_why, "http request");
	close(fd);
	fd = plain_connect(bed.listener->local);
	plain_send(fd, "\x16\x03\x01\xff\xff\x01", 6);
	plain_reset(fd);
	WAIT(&bed, failures > 1);
	cr_expect_eq(bed.sides, 0);
}

Test(net_tls, nobody_listens)
{
	both();
	struct net_addr nowhere = bed.listener->local;
	net_unlisten(bed.listener);
	struct net_conn *conn;
	cr_assert_eq(net_connect(dialler, (struct net_addr){ 0, 0 }, nowhere, &side_handler, &conn),
		     0);
	struct side *client = bed_side(&bed, conn);
	WAIT(&bed, client->closed);
	cr_expect_eq(client->error, -ECONNREFUSED);
	/* bed_release() wants one. */
	cr_assert_eq(net_listen(bed.net, (struct net_addr){ LOOPBACK, 0 }, &bed.listener), 0);
}

Test(net_tls, the_listener_goes_while_hands_are_shaken)
{
	both();
	int fd = plain_connect(bed.listener->local);
	struct side *client = dial(&side_handler, NULL);
	WAIT(&bed, client->opened && bed.sides == 2);
	net_unlisten(bed.listener);
	char byte;
	cr_expect_eq(bed.net->stats.open, 1);
	cr_expect_eq(recv(fd, &byte, 1, 0), -1);
	/* Those that were open stay. */
	struct side *server = &bed.side[1];
	cr_expect_eq(net_send(client->conn, "x", 1), 0);
	WAIT(&bed, server->got_len == 1);
	close(fd);
	cr_assert_eq(net_listen(bed.net, (struct net_addr){ LOOPBACK, 0 }, &bed.listener), 0);
}

Test(net_tls, more_than_there_is_room_for)
{
	both();
	struct net *small = hurried(serving);
	struct net_listener *listener;
	int fds[6];
	cr_assert_eq(net_listen(small, (struct net_addr){ LOOPBACK, 0 }, &listener), 0);
	for (int i = 0; i < 6; i++)
		fds[i] = plain_connect(listener->local);
	WAIT(&bed, small->stats.refused_full == 2);
	cr_expect_eq(small->stats.open_max, 4);
	WAIT(&bed, failures == 4);
	for (int i = 0; i < 6; i++)
		close(fds[i]);
	net_tls_free(small);
}

/* ---- ends ---- */

Test(net_tls, an_end_without_close_notify)
{
	both();
	bed.handler = &ending_handler;
	struct side *client = dial(&side_handler, NULL);
	WAIT(&bed, client->opened && bed.sides == 2);
	net_reset(client->conn);
	struct side *server = &bed.side[1];
	WAIT(&bed, server->closed);
	cr_expect_eq(server->error, -ECONNRESET);
	cr_expect_eq(server->ended, 0);
	cr_expect_str_eq(net_tls_why(bed.net), "Connection reset by peer");
}

Test(net_tls, a_half_close_is_still_answered)
{
	both();
	bed.handler = &ending_handler;
	struct side *client = dial(&ending_handler, NULL);
	WAIT(&bed, client->opened && bed.sides == 2);
	struct side *server = &bed.side[1];
	net_close(server->conn);
	WAIT(&bed, client->ended);
	cr_expect_eq(client->closed, 0, "it closes itself");
	net_close(client->conn);
	cr_expect_eq(dialler->stats.open, 0);
}

static size_t close_at_once(struct side *side, const char *bytes, size_t len, size_t fresh)
{
	(void)bytes;
	(void)fresh;
	net_close(side->conn);
	side->conn = NULL;
	return len;
}

Test(net_tls, closed_by_its_own_handler)
{
	both();
	bed.take = close_at_once;
	struct side *client = dial(&side_handler, NULL);
	client->on_open = greet;
	WAIT(&bed, client->closed);
	cr_expect_eq(bed.side[1].calls, 1, "the second record is nobody's");
	cr_expect_eq(bed.side[1].closed, 0);
}

Test(net_tls, refused_by_its_listener)
{
	both();
	bed.refuse = true;
	struct side *client = dial(&side_handler, NULL);
	WAIT(&bed, client->closed);
	cr_expect_eq(client->error, 0);
}

Test(net_tls, freed_with_open_connections)
{
	both();
	struct side *client = dial(&side_handler, NULL);
	WAIT(&bed, client->opened && bed.sides == 2);
	dial(&side_handler, NULL);
}

/* ---- contexts ---- */

Test(net_tls, files_that_are_none)
{
	struct tls_context *context = NULL;
	char why[256];
	const struct {
		const char *ca, *cert, *key, *why;
	} vectors[] = {
		{ "none.pem", NULL, NULL, "cannot read the CA's certificates from" },
		{ "ca.pem", "none.pem", "agent.key", "cannot read the certificate from" },
		{ "ca.pem", "agent.pem", "none.key", "cannot read the key from" },
		{ "ca.pem", "agent.pem", "manager.key", "key values mismatch" },
		{ "ca.pem", "agent.key", "agent.key", "cannot read the certificate from" },
	};

	for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
		struct tls_files files = { certs_file(vectors[i].ca),
					   vectors[i].cert ? certs_file(vectors[i].cert) : NULL,
					   vectors[i].key ? certs_file(vectors[i].key) : NULL };
		cr_expect_eq(tls_context_new(&files, &context, why, sizeof(why)), -EINVAL);
		cr_expect_not_null(strstr(why, vectors[i].why), "%s", why);
	}
	cr_expect_null(context);
	serve("manager.pem", "manager.key");
}

Test(net_tls, who_has_no_certificate_cannot_listen)
{
	struct net_listener *listener;

	serve("manager.pem", "manager.key");
	dial_with("ca.pem", NULL, NULL, NULL, true);
	cr_expect_eq(net_listen(dialler, (struct net_addr){ LOOPBACK, 0 }, &listener), -ENOKEY);
}

Test(net_tls, sha256)
{
	unsigned char digest[TLS_SHA256_BYTES];
	char text[65] = "";

	tls_sha256("abc", 3, digest); /* FIPS 180-2, B.1 */
	for (int i = 0; i < TLS_SHA256_BYTES; i++)
		snprintf(text + 2 * i, 3, "%02x", digest[i]);
	cr_expect_str_eq(text, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	serve("manager.pem", "manager.key");
}

Test(net_tls, secrets_for_wireshark)
{
	struct stat info;

	setenv("SSLKEYLOGFILE", certs_file("keys.log"), 1);
	both();
	struct side *client = dial(&side_handler, NULL);
	WAIT(&bed, client->opened && bed.sides == 2);
	cr_expect_eq(stat(certs_file("keys.log"), &info), 0);
	cr_expect_gt(info.st_size, 500);
	cr_expect_eq(info.st_mode & 0777, 0600);
}

Test(net_tls, somebody_only_looks)
{
	both();
	bed.tick_ns = NS_PER_MS;
	int fd = plain_connect(bed.listener->local);
	WAIT(&bed, bed.net->stats.open == 1);
	close(fd);
	WAIT(&bed, bed.net->stats.closed == 1);
	cr_expect_eq(failures, 0, "%s", failed_why);
	cr_expect_eq(net_tls_stats(bed.net)->handshakes_failed, 0);
}
