#include "emulator/master/wire.h"

static const struct master_wire *const wires[WIRE_COUNT] = {
#define X(constant, name, port) [WIRE_##constant] = &master_wire_##name,
	WIRES(X)
#undef X
};

const struct master_wire *master_wire(enum wire_id id)
{
	return wires[id];
}
