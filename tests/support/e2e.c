#include "tests/support/e2e.h"

#include "proto/json/json.h"
#include "tests/support/peer.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <ftw.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/*
 * Networks 127.32 to 127.223, each with its own ports: a listener on every address takes a port
 * from all networks, so ports must not be shared. They lie below the ephemeral ones. 127.0 and
 * 127.1 are for people's own runs.
 */
#define NETWORK_FIRST 32
#define NETWORKS 192
#define PORT_FIRST 20000
#define PORTS_EACH 16
#define LOCK_PORT 19999

#define TEXTS_MAX 128

static struct {
	unsigned network;
	int lock_fd;
	char dir[32];
	struct process *processes[PROCESSES_MAX];
	size_t n_processes;
	char *texts[TEXTS_MAX];
	size_t n_texts;
} e2e;

/* ---- a network of its own ---- */

uint32_t e2e_ip(unsigned x, unsigned y)
{
	return 127u << 24 | e2e.network << 16 | x << 8 | y;
}

uint16_t e2e_port(char which)
{
	return (uint16_t)(PORT_FIRST + (e2e.network - NETWORK_FIRST) * PORTS_EACH +
			  (unsigned)(which - 'P'));
}

/* A bound socket is the lock: the kernel lets go of it when its process ends, however it does. */
static bool claim(unsigned network)
{
	e2e.network = network;
	struct sockaddr_in in = { .sin_family = AF_INET,
				  .sin_port = htons(LOCK_PORT),
				  .sin_addr.s_addr = htonl(e2e_ip(255, 254)) };

	e2e.lock_fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	cr_assert(e2e.lock_fd >= 0);
	if (bind(e2e.lock_fd, (struct sockaddr *)&in, sizeof(in)) == 0)
		return true;
	close(e2e.lock_fd);
	return false;
}

void e2e_begin(void)
{
	unsigned start = (unsigned)getpid() % NETWORKS, i = 0;

	memset(&e2e, 0, sizeof(e2e));
	signal(SIGPIPE, SIG_IGN);
	while (i < NETWORKS && !claim(NETWORK_FIRST + (start + i) % NETWORKS))
		i++;
	cr_assert(i < NETWORKS, "no loopback network is free");
	char dir[] = "/tmp/quintain-e2e-XXXXXX";
	cr_assert(mkdtemp(dir) != NULL);
	strcpy(e2e.dir, dir);
}

static int remove_one(const char *path, const struct stat *info, int kind, struct FTW *ftw)
{
	(void)info;
	(void)kind;
	(void)ftw;
	return remove(path);
}

void e2e_end(void)
{
	for (size_t i = 0; i < e2e.n_processes; i++) {
		process_free(e2e.processes[i]);
		free(e2e.processes[i]);
	}
	for (size_t i = 0; i < e2e.n_texts; i++)
		free(e2e.texts[i]);
	if (e2e.dir[0] != '\0') {
		nftw(e2e.dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
		close(e2e.lock_fd);
	}
	memset(&e2e, 0, sizeof(e2e));
}

/* ---- templates ---- */

static void expand(FILE *out, char mark)
{
	if (mark == 'A')
		fprintf(out, "127.%u", e2e.network);
	else if (mark == 'D')
		fputs(e2e.dir, out);
	else
		fprintf(out, "%u", e2e_port(mark));
}

const char *e2e_text(const char *format)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	cr_assert(out != NULL && e2e.n_texts < TEXTS_MAX);
	for (const char *at = format; *at != '\0'; at++) {
		if (*at == '@' && at[1] != '\0' && strchr("ADPQR", at[1]) != NULL)
			expand(out, *++at);
		else
			fputc(*at, out);
	}
	cr_assert(fclose(out) == 0);
	e2e.texts[e2e.n_texts++] = text;
	return text;
}

const char *e2e_file(const char *name, const char *format)
{
	char path[256];

	snprintf(path, sizeof(path), "@D/%s", name);
	const char *expanded = e2e_text(path);
	FILE *file = fopen(expanded, "we");
	cr_assert(file != NULL);
	fputs(e2e_text(format), file);
	cr_assert(fclose(file) == 0);
	return expanded;
}

/* ---- processes ---- */

struct process *emu_start(const char *const args[], const struct process_options *options)
{
	const char *argv[32], *bin = getenv("QN_BIN_DIR");
	char path[512];
	size_t n = 1;

