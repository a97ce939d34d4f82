/* Conditions: every form that is taken, and the whole text of every error. */
#include "emulator/scenario/expect_parts.h"
#include "tests/support/expect_run.h"

#define N_OF(array) (sizeof(array) / sizeof(*(array)))

static const struct expect_scope EVERYTHING = { .has_fleet = true, .has_master = true };

static struct condition parsed(const char *text)
{
	struct condition condition = { .count = 0 };
	struct expect_fault fault = { .text = "" };

	cr_assert(expect_parse(text, &EVERYTHING, &condition, &fault), "%s: %zu: %s", text,
		  fault.position, fault.text);
	return condition;
}

static const struct gauge_spec *spec_of(const struct condition *condition)
{
	return &condition->comparisons[0].left.spec;
}

Test(expect_parse, comparisons)
{
	static const struct {
		const char *text;
		enum comparator comparator;
	} cases[] = {
		{ "hits<1", LESS },        { "hits <= 1", LESS_EQUAL },
		{ " hits > 1 ", GREATER }, { "hits >=1", GREATER_EQUAL },
		{ "hits\t==\n1", EQUAL },  { "hits != 1", NOT_EQUAL },
	};

	for (size_t i = 0; i < N_OF(cases); i++) {
		struct condition condition = parsed(cases[i].text);
		const struct comparison *one = &condition.comparisons[0];
		cr_expect(!condition.ordered && condition.count == 1);
		cr_expect(one->comparator == cases[i].comparator, "%s", cases[i].text);
		cr_expect(one->left.metric && !one->right.metric);
		cr_expect(one->right.addend == 1 && one->right.dimension == DIMENSION_COUNT);
	}
	struct condition eight = parsed("hits==1 and hits==1 and hits==1 and hits==1 and hits==1 "
					"and hits==1 and hits==1 and hits==1");
	cr_expect(eight.count == 8);
}

Test(expect_parse, operands)
{
	struct condition c = parsed("1.1 * hits + 2 <= 90% * targets - 1.5");
	const struct operand *left = &c.comparisons[0].left, *right = &c.comparisons[0].right;

	cr_expect(left->metric && left->factor == 11 && left->divisor == 10 && left->addend == 2);
	cr_expect(right->metric && right->factor == 90 && right->divisor == 100);
	cr_expect(right->addend == -1.5);
	cr_expect(left->text_len == strlen("1.1 * hits + 2") && left->text[0] == '1');
	cr_expect(right->text_len == strlen("90% * targets - 1.5"));

	c = parsed("1m30s > latency(any, max) + 5ms");
	cr_expect(c.comparisons[0].left.addend == 90e9);
	cr_expect(c.comparisons[0].left.dimension == DIMENSION_DURATION);
	cr_expect(c.comparisons[0].right.addend == 5e6);
	cr_expect(c.comparisons[0].right.factor == 1 && c.comparisons[0].right.divisor == 1);

	c = parsed("loss < 0.5%");
	cr_expect(c.comparisons[0].right.addend == 0.5);
	cr_expect(c.comparisons[0].right.dimension == DIMENSION_SHARE);
	/* Nothing is nothing of any unit. */
	parsed("loss == 0 and latency(ping, min) > 0 and hits + 0 > 0.0");
}

