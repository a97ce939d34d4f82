#include "emulator/base/wires.h"

#include <stddef.h>

const char *const wire_names[] = {
#define X(constant, name, port) #name,
	WIRES(X)
#undef X
		NULL
};

uint16_t wire_port(enum wire_id wire)
{
	static const uint16_t ports[] = {
#define X(constant, name, port) port,
		WIRES(X)
#undef X
	};

	return ports[wire];
}
