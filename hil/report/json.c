#include "hil/report/parts.h"

#include "hil/report/json_parts.h"
#include "hil/report/series.h"
#include "hil/report/writers.h"

#include "emulator/base/units.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* ---- small things ---- */

void json_string(FILE *out, const char *text, size_t len)
{
	char buffer[1024];

	/* Piece by piece, never through the middle of a character: the writer checks UTF-8. */
	fputc('"', out);
	for (size_t at = 0; at < len;) {
		size_t piece = len - at < 128 ? len - at : 128;
		while (at + piece < len && piece > 120 &&
		       ((unsigned char)text[at + piece] & 0xc0) == 0x80)
			piece--;
		struct qn_json_writer writer;
		qn_json_writer_init(&writer, buffer, sizeof(buffer));
		qn_json_put_string(&writer, text + at, piece, true);
		fwrite(buffer + 1, 1, qn_json_written(&writer) - 2, out);
		at += piece;
	}
	fputc('"', out);
}

void json_member(FILE *out, const char *name, const char *text)
{
	fprintf(out, "\"%s\": ", name);
	json_string(out, text, strlen(text));
}

static void put_number(FILE *out, const char *name, double value)
{
	char text[40];

	fprintf(out, ", \"%s\": %s", name, units_number_text(value, text, sizeof(text)));
}

/* ---- the calibration, U, limits: the history keeps them in this form too ---- */

static void put_latency(FILE *out, const char *name, const struct latency *latency)
{
	fprintf(out,
		", \"%s\": {\"n\": %" PRIu32 ", \"mean_ns\": %" PRId64 ", \"sd_ns\": %" PRId64
		", \"min_ns\": %" PRId64 ", \"max_ns\": %" PRId64 "}",
		name, latency->n, latency->mean_ns, latency->sd_ns, latency->min_ns,
		latency->max_ns);
}

void json_calibration(FILE *out, const struct calibration *calibration)
{
	fprintf(out, "{\"wall_ns\": %" PRId64, calibration->wall_ns);
	put_latency(out, "edge", &calibration->edge);
	put_latency(out, "send", &calibration->send);
	fprintf(out,
		", \"clock_ns\": %" PRId64 ", \"realtime_ns\": %" PRId64 ", \"usb_ns\": %" PRId64
		", \"edges\": %" PRIu64 ", \"edges_lost\": %" PRIu64 "}",
		calibration->clock_ns, calibration->realtime_ns, calibration->usb_ns,
		calibration->edges, calibration->edges_lost);
}

void json_uncertainty(FILE *out, const struct uncertainty *u)
{
	bool first = true;

	fputc('{', out);
	for (int i = 0; i < U_PARTS; i++) {
		if (u->sigma_ns[i] == 0 && u->half_ns[i] == 0)
			continue;
		fprintf(out, "%s\"%s\": [%" PRId64 ", %" PRId64 "]", first ? "" : ", ",
			u_part_name((enum u_part)i), u->sigma_ns[i], u->half_ns[i]);
		first = false;
	}
	fputc('}', out);
}

void json_suspect(FILE *out, unsigned suspect)
{
	bool first = true;

	fputc('[', out);
	for (unsigned i = 0; i < SUSPECT_KINDS; i++) {
		if ((suspect & 1u << i) == 0)
			continue;
		fprintf(out, "%s\"%s\"", first ? "" : ", ", suspect_name((enum suspect)(1u << i)));
		first = false;
	}
	fputc(']', out);
}

/* ---- steps ---- */

static void put_hops(const struct measurement *m, FILE *out)
{
	fputs(", \"hops\": [", out);
	for (unsigned i = 0; i < m->hop_count; i++) {
		const struct hop *hop = &m->hops[i];
		fprintf(out,
			"%s{\"from\": \"%s\", \"to\": \"%s\", \"value_ns\": %" PRId64
			", \"u_ns\": %" PRId64 ", \"parts\": ",
			i > 0 ? ", " : "", point_name(hop->from), point_name(hop->to),
			hop->value_ns, u_total(&hop->u, false));
		json_uncertainty(out, &hop->u);
		fputs(", \"suspect\": ", out);
		json_suspect(out, hop->suspect);
		fputc('}', out);
	}
	fputc(']', out);
}

