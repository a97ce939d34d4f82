#include "hil/report/parts.h"

#include <string.h>
#include <time.h>

const char *when_text(int64_t wall_ns, char *buf)
{
	time_t seconds = (time_t)(wall_ns / INT64_C(1000000000));
	struct tm tm;

	gmtime_r(&seconds, &tm);
	strftime(buf, WHEN_CAP, "%Y-%m-%dT%H:%M:%SZ", &tm);
	return buf;
}

const char *board_name(const struct record *record, int board)
{
	return board >= 0 && (unsigned)board < record->board_count ? record->boards[board].name
								   : record->bench.name;
}

const char *run_title(const struct record *record)
{
	if (record->run.title[0] != '\0')
		return record->run.title;
	return record->run.plan_path[0] != '\0' ? record->run.plan_path : "quintain-hil";
}

int64_t run_span(const struct record *record)
{
	int64_t end = record->run.end_ns;

	for (uint32_t i = 0; i < record->step_count && record->run.end_ns == 0; i++)
		if (record->steps[i].end_ns > end)
			end = record->steps[i].end_ns;
	end -= record->run.start_ns;
	return end > 0 ? end : 1;
}

uint64_t steps_total(const struct record *record, enum verdict verdict)
{
	uint64_t n = record->bench.steps[verdict];

	for (unsigned i = 0; i < record->board_count; i++)
		n += record->boards[i].steps[verdict];
	return n;
}

const char *run_warning(const struct record *record)
{
	return record->run.synthetic       ? "Made up by a generator: nothing in it was measured."
	       : record->run.virtual_bench ? "On a virtual bench: no hardware was involved."
					   : "";
}

const struct measurement *step_culprit(const struct step_result *step)
{
	for (unsigned i = 0; i < step->measurement_count; i++)
		if (step->measurements[i].judged.verdict == step->verdict &&
		    step->verdict > VERDICT_PASS)
			return &step->measurements[i];
	return NULL;
}
