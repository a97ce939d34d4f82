#include "tests/bench/common.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

void die(int err, const char *format, ...)
{
	va_list args;

	fprintf(stderr, "%s: ", program_invocation_short_name);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	if (err)
		fprintf(stderr, ": %s", strerror(err));
	fputc('\n', stderr);
	exit(1);
}

struct endpoint endpoint_parse(const char *text)
{
	const char *colon = strchr(text, ':');
	char host[INET_ADDRSTRLEN];
	struct in_addr address;

	if (!colon || (size_t)(colon - text) >= sizeof(host))
		die(0, "%s is no ADDRESS:PORT", text);
	memcpy(host, text, (size_t)(colon - text));
	host[colon - text] = '\0';
	if (inet_pton(AF_INET, host, &address) != 1)
		die(0, "%s is no IPv4 address", host);
	return (struct endpoint){ .base = ntohl(address.s_addr),
				  .port = (uint16_t)number_parse(colon + 1, 0, 65535, "port") };
}

struct sockaddr_in endpoint_at(const struct endpoint *endpoint, uint32_t i)
{
	return (struct sockaddr_in){ .sin_family = AF_INET,
				     .sin_port = htons(endpoint->port),
				     .sin_addr.s_addr = htonl(endpoint->base + i) };
}

double number_parse(const char *text, double min, double max, const char *what)
{
	char *end;
	double value = strtod(text, &end);

	if (end == text || *end || !(value >= min && value <= max))
		die(0, "%s: \"%s\" is not within %g .. %g", what, text, min, max);
	return value;
}

size_t raise_open_files(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		die(errno, "getrlimit");
	limit.rlim_cur = limit.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
		die(errno, "setrlimit");
	return limit.rlim_cur;
}

static int64_t clock_ns(clockid_t clock)
{
	struct timespec t;

	if (clock_gettime(clock, &t) < 0)
		return -1;
	return t.tv_sec * NS_PER_S + t.tv_nsec;
}

int64_t now_ns(void)
{
	return clock_ns(CLOCK_MONOTONIC);
}

int64_t cpu_ns(pid_t pid)
{
	clockid_t clock;

	if (!pid)
		return clock_ns(CLOCK_PROCESS_CPUTIME_ID);
	return clock_getcpuclockid(pid, &clock) ? -1 : clock_ns(clock);
}

size_t ping_line(char *buf, uint32_t i)
{
	int len = snprintf(buf, LINE_MAX_BYTES,
			   "{\"type\": \"ping\", \"id\": \"msg_1795274925090\", "
			   "\"timestamp\": 1795274925.0904121, \"target_id\": \"target_%u\", "
			   "\"data\": {\"from\": \"master\"}}\n",
			   i + 1);

	return (size_t)len;
}

double hist_quantile_us(const struct hist *hist, double share)
{
	uint64_t wanted = (uint64_t)(share * (double)hist->count), seen = 0;

	for (size_t i = 0; i < sizeof(hist->at) / sizeof(hist->at[0]) && hist->count; i++) {
		seen += hist->at[i];
		if (seen > wanted)
			return (double)((i % HIST_SUB + HIST_SUB) << (i / HIST_SUB)) / 1e3;
	}
	return 0;
}
