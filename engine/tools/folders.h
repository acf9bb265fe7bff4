/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* folders.h - folders, lists of names, whole files. */
#ifndef RV_TOOLS_FOLDERS_H
#define RV_TOOLS_FOLDERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "fault.h"

struct name_list {
    char **name;
    int count;
};

bool is_folder(const char *path);
bool is_file(const char *path);

/* Makes a folder and those above it. */
int make_folders(const char *path, struct fault *fault);

/* The names of the folders in a folder, sorted; hidden ones left out. */
int folders_list(struct name_list *out, const char *path, struct fault *fault);

int names_add(struct name_list *list, const char *name); /* copies; -1: no memory */
bool names_have(const struct name_list *list, const char *name);
int names_unique(struct name_list *list); /* drops repetitions; -1: no memory */
void names_free(struct name_list *list);

#define TEXT_MOST ((size_t)64 << 20) /* bytes of a text file that a tool reads */

/* A whole regular file of up to `most` bytes, with a NUL behind it. */
int file_read(char **text, size_t *size, const char *path, size_t most,
              struct fault *fault);

/* Whole or not at all; see output.h. "-" is the standard output. */
int file_write(const char *path, const char *text, size_t size, struct fault *fault);

/* The same of what open_memstream has gathered: closes it and frees the text. Without
 * memory for all of it nothing is written. */
int file_write_memory(const char *path, FILE *memory, char **text, const size_t *size,
                      struct fault *fault);

/* printf to allocated memory; NULL without memory. */
char *text_format(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
