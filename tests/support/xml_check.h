/*
 * Is a text well-formed XML, as far as this project writes it?
 *
 * Purpose: tags nest and close, attributes are quoted and not repeated, every & begins a reference,
 * nothing stands in it that XML 1.0 forbids. No comments, no CDATA, no DTD but <!DOCTYPE html>.
 * Errors: false, with what is wrong and where in `why`. Threads: no state.
 */
#ifndef TEST_XML_CHECK_H
#define TEST_XML_CHECK_H

#include <stdbool.h>
#include <stddef.h>

bool xml_check(const char *text, size_t len, char *why, size_t cap);

#endif
