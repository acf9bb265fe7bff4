// SPDX-License-Identifier: LGPL-2.1-or-later
// blocks.cpp - the blocks of a kernel, one after another: shared memory full of NaNs,
// copies that land when they are waited for, fragments of tensor cores.
#include <cstdio>
#include <cstdlib>

#include "emulation.h"

__thread emulated_index threadIdx, blockIdx, blockDim, gridDim;
__thread char *emulated_shared;
static const size_t fragment_alignment = 32;

// Copies of one thread that have not landed, the oldest first; closed[i]: of group i.
struct copies {
    struct {
        void *to;
        const void *from;
        bool there;
    } copy[64];
    int closed[8];
    int n, open, groups;
};
static thread_local copies waiting[1024]; // by thread of the block

void emulated_copy16(void *to, const void *from, bool there)
{
    copies *c = &waiting[threadIdx.x];

    if (c->n == 64)
        abort(); // more than any kernel should have under way
    emulated_check_vector(to);
    if (there)
        emulated_check_vector(from);
    c->copy[c->n++] = {to, from, there};
    c->open++;
}

static void land(copies *c)
{
    int n = c->closed[0];

    for (int i = 0; i < n; i++) {
        if (c->copy[i].there)
            memcpy(c->copy[i].to, c->copy[i].from, 16);
        else
            memset(c->copy[i].to, 0, 16);
    }
    c->n -= n;
    memmove(c->copy, c->copy + n, (size_t)c->n * sizeof(c->copy[0]));
    c->groups--;
    memmove(c->closed, c->closed + 1, (size_t)c->groups * sizeof(c->closed[0]));
}

void emulated_commit(void)
{
    copies *c = &waiting[threadIdx.x];

    if (c->groups == 8)
        abort();
    c->closed[c->groups++] = c->open;
    c->open = 0;
}

void emulated_wait(int but)
{
    copies *c = &waiting[threadIdx.x];

    while (c->groups > but)
        land(c);
}

void emulated_check_vector(const void *p)
{
    if ((uintptr_t)p % 16) {
        fprintf(stderr, "16 bytes at once at %p, which is no multiple of 16\n", p);
        abort();
    }
}

void emulated_check_fragment(const void *p, size_t pitch)
{
    if ((uintptr_t)p % fragment_alignment || pitch % 16) {
        fprintf(stderr, "a fragment at %p, rows %zu bytes apart\n", p, pitch);
        abort();
    }
}

__global__ void emulated_multiply_add(float *sums, const float *left, const float *right)
{
    for (int i = 0; i < 16; i++)
        for (int k = 0; k < 16; k++)
            for (int n = 0; n < 16; n++)
                sums[i * 16 + n] += left[i * 16 + k] * right[k * 16 + n];
}

static unsigned long gcd(unsigned long a, unsigned long b)
{
    return b ? gcd(b, a % b) : a;
}

// Blocks come in no order that anyone may count on.
void emulated_blocks(dim3 grid, const std::function<void()> &block_function,
                     size_t shared)
{
    alignas(64) static thread_local char memory[EMULATED_SHARED_MOST + 64];
    unsigned long all = (unsigned long)grid.x * grid.y * grid.z, stride = all / 3 * 2 + 1;

    while (gcd(stride, all) != 1)
        stride++;
    emulated_shared = memory;
    for (unsigned long i = 0, b = all / 2; i < all; i++, b = (b + stride) % all) {
        blockIdx = {(unsigned int)(b % grid.x), (unsigned int)(b / grid.x % grid.y),
                    (unsigned int)(b / grid.x / grid.y)};
        if (shared)
            memset(memory, 0xff, shared);
        block_function();
    }
}
