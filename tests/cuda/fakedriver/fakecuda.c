/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* fakecuda.c - the functions of libcuda that gst-cuda, nvcodec and librvos ask for. */
#include <cuda.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fakedriver.h"

#define MAX_DEPTH 64

/* Contexts are never freed, so that use after destruction is detected. */
struct CUctx_st {
    CUcontext next;
    CUdevice device;
    bool alive;
    int retained; /* of the primary one; -1: of another */
};

/* A driver is global state. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static fake_cuda_counts counts;
static CUcontext contexts;
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

CUresult fake_cuda_begin_in_context(const char *function, CUcontext *current)
{
    CUresult result;

    pthread_mutex_lock(&lock);
    result = needs_context(function);
    *current = result ? NULL : stack[depth - 1];
    return result;
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

/* ---- driver and devices ----------------------------------------------------------- */

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
             : what == CU_DEVICE_ATTRIBUTE_TEXTURE_ALIGNMENT        ? FAKE_CUDA_PITCH
             : what == CU_DEVICE_ATTRIBUTE_VIRTUAL_MEMORY_MANAGEMENT_SUPPORTED
                 ? setting("FAKE_CUDA_VIRTUAL", 1)
                 : 0;
    LEAVE;
}

/* ---- contexts --------------------------------------------------------------------- */

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

/* The new context becomes current, as with the driver. */
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
    if (fake_cuda_has_memory(context))
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
