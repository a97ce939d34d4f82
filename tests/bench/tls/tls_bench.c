/*
 * The driver of the TLS benchmark, and its client: what a fleet of agents costs beside OpenSSL.
 */
#include "proto/agent/command.h"
#include "tests/bench/children.h"
#include "tests/bench/tls/tls_common.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define AGENTS 50 /* of the throughput */
#define BASE 50   /* of the memory */
#define SLICE_NS (NS_PER_S / 5)
#define PAIRS_MAX 64

static char folder[] = "/tmp/quintain-tls-XXXXXX";
static char bench_dir[256], emu[300];
static unsigned many = 5000, pairs = 31;

static void remove_folder(void)
{
	char command[64];

	snprintf(command, sizeof(command), "rm -rf %s", folder);
	if (system(command) != 0)
		fprintf(stderr, "%s is left behind\n", folder);
}

/* ---- configs ---- */

static const char *fleet_config(const char *name, unsigned port, unsigned count, const char *ping)
{
	static char path[128];

	snprintf(path, sizeof(path), "%s/%s.cfg", folder, name);
	FILE *file = fopen(path, "w");
	if (file == NULL)
		die(errno, "%s", path);
	fprintf(file,
		"fleet = { master = { host = \"127.43.9.1\"; port = %u; }; ramp = 500.0;\n"
		"  groups = ( { name = \"target_%%d\"; count = %u; wire = \"agent\";\n"
		"    agent = { secret = \"x\"; ping_interval = \"%s\"; ping_timeout = \"30s\";\n"
		"      tls = { ca = \"%s/ca.pem\"; cert = \"%s/agent.pem\"; key = "
		"\"%s/agent.key\";\n"
		"        hostname = \"localhost\"; handshake_timeout = \"60s\"; };\n"
		"      hello_timeout = \"60s\"; }; } ); answer_timeout = \"60s\"; };\n",
		port, count, ping, folder, folder, folder);
	fclose(file);
	return path;
}

static const char *master_config(unsigned port, unsigned count)
{
	static char path[128];

	snprintf(path, sizeof(path), "%s/master.cfg", folder);
	FILE *file = fopen(path, "w");
	if (file == NULL)
		die(errno, "%s", path);
	fprintf(file,
		"master = { wire = \"agent\"; listen = { host = \"127.43.9.1\"; port = %u; };\n"
		"  targets_max = %u; agent = { agents = ( { id = \"target_*\"; secret = \"x\"; } );\n"
		"    ping_interval = \"5s\"; ping_timeout = \"30s\";\n"
		"    tls = { ca = \"%s/ca.pem\"; cert = \"%s/manager.pem\"; key = "
		"\"%s/manager.key\"; handshake_timeout = \"60s\"; }; };\n"
		"  wait = { targets = %u; timeout = \"120s\"; };\n"
		"  rounds = ( { command = \"ping\"; after = \"12s\"; }, { command = \"ping\"; "
		"targets = \"target_1\"; after = \"1h\"; } ); answer_timeout = \"60s\"; };\n",
		port, count + 10, folder, folder, folder, count);
	fclose(file);
	return path;
}

/* ---- memory ---- */

static double private_kb(pid_t pid)
{
	char path[64], line[128];
	long kb = 0, n;

	snprintf(path, sizeof(path), "/proc/%d/smaps_rollup", (int)pid);
	FILE *file = fopen(path, "r");
	if (file == NULL)
		die(errno, "%s", path);
	while (fgets(line, sizeof(line), file) != NULL)
		if (sscanf(line, "Private_Dirty: %ld", &n) == 1)
			kb = n;
	fclose(file);
	return (double)kb;
}

/* How often a text stands in a file. */
static size_t count_in(const char *path, const char *text)
{
	FILE *file = fopen(path, "r");
	char line[4096];
	size_t n = 0;

	while (file != NULL && fgets(line, sizeof(line), file) != NULL)
		n += strstr(line, text) != NULL;
	if (file != NULL)
		fclose(file);
	return n;
}

