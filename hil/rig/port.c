#include "hil/rig/rig.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* The port of a board: its console, and that it goes and comes. */

#define FIRST_NS (5 * NS_PER_S) /* for a port that should be there */
#define BACK_NS (60 * NS_PER_S) /* for one that went */

static void heard_line(void *owner, const struct console_line *line)
{
	struct station *station = owner;

	record_event(station->rig->record, TIMELINE_CONSOLE, station->channel_console,
		     line->last.read_ns, 0, line->text, line->len);
	checks_line(station, line);
	rig_tell(station, (struct rig_event){
				  .kind = RIG_CONSOLE, .t_ns = line->last.read_ns, .line = line });
}

static void port_back(void *owner, const struct board_result *result);

static void look_for_it(struct station *station, int64_t within_ns)
{
	int rc = board_wait_back(station->board, within_ns, port_back, station);

	if (rc < 0)
		rig_tell(station, (struct rig_event){
					  .kind = RIG_PORT, .error = rc, .text = strerror(-rc) });
}

static void port_gone(void *owner, int error)
{
	struct station *station = owner;

	station->port_open = false;
	station->port_gone_ns = station->rig->loop->now_ns;
	if (station->rig->closing)
		return;
	checks_port_gone(station, error);
	rig_tell(station, (struct rig_event){ .kind = RIG_PORT,
					      .error = error != 0 ? error : -EPIPE,
					      .text = strerror(-error) });
	look_for_it(station, BACK_NS);
}

static void remember_path(struct station *station)
{
	struct serial_port *port = board_port(station->board);
	struct found found;
	const char *path = port != NULL ? serial_port_path(port) : station->port_path;

	if (board_found(station->board, &found) && found.path[0] != '\0')
		path = found.path;

	if (station->port_path[0] != '\0' && strcmp(station->port_path, path) != 0)
		checks_port_back(station, path, station->rig->loop->now_ns - station->port_gone_ns);
	snprintf(station->port_path, sizeof(station->port_path), "%s", path);
}

static void port_back(void *owner, const struct board_result *result)
{
	struct station *station = owner;

	if (station->rig->closing)
		return;
	station->port_open = result->status == BOARD_OK;
	snprintf(station->port_trouble, sizeof(station->port_trouble), "%s",
		 station->port_open ? "" : result->text);
	if (station->port_open)
		remember_path(station);
	rig_tell(station, (struct rig_event){ .kind = RIG_PORT,
					      .error = station->port_open ? 0 : -ENODEV,
					      .text = result->text });
}

static bool has_port(const struct bench_board *config)
{
	return config->serial[0] != '\0' || config->port[0] != '\0' || config->usb_path[0] != '\0';
}

int station_open_port(struct station *station, struct rig_fault *fault)
{
	const struct bench_board *config = station->config;
	char spec[96];

	if (!has_port(config))
		return 0;
	if (config->port[0] != '\0')
		snprintf(spec, sizeof(spec), "%s", config->port);
	else if (config->serial[0] != '\0')
		snprintf(spec, sizeof(spec), "serial:%s", config->serial);
	else
		snprintf(spec, sizeof(spec), "usb:%s", config->usb_path);
	struct board_options options = {
		.port = spec,
		.usb_path = config->usb_path[0] != '\0' ? config->usb_path : NULL,
		.gone = port_gone,
		.owner = station,
	};
	int rc = board_new(station->rig->loop, station->rig->hotplug, &options, &station->board);
	if (rc == 0) {
		console_on_line(board_console(station->board), heard_line, station);
		rc = board_open(station->board, FIRST_NS, port_back, station);
	}
	if (rc < 0)
		snprintf(fault->text, sizeof(fault->text), "%s, port %s: %s", config->name, spec,
			 strerror(-rc));
	return rc;
}

void station_close_port(struct station *station)
{
	board_free(station->board);
	station->board = NULL;
	station->port_open = false;
}
