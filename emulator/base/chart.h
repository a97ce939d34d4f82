/*
 * Charts: the frame of an SVG in a page that needs no script.
 *
 * Purpose: shapes are drawn into a square of CHART_SIZE that the page stretches to whatever width
 * there is; all text stands beside it as HTML, so it keeps its size on a phone. Lines are drawn
 * with non-scaling strokes (page.c).
 * Units: of the axes, the caller's; places are 0 to CHART_SIZE, y upwards.
 * Ownership: plain values. Errors: those of the FILE. Threads: no state.
 */
#ifndef CHART_H
#define CHART_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define CHART_SIZE 1000.0
#define CHART_TICKS_MAX 16

struct chart_tick {
	double value;
	bool minor; /* a line without a label */
	char label[32];
};

struct chart_axis {
	double low, high;
	bool log;
	int ticks;
	struct chart_tick tick[CHART_TICKS_MAX];
};

/* From 0; high 0 is made 1. At most about six labels. */
void chart_axis_count(struct chart_axis *axis, double high);
/* ns since the run began. */
void chart_axis_time(struct chart_axis *axis, double high_ns);
/* Latencies in ns, logarithmic, from the decade below low to a round value above high. */
void chart_axis_latency(struct chart_axis *axis, double low_ns, double high_ns);
/* 1/(1 - percentile) up to that of `n` values, logarithmic. */
void chart_axis_percentile(struct chart_axis *axis, double n);

/* 0 to CHART_SIZE, clamped. */
double chart_at(const struct chart_axis *axis, double value);
static inline double chart_up(const struct chart_axis *axis, double value)
{
	return CHART_SIZE - chart_at(axis, value);
}

struct chart {
	const char *id; /* unique in the page */
	const char *title;
	const char *description; /* for who cannot see it; plain text, escaped here */
	const char *x_label, *y_label;
	const struct chart_axis *x, *y;
	bool low; /* half as high */
};

/* <div class="plot"> with the y labels, <svg>, grid. Shapes follow. */
void chart_begin(FILE *out, const struct chart *chart);
/* </svg>, the x labels. What follows still lies on the x axis: lanes. */
void chart_end_shapes(FILE *out, const struct chart *chart);
void chart_end(FILE *out, const struct chart *chart);

#endif
