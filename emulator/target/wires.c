#include "emulator/target/wire.h"

#include <stdio.h>

static const struct target_wire *const wires[WIRE_COUNT] = {
#define X(constant, name, port) [WIRE_##constant] = &target_wire_##name,
	WIRES(X)
#undef X
};

const struct target_wire *target_wire(enum wire_id id)
{
	return wires[id];
}

bool target_wire_has_fault(const struct target_wire *wire, enum fault_kind kind)
{
	if (FAULTS_OF_WIRES & FAULT_BIT(kind))
		return (wire->faults_own & FAULT_BIT(kind)) != 0;
	return (wire->faults_without & FAULT_BIT(kind)) == 0;
}

const char *target_wires_with_fault(enum fault_kind kind, char *buf, size_t cap)
{
	size_t len = 0;

	buf[0] = '\0';
	for (int i = 0; i < WIRE_COUNT; i++)
		if (target_wire_has_fault(wires[i], kind) && len < cap)
			len += (size_t)snprintf(buf + len, cap - len, "%s%s", len > 0 ? ", " : "",
						wire_names[i]);
	return buf;
}
