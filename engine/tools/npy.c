/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "npy.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "folders.h"

static int failed(const struct npy *npy, struct fault *fault)
{
    return fault_set(fault, TOOL_OUTPUT, npy->path, "cannot be written: %s",
                     strerror(errno));
}

/* Version 1.0: magic, header length as two bytes, a Python dictionary padded with
 * blanks so that the data start at a multiple of 64. */
static int write_head(struct npy *npy, const size_t shape[4])
{
    static const unsigned one = 1;
    char order = *(const unsigned char *)&one ? '<' : '>';
    char head[256];
    int n = snprintf(head, sizeof head,
                     "{'descr': '%cf4', 'fortran_order': False, "
                     "'shape': (%zu, %zu, %zu, %zu), }",
                     order, shape[0], shape[1], shape[2], shape[3]);
    int padded = (10 + n + 1 + 63) / 64 * 64 - 10;
    unsigned char length[2] = {(unsigned char)(padded & 255),
                               (unsigned char)(padded >> 8)};

    return fwrite("\x93NUMPY\x01\x00", 1, 8, npy->out) == 8 &&
                   fwrite(length, 1, 2, npy->out) == 2 &&
                   fprintf(npy->out, "%-*s\n", padded - 1, head) == padded
               ? 0
               : -1;
}

int npy_open(struct npy *npy, const char *path, const size_t shape[4],
             struct fault *fault)
{
    *npy = (struct npy){.path = text_format("%s", path),
                        .part = text_format("%s.part", path),
                        .left = shape[0] * shape[1] * shape[2] * shape[3]};
    if (npy->path && npy->part)
        npy->out = fopen(npy->part, "wb");
    if (!npy->out || write_head(npy, shape)) {
        failed(npy, fault);
        npy_close(npy, NULL);
        return TOOL_OUTPUT;
    }
    return 0;
}

int npy_write(struct npy *npy, const float *values, size_t count, struct fault *fault)
{
    if (count > npy->left || fwrite(values, sizeof *values, count, npy->out) != count)
        return failed(npy, fault);
    npy->left -= count;
    return 0;
}

int npy_close(struct npy *npy, struct fault *fault)
{
    int err = 0;

    if (npy->out) {
        if (fclose(npy->out))
            err = failed(npy, fault);
        else if (!npy->left && rename(npy->part, npy->path))
            err = failed(npy, fault);
        if (err || npy->left)
            remove(npy->part);
    }
    free(npy->path);
    free(npy->part);
    memset(npy, 0, sizeof *npy);
    return err;
}
