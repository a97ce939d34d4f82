/*
 * The Python that the rig sends: that it can be sent, filled in to the brim, and which names can.
 */
#include "hil/pico/snippets.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

static void check(const char *snippet, const char *a, const char *b)
{
	char code[4096];

/* The formats are ours, and each takes two texts at most. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
#pragma GCC diagnostic ignored "-Wformat-security"
	int n = snprintf(code, sizeof(code), snippet, a, b);
#pragma GCC diagnostic pop
	cr_expect(n > 0 && n < SNIPPET_BYTES_MAX, "%d bytes: %s", n, snippet);
	for (int i = 0; i < n; i++)
		cr_expect(code[i] == '\n' || (code[i] >= ' ' && code[i] <= '~'), "%s", snippet);
	cr_expect_neq(code[n - 1], '\n');
}

Test(snippets, can_be_sent)
{
	static const char *const all[] = {
		SNIPPET_IDENTITY,   SNIPPET_OPEN_WRITE, SNIPPET_WRITE, SNIPPET_CLOSE,
		SNIPPET_OPEN_READ,  SNIPPET_READ,       SNIPPET_HASH,  SNIPPET_RENAME,
		SNIPPET_REMOVE,     SNIPPET_MKDIR,      SNIPPET_LIST,  SNIPPET_RESET,
		SNIPPET_BOOTLOADER,
	};
	char name[SNIPPET_NAME_MAX + 1], quoted[SNIPPET_NAME_MAX + 3];
	char digits[2 * SNIPPET_CHUNK + 1];

	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	memset(digits, 'f', sizeof(digits) - 1);
	digits[sizeof(digits) - 1] = '\0';
	cr_assert(snippet_quote(name, quoted, sizeof(quoted)));
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		check(all[i], quoted, quoted);
		check(all[i], digits, quoted);
	}
}

Test(snippets, names)
{
	char buf[SNIPPET_NAME_MAX + 3];

	cr_expect(snippet_quote("/lib/main.py", buf, sizeof(buf)));
	cr_expect_str_eq(buf, "'/lib/main.py'");
	cr_expect_not(snippet_quote("/lib/main.py", buf, 14), "no room");
	cr_expect(snippet_quote("/lib/main.py", buf, 15));
	cr_expect_not(snippet_quote("a');import os#", buf, sizeof(buf)));
	cr_expect_not(snippet_quote("a\x7f", buf, sizeof(buf)));
}