	cr_assert(bin != NULL, "QN_BIN_DIR must name the folder of quintain-emu (ctest sets it)");
	snprintf(path, sizeof(path), "%s/quintain-emu", bin);
	argv[0] = path;
	for (; args[n - 1] != NULL; n++) {
		cr_assert(n < 31);
		argv[n] = e2e_text(args[n - 1]);
	}
	argv[n] = NULL;
	struct process *process = malloc(sizeof(*process));
	cr_assert(process != NULL && e2e.n_processes < PROCESSES_MAX);
	process_start(process, argv, options);
	e2e.processes[e2e.n_processes++] = process;
	return process;
}

static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static void fail_with(const struct process *process, const char *what, const char *text)
{
	const size_t most = 6000;
	const struct output *out = &process->out, *err = &process->err;

	cr_assert(false, "%s \"%s\"; exit code %d\n--- stdout\n%s\n--- stderr\n%s", what, text,
		  process->code, out->text + (out->len > most ? out->len - most : 0),
		  err->text + (err->len > most ? err->len - most : 0));
}

/* One step of waiting for `what` of that process. */
static void wait_more(struct process *process, int64_t deadline_ms, const char *what,
		      const char *text)
{
	int64_t left = deadline_ms - now_ms();

	if (left <= 0 || !process_pump(e2e.processes, e2e.n_processes, (int)left))
		fail_with(process, what, text);
}

int emu_wait(struct process *process)
{
	int64_t deadline = now_ms() + PATIENCE_MS;

	while (!process_ended(process))
		wait_more(process, deadline, "never ended", "");
	return process->code;
}

void emu_signal(struct process *process, int signal)
{
	cr_assert(!process_ended(process));
	cr_assert(kill(process->pid, signal) == 0);
}

void emu_hears(struct process *process, const char *text, size_t times)
{
	int64_t deadline = now_ms() + PATIENCE_MS;

	while (times > 0) {
		const char *found = strstr(process->err.text + process->seen, text);
		if (found != NULL) {
			process->seen = (size_t)(found - process->err.text) + strlen(text);
			times--;
		} else if (process_ended(process)) {
			fail_with(process, "ended without", text);
		} else {
			wait_more(process, deadline, "never said", text);
		}
	}
}

void e2e_forget(struct process *process)
{
	size_t i = 0;

	while (e2e.processes[i] != process)
		i++;
	e2e.processes[i] = e2e.processes[--e2e.n_processes];
	process_free(process);
	free(process);
}

void e2e_pump(void)
{
	process_pump(e2e.processes, e2e.n_processes, 0);
}

void emu_listens(struct process *process, uint32_t ip, uint16_t port)
{
	int64_t deadline = now_ms() + PATIENCE_MS;

	for (;;) {
		int fd = peer_try_connect(0, ip, port);
		if (fd >= 0) {
			close(fd);
			return;
		}
		if (process_ended(process) || now_ms() > deadline)
			fail_with(process, "does not listen", "");
		process_pump(e2e.processes, e2e.n_processes, 2);
	}
}

void emu_expect_code(struct process *process, int code)
{
	char text[32];

	snprintf(text, sizeof(text), "%d", code);
	if (emu_wait(process) != code)
		fail_with(process, "expected exit code", text);
}

void emu_expect_says(const struct process *process, const char *text)
{
	if (strstr(process->err.text, e2e_text(text)) == NULL)
		fail_with(process, "stderr lacks", e2e_text(text));
}

void emu_expect_prints(const struct process *process, const char *text)
{
	if (strstr(process->out.text, e2e_text(text)) == NULL)
		fail_with(process, "stdout lacks", e2e_text(text));
}

const char *emu_json(const struct process *process)
{
	const char *text = process->out.text;
	size_t len = process->out.len;

	if (len < 2 || text[len - 1] != '\n')
		fail_with(process, "stdout does not end with", "{...}\n");
	const char *line = memrchr(text, '\n', len - 1);
	line = line != NULL ? line + 1 : text;
	len = (size_t)(text + len - line);
	if (line[0] != '{' || line[len - 2] != '}' ||
	    qn_json_check(line, len, QN_JSON_STRICT, 0, NULL) != QN_OK)
		fail_with(process, "the last line is no JSON object:", line);
	return line;
}
