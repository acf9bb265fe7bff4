/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* counting.c - counts gst-cuda's copies on a machine with a GPU, for tests/gpu_bundle.sh:
 *
 *     LD_PRELOAD=counting.so COUNTING_REPORT=FILE gst-launch-1.0 ...
 *
 * gst-cuda finds the driver's functions by dlsym. This dlsym returns three functions of
 * its own, which count and call the driver's. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HOST 1 /* CU_MEMORYTYPE_HOST */

/* CUDA_MEMCPY2D. */
struct side {
    size_t x, y;
    int memory;
    const void *host;
    unsigned long long device;
    void *array;
    size_t pitch;
};
struct copy {
    struct side from, to;
    size_t width, height;
};

static atomic_long to_host, to_device, on_device, host_allocs;
static int (*real_copy)(const struct copy *c);
static int (*real_copy_async)(const struct copy *c, void *stream);
static int (*real_alloc_host)(void **p, size_t size);

static void count(const struct copy *c)
{
    atomic_fetch_add(c->to.memory == HOST     ? &to_host
                     : c->from.memory == HOST ? &to_device
                                              : &on_device,
                     1);
}

static int copy(const struct copy *c)
{
    count(c);
    return real_copy(c);
}

static int copy_async(const struct copy *c, void *stream)
{
    count(c);
    return real_copy_async(c, stream);
}

static int alloc_host(void **p, size_t size)
{
    atomic_fetch_add(&host_allocs, 1);
    return real_alloc_host(p, size);
}

__attribute__((visibility("default"))) void *dlsym(void *handle, const char *name)
{
    void *(*real)(void *, const char *);
    void *found;

    *(void **)&real = dlvsym(RTLD_NEXT, "dlsym", "GLIBC_2.2.5");
    if (!real)
        *(void **)&real = dlvsym(RTLD_NEXT, "dlsym", "GLIBC_2.17"); /* arm64 */
    found = real(handle, name);
    if (!found || strncmp(name, "cuMem", 5) != 0)
        return found;
    if (!strcmp(name, "cuMemcpy2D_v2")) {
        *(void **)&real_copy = found;
        found = *(void **)&(int (*)(const struct copy *)){copy};
    } else if (!strcmp(name, "cuMemcpy2DAsync_v2")) {
        *(void **)&real_copy_async = found;
        found = *(void **)&(int (*)(const struct copy *, void *)){copy_async};
    } else if (!strcmp(name, "cuMemAllocHost_v2")) {
        *(void **)&real_alloc_host = found;
        found = *(void **)&(int (*)(void **, size_t)){alloc_host};
    }
    return found;
}

__attribute__((destructor)) static void report(void)
{
    const char *path = getenv("COUNTING_REPORT");
    FILE *file = path ? fopen(path, "w") : NULL;

    if (!file)
        return;
    fprintf(file, "%ld to the host, %ld to the GPU, %ld on the GPU, %ld pinned\n",
            to_host, to_device, on_device, host_allocs);
    fclose(file);
}