Test(expect_parse, populations)
{
	static const struct {
		const char *text;
		uint16_t both, fleet, master; /* status, by what there is; 0: refused */
		const char *selector;
	} cases[] = {
		{ "targets == 1", STATUS_EXISTS, STATUS_EXISTS, STATUS_M_EVER, "" },
		{ "targets( west_1 ) == 1", STATUS_EXISTS, STATUS_EXISTS, STATUS_M_EVER, "west_1" },
		{ "registered == 1", STATUS_REGISTERED, STATUS_REGISTERED, STATUS_M_KNOWN, "" },
		{ "lost_targets() == 1", STATUS_M_LOST, STATUS_LOST, STATUS_M_LOST, "" },
		{ "state(up) == 1", 1 << TARGET_UP, 1 << TARGET_UP, 0, "" },
		{ "state(gone, west_* & *_1) == 1", 1 << TARGET_GONE, 1 << TARGET_GONE, 0,
		  "west_* & *_1" },
		{ "state(standing) == 1", 1 << TARGET_UP | 1 << TARGET_ACTIVE,
		  1 << TARGET_UP | 1 << TARGET_ACTIVE, 0, "" },
		{ "state(in_service) == 1",
		  1 << TARGET_DOWN | 1 << TARGET_RISING | 1 << TARGET_UP | 1 << TARGET_ACTIVE |
			  1 << TARGET_FALLING,
		  1 << TARGET_DOWN | 1 << TARGET_RISING | 1 << TARGET_UP | 1 << TARGET_ACTIVE |
			  1 << TARGET_FALLING,
		  0, "" },
	};

	for (size_t i = 0; i < N_OF(cases); i++)
		for (int there = 1; there < 4; there++) {
			struct expect_scope scope = { .has_fleet = there & 1,
						      .has_master = there & 2 };
			uint16_t status = there == 1   ? cases[i].fleet
					  : there == 2 ? cases[i].master
						       : cases[i].both;
			struct expect_fault fault;
			struct condition c;
			bool ok = expect_parse(cases[i].text, &scope, &c, &fault);
			cr_assert(ok == (status != 0), "%s, %d", cases[i].text, there);
			if (!ok)
				continue;
			cr_expect(spec_of(&c)->kind == GAUGE_POPULATION);
			cr_expect(spec_of(&c)->status == status, "%s, %d", cases[i].text, there);
			cr_expect_str_eq(spec_of(&c)->selector, cases[i].selector);
		}
}

Test(expect_parse, counts)
{
	static const struct {
		const char *text;
		enum gauge_kind kind;
		uint64_t events;
		uint8_t command;
		const char *selector;
		int64_t from_ns, to_ns;
	} cases[] = {
		{ "sent == 1", GAUGE_COUNT, EVENT_BIT(EVENT_M_SENT), 0, "", 0, NEVER },
		{ "ok(any) == 1", GAUGE_COUNT, EVENT_BIT(EVENT_M_OK), 0, "", 0, NEVER },
		{ "failed(stand_up) == 1", GAUGE_COUNT, EVENT_BIT(EVENT_M_FAILED), RANGE_STAND_UP,
		  "", 0, NEVER },
		{ "lost(ping, west_[1-3], 20s..40s) == 1", GAUGE_COUNT, EVENT_BIT(EVENT_M_LOST),
		  RANGE_PING, "west_[1-3]", 20 * S, 40 * S },
		{ "lost(west_1) == 1", GAUGE_COUNT, EVENT_BIT(EVENT_M_LOST), 0, "west_1", 0,
		  NEVER },
		{ "lost(..1.5s) == 1", GAUGE_COUNT, EVENT_BIT(EVENT_M_LOST), 0, "", 0, 1500 * MS },
		{ "ok(lay_down,20s .. ) == 1", GAUGE_COUNT, EVENT_BIT(EVENT_M_OK), RANGE_LAY_DOWN,
		  "", 20 * S, NEVER },
		{ "loss(activate) == 1%", GAUGE_LOSS, 0, RANGE_ACTIVATE, "", 0, NEVER },
		{ "count(bad_line) == 1", GAUGE_COUNT, EVENT_BIT(EVENT_BAD_LINE), 0, "", 0, NEVER },
		{ "count(m_round, 1s..) == 1", GAUGE_COUNT, EVENT_BIT(EVENT_M_ROUND), 0, "", S,
		  NEVER },
		{ "count(fault_struck, group:west & tag:x) == 1", GAUGE_COUNT,
		  EVENT_BIT(EVENT_FAULT_STRUCK), 0, "group:west & tag:x", 0, NEVER },
		{ "hits(..2s) == 1", GAUGE_COUNT, EVENT_BIT(EVENT_HIT), 0, "", 0, 2 * S },
		{ "misses(all) == 1", GAUGE_COUNT, EVENT_BIT(EVENT_MISS), 0, "all", 0, NEVER },
		{ "crashes == 1", GAUGE_COUNT, EVENT_BIT(EVENT_CRASHED), 0, "", 0, NEVER },
	};

	for (size_t i = 0; i < N_OF(cases); i++) {
		struct condition c = parsed(cases[i].text);
		const struct gauge_spec *spec = spec_of(&c);
		cr_expect(spec->kind == cases[i].kind, "%s", cases[i].text);
		cr_expect(spec->events == cases[i].events, "%s", cases[i].text);
		cr_expect(spec->command == cases[i].command, "%s", cases[i].text);
		cr_expect_str_eq(spec->selector, cases[i].selector);
		cr_expect(spec->from_ns == cases[i].from_ns, "%s", cases[i].text);
		cr_expect(spec->to_ns == cases[i].to_ns, "%s", cases[i].text);
	}
}

