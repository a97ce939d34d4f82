/*
 * The Python that the rig sends to a board: all of it, and nothing else is ever sent on its own
 * account.
 *
 * Purpose: one place to read what runs on a board. Each macro is one known form, sent as it stands
 * with its %s (a quoted name, checked by snippet_quote()) and %s of hexadecimal digits filled in;
 * no newline follows. They run on MicroPython 1.25 for the Pico W and use nothing that 1.20 lacks.
 * Names that stay behind in the board's globals begin with _q; a soft reset removes them.
 * Ownership: constants. Errors: none. Threads: any.
 */
#ifndef PICO_SNIPPETS_H
#define PICO_SNIPPETS_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Who are you: six lines. The unique id in lower-case hexadecimal (on a Pico the flash's, which is
 * also the USB serial number), sys.implementation's name, its version with dots, its machine
 * ("Raspberry Pi Pico W with RP2040"), sys.version ("3.4.0; MicroPython v1.25.0 on 2025-04-15"),
 * which names the very build, and sys.implementation as it is.
 */
#define SNIPPET_IDENTITY                                                                           \
	"import sys,machine,binascii\n"                                                            \
	"_qi=sys.implementation\n"                                                                 \
	"print(binascii.hexlify(machine.unique_id()).decode(),_qi[0],"                             \
	"'.'.join([str(_qv) for _qv in _qi[1][:3]]),_qi[2],sys.version,_qi,sep='\\n')"

/* A file to be written, under a name of its own until it is verified. */
#define SNIPPET_OPEN_WRITE "import binascii;_qf=open(%s,'wb')"
/* A chunk of up to SNIPPET_CHUNK bytes, as hexadecimal digits: prints how many were written, fewer
 * on a full disk of some firmwares (others raise OSError 28). */
#define SNIPPET_WRITE "print(_qf.write(binascii.unhexlify('%s')))"
#define SNIPPET_CLOSE "_qf.close()"

/* A file to be read; a chunk as hexadecimal digits, an empty line at its end. */
#define SNIPPET_OPEN_READ "import binascii;_qf=open(%s,'rb')"
#define SNIPPET_READ "print(binascii.hexlify(_qf.read(256)).decode())"

/* The SHA-256 of a file as the board reads it back: 64 hexadecimal digits. */
#define SNIPPET_HASH                                                                               \
	"import binascii,hashlib\n"                                                                \
	"_qh=hashlib.sha256()\n"                                                                   \
	"_qf=open(%s,'rb')\n"                                                                      \
	"_qb=_qf.read(256)\n"                                                                      \
	"while _qb:\n"                                                                             \
	" _qh.update(_qb)\n"                                                                       \
	" _qb=_qf.read(256)\n"                                                                     \
	"_qf.close()\n"                                                                            \
	"print(binascii.hexlify(_qh.digest()).decode())"

/* From, to. littlefs replaces what is there; FAT raises OSError 17 (EEXIST). */
#define SNIPPET_RENAME "import os;os.rename(%s,%s)"
#define SNIPPET_REMOVE "import os;os.remove(%s)"
#define SNIPPET_MKDIR "import os;os.mkdir(%s)"
/* A line each: type (16384 a folder, 32768 a file), size, name. */
#define SNIPPET_LIST                                                                               \
	"import os\n"                                                                              \
	"for _qe in os.ilistdir(%s):\n"                                                            \
	" print(_qe[1],_qe[3] if len(_qe)>3 else 0,_qe[0])"

/* Neither comes back: the USB device goes away. */
#define SNIPPET_RESET "import machine;machine.reset()"
#define SNIPPET_BOOTLOADER "import machine;machine.bootloader()"

#define SNIPPET_CHUNK 256
/* Of a name on the board, and of the longest snippet, everything filled in. */
#define SNIPPET_NAME_MAX 120
#define SNIPPET_BYTES_MAX 1024

/* A name as a Python literal, into cap bytes (SNIPPET_NAME_MAX + 3 suffice). False: empty, too
 * long, or with a byte that is no printable ASCII, a quote or a backslash. */
bool snippet_quote(const char *name, char *buf, size_t cap);

#endif
