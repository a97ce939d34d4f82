#include "hil/report/html.h"

#include <inttypes.h>
#include <string.h>

/* A row stands for all failures alike: a dead board fails a thousand times in one way. */
#define GROUPS_MAX 80

struct group {
	uint32_t first, last, worst; /* steps */
	uint32_t count, flaky;
};

static bool is_bad(const struct step_result *step)
{
	return step->verdict >= VERDICT_INCONCLUSIVE;
}

static bool alike(const struct step_result *a, const struct step_result *b)
{
	const struct measurement *x = step_culprit(a), *y = step_culprit(b);

	return a->board == b->board && a->verdict == b->verdict && strcmp(a->name, b->name) == 0 &&
	       (x == NULL) == (y == NULL) &&
	       (x == NULL || (x->missing == y->missing && strcmp(x->name, y->name) == 0));
}

/* How far beyond its limit, for comparison; what never came is the farthest. */
static int64_t beyond(const struct step_result *step)
{
	const struct measurement *m = step_culprit(step);

	if (m == NULL || m->missing)
		return INT64_MAX;
	int64_t over = m->limit.has_max ? m->judged.value - m->limit.max : INT64_MIN;
	int64_t under = m->limit.has_min ? m->limit.min - m->judged.value : INT64_MIN;
	return over > under ? over : under;
}

struct groups {
	struct group at[GROUPS_MAX];
	unsigned count;
	uint64_t left_out;
};

static void collect(const struct record *record, struct groups *groups)
{
	for (uint32_t s = 0; s < record->step_count; s++) {
		const struct step_result *step = &record->steps[s];
		unsigned g = 0;
		if (!is_bad(step))
			continue;
		while (g < groups->count && !alike(&record->steps[groups->at[g].first], step))
			g++;
		if (g == GROUPS_MAX) {
			groups->left_out++;
			continue;
		}
		struct group *group = &groups->at[g];
		if (g == groups->count) {
			groups->count++;
			*group = (struct group){ .first = s, .worst = s };
		}
		group->count++;
		group->last = s;
		group->flaky += record_step_flaky(record, s);
		if (beyond(step) > beyond(&record->steps[group->worst]))
			group->worst = s;
	}
}

static void put_measured(const struct measurement *m, FILE *out)
{
	if (m == NULL) {
		fputs("<td></td><td></td>", out);
		return;
	}
	fputs("<td data-label=\"worst\">", out);
	if (m->missing)
		fputs("never came, waited ", out);
	html_value(out, m->unit, m->judged.value);
	html_u(out, m->unit, m->judged.u);
	fputs("</td><td data-label=\"limit\">", out);
	if (m->limit.has_min) {
		fputs(m->limit.has_max ? "" : "at least ", out);
		html_value(out, m->unit, m->limit.min);
	}
	if (m->limit.has_max) {
		fputs(m->limit.has_min ? " \xe2\x80\xa6 " : "at most ", out);
		html_value(out, m->unit, m->limit.max);
	}
	fputs("</td>", out);
}

static void put_hop(const struct series_set *set, const struct step_result *step,
		    const struct measurement *m, FILE *out)
{
	struct html_odd_hop odd;

	if (m == NULL || m->missing || !html_odd_hop(set, step->board, m, &odd))
		return;
	fprintf(out, "<span class=\"hop\">%s \xe2\x86\x92 %s: <b>", point_text(odd.hop->from),
		point_text(odd.hop->to));
	html_value(out, UNIT_NS, odd.hop->value_ns);
	fputs("</b>", out);
	html_u(out, UNIT_NS, u_total(&odd.hop->u, false));
	fputs(", usually ", out);
	html_value(out, UNIT_NS, odd.usual->median_ns);
	fputs("</span>", out);
}

static void put_times(const struct record *record, const struct group *group, FILE *out)
{
	char first[MARKUP_NUMBER], last[MARKUP_NUMBER];

	markup_time(record->steps[group->first].begin_ns - record->run.start_ns, first,
		    sizeof(first));
	markup_time(record->steps[group->last].begin_ns - record->run.start_ns, last, sizeof(last));
	fputs("<span class=\"hop\">", out);
	if (group->count == 1)
		fprintf(out, "once, at %s", first);
	else
		fprintf(out, "%u times, %s to %s", group->count, first, last);
	if (group->flaky > 0)
		fprintf(out, "; %u passed when retried", group->flaky);
	fputs("</span>", out);
}

