#include "hil/plan/run_parts.h"

#include "hil/measure/stats.h"
#include "hil/rig/calibrate.h"

#include "proto/json/json.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

/* What a run has around it: its record, its reports, its figures at the end. */

/* A copy for the record; NULL: it cannot be read, which is no reason not to run. */
static char *read_text(const char *path)
{
	char *text = NULL;
	size_t size = 0, n;
	char buf[4096];
	FILE *in = path != NULL ? fopen(path, "r") : NULL;

	if (in == NULL)
		return NULL;
	FILE *out = open_memstream(&text, &size);
	while (out != NULL && (n = fread(buf, 1, sizeof(buf), in)) > 0 && size < (1 << 20))
		fwrite(buf, 1, n, out);
	if (out != NULL)
		fclose(out);
	fclose(in);
	return text;
}

static void fill_info(struct run *run)
{
	struct run_info *info = &run->record.run;
	struct gpio gpio;
	struct utsname name;

	gpio_init(&gpio);
	uname(&name);
	snprintf(run->versions, sizeof(run->versions),
		 "{\"quintain\": \"%s\", \"gpio\": \"%.40s\", \"kernel\": \"%.40s\"}", QN_VERSION,
		 gpio_abi(&gpio)->library, name.release);
	snprintf(info->title, sizeof(info->title), "%.120s",
		 run->options->title[0] != '\0' ? run->options->title : run->plan->name);
	snprintf(info->plan_path, sizeof(info->plan_path), "%s", run->options->plan_path);
	snprintf(info->bench_path, sizeof(info->bench_path), "%s", run->options->bench_path);
	snprintf(info->host, sizeof(info->host), "%.60s", name.nodename);
	info->plan_text = run->plan_text = read_text(run->options->plan_path);
	info->bench_text = run->bench_text = read_text(run->options->bench_path);
	info->versions = run->versions;
	info->calibration = run->calibration;
	info->seed = run->options->seed;
	info->virtual_bench = run->bench->virtual_bench;
}

static uint32_t count_planned(const struct run *run)
{
	const struct plan *plan = run->plan;
	uint64_t n = run->bench->boards.count *
		     (1 + plan_count_steps(&plan->setup) + plan_count_steps(&plan->teardown));
	uint32_t boards[BENCH_BOARDS_MAX];

	for (size_t i = 0; i < plan->tests.count; i++) {
		const struct plan_test *test = plan_test_at(plan, i);
		if (plan_test_wanted(test, run->options->tags, run->options->n_tags))
			n += plan_boards(&test->selector, run->bench, boards) *
			     ((uint64_t)test->repeat * plan_count_steps(&test->steps) +
			      plan_count_steps(&test->teardown));
	}
	return n < UINT32_MAX ? (uint32_t)n : UINT32_MAX;
}

int run_prepare(struct run *run)
{
	struct reports_options options = { .out_dir = run->options->out_dir,
					   .history_path = run->options->history_path,
					   .quiet = run->options->quiet,
					   .no_vcd = run->options->no_vcd };
	char said[300];
	int rc = loop_init(&run->loop);

	if (rc < 0) {
		fprintf(stderr, "quintain-hil: %s\n", strerror(-rc));
		return rc;
	}
	calibration_for_run(run->bench, run->options->gpio, &run->calibration, said, sizeof(said));
	if (said[0] != '\0')
		fprintf(stderr, "quintain-hil: %s\n", said);
	loop_read_clocks(&run->loop);
	rc = record_init(&run->record, NULL, run->loop.now_ns, run->loop.wall_ns);
	if (rc == 0) {
		fill_info(run);
		run->record.run.steps_planned = count_planned(run);
		rc = reports_open(&options, &run->record, &run->reports);
	}
	if (rc < 0)
		fprintf(stderr, "quintain-hil: the reports%s%s: %s\n",
			options.out_dir != NULL ? " in " : "",
			options.out_dir != NULL ? options.out_dir : "", strerror(-rc));
	return rc;
}

void run_discard(struct run *run)
{
	if (run->reports != NULL)
		reports_free(run->reports);
	record_release(&run->record);
	loop_release(&run->loop);
	if (run->signal_fd >= 0)
		close(run->signal_fd);
	free(run->lanes);
	free(run->plan_text);
	free(run->bench_text);
}

/* ---- figures at the end ---- */

static int64_t figure_of(const struct stats *stats, int stat)
{
	switch (stat) {
	case PLAN_MEDIAN: return stats->median;
	case PLAN_MEAN: return (int64_t)stats->mean;
	case PLAN_P95: return stats->p95;
	case PLAN_P99: return stats->p99;
	case PLAN_SD: return (int64_t)stats->sd;
	default: return stats->max;
	}
}

/* All values of one measurement of one board; the widest U of them. */
static size_t gather(const struct run *run, int board, const char *name, int64_t *values,
		     struct uncertainty *ret_u, unsigned *ret_suspect, uint64_t *ret_missing)
{
	const struct record *record = &run->record;
	size_t n = 0;

