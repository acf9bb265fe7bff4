/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* fakedriver.h - what the files of the fake driver share. */
#ifndef FAKEDRIVER_H
#define FAKEDRIVER_H

#include <cuda.h>
#include <stdbool.h>

#include "fakecuda.h"

/* With the driver's lock: whether the function may go on; then what it gives. */
CUresult fake_cuda_begin(const char *function);
/* The same of a function that needs a context: the one that is current, or NULL. */
CUresult fake_cuda_begin_in_context(const char *function, CUcontext *current);
CUresult fake_cuda_end(CUresult result);

/* Between the two. */
CUresult fake_cuda_misused(CUresult result, const char *function, const char *what);
fake_cuda_counts *fake_cuda_live(void);

/* -- fakememory.c -- */
#define FAKE_CUDA_PITCH 512
bool fake_cuda_has_memory(CUcontext context);

#endif
