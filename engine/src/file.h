/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* file.h - a file that is kept open and read in parts, and that others may change or cut
 * short meanwhile. It is not mapped: reading a mapping of a file that has become shorter
 * ends the process with SIGBUS. */
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

/* Regular files only; never waits for the writer of a FIFO. 0, or RVOS_ERR_NOT_FOUND or
 * _IO with file->fd below 0 and the reason, without the path, in `why`. */
int rv_file_open(struct rv_file *file, const char *path, char *why, size_t why_size);
void rv_file_close(struct rv_file *file);

/* Bytes at, at + 1, ..., at + n - 1, which must lie inside file->size. RVOS_ERR_IO: they
 * cannot be read, or the file is no longer what it was when it was opened; then *why, if
 * asked for, is the reason. */
int rv_file_read(const struct rv_file *file, uint64_t at, size_t n, void *out,
                 const char **why);

/* What people have in place of a model file, in words ("is a ..."), by its first n bytes;
 * NULL: nothing known. */
const char *rv_file_mistaken(const uint8_t *start, size_t n);
#define RV_FILE_START 512 /* bytes that this looks at */

#endif
