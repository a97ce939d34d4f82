#include "emulator/sniff/unit_faults.h"

#include "emulator/base/rng.h"
#include "proto/framed/frame.h"

#include <stdio.h>
#include <string.h>

/* Changed bytes first, then the way out, as with a target (emulator/target/fault_answer.c). */

#define NETWORK                                                                                    \
	(FAULT_BIT(FAULT_SILENT) | FAULT_BIT(FAULT_DELAY) | FAULT_BIT(FAULT_DROP) |                \
	 FAULT_BIT(FAULT_CLOSE_BEFORE) | FAULT_BIT(FAULT_CLOSE_MIDDLE) | FAULT_BIT(FAULT_RESET) |  \
	 FAULT_BIT(FAULT_TRICKLE) | FAULT_BIT(FAULT_SPLIT) | FAULT_BIT(FAULT_COALESCE) |           \
	 FAULT_BIT(FAULT_BANDWIDTH) | FAULT_BIT(FAULT_GARBAGE) | FAULT_BIT(FAULT_DUPLICATE) |      \
	 FAULT_BIT(FAULT_STALE))
/* Those that change letters within the text need text, those that cut it a frame that can be
 * made anew. */
#define LETTERS (FAULT_BIT(FAULT_UPPER_TYPE) | FAULT_BIT(FAULT_BAD_UTF8))
#define ALL (NETWORK | LETTERS | FAULT_BIT(FAULT_CUT_JSON) | FAULT_BIT(FAULT_NO_NEWLINE))

static uint64_t faults_of(enum dialog_wire wire)
{
	switch (wire) {
	case DIALOG_SNYPER: return ALL;
	case DIALOG_FRAMED: return ALL & ~FAULT_BIT(FAULT_NO_NEWLINE);
	case DIALOG_HTTP: return NETWORK | LETTERS;
	default: return NETWORK; /* under TLS nobody can change a letter unseen */
	}
}

const char *unit_faults_names(char *buf, size_t cap)
{
	size_t len = 0;

	buf[0] = '\0';
	for (int kind = 0; kind < FAULT_KIND_COUNT && len < cap; kind++)
		if (ALL & FAULT_BIT(kind))
			len += (size_t)snprintf(buf + len, cap - len, "%s%s", len > 0 ? ", " : "",
						fault_name((enum fault_kind)kind));
	return buf;
}

/* ---- "delay, time normal(200ms, 50ms), probability 0.3" ---- */

/* Those whose values a config has without quotes. */
static bool is_number(const char *name, size_t len)
{
	static const char *const numbers[] = { "probability", "count", "bytes", "factor", "seed" };

	for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++)
		if (strlen(numbers[i]) == len && memcmp(numbers[i], name, len) == 0)
			return true;
	return false;
}

/* To the next comma that is neither in brackets nor in quotes. */
static size_t part_len(const char *text)
{
	int depth = 0;
	bool quoted = false;
	size_t i = 0;

	for (; text[i] != '\0'; i++) {
		if (text[i] == '"')
			quoted = !quoted;
		else if (quoted)
			continue;
		else if (text[i] == '(')
			depth++;
		else if (text[i] == ')')
			depth--;
		else if (text[i] == ',' && depth <= 0)
			break;
	}
	return i;
}

/* As a config would have it. False: it does not fit. */
static bool to_config(const char *text, char *out, size_t cap)
{
	size_t len = 0;

	for (bool first = true;; first = false) {
		text += strspn(text, " ");
		size_t all = part_len(text), n = all;
		while (n > 0 && text[n - 1] == ' ')
			n--;
		size_t word = first ? 0 : strcspn(text, " ,");
		word = word < n ? word : n;
		const char *value = text + word;
		size_t value_len = n - word;
		for (; value_len > 0 && *value == ' '; value_len--)
			value++;
		bool bare = (!first && is_number(text, word)) || (value_len > 0 && value[0] == '"');
		int wrote = snprintf(out + len, cap - len, "%.*s = %s%.*s%s;\n",
				     first ? 4 : (int)word, first ? "kind" : text, bare ? "" : "\"",
				     (int)value_len, value, bare ? "" : "\"");
		if (wrote < 0 || (size_t)wrote >= cap - len)
			return false;
		len += (size_t)wrote;
		if (text[all] == '\0')
			return true;
		text += all + 1;
	}
}