/* kB of the fleet's process with so many agents, all registered and after some pings. */
static double fleet_kb(unsigned count, unsigned port, double *ret_master_kb)
{
	char fleet_log[128], master_log[128], events[128];
	struct child fleet = { 0 }, master = { 0 };

	snprintf(fleet_log, sizeof(fleet_log), "%s/fleet.out", folder);
	snprintf(master_log, sizeof(master_log), "%s/master.out", folder);
	snprintf(events, sizeof(events), "%s/events-%u.log", folder, count);
	const char *const master_argv[] = { emu,     "run",  master_config(port, count),
					    "--log", events, NULL };
	child_start(&master, "the manager", -1, master_log, master_argv);
	nap_ms(300);
	const char *const fleet_argv[] = { emu, "run", fleet_config("fleet", port, count, "5s"),
					   "--quiet", NULL };
	child_start(&fleet, "the fleet", -1, fleet_log, fleet_argv);
	/* The manager commands each once when all are there and 12 s have gone, two pings in all.
	 */
	for (int i = 0; count_in(events, "event=m_round_end") == 0; i++) {
		if (i > 1500)
			die(0, "the fleet of %u has not come together: %s", count, events);
		child_check(&fleet);
		child_check(&master);
		nap_ms(100);
	}
	if (count_in(events, "event=m_ok") != count || count_in(events, "event=m_forgotten") > 0)
		die(0, "some of the %u agents did not answer: %s", count, events);
	double kb = private_kb(fleet.pid);
	*ret_master_kb = private_kb(master.pid);
	child_stop(&fleet);
	child_stop(&master);
	return kb;
}

static double bare_bytes(void)
{
	char program[300], n[16];
	struct child child = { 0 };
	double bytes = 0;

	snprintf(program, sizeof(program), "%s/tls", bench_dir);
	snprintf(n, sizeof(n), "%u", many);
	const char *const argv[] = { program, "bare-memory", folder, n, NULL };
	child_start(&child, "bare OpenSSL", -1, NULL, argv);
	const char *line = child_line(&child, 120000);
	if (sscanf(line, "{\"bytes_each\": %lf}", &bytes) != 1)
		die(0, "bare OpenSSL said: %s", line);
	child_stop(&child);
	return bytes;
}

/* ---- throughput: a manager that does nothing but noop ---- */

struct peer {
	SSL *ssl;
	int fd;
	bool ours; /* an agent; else the bare echo */
	bool greeted;
	size_t want; /* bytes of the answer that are still to come; 0: at rest */
	char hello[512];
	size_t hello_len;
};

static struct peer peers[2 * AGENTS];
static char request[512];
static size_t request_len, answer_lens[NOOP_ANSWERS], answer_len;
static uint64_t done;
static int epoll;

static void say(struct peer *peer, const char *bytes, size_t len)
{
	if (SSL_write(peer->ssl, bytes, (int)len) != (int)len)
		die(0, "a request does not leave");
}

static void ask(struct peer *peer)
{
	peer->want = answer_len;
	say(peer, request, request_len);
}

/* An agent's hello, answered. */
static void greet(struct peer *peer)
{
	char unit[64];
	size_t len = qn_agent_write_manager_hello(unit, sizeof(unit),
						  (struct qn_text){ "0.3.4", 5 });

	peer->greeted = true;
	say(peer, unit, len);
}

static void take(struct peer *peer, const char *bytes, size_t len, bool asking)
{
	if (peer->ours && !peer->greeted) {
		struct qn_text payload;
		size_t taken;
		if (len > sizeof(peer->hello) - peer->hello_len)
			die(0, "a hello that is too long");
		memcpy(peer->hello + peer->hello_len, bytes, len);
		peer->hello_len += len;
		if (qn_agent_frame(peer->hello, peer->hello_len, 4096, &payload, &taken, NULL) ==
		    QN_OK)
			greet(peer);
		return;
	}
	if (len > peer->want)
		die(0, "%s answers %zu bytes too many", peer->ours ? "the fleet" : "the echo",
		    len - peer->want);
	peer->want -= len;
	if (peer->want > 0)
		return;
	done++;
	if (asking)
		ask(peer);
}

static void read_peer(struct peer *peer, bool asking)
{
	char bytes[16384];
	int n;

	while ((n = SSL_read(peer->ssl, bytes, sizeof(bytes))) > 0)
		take(peer, bytes, (size_t)n, asking);
	int error = SSL_get_error(peer->ssl, n);
	if (error != SSL_ERROR_WANT_READ)
		die(0, "%s has gone", peer->ours ? "an agent" : "the echo");
}

static void turn(int timeout_ms, bool asking)
{
	struct epoll_event events[64];
	int n = epoll_wait(epoll, events, 64, timeout_ms);

	for (int i = 0; i < n; i++)
		read_peer(events[i].data.ptr, asking);
}

