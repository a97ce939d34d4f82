/*
 * REQUIRE: a check in a loop of many.
 *
 * Purpose: Criterion tells its runner of every check that holds, by a message; hundreds of
 * thousands of them need not be told. A check that does not hold fails the test as cr_assert()
 * does.
 */
#ifndef TEST_REQUIRE_H
#define TEST_REQUIRE_H

#include <criterion/criterion.h>

#define REQUIRE(condition)                                                                         \
	do {                                                                                       \
		if (!(condition))                                                                  \
			cr_assert_fail("%s", #condition);                                          \
	} while (0)

#endif
