/*
 * The settings of a group on the wire `http`: `http = { ... }` in it.
 *
 * Ownership, errors, threads: as every struct that settings fill.
 */
#ifndef TARGET_WIRE_HTTP_H
#define TARGET_WIRE_HTTP_H

#include "emulator/base/settings.h"

#include <stdbool.h>
#include <stdint.h>

struct target_http_options {
	int version; /* 0: HTTP/1.0, 1: HTTP/1.1 */
	bool keep;
	int64_t target_bytes, head_bytes, headers, body_bytes;
};

extern const struct setting_table target_http_table;

#endif
