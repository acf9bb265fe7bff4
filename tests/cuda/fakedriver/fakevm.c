/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* fakevm.c - virtual memory of the fake driver: memory is a file, which may be mapped at
 * several addresses, and is accessible there after access has been granted. */
#include <cuda.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fakedriver.h"

#define GRANULARITY ((size_t)2 << 20)
#define MOST 64

static struct {
    int file; /* 0: none */
    size_t size;
    int names, mappings;
} memory[MOST]; /* a handle is the index, and 1 */

static struct {
    char *at; /* NULL: none */
    size_t size;
    int memory; /* of a mapping: its index; -1: a reservation */
} range[MOST];

static int free_range(void)
{
    for (int i = 0; i < MOST; i++)
        if (!range[i].at)
            return i;
    abort();
}

static int find_range(CUdeviceptr at, size_t size, bool mapping)
{
    for (int i = 0; i < MOST; i++)
        if (range[i].at == (char *)(uintptr_t)at && range[i].size == size &&
            (range[i].memory >= 0) == mapping)
            return i;
    return -1;
}

static bool overlaps(int i, const char *at, size_t size)
{
    return range[i].at && at < range[i].at + range[i].size && range[i].at < at + size;
}

/* Within a reservation, and nothing is mapped there. */
static bool is_free(const char *at, size_t size)
{
    bool reserved = false;

    for (int i = 0; i < MOST; i++) {
        if (range[i].memory >= 0 && overlaps(i, at, size))
            return false;
        if (range[i].memory < 0 && range[i].at && at >= range[i].at &&
            at + size <= range[i].at + range[i].size)
            reserved = true;
    }
    return reserved;
}

static int index_of(CUmemGenericAllocationHandle handle)
{
    int i = (int)handle - 1;

    return handle && handle <= MOST && memory[i].names > 0 ? i : -1;
}

static void end_if_unused(int i)
{
    if (memory[i].names || memory[i].mappings)
        return;
    close(memory[i].file);
    memory[i].file = 0;
    fake_cuda_live()->live_memory -= (long)memory[i].size;
}

static bool is_ours(const CUmemAllocationProp *prop)
{
    return prop->type == CU_MEM_ALLOCATION_TYPE_PINNED &&
           prop->location.type == CU_MEM_LOCATION_TYPE_DEVICE && prop->location.id == 0;
}

FAKECUDA CUresult cuMemGetAllocationGranularity(size_t *bytes,
                                                const CUmemAllocationProp *prop,
                                                CUmemAllocationGranularity_flags which)
{
    CUresult result = fake_cuda_begin(__func__);

    (void)which;
    *bytes = GRANULARITY;
    if (!result && !is_ours(prop))
        result = fake_cuda_misused(CUDA_ERROR_INVALID_VALUE, __func__, "properties");
    return fake_cuda_end(result);
}

