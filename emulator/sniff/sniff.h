/*
 * `quintain-emu sniff WIRE ...` and `quintain-emu decode FILE`: seeing what goes over a wire.
 *
 * Purpose: sniff is a proxy between two real peers that decodes, stamps, records and, on request,
 * spoils what goes through it; decode says what a recording or capture holds.
 * Errors: the exit code, 0 as asked, 1 (decode) something is malformed, 2 usage, 3 environment.
 * Threads: one.
 */
#ifndef SNIFF_H
#define SNIFF_H

/* argv[0] is "sniff". */
int sniff_main(int argc, char **argv);
/* argv[0] is "decode". */
int decode_main(int argc, char **argv);

#endif
