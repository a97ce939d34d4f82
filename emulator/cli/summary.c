#include "emulator/cli/app.h"

#include <string.h>

/* "0.123 ms", three digits that mean something. */
static const char *ms(int64_t ns, char *buf, size_t cap)
{
	double value = (double)ns / 1e6;

	snprintf(buf, cap,
		 value < 10     ? "%.3f"
		 : value < 100  ? "%.2f"
		 : value < 1000 ? "%.1f"
				: "%.0f",
		 value);
	return buf;
}

static void print_latencies(const struct master *master, FILE *out)
{
	char text[5][32];

	fprintf(out, "  %-9s %9s %7s %7s %7s   latency in ms from when it was due\n", "command",
		"sent", "ok", "failed", "lost");
	fprintf(out, "  %-9s %9s %7s %7s %7s   %8s %8s %8s %8s %8s\n", "", "", "", "", "", "p50",
		"p90", "p99", "p99.9", "max");
	for (size_t i = 0; i < 4; i++) {
		const struct master_command_stats *stats = master_stats(master, range_commands[i]);
		const struct hist *h = &stats->latency;
		if (stats->sent == 0)
			continue;
		fprintf(out, "  %-9s %9llu %7llu %7llu %7llu", range_word_name(range_commands[i]),
			(unsigned long long)stats->sent, (unsigned long long)stats->ok,
			(unsigned long long)stats->failed, (unsigned long long)stats->lost);
		if (h->n > 0)
			fprintf(out, "   %8s %8s %8s %8s %8s",
				ms(hist_percentile(h, 50), text[0], sizeof(text[0])),
				ms(hist_percentile(h, 90), text[1], sizeof(text[1])),
				ms(hist_percentile(h, 99), text[2], sizeof(text[2])),
				ms(hist_percentile(h, 99.9), text[3], sizeof(text[3])),
				ms(h->max, text[4], sizeof(text[4])));
		fputc('\n', out);
	}
}

static void print_reasons(const struct master_totals *totals, FILE *out)
{
	const struct {
		const char *what;
		uint64_t n;
	} reasons[] = {
		{ "refused", totals->refused },
		{ "reset", totals->reset },
		{ "closed without an answer", totals->closed },
		{ "bad answers", totals->bad_answers },
		{ "no resources here", totals->no_resources },
	};
	const char *separator = "  failed because: ";

	for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++)
		if (reasons[i].n > 0) {
			fprintf(out, "%s%s %llu", separator, reasons[i].what,
				(unsigned long long)reasons[i].n);
			separator = ", ";
		}
	if (separator[0] == ',')
		fputc('\n', out);
}

static void print_master(const struct app *app, FILE *out)
{
	const struct master_totals *totals = master_totals(app->master);

	fprintf(out, "master   %u targets registered, %llu registrations, %llu rejected\n",
		master_known(app->master), (unsigned long long)totals->registrations,
		(unsigned long long)totals->registrations_rejected);
	if (totals->sent > 0)
		print_latencies(app->master, out);
	print_reasons(totals, out);
	if (totals->under_way + totals->waiting > 0)
		fprintf(out, "  %llu commands were still under way at the end\n",
			(unsigned long long)(totals->under_way + totals->waiting));
	uint32_t lost = master_lost_targets(app->master);
	if (lost == 0)
		return;
	fprintf(out, "  %u targets did not answer their last command:", lost);
	uint32_t shown = 0;
	for (uint32_t i = 0; i < master_count(app->master) && shown < 8; i++)
		if (master_remote(app->master, i)->last > MASTER_OK + 1) {
			fprintf(out, " %s", master_remote(app->master, i)->id);
			shown++;
		}
	fprintf(out, "%s\n", lost > shown ? " ..." : "");
}

static void print_talk(const struct target_env *env, FILE *out)
{
	const struct target_totals *totals = &env->totals;
	const struct hist *h = &env->talk_latency;
	char text[3][32];

	fprintf(out, "  talk: %llu messages, %llu answered, %llu lost, %llu answered wrong",
		(unsigned long long)totals->talk_sent, (unsigned long long)totals->talk_answered,
		(unsigned long long)totals->talk_lost, (unsigned long long)totals->talk_wrong);
	if (totals->talk_unconnected > 0)
		fprintf(out, ", %llu times no connection",
			(unsigned long long)totals->talk_unconnected);
	if (h->n > 0)
		fprintf(out, "; p50 %s ms, p99 %s ms, max %s ms from when it was due",
			ms(hist_percentile(h, 50), text[0], sizeof(text[0])),
			ms(hist_percentile(h, 99), text[1], sizeof(text[1])),
			ms(h->max, text[2], sizeof(text[2])));
	fputc('\n', out);
}

