#include "emulator/cli/app.h"

static void put_u64(FILE *out, const char *name, uint64_t value, const char *end)
{
	fprintf(out, "\"%s\": %llu%s", name, (unsigned long long)value, end);
}

static void put_hist(FILE *out, const char *name, const struct hist *hist)
{
	static const struct {
		const char *name;
		double percent;
	} marks[] = { { "p50", 50 }, { "p90", 90 }, { "p99", 99 }, { "p999", 99.9 } };

	fprintf(out, "\"%s\": {\"n\": %llu", name, (unsigned long long)hist->n);
	for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++)
		fprintf(out, ", \"%s\": %.3f", marks[i].name,
			(double)hist_percentile(hist, marks[i].percent) / 1e3);
	fprintf(out, ", \"max\": %.3f}", (double)hist->max / 1e3);
}

static void put_latencies(FILE *out, const struct master *master, bool service)
{
	for (size_t i = 0; i < 4; i++) {
		const struct master_command_stats *stats = master_stats(master, range_commands[i]);
		fputs(i > 0 ? ", " : "", out);
		put_hist(out, range_word_name(range_commands[i]),
			 service ? &stats->service : &stats->latency);
	}
}

/* What was neither answered nor lost was under way when its target went, or the run ended. */
static void put_talk(FILE *out, const struct target_env *env)
{
	const struct target_totals *totals = &env->totals;

	fputs(", \"talk\": {", out);
	put_u64(out, "sent", totals->talk_sent, ", ");
	put_u64(out, "answered", totals->talk_answered, ", ");
	put_u64(out, "lost", totals->talk_lost, ", ");
	put_u64(out, "wrong", totals->talk_wrong, ", ");
	put_u64(out, "unconnected", totals->talk_unconnected, ", ");
	put_hist(out, "latency_us", &env->talk_latency);
	fputs("}", out);
}

static void put_fleet(FILE *out, const struct fleet *fleet)
{
	const struct target_totals *totals = &fleet->env.totals;

	fputs("\"fleet\": {", out);
	put_u64(out, "targets", fleet->count, ", ");
	put_u64(out, "registered", totals->registered, ", ");
	put_u64(out, "lost", totals->lost, ", ");
	fputs("\"by_state\": {", out);
	for (int state = 0; state < TARGET_STATES; state++)
		put_u64(out, target_state_name((enum target_state)state), totals->by_state[state],
			state + 1 < TARGET_STATES ? ", " : "}, ");
	put_u64(out, "registrations", totals->registrations, ", ");
	put_u64(out, "register_failures", totals->register_failures, ", ");
	fputs("\"commands\": {", out);
	for (size_t i = 0; i < 4; i++)
		put_u64(out, range_word_name(range_commands[i]),
			totals->commands[range_commands[i]], i < 3 ? ", " : "}, ");
	put_u64(out, "answers", totals->answers, ", ");
	put_u64(out, "errors_answered", totals->errors_answered, ", ");
	put_u64(out, "bad_lines", totals->bad_lines, ", ");
	put_u64(out, "queue_full", totals->queue_full, ", ");
	put_u64(out, "conn_refused", totals->conn_refused, ", ");
	put_u64(out, "listen_failed", totals->listen_failed, ", ");
	put_u64(out, "moves", totals->moves, ", ");
	put_u64(out, "activations", totals->activations, ", ");
	put_u64(out, "hits", totals->hits, ", ");
	put_u64(out, "misses", totals->misses, ", ");
	put_u64(out, "hits_reported", totals->hits_reported, ", ");
	put_u64(out, "hit_reports_failed", totals->hit_reports_failed, ", ");
	put_u64(out, "faults_struck", totals->faults_struck, ", ");
	put_u64(out, "disconnects", totals->disconnects, "");
	if (fleet->env.talk_latency.counts != NULL)
		put_talk(out, &fleet->env);
	fputs("}", out);
}

static void put_master(FILE *out, const struct app *app)
{
	const struct master_totals *totals = master_totals(app->master);

	fputs("\"master\": {", out);
	put_u64(out, "targets", master_known(app->master), ", ");
	put_u64(out, "lost_targets", master_lost_targets(app->master), ", ");
	put_u64(out, "registrations", totals->registrations, ", ");
	put_u64(out, "registrations_rejected", totals->registrations_rejected, ", ");
	put_u64(out, "forgotten", totals->forgotten, ", ");
	put_u64(out, "sent", totals->sent, ", ");
	put_u64(out, "ok", totals->ok, ", ");
	put_u64(out, "failed", totals->failed, ", ");
	put_u64(out, "lost", totals->lost, ", ");
	put_u64(out, "unfinished", totals->under_way + totals->waiting, ", ");
	put_u64(out, "unsent", rounds_unsent(app->rounds), ", ");
	fprintf(out, "\"failed_by_reason\": {");
	put_u64(out, "refused", totals->refused, ", ");
	put_u64(out, "reset", totals->reset, ", ");
	put_u64(out, "closed", totals->closed, ", ");
	put_u64(out, "bad_answer", totals->bad_answers, ", ");
	put_u64(out, "no_resources", totals->no_resources, "}, ");
	fputs("\"latency_us\": {", out);
	put_latencies(out, app->master, false);
	fputs("}, \"service_us\": {", out);
	put_latencies(out, app->master, true);
	fputs("}}", out);
}

static void put_expectations(FILE *out, const struct expect *expect)
{
	uint64_t passed = 0, failed = 0, errors = 0;

	for (uint32_t i = 0; i < expect_count(expect); i++) {
		enum verdict_outcome outcome = expect_verdict(expect, i)->outcome;
		passed += outcome == VERDICT_PASS;
		failed += outcome == VERDICT_FAIL;
		errors += outcome == VERDICT_ERROR;
	}
	fputs(", \"expectations\": {", out);
	put_u64(out, "passed", passed, ", ");
	put_u64(out, "failed", failed, ", ");
	put_u64(out, "errors", errors, "}");
}

void summary_json(void *context, FILE *out)
{
	const struct app *app = context;
	struct app_verdict verdict;

	app_judge(app, &verdict);
	fprintf(out, "{\"verdict\": \"%s\", \"seconds\": %.3f, \"simulated\": %s", verdict.word,
		(double)(app->end_ns - app->start_ns) / 1e9,
		app->loop.simulated ? "true" : "false");
	if (app->fleet != NULL) {
		fputs(", ", out);
		put_fleet(out, app->fleet);
	}
	if (app->master != NULL) {
		fputs(", ", out);
		put_master(out, app);
	}
	if (app->timeline != NULL) {
		fputs(", \"timeline\": {", out);
		put_u64(out, "steps_done", timeline_done(app->timeline), ", ");
		put_u64(out, "dropped", timeline_dropped(app->timeline), "}");
	}
	if (app->expect != NULL)
		put_expectations(out, app->expect);
	if (app->log != NULL)
		fprintf(out, ", \"log_lines_lost\": %llu", (unsigned long long)log_lost(app->log));
	if (app->results != NULL)
		fprintf(out, ", \"events_dropped\": %llu",
			(unsigned long long)results_dropped(app->results));
	fputs("}", out);
}