FAKECUDA CUresult cuMemAddressReserve(CUdeviceptr *at, size_t size, size_t alignment,
                                      CUdeviceptr where, unsigned long long flags)
{
    CUresult result = fake_cuda_begin(__func__);
    char *p;
    int i;

    if (!result && (size == 0 || size % GRANULARITY || alignment || where || flags))
        result = fake_cuda_misused(CUDA_ERROR_INVALID_VALUE, __func__, "size or flags");
    if (result)
        return fake_cuda_end(result);
    p = mmap(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    i = free_range();
    range[i].at = p;
    range[i].size = size;
    range[i].memory = -1;
    fake_cuda_live()->live_reserved += (long)size;
    *at = (CUdeviceptr)(uintptr_t)p;
    return fake_cuda_end(result);
}

FAKECUDA CUresult cuMemAddressFree(CUdeviceptr at, size_t size)
{
    CUresult result = fake_cuda_begin(__func__);
    int i = find_range(at, size, false);

    if (!result && (i < 0 || !is_free(range[i].at, size)))
        result = fake_cuda_misused(CUDA_ERROR_INVALID_VALUE, __func__,
                                   i < 0 ? "no such reservation" : "it is mapped");
    if (result)
        return fake_cuda_end(result);
    munmap(range[i].at, size);
    range[i].at = NULL;
    fake_cuda_live()->live_reserved -= (long)size;
    return fake_cuda_end(result);
}

FAKECUDA CUresult cuMemCreate(CUmemGenericAllocationHandle *handle, size_t size,
                              const CUmemAllocationProp *prop, unsigned long long flags)
{
    CUresult result = fake_cuda_begin(__func__);
    int i = 0;

    if (!result && (size == 0 || size % GRANULARITY || flags || !is_ours(prop)))
        result = fake_cuda_misused(CUDA_ERROR_INVALID_VALUE, __func__, "size or flags");
    if (result)
        return fake_cuda_end(result);
    while (memory[i].file)
        i++;
    memory[i].file = memfd_create("fake GPU", MFD_CLOEXEC);
    if (memory[i].file < 0 || ftruncate(memory[i].file, (off_t)size))
        abort();
    memory[i].size = size;
    memory[i].names = 1;
    fake_cuda_live()->live_memory += (long)size;
    *handle = (CUmemGenericAllocationHandle)i + 1;
    return fake_cuda_end(result);
}

FAKECUDA CUresult cuMemRelease(CUmemGenericAllocationHandle handle)
{
    CUresult result = fake_cuda_begin(__func__);
    int i = index_of(handle);

    if (!result && i < 0)
        result = fake_cuda_misused(CUDA_ERROR_INVALID_VALUE, __func__, "no such memory");
    if (!result) {
        memory[i].names--;
        end_if_unused(i);
    }
    return fake_cuda_end(result);
}

FAKECUDA CUresult cuMemRetainAllocationHandle(CUmemGenericAllocationHandle *handle,
                                              void *at)
{
    CUresult result = fake_cuda_begin(__func__);
    int found = -1;

    for (int i = 0; i < MOST; i++)
        if (range[i].memory >= 0 && overlaps(i, at, 1))
            found = range[i].memory;
    if (!result && found < 0)
        result = fake_cuda_misused(CUDA_ERROR_INVALID_VALUE, __func__, "nothing there");
    if (!result) {
        memory[found].names++;
        *handle = (CUmemGenericAllocationHandle)found + 1;
    }
    return fake_cuda_end(result);
}

FAKECUDA CUresult cuMemMap(CUdeviceptr at, size_t size, size_t offset,
                           CUmemGenericAllocationHandle handle, unsigned long long flags)
{
    CUresult result = fake_cuda_begin(__func__);
    char *p = (char *)(uintptr_t)at;
    int m = index_of(handle), i;

    if (!result &&
        (m < 0 || offset || flags || size != memory[m].size || !is_free(p, size)))
        result = fake_cuda_misused(CUDA_ERROR_INVALID_VALUE, __func__, "what or where");
    if (result)
        return fake_cuda_end(result);
    mmap(p, size, PROT_NONE, MAP_SHARED | MAP_FIXED, memory[m].file, 0);
    i = free_range();
    range[i].at = p;
    range[i].size = size;
    range[i].memory = m;
    memory[m].mappings++;
    return fake_cuda_end(result);
}

FAKECUDA CUresult cuMemSetAccess(CUdeviceptr at, size_t size,
                                 const CUmemAccessDesc *access, size_t count)
{
    CUresult result = fake_cuda_begin(__func__);

    if (!result &&
        (find_range(at, size, true) < 0 || count != 1 ||
         access->location.type != CU_MEM_LOCATION_TYPE_DEVICE || access->location.id ||
         access->flags != CU_MEM_ACCESS_FLAGS_PROT_READWRITE))
        result = fake_cuda_misused(CUDA_ERROR_INVALID_VALUE, __func__, "where or how");
    if (!result)
        mprotect((void *)(uintptr_t)at, size, PROT_READ | PROT_WRITE);
    return fake_cuda_end(result);
}

FAKECUDA CUresult cuMemUnmap(CUdeviceptr at, size_t size)
{
    CUresult result = fake_cuda_begin(__func__);
    int i = find_range(at, size, true), m;

    if (!result && i < 0)
        result = fake_cuda_misused(CUDA_ERROR_INVALID_VALUE, __func__, "not mapped");
    if (result)
        return fake_cuda_end(result);
    mmap(range[i].at, size, PROT_NONE,
         MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
    m = range[i].memory;
    range[i].at = NULL;
    range[i].memory = -1;
    memory[m].mappings--;
    end_if_unused(m);
    return fake_cuda_end(result);
}