bool unit_faults_add(struct unit_faults *faults, const char *text, enum dialog_wire wire)
{
	struct unit_fault *fault = &faults->faults[faults->n];
	char config[1024], names[400];

	if (faults->n == UNIT_FAULTS_MAX) {
		fprintf(stderr, "quintain-emu sniff: --fault: at most %d\n", UNIT_FAULTS_MAX);
		return false;
	}
	if (!to_config(text, config, sizeof(config))) {
		fprintf(stderr, "quintain-emu sniff: --fault: \"%.40s...\" is too long\n", text);
		return false;
	}
	memset(fault, 0, sizeof(*fault));
	fault->settings = settings_load_text(config, "--fault", NULL, 0, &fault_table,
					     &fault->spec);
	faults->n++;
	fault->on[TO_CLIENT] = true;
	if (settings_errors(fault->settings) == 0)
		fault_spec_check(fault->settings, &fault->spec);
	if (settings_errors(fault->settings) == 0 && !(ALL & FAULT_BIT(fault->spec.kind)))
		settings_error(fault->settings, NULL, "kind",
			       "\"%s\" is nothing that a proxy could do; it can: %s",
			       fault_name((enum fault_kind)fault->spec.kind),
			       unit_faults_names(names, sizeof(names)));
	else if (settings_errors(fault->settings) == 0 &&
		 !(faults_of(wire) & FAULT_BIT(fault->spec.kind)))
		settings_error(fault->settings, NULL, "kind",
			       "\"%s\" makes no sense for a proxy of the wire \"%s\"",
			       fault_name((enum fault_kind)fault->spec.kind),
			       dialog_wire_names[wire]);
	for (size_t i = 0; i < settings_errors(fault->settings); i++)
		fprintf(stderr, "quintain-emu sniff: %s\n",
			settings_error_text(fault->settings, i));
	return settings_errors(fault->settings) == 0;
}

void unit_faults_on(struct unit_faults *faults, bool to_server, bool to_client)
{
	faults->faults[faults->n - 1].on[TO_SERVER] = to_server;
	faults->faults[faults->n - 1].on[TO_CLIENT] = to_client;
}

void unit_faults_release(struct unit_faults *faults)
{
	for (size_t i = 0; i < faults->n; i++)
		settings_free(faults->faults[i].settings);
	faults->n = 0;
}

bool unit_faults_any(const struct unit_faults *faults, enum way way)
{
	for (size_t i = 0; i < faults->n; i++)
		if (faults->faults[i].on[way])
			return true;
	return false;
}

bool unit_faults_need_before(const struct unit_faults *faults, enum way way)
{
	for (size_t i = 0; i < faults->n; i++)
		if (faults->faults[i].on[way] && faults->faults[i].spec.kind == FAULT_STALE)
			return true;
	return false;
}

/* ---- whether ---- */

static uint64_t bits(struct unit_faults *faults, struct unit_fault *fault, uint32_t conn)
{
	uint64_t seed = fault->spec.seed != 0 ? (uint64_t)fault->spec.seed : faults->seed;

	return rng_draw(seed, conn, RNG_FAULT + (unsigned)fault->spec.kind, fault->draws++);
}

static bool is_on(struct unit_faults *faults, struct unit_fault *fault, int64_t t_ns)
{
	const struct fault_spec *spec = &fault->spec;

	if (!spec->has_every)
		return spec->for_ns == 0 || t_ns < spec->for_ns;
	/* It rests first, then takes turns. A long silence holds many turns. */
	if (fault->until_ns == 0) {
		fault->resting = true;
		fault->until_ns = dist_draw(&spec->every, bits(faults, fault, 0)) + 1;
	}
	while (t_ns >= fault->until_ns) {
		int64_t lasts = fault->resting
					? spec->for_ns
					: dist_draw(&spec->every, bits(faults, fault, 0)) + 1;
		fault->resting = !fault->resting;
		fault->until_ns += lasts;
	}
	return !fault->resting;
}

struct strike {
	struct unit_faults *faults;
	struct unit_fate *fate;
	enum way way;
	uint32_t conn;
	int64_t t_ns;
};

/* The fault, where it strikes this unit. */
static struct unit_fault *strikes(const struct strike *strike, enum fault_kind kind)
{
	struct unit_fate *fate = strike->fate;

	for (size_t i = 0; i < strike->faults->n; i++) {
		struct unit_fault *fault = &strike->faults->faults[i];
		if (fault->spec.kind != (int)kind || !fault->on[strike->way] ||
		    !is_on(strike->faults, fault, strike->t_ns))
			continue;
		if (fault->spec.probability < 1 &&
		    rng_unit(bits(strike->faults, fault, strike->conn)) >= fault->spec.probability)
			continue;
		size_t len = strlen(fate->all);
		snprintf(fate->all + len, sizeof(fate->all) - len, "%s%s", len > 0 ? ", " : "",
			 fault_name(kind));
		if (fate->name == NULL)
			fate->name = fault_name(kind);
		return fault;
	}
	return NULL;
}

static int64_t time_of(const struct strike *strike, struct unit_fault *fault)
{
	return dist_draw(&fault->spec.time, bits(strike->faults, fault, strike->conn));
}

/* ---- the bytes ---- */

/* Behind `name` and its colon: where a string's first letter stands; len: there is none. */
static size_t find_string(const char *bytes, size_t len, const char *name)
{
	const char *at = memmem(bytes, len, name, strlen(name));
	size_t i = at != NULL ? (size_t)(at - bytes) + strlen(name) : len;

	while (i < len && (bytes[i] == ' ' || bytes[i] == ':'))
		i++;
	return i + 1 < len && bytes[i] == '"' ? i + 1 : len;
}

static void upper_type(char *bytes, size_t len)
{
	for (size_t i = find_string(bytes, len, "\"type\""); i < len && bytes[i] != '"'; i++)
		if (bytes[i] >= 'a' && bytes[i] <= 'z')
			bytes[i] = (char)(bytes[i] - 'a' + 'A');
}

