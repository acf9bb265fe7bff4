/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* cache.h - keeps slow results on disk, by key.
 *
 * The folder is $XDG_CACHE_HOME/rvos/NAME (else ~/.cache/rvos/NAME), with one file per
 * key that holds the key and a checksum. Files are written completely and then renamed,
 * so several processes may read and write at the same time. A folder or file that cannot
 * be used (absent, read-only, another user's, truncated, corrupt) is ignored silently,
 * and the result is computed again. */
#ifndef RV_CUDA_CACHE_H
#define RV_CUDA_CACHE_H

#include <stdbool.h>
#include <stddef.h>

struct rv_cache;

/* NULL: out of memory. If the folder cannot be made, nothing is kept. */
struct rv_cache *rv_cache_open(const char *name);
void rv_cache_close(struct rv_cache *cache); /* accepts NULL */
/* The data, followed by a 0 byte, for the caller to free; NULL: no intact file. Keys have
 * no line ends. */
char *rv_cache_get(const struct rv_cache *cache, const char *key, size_t *size);
void rv_cache_put(const struct rv_cache *cache, const char *key, const void *data,
                  size_t size);
/* Removes the oldest files until the folder is within the limits below. */
void rv_cache_trim(const struct rv_cache *cache);
#define RV_CACHE_FILE_MOST (4 << 20)   /* bytes; larger files are not written or read */
#define RV_CACHE_FILES_MOST 2048       /* in a folder */
#define RV_CACHE_BYTES_MOST (64 << 20) /* of a folder */

/* ---- numbers by key: kept on disk, and in memory ------ */

struct rv_choices;

/* `store` must stay open as long as the choices. NULL: out of memory. */
struct rv_choices *rv_choices_open(const struct rv_cache *store);
void rv_choices_close(struct rv_choices *choices); /* accepts NULL */
/* The value that this process has set, else the one on disk. */
bool rv_choices_get(struct rv_choices *choices, const char *key, int *value);
/* Keys have no line ends and at most RV_CHOICES_KEY bytes. */
void rv_choices_set(struct rv_choices *choices, const char *key, int value);
#define RV_CHOICES_KEY 201

#endif
