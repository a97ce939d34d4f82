#include "emulator/target/parts.h"

/* What message faults do to an answer that is one JSON object. */

static char *find(char *line, size_t len, const char *what)
{
	return memmem(line, len, what, strlen(what));
}

static void upper_type(char *line, size_t len)
{
	char *at = find(line, len, "\"type\": \"");

	for (at = at != NULL ? at + 9 : line + len; at < line + len && *at != '"'; at++)
		if (*at >= 'a' && *at <= 'z')
			*at = (char)(*at - 'a' + 'A');
}

static void put_bad_utf8(char *line, size_t len)
{
	char *at = find(line, len, "\"status\": \"");

	if (at == NULL)
		at = find(line, len, "\"error\": \"");
	at = at != NULL ? strchr(at + 9, '"') : NULL;
	if (at != NULL && at + 2 < line + len)
		at[1] = (char)0xff; /* the first letter of the value */
}

/* Makes room for a member in front of those of data, and fills it. */
static size_t grow_data(char *line, size_t len, size_t cap, size_t more,
			void (*fill)(char *at, size_t more))
{
	char *data = find(line, len, "\"data\": {");
	char *at = data != NULL ? data + 9 : find(line, len, "{");

	if (at == NULL || len + more > cap)
		return len;
	at += data == NULL; /* a message without data: the object itself */
	memmove(at + more, at, len - (size_t)(at - line));
	fill(at, more);
	return len + more;
}

static void fill_padding(char *at, size_t more)
{
	static const char head[] = "\"padding\": \"", tail[] = "\", ";

	memset(at, 'x', more);
	memcpy(at, head, sizeof(head) - 1);
	memcpy(at + more - (sizeof(tail) - 1), tail, sizeof(tail) - 1);
}

static void fill_nesting(char *at, size_t more)
{
	static const char head[] = "\"deep\": ", tail[] = ", ";
	size_t depth = (more - (sizeof(head) - 1) - (sizeof(tail) - 1)) / 2;

	memcpy(at, head, sizeof(head) - 1);
	memset(at + sizeof(head) - 1, '[', depth);
	memset(at + sizeof(head) - 1 + depth, ']', depth);
	memcpy(at + more - (sizeof(tail) - 1), tail, sizeof(tail) - 1);
}

size_t target_spoil_json(struct target *target, const struct fault_spec *spec, char *unit,
			 size_t len, size_t cap)
{
	(void)target;
	switch (spec->kind) {
	case FAULT_UPPER_TYPE: upper_type(unit, len); break;
	case FAULT_BAD_UTF8: put_bad_utf8(unit, len); break;
	case FAULT_DEEP:
		return grow_data(unit, len, cap, (size_t)spec->count * 2 + 10, fill_nesting);
	case FAULT_OVERSIZED:
		if ((size_t)spec->bytes > len + 15)
			return grow_data(unit, len, cap, (size_t)spec->bytes - len, fill_padding);
		break;
	case FAULT_CUT_JSON: return (size_t)((double)len * spec->factor);
	default: break;
	}
	return len;
}
