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

/* Lists the names of the folders in a folder, sorted, without hidden ones. */
int folders_list(struct name_list *out, const char *path, struct fault *fault);

/* Copies the name. Returns 0, or -1 if memory runs out. */
int names_add(struct name_list *list, const char *name);
bool names_have(const struct name_list *list, const char *name);
int names_unique(struct name_list *list); /* drops repeated names; -1: out of memory */
void names_free(struct name_list *list);

#define TEXT_MOST ((size_t)64 << 20) /* most bytes of a text file */

/* Reads a whole regular file of up to `most` bytes and appends a NUL. */
int file_read(char **text, size_t *size, const char *path, size_t most,
              struct fault *fault);

/* Writes the whole file or nothing (output.h). "-" is the standard output. */
int file_write(const char *path, const char *text, size_t size, struct fault *fault);

/* The same for text from open_memstream: closes it and frees the text. Writes nothing if
 * memory ran out. */
int file_write_memory(const char *path, FILE *memory, char **text, const size_t *size,
                      struct fault *fault);

/* printf to allocated memory; NULL if memory runs out. */
char *text_format(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
