#include "hil/cli/cmd.h"
#include "hil/plan/plan.h"

#include <string.h>

static const char help[] =
	"usage: quintain-hil settings\n"
	"\n"
	"All settings of benches and plans, and the names of all measurements, as "
	"Markdown.\n";

int cmd_settings(int argc, char **argv)
{
	if (argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
		fputs(help, stdout);
		return HIL_EXIT_OK;
	}
	if (argc > 1)
		return cmd_usage(argv[0], "takes no argument");
	fputs("## A bench\n\n", stdout);
	settings_reference(&bench_file_table, "", stdout);
	fputs("\n## A plan\n\n", stdout);
	settings_reference(&plan_file_table, "", stdout);
	fputs("\n## Measurements\n\n| name | what it is |\n|---|---|\n", stdout);
	for (const struct plan_measurement *m = plan_measurements; m->name != NULL; m++)
		printf("| `%s` | %s |\n", m->name, m->help);
	return HIL_EXIT_OK;
}
