#include "hil/report/html.h"

#include <math.h>
#include <string.h>

/*
 * Chains as stacked bars: a row a board, each hop as long as its median. All boards of a command
 * share one axis, with the limits on it.
 */

static const char *command_of(const struct record *record, const struct series *series)
{
	return series->n > 0 && series->hop_count > 0 ? record->steps[series->points[0].step].name
						      : NULL;
}

static bool same_command(const struct record *record, const struct series *series,
			 const char *command)
{
	const char *name = command_of(record, series);

	return name != NULL && strcmp(name, command) == 0;
}

/* Of several measurements of a command each has the whole chain: the first one is as good. */
static bool is_first(const struct record *record, const struct series_set *set, size_t i)
{
	const char *command = command_of(record, &set->series[i]);

	for (size_t k = 0; k < i && command != NULL; k++)
		if (set->series[k].board == set->series[i].board &&
		    same_command(record, &set->series[k], command))
			return false;
	return command != NULL;
}

static int64_t whole(const struct series *series)
{
	int64_t sum = 0;

	for (unsigned h = 0; h < series->hop_count; h++)
		sum += series->hops[h].median_ns;
	return sum;
}

/* ---- the axis ---- */

static int64_t axis_end(const struct record *record, const struct series_set *set,
			const char *command)
{
	int64_t end = 1;

	for (size_t i = 0; i < set->count; i++) {
		const struct series *series = &set->series[i];
		if (!same_command(record, series, command))
			continue;
		if (whole(series) > end)
			end = whole(series);
		if (series->limit.has_max && series->limit.max > end)
			end = series->limit.max;
	}
	return end + end / 50;
}

static double percent(int64_t at, int64_t end)
{
	double p = 100 * (double)at / (double)end;

	return p < 0 ? 0 : p > 100 ? 100 : p;
}

/* "stand_up: due to servo" under the heading "stand_up" */
static const char *short_name(const char *name)
{
	const char *colon = strstr(name, ": ");

	return colon != NULL ? colon + 2 : name;
}

/* Limits of all measurements that begin where the chain begins: the axis begins there too. */
static void each_limit(const struct record *record, const struct series_set *set,
		       const char *command, int64_t end, bool label, FILE *out)
{
	int64_t done[8];
	unsigned n = 0;

	for (size_t i = 0; i < set->count; i++) {
		const struct series *series = &set->series[i];
		bool known = false;
		if (!same_command(record, series, command) || !series->limit.has_max ||
		    series->limit.without_frame)
			continue;
		for (unsigned k = 0; k < n; k++)
			known = known || done[k] == series->limit.max;
		if (known || n == sizeof(done) / sizeof(done[0]))
			continue;
		done[n++] = series->limit.max;
		double at = percent(series->limit.max, end);
		if (!label) {
			fprintf(out, "<span class=\"mark\" style=\"left:%.2f%%\"></span>", at);
			continue;
		}
		fprintf(out, "<span class=\"limit%s\" style=\"left:%.2f%%\">",
			at > 93 ? " edge" : "", at);
		html_value(out, UNIT_NS, series->limit.max);
		fputs("<small>", out);
		markup_put(out, short_name(series->name));
		fputs("</small></span>", out);
	}
}

/* ---- the bars ---- */

static void put_segments(const struct series *series, int64_t end, FILE *out)
{
	int64_t at = 0;

	for (unsigned h = 0; h < series->hop_count; h++) {
		const struct series_hop *hop = &series->hops[h];
		char value[32];
		fprintf(out,
			"<i class=\"h-%s%s\" style=\"left:%.3f%%;width:%.3f%%\" title=\"%s \xe2\x86\x92"
			" %s: %s\"></i>",
			point_name(hop->to), hop->frame_ns > 0 ? " frame" : "", percent(at, end),
			percent(hop->median_ns, end), point_text(hop->from), point_text(hop->to),
			unit_text(UNIT_NS, hop->median_ns, value, sizeof(value)));
		at += hop->median_ns;
	}
}

static void put_bars(const struct record *record, const struct series_set *set, const char *command,
		     FILE *out)
{
	int64_t end = axis_end(record, set, command);

	fputs("<div class=\"stacks\">\n", out);
	for (size_t i = 0; i < set->count; i++) {
		const struct series *series = &set->series[i];
		if (!same_command(record, series, command) || !is_first(record, set, i))
			continue;
		fputs("<b>", out);
		markup_put(out, board_name(record, series->board));
		fputs("</b><div class=\"stack\">", out);
		put_segments(series, end, out);
		each_limit(record, set, command, end, false, out);
		fputs("</div><span class=\"total\">", out);
		html_value(out, UNIT_NS, whole(series));
		fputs("</span>\n", out);
	}
	fputs("<span></span><div class=\"scale\"><span style=\"left:0\">0</span>", out);
	each_limit(record, set, command, end, true, out);
	fputs("</div><span></span>\n</div>\n", out);
}

/* ---- the same in figures ---- */