static void put_limit(const struct limit *limit, FILE *out)
{
	if (!limit->has_min && !limit->has_max)
		return;
	fputs(", \"limit\": {", out);
	if (limit->has_min)
		fprintf(out, "\"min\": %" PRId64 ", ", limit->min);
	if (limit->has_max)
		fprintf(out, "\"max\": %" PRId64 ", ", limit->max);
	fprintf(out, "\"margin\": %" PRId64 ", \"share_percent\": %u, \"without_frame\": %s}",
		limit->margin,
		limit->share_percent > 0 ? limit->share_percent : LIMIT_SHARE_PERCENT,
		limit->without_frame ? "true" : "false");
}

static void put_measurement(const struct measurement *m, FILE *out)
{
	fputs("\n      {", out);
	json_member(out, "name", m->name);
	fprintf(out, ", \"unit\": \"%s\", \"value\": %" PRId64 ", \"missing\": %s, \"u\": %" PRId64,
		unit_name(m->unit), m->value, m->missing ? "true" : "false", m->judged.u);
	if (m->of_chain)
		fprintf(out, ", \"from\": \"%s\", \"to\": \"%s\"", point_name(m->from),
			point_name(m->to));
	fputs(", \"parts\": ", out);
	json_uncertainty(out, &m->u);
	fputs(", \"suspect\": ", out);
	json_suspect(out, m->suspect);
	put_limit(&m->limit, out);
	fprintf(out, ", \"judged_value\": %" PRId64 ", \"verdict\": \"%s\", ", m->judged.value,
		verdict_name(m->judged.verdict));
	json_member(out, "why", m->judged.why);
	put_hops(m, out);
	fputc('}', out);
}

static void put_step(const struct record *record, uint32_t s, FILE *out)
{
	const struct step_result *step = &record->steps[s];

	fputs("\n    {", out);
	json_member(out, "board", board_name(record, step->board));
	fputs(", ", out);
	json_member(out, "plan_path", step->plan_path);
	fputs(", ", out);
	json_member(out, "name", step->name);
	fprintf(out,
		", \"repeat\": %u, \"attempt\": %u, \"begin_ns\": %" PRId64 ", \"end_ns\": %" PRId64
		", \"verdict\": \"%s\", ",
		step->repeat, step->attempt, step->begin_ns - record->run.start_ns,
		step->end_ns - record->run.start_ns, verdict_name(step->verdict));
	json_member(out, "why", step->why);
	fprintf(out, ", \"flaky\": %s, \"measurements\": [",
		record_step_flaky(record, s) ? "true" : "false");
	for (unsigned i = 0; i < step->measurement_count; i++) {
		if (i > 0)
			fputc(',', out);
		put_measurement(&step->measurements[i], out);
	}
	fputs("]}", out);
}

/* ---- boards and series ---- */

void json_counts(FILE *out, const uint32_t *steps)
{
	fputc('{', out);
	for (int i = 0; i < VERDICTS; i++)
		fprintf(out, "%s\"%s\": %u", i > 0 ? ", " : "", verdict_name((enum verdict)i),
			steps[i]);
	fputc('}', out);
}

static void put_board(const struct record_board *board, FILE *out)
{
	fputs("\n    {", out);
	json_member(out, "name", board->name);
	fputs(", ", out);
	json_member(out, "serial", board->serial);
	fputs(", ", out);
	json_member(out, "usb_path", board->usb_path);
	fputs(", ", out);
	json_member(out, "address", board->address);
	fputs(", ", out);
	json_member(out, "firmware", board->firmware);
	fprintf(out,
		", \"verdict\": \"%s\", \"retries\": %u, \"steps\": ", verdict_name(board->worst),
		board->retries);
	json_counts(out, board->steps);
	fputc('}', out);
}

