/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* json_file.h - reads and writes JSON files. */
#ifndef RV_TOOLS_JSON_FILE_H
#define RV_TOOLS_JSON_FILE_H

#include <jansson.h>

#include "fault.h"

/* Call before any other function. From then on, running out of memory makes json_write
 * fail, so that no report silently lacks a part. */
void json_begin(void);

/* Reads a regular file of limited size, in UTF-8 with or without a byte order mark. If it
 * is not JSON, the message tells the user to give `wanted`. */
int json_read(json_t **root, const char *path, const char *wanted, struct fault *fault);

/* Makes a JSON string. Bytes of file names that are not UTF-8, which JSON cannot hold,
 * are escaped. */
json_t *json_name(const char *text);

/* Writes JSON with everything but ASCII escaped, which is safe on any terminal. Does not
 * free `root`. */
int json_write(const char *path, const json_t *root, size_t digits, struct fault *fault);

/* Fails if memory has run out since json_begin, because then `root` lacks parts.
 */
int json_check(const char *path, const json_t *root, struct fault *fault);

#endif
