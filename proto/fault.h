/*
 * What went wrong, and where: the one error type of libquintain-proto.
 *
 * Purpose: proto never logs and never prints. A function that can refuse its input returns a
 * qn_code and fills a qn_fault when the caller passed one.
 * Ownership: `text` is a string literal; nobody frees it.
 * Errors: on QN_OK a fault is left as it was.
 * Threads: plain values; no state.
 */
#ifndef QN_FAULT_H
#define QN_FAULT_H

#include <stddef.h>

enum qn_code {
	QN_OK = 0,
	QN_MORE,       /* not an error: the input ends before the unit does */
	QN_E_SYNTAX,   /* not a JSON text */
	QN_E_UTF8,     /* bytes that are no UTF-8 */
	QN_E_DEPTH,    /* nested deeper than the limit */
	QN_E_TOO_LONG, /* longer than the limit of the caller */
	QN_E_SPACE,    /* the caller's output buffer is too small */
	QN_E_TYPE,     /* a value of another type than the message demands */
	QN_E_MISSING,  /* a member that the message demands is absent */
	QN_E_UNKNOWN,  /* a message type that nobody defined */
};

struct qn_fault {
	enum qn_code code;
	size_t offset;    /* bytes from the start of the text that was being read */
	const char *text; /* one short phrase in English, no full stop */
};

/* A run of bytes that belongs to somebody else. Not terminated. */
struct qn_text {
	const char *at;
	size_t len;
};

/* The name of a code, for logs and tests: "ok", "syntax", ... Never NULL. */
const char *qn_code_name(enum qn_code code);

#endif
