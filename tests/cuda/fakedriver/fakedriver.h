/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* fakedriver.h - shared by the files of the fake driver. */
#ifndef FAKEDRIVER_H
#define FAKEDRIVER_H

#include <cuda.h>
#include <stdbool.h>

#include "fakecuda.h"

/* Take the driver's lock and say whether the function may continue; then its result. */
CUresult fake_cuda_begin(const char *function);
/* The same for a function that needs a context: the current one, or NULL. */
CUresult fake_cuda_begin_in_context(const char *function, CUcontext *current);
CUresult fake_cuda_end(CUresult result);

/* Between the two. */
CUresult fake_cuda_misused(CUresult result, const char *function, const char *what);
fake_cuda_counts *fake_cuda_live(void);

/* -- fakememory.c -- */
#define FAKE_CUDA_PITCH 512
bool fake_cuda_has_memory(CUcontext context);

#endif
