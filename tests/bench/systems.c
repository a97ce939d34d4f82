#include "tests/bench/systems.h"

#include "tests/bench/book.h"

#include <errno.h>
#include <math.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define FLEET "127.61.0.1"
#define BARE "127.61.8.1"
#define CLIENT "127.61.254.1"
#define FLEET_MASTER "127.61.255.1"
#define MASTER "127.61.255.2"

#define START_MS 30000

/* "ADDRESS:PORT" of this run, in buf of 32 bytes. */
static const char *at(const struct systems *systems, const char *address, char *buf)
{
	snprintf(buf, 32, "%s:%u", address, systems->port);
	return buf;
}

const char *fleet_at(const struct systems *systems, char *buf)
{
	return at(systems, FLEET, buf);
}

const char *bare_at(const struct systems *systems, char *buf)
{
	return at(systems, BARE, buf);
}

const char *client_source(void)
{
	return CLIENT;
}

static const char *in_dir(const char *dir, const char *name, char *buf, size_t cap)
{
	if ((size_t)snprintf(buf, cap, "%s/%s", dir, name) >= cap)
		die(ENAMETOOLONG, "%s", dir);
	return buf;
}

/* A socket with 2 s of patience, connected to ADDRESS:PORT; -1 when it is refused. */
static int try_connect(const struct endpoint *endpoint, uint32_t i)
{
	struct sockaddr_in address = endpoint_at(endpoint, i);
	const struct timeval patience = { .tv_sec = 2 };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		die(errno, "socket");
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
		return fd;
	close(fd);
	return -1;
}

static int connect_within(struct child *child, const struct endpoint *endpoint, uint32_t i,
			  int64_t deadline)
{
	int fd;

	while ((fd = try_connect(endpoint, i)) < 0) {
		child_check(child);
		if (now_ns() > deadline)
			die(0, "%s: nobody listens on its address %u", child->name, i);
		nap_ms(10);
	}
	return fd;
}

static bool port_is_free(uint16_t port)
{
	const struct endpoint endpoint = { .base = 0x7f3dff01, .port = port };
	struct sockaddr_in address = endpoint_at(&endpoint, 0);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
	bool is_free;

	if (fd < 0)
		die(errno, "socket");
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	is_free = bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0 && listen(fd, 1) == 0;
	close(fd);
	return is_free;
}

void systems_init(struct systems *systems, uint16_t port)
{
	cpu_set_t cpus;

	while (!port_is_free(port)) {
		if (port == UINT16_MAX)
			die(0, "no port is free");
		port++;
	}
	systems->port = port;
	systems->server_cpu = systems->client_cpu = -1;
	if (sched_getaffinity(0, sizeof(cpus), &cpus) < 0 || CPU_COUNT(&cpus) < 2) {
		fputs("run: one processor only: server and client share it\n", stderr);
		return;
	}
	for (int i = CPU_SETSIZE - 1; i >= 0; i--) {
		if (CPU_ISSET((size_t)i, &cpus)) {
			systems->client_cpu = systems->server_cpu;
			systems->server_cpu = i;
		}
	}
}

/* The length of target i's answer to one ping, newline included. */
static size_t ask_once(struct systems *systems, const struct endpoint *fleet, uint32_t i,
		       int64_t deadline)
{
	int fd = connect_within(&systems->fleet, fleet, i, deadline);
	char line[LINE_MAX_BYTES], answer[4096];
	size_t len = ping_line(line, i), got = 0;

	if (send(fd, line, len, MSG_NOSIGNAL) != (ssize_t)len)
		die(errno, "target %u: send", i + 1);
	while (!got || answer[got - 1] != '\n') {
		ssize_t n = recv(fd, answer + got, sizeof(answer) - 1 - got, 0);

		if (n <= 0)
			die(n < 0 ? errno : 0, "target %u does not answer", i + 1);
		got += (size_t)n;
	}
	answer[got] = '\0';
	if (!strstr(answer, "\"pong\""))
		die(0, "target %u answered %s", i + 1, answer);
	close(fd);
	return got;
}

static void ask_all(struct systems *systems)
{
	char text[32];
	struct endpoint fleet = endpoint_parse(fleet_at(systems, text));
	int64_t deadline = now_ns() + 10 * NS_PER_S;
	size_t least = SIZE_MAX, most = 0, sum = 0;

	for (uint32_t i = 0; i < TARGETS; i++) {
		size_t len = ask_once(systems, &fleet, i, deadline);

		least = len < least ? len : least;
		most = len > most ? len : most;
		sum += len;
	}
	systems->answer_len = (sum + TARGETS / 2) / TARGETS;
	/* Times and numbers are a digit longer or shorter now and then. */
	systems->slack = least == most ? 0 : most - least + 4;
}

static void start_bare(struct systems *systems, struct child *child, const char *name,
		       const char *const rest[])
{
	char program[300];
	const char *argv[16] = { in_dir(systems->bin_dir, "bare_server", program,
					sizeof(program)) };

	for (size_t i = 0; rest[i]; i++)
		argv[i + 1] = rest[i];
	child_start(child, name, systems->server_cpu, NULL, argv);
	if (strcmp(child_line(child, START_MS), "ready") != 0)
		die(0, "%s is not ready", name);
}

