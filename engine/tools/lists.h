/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* lists.h - reads text files with one name per line: ImageSets, --sequences, --seen.
 *
 * UTF-8, with or without a byte order mark. Lines end with LF, CR LF or CR. Blanks around
 * a line, empty lines and lines that start with # are dropped. */
#ifndef RV_TOOLS_LISTS_H
#define RV_TOOLS_LISTS_H

#include <stddef.h>

#include "folders.h"

#define LIST_LINE_MOST 4096 /* bytes of a line */

/* Reads all lines. */
int lines_list(struct name_list *out, const char *path, struct fault *fault);

/* Reads names of sequences, each once. A line is a name, a path that ends with one, or,
 * as in DAVIS-2016, paths of files: .../NAME/00000.jpg .../NAME/00000.png. A name is one
 * folder's: not empty, not "." or "..". */
int sequences_list(struct name_list *out, const char *path, struct fault *fault);

/* The same for a text of `size` bytes, which is changed. `path` is for messages. */
int lines_parse(struct name_list *out, char *text, size_t size, const char *path,
                struct fault *fault);
int sequences_parse(struct name_list *out, char *text, size_t size, const char *path,
                    struct fault *fault);

#endif
