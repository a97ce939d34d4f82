#include "hil/pico/commands.h"
#include "hil/pico/session.h"

#include <getopt.h>
#include <string.h>

#include "hil/gpio/gpio_list.h"
#include "hil/serial/lock.h"
#include "proto/json/json.h"

static const char help[] =
	"usage: quintain-hil list [--all] [--json]\n"
	"\n"
	"Which serial ports and Picos are plugged in: the port, where it is plugged in, what it\n"
	"is, its serial number, and which program holds it. Then which GPIO chips there are, and\n"
	"the names of their lines; \"quintain-hil lines CHIP\" tells more of each line.\n"
	"\n"
	"  --all       ports that are no USB device as well\n"
	"  --json      one JSON object a line\n"
	"  -h, --help  this text\n";

static void print_one(const struct found *found)
{
	struct serial_holder holder;
	enum pico_usb usb = pico_usb_of(found->vid, found->pid);
	const char *what = found->product[0] != '\0' ? found->product : pico_usb_text(usb);

	printf("%-16s ", found->path[0] != '\0'   ? found->path
			 : found->disk[0] != '\0' ? found->disk
						  : "-");
	if (!found->usb) {
		puts("no USB device");
		return;
	}
	printf("usb:%-10s %04x:%04x %-18s %s", found->usb_path, found->vid, found->pid,
	       found->serial[0] != '\0' ? found->serial : "-", what);
	if (usb != PICO_USB_NONE && what != pico_usb_text(usb))
		printf(" (%s)", pico_usb_text(usb));
	if (found->path[0] != '\0' && serial_holders(found->path, &holder, 1) > 0)
		printf(" - held by pid %d (%s)", (int)holder.pid, holder.program);
	putchar('\n');
}

static void put_member(struct qn_json_writer *writer, const char *name, const char *value)
{
	if (qn_json_written(writer) > 1)
		qn_json_put_literal(writer, ", ");
	qn_json_put_string(writer, name, strlen(name), true);
	qn_json_put_literal(writer, ": ");
	qn_json_put_string(writer, value, strlen(value), true);
}

static void print_json(const struct found *found)
{
	char buf[2048], text[32];
	struct qn_json_writer writer;
	struct serial_holder holder;

	qn_json_writer_init(&writer, buf, sizeof(buf));
	qn_json_put_literal(&writer, "{");
	put_member(&writer, "path", found->path);
	put_member(&writer, "disk", found->disk);
	if (found->usb) {
		put_member(&writer, "usb_path", found->usb_path);
		snprintf(text, sizeof(text), "%04x:%04x", found->vid, found->pid);
		put_member(&writer, "vid_pid", text);
		put_member(&writer, "serial", found->serial);
		put_member(&writer, "product", found->product);
		put_member(&writer, "manufacturer", found->manufacturer);
		put_member(&writer, "pico", pico_usb_text(pico_usb_of(found->vid, found->pid)));
	}
	if (found->path[0] != '\0' && serial_holders(found->path, &holder, 1) > 0) {
		put_member(&writer, "held_by", holder.program);
		snprintf(text, sizeof(text), "%d", (int)holder.pid);
		put_member(&writer, "held_by_pid", text);
	}
	qn_json_put_literal(&writer, "}\n");
	fwrite(buf, 1, qn_json_written(&writer), stdout);
}

static int list_ports(bool all, bool json)
{
	static struct found found[FIND_MAX];
	size_t n = 0, shown = 0;
	int rc = find_all(NULL, found, FIND_MAX, &n);

	if (rc < 0)
		return session_trouble("list", "/sys: %s", strerror(-rc));
	for (size_t i = 0; i < n; i++)
		if (found[i].usb || all) {
			if (json)
				print_json(&found[i]);
			else
				print_one(&found[i]);
			shown++;
		}
	if (shown == 0 && !json)
		fputs("quintain-hil list: no port\n", stderr);
	return SESSION_OK;
}

static int list_chips(bool json)
{
	struct gpio_fault fault = { .text = "" };
	struct gpio gpio;
	size_t n = 0;

	gpio_init(&gpio);
	if (gpio_list(&gpio, json, stdout, &n, &fault) < 0)
		return session_trouble("list", "%s", fault.text);
	if (n == 0 && !json)
		fputs("quintain-hil list: no GPIO chip\n", stderr);
	return SESSION_OK;
}

int cmd_list(int argc, char **argv)
{
	static const struct option options[] = { { "all", no_argument, NULL, 'a' },
						 { "json", no_argument, NULL, 'j' },
						 { "help", no_argument, NULL, 'h' },
						 { NULL, 0, NULL, 0 } };
	bool all = false, json = false;
	int c;

	while ((c = getopt_long(argc, argv, "h", options, NULL)) != -1)
		switch (c) {
		case 'a': all = true; break;
		case 'j': json = true; break;
		case 'h': fputs(help, stdout); return SESSION_OK;
		default: return session_usage("list", "unknown option");
		}
	if (optind != argc)
		return session_usage("list", "takes no argument");
	int rc = list_ports(all, json);
	return rc != SESSION_OK ? rc : list_chips(json);
}
