#include "hil/pico/snippets.h"

#include <stdio.h>
#include <string.h>

bool snippet_quote(const char *name, char *buf, size_t cap)
{
	size_t len = strlen(name);

	if (len == 0 || len > SNIPPET_NAME_MAX || len + 3 > cap)
		return false;
	for (size_t i = 0; i < len; i++)
		if (name[i] < ' ' || name[i] > '~' || strchr("'\"\\", name[i]) != NULL)
			return false;
	snprintf(buf, cap, "'%s'", name);
	return true;
}
