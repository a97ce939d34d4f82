#include "hil/rig/bench.h"

#include "emulator/base/units.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

const char *const bench_role_names[BENCH_ROLES + 1] = {
	[BENCH_SERVO] = "servo", [BENCH_UP] = "up",   [BENCH_DOWN] = "down",
	[BENCH_HIT] = "hit",     [BENCH_RUN] = "run", [BENCH_BOOTSEL] = "bootsel",
	[BENCH_POWER] = "power",
};

static const char line_expected[] =
	"expected [CHIP:]LINE and words out of active_low, active_high, open_drain, push_pull, "
	"pull_up, pull_down, e.g. \"gpiochip0:17 active_low pull_up\"";

static bool line_word(const char *word, size_t len, struct bench_line *line)
{
	static const struct {
		const char *name;
		size_t offset;
		bool value;
	} words[] = {
		{ "active_low", offsetof(struct bench_line, active_low), true },
		{ "active_high", offsetof(struct bench_line, active_low), false },
		{ "open_drain", offsetof(struct bench_line, open_drain), true },
		{ "push_pull", offsetof(struct bench_line, open_drain), false },
		{ "pull_up", offsetof(struct bench_line, pull_up), true },
		{ "pull_down", offsetof(struct bench_line, pull_down), true },
	};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (strlen(words[i].name) != len || memcmp(words[i].name, word, len) != 0)
			continue;
		*(bool *)((char *)line + words[i].offset) = words[i].value;
		return true;
	}
	return false;
}

/* Where it is: "chip:line", "line". */
static bool line_place(const char *text, size_t len, struct bench_line *line)
{
	const char *colon = memchr(text, ':', len);
	size_t chip = colon != NULL ? (size_t)(colon - text) : 0;
	size_t rest = colon != NULL ? len - chip - 1 : len;
	const char *name = colon != NULL ? colon + 1 : text;

	if (rest == 0 || rest >= sizeof(line->line) || chip >= sizeof(line->chip) ||
	    (colon != NULL && chip == 0) || memchr(name, ':', rest) != NULL)
		return false;
	memcpy(line->chip, text, chip);
	line->chip[chip] = '\0';
	memcpy(line->line, name, rest);
	line->line[rest] = '\0';
	return true;
}

/* The words add to what the line was: a role's own defaults stay where nothing is said. */
bool bench_line_parse(const char *text, struct bench_line *ret, const char **expected)
{
	struct bench_line line = *ret;
	bool placed = false;

	*expected = line_expected;
	for (const char *at = text;;) {
		at += strspn(at, " \t");
		size_t len = strcspn(at, " \t");
		if (len == 0)
			break;
		if (!placed ? !line_place(at, len, &line) : !line_word(at, len, &line))
			return false;
		placed = true;
		at += len;
	}
	if (!placed || (line.pull_up && line.pull_down))
		return false;
	line.present = true;
	*ret = line;
	return true;
}

int bench_find_board(const struct bench *bench, const char *name)
{
	for (size_t i = 0; i < bench->boards.count; i++)
		if (strcmp(bench_board_at(bench, i)->name, name) == 0)
			return (int)i;
	for (size_t i = 0; i < bench->boards.count; i++) {
		const struct bench_board *board = bench_board_at(bench, i);
		if (strcmp(board->target_id, name) == 0 ||
		    (board->serial[0] != '\0' && strcasecmp(board->serial, name) == 0))
			return (int)i;
	}
	return -1;
}

const char *bench_line_chip(const struct bench *bench, const struct bench_board *board,
			    const struct bench_line *line)
{
	if (line->chip[0] != '\0')
		return line->chip;
	if (board != NULL && board->chip[0] != '\0')
		return board->chip;
	return bench->chip[0] != '\0' ? bench->chip : NULL;
}

const char *bench_line_text(const struct bench *bench, const struct bench_board *board,
			    const struct bench_line *line, char *buf, size_t cap)
{
	const char *chip = bench_line_chip(bench, board, line);

	snprintf(buf, cap, "%s%s%s", chip != NULL ? chip : "", chip != NULL ? ":" : "", line->line);
	return buf;
}

/* ---- what does not fit together ---- */

