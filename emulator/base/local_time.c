#include "emulator/base/local_time.h"

#include "emulator/base/units.h"

#include <time.h>

#define QUARTER_NS (900 * NS_PER_S)

int32_t local_utc_offset_s(const struct loop *loop)
{
	static int64_t quarter = -1;
	static int32_t offset_s;

	if (loop->simulated || loop->wall_ns < 0)
		return 0;
	if (loop->wall_ns / QUARTER_NS == quarter)
		return offset_s;
	quarter = loop->wall_ns / QUARTER_NS;
	time_t now = (time_t)(loop->wall_ns / NS_PER_S);
	struct tm local;
	offset_s = localtime_r(&now, &local) != NULL ? (int32_t)local.tm_gmtoff : 0;
	return offset_s;
}
