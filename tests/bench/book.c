#include "tests/bench/book.h"

#include "tests/bench/common.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define SERIES_MAX 128
#define SAMPLES_MAX 64

struct series {
	char key[BOOK_KEY_MAX];
	double samples[SAMPLES_MAX];
	size_t n;
};

/* One line of the table: a ratio, what must be reached, and the two figures that it comes from. */
struct row {
	enum { ROW_KEPT, ROW_CONNECT, ROW_JSON } part;
	const char *ratio, *bare, *ours, *unit;
	double floor; /* 0: only shown */
};

static const struct row rows[] = {
	{ ROW_KEPT, "kept_100_ratio", "kept_100_bare_per_s", "kept_100_ours_per_s", "/s", 0.92 },
	{ ROW_KEPT, "kept_1000_ratio", "kept_1000_bare_per_s", "kept_1000_ours_per_s", "/s", 0.92 },
	{ ROW_KEPT, "kept_9000_ratio", "kept_9000_bare_per_s", "kept_9000_ours_per_s", "/s", 0.92 },
	{ ROW_CONNECT, "connect_100_fleet_ratio", "connect_100_bare_server_cpu_us",
	  "connect_100_fleet_cpu_us", "us", 0.9 },
	{ ROW_CONNECT, "connect_100_master_ratio", "connect_100_bare_client_cpu_us",
	  "connect_100_master_cpu_us", "us", 0.9 },
	{ ROW_CONNECT, "connect_1000_fleet_ratio", "connect_1000_bare_server_cpu_us",
	  "connect_1000_fleet_cpu_us", "us", 0.9 },
	{ ROW_CONNECT, "connect_1000_master_ratio", "connect_1000_bare_client_cpu_us",
	  "connect_1000_master_cpu_us", "us", 0.9 },
	{ ROW_JSON, "json_jansson_ratio", "json_jansson_ns", "json_ns", "ns", 5 },
	{ ROW_JSON, "json_cjson_ratio", "json_cjson_ns", "json_ns", "ns", 0 },
};

static struct series book[SERIES_MAX];
static size_t n_series;

static struct series *find(const char *key)
{
	for (size_t i = 0; i < n_series; i++) {
		if (strcmp(book[i].key, key) == 0)
			return &book[i];
	}
	return NULL;
}

void book_add(double sample, const char *key_format, ...)
{
	char key[BOOK_KEY_MAX];
	struct series *series;
	va_list args;

	va_start(args, key_format);
	vsnprintf(key, sizeof(key), key_format, args);
	va_end(args);
	series = find(key);
	if (!series) {
		if (n_series == SERIES_MAX)
			die(0, "too many figures");
		series = &book[n_series++];
		memcpy(series->key, key, sizeof(key));
	}
	if (series->n == SAMPLES_MAX)
		die(0, "%s: more than %d samples", key, SAMPLES_MAX);
	if (!isfinite(sample))
		die(0, "%s: a sample is no number", key);
	series->samples[series->n++] = sample;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

double book_quantile(const char *key, double share)
{
	const struct series *series = find(key);
	double sorted[SAMPLES_MAX], at;
	size_t below;

	if (!series)
		return NAN;
	memcpy(sorted, series->samples, series->n * sizeof(sorted[0]));
	qsort(sorted, series->n, sizeof(sorted[0]), by_value);
	at = share * (double)(series->n - 1);
	below = (size_t)at;
	if (below + 1 >= series->n)
		return sorted[below];
	return sorted[below] + (at - (double)below) * (sorted[below + 1] - sorted[below]);
}

size_t book_add_json(const char *json)
{
	size_t added = 0;
	const char *at = json;

	while ((at = strchr(at, '"'))) {
		const char *end = strchr(at + 1, '"');
		char *after;
		double value;

		if (!end)
			break;
		if (end[1] != ':') { /* a string as value */
			at = end + 1;
			continue;
		}
		value = strtod(end + 2, &after);
		if (after != end + 2) {
			book_add(value, "%.*s", (int)(end - at - 1), at + 1);
			added++;
		}
		at = end + 2;
	}
	return added;
}

double json_number(const char *json, const char *key)
{
	char quoted[BOOK_KEY_MAX + 4];
	const char *at;

	snprintf(quoted, sizeof(quoted), "\"%s\":", key);
	at = strstr(json, quoted);
	return at ? strtod(at + strlen(quoted), NULL) : NAN;
}

static bool is_ratio(const struct series *series)
{
	size_t len = strlen(series->key);

	return len > 6 && strcmp(series->key + len - 6, "_ratio") == 0 && series->n > 1;
}

void book_write(const char *path)
{
	FILE *out = fopen(path, "w");

	if (!out)
		die(errno, "%s", path);
	fputc('{', out);
	for (size_t i = 0; i < n_series; i++) {
		const char *key = book[i].key;

		fprintf(out, "%s\n  \"%s\": %.4f", i ? "," : "", key, book_quantile(key, 0.5));
		if (is_ratio(&book[i]))
			fprintf(out, ",\n  \"%s_q1\": %.4f,\n  \"%s_q3\": %.4f", key,
				book_quantile(key, 0.25), key, book_quantile(key, 0.75));
	}
	fputs("\n}\n", out);
	if (ferror(out) || fclose(out))
		die(errno, "%s", path);
}

/* False: the floor is missed. */
static bool print_row(const struct row *row)
{
	double ratio = book_quantile(row->ratio, 0.5);
	int decimals = strcmp(row->unit, "us") == 0 ? 2 : 0;
	bool reached = ratio >= row->floor;

	printf("%-26s", row->ratio);
	if (isnan(ratio)) {
		printf(" not measured%39s\n", row->floor > 0 ? "MISSED" : "");
		return row->floor <= 0;
	}
	printf("%10.*f %-2s%10.*f %-2s %7.3f  %.3f .. %.3f", decimals,
	       book_quantile(row->bare, 0.5), row->unit, decimals, book_quantile(row->ours, 0.5),
	       row->unit, ratio, book_quantile(row->ratio, 0.25), book_quantile(row->ratio, 0.75));
	if (row->floor > 0)
		printf("  >= %.2f  %s\n", row->floor, reached ? "ok" : "MISSED");
	else
		putchar('\n');
	return reached;
}

unsigned book_verdicts(bool kept, bool connect, bool json)
{
	const bool asked[] = { [ROW_KEPT] = kept, [ROW_CONNECT] = connect, [ROW_JSON] = json };
	unsigned missed = 0;

	printf("\n%-26s%13s%13s %7s  %-14s  %s\n", "", "reference", "ours", "ratio", "quartiles",
	       "floor");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (asked[rows[i].part] && !print_row(&rows[i]))
			missed++;
	}
	return missed;
}