Test(expect_parse, latencies)
{
	static const struct {
		const char *text;
		enum statistic statistic;
		double percent;
		uint8_t command;
		const char *selector;
		int64_t from_ns;
	} cases[] = {
		{ "latency(ping, p99) < 1s", STATISTIC_PERCENTILE, 99, RANGE_PING, "", 0 },
		{ "latency(any, p99.95) < 1s", STATISTIC_PERCENTILE, 99.95, 0, "", 0 },
		{ "latency(activate, p100) < 1s", STATISTIC_PERCENTILE, 100, RANGE_ACTIVATE, "",
		  0 },
		{ "latency(ping, group:west, min) < 1s", STATISTIC_MIN, 0, RANGE_PING, "group:west",
		  0 },
		{ "latency(ping, mean, 5s..) < 1s", STATISTIC_MEAN, 0, RANGE_PING, "", 5 * S },
		{ "latency(ping, pico_*, max, 5s..6s) < 1s", STATISTIC_MAX, 0, RANGE_PING, "pico_*",
		  5 * S },
	};

	for (size_t i = 0; i < N_OF(cases); i++) {
		struct condition c = parsed(cases[i].text);
		const struct operand *left = &c.comparisons[0].left;
		cr_expect(left->spec.kind == GAUGE_LATENCY &&
			  left->dimension == DIMENSION_DURATION);
		cr_expect(left->statistic == cases[i].statistic, "%s", cases[i].text);
		cr_expect(left->percent == cases[i].percent, "%s", cases[i].text);
		cr_expect(left->spec.command == cases[i].command);
		cr_expect_str_eq(left->spec.selector, cases[i].selector);
		cr_expect(left->spec.from_ns == cases[i].from_ns);
	}
}

Test(expect_parse, events_in_order)
{
	struct condition c = parsed("down within 900ms after hit");

	cr_expect(c.ordered && c.order.then == EVENT_DOWN && c.order.first == EVENT_HIT);
	cr_expect(c.order.within_ns == 900 * MS);
	c = parsed(" m_ok\tafter  m_sent ");
	cr_expect(c.ordered && c.order.then == EVENT_M_OK && c.order.first == EVENT_M_SENT);
	cr_expect(c.order.within_ns == NEVER);
}

/* ---- errors ---- */

#define METRICS_LIST                                                                               \
	"expected targets, registered, lost_targets, state, sent, ok, failed, lost, loss, count, " \
	"hits, misses, crashes or latency"
#define USAGE_LATENCY "latency(COMMAND, [SELECTOR,] pNN|min|mean|max[, WINDOW])"
#define USAGE_LOST "lost([COMMAND][, SELECTOR][, WINDOW])"

