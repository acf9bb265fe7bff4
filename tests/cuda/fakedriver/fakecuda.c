/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* fakecuda.c - the functions of libcuda that gst-cuda, nvcodec and librvos ask for. */
#include <cuda.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fakedriver.h"

/* Behind the macros of cuda.h are newer ones of some; these names too are asked for. */
#undef cuStreamDestroy

#define MAX_DEPTH 64
#define PITCH 512

/* Never freed: so that the use of one after its end is noticed. */
struct CUctx_st {
    CUcontext next;
    CUdevice device;
    bool alive;
    int retained; /* of the primary one; -1: of another */
};

struct block {
    struct block *next;
    char *at;
    size_t size;
    CUcontext context; /* NULL: pinned host memory */
};

struct CUstream_st {
    CUcontext context;
};

/* A driver is global state. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static fake_cuda_counts counts;
static CUcontext contexts;
static struct block *blocks;
static char failing[64];
static int failing_result;
static long failing_after;
static bool initialised;
static __thread CUcontext stack[MAX_DEPTH];
static __thread int depth;

/* ---- for tests ------------------------------------------------------------------- */

fake_cuda_counts fake_cuda_get(void)
{
    fake_cuda_counts copy;

    pthread_mutex_lock(&lock);
    copy = counts;
    pthread_mutex_unlock(&lock);
    return copy;
}

void fake_cuda_clear(void)
{
    pthread_mutex_lock(&lock);
    counts = (fake_cuda_counts){.live_allocs = counts.live_allocs,
                                .live_host_allocs = counts.live_host_allocs,
                                .live_contexts = counts.live_contexts,
                                .live_streams = counts.live_streams,
                                .live_memory = counts.live_memory,
                                .live_reserved = counts.live_reserved};
    failing[0] = 0;
    pthread_mutex_unlock(&lock);
}

void fake_cuda_fail(const char *function, int result, long after)
{
    pthread_mutex_lock(&lock);
    snprintf(failing, sizeof(failing), "%s", function);
    failing_result = result;
    failing_after = after;
    pthread_mutex_unlock(&lock);
}

int fake_cuda_depth(void)
{
    return depth;
}

__attribute__((constructor)) static void begin(void)
{
    const char *text = getenv("FAKE_CUDA_FAIL");

    if (text)
        sscanf(text, "%63[^:]:%d", failing, &failing_result);
}

__attribute__((destructor)) static void end(void)
{
    const char *path = getenv("FAKE_CUDA_REPORT");
    FILE *file = path ? fopen(path, "w") : NULL;

    if (!file)
        return;
    fprintf(file,
            "to-host %ld\nto-device %ld\non-device %ld\nmisuses %ld\n"
            "live-allocs %ld\n%s\n",
            counts.to_host, counts.to_device, counts.on_device, counts.misuses,
            counts.live_allocs, counts.misuse);
    fclose(file);
}

static int setting(const char *name, int otherwise)
{
    const char *text = getenv(name);

    return text ? atoi(text) : otherwise;
}

/* ---- checks: all with the lock ----------------------------------------------------- */

static CUresult misused(CUresult result, const char *function, const char *what)
{
    if (counts.misuses++ == 0)
        snprintf(counts.misuse, sizeof(counts.misuse), "%s: %s", function, what);
    return result;
}

static CUresult fails(const char *function)
{
    if (strcmp(failing, function) != 0 || failing_after-- > 0)
        return CUDA_SUCCESS;
    return (CUresult)failing_result;
}

static CUresult needs_init(const char *function)
{
    if (!initialised)
        return misused(CUDA_ERROR_NOT_INITIALIZED, function, "before cuInit");
    return fails(function);
}

static CUresult needs_context(const char *function)
{
    CUresult result = needs_init(function);

    if (result)
        return result;
    if (depth == 0)
        return misused(CUDA_ERROR_INVALID_CONTEXT, function, "no context is current");
    if (!stack[depth - 1]->alive)
        return misused(CUDA_ERROR_CONTEXT_IS_DESTROYED, function,
                       "the current context is destroyed");
    return CUDA_SUCCESS;
}

CUresult fake_cuda_begin(const char *function)
{
    pthread_mutex_lock(&lock);
    return needs_init(function);
}

CUresult fake_cuda_end(CUresult result)
{
    pthread_mutex_unlock(&lock);
    return result;
}

CUresult fake_cuda_misused(CUresult result, const char *function, const char *what)
{
    return misused(result, function, what);
}

fake_cuda_counts *fake_cuda_live(void)
{
    return &counts;
}

/* Begins and ends a function that has an int of that name. */
#define ENTER(check)                                                                     \
    CUresult result;                                                                     \
    pthread_mutex_lock(&lock);                                                           \
    result = check(__func__);                                                            \
    if (result)                                                                          \
    goto out
#define LEAVE                                                                            \
    out:                                                                                 \
    pthread_mutex_unlock(&lock);                                                         \
    return result

/* ---- driver and devices -------------------------------------------------------------
 */

FAKECUDA CUresult cuInit(unsigned int flags)
{
    (void)flags;
    ENTER(fails);
    initialised = true;
    LEAVE;
}

