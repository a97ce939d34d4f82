#include "emulator/sniff/out_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int out_open(struct out_file *out, const char *path)
{
	out->path = path;
	out->error = 0;
	out->told = false;
	out->len = 0;
	out->bytes = 0;
	if (strcmp(path, "-") == 0)
		out->fd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
	else
		out->fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	return out->fd < 0 ? -errno : 0;
}

static void write_all(struct out_file *out, const char *bytes, size_t len)
{
	while (len > 0 && out->error == 0) {
		ssize_t n = write(out->fd, bytes, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			out->error = n < 0 ? -errno : -EIO;
			return;
		}
		out->bytes += (uint64_t)n;
		bytes += n;
		len -= (size_t)n;
	}
}

void out_flush(struct out_file *out)
{
	if (out->fd < 0)
		return;
	write_all(out, out->buffer, out->len);
	out->len = 0;
}

void out_put(struct out_file *out, const void *bytes, size_t len)
{
	if (out->fd < 0 || out->error != 0 || len == 0)
		return;
	if (out->len + len > sizeof(out->buffer))
		out_flush(out);
	if (len > sizeof(out->buffer)) {
		write_all(out, bytes, len);
		return;
	}
	memcpy(out->buffer + out->len, bytes, len);
	out->len += len;
}

void out_printf(struct out_file *out, const char *format, ...)
{
	char text[512];
	va_list args;

	va_start(args, format);
	int len = vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (len > 0)
		out_put(out, text, (size_t)len < sizeof(text) ? (size_t)len : sizeof(text) - 1);
}

int out_close(struct out_file *out)
{
	if (out->fd < 0)
		return 0;
	out_flush(out);
	/* A full disk may show as late as here. */
	if (close(out->fd) < 0 && out->error == 0)
		out->error = -errno;
	out->fd = -1;
	return out->error;
}