/* Commands a second, and the server's CPU time of each, us. */
static double slice(bool ours, pid_t pid, double *ret_cpu_us)
{
	struct peer *first = &peers[ours ? AGENTS : 0];

	for (int i = 0; i < AGENTS; i++)
		ask(&first[i]);
	done = 0;
	int64_t start = now_ns(), cpu = cpu_ns(pid);
	while (now_ns() - start < SLICE_NS)
		turn(100, true);
	double seconds = (double)(now_ns() - start) / 1e9;
	uint64_t answered = done;
	*ret_cpu_us = (double)(cpu_ns(pid) - cpu) / 1e3 / (double)answered;
	/* What is under way comes to rest before the other's turn. */
	for (int i = 0; i < AGENTS; i++)
		while (first[i].want > 0)
			turn(1000, false);
	return (double)answered / seconds;
}

static int listen_at(unsigned port)
{
	struct sockaddr_in in = { .sin_family = AF_INET,
				  .sin_port = htons((uint16_t)port),
				  .sin_addr.s_addr = htonl(0x7f2b0901) };
	int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (bind(fd, (struct sockaddr *)&in, sizeof(in)) < 0 || listen(fd, 128) < 0)
		die(errno, "127.43.9.1:%u", port);
	return fd;
}

static void accept_all(int listener, SSL_CTX *ctx, bool ours)
{
	for (int i = 0; i < AGENTS; i++) {
		struct peer *peer = &peers[(ours ? AGENTS : 0) + i];
		struct epoll_event event = { .events = EPOLLIN, .data.ptr = peer };
		peer->fd = accept(listener, NULL, NULL);
		peer->ours = ours;
		peer->ssl = SSL_new(ctx);
		SSL_set_fd(peer->ssl, peer->fd);
		if (peer->fd < 0 || SSL_accept(peer->ssl) != 1)
			die(0, "a handshake failed");
		fcntl(peer->fd, F_SETFL, O_NONBLOCK);
		epoll_ctl(epoll, EPOLL_CTL_ADD, peer->fd, &event);
	}
}

/* What a noop is in bytes, and what answers it. */
static void measure_noop(void)
{
	static const struct qn_text none = { NULL, 0 };
	char id[QN_AGENT_ID_LEN], out[1024];
	struct qn_text text = { id, sizeof(id) }, cmdtype = { "noop.Noop", 9 };
	char raw[2 + sizeof(id)] = "\xd9\x20";
	const struct qn_agent_operation noop = { .op = QN_AGENT_OP_NOOP, .condition = true };
	const struct qn_agent_outcome outcome = { .success = true, .output = { "", 0 } };

	qn_agent_id(1, 2, id);
	memcpy(raw + 2, id, sizeof(id));
	struct qn_text raw_id = { raw, sizeof(raw) };
	request_len = qn_agent_write_command(request, sizeof(request), text, text, cmdtype, none,
					     none);
	answer_lens[0] = qn_agent_write_response(out, sizeof(out), text, true,
						 (struct qn_text){ "\xc0", 1 });
	answer_lens[1] = qn_agent_write_progress(out, sizeof(out), raw_id, false, cmdtype);
	answer_lens[2] = qn_agent_write_progress(out, sizeof(out), raw_id, true, cmdtype);
	answer_lens[3] = qn_agent_write_result(out, sizeof(out), raw_id, &noop, &outcome);
	answer_len = 0;
	for (int i = 0; i < NOOP_ANSWERS; i++)
		answer_len += answer_lens[i];
}

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(double *values, size_t n)
{
	qsort(values, n, sizeof(*values), by_size);
	return values[n / 2];
}

