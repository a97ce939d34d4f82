#include "emulator/base/fds.h"

#include <errno.h>
#include <sys/resource.h>

int fds_raise(size_t *ret_limit)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return -errno;
	rlim_t soft = limit.rlim_cur;
	limit.rlim_cur = limit.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
		limit.rlim_cur = soft;
	*ret_limit = limit.rlim_cur == RLIM_INFINITY ? 1u << 30 : (size_t)limit.rlim_cur;
	return 0;
}
