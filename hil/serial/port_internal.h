/*
 * What port.c and port_open.c share.
 *
 * Ownership, errors, threads: as in port.h.
 */
#ifndef SERIAL_PORT_INTERNAL_H
#define SERIAL_PORT_INTERNAL_H

#include "hil/serial/port.h"

#include <libserialport.h>

#define PORT_PATH_MAX 256

struct port_handle {
	enum serial_kind kind;
	int fd;
	struct sp_port *sp; /* a real port: owns fd */
	bool connecting;    /* tcp://: the handshake is under way */
	char path[PORT_PATH_MAX];
};

/* Opens, locks and configures. On failure nothing is left open. */
int port_open(const char *path, const struct serial_options *options, struct port_handle *ret,
	      struct serial_trouble *trouble);
/* DTR down, output thrown away, closed. */
void port_close(struct port_handle *handle);

#endif
