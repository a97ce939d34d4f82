#include "hil/rig/doctor.h"

#include "emulator/base/ports.h"
#include "hil/gpio/gpio.h"
#include "hil/rig/calibrate.h"
#include "hil/rig/lock.h"
#include "hil/serial/find.h"
#include "hil/serial/lock.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* The machine against a bench: its lines, ports and addresses, and who has them. */

static void look_at_line(struct doctor *doctor, const struct gpio *gpio,
			 const struct bench_board *board, int role)
{
	const struct bench_line *config = &board->lines.at[role];
	struct gpio_chip_info chip;
	struct gpio_line_info line;
	struct gpio_fault fault;
	char name[120];

	snprintf(name, sizeof(name), "%s, line %s", board->name, bench_role_names[role]);
	if (gpio_find(gpio, bench_line_chip(doctor->bench, board, config), config->line, &chip,
		      &line, &fault) < 0)
		doctor_say(doctor, DOCTOR_BAD, name,
			   "quintain-hil lines CHIP lists what there is; correct the bench", "%s",
			   fault.text);
	else if (line.used)
		doctor_say(doctor, DOCTOR_BAD, name, "end that program, or take another line",
			   "%s of %s is in use by %s", config->line, chip.label,
			   line.consumer[0] != '\0' ? line.consumer : "somebody");
}

static void look_at_port(struct doctor *doctor, const struct bench_board *board)
{
	struct find_match match = { .serial = board->serial[0] != '\0' ? board->serial : NULL,
				    .usb_path = board->usb_path[0] != '\0' ? board->usb_path
									   : NULL };
	struct found found;
	char name[120], holder[200];
	const char *path = board->port;

	snprintf(name, sizeof(name), "%s, port", board->name);
	if (path[0] == '\0') {
		if (match.serial == NULL && match.usb_path == NULL)
			return;
		int rc = find_one(NULL, &match, &found);
		if (rc < 0 && rc != -EEXIST) {
			match.usb_path = NULL;
			bool elsewhere = match.serial != NULL &&
					 find_one(NULL, &match, &found) == 0;
			doctor_say(doctor, DOCTOR_BAD, name,
				   elsewhere ? "plug it into its own socket, or correct usb_path"
					     : "plug it in; quintain-hil list shows what there is",
				   elsewhere
					   ? "%s is plugged in at usb:%s, not where the bench says"
					   : "no USB device %s%s",
				   board->serial[0] != '\0' ? board->serial : board->usb_path,
				   elsewhere ? found.usb_path : "");
			return;
		}
		if (found.path[0] == '\0') {
			doctor_say(doctor, DOCTOR_BAD, name,
				   "flash MicroPython onto it, or let go of BOOTSEL and reset it",
				   "it has no serial port: it is in its boot loader");
			return;
		}
		path = found.path;
	}
	if (path[0] == '/' && access(path, R_OK | W_OK) < 0)
		doctor_say(doctor, DOCTOR_BAD, name, "sudo quintain-hil doctor --write-rules",
			   "%s: %s", path, strerror(errno));
	struct serial_holder holders[1];
	if (path[0] == '/' && serial_holders(path, holders, 1) > 0) {
		serial_holders_text(path, holder, sizeof(holder));
		doctor_say(doctor, DOCTOR_BAD, name, "end that program", "%s is %s", path, holder);
	}
}

static void look_at_address(struct doctor *doctor, const char *name, struct net_addr at)
{
	struct port_holder holder;
	char text[200], where[24];
	int rc = port_try(at);

	if (rc == 0)
		return;
	if (rc == -EADDRINUSE && port_find_holder(at, &holder))
		doctor_say(doctor, DOCTOR_BAD, name, "end that program", "%s",
			   port_holder_text(at, &holder, text, sizeof(text)));
	else
		doctor_say(doctor, DOCTOR_BAD, name,
			   rc == -EADDRNOTAVAIL ? "sudo ip address add ADDRESS/24 dev INTERFACE"
						: "see docs/BENCH.md",
			   "%s: %s", net_addr_text(at, where, sizeof(where)), strerror(-rc));
}

static void look_at_calibration(struct doctor *doctor)
{
	struct calibration calibration;
	struct timespec now;
	char path[4096];

	clock_gettime(CLOCK_REALTIME, &now);
	if (!calibration_path(doctor->bench, path, sizeof(path)))
		return;
	int rc = calibration_load(path, doctor->bench, &calibration);
	int64_t age_ns = (int64_t)now.tv_sec * INT64_C(1000000000) - calibration.wall_ns;
	if (rc < 0)
		doctor_say(doctor, DOCTOR_ODD, "calibration", "quintain-hil calibrate --bench FILE",
			   "none is stored (%s: %s)", path, strerror(-rc));
	else if (age_ns > doctor->bench->calibration.max_age_ns)
		doctor_say(doctor, DOCTOR_ODD, "calibration", "quintain-hil calibrate --bench FILE",
			   "%s is %lld days old", path,
			   (long long)(age_ns / (INT64_C(86400) * 1000000000)));
	else
		doctor_say(doctor, DOCTOR_FINE, "calibration", "", "%s: edges within %.1f us", path,
			   3 * (double)latency_sigma(&calibration.edge) / 1e3);
}

void doctor_look_at_bench(struct doctor *doctor)
{
	const struct bench *bench = doctor->bench;
	enum doctor_state before = doctor->worst;
	struct gpio gpio;
	char holder[300];

	gpio_init(&gpio);
	if (bench_lock_holder(bench, holder, sizeof(holder)))
		doctor_say(doctor, DOCTOR_ODD, "lock", "wait for it, or end it", "in use: %s",
			   holder);
	doctor->worst = DOCTOR_FINE;
	look_at_address(doctor, "master", bench->master.listen_at);
	for (size_t i = 0; i < bench->boards.count; i++) {
		const struct bench_board *board = bench_board_at(bench, i);
		for (int role = 0; role < BENCH_ROLES; role++)
			if (board->lines.at[role].present)
				look_at_line(doctor, &gpio, board, role);
		look_at_port(doctor, board);
		if (bench->master.kind == BENCH_MASTER_PROXY) {
			struct net_addr at = { board->proxy_ip, bench->master.real_at.port };
			look_at_address(doctor, "proxy address", at);
		}
	}
	if (doctor->worst == DOCTOR_FINE)
		doctor_say(doctor, DOCTOR_FINE, "bench", "",
			   "%s: all lines, ports and addresses of %zu boards are there and free",
			   bench->name, bench->boards.count);
	if (before > doctor->worst)
		doctor->worst = before;
	look_at_calibration(doctor);
}
