/*
 * Values out of a JSON object by their paths: "master.latency_us.ping.p50".
 *
 * Errors: a path that leads nowhere, or to a value of another kind, fails the test with the text.
 * Threads: no state.
 */
#ifndef TEST_JSON_PATH_H
#define TEST_JSON_PATH_H

#include <stdbool.h>

double json_number(const char *json, const char *path);
/* Whether the string there, escapes not undone, is that one. */
bool json_is(const char *json, const char *path, const char *text);

/* json_number() of exactly that value. */
#define EXPECT_JSON(json, path, value)                                                             \
	do {                                                                                       \
		double got_ = json_number(json, path), wanted_ = (double)(value);                  \
		cr_expect(got_ == wanted_, "%s is %g, expected %g in %s", path, got_, wanted_,     \
			  json);                                                                   \
	} while (0)

#endif
