#include "hil/report/parts.h"

#include "hil/report/writers.h"

#include <inttypes.h>
#include <string.h>

/*
 * RFC 4180: CRLF, a header, quotes where they are needed. A text that a spreadsheet would take for
 * a formula gets an apostrophe in front: names come from plans and boards.
 */

static void put_text(FILE *out, const char *text)
{
	bool formula = text[0] != '\0' && strchr("=+-@\t\r", text[0]) != NULL;

	if (!formula && strpbrk(text, ",\"\r\n") == NULL) {
		fputs(text, out);
		return;
	}
	fputc('"', out);
	if (formula)
		fputc('\'', out);
	for (; *text != '\0'; text++) {
		if (*text == '"')
			fputc('"', out);
		fputc(*text, out);
	}
	fputc('"', out);
}

static void put_cell(FILE *out, const char *text)
{
	put_text(out, text);
	fputc(',', out);
}

static void put_header(FILE *out)
{
	fputs("run,board,serial,step,plan_path,repeat,attempt,begin_ns,end_ns,step_verdict,"
	      "step_why,measurement,unit,value,u,frame,min,max,verdict,missing,suspect,why",
	      out);
	for (int to = 1; to < POINTS; to++)
		fprintf(out, ",to_%s_ns,to_%s_u_ns", point_name((enum point)to),
			point_name((enum point)to));
	fputs("\r\n", out);
}

static void put_step(const struct record *record, const struct step_result *step, FILE *out)
{
	const struct record_board *board = step->board >= 0 ? &record->boards[step->board]
							    : &record->bench;

	put_cell(out, record->run.id);
	put_cell(out, board->name);
	put_cell(out, board->serial);
	put_cell(out, step->name);
	put_cell(out, step->plan_path);
	fprintf(out, "%u,%u,%" PRId64 ",%" PRId64 ",%s,", step->repeat, step->attempt,
		step->begin_ns - record->run.start_ns, step->end_ns - record->run.start_ns,
		verdict_name(step->verdict));
	put_text(out, step->why);
}

static void put_hops(const struct measurement *m, FILE *out)
{
	const struct hop *by_end[POINTS] = { NULL };

	for (unsigned i = 0; i < m->hop_count; i++)
		by_end[m->hops[i].to] = &m->hops[i];
	for (int to = 1; to < POINTS; to++) {
		if (by_end[to] == NULL)
			fputs(",,", out);
		else
			fprintf(out, ",%" PRId64 ",%" PRId64, by_end[to]->value_ns,
				u_total(&by_end[to]->u, false));
	}
}

static void put_measurement(const struct measurement *m, FILE *out)
{
	char text[160];

	fputc(',', out);
	put_cell(out, m->name);
	fprintf(out, "%s,%" PRId64 ",%" PRId64 ",%" PRId64 ",", unit_name(m->unit), m->value,
		u_total(&m->u, false), u_part_ns(&m->u, U_FRAME));
	if (m->limit.has_min)
		fprintf(out, "%" PRId64, m->limit.min);
	fputc(',', out);
	if (m->limit.has_max)
		fprintf(out, "%" PRId64, m->limit.max);
	fprintf(out, ",%s,%d,", verdict_name(m->judged.verdict), m->missing);
	put_cell(out, suspect_text(m->suspect, text, sizeof(text)));
	put_text(out, m->judged.why);
	put_hops(m, out);
}

static void put_nothing(FILE *out)
{
	for (int i = 0; i < 11 + 2 * (POINTS - 1); i++)
		fputc(',', out);
}

void csv_put(const struct record *record, FILE *out)
{
	put_header(out);
	for (uint32_t s = 0; s < record->step_count; s++) {
		const struct step_result *step = &record->steps[s];
		for (unsigned i = 0; i < step->measurement_count || i == 0; i++) {
			put_step(record, step, out);
			if (i < step->measurement_count)
				put_measurement(&step->measurements[i], out);
			else
				put_nothing(out);
			fputs("\r\n", out);
		}
	}
}
