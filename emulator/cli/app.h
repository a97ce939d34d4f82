/*
 * A run: everything that a config asks for, put together, driven to its end.
 *
 * Ownership: app_run() builds and tears down. Errors: exit codes (below); messages go to stderr.
 * Threads: one.
 */
#ifndef APP_H
#define APP_H

#include "emulator/base/log.h"
#include "emulator/cli/config.h"
#include "emulator/fleet/fleet.h"
#include "emulator/master/rounds.h"

enum exit_code {
	EXIT_AS_ASKED = 0,
	EXIT_TEST_FAILED = 1,
	EXIT_USAGE = 2,
	EXIT_ENVIRONMENT = 3,
};

struct app_options {
	const char *config_path;
	const char **overrides;
	size_t n_overrides;
	int64_t for_ns; /* 0: until the config or a signal ends it */
	const char *log_path;
	bool json, quiet;
};

enum app_end {
	APP_RUNNING,
	APP_ROUNDS_DONE,
	APP_TIME_UP,
	APP_SIGNAL,
};

struct live;

struct app {
	const struct app_options *options;
	struct emu_config config;
	struct loop loop;
	struct net *net;
	struct events events;
	struct fleet *fleet;   /* NULL: none */
	struct master *master; /* NULL: none */
	struct rounds *rounds; /* NULL: none */
	struct log *log;       /* NULL: none */
	struct live *live;
	struct event_sink warner; /* says the first of each trouble on stderr */
	bool warned_listen;
	int64_t start_ns, end_ns;
	enum app_end end;
	int signal;
	struct loop_watch signal_watch;
	int signal_fd;
	struct timer for_timer;
};

enum exit_code app_run(const struct app_options *options);
/* 0 or 1: did what was asked succeed? Fills why with the first reason where not. */
enum exit_code app_verdict(const struct app *app, char *why, size_t cap);

/* check.c: `quintain-emu check`. */
enum exit_code check_config(const struct app_options *options);

/* summary.c */
void summary_print(const struct app *app, FILE *out, bool colour);
/* One flat line, with newline. */
void summary_json(const struct app *app, FILE *out);

/* live.c: the view on a terminal, or a line now and then; both on stderr. */
int live_new(struct app *app, struct live **ret);
void live_start(struct live *live);
/* Takes the view off the screen. */
void live_free(struct live *live);
/* A line above the view. */
void live_message(struct live *live, const char *text);

#endif
