/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* safetensors.h - read a .safetensors file: 8 bytes of little-endian header length, a
 * JSON header, tensor bytes. The whole header is checked when the file is opened. The
 * file stays open, and tensors are read on demand. If the file has changed meanwhile, the
 * read fails. */
#ifndef RV_SAFETENSORS_H
#define RV_SAFETENSORS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "type.h"

struct rv_st; /* an open file; read-only, so threads may share it */

struct rv_st_tensor {
    const char *name;  /* UTF-8 */
    enum rv_type type; /* RV_OTHER: a type that our models do not use; `bytes` is not
                          checked against `dim` */
    int ndim;
    int64_t dim[8];
    int64_t count; /* product of dim: 1 for a scalar */
    uint64_t at;   /* file offset of its first byte */
    size_t bytes;
};

/* Returns 0, or RVOS_ERR_NOT_FOUND, _IO (a directory, unreadable, not a regular file),
 * _FORMAT or _MEMORY with *out NULL. `err`, of err_size bytes, then holds one line that
 * names the file and its defect. It may be NULL if err_size is 0. */
int rv_st_open(struct rv_st **out, const char *path, char *err, size_t err_size);

/* Frees all tensors, names and metadata of the file. Accepts a NULL *st. */
void rv_st_close(struct rv_st **st);

/* NULL: absent. */
const struct rv_st_tensor *rv_st_find(const struct rv_st *st, const char *name);
const char *rv_st_meta(const struct rv_st *st, const char *key);

/* All tensors, 0 <= i < count, in the order of their names' bytes. */
int rv_st_count(const struct rv_st *st);
const struct rv_st_tensor *rv_st_get(const struct rv_st *st, int i);

/* Reads n bytes of a tensor from `from`. RVOS_ERR_ARGUMENT: the tensor has no such bytes.
 * RVOS_ERR_IO: they cannot be read, or the file has changed; *why then says which, if
 * `why` is not NULL. */
int rv_st_read(const struct rv_st *st, const struct rv_st_tensor *t, size_t from,
               size_t n, void *out, const char **why);

/* Reads elements as floats. Also RVOS_ERR_ARGUMENT if the tensor is not F16, BF16 or
 * F32. */
int rv_st_read_f32(const struct rv_st *st, const struct rv_st_tensor *t, int64_t from,
                   int64_t n, float *out, const char **why);

/* Converts n numbers of type F16, BF16 or F32 to floats. `bytes` may be the end of
 * `out`. */
void rv_st_floats(enum rv_type type, const uint8_t *bytes, size_t n, float *out);

#endif /* RV_SAFETENSORS_H */
