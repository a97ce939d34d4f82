#include "emulator/cli/compare.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <net/if.h>
#include <sched.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

/* Gives the sides their turns, counts, and tells. */

#define OVERRIDES_MAX 1024
#define OVERRIDE_LEN 96

/* One wire: its two processes, and what their passes came to. */
struct wire_run {
	enum wire_id wire;
	uint16_t port;
	struct compare_side master, fleet;
	double of_pass[COMPARE_MEASURE_COUNT][COMPARE_PASSES_MAX];
};

struct run {
	const struct compare_options *options;
	struct emu_config config; /* as it was written, for what both wires share */
	struct settings *settings;
	struct compare result;
	struct wire_run wires[2];
	bool own_network;
	char overrides[2][OVERRIDES_MAX][OVERRIDE_LEN];
	const char *all[2][OVERRIDES_MAX + 64];
	struct app_options app[2];
};

bool compare_parse_wires(const char *text, enum wire_id wires[2])
{
	const char *comma = strchr(text, ',');
	int found = 0;

	if (comma == NULL)
		return false;
	for (int i = 0; wire_names[i] != NULL; i++) {
		if (strlen(wire_names[i]) == (size_t)(comma - text) &&
		    memcmp(wire_names[i], text, (size_t)(comma - text)) == 0) {
			wires[0] = (enum wire_id)i;
			found |= 1;
		}
		if (strcmp(wire_names[i], comma + 1) == 0) {
			wires[1] = (enum wire_id)i;
			found |= 2;
		}
	}
	return found == 3 && wires[0] != wires[1];
}

/* ---- a network of our own ---- */

struct counters {
	uint64_t bytes, packets;
};

/* What came in by `lo`, which is all that went out by it. */
static bool read_counters(struct counters *ret)
{
	FILE *dev = fopen("/proc/thread-self/net/dev", "re");
	unsigned long long bytes, packets;
	bool found = false;
	char line[512];

	if (dev == NULL)
		return false;
	while (!found && fgets(line, sizeof(line), dev) != NULL)
		found = sscanf(line, " lo: %llu %llu", &bytes, &packets) == 2;
	fclose(dev);
	if (found)
		*ret = (struct counters){ bytes, packets };
	return found;
}

static bool only_loopback(const struct emu_config *config)
{
	if (config->master.options.listen.at.ip >> 24 != 127)
		return false;
	for (uint32_t i = 0; i < config->fleet.targets; i++)
		if (config->fleet.ips[i] >> 24 != 127)
			return false;
	return true;
}

static bool loopback_up(void)
{
	struct ifreq request = { .ifr_name = "lo" };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool up = fd >= 0 && ioctl(fd, SIOCGIFFLAGS, &request) == 0;

	request.ifr_flags |= IFF_UP | IFF_RUNNING;
	up = up && ioctl(fd, SIOCSIFFLAGS, &request) == 0;
	if (fd >= 0)
		close(fd);
	return up;
}

/* Who may not make a network may as the root of a user namespace of his own (Debian's default). */
static void enter_own_network(struct run *run)
{
	if (!only_loopback(&run->config)) {
		run->result.note = "bytes and packets on the wire are counted on loopback "
				   "addresses alone";
		return;
	}
	if (unshare(CLONE_NEWNET) < 0 && unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0) {
		run->result.note = "bytes and packets on the wire: this machine allows no network "
				   "namespace to count them in";
		return;
	}
	run->own_network = loopback_up();
}

/* ---- configs of the two ---- */

