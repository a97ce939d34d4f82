/*
 * Two wires side by side: what was measured, and the table, JSON and page that show it.
 *
 * Purpose: `quintain-emu compare` runs one fleet over two wires by turns and fills this in.
 * Units: each measure's own (compare_measures). A value that is not known is NAN.
 * Ownership: plain values; names are the caller's. Errors: those of the FILE. Threads: no state.
 */
#ifndef COMPARE_H
#define COMPARE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define COMPARE_PASSES_MAX 200
#define COMPARE_CURVE 160

/* name in JSON, words for people, unit, is more better? */
#define COMPARE_MEASURES(X)                                                                        \
	X(P50, "latency_p50_us", "latency, p50", "µs", false)                                      \
	X(P99, "latency_p99_us", "latency, p99", "µs", false)                                      \
	X(P999, "latency_p999_us", "latency, p99.9", "µs", false)                                  \
	X(RATE, "commands_per_s", "commands a second", "", true)                                   \
	X(PAYLOAD, "payload_bytes", "payload, both ways, a command", "B", false)                   \
	X(BYTES, "wire_bytes", "bytes on the wire, a command", "B", false)                         \
	X(PACKETS, "packets", "packets, a command", "", false)                                     \
	X(CONNECTIONS, "connections_per_1000", "connections, 1000 commands", "", false)            \
	X(CPU_FLEET, "cpu_fleet_us", "CPU of the targets, a command", "µs", false)                 \
	X(CPU_MASTER, "cpu_master_us", "CPU of the master, a command", "µs", false)                \
	X(MEMORY_FLEET, "memory_fleet_kb", "memory of the targets", "kB", false)                   \
	X(MEMORY_MASTER, "memory_master_kb", "memory of the master", "kB", false)                  \
	X(REGISTER_BYTES, "register_bytes", "bytes to register, a target", "B", false)             \
	X(REGISTER_PACKETS, "register_packets", "packets to register, a target", "", false)

enum compare_measure {
#define X(constant, json, words, unit, more) COMPARE_##constant,
	COMPARE_MEASURES(X)
#undef X
		COMPARE_MEASURE_COUNT
};

struct compare_wire {
	const char *name;
	double value[COMPARE_MEASURE_COUNT];
	/* Of the passes: the quartiles, where a measure is taken of each; else both are the value.
	 */
	double q1[COMPARE_MEASURE_COUNT], q3[COMPARE_MEASURE_COUNT];
	uint64_t sent, ok, failed, lost;
	int64_t curve[COMPARE_CURVE + 1]; /* latencies in ns: compare_curve_rest() */
	double pass_p50_us[COMPARE_PASSES_MAX], pass_p99_us[COMPARE_PASSES_MAX];
};

struct compare {
	const char *title, *config;
	unsigned passes;
	uint32_t targets;
	const char *note; /* why something is not known; NULL: all is */
	struct compare_wire wire[2];
	/* wire[0] to wire[1], pass by pass: quartiles of the ratio. */
	struct {
		double q1, median, q3;
	} ratio[COMPARE_MEASURE_COUNT];
};

/* The share of answers that are slower than point i of a curve of n answers: 1 to 1/n. */
double compare_curve_rest(uint64_t n, int i);
/*
 * Fills in a measure, out of one value a pass of each wire. Pass i of one and pass i of the other
 * were played one after the other: what else the machine did then met both, and their ratio says
 * more than either.
 */
void compare_of_passes(struct compare *compare, enum compare_measure measure, const double *first,
		       const double *second, unsigned n);
/* 0 or 1: the wire that is better in three of four passes, by 1 % or more; -1: neither, or nobody
 * knows. */
int compare_better(const struct compare *compare, enum compare_measure measure);
/* How many times as good the better one is, at least 1: the median of the passes. */
double compare_ratio(const struct compare *compare, enum compare_measure measure);

void compare_print(const struct compare *compare, bool colour, FILE *out);
void compare_json(const struct compare *compare, FILE *out);
void compare_page(const struct compare *compare, FILE *out);

#endif
