/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* safetensors.h - read a .safetensors file: 8 bytes of little-endian header length,
 * a JSON header, tensor bytes. Everything the header says is checked when the file is
 * opened. The file stays open, and tensors are read when they are asked for; a file that
 * has been changed or cut short meanwhile is an error of the read. */
#ifndef RV_SAFETENSORS_H
#define RV_SAFETENSORS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "net/type.h"

struct rv_st; /* an open file; read-only, so threads may share it */

struct rv_st_tensor {
    const char *name;  /* UTF-8 */
    enum rv_type type; /* RV_OTHER: one that no model of ours uses; `bytes` is not checked
                          by `dim` */
    int ndim;
    int64_t dim[8];
    int64_t count; /* product of dim: 1 for a scalar */
    uint64_t at;   /* of its first byte in the file */
    size_t bytes;
};

/* 0, or RVOS_ERR_NOT_FOUND, _IO (directory, not readable, no regular file), _FORMAT or
 * _MEMORY, with *out NULL. `err`, of err_size bytes, then holds one line that names the
 * file and its defect; it may be NULL if err_size is 0. */
int rv_st_open(struct rv_st **out, const char *path, char *err, size_t err_size);

/* Ends the life of all tensors, names and metadata of the file. NULL inside: nothing. */
void rv_st_close(struct rv_st **st);

/* NULL: absent. */
const struct rv_st_tensor *rv_st_find(const struct rv_st *st, const char *name);
const char *rv_st_meta(const struct rv_st *st, const char *key);

/* All tensors, 0 <= i < count, in the order of their names' bytes. */
int rv_st_count(const struct rv_st *st);
const struct rv_st_tensor *rv_st_get(const struct rv_st *st, int i);

/* Bytes from, from + 1, ..., from + n - 1 of a tensor. RVOS_ERR_ARGUMENT: it has no such
 * bytes. RVOS_ERR_IO: they cannot be read, or the file is not what it was; *why then says
 * which, if `why` is not NULL. */
int rv_st_read(const struct rv_st *st, const struct rv_st_tensor *t, size_t from,
               size_t n, void *out, const char **why);

/* Elements, as floats. RVOS_ERR_ARGUMENT also where the tensor is neither F16, BF16 nor
 * F32. */
int rv_st_read_f32(const struct rv_st *st, const struct rv_st_tensor *t, int64_t from,
                   int64_t n, float *out, const char **why);

/* Bytes of n numbers, F16, BF16 or F32, as floats; they may lie at the end of `out`. */
void rv_st_floats(enum rv_type type, const uint8_t *bytes, size_t n, float *out);

#endif /* RV_SAFETENSORS_H */