static void print_fleet(const struct fleet *fleet, FILE *out)
{
	const struct target_totals *totals = &fleet->env.totals;

	fprintf(out, "fleet    %u targets, %llu registered, %llu lost;", fleet->count,
		(unsigned long long)totals->registered, (unsigned long long)totals->lost);
	for (int state = 0; state < TARGET_STATES; state++)
		if (totals->by_state[state] > 0)
			fprintf(out, " %s %llu", target_state_name((enum target_state)state),
				(unsigned long long)totals->by_state[state]);
	fputc('\n', out);
	if (totals->register_failures > 0)
		fprintf(out, "  registrations: %llu done, %llu failed and tried again\n",
			(unsigned long long)totals->registrations,
			(unsigned long long)totals->register_failures);
	fprintf(out,
		"  answered %llu commands: ping %llu, stand_up %llu, lay_down %llu, activate %llu\n",
		(unsigned long long)totals->answers,
		(unsigned long long)totals->commands[RANGE_PING],
		(unsigned long long)totals->commands[RANGE_STAND_UP],
		(unsigned long long)totals->commands[RANGE_LAY_DOWN],
		(unsigned long long)totals->commands[RANGE_ACTIVATE]);
	if (totals->activations > 0)
		fprintf(out, "  %llu activations: %llu hits, %llu misses\n",
			(unsigned long long)totals->activations, (unsigned long long)totals->hits,
			(unsigned long long)totals->misses);
	if (totals->hits_reported + totals->hit_reports_failed > 0)
		fprintf(out, "  hits reported by HTTP: %llu, failed: %llu\n",
			(unsigned long long)totals->hits_reported,
			(unsigned long long)totals->hit_reports_failed);
	if (totals->faults_struck > 0)
		fprintf(out, "  faults struck %llu times\n",
			(unsigned long long)totals->faults_struck);
	if (totals->disconnects > 0)
		fprintf(out, "  warning: connections lost: %llu\n",
			(unsigned long long)totals->disconnects);
	if (fleet->env.talk_latency.counts != NULL)
		print_talk(&fleet->env, out);
	if (totals->bad_lines + totals->queue_full + totals->conn_refused > 0)
		fprintf(out, "  bad lines %llu, moves refused %llu, connections refused %llu\n",
			(unsigned long long)totals->bad_lines,
			(unsigned long long)totals->queue_full,
			(unsigned long long)totals->conn_refused);
}

static void print_expectations(const struct expect *expect, FILE *out, bool colour)
{
	static const char *const colours[] = { [VERDICT_PASS] = "\033[32m",
					       [VERDICT_FAIL] = "\033[31m",
					       [VERDICT_ERROR] = "\033[35m" };

	for (uint32_t i = 0; i < expect_count(expect); i++) {
		const struct verdict *v = expect_verdict(expect, i);
		fprintf(out, "  %s%-5s%s %s\n", colour ? colours[v->outcome] : "",
			verdict_outcome_name(v->outcome), colour ? "\033[0m" : "", v->name);
		fprintf(out, "        %s, %s: %s (at %.3f s)\n", v->that, v->mode, v->seen,
			(double)v->at_ns / 1e9);
		if (v->targets_count == 0)
			continue;
		fprintf(out, "        %u targets:", v->targets_total);
		for (uint32_t t = 0; t < v->targets_count; t++)
			fprintf(out, " %s", v->targets[t]);
		fprintf(out, "%s\n", v->targets_total > v->targets_count ? " ..." : "");
	}
}

static void print_results(const struct app *app, FILE *out)
{
	uint64_t dropped = results_dropped(app->results);

	fprintf(out, "results  %s: report.html, summary.json, junit.xml%s", app->options->out_dir,
		app->options->no_events ? "" : ", events.jsonl");
	if (dropped > 0)
		fprintf(out, " (%llu events were dropped)", (unsigned long long)dropped);
	fputc('\n', out);
}

void summary_print(const struct app *app, FILE *out, bool colour)
{
	static const char *const ends[] = {
		[APP_RUNNING] = "ended",
		[APP_ROUNDS_DONE] = "all rounds done",
		[APP_TIME_UP] = "the time is up",
		[APP_SIGNAL] = "stopped by a signal",
		[APP_NOTHING_LEFT] = "nothing was left to happen",
	};
	struct app_verdict verdict;

	app_judge(app, &verdict);
	fprintf(out, "\n%s%s%s  after %.1f s%s: %s%s%s\n",
		colour ? (verdict.code == EXIT_AS_ASKED ? "\033[1;32m" : "\033[1;31m") : "",
		verdict.word, colour ? "\033[0m" : "", (double)(app->end_ns - app->start_ns) / 1e9,
		app->loop.simulated ? " of simulated time" : "",
		app->end == APP_SIGNAL ? strsignal(app->signal) : ends[app->end],
		verdict.why[0] != '\0' ? "; " : "", verdict.why);
	if (app->expect != NULL)
		print_expectations(app->expect, out, colour);
	if (app->fleet != NULL)
		print_fleet(app->fleet, out);
	if (app->master != NULL)
		print_master(app, out);
	if (app->log != NULL)
		fprintf(out, "log      %s%s\n", app->options->log_path,
			log_lost(app->log) > 0 ? " (lines were lost)" : "");
	if (app->results != NULL)
		print_results(app, out);
}