	for (uint32_t s = 0; s < record->step_count; s++) {
		const struct step_result *step = &record->steps[s];
		for (unsigned m = 0; step->board == board && m < step->measurement_count; m++) {
			const struct measurement *measured = &step->measurements[m];
			if (strcmp(measured->name, name) != 0)
				continue;
			if (measured->missing) {
				++*ret_missing;
				continue;
			}
			values[n++] = measured->value;
			*ret_suspect |= measured->suspect;
			if (u_total(&measured->u, true) > u_total(ret_u, true))
				*ret_u = measured->u;
		}
	}
	return n;
}

static void judge_figure(struct run *run, const struct plan_limit *limit, unsigned board,
			 int64_t *values)
{
	static struct step_room room;
	struct uncertainty u = { .half_ns = { 0 } };
	unsigned suspect = 0;
	uint64_t missing = 0;
	struct stats stats;
	struct limit against = limit->limit;
	char name[64];
	int record_board = run->rig.stations[board].record_board;
	size_t n = gather(run, record_board, limit->of, values, &u, &suspect, &missing);

	snprintf(name, sizeof(name), "%s of %s", plan_stat_names[limit->stat], limit->of);
	step_begin(&room, record_board, limit->origin.path, name, 0, 0, run->loop.now_ns);
	if (!run->bench->calibration.required)
		against.accept |= SUSPECT_CALIBRATION;
	/* Of values with gaps in them no figure says anything about the board. */
	bool failed = run->record.boards[record_board].worst >= VERDICT_FAIL;
	if (n == 0 && failed) /* that it never came so far was judged where it happened */
		snprintf(room.step.why, sizeof(room.step.why), "there is no value of %s",
			 limit->of);
	else if (n == 0)
		step_verdict(&room, VERDICT_ERROR, "there is no value of %s", limit->of);
	if (missing > 0)
		step_verdict(&room, VERDICT_FAIL, "%llu of %llu never came",
			     (unsigned long long)missing, (unsigned long long)(missing + n));
	if (n > 0) {
		stats_compute(values, n, missing, NULL, &stats);
		step_measure(&room, name, limit->limit.has_max ? limit->max.unit : limit->min.unit,
			     figure_of(&stats, limit->stat), &u, suspect, &against);
	}
	reports_step_begin(run->reports, &room.step);
	reports_step_end(run->reports, &room.step);
}

/* ---- one line for programs ---- */

static void put_text(const char *text)
{
	struct qn_json_writer out;
	char buf[2048];

	qn_json_writer_init(&out, buf, sizeof(buf));
	qn_json_put_string(&out, text, strlen(text), true);
	fwrite(buf, 1, qn_json_written(&out), stdout);
}

void run_put_json(const struct run *run, int code)
{
	const struct record *record = &run->record;
	const char *between = "";

	printf("{\"run\": \"%s\", \"verdict\": \"%s\", \"exit_code\": %d, \"interrupted\": %s, "
	       "\"steps\": %u, \"trouble\": [",
	       record->run.id, verdict_name(record->worst), code,
	       record->run.interrupted ? "true" : "false", record->step_count);
	for (uint32_t i = 0; i < record->step_count; i++) {
		const struct step_result *step = &record->steps[i];
		if (step->verdict < VERDICT_MARGINAL)
			continue;
		printf("%s{\"board\": ", between);
		put_text(step->board >= 0 ? record->boards[step->board].name : "");
		printf(", \"verdict\": \"%s\", \"step\": ", verdict_name(step->verdict));
		put_text(step->name);
		fputs(", \"why\": ", stdout);
		put_text(step->why);
		putchar('}');
		between = ", ";
	}
	fputs("]}\n", stdout);
}

/* What the watching itself costs: more than 60 wake-ups a second a board would disturb. */
static void tell_cost(struct run *run)
{
	static struct step_room room;
	struct limit limit = { .has_max = true, .max = 60 };
	double wakeups, share;

	rig_cost(&run->rig, &wakeups, &share);
	step_begin(&room, RECORD_NO_BOARD, "rig", "the rig's own cost", 0, 0, run->loop.now_ns);
	step_measure(&room, "rig.wakeups_per_s", UNIT_COUNT, (int64_t)(wakeups + 0.5), NULL, 0,
		     &limit);
	step_measure(&room, "rig.cpu_permille", UNIT_COUNT, (int64_t)(share * 1000 + 0.5), NULL, 0,
		     NULL);
	/* It says something about the rig, never about a board. */
	if (room.step.verdict > VERDICT_MARGINAL)
		room.step.verdict = VERDICT_MARGINAL;
	reports_step_begin(run->reports, &room.step);
	reports_step_end(run->reports, &room.step);
}

void run_statistics(struct run *run)
{
	const struct plan_limit *limits = run->plan->limits.at;
	int64_t *values = calloc(run->record.step_count + 1, sizeof(*values));
	uint32_t boards[BENCH_BOARDS_MAX];

	for (size_t i = 0; values != NULL && i < run->plan->limits.count; i++) {
		if (limits[i].stat == PLAN_EACH)
			continue;
		uint32_t n = plan_boards(&limits[i].selector, run->bench, boards);
		for (uint32_t b = 0; b < n; b++)
			if (!run->lanes[boards[b]].lost)
				judge_figure(run, &limits[i], boards[b], values);
	}
	free(values);
	tell_cost(run);
}
