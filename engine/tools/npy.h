/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* npy.h - writes a float32 array for numpy piece by piece. */
#ifndef RV_TOOLS_NPY_H
#define RV_TOOLS_NPY_H

#include <stddef.h>

#include "output.h"

struct npy {
    struct output out;
    size_t left; /* values still to come */
};

/* `shape` has four sizes, the slowest first. */
int npy_open(struct npy *npy, const char *path, const size_t shape[4],
             struct fault *fault);
int npy_write(struct npy *npy, const float *values, size_t count, struct fault *fault);

/* Puts the file in place if it is complete, else removes it. Safe on a zeroed struct. */
int npy_close(struct npy *npy, struct fault *fault);

#endif
