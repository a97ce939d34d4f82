#include "hil/report/html.h"

#include <math.h>
#include <string.h>

/*
 * Chains as stacked bars: a row a board, each hop as long as its median. All boards of a command
 * share one axis, with the limits on it.
 */

static int64_t whole(const struct series *series)
{
	int64_t sum = 0;

	for (unsigned h = 0; h < series->hop_count; h++)
		sum += series->hops[h].median_ns;
	return sum;
}

static const char *command_of(const struct record *record, const struct series *series)
{
	return series->n > 0 && whole(series) > 0 ? record->steps[series->points[0].step].name
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
		if (series->of_chain && series->limit.has_max && series->limit.max > end)
			end = series->limit.max;
	}
	return end + end / 50;
}

static double percent(int64_t at, int64_t end)
{
	double p = 100 * (double)at / (double)end;

	return p < 0 ? 0 : p > 100 ? 100 : p;
}

/* "stand_up: due to servo", "stand_up.servo" under the heading "stand_up" */
static const char *short_name(const char *name, const char *command)
{
	size_t len = strlen(command);

	if (strncmp(name, command, len) == 0 && (name[len] == '.' || name[len] == ':'))
		name += len + 1;
	return name + strspn(name, " ");
}

/* How far behind the beginning of its bar a measurement's own beginning lies. */
static int64_t begins_at(const struct series *series)
{
	int64_t at = 0;

	for (unsigned h = 0; h < series->hop_count && series->hops[h].from != series->from; h++)
		at += series->hops[h].median_ns;
	return at;
}

/* ---- limits ---- */

#define LIMITS_MAX 8
/* Labels nearer to each other than this would lie on top of each other. */
#define LABEL_PERCENT 12

struct bound {
	int64_t ns;
	const char *name;
};

/* Those of all measurements that begin, as far as one can see, where the bars begin; ascending. */
static unsigned find_limits(const struct record *record, const struct series_set *set,
			    const char *command, int64_t end, struct bound *limits)
{
	unsigned n = 0;

	for (size_t i = 0; i < set->count && n < LIMITS_MAX; i++) {
		const struct series *series = &set->series[i];
		unsigned k = 0;
		if (!same_command(record, series, command) || !series->limit.has_max ||
		    series->limit.without_frame || !series->of_chain ||
		    begins_at(series) * 100 > end)
			continue;
		while (k < n && limits[k].ns < series->limit.max)
			k++;
		if (k < n && limits[k].ns == series->limit.max)
			continue;
		memmove(&limits[k + 1], &limits[k], (n - k) * sizeof(*limits));
		limits[k] = (struct bound){ series->limit.max, short_name(series->name, command) };
		n++;
	}
	return n;
}

static void put_marks(const struct bound *limits, unsigned n, int64_t end, FILE *out)
{
	char text[32];

	for (unsigned i = 0; i < n; i++) {
		fprintf(out, "<span class=\"mark\" style=\"left:%.2f%%\" title=\"%s: ",
			percent(limits[i].ns, end),
			unit_text(UNIT_NS, limits[i].ns, text, sizeof(text)));
		markup_put(out, limits[i].name);
		fputs("\"></span>", out);
	}
}

/* In two rows where they are close; what finds no place has its name on its line. */
static void put_labels(const struct bound *limits, unsigned n, int64_t end, FILE *out)
{
	double last[2] = { -LABEL_PERCENT, -LABEL_PERCENT };

	for (unsigned i = 0; i < n; i++) {
		double at = percent(limits[i].ns, end);
		unsigned row = at - last[0] >= LABEL_PERCENT ? 0 : 1;
		if (at - last[row] < LABEL_PERCENT)
			continue;
		last[row] = at;
		fprintf(out, "<span class=\"limit%s%s\" style=\"left:%.2f%%\">",
			at > 93 ? " edge" : "", row > 0 ? " second" : "", at);
		html_value(out, UNIT_NS, limits[i].ns);
		fputs("<small>", out);
		markup_put(out, limits[i].name);
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
	struct bound limits[LIMITS_MAX + 1];
	unsigned n = find_limits(record, set, command, end, limits);

	fputs("<div class=\"stacks\">\n", out);
	for (size_t i = 0; i < set->count; i++) {
		const struct series *series = &set->series[i];
		if (!same_command(record, series, command) || !is_first(record, set, i))
			continue;
		fputs("<b>", out);
		markup_put(out, board_name(record, series->board));
		fputs("</b><div class=\"stack\">", out);
		put_segments(series, end, out);
		put_marks(limits, n, end, out);
		fputs("</div><span class=\"total\">", out);
		html_value(out, UNIT_NS, whole(series));
		fputs("</span>\n", out);
	}
	fputs("<span></span><div class=\"scale\"><span style=\"left:0\">0</span>", out);
	put_labels(limits, n, end, out);
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

/*
 * By how much two boards' medians may differ because of the frame alone: medians of n values spread
 * over a frame differ by 3 * sqrt(2) * (half a frame) / sqrt(n) at most, and by no more than a
 * frame.
 */
static int64_t frame_allows(const struct series_hop *hop)
{
	double most = 2 * (double)hop->frame_ns;
	double by_n = hop->n > 0 ? 3 * M_SQRT2 * (double)hop->frame_ns / sqrt((double)hop->n)
				 : most;

	return (int64_t)(by_n < most ? by_n : most);
}

/* Slower than the quickest board by half, and by more than U and the frame explain: worth a look.
 */
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
	return over > least / 2 && over > hop->u_ns + frame_allows(hop) && over > 1000000;
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
			      "than U and the frame explain.</p>\n",
			      out);
		}
		any = true;
		put_command(record, set, command, out);
	}
	if (any)
		fputs("</section>\n", out);
}
