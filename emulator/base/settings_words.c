/* The words of errors and of the reference: what was written, what is taken, what was meant. */
#include "emulator/base/settings_internal.h"
#include "emulator/base/units.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAME_MAX_LEN 64

/* One character of a text as an error shows it. Returns its length. */
static size_t show_byte(unsigned char c, char quote, char out[5])
{
	static const char CONTROL[] = "\nn\rr\tt\ff";
	const char *letter = strchr(CONTROL, c);

	if (c && letter && c < ' ')
		return (size_t)sprintf(out, "\\%c", letter[1]);
	if (c < ' ' || c == 0x7f)
		return (size_t)sprintf(out, "\\x%02x", c);
	if (quote && (c == '"' || c == '\\'))
		return (size_t)sprintf(out, "\\%c", c);
	return (size_t)sprintf(out, "%c", c);
}

const char *settings_show(const char *text, size_t len, char quote, char *buf, size_t cap)
{
	/* Both quotes, three dots, NUL. */
	size_t limit = cap - 6, used = 0, i = 0;

	if (quote)
		buf[used++] = quote;
	for (; i < len; i++) {
		char out[5];
		size_t n = show_byte((unsigned char)text[i], quote, out);

		if (used + n > limit)
			break;
		memcpy(buf + used, out, n);
		used += n;
	}
	/* Not in the middle of a UTF-8 character. */
	while (i < len && i > 0 && ((unsigned char)text[i] & 0xc0) == 0x80 && used > 1) {
		used--;
		i--;
	}
	if (quote)
		buf[used++] = quote;
	snprintf(buf + used, cap - used, "%s", i < len ? "..." : "");
	return buf;
}

/* ---- the nearest name ---- */

/* Upper case and - for _ are slips that cost nothing. */
static char fold(char c)
{
	return c == '-' ? '_' : (char)tolower((unsigned char)c);
}

static unsigned least(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

/* Edit distance in which two neighbours that changed places count once (optimal string alignment).
 * Both are at most NAME_MAX_LEN long. */
static unsigned distance(const char *a, size_t n_a, const char *b, size_t n_b)
{
	unsigned rows[3][NAME_MAX_LEN + 1];
	unsigned *before = rows[0], *last = rows[1], *row = rows[2];

	for (size_t j = 0; j <= n_b; j++)
		last[j] = (unsigned)j;
	memset(before, 0, sizeof(rows[0]));
	for (size_t i = 1; i <= n_a; i++) {
		row[0] = (unsigned)i;
		for (size_t j = 1; j <= n_b; j++) {
			unsigned differs = fold(a[i - 1]) != fold(b[j - 1]);

			row[j] = least(last[j - 1] + differs, least(last[j], row[j - 1]) + 1);
			if (i > 1 && j > 1 && fold(a[i - 1]) == fold(b[j - 2]) &&
			    fold(a[i - 2]) == fold(b[j - 1]))
				row[j] = least(row[j], before[j - 2] + 1);
		}
		unsigned *oldest = before;

		before = last;
		last = row;
		row = oldest;
	}
	return last[n_b];
}

const char *settings_nearest(const char *name, const char *const *known)
{
	size_t len = strlen(name);
	const char *nearest = NULL;
	unsigned best = 4;

	for (; *known; known++) {
		size_t n = strlen(*known);

		if (len == 0 || len > NAME_MAX_LEN || n > NAME_MAX_LEN)
			continue;
		unsigned d = distance(name, len, *known, n);

		/* Half the letters wrong is another word. A cut-off name ("dur") is as good as one
		 * slip. */
		if (d > 1 && len >= 3 && strncmp(*known, name, len) == 0)
			d = 1;
		if (d < best && 2 * d < len) {
			best = d;
			nearest = *known;
		}
	}
	return nearest;
}

/* ---- what is taken ---- */

bool settings_takes_text(enum setting_kind kind)
{
	return kind == SETTING_STRING || kind == SETTING_WORD || kind == SETTING_DURATION ||
	       kind == SETTING_DIST || kind == SETTING_STRINGS || kind == SETTING_CUSTOM;
}

char *settings_words(const char *const *words, const char *last)
{
	char *text = settings_format("\"%s\"", words[0]);

	for (size_t i = 1; words[i]; i++) {
		char *longer = settings_format("%s%s\"%s\"", text, words[i + 1] ? ", " : last,
					       words[i]);

		free(text);
		text = longer;
	}
	return text;
}

static const char *bound(const struct setting *setting, int64_t value, char *buf, size_t cap)
{
	if (setting->kind == SETTING_DURATION || setting->kind == SETTING_DIST)
		return units_duration_text(value, buf, cap);
	snprintf(buf, cap, "%" PRId64, value);
	return buf;
}

const char *settings_range(const struct setting *setting, char *buf, size_t cap)
{
	char low[32], high[32];

	*buf = '\0';
	if (setting->kind == SETTING_FLOAT) {
		if (setting->fmin != 0 || setting->fmax != 0)
			snprintf(buf, cap, "%.15g .. %.15g", setting->fmin, setting->fmax);
		return buf;
	}
	bool unlimited = setting->min == INT64_MIN && setting->max == INT64_MAX;

	if (unlimited || (setting->min == 0 && setting->max == 0))
		return buf;
	bound(setting, setting->min, low, sizeof(low));
	bound(setting, setting->max, high, sizeof(high));
	if (setting->max == INT64_MAX)
		snprintf(buf, cap, "%s or more", low);
	else if (setting->min == INT64_MIN)
		snprintf(buf, cap, "%s or less", high);
	else
		snprintf(buf, cap, "%s .. %s", low, high);
	return buf;
}

char *settings_expected(const struct setting *setting)
{
	char range[96];
	const char *comma = *settings_range(setting, range, sizeof(range)) ? ", " : "";

	switch (setting->kind) {
	case SETTING_BOOL: return settings_format("true or false");
	case SETTING_INT: return settings_format("an integer%s%s", comma, range);
	case SETTING_FLOAT: return settings_format("a number%s%s", comma, range);
	case SETTING_STRING: return settings_format("a string");
	case SETTING_WORD: return settings_words(setting->words, " or ");
	case SETTING_DURATION:
		return settings_format("a duration with a unit, e.g. \"250ms\"%s%s", comma, range);
	case SETTING_DIST:
		return settings_format("a duration or a distribution, e.g. \"500ms\" or "
				       "\"normal(500ms, 20ms)\"");
	case SETTING_STRINGS: return settings_format("a string, or several as [ \"a\", \"b\" ]");
	case SETTING_GROUP: return settings_format("a group: { ... }");
	case SETTING_LIST: return settings_format("a list of groups: ( { ... }, { ... } )");
	case SETTING_CUSTOM: return settings_format("a string");
	}
	abort();
}
