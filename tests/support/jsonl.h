/*
 * Vectors: files of one JSON object a line under fixtures/.
 *
 * Purpose: walk a file and get at a line's members as plain text.
 * Ownership: jsonl_close() what jsonl_open() gave; texts live until the next line. Texts of members
 * are terminated, and may hold zero bytes all the same: look at the length.
 * Errors: aborts, naming file and line; this is test code.
 */
#ifndef TEST_JSONL_H
#define TEST_JSONL_H

#include "proto/fault.h"

#include <stdbool.h>

struct jsonl;

/* `path` stands below the project's top: "fixtures/snyper/answering.jsonl". */
struct jsonl *jsonl_open(const char *path);
bool jsonl_next(struct jsonl *jsonl);
void jsonl_close(struct jsonl *jsonl);

unsigned jsonl_number(const struct jsonl *jsonl); /* of the line, from 1 */
/* A string with its escapes undone; .at NULL where there is no such member or it is no string. */
struct qn_text jsonl_text(struct jsonl *jsonl, const char *member);
/* The same, where it must be there. */
struct qn_text jsonl_must(struct jsonl *jsonl, const char *member);
double jsonl_double(struct jsonl *jsonl, const char *member);
/*
 * Pieces of bytes: a string, an array of strings, or, where neither is there, "MEMBER_hex", which
 * is the same in hexadecimal digits. Returns how many.
 */
size_t jsonl_pieces(struct jsonl *jsonl, const char *member, struct qn_text *pieces, size_t cap);

#endif
