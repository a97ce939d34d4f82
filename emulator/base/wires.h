/*
 * The wires: the ways in which targets and a master can talk to each other.
 *
 * Purpose: the one table of them. A line X(NAME, name, port) makes `wire = "name"` a setting of
 * groups and listeners, and asks for two adapters: target_wire_name (emulator/target/wire_name.c,
 * described by emulator/target/wire.h) and master_wire_name (emulator/master/wire_name.c). What the
 * bytes mean stands in proto/name/. HACKING.md, "A wire", says how to add one.
 * Ownership: constants. Threads: no state.
 */
#ifndef WIRES_H
#define WIRES_H

#include <stdint.h>

/* Its constant, its name, the port on which its masters listen unless told otherwise. */
#define WIRES(X)                                                                                   \
	X(SNYPER, snyper, 8081)                                                                    \
	X(HTTP, http, 8080)                                                                        \
	X(FRAMED, framed, 9999)                                                                    \
	X(AGENT, agent, 7051)                                                                      \
	X(JSONRPC, jsonrpc, 9124)

enum wire_id {
#define X(constant, name, port) WIRE_##constant,
	WIRES(X)
#undef X
		WIRE_COUNT
};
_Static_assert(WIRE_COUNT <= 32, "a mask holds one bit a wire");

/* Ends with NULL: for SETTING_WORD. */
extern const char *const wire_names[];

uint16_t wire_port(enum wire_id wire);

#endif
