/*
 * A test of quintain-emu as its users run it: real processes, real sockets, configs in files.
 *
 * Purpose: TestSuite(x, .init = e2e_begin, .fini = e2e_end) gives each test a /16 of loopback
 * addresses and some ports that no other test has meanwhile, in whatever process it runs, and a
 * folder that goes away with the processes it started.
 * Texts of configs and arguments are templates: "@A" is the test's network ("127.42"), "@P", "@Q",
 * "@R" its ports, "@D" its folder.
 * Ownership: everything that is given back lives until e2e_end().
 * Errors: fail the test; deadlines as in process.h. Threads: one.
 */
#ifndef TEST_E2E_H
#define TEST_E2E_H

#include "tests/support/process.h"

#include <stdint.h>

void e2e_begin(void);
/* To be called before cr_skip() too, which passes over .fini; a second time does no harm. */
void e2e_end(void);

/* @A.x.y, host byte order. */
uint32_t e2e_ip(unsigned x, unsigned y);
/* @P, @Q, @R for 'P', 'Q', 'R'. */
uint16_t e2e_port(char which);

/* The template with its marks replaced. */
const char *e2e_text(const char *format);
/* Writes it to a file of that name in the folder; its path. */
const char *e2e_file(const char *name, const char *format);

/* quintain-emu with these arguments (templates; the last is NULL). options may be NULL. */
struct process *emu_start(const char *const args[], const struct process_options *options);
#define EMU(...) emu_start((const char *const[]){ __VA_ARGS__, NULL }, NULL)
#define EMU_WITH(options, ...) emu_start((const char *const[]){ __VA_ARGS__, NULL }, options)

/* Waits for its end: its exit code. What all processes say meanwhile is taken. */
int emu_wait(struct process *process);
void emu_signal(struct process *process, int signal);
/* Waits until stderr holds that text `times` times, past what was waited for before. */
void emu_hears(struct process *process, const char *text, size_t times);
/* Waits until somebody listens there: what a process does before it says anything. */
void emu_listens(struct process *process, uint32_t ip, uint16_t port);
/* Takes what all processes have said so far; never waits. */
void e2e_pump(void);
/* Ends it and makes room for another; without it a test has room for 8. */
void e2e_forget(struct process *process);

/* Both fail the test with all that the process said. */
void emu_expect_code(struct process *process, int code);
void emu_expect_says(const struct process *process, const char *text);
void emu_expect_prints(const struct process *process, const char *text);

/* The last line of its stdout; fails unless that is one JSON object and a newline. */
const char *emu_json(const struct process *process);

#endif
