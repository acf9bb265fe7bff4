/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "npy.h"

#include <stdio.h>

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

    return fwrite("\x93NUMPY\x01\x00", 1, 8, npy->out.file) == 8 &&
                   fwrite(length, 1, 2, npy->out.file) == 2 &&
                   fprintf(npy->out.file, "%-*s\n", padded - 1, head) == padded
               ? 0
               : -1;
}

int npy_open(struct npy *npy, const char *path, const size_t shape[4],
             struct fault *fault)
{
    int err = output_open(&npy->out, path, fault);

    npy->left = shape[0] * shape[1] * shape[2] * shape[3];
    if (!err && write_head(npy, shape)) {
        err = output_failed(path, fault);
        output_discard(&npy->out);
    }
    return err;
}

int npy_write(struct npy *npy, const float *values, size_t count, struct fault *fault)
{
    if (count > npy->left ||
        fwrite(values, sizeof *values, count, npy->out.file) != count)
        return output_failed(npy->out.path, fault);
    npy->left -= count;
    return 0;
}

int npy_close(struct npy *npy, struct fault *fault)
{
    int err = 0;

    if (npy->out.file && !npy->left)
        err = output_commit(&npy->out, true, fault);
    else
        output_discard(&npy->out);
    return err;
}
