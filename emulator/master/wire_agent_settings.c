#include "emulator/master/wire_agent.h"

#include "emulator/base/net.h"
#include "emulator/base/units.h"
#include "emulator/master/wire.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

_Static_assert(sizeof(struct master_agent_options) <= MASTER_WIRE_OPTIONS_BYTES, "it fits");

#define ENTRY(member) offsetof(struct master_agent_entry, member)
static const struct setting entry_settings[] = {
	{ .name = "id",
	  .kind = SETTING_STRING,
	  .offset = ENTRY(id),
	  .required = true,
	  .min = 1,
	  .max = 63,
	  .help = "a target's name, or the beginning of several, then \"*\"" },
	{ .name = "secret",
	  .kind = SETTING_STRING,
	  .offset = ENTRY(secret),
	  .def = "",
	  .max = 255,
	  .help = "what it must say; \"%s\" in it stands for its name" },
	{ .name = "secret_hash",
	  .kind = SETTING_STRING,
	  .offset = ENTRY(secret_hash),
	  .def = "",
	  .max = 64,
	  .help = "instead: the SHA-256 of that, 64 hexadecimal digits" },
	{ .name = "addresses",
	  .kind = SETTING_STRINGS,
	  .offset = ENTRY(addresses),
	  .def = "127.0.0.0/8",
	  .help = "where it may come from: addresses, and ranges as 192.168.1.0/24" },
	{ .name = NULL },
};
static const struct setting_table entry_table = { .title = "an agent that may come",
						  .size = sizeof(struct master_agent_entry),
						  .settings = entry_settings,
						  .origin_offset = ENTRY(origin) };

static const char *const ping_words[] = { "noop", "echo", "target", NULL };

#define AGENT(member) offsetof(struct master_agent_options, member)
static const struct setting settings[] = {
	{ .name = "agents",
	  .kind = SETTING_LIST,
	  .offset = AGENT(agents),
	  .sub = &entry_table,
	  .help = "who may come; of several that fit the first counts" },
	{ .name = "version",
	  .kind = SETTING_STRING,
	  .offset = AGENT(version),
	  .def = "0.3.4",
	  .min = 1,
	  .max = 63,
	  .help = "what it says in its hello" },
	{ .name = "ping_interval",
	  .kind = SETTING_DURATION,
	  .offset = AGENT(ping_interval_ns),
	  .def = "30s",
	  .min = 0,
	  .max = 24 * 3600 * NS_PER_S,
	  .help = "from a pong to the next ping of its own; 0: none" },
	{ .name = "ping_timeout",
	  .kind = SETTING_DURATION,
	  .offset = AGENT(ping_timeout_ns),
	  .def = "5s",
	  .min = NS_PER_MS,
	  .max = 3600 * NS_PER_S,
	  .help = "for a pong; then it closes" },
	{ .name = "ping",
	  .kind = SETTING_WORD,
	  .offset = AGENT(ping),
	  .def = "noop",
	  .words = ping_words,
	  .help = "what a round's ping asks for: noop.Noop and echo.Echo, which real agents know, "
		  "or target.Ping" },
	{ .name = "tls",
	  .kind = SETTING_GROUP,
	  .offset = AGENT(tls),
	  .sub = &tls_settings_table,
	  .help = "certificates; a simulated run goes without TLS" },
	{ .name = NULL },
};
const struct setting_table master_agent_table = { .title = "a master on the wire \"agent\"",
						  .size = sizeof(struct master_agent_options),
						  .settings = settings,
						  .origin_offset = SIZE_MAX };

/* ---- checks ---- */

/* "10.0.0.0/8", "10.0.0.1". */
static bool range_parse(const char *text, uint32_t *ret_ip, uint32_t *ret_mask)
{
	const char *slash = strchr(text, '/');
	size_t len = slash != NULL ? (size_t)(slash - text) : strlen(text);
	unsigned bits = 32;

	if (slash != NULL) {
		if (slash[1] < '0' || slash[1] > '9' || strlen(slash + 1) > 2)
			return false;
		bits = (unsigned)(slash[1] - '0');
		if (slash[2] != '\0')
			bits = bits * 10 + (unsigned)(slash[2] - '0');
		if (bits > 32 || (slash[2] != '\0' && (slash[2] < '0' || slash[2] > '9')))
			return false;
	}
	if (!net_ip_parse(text, len, ret_ip))
		return false;
	*ret_mask = bits == 0 ? 0 : UINT32_MAX << (32 - bits);
	/* As Python's ip_network(): bits beyond the range are a mistake. */
	return (*ret_ip & ~*ret_mask) == 0;
}

