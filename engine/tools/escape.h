/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* escape.h - makes untrusted text (from files, file names, the command line) safe for a
 * terminal, a log and a page. */
#ifndef RV_TOOLS_ESCAPE_H
#define RV_TOOLS_ESCAPE_H

#include <stddef.h>

#define ESCAPE_ROOM 512 /* enough for any readable file name */

/* Copies `text` as one line of valid UTF-8. Control characters and bytes that are not
 * UTF-8 become \xNN. Marks that change the direction or the line become \uNNNN. What does
 * not fit is cut and ends with "...". Returns `out`. */
char *escape_text(char *out, size_t room, const char *text);

/* The length of the first character of `text` if it may be printed as it is, else 0. */
int escape_plain(const char *text);

#endif