FAKECUDA CUresult cuDeviceGetCount(int *count)
{
    ENTER(needs_init);
    *count = setting("FAKE_CUDA_DEVICES", 1);
    LEAVE;
}

FAKECUDA CUresult cuDeviceGet(CUdevice *device, int ordinal)
{
    ENTER(needs_init);
    *device = ordinal;
    if (ordinal < 0 || ordinal >= setting("FAKE_CUDA_DEVICES", 1))
        result = CUDA_ERROR_INVALID_DEVICE;
    LEAVE;
}

FAKECUDA CUresult cuDeviceGetName(char *name, int length, CUdevice device)
{
    ENTER(needs_init);
    snprintf(name, (size_t)length, "fake GPU %d", device);
    LEAVE;
}

FAKECUDA CUresult cuDeviceGetAttribute(int *value, CUdevice_attribute what,
                                       CUdevice device)
{
    int capability = setting("FAKE_CUDA_CAPABILITY", 90);

    (void)device;
    ENTER(needs_init);
    *value = what == CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR   ? capability / 10
             : what == CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR ? capability % 10
             : what == CU_DEVICE_ATTRIBUTE_TEXTURE_ALIGNMENT        ? PITCH
             : what == CU_DEVICE_ATTRIBUTE_VIRTUAL_MEMORY_MANAGEMENT_SUPPORTED
                 ? setting("FAKE_CUDA_VIRTUAL", 1)
                 : 0;
    LEAVE;
}

/* ---- contexts -----------------------------------------------------------------------
 */

static CUcontext new_context(CUdevice device, int retained)
{
    CUcontext context = calloc(1, sizeof(*context));

    *context = (struct CUctx_st){contexts, device, true, retained};
    contexts = context;
    counts.live_contexts++;
    return context;
}

static CUresult push(CUcontext context, const char *function)
{
    if (depth == MAX_DEPTH)
        return misused(CUDA_ERROR_INVALID_VALUE, function, "never popped");
    stack[depth++] = context;
    return CUDA_SUCCESS;
}

/* As the driver does: it becomes current. */
FAKECUDA CUresult cuCtxCreate_v2(CUcontext *out, unsigned int flags, CUdevice device)
{
    (void)flags;
    ENTER(needs_init);
    *out = new_context(device, -1);
    result = push(*out, __func__);
    LEAVE;
}

FAKECUDA CUresult cuCtxDestroy_v2(CUcontext context)
{
    ENTER(needs_init);
    if (!context->alive) {
        result = misused(CUDA_ERROR_INVALID_CONTEXT, __func__, "twice");
        goto out;
    }
    for (const struct block *b = blocks; b; b = b->next)
        if (b->context == context)
            misused(CUDA_SUCCESS, __func__, "there is memory in it");
    context->alive = false;
    counts.live_contexts--;
    LEAVE;
}

FAKECUDA CUresult cuCtxPushCurrent_v2(CUcontext context)
{
    ENTER(needs_init);
    if (!context || !context->alive) {
        result = misused(CUDA_ERROR_INVALID_CONTEXT, __func__, "no living context");
        goto out;
    }
    counts.pushes++;
    result = push(context, __func__);
    LEAVE;
}

FAKECUDA CUresult cuCtxPopCurrent_v2(CUcontext *context)
{
    ENTER(fails);
    if (depth == 0) {
        result = misused(CUDA_ERROR_INVALID_CONTEXT, __func__, "nothing was pushed");
        goto out;
    }
    depth--;
    if (context)
        *context = stack[depth];
    LEAVE;
}

FAKECUDA CUresult cuCtxGetDevice(CUdevice *device)
{
    ENTER(needs_context);
    *device = stack[depth - 1]->device;
    LEAVE;
}

FAKECUDA CUresult cuDevicePrimaryCtxRetain(CUcontext *out, CUdevice device)
{
    CUcontext context;

    ENTER(needs_init);
    for (context = contexts; context; context = context->next)
        if (context->retained > 0 && context->device == device)
            break;
    if (!context)
        context = new_context(device, 0);
    context->retained++;
    *out = context;
    LEAVE;
}

FAKECUDA CUresult cuDevicePrimaryCtxRelease_v2(CUdevice device)
{
    ENTER(needs_init);
    for (CUcontext context = contexts; context; context = context->next)
        if (context->retained > 0 && context->device == device &&
            --context->retained == 0) {
            context->alive = false;
            counts.live_contexts--;
        }
    LEAVE;
}

/* ---- memory -------------------------------------------------------------------------
 */

static CUresult add_block(void **out, size_t size, CUcontext context)
{
    struct block *b = calloc(1, sizeof(*b));

    *b = (struct block){blocks, malloc(size ? size : 1), size, context};
    memset(b->at, 0xcd, size);
    blocks = b;
    *(context ? &counts.allocs : &counts.host_allocs) += 1;
    *(context ? &counts.live_allocs : &counts.live_host_allocs) += 1;
    *out = b->at;
    return CUDA_SUCCESS;
}