static void put_stats(const struct series *series, FILE *out)
{
	const struct stats *stats = &series->stats;

	if (stats->n == 0)
		return;
	fprintf(out,
		", \"min\": %" PRId64 ", \"median\": %" PRId64 ", \"p95\": %" PRId64
		", \"p99\": %" PRId64 ", \"max\": %" PRId64,
		stats->min, stats->median, stats->p95, stats->p99, stats->max);
	put_number(out, "mean", stats->mean);
	put_number(out, "sd", stats->sd);
	if (stats->has_cpk)
		put_number(out, "cpk", stats->cpk);
	else
		fprintf(out, ", \"cpk\": null, \"no_cpk\": \"%s\"", stats->no_cpk);
}

static void put_series(const struct record *record, const struct series *series, FILE *out)
{
	fputs("\n    {", out);
	json_member(out, "board", board_name(record, series->board));
	fputs(", ", out);
	json_member(out, "measurement", series->name);
	fprintf(out,
		", \"unit\": \"%s\", \"n\": %zu, \"missing\": %" PRIu64 ", \"untrusted\": %" PRIu64
		", \"u_max\": %" PRId64,
		unit_name(series->unit), series->n, series->missing, series->untrusted,
		series->u_max);
	put_stats(series, out);
	fputs(", \"verdicts\": ", out);
	json_counts(out, series->verdicts);
	fputc('}', out);
}

/* ---- the whole ---- */

static void put_run(const struct record *record, FILE *out)
{
	const struct run_info *run = &record->run;
	char when[WHEN_CAP];

	json_member(out, "run", run->id);
	fputs(",\n  ", out);
	json_member(out, "title", run_title(record));
	fputs(",\n  ", out);
	json_member(out, "plan", run->plan_path);
	fputs(",\n  ", out);
	json_member(out, "bench", run->bench_path);
	fputs(",\n  ", out);
	json_member(out, "host", run->host);
	fprintf(out,
		",\n  \"started\": \"%s\",\n  \"duration_ns\": %" PRId64
		",\n  \"ended\": %s,\n  \"interrupted\": %s,\n  \"synthetic\": %s,"
		"\n  \"virtual_bench\": %s,\n  \"seed\": %" PRIu64 ",\n  \"verdict\": \"%s\",\n  ",
		when_text(run->start_wall_ns, when), run_span(record),
		run->end_ns != 0 ? "true" : "false", run->interrupted ? "true" : "false",
		run->synthetic ? "true" : "false", run->virtual_bench ? "true" : "false", run->seed,
		verdict_name(record->worst));
	json_member(out, "error", record->error);
	fprintf(out,
		",\n  \"exit_code\": %d,\n  \"version\": \"%s\",\n  \"steps_planned\": %u,"
		"\n  \"steps_left_out\": %" PRIu64 ",\n  \"events_left_out\": %" PRIu64
		",\n  \"versions\": %s,\n  \"calibration\": ",
		verdict_exit_code(record->worst), QN_VERSION, run->steps_planned,
		record->steps_left_out, record->events_left_out,
		run->versions != NULL ? run->versions : "{}");
	json_calibration(out, &run->calibration);
}

void json_put(const struct record *record, FILE *out)
{
	struct series_set set = { 0 };

	fputs("{\n  ", out);
	put_run(record, out);
	fputs(",\n  \"boards\": [", out);
	for (unsigned i = 0; i < record->board_count; i++) {
		if (i > 0)
			fputc(',', out);
		put_board(&record->boards[i], out);
	}
	fputs("],\n  \"series\": [", out);
	/* Without memory for them there are none: the steps have all that they are made of. */
	if (series_new(record, &set) == 0) {
		for (size_t i = 0; i < set.count; i++) {
			if (i > 0)
				fputc(',', out);
			put_series(record, &set.series[i], out);
		}
		series_free(&set);
	}
	fputs("],\n  \"steps\": [", out);
	for (uint32_t s = 0; s < record->step_count; s++) {
		if (s > 0)
			fputc(',', out);
		put_step(record, s, out);
	}
	fputs("]\n}\n", out);
}
