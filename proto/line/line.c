#include "proto/line/line.h"

#include <string.h>

enum qn_code qn_line_next(const char *bytes, size_t len, size_t scanned, size_t limit,
			  struct qn_text *line, size_t *taken)
{
	const char *end = scanned < len ? memchr(bytes + scanned, '\n', len - scanned) : NULL;
	size_t whole = end != NULL ? (size_t)(end - bytes) : len;

	if (whole > limit)
		return QN_E_TOO_LONG;
	if (end == NULL)
		return QN_MORE;
	*taken = whole + 1;
	if (whole > 0 && bytes[whole - 1] == '\r')
		whole--;
	*line = (struct qn_text){ bytes, whole };
	return QN_OK;
}