static CUresult drop_block(const void *at, bool host, const char *function)
{
    for (struct block **b = &blocks; *b; b = &(*b)->next) {
        struct block *found = *b;

        if (found->at != at || !found->context != host)
            continue;
        if (found->context && found->context != stack[depth - 1])
            return misused(CUDA_ERROR_INVALID_VALUE, function, "of another context");
        *b = found->next;
        *(host ? &counts.live_host_allocs : &counts.live_allocs) -= 1;
        memset(found->at, 0xdd, found->size);
        free(found->at);
        free(found);
        return CUDA_SUCCESS;
    }
    return misused(CUDA_ERROR_INVALID_VALUE, function, "no such memory");
}

FAKECUDA CUresult cuMemAlloc_v2(CUdeviceptr *out, size_t size)
{
    ENTER(needs_context);
    result = add_block((void **)out, size, stack[depth - 1]);
    LEAVE;
}

FAKECUDA CUresult cuMemAllocPitch_v2(CUdeviceptr *out, size_t *pitch, size_t width,
                                     size_t height, unsigned int element)
{
    (void)element;
    ENTER(needs_context);
    *pitch = (width + PITCH - 1) / PITCH * PITCH;
    result = add_block((void **)out, *pitch * height, stack[depth - 1]);
    LEAVE;
}

FAKECUDA CUresult cuMemFree_v2(CUdeviceptr at)
{
    ENTER(needs_context);
    result = drop_block((void *)at, false, __func__);
    LEAVE;
}

FAKECUDA CUresult cuMemAllocHost_v2(void **out, size_t size)
{
    ENTER(needs_context);
    result = add_block(out, size, NULL);
    LEAVE;
}

FAKECUDA CUresult cuMemFreeHost(void *at)
{
    ENTER(needs_context);
    result = drop_block(at, true, __func__);
    LEAVE;
}

/* Whether rows of device memory are all in one piece of the current context's. */
static bool is_ours(CUdeviceptr at, size_t pitch, size_t width, size_t height)
{
    const char *first = (const char *)at;
    size_t size = height ? (height - 1) * pitch + width : 0;

    for (const struct block *b = blocks; b; b = b->next)
        if (b->context == stack[depth - 1] && first >= b->at &&
            first + size <= b->at + b->size)
            return true;
    return false;
}

static CUresult copy_2d(const CUDA_MEMCPY2D *c, const char *function)
{
    bool from_host = c->srcMemoryType == CU_MEMORYTYPE_HOST;
    bool to_host = c->dstMemoryType == CU_MEMORYTYPE_HOST;
    const char *from = from_host ? c->srcHost : (const char *)c->srcDevice;
    char *to = to_host ? c->dstHost : (char *)c->dstDevice;
    size_t bytes = c->WidthInBytes * c->Height;

    from += c->srcY * c->srcPitch + c->srcXInBytes;
    to += c->dstY * c->dstPitch + c->dstXInBytes;
    if ((!from_host &&
         !is_ours((CUdeviceptr)from, c->srcPitch, c->WidthInBytes, c->Height)) ||
        (!to_host && !is_ours((CUdeviceptr)to, c->dstPitch, c->WidthInBytes, c->Height)))
        return misused(CUDA_ERROR_INVALID_VALUE, function,
                       "memory of another context, or of none");
    for (size_t y = 0; y < c->Height; y++)
        memmove(to + y * c->dstPitch, from + y * c->srcPitch, c->WidthInBytes);
    *(to_host ? &counts.to_host : from_host ? &counts.to_device : &counts.on_device) += 1;
    *(to_host     ? &counts.to_host_bytes
      : from_host ? &counts.to_device_bytes
                  : &counts.on_device_bytes) += bytes;
    return CUDA_SUCCESS;
}

FAKECUDA CUresult cuMemcpy2D_v2(const CUDA_MEMCPY2D *copy)
{
    ENTER(needs_context);
    result = copy_2d(copy, __func__);
    LEAVE;
}

FAKECUDA CUresult cuMemcpy2DAsync_v2(const CUDA_MEMCPY2D *copy, CUstream stream)
{
    ENTER(needs_context);
    if (stream && stream->context != stack[depth - 1])
        result = misused(CUDA_ERROR_INVALID_HANDLE, __func__, "another context's stream");
    else
        result = copy_2d(copy, __func__);
    LEAVE;
}

/* ---- streams -------------------------------------------------------------------------
 */

FAKECUDA CUresult cuStreamCreate(CUstream *out, unsigned int flags)
{
    (void)flags;
    ENTER(needs_context);
    *out = calloc(1, sizeof(**out));
    (*out)->context = stack[depth - 1];
    counts.live_streams++;
    LEAVE;
}

FAKECUDA CUresult cuStreamDestroy(CUstream stream)
{
    ENTER(needs_context);
    free(stream);
    counts.live_streams--;
    LEAVE;
}

FAKECUDA CUresult cuStreamDestroy_v2(CUstream stream)
{
    return cuStreamDestroy(stream);
}

FAKECUDA CUresult cuStreamSynchronize(CUstream stream)
{
    (void)stream;
    ENTER(needs_context);
    LEAVE;
}
