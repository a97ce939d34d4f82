#include "hil/pico/session.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "emulator/base/units.h"

int session_usage(const char *command, const char *format, ...)
{
	va_list args;

	fprintf(stderr, "quintain-hil %s: ", command);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fprintf(stderr, "\ntry: quintain-hil %s --help\n", command);
	return SESSION_USAGE;
}

int session_trouble(const char *command, const char *format, ...)
{
	va_list args;

	fprintf(stderr, "quintain-hil %s: ", command);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	return SESSION_ENVIRONMENT;
}

bool session_within(const char *command, const char *text, int64_t *ret_ns)
{
	int64_t ns;

	if (!units_duration(text, false, &ns) || ns <= 0) {
		session_usage(command, "--within \"%.40s\": expected a time such as 10s", text);
		return false;
	}
	*ret_ns = ns;
	return true;
}

int session_start(struct session *session, const char *command, const char *port, size_t output_max)
{
	struct board_options options = { .port = port, .output_max = output_max };
	int rc;

	memset(session, 0, sizeof(*session));
	session->command = command;
	rc = loop_init(&session->loop);
	session->loop_made = rc == 0;
	if (rc == 0)
		rc = hotplug_new(&session->loop, NULL, &session->hotplug);
	if (rc == 0)
		rc = board_new(&session->loop, session->hotplug, &options, &session->board);
	if (rc < 0)
		return session_trouble(command, "%s", strerror(-rc));
	return SESSION_OK;
}

void session_end(struct session *session)
{
	board_free(session->board);
	if (session->loop_made)
		loop_settle(&session->loop);
	hotplug_free(session->hotplug);
	if (session->loop_made)
		loop_release(&session->loop);
	free(session->output);
}

void session_done(void *owner, const struct board_result *result)
{
	struct session *session = owner;

	session->result = *result;
	snprintf(session->text, sizeof(session->text), "%s", result->text);
	snprintf(session->traceback, sizeof(session->traceback), "%s", result->traceback);
	free(session->output);
	session->output = malloc(result->output_len + 1);
	if (session->output != NULL)
		memcpy(session->output, result->output, result->output_len + 1);
	session->result.text = session->text;
	session->result.traceback = session->traceback;
	session->result.output = session->output;
	loop_stop(&session->loop);
}

static int exit_of(enum board_status status)
{
	switch (status) {
	case BOARD_OK: return SESSION_OK;
	case BOARD_RAISED:
	case BOARD_MISMATCH:
	case BOARD_FULL:
	case BOARD_TOO_LARGE: return SESSION_FAILED;
	case BOARD_BAD_INPUT: return SESSION_USAGE;
	default: return SESSION_ENVIRONMENT;
	}
}

int session_run(struct session *session, int begun)
{
	if (begun == -EINVAL)
		return session_usage(session->command,
				     "a name on the board is at most %d printable ASCII "
				     "characters, no quote and no backslash",
				     SNIPPET_NAME_MAX);
	session->loop.stopping = false;
	int rc = begun < 0 ? begun : loop_run(&session->loop, TIMERS_NEVER);
	if (rc == 0 && session->output == NULL)
		rc = -ENOMEM;
	if (rc < 0)
		return session_trouble(session->command, "%s", strerror(-rc));
	int code = exit_of(session->result.status);
	if (code == SESSION_OK || session->silent)
		return code;
	const char *status = board_status_text(session->result.status);
	bool more = strcmp(session->text, status) != 0;
	if (session->result.status != BOARD_RAISED || session->traceback[0] == '\0')
		session_trouble(session->command, "%s%s%s%s", status, more ? ": " : "",
				more ? session->text : "",
				session->result.status == BOARD_ABSENT
					? "; quintain-hil list shows what is plugged in"
					: "");
	fputs(session->traceback, stderr);
	return code;
}

int session_read_file(const char *path, size_t max, char **ret, size_t *ret_len)
{
	FILE *file = strcmp(path, "-") == 0 ? stdin : fopen(path, "rbe");
	char *bytes = malloc(max + 2);
	int rc = 0;
	size_t len = 0;

	if (file == NULL || bytes == NULL) {
		rc = file == NULL ? -errno : -ENOMEM;
	} else {
		len = fread(bytes, 1, max + 1, file);
		if (ferror(file))
			rc = -errno;
		else if (len > max)
			rc = -EFBIG;
	}
	if (file != NULL && file != stdin)
		fclose(file);
	if (rc < 0) {
		free(bytes);
		return rc;
	}
	bytes[len] = '\0';
	*ret = bytes;
	*ret_len = len;
	return 0;
}

int session_print(FILE *out, const char *bytes, size_t len)
{
	char safe[512];

	if (!isatty(fileno(out))) {
		fwrite(bytes, 1, len, out);
	} else {
		while (len > 0) {
			const char *end = memchr(bytes, '\n', len);
			size_t n = end != NULL ? (size_t)(end - bytes) : len;
			size_t line = n > 0 && bytes[n - 1] == '\r' ? n - 1 : n;
			for (size_t at = 0; at < line;) {
				at += console_print_safe(bytes + at, line - at, safe, sizeof(safe));
				fputs(safe, out);
			}
			if (end != NULL)
				fputc('\n', out);
			bytes += n + (end != NULL);
			len -= n + (end != NULL);
		}
	}
	return fflush(out) != 0 ? -errno : 0;
}