static const struct parse_error {
	const char *text;
	size_t position;
	const char *error;
} parse_errors[] = {
	{ "", 0, "expected a metric or a value, found the end" },
	{ "   ", 3, "expected a metric or a value, found the end" },
	{ "< 3", 0, "expected a metric or a value, found \"<\"" },
	{ "\xe2\x89\xa5 3", 0, "expected a metric or a value, found \"\xe2\x89\xa5\"" },
	{ "registred >= 500", 0,
	  "\"registred\" is no metric (did you mean \"registered\"?); " METRICS_LIST },
	{ "xyzzyx == 1", 0, "\"xyzzyx\" is no metric; " METRICS_LIST },
	{ "hit == 1", 0, "hit is an event; expected count(hit), or \"hit after EVENT\"" },
	{ "lost", 4, "expected one of < <= > >= == !=, found the end" },
	{ "lost = 0", 5, "expected one of < <= > >= == !=, found \"=\"" },
	{ "lost =< 0", 5, "expected one of < <= > >= == !=, found \"=<\"" },
	{ "lost is 0", 5, "expected one of < <= > >= == !=, found \"is\"" },
	{ "lost ==", 7, "expected a metric or a value, found the end" },
	{ "lost == zero", 8, "\"zero\" is no metric; " METRICS_LIST },
	{ "lost == -1", 8, "expected a metric or a value, found \"-\"" },
	{ "lost == 0 or ok > 1", 10, "expected \"and\" or the end, found \"or\"" },
	{ "lost == 0, ok > 1", 9, "expected \"and\" or the end, found \",\"" },
	{ "lost == 0 and", 13, "expected a metric or a value, found the end" },
	{ "hits==1 and hits==1 and hits==1 and hits==1 and hits==1 and hits==1 and hits==1 and "
	  "hits==1 and hits==1",
	  96, "a condition has at most 8 comparisons" },
	{ "1 < 2", 0, "compares two constants; expected a metric on one side" },
	/* values */
	{ "lost < 5mss", 7,
	  "\"5mss\" is no number (up to 15 digits), duration (up to 168h) or percentage; expected "
	  "e.g. 10, 50ms or 1%" },
	{ "lost < 1234567890123456", 7,
	  "\"1234567890123456\" is no number (up to 15 digits), duration (up to 168h) or "
	  "percentage; expected e.g. 10, 50ms or 1%" },
	{ "lost < 1.2.3", 7,
	  "\"1.2.3\" is no number (up to 15 digits), duration (up to 168h) or percentage; expected "
	  "e.g. 10, 50ms or 1%" },
	{ "lost < 5.", 7,
	  "\"5.\" is no number (up to 15 digits), duration (up to 168h) or percentage; expected "
	  "e.g. 10, 50ms or 1%" },
	{ "latency(ping, max) < 169h", 21,
	  "\"169h\" is no number (up to 15 digits), duration (up to 168h) or percentage; expected "
	  "e.g. 10, 50ms or 1%" },
	/* units */
	{ "latency(ping, p99) < 50", 21,
	  "latency(ping, p99) is a duration; expected one to compare with, e.g. 50ms" },
	{ "50% > latency(ping, p99)", 0,
	  "latency(ping, p99) is a duration; expected one to compare with, e.g. 50ms" },
	{ "loss < 5", 7, "loss is a percentage; expected one to compare with, e.g. 1%" },
	{ "lost < 5%", 7, "lost is a number; expected one to compare with, e.g. 10" },
	{ "lost < latency(ping, max)", 7,
	  "lost is a number; expected one to compare with, e.g. 10" },
	{ "hits + 5ms > 1", 7, "hits is a number; expected one to add, e.g. 10" },
	{ "hits + > 1", 7, "expected a number, duration or percentage, found \">\"" },
	{ "hits - hits > 1", 7, "expected a number, duration or percentage, found \"hits\"" },
	{ "5ms * hits > 1", 0, "a duration cannot be a factor; expected e.g. 1.5 or 90%" },
	{ "2 * 3 > hits", 4, "expected a metric after *, found \"3\"" },
	{ "hits * 2 > 3", 5, "expected one of < <= > >= == !=, found \"*\"" },
	/* arguments */
	{ "lost(ping == 0", 4, "this \"(\" is never closed" },
	{ "lost(ping,) == 0", 10, "an argument is empty" },
	{ "lost(,ping) == 0", 5, "an argument is empty" },
	{ "lost(a, b, c, d, e, f, g) == 0", 23, "too many arguments" },
	{ "lost(ping, west_1, east_1) == 0", 19,
	  "\"east_1\" is one argument too many: " USAGE_LOST },
	{ "state(up, 1s..2s) == 0", 10,
	  "\"1s..2s\" is one argument too many: state(STATE[, SELECTOR])" },
	{ "state == 0", 5, "expected a state: state(STATE[, SELECTOR])" },
	{ "state(upp) == 0", 6,
	  "\"upp\" is no state; expected off, booting, down, rising, up, active, falling, gone, "
	  "standing (up or active) or in_service" },
	{ "count == 0", 5, "expected an event: count(EVENT[, SELECTOR][, WINDOW])" },
	{ "count(hitt) == 0", 6,
	  "\"hitt\" is no event (did you mean \"hit\"?); expected e.g. hit, standing, down" },
	{ "count(m_round, west_1) == 0", 15, "m_round concerns no target; expected no selector" },
	{ "latency < 5ms", 7,
	  "expected ping, stand_up, lay_down, activate or any: " USAGE_LATENCY },
	{ "latency(pong, p99) < 5ms", 8,
	  "expected ping, stand_up, lay_down, activate or any: " USAGE_LATENCY },
	{ "latency(ping) < 5ms", 12, "expected p50, p99, p99.9, min, mean or max: " USAGE_LATENCY },
	{ "latency(ping, west_1, 5s..) < 5ms", 22,
	  "expected p50, p99, p99.9, min, mean or max: " USAGE_LATENCY },
	{ "latency(ping, p0) < 5ms", 14, "\"p0\" is no percentile; expected e.g. p50, p99, p99.9" },
	{ "latency(ping, p100.1) < 5ms", 14,
	  "\"p100.1\" is no percentile; expected e.g. p50, p99, p99.9" },
	{ "latency(ping, p9x) < 5ms", 14,
	  "\"p9x\" is no percentile; expected e.g. p50, p99, p99.9" },
	{ "latency(ping, p99, max) < 5ms", 19, "\"max\" is one argument too many: " USAGE_LATENCY },
	/* windows */
	{ "hits(..) == 0", 5, "\"..\" is no window; expected e.g. 20s..40s, 20s.. or ..40s" },
	{ "hits(20..40s) == 0", 5,
	  "\"20..40s\" is no window; expected e.g. 20s..40s, 20s.. or ..40s" },
	{ "hits(40s..20s) == 0", 5, "the window 40s..20s ends before it begins" },
	{ "hits(4s..4s) == 0", 5, "the window 4s..4s ends before it begins" },
	/* selectors */
	{ "lost(state:up) == 0", 5,
	  "\"state:up\" picks others at other times; expected names, ranges, group: or tag: "
	  "alone" },
	{ "lost(west_* & 25%) == 0", 5,
	  "\"west_* & 25%\" picks others at other times; expected names, ranges, group: or tag: "
	  "alone" },
	{ "lost(ping, random(3)) == 0", 11,
	  "\"random(3)\" picks others at other times; expected names, ranges, group: or tag: "
	  "alone" },
	{ "lost(west 1) == 0", 5,
	  "\"west 1\" is no selector; expected names, ranges, group: or tag:, e.g. target_[1-10], "
	  "group:west & tag:new" },
	/* events in order */
	{ "down within 900 after hit", 12,
	  "expected a duration (up to 168h), e.g. 900ms, found \"900\"" },
	{ "down within after hit", 12,
	  "expected a duration (up to 168h), e.g. 900ms, found \"after\"" },
	{ "down within 9s before hit", 15, "expected \"after\", found \"before\"" },
	{ "down within 9s", 14, "expected \"after\", found the end" },
	{ "down after", 10, "expected an event, found the end" },
	{ "down after 5s", 11, "expected an event, found \"5s\"" },
	{ "downs after hit", 0,
	  "\"downs\" is no event (did you mean \"down\"?); expected e.g. hit, standing, down" },
	{ "down after hit and hits > 1", 15, "expected the end, found \"and\"" },
	{ "m_ok after m_round", 11, "m_round concerns no target; it cannot be put in order" },
};

