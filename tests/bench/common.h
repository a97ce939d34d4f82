/*
 * What the programs of the benchmark share: addresses, clocks, a latency histogram.
 *
 * Purpose: they are tools of one run on one machine: what cannot go on says so and exits with 1.
 * Units: nanoseconds as int64_t, addresses in host byte order.
 * Threads: none of these programs has any.
 */
#ifndef BENCH_COMMON_H
#define BENCH_COMMON_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#define NS_PER_S INT64_C(1000000000)

/* One TCP port on consecutive addresses: base, base + 1, ... */
struct endpoint {
	uint32_t base;
	uint16_t port;
};

/* Prints "program: text" (and the errno text when err is not 0) to stderr and exits with 1. */
void die(int err, const char *format, ...) __attribute__((noreturn, format(printf, 2, 3)));

/* "127.61.0.1:18081". Dies on anything else. */
struct endpoint endpoint_parse(const char *text);
/* The i-th address of an endpoint. */
struct sockaddr_in endpoint_at(const struct endpoint *endpoint, uint32_t i);
/* A decimal number within [min, max]. Dies on anything else; `what` names it. */
double number_parse(const char *text, double min, double max, const char *what);

/* The soft limit of open files becomes the hard one. Returns it. */
size_t raise_open_files(void);

int64_t now_ns(void);
/* User and system time that a process has used so far; its own for pid 0. -1 when it is gone. */
int64_t cpu_ns(pid_t pid);

/*
 * The request line of the i-th target as the CPython master writes it, newline included. buf of
 * LINE_MAX_BYTES suffices. Returns its length.
 */
#define LINE_MAX_BYTES 256
size_t ping_line(char *buf, uint32_t i);

/* Latencies: buckets of 1/64 of an octave, up to 2^40 ns. Zero-initialised is empty. */
#define HIST_SUB 64
struct hist {
	uint64_t count;
	uint32_t at[36 * HIST_SUB];
};

static inline void hist_add(struct hist *hist, int64_t ns)
{
	uint64_t v = ns < HIST_SUB ? HIST_SUB : (uint64_t)ns;
	unsigned octave = 63 - (unsigned)__builtin_clzll(v) - 6;
	size_t i = octave * HIST_SUB + (v >> octave) - HIST_SUB;
	size_t last = sizeof(hist->at) / sizeof(hist->at[0]) - 1;

	hist->at[i < last ? i : last]++;
	hist->count++;
}

/* The value below which `share` (0 to 1) of all lies, microseconds; 0 when empty. */
double hist_quantile_us(const struct hist *hist, double share);

#endif