static void bad_utf8(char *bytes, size_t len)
{
	static const char *const names[] = { "\"status\"", "\"error\"", "\"content\"", "\"type\"" };

	for (size_t n = 0; n < sizeof(names) / sizeof(*names); n++) {
		size_t i = find_string(bytes, len, names[n]);
		if (i < len && bytes[i] != '"') {
			bytes[i] = (char)0xff;
			return;
		}
	}
}

static size_t cut_json(char *bytes, size_t len, double share, enum dialog_wire wire)
{
	bool frame = wire == DIALOG_FRAMED && len > QN_FRAMED_HEAD;
	size_t head = frame ? QN_FRAMED_HEAD : 0;
	bool newline = wire == DIALOG_SNYPER && len > 0 && bytes[len - 1] == '\n';
	size_t text = len - head - newline, kept = (size_t)((double)text * share);

	if (frame)
		qn_framed_put_head(bytes, (uint32_t)kept);
	if (newline)
		bytes[head + kept] = '\n';
	return head + kept + newline;
}

static size_t put_stale(struct unit_before *before, char *bytes, size_t len, bool struck)
{
	struct unit_before kept = *before;

	before->len = len <= sizeof(before->bytes) ? (uint32_t)len : 0;
	memcpy(before->bytes, bytes, before->len);
	if (!struck || kept.len == 0)
		return len;
	memcpy(bytes, kept.bytes, kept.len);
	return kept.len;
}

static size_t change_bytes(const struct strike *strike, struct unit_before *before, char *bytes,
			   size_t len, enum dialog_wire wire)
{
	struct unit_fault *fault;

	if (before != NULL)
		len = put_stale(before, bytes, len,
				before->len > 0 && strikes(strike, FAULT_STALE) != NULL);
	if (strikes(strike, FAULT_UPPER_TYPE))
		upper_type(bytes, len);
	if (strikes(strike, FAULT_BAD_UTF8))
		bad_utf8(bytes, len);
	if ((fault = strikes(strike, FAULT_GARBAGE)) != NULL) {
		len = (size_t)fault->spec.bytes;
		for (size_t i = 0; i < len; i++)
			bytes[i] = (char)bits(strike->faults, fault, strike->conn);
	}
	if ((fault = strikes(strike, FAULT_CUT_JSON)) != NULL)
		len = cut_json(bytes, len, fault->spec.factor, wire);
	if (len > 0 && bytes[len - 1] == '\n' && strikes(strike, FAULT_NO_NEWLINE))
		len--;
	return len;
}

/* ---- the way out ---- */

static void pace(const struct strike *strike, struct unit_fate *fate)
{
	struct unit_fault *fault;

	if ((fault = strikes(strike, FAULT_DELAY)) != NULL)
		fate->delay_ns += time_of(strike, fault);
	if ((fault = strikes(strike, FAULT_COALESCE)) != NULL) {
		fate->delay_ns += time_of(strike, fault);
		fate->coalescing = true;
	}
	if ((fault = strikes(strike, FAULT_SPLIT)) != NULL) {
		fate->pieces = (uint32_t)fault->spec.count;
		fate->gap_ns = time_of(strike, fault);
	}
	if ((fault = strikes(strike, FAULT_BANDWIDTH)) != NULL) {
		fate->piece = (uint32_t)(fault->spec.bytes / 50 > 0 ? fault->spec.bytes / 50 : 1);
		fate->gap_ns = (int64_t)fate->piece * NS_PER_S / fault->spec.bytes;
		fate->delay_ns += fate->gap_ns; /* the first piece takes its time too */
	}
	if ((fault = strikes(strike, FAULT_TRICKLE)) != NULL) {
		fate->piece = (uint32_t)fault->spec.bytes;
		fate->gap_ns = time_of(strike, fault);
	}
}

bool unit_faults_strike(struct unit_faults *faults, enum way way, uint32_t conn, int64_t t_ns,
			struct unit_before *before, char *bytes, size_t *len, enum dialog_wire wire,
			struct unit_fate *ret)
{
	struct strike strike = { faults, ret, way, conn, t_ns };
	struct unit_fault *fault;

	*ret = (struct unit_fate){ .name = NULL };
	*len = change_bytes(&strike, before, bytes, *len, wire);
	if (strikes(&strike, FAULT_SILENT) || strikes(&strike, FAULT_DROP)) {
		ret->dropped = true;
	} else if (strikes(&strike, FAULT_RESET)) {
		ret->dropped = true;
		ret->then = UNIT_RESET;
	} else if (strikes(&strike, FAULT_CLOSE_BEFORE)) {
		ret->dropped = true;
		ret->then = UNIT_CLOSE;
	} else {
		if ((fault = strikes(&strike, FAULT_CLOSE_MIDDLE)) != NULL) {
			*len = (size_t)((double)*len * fault->spec.factor);
			ret->then = UNIT_CLOSE;
		} else {
			ret->twice = strikes(&strike, FAULT_DUPLICATE) != NULL;
		}
		pace(&strike, ret);
	}
	return ret->name != NULL;
}
