/*
 * The exit codes of quintain-hil; the largest wins where several apply.
 *
 * Threads, ownership: constants. Source: docs/BENCH.md.
 */
#ifndef HIL_EXIT_H
#define HIL_EXIT_H

enum hil_exit {
	HIL_EXIT_OK = 0,          /* PASS, MARGINAL; as asked */
	HIL_EXIT_FAIL = 1,        /* FAIL, INCONCLUSIVE */
	HIL_EXIT_USAGE = 2,       /* usage or config */
	HIL_EXIT_ENVIRONMENT = 3, /* ERROR: the rig, the machine, not the board */
};

#endif
