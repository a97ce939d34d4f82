#include "hil/rig/calibrate.h"

#include "proto/json/json.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A calibration as a file: one JSON object of numbers, and the bench's name. */

#define FILE_MAX 8192

struct field {
	const char *name;
	size_t offset;
	bool wide; /* int64_t; else uint32_t */
};

#define OF_CALIBRATION(name, member)                                                               \
	{                                                                                          \
		name, offsetof(struct calibration, member), true                                   \
	}
#define OF_LATENCY(prefix, member)                                                                 \
	{ prefix "_n", offsetof(struct calibration, member.n), false },                            \
		OF_CALIBRATION(prefix "_mean_ns", member.mean_ns),                                 \
		OF_CALIBRATION(prefix "_sd_ns", member.sd_ns),                                     \
		OF_CALIBRATION(prefix "_min_ns", member.min_ns),                                   \
		OF_CALIBRATION(prefix "_max_ns", member.max_ns)

static const struct field fields[] = {
	OF_CALIBRATION("wall_ns", wall_ns),
	OF_LATENCY("edge", edge),
	OF_LATENCY("send", send),
	OF_CALIBRATION("clock_ns", clock_ns),
	OF_CALIBRATION("realtime_ns", realtime_ns),
	OF_CALIBRATION("usb_ns", usb_ns),
	OF_CALIBRATION("edges", edges),
	OF_CALIBRATION("edges_lost", edges_lost),
};
#define FIELDS (sizeof(fields) / sizeof(fields[0]))

bool calibration_path(const struct bench *bench, char *buf, size_t cap)
{
	const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
	int n;

	if (bench->calibration.file[0] != '\0')
		n = snprintf(buf, cap, "%s", bench->calibration.file);
	else if (state != NULL && state[0] == '/')
		n = snprintf(buf, cap, "%s/quintain/calibration-%s.json", state, bench->name);
	else if (home != NULL && home[0] == '/')
		n = snprintf(buf, cap, "%s/.local/state/quintain/calibration-%s.json", home,
			     bench->name);
	else
		return false;
	return n > 0 && (size_t)n < cap;
}

static int64_t get(const struct calibration *calibration, const struct field *field)
{
	const char *at = (const char *)calibration + field->offset;

	return field->wide ? *(const int64_t *)(const void *)at
			   : (int64_t) * (const uint32_t *)(const void *)at;
}

static void set(struct calibration *calibration, const struct field *field, int64_t value)
{
	char *at = (char *)calibration + field->offset;

	if (field->wide)
		*(int64_t *)(void *)at = value;
	else
		*(uint32_t *)(void *)at = (uint32_t)value;
}

/* ---- writing ---- */

static int make_folders(const char *path)
{
	char folder[4096];

	snprintf(folder, sizeof(folder), "%s", path);
	for (char *at = folder + 1; (at = strchr(at, '/')) != NULL; at++) {
		*at = '\0';
		if (mkdir(folder, 0755) < 0 && errno != EEXIST)
			return -errno;
		*at = '/';
	}
	return 0;
}

static int write_file(const char *path, const char *bytes, size_t len)
{
	char temporary[4200];
	int rc = make_folders(path);

	if (rc < 0)
		return rc;
	snprintf(temporary, sizeof(temporary), "%s.%d", path, (int)getpid());
	int fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (fd < 0)
		return -errno;
	ssize_t n = write(fd, bytes, len);
	if (n != (ssize_t)len)
		rc = n < 0 ? -errno : -ENOSPC;
	if (rc == 0 && fsync(fd) < 0)
		rc = -errno;
	if (close(fd) < 0 && rc == 0)
		rc = -errno;
	if (rc == 0 && rename(temporary, path) < 0)
		rc = -errno;
	if (rc < 0)
		unlink(temporary);
	return rc;
}

int calibration_store(const char *path, const struct bench *bench,
		      const struct calibration *calibration)
{
	struct qn_json_writer out;
	char text[FILE_MAX];

	qn_json_writer_init(&out, text, sizeof(text));
	qn_json_put_literal(&out, "{\n  \"bench\": ");
	qn_json_put_string(&out, bench->name, strlen(bench->name), false);
	for (size_t i = 0; i < FIELDS; i++) {
		qn_json_put_literal(&out, ",\n  ");
		qn_json_put_string(&out, fields[i].name, strlen(fields[i].name), false);
		qn_json_put_literal(&out, ": ");
		qn_json_put_int(&out, get(calibration, &fields[i]));
	}
	qn_json_put_literal(&out, "\n}\n");
	return out.full ? -EFBIG : write_file(path, text, qn_json_written(&out));
}

/* ---- reading ---- */

static bool take(struct calibration *calibration, struct qn_text key, struct qn_text value)
{
	for (size_t i = 0; i < FIELDS; i++) {
		int64_t number;
		if (strlen(fields[i].name) != key.len ||
		    memcmp(fields[i].name, key.at, key.len) != 0)
			continue;
		if (!qn_json_int64(value, &number) || number < 0 ||
		    (!fields[i].wide && number > UINT32_MAX))
			return false;
		set(calibration, &fields[i], number);
		return true;
	}
	return true; /* a later version's */
}

int calibration_parse(const char *text, size_t len, const struct bench *bench,
		      struct calibration *ret)
{
	struct calibration calibration = { 0 };
	struct qn_json_reader reader;
	bool ours = false;

	qn_json_open(&reader, text, len, QN_JSON_STRICT, 4);
	if (qn_json_next(&reader) != QN_JSON_OBJECT)
		return -EINVAL;
	while (qn_json_next(&reader) == QN_JSON_KEY) {
		struct qn_text key = reader.text, value;
		enum qn_json_token token = qn_json_value(&reader, &value);
		if (token == QN_JSON_STRING && key.len == 5 && memcmp(key.at, "bench", 5) == 0)
			ours = reader.text.len == strlen(bench->name) &&
			       memcmp(reader.text.at, bench->name, reader.text.len) == 0;
		else if (token == QN_JSON_NUMBER && !take(&calibration, key, value))
			return -EINVAL;
		else if (token == QN_JSON_ERROR)
			return -EINVAL;
	}
	if (!ours || calibration.wall_ns == 0 || qn_json_next(&reader) != QN_JSON_END)
		return -EINVAL;
	*ret = calibration;
	return 0;
}

int calibration_load(const char *path, const struct bench *bench, struct calibration *ret)
{
	char text[FILE_MAX];
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0)
		return -errno;
	ssize_t n = read(fd, text, sizeof(text));
	int rc = n < 0 ? -errno : calibration_parse(text, (size_t)n, bench, ret);
	close(fd);
	return rc;
}
