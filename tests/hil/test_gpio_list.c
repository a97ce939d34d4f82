/* Chips and lines as `quintain-hil list` tells them. */
#include "hil/gpio/gpio_list.h"
#include "proto/json/json.h"
#include "tests/support/gpio_fake.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static struct gpio_fake fake;
static char *text;
static size_t count;

static void setup(void)
{
	static const char *const board[] = { "servo", "up", "down", "" };
	struct gpio_fake_chip *chip;

	gpio_fake_init(&fake, 2);
	chip = gpio_fake_chip(&fake, "board1", 4, board);
	chip->line[1].info.used = true;
	strcpy(chip->line[1].info.consumer, "a \"b\"");
	chip = gpio_fake_chip(&fake, "bare", 2, NULL);
	chip->line[1].info.used = true;
	gpio_fake_chip(&fake, "quiet", 1, NULL);
}

static void list(bool json)
{
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	cr_assert_eq(gpio_list(&fake.gpio, json, out, &count, NULL), 0);
	fclose(out);
}

static void teardown(void)
{
	cr_assert_eq(fake.chips_open, 0, "every chip that was opened is closed");
	free(text);
	gpio_fake_release(&fake);
}

TestSuite(gpio_list, .init = setup, .fini = teardown);

Test(gpio_list, for_a_person)
{
	fake.chip[2].open_error = -EACCES;
	list(false);
	cr_expect_eq(count, 3);
	cr_expect_str_eq(text, "gpiochip0        board1, 4 lines\n"
			       "    servo, up (used by a \"b\"), down, 1 without a name\n"
			       "gpiochip1        bare, 2 lines\n"
			       "    offset 1 (used by somebody), 1 without a name\n"
			       "gpiochip2        Permission denied\n");
}

Test(gpio_list, nothing_to_say_of_its_lines)
{
	fake.chips = 0;
	gpio_fake_chip(&fake, "quiet", 1, NULL);
	list(false);
	cr_expect_not_null(strstr(text, "quiet, 1 line\n"), "%s", text);
	cr_expect_null(strstr(text, "    "
				    "1 without"),
		       "%s", text);
}

Test(gpio_list, rows_end_before_the_terminal_does)
{
	static const char *const names[] = { "a-line-with-a-name-of-30-bytes",
					     "b-line-with-a-name-of-30-bytes",
					     "c-line-with-a-name-of-30-bytes",
					     "d-line-with-a-name-of-30-bytes" };

	gpio_fake_chip(&fake, "long", 4, names);
	list(false);
	cr_expect_not_null(strstr(text, "\n    a-line-with-a-name-of-30-bytes, "
					"b-line-with-a-name-of-30-bytes,\n    c-"),
			   "%s", text);
	for (char *row, *rest = text; (row = strsep(&rest, "\n")) != NULL;)
		cr_expect_leq(strlen(row), 100, "%s", row);
}

Test(gpio_list, for_a_program)
{
	struct qn_fault fault;
	char *row, *rest;

	fake.chip[2].open_error = -EACCES;
	list(true);
	cr_expect_not_null(strstr(text, "{\"chip\": \"gpiochip0\", \"label\": \"board1\", "
					"\"lines\": [{\"offset\": 0, \"name\": \"servo\", "
					"\"used\": false, \"used_by\": \"\"}, "),
			   "%s", text);
	cr_expect_not_null(strstr(text, "\"used\": true, \"used_by\": \"a \\\"b\\\"\"}"), "%s",
			   text);
	cr_expect_not_null(strstr(text, "\"error\": \"Permission denied\"}\n"), "%s", text);
	for (rest = text; (row = strsep(&rest, "\n")) != NULL && *row != '\0';)
		cr_expect_eq(qn_json_check(row, strlen(row), QN_JSON_STRICT, 0, &fault), QN_OK,
			     "%s", row);
}
