// SPDX-License-Identifier: LGPL-2.1-or-later
// blocks.cpp - runs the blocks of a kernel one after another: shared memory full of NaNs,
// asynchronous copies that arrive when they are waited for, fragments of tensor cores.
#include <cstdio>
#include <cstdlib>
#include <memory>

#include "emulation.h"

// Read for each copy of 16 bytes: here without the call that a library's variables need.
// (Not in the kernels: binutils 2.40 cannot link programs with all that gcc makes of it
// there.)
#define EMULATED_THREAD __thread __attribute__((tls_model("initial-exec")))
EMULATED_THREAD emulated_index threadIdx, blockIdx, blockDim, gridDim;
EMULATED_THREAD char *emulated_shared;
static const size_t fragment_alignment = 32;

// Copies of one thread that have not arrived: from `first` to `next`. Closed groups are
// those from `landed` to `closed`; group g holds the copies before ends[g]. Numbers only
// grow.
struct copies {
    struct {
        void *to;
        const void *from;
        bool there;
    } copy[64];
    unsigned ends[8], first, next, landed, closed;
};
// What a thread of the host needs to run a block.
struct host_thread {
    copies waiting[1024]; // by thread of the block
    alignas(64) char shared[EMULATED_SHARED_MOST + 64];
    alignas(64) char places[1 << 20];
    size_t placed;
};
static EMULATED_THREAD struct host_thread *me;

char *emulated_place(size_t bytes)
{
    char *place = me->places + me->placed;

    me->placed += (bytes + 63) / 64 * 64;
    if (me->placed > sizeof(me->places))
        abort(); // more than any kernel should have
    return place;
}

void emulated_copy16(void *to, const void *from, bool there)
{
    copies *c = &me->waiting[threadIdx.x];

    if (c->next - c->first == 64)
        abort(); // more than any kernel should have under way
    emulated_check_vector(to);
    if (there)
        emulated_check_vector(from);
    c->copy[c->next++ % 64] = {to, from, there};
}

static void land(copies *c)
{
    for (unsigned end = c->ends[c->landed++ % 8]; c->first != end; c->first++) {
        auto copy = c->copy[c->first % 64];

        if (copy.there)
            memcpy(copy.to, copy.from, 16);
        else
            memset(copy.to, 0, 16);
    }
}

void emulated_commit(void)
{
    copies *c = &me->waiting[threadIdx.x];

    if (c->closed - c->landed == 8)
        abort();
    c->ends[c->closed++ % 8] = c->next;
}

void emulated_wait(int but)
{
    copies *c = &me->waiting[threadIdx.x];

    while (c->closed - c->landed > (unsigned)but)
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

// Row by row, each in registers. Arguments are whole fragments, so that sanitizers check
// only their loads and stores; checking here would be several times slower.
__attribute__((no_sanitize("address", "undefined"))) __global__ void
emulated_multiply_add(float *sums, const float *left, const float *right)
{
    typedef float row __attribute__((vector_size(64), aligned(4), may_alias));
    const row *rows = (const row *)right;

    for (int i = 0; i < 16; i++) {
        row sum = ((row *)sums)[i];

        for (int k = 0; k < 16; k++)
            sum += left[i * 16 + k] * rows[k];
        ((row *)sums)[i] = sum;
    }
}

static unsigned long gcd(unsigned long a, unsigned long b)
{
    return b ? gcd(b, a % b) : a;
}

// Blocks run in an order that kernels must not rely on.
void emulated_blocks(dim3 grid, const std::function<void()> &block_function,
                     size_t shared)
{
    static thread_local std::unique_ptr<struct host_thread> own;
    unsigned long all = (unsigned long)grid.x * grid.y * grid.z, stride = all / 3 * 2 + 1;

    while (gcd(stride, all) != 1)
        stride++;
    if (!own)
        own.reset(new host_thread());
    me = own.get();
    emulated_shared = me->shared;
    for (unsigned long i = 0, b = all / 2; i < all; i++, b = (b + stride) % all) {
        blockIdx = {(unsigned int)(b % grid.x), (unsigned int)(b / grid.x % grid.y),
                    (unsigned int)(b / grid.x / grid.y)};
        me->placed = 0;
        if (shared)
            memset(me->shared, 0xff, shared);
        block_function();
    }
}