Test(expect_parse, errors)
{
	for (size_t i = 0; i < N_OF(parse_errors); i++) {
		const struct parse_error *one = &parse_errors[i];
		struct expect_fault fault = { .text = "" };
		struct condition condition = { .count = 77 };
		cr_expect(!expect_parse(one->text, &EVERYTHING, &condition, &fault), "%s",
			  one->text);
		cr_expect(condition.count == 77);
		cr_expect_str_eq(fault.text, one->error, "%s:\n  is     %s\n  should %s", one->text,
				 fault.text, one->error);
		cr_expect(fault.position == one->position, "%s: %zu", one->text, fault.position);
	}
}

Test(expect_parse, too_long_a_selector)
{
	char text[400];
	struct expect_fault fault;
	struct condition c;

	snprintf(text, sizeof(text), "lost(%0255d) == 0", 1);
	cr_expect(expect_parse(text, &EVERYTHING, &c, &fault));
	cr_expect(strlen(spec_of(&c)->selector) == 255);
	snprintf(text, sizeof(text), "lost(%0256d) == 0", 1);
	cr_expect(!expect_parse(text, &EVERYTHING, &c, &fault));
	cr_expect_str_eq(fault.text, "a selector has at most 255 bytes");
}

/* ---- in a config ---- */

struct config_error {
	const char *text, *errors;
};