static void start_emu(struct systems *systems, struct child *child, const char *name, int cpu,
		      const char *config, const char *const settings[2])
{
	char config_path[300], log_path[300], log_name[32];
	const char *argv[] = { systems->emu,
			       "run",
			       config_path,
			       "--quiet",
			       "--set",
			       settings[0],
			       settings[1] ? "--set" : NULL,
			       settings[1],
			       NULL };

	in_dir(BENCH_SOURCE_DIR, config, config_path, sizeof(config_path));
	snprintf(log_name, sizeof(log_name), "%s.log", name);
	in_dir(systems->bin_dir, log_name, log_path, sizeof(log_path));
	child_start(child, name, cpu, log_path, argv);
}

static void wait_for_registrations(struct systems *systems)
{
	int64_t deadline = now_ns() + START_MS * (NS_PER_S / 1000);
	const char *line;

	do {
		child_check(&systems->fleet);
		if (now_ns() > deadline)
			die(0, "%d targets did not register; what the fleet said is in %s", TARGETS,
			    systems->fleet.log);
		line = child_try_line(&systems->fleet_master, 100);
	} while (!line || strncmp(line, "registered", 10) != 0);
}

void systems_start(struct systems *systems)
{
	char announce[16], count[16], length[24], text[32], setting[64];
	const char *const settings[2] = { setting, NULL };

	snprintf(count, sizeof(count), "%d", TARGETS);
	snprintf(announce, sizeof(announce), "%d", TARGETS);
	start_bare(systems, &systems->fleet_master, "the fleet's master",
		   (const char *const[]){ "--at", at(systems, FLEET_MASTER, text), "--announce",
					  announce, "--answer",
					  "{\"type\": \"registered\", \"id\": \"msg_1\", "
					  "\"timestamp\": 1795274926.0, \"target_id\": \"t\", "
					  "\"data\": {\"status\": \"registered\"}}",
					  NULL });
	snprintf(setting, sizeof(setting), "fleet.master.port=%u", systems->port);
	start_emu(systems, &systems->fleet, "fleet", systems->server_cpu, "fleet.cfg", settings);
	wait_for_registrations(systems);
	ask_all(systems);
	snprintf(length, sizeof(length), "%zu", systems->answer_len);
	start_bare(systems, &systems->bare, "the bare server",
		   (const char *const[]){ "--at", bare_at(systems, text), "--count", count,
					  "--length", length, systems->leanest ? "--edge" : NULL,
					  NULL });
}

void systems_stop(struct systems *systems)
{
	child_stop(&systems->fleet);
	child_stop(&systems->bare);
	child_stop(&systems->fleet_master);
}

/* Commands that the bare server has answered so far. */
static double answered(struct systems *systems)
{
	double messages;

	if (kill(systems->bare.pid, SIGUSR1) < 0)
		die(errno, "the bare server");
	messages = json_number(child_line(&systems->bare, START_MS), "messages");
	if (isnan(messages))
		die(0, "the bare server does not count");
	return messages;
}

void master_start(struct systems *systems, unsigned concurrency)
{
	char at_most[64], port[64], text[32], from[32], program[300], count[16];
	const char *const settings[2] = { port, at_most };
	const char *argv[] = { program,  "--to", at(systems, MASTER, text),
			       "--from", from,   "--count",
			       count,    NULL };
	struct endpoint master = endpoint_parse(text);
	struct child registering;
	double before = answered(systems);
	int64_t deadline = now_ns() + 10 * NS_PER_S;

	snprintf(at_most, sizeof(at_most), "master.concurrency=%u", concurrency);
	snprintf(port, sizeof(port), "master.listen.port=%u", systems->port);
	snprintf(count, sizeof(count), "%d", TARGETS);
	start_emu(systems, &systems->master, "master", systems->client_cpu, "master.cfg", settings);
	close(connect_within(&systems->master, &master, 0, deadline));
	in_dir(systems->bin_dir, "register", program, sizeof(program));
	snprintf(from, sizeof(from), "%s:0", BARE);
	child_start(&registering, "register", systems->server_cpu, NULL, argv);
	child_wait(&registering, START_MS);
	/* Three rounds as a warm-up, then it waits for its turns. */
	while (answered(systems) < before + 3 * TARGETS) {
		child_check(&systems->master);
		if (now_ns() > deadline)
			die(0, "the master sends no commands");
		nap_ms(10);
	}
	kill(systems->master.pid, SIGSTOP);
	nap_ms(50);
}

struct master_slice master_slice(struct systems *systems, int warm_ms, int ms)
{
	int64_t cpu, taken;
	double messages;

	kill(systems->master.pid, SIGCONT);
	nap_ms(warm_ms);
	messages = answered(systems);
	cpu = cpu_ns(systems->master.pid);
	taken = now_ns();
	nap_ms(ms);
	messages = answered(systems) - messages;
	cpu = cpu_ns(systems->master.pid) - cpu;
	taken = now_ns() - taken;
	kill(systems->master.pid, SIGSTOP);
	/* What was in flight comes to rest at the server. */
	nap_ms(10);
	child_check(&systems->master);
	if (messages < 1)
		die(0, "the master sent nothing in %d ms", ms);
	return (struct master_slice){ .per_s = messages * 1e9 / (double)taken,
				      .cpu_us = (double)cpu / 1e3 / messages };
}
