/*
 * A run: everything that a config asks for, put together, driven to its end.
 *
 * Ownership: app_run() builds and tears down. Errors: exit codes (below); messages go to stderr.
 * Threads: one, and the results' writer.
 */
#ifndef APP_H
#define APP_H

#include "emulator/base/log.h"
#include "emulator/cli/config.h"
#include "emulator/fleet/fleet.h"
#include "emulator/master/rounds.h"
#include "emulator/results/results.h"

enum exit_code {
	EXIT_AS_ASKED = 0,
	EXIT_TEST_FAILED = 1,
	EXIT_USAGE = 2,
	EXIT_ENVIRONMENT = 3, /* ERROR verdicts too: nobody can say whether it would have passed */
};

struct app_options {
	const char *config_path;
	const char **overrides; /* room for one more */
	size_t n_overrides;
	int64_t for_ns; /* 0: until the config or a signal ends it */
	const char *log_path, *out_dir;
	bool json, quiet, simulate, no_events;
	bool has_seeds;
	uint64_t seeds_first, seeds_last;
	/* Called between loading and building: takes away what is not wanted. NULL: nothing. */
	void (*adjust)(struct emu_config *config);
};

enum app_end {
	APP_RUNNING,
	APP_ROUNDS_DONE,
	APP_TIME_UP,
	APP_SIGNAL,
	APP_NOTHING_LEFT, /* a simulation without anything to come */
};

/* What a run came to, for the exit code and for people. */
struct app_verdict {
	enum exit_code code;
	const char *word; /* "PASS", "FAIL", "ERROR" */
	char why[200];    /* "" where it passed */
};

struct live;

struct app {
	const struct app_options *options;
	struct emu_config config;
	struct settings *settings;
	struct loop loop;
	struct net *net;
	struct events events;
	struct fleet *fleet;       /* NULL: none */
	struct master *master;     /* NULL: none */
	struct rounds *rounds;     /* NULL: none */
	struct timeline *timeline; /* NULL: none */
	struct expect *expect;     /* NULL: none */
	struct results *results;   /* NULL: none */
	struct log *log;           /* NULL: none */
	struct live *live;
	struct event_sink warner; /* says the first of each trouble on stderr */
	bool warned_listen, warned_register;
	int64_t start_ns, end_ns;
	enum app_end end;
	int signal;
	struct loop_watch signal_watch;
	int signal_fd;
	struct timer end_timer;
};

enum exit_code app_run(const struct app_options *options);
/* The same without words on stdout: what it came to. For many seeds. */
enum exit_code app_run_quietly(const struct app_options *options, struct app_verdict *verdict);

/*
 * The parts of a run, for who wants to look at its end: prepare a zeroed app, drive it where that
 * was EXIT_AS_ASKED, tear it down in any case. app_drive: 0 or -errno of the loop.
 */
enum exit_code app_prepare(struct app *app, const struct app_options *options);
int app_drive(struct app *app);
void app_tear_down(struct app *app);

/* verdict.c */
void app_judge(const struct app *app, struct app_verdict *verdict);

/* environment.c: what the machine must offer; each says on stderr what is missing. */
void complain(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* How many connections fit beside the listeners; 0 where they do not. */
size_t environment_connections(const struct emu_config *config, size_t fd_limit);
/* Whether all targets could listen where they live; tried by binding, before anything starts. */
bool environment_targets(const struct fleet_config *fleet);
/* Why who cannot listen there (-errno), and what helps. */
void environment_explain(const char *who, struct net_addr at, int error);

/* check.c: `quintain-emu check`. */
enum exit_code check_config(const struct app_options *options);

/* seeds.c: `run --simulate --seeds A..B`. */
enum exit_code seeds_run(const struct app_options *options);

/* summary.c */
void summary_print(const struct app *app, FILE *out, bool colour);
/* summary_json.c: one object on one line, without newline. `context` is the app. */
void summary_json(void *context, FILE *out);

/* live.c: the view on a terminal, or a line now and then; both on stderr. */
int live_new(struct app *app, struct live **ret);
void live_start(struct live *live);
/* Takes the view off the screen. */
void live_free(struct live *live);
/* A line above the view. */
void live_message(struct live *live, const char *text);

#endif
