/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* file.h - a file that stays open and is read in parts while others may change or
 * truncate it. It is not mapped, because reading a mapping beyond the end of a truncated
 * file raises SIGBUS. */
#ifndef RV_FILE_H
#define RV_FILE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

/* Read-only once open, so threads may share it. */
struct rv_file {
    int fd; /* below 0: closed */
    uint64_t size;
    struct timespec changed; /* mtime when it was opened */
};

/* Opens regular files only; never waits for the writer of a FIFO. Returns 0, or
 * RVOS_ERR_NOT_FOUND or _IO with file->fd below 0 and the reason, without the path, in
 * `why`. */
int rv_file_open(struct rv_file *file, const char *path, char *why, size_t why_size);
void rv_file_close(struct rv_file *file);

/* Reads n bytes from `at`, which must lie inside file->size. RVOS_ERR_IO: they cannot be
 * read, or the file has changed since it was opened. Then *why, if not NULL, is the
 * reason. */
int rv_file_read(const struct rv_file *file, uint64_t at, size_t n, void *out,
                 const char **why);

/* If the first n bytes are of a kind of file that users often mistake for a model, says
 * so in words ("is a ..."), else NULL. */
const char *rv_file_mistaken(const uint8_t *start, size_t n);
#define RV_FILE_START 512 /* bytes that rv_file_mistaken looks at */

#endif