static void check_address(struct settings *settings, const struct setting_origin *origin,
			  const char *setting, const char *text, uint32_t *ret)
{
	if (!net_ip_parse(text, strlen(text), ret))
		settings_error(settings, origin, setting,
			       "\"%.60s\" is no IPv4 address; expected e.g. \"192.168.4.16\"",
			       text);
}

static void check_pair(struct settings *settings, const struct bench_board *a,
		       const struct bench_board *b)
{
	struct {
		const char *setting, *a, *b;
	} same[] = {
		{ "name", a->name, b->name },
		{ "serial", a->serial, b->serial },
		{ "port", a->port, b->port },
		{ "usb_path", a->usb_path, b->usb_path },
		{ "address", a->address, b->address },
		{ "target_id", a->target_id, b->target_id },
		{ "proxy_address", a->proxy_address, b->proxy_address },
	};

	for (size_t i = 0; i < sizeof(same) / sizeof(same[0]); i++)
		if (same[i].b[0] != '\0' && strcasecmp(same[i].a, same[i].b) == 0)
			settings_error(settings, &b->origin, same[i].setting,
				       "\"%.60s\" is that of board \"%.40s\" already", same[i].b,
				       a->name);
}

/* One line of this machine can be one thing only. */
static void check_lines(struct settings *settings, const struct bench *bench, size_t board)
{
	const struct bench_board *b = bench_board_at(bench, board);
	char text[160], other[160];

	for (size_t j = 0; j <= board; j++) {
		const struct bench_board *a = bench_board_at(bench, j);
		for (int rb = 0; rb < BENCH_ROLES; rb++) {
			if (!b->lines.at[rb].present)
				continue;
			bench_line_text(bench, b, &b->lines.at[rb], text, sizeof(text));
			for (int ra = 0; ra < (j == board ? rb : BENCH_ROLES); ra++) {
				if (!a->lines.at[ra].present)
					continue;
				bench_line_text(bench, a, &a->lines.at[ra], other, sizeof(other));
				if (strcmp(text, other) == 0)
					settings_error(settings, &b->origin, "lines",
						       "%s: %s is \"%s\" of board \"%.40s\" "
						       "already",
						       bench_role_names[rb], text,
						       bench_role_names[ra], a->name);
			}
		}
	}
}

static void check_board(struct settings *settings, struct bench *bench, size_t i)
{
	struct bench_board *board = bench_board_at(bench, i);

	if (board->address[0] != '\0')
		check_address(settings, &board->origin, "address", board->address, &board->ip);
	if (board->proxy_address[0] != '\0')
		check_address(settings, &board->origin, "proxy_address", board->proxy_address,
			      &board->proxy_ip);
	else if (bench->master.kind == BENCH_MASTER_PROXY)
		settings_error(settings, &board->origin, "proxy_address",
			       "is missing: the real master knows a target by its address, so "
			       "each board needs one of this host to be spoken for from");
	if (strlen(board->target_id) > 63)
		settings_error(settings, &board->origin, "target_id", "is longer than 63 bytes");
	for (size_t j = 0; j < i; j++)
		check_pair(settings, bench_board_at(bench, j), board);
	check_lines(settings, bench, i);
}

void bench_check(struct settings *settings, struct bench *bench)
{
	struct bench_master *master = &bench->master;

	if (!bench->present)
		return;
	check_address(settings, &master->origin, "listen", master->listen.host,
		      &master->listen_at.ip);
	master->listen_at.port = (uint16_t)master->listen.port;
	if (master->kind == BENCH_MASTER_PROXY)
		check_address(settings, &master->origin, "real", master->real.host,
			      &master->real_at.ip);
	master->real_at.port = (uint16_t)master->real.port;
	for (size_t i = 0; i < bench->boards.count; i++)
		check_board(settings, bench, i);
	if (bench->calibration.output.present != bench->calibration.input.present)
		settings_error(settings, &bench->calibration.origin, NULL,
			       "an output needs an input that it is joined to, and the other way "
			       "round");
	if (bench->servo.up_ns == bench->servo.down_ns)
		settings_error(settings, &bench->origin, "servo",
			       "up and down are the same width: nothing could be told from them");
}

struct settings *bench_load(const char *path, const char *const *overrides, size_t n_overrides,
			    struct bench_file *ret)
{
	struct settings *settings = settings_load(path, overrides, n_overrides, &bench_file_table,
						  ret);

	if (settings_errors(settings) == 0)
		bench_check(settings, &ret->bench);
	return settings;
}
