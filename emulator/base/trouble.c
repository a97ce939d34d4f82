#include "emulator/base/trouble.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>

static char text[640];
static bool said;

void trouble_say(const char *format, ...)
{
	va_list args;

	if (said)
		return;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	said = true;
}

const char *trouble_take(void)
{
	if (!said)
		return NULL;
	said = false;
	return text;
}
