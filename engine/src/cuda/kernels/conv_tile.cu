// SPDX-License-Identifier: LGPL-2.1-or-later
// conv_tile.cu - convolutions on tensor cores, for maps so small that a library's kernels
// leave most of the GPU idle: see conv_tile.c.
//
// The convolution is a matrix product, [pixels][taps x channels] times [taps x
// channels][outputs]. The left matrix is never stored: a block gathers its rows from the
// input, STEP columns at a time, a few steps ahead of the arithmetic. The columns may be
// split among several blocks ("parts"). Each block writes its sums to the workspace, and
// the last one to finish adds them, always in the same order, so that results are
// bit-identical from run to run.
#include "tile.cuh"

#define STEP 32          // columns at a time
#define PITCH (STEP + 8) // fp16 numbers; rows start in different banks
#define THREADS 128
#define CHUNKS (STEP / 8)       // of 16 bytes, in a row of a step
#define ROWS (THREADS / CHUNKS) // that all threads fetch at a time

struct place_of_row {
    long long base; // of its image, in halves
    int y, x;       // of its window's first tap; y is far outside for no row
};

// M x N sums by WM x WN warps, with S steps in shared memory.
template <int M_, int N_, int WM, int WN_, int S_> struct shape {
    static const int M = M_, N = N_, WN = WN_, S = S_;
    static const int FM = M / WM / 16, FN = N / WN / 16; // fragments of a warp
    static const int pad = N + 4;                        // floats of a row of sums
};

template <class T> struct alignas(32) tile {
    union {
        struct {
            __half left[T::S][T::M][PITCH], right[T::S][T::N][PITCH];
        } in;
        float sums[T::M][T::pad];
    };
    struct place_of_row row[T::M];
    int last;
};

template <class T>
static __device__ inline void find_rows(const struct rv_tile_conv &c, struct tile<T> *t)
{
    for (int m = (int)threadIdx.x; m < T::M; m += THREADS) {
        int pixel = (int)blockIdx.x * T::M + m, n = pixel / (c.oh * c.ow);
        int rest = pixel - n * c.oh * c.ow, oy = rest / c.ow;

        t->row[m].base = (long long)n * c.ih * c.iw * c.ic;
        t->row[m].y = pixel < c.pixels ? oy * c.stride - c.pad : -(1 << 24);
        t->row[m].x = (rest - oy * c.ow) * c.stride - c.pad;
    }
}

// Fetches one thread's share of columns `at` to at + STEP, of the left and of the right
// operand.
template <class T>
static __device__ inline void fetch_left(const struct rv_tile_conv &c, struct tile<T> *t,
                                         const __half *x, int stage, int at)
{
    int chunk = (int)threadIdx.x % CHUNKS, k = at + chunk * 8;
    int tap = k / c.ic, channel = k - tap * c.ic, ty = tap / c.size;
    int tx = tap - ty * c.size, first = (int)threadIdx.x / CHUNKS;

    RV_UNROLL
    for (int r = 0; r < T::M / ROWS; r++) {
        int m = first + r * ROWS;
        int y = t->row[m].y + ty, w = t->row[m].x + tx;
        bool there = k < c.columns && y >= 0 && y < c.ih && w >= 0 && w < c.iw;
        const __half *from = x;

        if (there)
            from += t->row[m].base + ((long long)y * c.iw + w) * c.ic + channel;
        rv_copy16(&t->in.left[stage][m][chunk * 8], from, there);
    }
}

template <class T>
static __device__ inline void fetch_right(const struct rv_tile_conv &c, struct tile<T> *t,
                                          int stage, int at)
{
    int chunk = (int)threadIdx.x % CHUNKS, k = at + chunk * 8;
    int first = (int)threadIdx.x / CHUNKS;

    RV_UNROLL
    for (int r = 0; r < T::N / ROWS; r++) {
        int n = first + r * ROWS, o = (int)blockIdx.y * T::N + n;
        bool there = k < c.columns && o < c.oc;
        const __half *from = (const __half *)c.kernel;

        if (there)
            from += (long long)o * c.columns + k;
        rv_copy16(&t->in.right[stage][n][chunk * 8], from, there);
    }
}

