/*
 * The settings of a master's port on the wire `http`: `http = { ... }` in it.
 *
 * Ownership, errors, threads: as every struct that settings fill.
 */
#ifndef MASTER_WIRE_HTTP_H
#define MASTER_WIRE_HTTP_H

#include "emulator/base/settings.h"

struct master_http_options {
	int version; /* 0: HTTP/1.0, 1: HTTP/1.1 */
};

extern const struct setting_table master_http_table;

#endif
