#include "hil/cli/cmd.h"
#include "hil/gpio/gpio.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Chips and lines of this machine. */

static const char help[] =
	"usage: quintain-hil lines [options] [CHIP]\n"
	"\n"
	"GPIO chips, or the lines of one: their names, who uses them and how. With --used or\n"
	"--named and no CHIP: those lines of all chips.\n"
	"\n"
	"  --used       only lines that somebody uses\n"
	"  --named      only lines that have a name\n"
	"  -h, --help   this text\n";

static int list_lines(const struct gpio *gpio, const char *chip, bool used, bool named)
{
	struct gpio_chip_info info;
	struct gpio_line_info *lines;
	struct gpio_fault fault;
	size_t n;

	if (gpio_lines(gpio, chip, &info, &lines, &n, &fault) < 0)
		return cmd_trouble("lines", "%s", fault.text);
	printf("%s %s, %u lines\n", info.name, info.label, info.lines);
	for (size_t i = 0; i < n; i++) {
		const struct gpio_line_info *line = &lines[i];
		if ((used && !line->used) || (named && line->name[0] == '\0'))
			continue;
		printf("  %3u  %-20s %-6s%s%s%s%s\n", line->offset,
		       line->name[0] != '\0' ? line->name : "-", line->output ? "output" : "input",
		       line->active_low ? " active-low" : "", line->open_drain ? " open-drain" : "",
		       line->used ? "  used by " : "",
		       !line->used                 ? ""
		       : line->consumer[0] != '\0' ? line->consumer
						   : "somebody");
	}
	free(lines);
	return HIL_EXIT_OK;
}

static int list_chips(const struct gpio *gpio, bool used, bool named)
{
	struct gpio_chip_info *chips;
	struct gpio_fault fault;
	size_t n;

	if (gpio_chips(gpio, &chips, &n, &fault) < 0)
		return cmd_trouble("lines", "%s", fault.text);
	for (size_t i = 0; i < n; i++)
		if (chips[i].error < 0)
			printf("%-12s %s\n", chips[i].path, strerror(-chips[i].error));
		else if (used || named)
			list_lines(gpio, chips[i].path, used, named);
		else
			printf("%-12s %-24s %u lines\n", chips[i].name, chips[i].label,
			       chips[i].lines);
	if (n == 0)
		fputs("quintain-hil lines: no GPIO chip: not on this machine, or no access to "
		      "/dev/gpiochip*\n",
		      stderr);
	free(chips);
	return HIL_EXIT_OK;
}

int cmd_lines(int argc, char **argv)
{
	static const struct option options[] = { { "used", no_argument, NULL, 'u' },
						 { "named", no_argument, NULL, 'n' },
						 { "help", no_argument, NULL, 'h' },
						 { NULL, 0, NULL, 0 } };
	bool used = false, named = false;
	struct gpio gpio;

	optind = 1;
	for (int opt; (opt = getopt_long(argc, argv, "h", options, NULL)) != -1;) {
		switch (opt) {
		case 'u': used = true; break;
		case 'n': named = true; break;
		case 'h': fputs(help, stdout); return HIL_EXIT_OK;
		default: return cmd_wrong_option("lines");
		}
	}
	if (argc - optind > 1)
		return cmd_usage(argv[0], "takes one CHIP at most");
	gpio_init(&gpio);
	if (optind < argc)
		return list_lines(&gpio, argv[optind], used, named);
	return list_chips(&gpio, used, named);
}