// A warp's products of one step.
template <class T>
static __device__ inline void multiply(const struct tile<T> *t, int stage, rv_sums *sums)
{
    int warp = (int)threadIdx.x / 32, m = warp / T::WN * T::FM * 16;
    int n = warp % T::WN * T::FN * 16;

    RV_UNROLL
    for (int k = 0; k < STEP; k += 16) {
        rv_left left[T::FM];
        rv_right right[T::FN];

        RV_UNROLL
        for (int i = 0; i < T::FM; i++)
            rv_load(left[i], &t->in.left[stage][m + 16 * i][k], PITCH);
        RV_UNROLL
        for (int i = 0; i < T::FN; i++)
            rv_load(right[i], &t->in.right[stage][n + 16 * i][k], PITCH);
        RV_UNROLL
        for (int i = 0; i < T::FM * T::FN; i++)
            rv_multiply_add(sums[i], left[i / T::FN], right[i % T::FN]);
    }
}

// Sums steps `from` to `to` into t->sums.
template <class T>
static __device__ inline void sum_up(const struct rv_tile_conv &c, struct tile<T> *t,
                                     const __half *x, int from, int to)
{
    const int lookahead = T::S - 1;
    RV_KEPT(rv_sums, sums, T::FM * T::FN);

    RV_THREADS
    {
        for (int s = 0; s < lookahead && from + s < to; s++)
            fetch_right(c, t, s, (from + s) * STEP);
        RV_INPUTS_READY; // weights are constants
        for (int s = 0; s < lookahead; s++) {
            if (from + s < to)
                fetch_left(c, t, x, s, (from + s) * STEP);
            rv_commit();
        }
    }
    RV_WARPS
    {
        for (int i = 0; i < T::FM * T::FN; i++)
            rv_zero(RV_MINE(sums)[i]);
    }
    for (int k = from; k < to; k++) {
        RV_THREADS
        {
            rv_wait<lookahead - 1>();
        }
        RV_SYNC // also: all are done with the stage that is filled next
            RV_THREADS
        {
            if (k + lookahead < to) {
                fetch_left(c, t, x, (k - from + lookahead) % T::S,
                           (k + lookahead) * STEP);
                fetch_right(c, t, (k - from + lookahead) % T::S, (k + lookahead) * STEP);
            }
            rv_commit();
        }
        RV_WARPS
        {
            multiply(t, (k - from) % T::S, RV_MINE(sums));
        }
    }
    RV_THREADS
    {
        rv_wait<0>();
    }
    RV_SYNC // sums overwrite what has been multiplied
        RV_WARPS
    {
        int warp = (int)threadIdx.x / 32, m = warp / T::WN * T::FM * 16;
        int n = warp % T::WN * T::FN * 16;

        RV_UNROLL
        for (int i = 0; i < T::FM * T::FN; i++)
            rv_store(&t->sums[m + i / T::FN * 16][n + i % T::FN * 16], RV_MINE(sums)[i],
                     T::pad);
    }
    RV_SYNC
}

// Finishes eight outputs of one pixel: bias, `add`, ReLU.
static __device__ inline void finish8(const struct rv_tile_conv &c, float v[8],
                                      long long at, int o, const void *add, void *y)
{
    struct rv_eight e;

    RV_UNROLL
    for (int i = 0; i < 8; i++)
        v[i] += c.bias[o + i];
    if (add && c.out == RV_F16) {
        e = get8((const __half *)add + at);
        RV_UNROLL
        for (int i = 0; i < 8; i++)
            v[i] += __half2float(e.v[i]);
    } else if (add) {
        RV_UNROLL
        for (int i = 0; i < 8; i++)
            v[i] += ((const float *)add)[at + i];
    }
    RV_UNROLL
    for (int i = 0; i < 8; i++)
        v[i] = c.relu && v[i] < 0 ? 0 : v[i];
    if (c.out == RV_F16) {
        RV_UNROLL
        for (int i = 0; i < 8; i++)
            e.v[i] = __float2half_rn(v[i]);
        put8((__half *)y + at, e);
        return;
    }
    RV_UNROLL
    for (int i = 0; i < 8; i++)
        ((float *)y)[at + i] = v[i];
}