static void expect_config_errors(const char *before, const struct config_error *cases, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct run_config config;
		char text[2048], errors[2048] = "";
		snprintf(text, sizeof(text), "%sexpect = (\n { %s }\n);\n", before, cases[i].text);
		struct settings *settings = run_load(text, &config);
		for (size_t e = 0; e < settings_errors(settings); e++)
			snprintf(errors + strlen(errors), sizeof(errors) - strlen(errors), "%s%s",
				 e > 0 ? "\n" : "", settings_error_text(settings, e));
		cr_expect_str_eq(errors, cases[i].errors, "%s\n  is     %s\n  should %s",
				 cases[i].text, errors, cases[i].errors);
		settings_free(settings);
	}
}

#define AT "x.cfg:4: expect[0]."

Test(expect_parse, config_errors)
{
	static const struct config_error cases[] = {
		{ "that = \"lost == 0\"; within = \"3s\"; from = \"1s\";", "" },
		{ "that = \"lost == 0\"; throughout = true; from = \"1s\"; until = \"1s\";", "" },
		{ "that = \"down after hit\"; from = \"1s\"; until = \"2s\"; targets = "
		  "\"tag:new\";",
		  "" },
		{ "name = \"x\";",
		  "x.cfg:4: expect[0].that: required, but missing; expected a string" },
		{ "that = \"lots == 0\";",
		  AT "that: \"lots == 0\", character 1: \"lots\" is no metric (did you mean "
		     "\"lost\"?); " METRICS_LIST },
		{ "that = \"lost == 0 or\";",
		  AT "that: \"lost == 0 or\", character 11: expected \"and\" or the end, found "
		     "\"or\"" },
		{ "that = \"lost(west_[11-20]) == 0\";",
		  AT "that: \"lost(west_[11-20]) == 0\", character 6: \"west_[11-20]\" picks no "
		     "target of the fleet" },
		{ "that = \"hits(group:east & tag:old) == 0\";",
		  AT "that: \"hits(group:east & tag:old) == 0\", character 6: \"group:east & "
		     "tag:old\" picks no target of the fleet" },
		{ "that = \"hits(group:east & tag:new) == 0\";", "" },
		{ "that = \"lost == 0\"; targets = \"group:north\";",
		  AT "targets: \"group:north\" picks no target of the fleet" },
		{ "that = \"lost == 0\"; targets = \"state:up\";",
		  AT "targets: \"state:up\" picks others at other times; expected names, ranges, "
		     "group: or tag: alone" },
		{ "that = \"lost == 0\"; within = \"0s\";",
		  AT "within: \"0s\" is out of range; expected 1ns .. 168h" },
		{ "that = \"lost == 0\"; within = \"1s\"; throughout = true;",
		  AT "within: within and throughout exclude each other" },
		{ "that = \"lost == 0\"; within = \"1s\"; until = \"1s\";",
		  AT "until: within ends at from + within; expected no until" },
		{ "that = \"lost == 0\"; throughout = true; from = \"2s\"; until = \"1s\";",
		  AT "until: until is before from" },
		{ "that = \"lost == 0\"; from = \"2s\";",
		  AT "from: from needs within or throughout; to count from there, give the metric "
		     "a window, e.g. lost(20s..)" },
		{ "that = \"down after hit\"; within = \"2s\";",
		  AT "within: events in order have their time in the condition: \"EVENT within "
		     "DURATION after EVENT\"" },
		{ "that = \"down after hit\"; throughout = true;",
		  AT "throughout: events in order are always looked at throughout; expected none" },
		{ "that = \"lost(20s..) == 0\"; until = \"20s\";",
		  AT "that: the window of lost(20s..) begins when the expectation is already "
		     "judged" },
		{ "that = \"1 > lost(20s..)\"; within = \"20s\";",
		  AT "that: the window of lost(20s..) begins when the expectation is already "
		     "judged" },
	};

	expect_config_errors(RUN_FLEET RUN_MASTER, cases, N_OF(cases));
}

