#include "emulator/results/report.h"

/* What report.html adds to the sheet of emulator/base/page.c. */
const char report_style[] =
	".expectations th small{display:block;font-weight:400;overflow-wrap:anywhere}\n"
	".expectations{table-layout:fixed}\n"
	".expectations thead th:nth-child(1){width:5.2rem}\n"
	".expectations thead th:nth-child(2){width:37%}\n"
	".expectations thead th:nth-child(4){width:6.4rem}\n"
	".expectations thead th:nth-child(5){width:20%}\n"
	".k-active{--c:var(--orange)}.k-up,.k-ok{--c:var(--green)}.k-rising{--c:var(--mint)}\n"
	".k-falling{--c:var(--pale)}.k-down,.k-registered{--c:var(--blue)}.k-booting{--c:var(--"
	"yellow)}\n"
	".k-off{--c:var(--grey)}.k-gone,.k-lost{--c:var(--red)}.k-failed{--c:var(--orange)}\n"
	".c-ping,.b-ping{--c:var(--blue)}.c-stand_up,.b-stand_up{--c:var(--green)}\n"
	".c-lay_down,.b-lay_down{--c:var(--violet)}.c-activate,.b-activate{--c:var(--orange)}\n"
	".whole.c-stand_up{stroke-dasharray:9 4}.whole.c-lay_down{stroke-dasharray:.1 5}\n"
	".whole.c-activate{stroke-dasharray:9 4 .1 4}\n";
