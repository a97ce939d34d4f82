#include "hil/cli/cmd.h"

#include <stdarg.h>
#include <stdio.h>

static void say(const char *command, const char *format, va_list args)
{
	fprintf(stderr, "quintain-hil %s: ", command);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
}

int cmd_usage(const char *command, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	say(command, format, args);
	va_end(args);
	fprintf(stderr, "try: quintain-hil %s --help\n", command);
	return HIL_EXIT_USAGE;
}

int cmd_wrong_option(const char *command)
{
	fprintf(stderr, "try: quintain-hil %s --help\n", command);
	return HIL_EXIT_USAGE;
}

int cmd_trouble(const char *command, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	say(command, format, args);
	va_end(args);
	return HIL_EXIT_ENVIRONMENT;
}