Test(expect_parse, what_is_absent)
{
	static const struct config_error without_fleet[] = {
		{ "that = \"lost == 0 and registered > 1 and count(note) == 0\";", "" },
		{ "that = \"state(up) == 0\";",
		  AT "that: \"state(up) == 0\", character 1: state is known of a fleet, and this "
		     "config has none" },
		{ "that = \"count(hit) == 0\";",
		  AT "that: \"count(hit) == 0\", character 7: hit is an event of a fleet, and this "
		     "config has none" },
		{ "that = \"lost(group:west) == 0\";", AT
		  "that: \"lost(group:west) == 0\", character 6: \"group:west\": without a fleet "
		  "targets have names, but no group" },
		{ "that = \"lost == 0\"; targets = \"board_* & tag:x\";", AT
		  "targets: \"board_* & tag:x\": without a fleet targets have names, but no tag" },
		{ "that = \"lost(board_[1-3]) == 0\";", "" },
	};
	static const struct config_error without_master[] = {
		{ "that = \"lost_targets == 0 and registered > 1 and hits > 1\";", "" },
		{ "that = \"lost == 0\";",
		  AT "that: \"lost == 0\", character 1: lost is known of a master, and this config "
		     "has none" },
		{ "that = \"m_ok after hit\";", AT
		  "that: \"m_ok after hit\", character 1: m_ok is an event of a master, and this "
		  "config has none" },
	};

	expect_config_errors(RUN_MASTER "\n", without_fleet, N_OF(without_fleet));
	expect_config_errors(RUN_FLEET "\n", without_master, N_OF(without_master));
}

Test(expect_parse, described)
{
	static const struct {
		const char *text, *line;
	} cases[] = {
		{ "that = \"lost == 0\";", "lost == 0, at the end\n" },
		{ "that = \"lost == 0\"; until = \"30s\";", "lost == 0, at 30s\n" },
		{ "name = \"all\"; that = \"registered >= 5\"; within = \"30s\";",
		  "all: registered >= 5, within 30s\n" },
		{ "that = \"lost == 0\"; within = \"30s\"; from = \"1500ms\";",
		  "lost == 0, within 30s from 1.5s\n" },
		{ "that = \"lost == 0\"; throughout = true;", "lost == 0, throughout\n" },
		{ "that = \"lost == 0\"; throughout = true; from = \"5s\";",
		  "lost == 0, throughout 5s..\n" },
		{ "that = \"lost == 0\"; throughout = true; until = \"5s\";",
		  "lost == 0, throughout 0s..5s\n" },
		{ "that = \"down after hit\"; from = \"1s\"; until = \"5s\"; targets = \"west_1\";",
		  "down after hit, at the end of 1s..5s, of west_1\n" },
	};

	for (size_t i = 0; i < N_OF(cases); i++) {
		struct run_config config;
		char text[1024], *line = NULL;
		size_t size = 0;
		FILE *out = open_memstream(&line, &size);
		snprintf(text, sizeof(text), "%sexpect = ( { %s } );", RUN_FLEET RUN_MASTER,
			 cases[i].text);
		struct settings *settings = run_load(text, &config);
		cr_assert(settings_errors(settings) == 0, "%s", settings_error_text(settings, 0));
		expect_describe(config.expect.at, out);
		fclose(out);
		cr_expect_str_eq(line, cases[i].line);
		free(line);
		settings_free(settings);
	}
}
