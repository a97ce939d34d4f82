/*
 * Certificates made at test time, by the script that `./dev certs` runs.
 *
 * Ownership: certs_make() makes a folder under the temporary one; certs_remove() takes it away.
 * Errors: fail the test. Threads: one.
 */
#ifndef TEST_CERTS_H
#define TEST_CERTS_H

/* The folder's path. */
const char *certs_make(void);
void certs_remove(void);
/* "ca.pem" and the like in it; eight results live at a time. */
const char *certs_file(const char *name);

#endif
