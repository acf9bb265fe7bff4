/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* fakememory.c - memory, copies and streams of the fake driver. */
#include <cuda.h>
#include <stdlib.h>
#include <string.h>

#include "fakedriver.h"

/* cuda.h makes this name a macro for a newer one; programs look up both. */
#undef cuStreamDestroy

struct block {
    struct block *next;
    char *at;
    size_t size;
    CUcontext context; /* NULL: pinned host memory */
};

struct CUstream_st {
    CUcontext context;
};

static struct block *blocks;

/* Begins and ends a function that needs a context, the current one. */
#define ENTER                                                                            \
    CUcontext current;                                                                   \
    CUresult result = fake_cuda_begin_in_context(__func__, &current);                    \
    if (result)                                                                          \
    goto out
#define LEAVE                                                                            \
    out:                                                                                 \
    return fake_cuda_end(result)

bool fake_cuda_has_memory(CUcontext context)
{
    for (const struct block *b = blocks; b; b = b->next)
        if (b->context == context)
            return true;
    return false;
}

static CUresult add_block(void **out, size_t size, CUcontext context)
{
    struct block *b = calloc(1, sizeof(*b));

    *b = (struct block){blocks, malloc(size ? size : 1), size, context};
    memset(b->at, 0xcd, size);
    blocks = b;
    *(context ? &fake_cuda_live()->allocs : &fake_cuda_live()->host_allocs) += 1;
    *(context ? &fake_cuda_live()->live_allocs : &fake_cuda_live()->live_host_allocs) +=
        1;
    *out = b->at;
    return CUDA_SUCCESS;
}

static CUresult drop_block(const void *at, CUcontext current, bool host,
                           const char *function)
{
    for (struct block **b = &blocks; *b; b = &(*b)->next) {
        struct block *found = *b;

        if (found->at != at || !found->context != host)
            continue;
        if (found->context && found->context != current)
            return fake_cuda_misused(CUDA_ERROR_INVALID_VALUE, function,
                                     "of another context");
        *b = found->next;
        *(host ? &fake_cuda_live()->live_host_allocs : &fake_cuda_live()->live_allocs) -=
            1;
        memset(found->at, 0xdd, found->size);
        free(found->at);
        free(found);
        return CUDA_SUCCESS;
    }
    return fake_cuda_misused(CUDA_ERROR_INVALID_VALUE, function, "no such memory");
}

FAKECUDA CUresult cuMemAlloc_v2(CUdeviceptr *out, size_t size)
{
    ENTER;
    result = add_block((void **)out, size, current);
    LEAVE;
}

FAKECUDA CUresult cuMemAllocPitch_v2(CUdeviceptr *out, size_t *pitch, size_t width,
                                     size_t height, unsigned int element)
{
    (void)element;
    ENTER;
    *pitch = (width + FAKE_CUDA_PITCH - 1) / FAKE_CUDA_PITCH * FAKE_CUDA_PITCH;
    result = add_block((void **)out, *pitch * height, current);
    LEAVE;
}

FAKECUDA CUresult cuMemFree_v2(CUdeviceptr at)
{
    ENTER;
    result = drop_block((void *)at, current, false, __func__);
    LEAVE;
}

FAKECUDA CUresult cuMemAllocHost_v2(void **out, size_t size)
{
    ENTER;
    result = add_block(out, size, NULL);
    LEAVE;
}

FAKECUDA CUresult cuMemFreeHost(void *at)
{
    ENTER;
    result = drop_block(at, current, true, __func__);
    LEAVE;
}

/* Whether all rows lie in one allocation of the current context. */
static bool is_ours(CUcontext current, CUdeviceptr at, size_t pitch, size_t width,
                    size_t height)
{
    const char *first = (const char *)at;
    size_t size = height ? (height - 1) * pitch + width : 0;

    for (const struct block *b = blocks; b; b = b->next)
        if (b->context == current && first >= b->at && first + size <= b->at + b->size)
            return true;
    return false;
}

static CUresult copy_2d(const CUDA_MEMCPY2D *c, CUcontext current, const char *function)
{
    bool from_host = c->srcMemoryType == CU_MEMORYTYPE_HOST;
    bool to_host = c->dstMemoryType == CU_MEMORYTYPE_HOST;
    const char *from = from_host ? c->srcHost : (const char *)c->srcDevice;
    char *to = to_host ? c->dstHost : (char *)c->dstDevice;
    size_t bytes = c->WidthInBytes * c->Height;

    from += c->srcY * c->srcPitch + c->srcXInBytes;
    to += c->dstY * c->dstPitch + c->dstXInBytes;
    if ((!from_host &&
         !is_ours(current, (CUdeviceptr)from, c->srcPitch, c->WidthInBytes, c->Height)) ||
        (!to_host &&
         !is_ours(current, (CUdeviceptr)to, c->dstPitch, c->WidthInBytes, c->Height)))
        return fake_cuda_misused(CUDA_ERROR_INVALID_VALUE, function,
                                 "memory of another context, or of none");
    for (size_t y = 0; y < c->Height; y++)
        memmove(to + y * c->dstPitch, from + y * c->srcPitch, c->WidthInBytes);
    *(to_host     ? &fake_cuda_live()->to_host
      : from_host ? &fake_cuda_live()->to_device
                  : &fake_cuda_live()->on_device) += 1;
    *(to_host     ? &fake_cuda_live()->to_host_bytes
      : from_host ? &fake_cuda_live()->to_device_bytes
                  : &fake_cuda_live()->on_device_bytes) += bytes;
    return CUDA_SUCCESS;
}

FAKECUDA CUresult cuMemcpy2D_v2(const CUDA_MEMCPY2D *copy)
{
    ENTER;
    result = copy_2d(copy, current, __func__);
    LEAVE;
}

FAKECUDA CUresult cuMemcpy2DAsync_v2(const CUDA_MEMCPY2D *copy, CUstream stream)
{
    ENTER;
    if (stream && stream->context != current)
        result = fake_cuda_misused(CUDA_ERROR_INVALID_HANDLE, __func__,
                                   "another context's stream");
    else
        result = copy_2d(copy, current, __func__);
    LEAVE;
}

/* ---- streams ---------------------------------------------------------------------- */

FAKECUDA CUresult cuStreamCreate(CUstream *out, unsigned int flags)
{
    (void)flags;
    ENTER;
    *out = calloc(1, sizeof(**out));
    (*out)->context = current;
    fake_cuda_live()->live_streams++;
    LEAVE;
}

FAKECUDA CUresult cuStreamDestroy(CUstream stream)
{
    ENTER;
    free(stream);
    fake_cuda_live()->live_streams--;
    LEAVE;
}

FAKECUDA CUresult cuStreamDestroy_v2(CUstream stream)
{
    return cuStreamDestroy(stream);
}

FAKECUDA CUresult cuStreamSynchronize(CUstream stream)
{
    (void)stream;
    ENTER;
    LEAVE;
}
