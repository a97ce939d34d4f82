/*
 * `quintain-emu console framed://HOST:PORT`: a person, or a script, at the wire `framed`.
 *
 * Purpose: what the original client does: plain text and /commands, a demonstration, a measurement;
 * it comes back by itself when the connection is lost.
 * Errors: the exit code, 0 as asked, 2 usage, 3 no connection. Threads: one.
 */
#ifndef CONSOLE_H
#define CONSOLE_H

/* argv[0] is "console". */
int console_main(int argc, char **argv);

#endif