static void put_row(const struct record *record, const struct series_set *set,
		    const struct group *group, FILE *out)
{
	uint32_t s = group->worst;
	const struct step_result *step = &record->steps[s];
	const struct measurement *m = step_culprit(step);

	fputs("<tr><td>", out);
	html_badge(out, step->verdict);
	fputs("</td><th class=\"text\">", out);
	markup_put(out, board_name(record, step->board));
	fputs("</th><td class=\"text what\">", out);
	/* Where a value and a limit say it, words need not. */
	bool linked = record_excerpt(record, s) != NULL;
	if (linked)
		fprintf(out, "<a href=\"#x%u\">", s);
	fputs("<b>", out);
	markup_put(out, m != NULL ? m->name : step->name);
	fprintf(out, "</b>%s #%u", linked ? "</a>" : "", step->repeat + 1);
	if (step->attempt > 0)
		fprintf(out, ", attempt %u", step->attempt + 1);
	if (m == NULL || step->verdict != VERDICT_FAIL) {
		fputs("<span class=\"hop\">", out);
		markup_put(out, m != NULL ? m->judged.why : step->why);
		fputs("</span>", out);
	}
	if (step->verdict != VERDICT_ERROR)
		put_hop(set, step, m, out);
	put_times(record, group, out);
	fputs("</td>", out);
	put_measured(m, out);
	fputs("</tr>\n", out);
}

void html_failures(const struct record *record, const struct series_set *set, FILE *out)
{
	static const enum verdict order[] = { VERDICT_FAIL, VERDICT_INCONCLUSIVE, VERDICT_ERROR };
	struct groups groups = { .count = 0 };

	collect(record, &groups);
	if (groups.count == 0)
		return;
	html_heading(out, "failures", "What went wrong");
	fputs("<div class=\"scroll\"><table class=\"figures cards wide\">\n<thead><tr><th></th>"
	      "<th class=\"text\">board</th><th class=\"text\">what, and which hop</th>"
	      "<th>worst \xc2\xb1 U</th><th>limit</th></tr></thead>\n<tbody>\n",
	      out);
	for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++)
		for (unsigned g = 0; g < groups.count; g++)
			if (record->steps[groups.at[g].first].verdict == order[i])
				put_row(record, set, &groups.at[g], out);
	fputs("</tbody></table></div>\n", out);
	if (groups.left_out > 0)
		fprintf(out, "<p class=\"hint\">%" PRIu64 " more are in result.json.</p>\n",
			groups.left_out);
	fputs("</section>\n", out);
}

/* ---- console and wire at each failure ---- */

static void put_event_text(const struct timeline_event *event, FILE *out)
{
	switch (event->kind) {
	case TIMELINE_PIN: fputs(event->value != 0 ? "high" : "low", out); break;
	case TIMELINE_SERVO:
		if (event->value == 0)
			fputs("no pulses", out);
		else
			fprintf(out, "%.1f \xc2\xb5s", (double)event->value / 1e3);
		break;
	case TIMELINE_LOST: fprintf(out, "%" PRId64 " missing here ", event->value); break;
	case TIMELINE_STEP_END:
		fprintf(out, "%s ", verdict_name((enum verdict)event->value));
		break;
	default: break;
	}
	if (event->text != NULL)
		markup_put_len(out, event->text, event->text_len);
}

static void put_event(const struct record *record, const struct step_result *step,
		      const struct timeline_event *event, FILE *out)
{
	fprintf(out, "<tr%s><td class=\"when\">%+.3f\xc2\xa0ms</td><td>",
		event->kind == TIMELINE_LOST ? " class=\"lost\"" : "",
		(double)(event->t_ns - step->begin_ns) / 1e6);
	if (event->channel >= 0)
		markup_put(out, record->channels[event->channel].name);
	fprintf(out, "</td><td>%s</td><td>", timeline_kind_name((enum timeline_kind)event->kind));
	put_event_text(event, out);
	fputs("</td></tr>\n", out);
}

static void put_excerpt(const struct record *record, const struct excerpt *excerpt, FILE *out)
{
	const struct step_result *step = &record->steps[excerpt->step];

	fprintf(out, "<details id=\"x%u\"><summary>", excerpt->step);
	html_badge(out, step->verdict);
	fputs(" <b>", out);
	markup_put(out, board_name(record, step->board));
	fputs("</b> ", out);
	markup_put(out, step->name);
	fprintf(out, " #%u: ", step->repeat + 1);
	markup_put(out, step->why);
	fputs("</summary>\n<div class=\"scroll\"><table class=\"excerpt\">\n", out);
	if (excerpt->left_out > 0)
		fprintf(out,
			"<tr><td></td><td></td><td></td><td>%u more events of this step are in run.vcd"
			"</td></tr>\n",
			excerpt->left_out);
	for (uint32_t i = 0; i < excerpt->event_count; i++)
		put_event(record, step, &excerpt->events[i], out);
	fputs("</table></div></details>\n", out);
}

void html_excerpts(const struct record *record, FILE *out)
{
	if (record->excerpt_count == 0)
		return;
	html_heading(out, "excerpts", "Wire, console and pins at each failure");
	fputs("<p class=\"hint\">Times since the step began.</p>\n", out);
	for (uint32_t i = 0; i < record->excerpt_count; i++)
		put_excerpt(record, &record->excerpts[i], out);
	if (record->excerpts_left_out > 0)
		fprintf(out,
			"<p class=\"hint\">%" PRIu64 " more failures have no excerpt: there was no "
			"room.</p>\n",
			record->excerpts_left_out);
	fputs("</section>\n", out);
}
