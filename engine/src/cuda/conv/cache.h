/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* cache.h - what took long to find out, kept on disk from run to run, by key.
 *
 * A folder $XDG_CACHE_HOME/rvos/NAME (else ~/.cache/rvos/NAME) with a file per key, which
 * holds the key and a checksum. Files are put in place whole, by a rename: processes may
 * read and write at the same time. A folder or file that cannot be used (absent,
 * read-only, of another user, cut short, spoilt) is passed over without a word: what
 * would be in it is found out again. */
#ifndef RV_CUDA_CACHE_H
#define RV_CUDA_CACHE_H

#include <stdbool.h>
#include <stddef.h>

struct rv_cache;

/* NULL: no memory. Where there can be no folder, nothing is kept. */
struct rv_cache *rv_cache_open(const char *name);
void rv_cache_close(struct rv_cache *cache); /* NULL: nothing */
/* For the caller to free, with a 0 behind it; NULL: there is none that is whole. Keys
 * have no line ends. */
char *rv_cache_get(const struct rv_cache *cache, const char *key, size_t *size);
void rv_cache_put(const struct rv_cache *cache, const char *key, const void *data,
                  size_t size);
/* Removes the oldest files until the folder is of a bearable size again. */
void rv_cache_trim(const struct rv_cache *cache);
#define RV_CACHE_FILE_MOST (4 << 20)   /* bytes: larger ones are neither kept nor read */
#define RV_CACHE_FILES_MOST 2048       /* in a folder */
#define RV_CACHE_BYTES_MOST (64 << 20) /* of a folder */

/* ---- numbers by key: kept here, and in memory where there is no place on disk ------ */

struct rv_choices;

/* `store` stays open as long as the choices. NULL: no memory. */
struct rv_choices *rv_choices_open(const struct rv_cache *store);
void rv_choices_close(struct rv_choices *choices); /* NULL: nothing */
/* What this process has set, else what is on disk. */
bool rv_choices_get(struct rv_choices *choices, const char *key, int *value);
/* Keys have no line ends and at most RV_CHOICES_KEY bytes. */
void rv_choices_set(struct rv_choices *choices, const char *key, int value);
#define RV_CHOICES_KEY 201

#endif