static void check_entry(struct settings *of, const struct master_agent_entry *entry)
{
	size_t hash = strlen(entry->secret_hash);
	uint32_t ip, mask;

	if (hash > 0 && (hash != 64 || strspn(entry->secret_hash, "0123456789abcdefABCDEF") != 64))
		settings_error(of, &entry->origin, "secret_hash", "expected 64 hexadecimal digits");
	if ((hash > 0) == (entry->secret[0] != '\0'))
		settings_error(of, &entry->origin, "secret",
			       "expected either secret or secret_hash");
	for (size_t i = 0; i < entry->addresses.count; i++)
		if (!range_parse(entry->addresses.at[i], &ip, &mask))
			settings_error(of, &entry->origin, "addresses",
				       "\"%s\" is no address; expected e.g. \"127.0.0.1\" or "
				       "\"127.0.0.0/8\"",
				       entry->addresses.at[i]);
}

void master_agent_check(struct settings *of, const struct setting_origin *origin, void *pointer)
{
	const struct master_agent_options *options = pointer;
	const struct master_agent_entry *entries = options->agents.at;

	if (options->agents.count == 0)
		settings_error(
			of, origin, "agent",
			"nobody may come: expected agent = { agents = ( { id = \"target_*\"; "
			"secret = \"notasecret\"; } ); }");
	for (size_t i = 0; i < options->agents.count; i++)
		check_entry(of, &entries[i]);
}

/* ---- judging ---- */

static bool id_fits(const char *pattern, const char *id, size_t len)
{
	size_t n = strlen(pattern);

	if (n > 0 && pattern[n - 1] == '*')
		return len >= n - 1 && memcmp(pattern, id, n - 1) == 0;
	return len == n && memcmp(pattern, id, n) == 0;
}

static bool address_fits(const struct master_agent_entry *entry, uint32_t ip)
{
	uint32_t base, mask;

	for (size_t i = 0; i < entry->addresses.count; i++)
		if (range_parse(entry->addresses.at[i], &base, &mask) && (ip & mask) == base)
			return true;
	return false;
}

static void expected_hash(const struct master_agent_entry *entry, const char *id, size_t len,
			  unsigned char hash[TLS_SHA256_BYTES])
{
	const char *mark = strstr(entry->secret, "%s");
	char text[512];

	if (entry->secret_hash[0] != '\0') {
		for (int i = 0; i < TLS_SHA256_BYTES; i++) {
			unsigned byte = 0;
			sscanf(entry->secret_hash + 2 * i, "%2x", &byte);
			hash[i] = (unsigned char)byte;
		}
		return;
	}
	int n = mark == NULL
			? snprintf(text, sizeof(text), "%s", entry->secret)
			: snprintf(text, sizeof(text), "%.*s%.*s%s", (int)(mark - entry->secret),
				   entry->secret, (int)(len < 64 ? len : 64), id, mark + 2);
	tls_sha256(text, n > 0 ? (size_t)n : 0, hash);
}

/* In a time that does not tell how much of it was right. */
static bool same_hash(const unsigned char *a, const unsigned char *b)
{
	unsigned char differs = 0;

	for (int i = 0; i < TLS_SHA256_BYTES; i++)
		differs |= a[i] ^ b[i];
	return differs == 0;
}

const char *master_agent_judge(const struct master_agent_options *options, const char *id,
			       size_t id_len, const char *secret, size_t secret_len, uint32_t ip)
{
	const struct master_agent_entry *entries = options->agents.at;
	unsigned char said[TLS_SHA256_BYTES], expected[TLS_SHA256_BYTES];

	for (size_t i = 0; i < options->agents.count; i++) {
		if (!id_fits(entries[i].id, id, id_len))
			continue;
		if (!address_fits(&entries[i], ip))
			return "an agent from another address";
		tls_sha256(secret, secret_len, said);
		expected_hash(&entries[i], id, id_len, expected);
		return same_hash(said, expected) ? NULL : "an agent with another secret";
	}
	return "an agent that nobody knows";
}
