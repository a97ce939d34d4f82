/*
 * JSON that result.json and the history both write.
 *
 * Ownership: nothing is kept. Errors: those of the FILE. Threads: no state.
 */
#ifndef JSON_PARTS_H
#define JSON_PARTS_H

#include "hil/measure/record.h"

#include "proto/json/json.h"

#include <stdio.h>

/* Quoted; what is no UTF-8 becomes U+FFFD. */
void json_string(FILE *out, const char *text, size_t len);
/* "name": "text" */
void json_member(FILE *out, const char *name, const char *text);
void json_calibration(FILE *out, const struct calibration *calibration);
/* {"kernel": [sigma_ns, half_ns], ...}; parts of 0 are left out. */
void json_uncertainty(FILE *out, const struct uncertainty *u);
/* ["edges missing", ...] */
void json_suspect(FILE *out, unsigned suspect);
/* {"NONE": 0, "PASS": 3, ...} */
void json_counts(FILE *out, const uint32_t *steps);

#endif
