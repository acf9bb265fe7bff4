/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* tensor.h - reads tensors of a .safetensors file, for tests that compare with one. */
#ifndef RV_TEST_TENSOR_H
#define RV_TEST_TENSOR_H

#include "safetensors.h"
#include "test.h"

/* Returns all bytes, to be freed. Ends the test if they cannot be read. */
static inline uint8_t *tensor_bytes(const struct rv_st *file,
                                    const struct rv_st_tensor *t)
{
    const char *why = "";
    uint8_t *bytes = malloc(t->bytes + 1);

    if (!test_note(CHECK(bytes && !rv_st_read(file, t, 0, t->bytes, bytes, &why)),
                   "%s: %s", t->name, why))
        exit(1);
    return bytes;
}

#endif