#define COLUMNS_MAX RECORD_BOARDS_MAX

struct grid {
	const struct series *boards[COLUMNS_MAX];
	unsigned columns;
	struct series_hop rows[2 * CHAIN_HOPS_MAX]; /* from, to */
	unsigned row_count;
};

static const struct series_hop *cell(const struct series *series, const struct series_hop *row)
{
	for (unsigned h = 0; h < series->hop_count; h++)
		if (series->hops[h].from == row->from && series->hops[h].to == row->to)
			return &series->hops[h];
	return NULL;
}

static void add_rows(struct grid *grid, const struct series *series)
{
	for (unsigned h = 0; h < series->hop_count; h++) {
		bool known = false;
		for (unsigned r = 0; r < grid->row_count; r++)
			known = known || (grid->rows[r].from == series->hops[h].from &&
					  grid->rows[r].to == series->hops[h].to);
		if (!known && grid->row_count < sizeof(grid->rows) / sizeof(grid->rows[0]))
			grid->rows[grid->row_count++] = series->hops[h];
	}
}

static void make_grid(const struct record *record, const struct series_set *set,
		      const char *command, struct grid *grid)
{
	memset(grid, 0, sizeof(*grid));
	for (size_t i = 0; i < set->count && grid->columns < COLUMNS_MAX; i++) {
		if (!same_command(record, &set->series[i], command) || !is_first(record, set, i))
			continue;
		grid->boards[grid->columns++] = &set->series[i];
		add_rows(grid, &set->series[i]);
	}
}

/* Slower than the quickest board by half, and by more than U and a frame: worth a look. */
static bool stands_out(const struct grid *grid, const struct series_hop *row,
		       const struct series_hop *hop)
{
	int64_t least = INT64_MAX;

	for (unsigned c = 0; c < grid->columns; c++) {
		const struct series_hop *other = cell(grid->boards[c], row);
		if (other != NULL && other->median_ns < least)
			least = other->median_ns;
	}
	int64_t over = hop->median_ns - least;
	return over > least / 2 && over > hop->u_ns && over > 1000000;
}

static void put_figures(const struct record *record, const struct grid *grid, FILE *out)
{
	fputs("<div class=\"scroll\"><table class=\"figures wide\">\n<thead><tr><th>hop, median"
	      " \xc2\xb1 U</th>",
	      out);
	for (unsigned c = 0; c < grid->columns; c++) {
		fputs("<th>", out);
		markup_put(out, board_name(record, grid->boards[c]->board));
		fputs("</th>", out);
	}
	fputs("</tr></thead>\n<tbody>\n", out);
	for (unsigned r = 0; r < grid->row_count; r++) {
		const struct series_hop *row = &grid->rows[r];
		fprintf(out,
			"<tr><td><span class=\"legend\" style=\"display:inline;margin:0\"><i "
			"class=\"h-%s\"></i></span>%s \xe2\x86\x92 %s</td>",
			point_name(row->to), point_text(row->from), point_text(row->to));
		for (unsigned c = 0; c < grid->columns; c++) {
			const struct series_hop *hop = cell(grid->boards[c], row);
			if (hop == NULL) {
				fputs("<td>\xe2\x80\x93</td>", out);
				continue;
			}
			fputs(stands_out(grid, row, hop) ? "<td class=\"worst\">" : "<td>", out);
			html_value(out, UNIT_NS, hop->median_ns);
			html_u(out, UNIT_NS, hop->u_ns);
			fputs("</td>", out);
		}
		fputs("</tr>\n", out);
	}
	fputs("</tbody></table></div>\n", out);
}

static void put_command(const struct record *record, const struct series_set *set,
			const char *command, FILE *out)
{
	static struct grid grid;

	fputs("<h3>", out);
	markup_put(out, command);
	fputs("</h3>\n", out);
	put_bars(record, set, command, out);
	make_grid(record, set, command, &grid);
	put_figures(record, &grid, out);
}

static bool seen_before(const struct record *record, const struct series_set *set, size_t i)
{
	const char *command = command_of(record, &set->series[i]);

	for (size_t k = 0; k < i; k++)
		if (same_command(record, &set->series[k], command))
			return true;
	return false;
}

void html_chains(const struct record *record, const struct series_set *set, FILE *out)
{
	bool any = false;

	for (size_t i = 0; i < set->count; i++) {
		const char *command = command_of(record, &set->series[i]);
		if (command == NULL || seen_before(record, set, i))
			continue;
		if (!any) {
			html_heading(out, "chains", "The chain, hop by hop");
			fputs("<p class=\"hint\">Medians; red lines are limits. Hatched: waiting "
			      "for the servo's next frame (0 to 20\xc2\xa0ms) is part of this hop. "
			      "Red figures: slower than the quickest board by half, and by more "
			      "than U.</p>\n",
			      out);
		}
		any = true;
		put_command(record, set, command, out);
	}
	if (any)
		fputs("</section>\n", out);
}
