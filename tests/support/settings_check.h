/*
 * Loads a text by the sample table and compares every error, whole.
 *
 * Ownership: the text of errors is the caller's to free. Threads: one.
 */
#ifndef TEST_SETTINGS_CHECK_H
#define TEST_SETTINGS_CHECK_H

#include "tests/support/sample_settings.h"

#include <criterion/criterion.h>

#include <stdlib.h>

#define N_OF(array) (sizeof(array) / sizeof(*(array)))

/* All errors, a line each. */
static inline char *errors_of(const struct settings *settings)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	for (size_t i = 0; i < settings_errors(settings); i++)
		fprintf(out, "%s\n", settings_error_text(settings, i));
	fclose(out);
	return text;
}

struct error_case {
	const char *text, *errors;
};

struct set_case {
	const char *text, *errors;
	const char *set[4];
};

static inline void expect_errors_set(const struct set_case *cases, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct sample sample;
		size_t n_set = 0;

		while (n_set < 4 && cases[i].set[n_set])
			n_set++;
		struct settings *settings = settings_load_text(cases[i].text, "x.cfg", cases[i].set,
							       n_set, &SAMPLE, &sample);
		char *errors = errors_of(settings);

		cr_expect_str_eq(errors, cases[i].errors, "case %zu: %s\n   is: %s   should: %s", i,
				 cases[i].text, errors, cases[i].errors);
		free(errors);
		settings_free(settings);
	}
}

static inline void expect_errors(const struct error_case *cases, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const struct set_case one = { cases[i].text, cases[i].errors, { NULL } };

		expect_errors_set(&one, 1);
	}
}

/* Loads text that is fine. */
static inline struct settings *load_good(const char *text, const char *const *set, size_t n_set,
					 struct sample *sample)
{
	struct settings *settings = settings_load_text(text, "x.cfg", set, n_set, &SAMPLE, sample);
	char *errors = errors_of(settings);

	cr_assert_str_empty(errors, "%s", errors);
	free(errors);
	return settings;
}

#endif
