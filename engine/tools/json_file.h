/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* json_file.h - JSON of files that come from elsewhere, and of names. */
#ifndef RV_TOOLS_JSON_FILE_H
#define RV_TOOLS_JSON_FILE_H

#include <jansson.h>

#include "fault.h"

/* Before any other call: from then on a lack of memory fails json_write, so that no
 * report lacks a part in silence. */
void json_begin(void);

/* A regular file of bounded size, in UTF-8 with or without a byte order mark. `wanted`
 * says what to give instead of a file that is none. */
int json_read(json_t **root, const char *path, const char *wanted, struct fault *fault);

/* A string. Names of files may hold bytes that are no UTF-8, which JSON cannot: they are
 * escaped. */
json_t *json_name(const char *text);

/* Text with all that is no ASCII escaped: safe on any terminal. Frees nothing. */
int json_write(const char *path, const json_t *root, size_t digits, struct fault *fault);

/* Whether memory has run out since json_begin; then a report of `root` would lack parts.
 */
int json_check(const char *path, const json_t *root, struct fault *fault);

#endif