// The address of part p's sums of eight outputs in the workspace.
static __device__ inline float *partial(const struct rv_tile_conv &c, float *workspace,
                                        int p, long long pixel, int o)
{
    return workspace + ((long long)p * c.pixels + pixel) * c.oc + o;
}

// Whether this block is the last of its tile's parts to arrive here.
template <class T>
static __device__ inline bool is_last(const struct rv_tile_conv &c, struct tile<T> *t)
{
    RV_SYNC
    RV_THREADS
    {
        int *ticket = &c.ticket[blockIdx.y * gridDim.x + blockIdx.x];

        if (threadIdx.x == 0) {
            t->last = atomicAdd(ticket, 1) == (int)gridDim.z - 1;
            if (t->last)
                *ticket = 0; // for the next frame
        }
    }
    RV_SYNC
    return t->last;
}

template <class T>
static __device__ inline void conv_tile(const struct rv_tile_conv &c, const void *x,
                                        const void *add, void *y, float *workspace)
{
    RV_SHARED(struct tile<T>, t, );
    const int groups = T::N / 8;
    int steps = (c.columns + STEP - 1) / STEP, parts = (int)gridDim.z;

    RV_THREADS
    {
        find_rows(c, &t);
    }
    RV_SYNC
    sum_up(c, &t, (const __half *)x, (int)((long long)steps * blockIdx.z / parts),
           (int)((long long)steps * (blockIdx.z + 1) / parts));
    RV_THREADS
    {
        for (int i = (int)threadIdx.x; i < T::M * groups; i += THREADS) {
            int m = i / groups, n = i % groups * 8, o = (int)blockIdx.y * T::N + n;
            long long pixel = (long long)blockIdx.x * T::M + m;
            float v[8];

            if (pixel >= c.pixels || o >= c.oc)
                continue;
            RV_UNROLL
            for (int j = 0; j < 8; j++)
                v[j] = t.sums[m][n + j];
            if (parts == 1)
                finish8(c, v, pixel * c.oc + o, o, add, y);
            RV_UNROLL
            for (int j = 0; j < 8 && parts > 1; j++)
                partial(c, workspace, (int)blockIdx.z, pixel, o)[j] = v[j];
        }
        RV_FENCE // before the ticket that says that the sums are there
    }
    if (parts == 1 || !is_last(c, &t))
        return;
    RV_THREADS
    {
        RV_FENCE
        for (int i = (int)threadIdx.x; i < T::M * groups; i += THREADS) {
            int m = i / groups, o = (int)blockIdx.y * T::N + i % groups * 8;
            long long pixel = (long long)blockIdx.x * T::M + m;
            float v[8] = {0};

            if (pixel >= c.pixels || o >= c.oc)
                continue;
            for (int p = 0; p < parts; p++) {
                const float *q = partial(c, workspace, p, pixel, o);

                RV_UNROLL
                for (int j = 0; j < 8; j++)
                    v[j] += q[j];
            }
            finish8(c, v, pixel * c.oc + o, o, add, y);
        }
    }
}

#define KERNEL(M, N, WM, WN, S)                                                          \
    static __global__ void conv_##M##x##N(struct rv_tile_conv c, const void *x,          \
                                          const void *add, void *y, float *workspace)    \
    {                                                                                    \
        conv_tile<shape<M, N, WM, WN, S>>(c, x, add, y, workspace);                      \
    }
KERNEL(32, 64, 1, 4, 4)
KERNEL(64, 32, 2, 2, 4)
KERNEL(64, 64, 2, 2, 4)
KERNEL(128, 64, 4, 1, 3)

cudaError_t rv_cuda_conv_tile(struct rv_tile_conv c, int m, int n, int parts,
                              const void *x, const void *add, void *y, void *workspace,
                              int chained, cudaStream_t stream)
{
    dim3 grid((unsigned int)((c.pixels + m - 1) / m), (unsigned int)((c.oc + n - 1) / n),
              (unsigned int)parts);
    auto kernel = m == 32              ? conv_32x64
                  : m == 64 && n == 32 ? conv_64x32
                  : m == 64            ? conv_64x64
                                       : conv_128x64;

    return RV_LAUNCH_CHAINED(kernel, grid, THREADS, stream, chained, c, x, add, y,
                             (float *)workspace);
}