static bool throughput(unsigned port)
{
	SSL_CTX *ctx = tls_context(folder, "manager", true);
	double ratios[PAIRS_MAX], cpu_ratios[PAIRS_MAX], bare[PAIRS_MAX], ours[PAIRS_MAX];
	char program[300], to[32], n[16], lengths[64], log[128];
	struct child echo = { 0 }, fleet = { 0 };

	measure_noop();
	epoll = epoll_create1(EPOLL_CLOEXEC);
	int listener = listen_at(port);
	snprintf(program, sizeof(program), "%s/tls", bench_dir);
	snprintf(to, sizeof(to), "127.43.9.1:%u", port);
	snprintf(n, sizeof(n), "%d", AGENTS);
	snprintf(lengths, sizeof(lengths), "%zu,%zu,%zu,%zu,%zu", request_len, answer_lens[0],
		 answer_lens[1], answer_lens[2], answer_lens[3]);
	snprintf(log, sizeof(log), "%s/fleet.out", folder);
	const char *const echo_argv[] = { program, "bare-echo", folder, to, n, lengths, NULL };
	child_start(&echo, "the bare echo", 0, NULL, echo_argv);
	accept_all(listener, ctx, false);
	const char *const fleet_argv[] = { emu, "run", fleet_config("few", port, AGENTS, "0s"),
					   "--quiet", NULL };
	child_start(&fleet, "the fleet", 0, log, fleet_argv);
	accept_all(listener, ctx, true);
	for (int i = 0; i < AGENTS; i++)
		while (!peers[AGENTS + i].greeted)
			turn(1000, false);
	for (unsigned i = 0; i < pairs; i++) {
		double rate[2], cpu[2];
		for (unsigned j = 0; j < 2; j++) {
			bool mine = (i + j) % 2 != 0;
			rate[mine] = slice(mine, mine ? fleet.pid : echo.pid, &cpu[mine]);
		}
		bare[i] = rate[0];
		ours[i] = rate[1];
		ratios[i] = rate[1] / rate[0];
		cpu_ratios[i] = cpu[0] / cpu[1];
	}
	child_stop(&fleet);
	child_stop(&echo);
	double ratio = median(ratios, pairs);
	printf("noop commands     %8.0f /s, bare echo of 1 + %d records %8.0f /s\n",
	       median(ours, pairs), NOOP_ANSWERS, median(bare, pairs));
	printf("  noop_ratio      %8.3f   floor 0.6   %s   (quartiles %.3f, %.3f)\n", ratio,
	       ratio >= 0.6 ? "ok" : "MISSED", ratios[pairs / 4], ratios[pairs * 3 / 4]);
	printf("  noop_cpu_ratio  %8.3f\n", median(cpu_ratios, pairs));
	return ratio >= 0.6;
}

static bool memory(unsigned port)
{
	double master_few, master_many;
	double few = fleet_kb(BASE, port, &master_few);
	double all = fleet_kb(BASE + many, port + 1, &master_many);
	double ours = (all - few) * 1024 / many, bare = bare_bytes(), ratio = ours / bare;

	printf("memory of each    %8.0f bytes of %u agents, bare OpenSSL %8.0f bytes\n", ours, many,
	       bare);
	printf("  memory_ratio    %8.3f   at most 1.2   %s\n", ratio,
	       ratio <= 1.2 ? "ok" : "MISSED");
	printf("  (a manager's    %8.0f bytes each)\n", (master_many - master_few) * 1024 / many);
	fflush(stdout);
	return ratio <= 1.2;
}

static void make_certificates(void)
{
	char command[700];

	if (mkdtemp(folder) == NULL)
		die(errno, "%s", folder);
	atexit(remove_folder);
	snprintf(command, sizeof(command), "'%s/cmake/dev-certs.bash' %s", BENCH_TOP_DIR, folder);
	if (system(command) != 0)
		die(0, "no certificates: is the openssl program installed?");
}

int main(int argc, char **argv)
{
	char self[256];

	if (argc == 4 && strcmp(argv[1], "bare-memory") == 0)
		return bare_memory(argv[2], (unsigned)atoi(argv[3]));
	if (argc == 6 && strcmp(argv[1], "bare-echo") == 0)
		return bare_echo(argv[2], argv[3], (unsigned)atoi(argv[4]), argv[5]);
	if (argc == 2 && strcmp(argv[1], "--quick") == 0) {
		many = 1000;
		pairs = 11;
	} else if (argc != 1) {
		fprintf(stderr, "usage: tls [--quick]\n");
		return 2;
	}
	ssize_t len = readlink("/proc/self/exe", self, sizeof(self) - 1);
	if (len < 0)
		die(errno, "/proc/self/exe");
	self[len] = '\0';
	snprintf(bench_dir, sizeof(bench_dir), "%s", dirname(self));
	snprintf(emu, sizeof(emu), "%s/../bin/quintain-emu", bench_dir);
	children_init();
	raise_open_files();
	make_certificates();
	unsigned port = 23000 + (unsigned)getpid() % 1000 * 4;
	bool ok = throughput(port);
	fflush(stdout);
	ok &= memory(port + 1);
	return ok ? 0 : 1;
}
