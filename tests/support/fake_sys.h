/*
 * A sysfs of a test's own: USB devices that come and go.
 *
 * Ownership: one at a time; fake_sys_end() removes it. Errors: fail the test.
 */
#ifndef TEST_FAKE_SYS_H
#define TEST_FAKE_SYS_H

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/support/require.h"

static char fake_sys[64];

static inline void fake_sys_sh(const char *format, ...) __attribute__((format(printf, 1, 2)));
static inline void fake_sys_sh(const char *format, ...)
{
	char script[1024];
	va_list args;
	int n = snprintf(script, sizeof(script), "cd %s && ", fake_sys);

	va_start(args, format);
	vsnprintf(script + n, sizeof(script) - (size_t)n, format, args);
	va_end(args);
	REQUIRE(system(script) == 0);
}

static inline void fake_sys_start(void)
{
	snprintf(fake_sys, sizeof(fake_sys), "/tmp/quintain-sys-XXXXXX");
	REQUIRE(mkdtemp(fake_sys) != NULL);
	fake_sys_sh("mkdir -p bus/usb/devices class/tty class/block devices/usb1");
}

static inline void fake_sys_end(void)
{
	fake_sys_sh("rm -rf %s", fake_sys);
}

/* usb_path "1-1.4"; the texts may hold anything but a single quote. */
static inline void fake_sys_usb(const char *usb_path, const char *vid, const char *pid,
				const char *serial, const char *product)
{
	fake_sys_sh("d=devices/usb1/%s; mkdir -p $d/%s:1.0 && cd $d && echo %s >idVendor && "
		    "echo %s >idProduct && echo 02 >bDeviceClass && echo 1 >busnum && echo 17 "
		    ">devnum && printf '%%s\\n' '%s' >serial && printf '%%s\\n' '%s' >product && "
		    "ln -sfn ../../../$d ../../../bus/usb/devices/%s",
		    usb_path, usb_path, vid, pid, serial, product, usb_path);
}

/* A tty on that device; name "ttyACM0", or "pts!4" for /dev/pts/4. */
static inline void fake_sys_tty(const char *name, const char *usb_path)
{
	fake_sys_sh("d='devices/usb1/%s/%s:1.0/tty/%s'; mkdir -p \"$d\" && ln -sfn ../../../%s:1.0 "
		    "\"$d/device\" && ln -sfn \"../../$d\" 'class/tty/%s'",
		    usb_path, usb_path, name, usb_path, name);
}

static inline void fake_sys_disk(const char *name, const char *usb_path)
{
	fake_sys_sh("d=devices/usb1/%s/%s:1.0/host0/block/%s; mkdir -p $d/%s1 && ln -sfn ../../$d "
		    "class/block/%s && ln -sfn ../../$d/%s1 class/block/%s1",
		    usb_path, usb_path, name, name, name, name, name);
}

static inline void fake_sys_remove(const char *usb_path)
{
	fake_sys_sh("rm -rf devices/usb1/%s bus/usb/devices/%s && find class -xtype l -delete",
		    usb_path, usb_path);
}

#endif
