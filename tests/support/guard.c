#include "tests/support/guard.h"

#include <assert.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static size_t mapped_size(size_t len)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	return (len + page - 1) / page * page + page;
}

char *guard_copy(const void *bytes, size_t len)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE), size = mapped_size(len);
	char *base = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert(base != MAP_FAILED);
	char *guard = base + size - page;
	int rc = mprotect(guard, page, PROT_NONE);
	assert(rc == 0);
	if (len > 0)
		memcpy(guard - len, bytes, len);
	return guard - len;
}

void guard_free(char *copy, size_t len)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE), size = mapped_size(len);
	munmap(copy + len + page - size, size);
}
