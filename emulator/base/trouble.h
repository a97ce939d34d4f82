/*
 * The sentence that explains why something could not start, where an errno alone would not.
 *
 * Purpose: who knows (a file's name, what OpenSSL objects to) is deep below who tells the user.
 * Ownership: one static text. Errors: none. Threads: before they start.
 */
#ifndef TROUBLE_H
#define TROUBLE_H

/* The first one counts, until it is taken. */
void trouble_say(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* NULL: nobody has said anything since it was taken last. */
const char *trouble_take(void);

#endif
