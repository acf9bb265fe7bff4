/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* lists.h - text files with one name a line: ImageSets, --sequences, --seen.
 *
 * UTF-8, with or without a byte order mark. Lines end with LF, CR LF or CR. Blanks around
 * a line are dropped, as are empty lines and those that start with #. */
#ifndef RV_TOOLS_LISTS_H
#define RV_TOOLS_LISTS_H

#include <stddef.h>

#include "folders.h"

#define LIST_LINE_MOST 4096 /* bytes of a line */

/* The lines. */
int lines_list(struct name_list *out, const char *path, struct fault *fault);

/* Names of sequences, each once. A line is a name, or a path that ends with one, or, as
 * in DAVIS-2016, paths of files: .../NAME/00000.jpg .../NAME/00000.png. A name is always
 * that of one folder: not empty, not "." or "..". */
int sequences_list(struct name_list *out, const char *path, struct fault *fault);

/* The same of a text of `size` bytes, which is changed. `path` is for the words. */
int lines_parse(struct name_list *out, char *text, size_t size, const char *path,
                struct fault *fault);
int sequences_parse(struct name_list *out, char *text, size_t size, const char *path,
                    struct fault *fault);

#endif
