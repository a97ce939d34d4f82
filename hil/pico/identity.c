#include "hil/pico/identity.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* One line, what is not printable as '?', cut where there is no more room. */
static const char *take_line(const char *at, const char *end, char *buf, size_t cap)
{
	size_t n = 0;

	while (at < end && *at != '\n') {
		char c = *at++;
		if (c != '\r' && n + 1 < cap)
			buf[n++] = c >= ' ' && c <= '~' ? c : '?';
	}
	buf[n] = '\0';
	return at < end ? at + 1 : NULL; /* NULL: the line had no end */
}

int identity_parse(const char *output, size_t len, struct identity *ret)
{
	struct identity identity;
	struct {
		char *buf;
		size_t cap;
	} lines[] = {
		{ identity.unique_id, sizeof(identity.unique_id) },
		{ identity.implementation, sizeof(identity.implementation) },
		{ identity.version, sizeof(identity.version) },
		{ identity.machine, sizeof(identity.machine) },
		{ identity.firmware, sizeof(identity.firmware) },
		{ identity.full, sizeof(identity.full) },
	};
	const char *at = output, *end = output + len;

	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		if (at == NULL)
			return -EINVAL;
		at = take_line(at, end, lines[i].buf, lines[i].cap);
	}
	if (at != end || identity.unique_id[0] == '\0' ||
	    identity.unique_id[strspn(identity.unique_id, "0123456789abcdef")] != '\0')
		return -EINVAL;
	*ret = identity;
	return 0;
}

static bool differs(const char *what, const char *is, const char *wanted, char *buf, size_t cap)
{
	snprintf(buf, cap, "%s is \"%s\", expected \"%s\"", what, is, wanted);
	return false;
}

/* "1.25" is the beginning of "1.25.0", "1.2" is not. */
static bool begins_version(const char *version, const char *wanted)
{
	size_t len = strlen(wanted);

	return strncmp(version, wanted, len) == 0 && (version[len] == '\0' || version[len] == '.');
}

bool identity_matches(const struct identity *identity, const struct identity_wanted *wanted,
		      char *buf, size_t cap)
{
	if (wanted->unique_id != NULL && strcasecmp(wanted->unique_id, identity->unique_id) != 0)
		return differs("unique id", identity->unique_id, wanted->unique_id, buf, cap);
	if (wanted->implementation != NULL &&
	    strcmp(wanted->implementation, identity->implementation) != 0)
		return differs("implementation", identity->implementation, wanted->implementation,
			       buf, cap);
	if (wanted->version != NULL && !begins_version(identity->version, wanted->version))
		return differs("version", identity->version, wanted->version, buf, cap);
	if (wanted->machine != NULL && strstr(identity->machine, wanted->machine) == NULL)
		return differs("machine", identity->machine, wanted->machine, buf, cap);
	if (wanted->firmware != NULL && strstr(identity->firmware, wanted->firmware) == NULL)
		return differs("firmware", identity->firmware, wanted->firmware, buf, cap);
	return true;
}
