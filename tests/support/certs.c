#include "tests/support/certs.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char folder[64];

const char *certs_make(void)
{
	const char *source = getenv("QN_SOURCE_DIR");
	char command[512];

	strcpy(folder, "/tmp/quintain-certs-XXXXXX");
	cr_assert_not_null(mkdtemp(folder));
	snprintf(command, sizeof(command), "'%s/cmake/dev-certs.bash' '%s'",
		 source != NULL ? source : ".", folder);
	cr_assert_eq(system(command), 0, "%s", command);
	return folder;
}

void certs_remove(void)
{
	char command[128];

	if (folder[0] == '\0')
		return;
	snprintf(command, sizeof(command), "rm -rf '%s'", folder);
	cr_assert_eq(system(command), 0);
	folder[0] = '\0';
}

const char *certs_file(const char *name)
{
	static char paths[8][128];
	static unsigned next;
	char *path = paths[next++ % 8];

	snprintf(path, sizeof(paths[0]), "%s/%s", folder, name);
	return path;
}
