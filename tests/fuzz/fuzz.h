/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* fuzz.h - shared by the fuzzers: files of any bytes, and mutations of texts. Included by
 * one file per program. */
#ifndef RV_FUZZ_H
#define RV_FUZZ_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static long accepted; /* inputs that were not refused */

/* Seeded: the same numbers on every machine (splitmix64). */
static inline uint64_t next(uint64_t *seed)
{
    uint64_t z = *seed += 0x9e3779b97f4a7c15u;

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

/* A path to a file of these bytes, until the next call. */
static inline const char *fuzz_file(const uint8_t *data, size_t size)
{
    static int fd = -1;
    static char path[] = "/tmp/rvos-fuzz-XXXXXX", by_fd[32];

    if (fd < 0) {
        fd = mkstemp(path);
        if (fd < 0)
            abort();
        unlink(path);
        snprintf(by_fd, sizeof(by_fd), "/dev/fd/%d", fd);
    }
    if (pwrite(fd, data, size, 0) != (ssize_t)size || ftruncate(fd, (off_t)size))
        abort();
    return by_fd;
}

/* Changes, removes, overwrites or inserts a few of the n bytes in text, which has `room`;
 * `pieces` are the words of its grammar. Returns the new size. */
static inline size_t fuzz_text(uint8_t *text, size_t n, size_t room,
                               const char *const *pieces, size_t count, uint64_t *seed)
{
    const char *piece = pieces[next(seed) % count];
    size_t at = next(seed) % (n + 1), length = strlen(piece);

    switch (next(seed) % 4) {
    case 0:
        if (at < n)
            text[at] = (uint8_t)next(seed);
        return n;
    case 1:
        length = next(seed) % 8;
        length = length < n - at ? length : n - at;
        memmove(text + at, text + at + length, n - at - length);
        return n - length;
    case 2:
        length = length < n - at ? length : n - at;
        memcpy(text + at, piece, length);
        return n;
    default:
        if (n + length > room)
            return n;
        memmove(text + at + length, text + at, n - at);
        memcpy(text + at, piece, length);
        return n + length;
    }
}

#endif