static void add(struct run *run, int w, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
static void add(struct run *run, int w, const char *format, ...)
{
	struct app_options *app = &run->app[w];
	va_list args;

	if (app->n_overrides == OVERRIDES_MAX)
		return;
	char *text = run->overrides[w][app->n_overrides];
	va_start(args, format);
	vsnprintf(text, OVERRIDE_LEN, format, args);
	va_end(args);
	run->all[w][app->n_overrides++] = text;
}

/* Everybody on that wire, on ports of its own. */
static void write_overrides(struct run *run, int w)
{
	const struct group_config *groups = run->config.fleet.groups.at;
	const struct app_options *base = run->options->app;
	enum wire_id wire = run->options->wires[w];
	bool tells_hits = target_wire(wire)->report_hit != NULL;

	run->app[w] = *base;
	run->app[w].n_overrides = 0;
	run->app[w].out_dir = run->app[w].log_path = NULL;
	for (size_t i = 0; i < base->n_overrides; i++)
		run->all[w][run->app[w].n_overrides++] = base->overrides[i];
	run->wires[w].wire = wire;
	run->wires[w].port = run->config.master.listen.has_port
				     ? (uint16_t)(run->config.master.listen.port + w)
				     : wire_port(wire);
	add(run, w, "master.wire=%s", wire_names[wire]);
	add(run, w, "master.listen.port=%u", run->wires[w].port);
	add(run, w, "fleet.master.port=%u", run->wires[w].port);
	add(run, w, "master.target_port=0");
	add(run, w, "fleet.port=0");
	add(run, w, "master.forget_failed=false");
	for (size_t i = 0; i < run->config.fleet.groups.count; i++) {
		add(run, w, "fleet.groups[%zu].wire=%s", i, wire_names[wire]);
		add(run, w, "fleet.groups[%zu].port=0", i);
		add(run, w, "fleet.groups[%zu].master_port=0", i);
		if (groups[i].hit.report == TARGET_REPORT_WIRE && !tells_hits)
			add(run, w, "fleet.groups[%zu].hit.report=none", i);
	}
	run->app[w].overrides = run->all[w];
}

static enum exit_code load(struct run *run)
{
	const struct app_options *app = run->options->app;

	run->settings = emu_config_load(app->config_path, app->overrides, app->n_overrides,
					&run->config);
	size_t errors = settings_errors(run->settings);
	for (size_t i = 0; i < errors; i++)
		fprintf(stderr, "%s\n", settings_error_text(run->settings, i));
	if (errors > 0)
		return EXIT_USAGE;
	const struct emu_config *config = &run->config;
	if (!config->fleet.present || !config->master.present || config->master.rounds.count == 0 ||
	    config->master.repeat == 0) {
		complain("compare needs a fleet and a master with rounds that end");
		return EXIT_USAGE;
	}
	if (config->master.listeners.count > 0) {
		complain("compare needs a master with one port: it chooses the wire itself");
		return EXIT_USAGE;
	}
	if (config->fleet.groups.count * 4 + app->n_overrides + 8 > OVERRIDES_MAX) {
		complain("compare: too many groups");
		return EXIT_USAGE;
	}
	run->result.title = config->title[0] != '\0' ? config->title : "Two wires side by side";
	run->result.config = app->config_path;
	run->result.targets = config->fleet.targets;
	run->result.passes = run->options->passes;
	return EXIT_AS_ASKED;
}

/* ---- measuring ---- */

static bool start_wire(struct run *run, int w)
{
	struct wire_run *wire = &run->wires[w];
	struct compare_wire *result = &run->result.wire[w];
	struct counters before, after;
	double targets = run->config.fleet.targets;

	result->name = wire_names[wire->wire];
	if (compare_side_start(&wire->master, &run->app[w], false) < 0 ||
	    !compare_side_wait(&wire->master))
		return false;
	bool counted = run->own_network && read_counters(&before);
	if (compare_side_start(&wire->fleet, &run->app[w], true) < 0 ||
	    !compare_side_wait(&wire->fleet))
		return false;
	counted = counted && read_counters(&after);
	wire->of_pass[COMPARE_REGISTER_BYTES][0] =
		counted ? (double)(after.bytes - before.bytes) / targets : NAN;
	wire->of_pass[COMPARE_REGISTER_PACKETS][0] =
		counted ? (double)(after.packets - before.packets) / targets : NAN;
	return true;
}

struct usage {
	struct compare_usage master, fleet;
	struct counters counters;
};

static bool read_usage(struct run *run, struct wire_run *wire, struct usage *ret)
{
	if (!compare_side_order(&wire->fleet, SIDE_USAGE) ||
	    !compare_side_order(&wire->master, SIDE_USAGE))
		return false;
	ret->master = wire->master.share->usage;
	ret->fleet = wire->fleet.share->usage;
	return !run->own_network || read_counters(&ret->counters);
}

/* What one pass came to, a command. */
static void note_pass(struct run *run, int w, unsigned pass, const struct usage *a,
		      const struct usage *b)
{
	struct wire_run *wire = &run->wires[w];
	struct compare_wire *result = &run->result.wire[w];
	const struct compare_pass *p = &wire->master.share->pass;
	double n = p->ok > 0 ? (double)p->ok : NAN;
	double of[COMPARE_MEASURE_COUNT] = {
		[COMPARE_P50] = (double)p->p50_ns / 1e3,
		[COMPARE_P99] = (double)p->p99_ns / 1e3,
		[COMPARE_P999] = (double)p->p999_ns / 1e3,
		[COMPARE_RATE] = (double)p->ok / ((double)p->wall_ns / 1e9),
		[COMPARE_PAYLOAD] = (double)(b->master.payload_bytes - a->master.payload_bytes +
					     b->fleet.payload_bytes - a->fleet.payload_bytes) /
				    n,
		[COMPARE_CONNECTIONS] = (double)(b->master.connected - a->master.connected +
						 b->fleet.connected - a->fleet.connected) *
					1000 / n,
		[COMPARE_CPU_FLEET] = (double)(b->fleet.cpu_ns - a->fleet.cpu_ns) / 1e3 / n,
		[COMPARE_CPU_MASTER] = (double)(b->master.cpu_ns - a->master.cpu_ns) / 1e3 / n,
		[COMPARE_MEMORY_FLEET] = (double)b->fleet.memory_bytes / 1024,
		[COMPARE_MEMORY_MASTER] = (double)b->master.memory_bytes / 1024,
		[COMPARE_BYTES] = NAN,
		[COMPARE_PACKETS] = NAN,
	};

	if (run->own_network) {
		of[COMPARE_BYTES] = (double)(b->counters.bytes - a->counters.bytes) / n;
		of[COMPARE_PACKETS] = (double)(b->counters.packets - a->counters.packets) / n;
	}
	for (int m = 0; m < COMPARE_REGISTER_BYTES; m++)
		wire->of_pass[m][pass] = of[m];
	result->pass_p50_us[pass] = of[COMPARE_P50];
	result->pass_p99_us[pass] = of[COMPARE_P99];
	result->sent += p->sent;
	result->ok += p->ok;
	result->failed += p->failed;
	result->lost += p->lost;
}

static bool play_pass(struct run *run, int w, unsigned pass)
{
	struct wire_run *wire = &run->wires[w];
	struct usage before, after;

	if (!read_usage(run, wire, &before) || !compare_side_order(&wire->master, SIDE_PASS) ||
	    !read_usage(run, wire, &after))
		return false;
	note_pass(run, w, pass, &before, &after);
	return true;
}

/* A B, B A, A B ...: what changes slowly on the machine meets both alike. */
static bool play_all(struct run *run)
{
	for (int w = 0; w < 2; w++)
		if (!compare_side_order(&run->wires[w].master, SIDE_PASS) ||
		    !compare_side_order(&run->wires[w].master, SIDE_FORGET))
			return false;
	for (unsigned pass = 0; pass < run->options->passes; pass++) {
		int first = (int)(pass % 2);
		if (!play_pass(run, first, pass) || !play_pass(run, 1 - first, pass))
			return false;
		if (!run->options->app->quiet)
			fprintf(stderr, "pass %u of %u\n", pass + 1, run->options->passes);
	}
	return true;
}

static bool sum_up(struct run *run)
{
	struct wire_run *wires = run->wires;

	for (int w = 0; w < 2; w++) {
		if (!compare_side_order(&wires[w].master, SIDE_CURVE))
			return false;
		memcpy(run->result.wire[w].curve, wires[w].master.share->curve,
		       sizeof(run->result.wire[w].curve));
	}
	for (int m = 0; m < COMPARE_MEASURE_COUNT; m++) {
		/* Targets register once. */
		bool once = m == COMPARE_REGISTER_BYTES || m == COMPARE_REGISTER_PACKETS;
		compare_of_passes(&run->result, (enum compare_measure)m, wires[0].of_pass[m],
				  wires[1].of_pass[m], once ? 1 : run->options->passes);
	}
	return true;
}

/* ---- telling ---- */

static int write_file(const char *dir, const char *name,
		      void (*write)(const struct compare *, FILE *), const struct compare *result)
{
	char path[4096];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	FILE *out = fopen(path, "we");
	if (out == NULL)
		return -errno;
	write(result, out);
	bool bad = ferror(out) != 0;
	return fclose(out) != 0 || bad ? (errno != 0 ? -errno : -EIO) : 0;
}

static enum exit_code tell(struct run *run)
{
	const struct app_options *app = run->options->app;
	const struct compare *result = &run->result;

	if (app->out_dir != NULL) {
		int rc = mkdir(app->out_dir, 0777) < 0 && errno != EEXIST ? -errno : 0;
		if (rc == 0)
			rc = write_file(app->out_dir, "report.html", compare_page, result);
		if (rc == 0)
			rc = write_file(app->out_dir, "compare.json", compare_json, result);
		if (rc < 0) {
			complain("--out %s: %s", app->out_dir, strerror(-rc));
			return EXIT_ENVIRONMENT;
		}
	}
	if (!app->quiet)
		compare_print(result, isatty(STDOUT_FILENO) && getenv("NO_COLOR") == NULL, stdout);
	if (app->json)
		compare_json(result, stdout);
	return result->wire[0].ok == result->wire[0].sent &&
			       result->wire[1].ok == result->wire[1].sent
		       ? EXIT_AS_ASKED
		       : EXIT_TEST_FAILED;
}

enum exit_code compare_run(const struct compare_options *options)
{
	struct run *run = calloc(1, sizeof(*run));

	if (run == NULL)
		return EXIT_ENVIRONMENT;
	run->options = options;
	run->wires[0].master.fd = run->wires[0].fleet.fd = -1;
	run->wires[1].master.fd = run->wires[1].fleet.fd = -1;
	enum exit_code code = load(run);
	if (code != EXIT_AS_ASKED)
		goto out;
	enter_own_network(run);
	code = EXIT_ENVIRONMENT;
	for (int w = 0; w < 2; w++) {
		write_overrides(run, w);
		if (!start_wire(run, w)) {
			complain("compare: %s does not come up", wire_names[options->wires[w]]);
			goto out;
		}
	}
	if (play_all(run) && sum_up(run))
		code = tell(run);
	else
		complain("compare: a side has ended or says nothing");
out:
	for (int w = 0; w < 2; w++) {
		compare_side_stop(&run->wires[w].fleet);
		compare_side_stop(&run->wires[w].master);
	}
	settings_free(run->settings);
	free(run);
	return code;
}
