// SPDX-License-Identifier: LGPL-2.1-or-later
// cell_tile.cu - a whole ConvLSTM cell in one kernel, on tensor cores.
//
// A block computes CHANNELS hidden channels of WIDE x HIGH pixels. It first makes the
// part of [ up(below) * mul | h_left ] that the convolution reads, with a border, in
// shared memory. There, sixteen pixels of a row are the rows of a fragment, for every
// tap. Only the weights are streamed. The warps split the pixels in two and the columns
// in four. Then a thread adds the four sums of each gate and the earlier sums (time,
// skip), and computes the cell.
#include "tile.cuh"

#define WIDE 16
#define HIGH 4
#define PIXELS (WIDE * HIGH)
#define CHANNELS 8             // hidden channels of a block
#define OUTPUTS (4 * CHANNELS) // its gates, gate by gate
#define THREADS 256
#define SPLIT 4           // ways in which columns are shared out
#define STEP (16 * SPLIT) // columns at a time
#define PITCH (STEP + 8)  // halves; rows begin in different banks
#define STAGES 4
#define SUMS_PITCH (OUTPUTS + 4)

// fp16 numbers from pixel to pixel. Fragments must start at a multiple of 32 bytes, and
// at most two of eight pixels may share banks.
static __host__ __device__ inline int pitch_of(int channels)
{
    int p = (channels + 15) / 16 * 16;

    return p % 32 == 16 ? p : p + 16;
}

struct layout {
    int border, across; // of the convolution; pixels of a row in shared memory
    int blocks, pitch;  // of 16 channels; halves of a pixel
    __half *picture, *weights;
    float *sums; // in the place of both, afterwards
};

static __device__ inline struct layout layout_of(const struct rv_cell_tile &m,
                                                 char *memory)
{
    struct layout l;

    l.border = m.size / 2;
    l.across = WIDE + 2 * l.border;
    l.blocks = (m.ic + 15) / 16;
    l.pitch = pitch_of(m.ic);
    l.picture = (__half *)memory;
    l.weights = l.picture + (HIGH + 2 * l.border) * l.across * l.pitch;
    l.sums = (float *)memory;
    return l;
}

// The rows and columns of a block's input, and their positions in the coarser map.
struct place_on_axis {
    int at; // -1: outside the map
    float frac;
};
struct places {
    struct place_on_axis row[HIGH + 2], column[WIDE + 2];
};

static __device__ inline void find_places(const struct rv_cell_args &m,
                                          const struct layout &l, struct places *p)
{
    int tiles = (m.h.w + WIDE - 1) / WIDE, i = (int)threadIdx.x;
    bool rows = i < HIGH + 2;
    int k = rows ? i : i - (HIGH + 2), size = rows ? m.h.h : m.h.w;
    int at = (rows ? (int)blockIdx.x / tiles * HIGH : (int)blockIdx.x % tiles * WIDE) +
             k - l.border;
    struct place_on_axis *out;

    if (k >= (rows ? HIGH : WIDE) + 2 * l.border)
        return;
    out = rows ? &p->row[k] : &p->column[k];
    out->at = at < 0 || at >= size ? -1 : at;
    out->frac = 0;
    if (out->at >= 0 && m.below.where)
        rv_bilinear_at(at, rows ? m.below.h : m.below.w, size, &out->at, &out->frac);
}

// Eight channels of the coarser state, interpolated between four of its pixels, times
// `times` if that is not NULL.
static __device__ inline struct rv_eight
upsampled(const struct rv_view &v, const __half *in, struct place_on_axis y,
          struct place_on_axis x, const __half *times)
{
    size_t down = y.at + 1 < v.h ? (size_t)v.w * v.pitch : 0;
    size_t right = x.at + 1 < v.w ? v.pitch : 0;
    const __half *at = in + ((size_t)y.at * v.w + x.at) * v.pitch;
    struct rv_eight a = get8(at), b = get8(at + right), d = get8(at + down);
    struct rv_eight e = get8(at + down + right), m, out;

    if (times)
        m = get8(times);
    RV_UNROLL
    for (int i = 0; i < 8; i++) {
        float l = __half2float(a.v[i]), r = __half2float(b.v[i]);

        l += y.frac * (__half2float(d.v[i]) - l);
        r += y.frac * (__half2float(e.v[i]) - r);
        l += x.frac * (r - l);
        out.v[i] = __float2half_rn(times ? l * __half2float(m.v[i]) : l);
    }
    return out;
}

// n / d for numbers below 2^20; faster than a division.
static __device__ inline int ratio(int n, float reciprocal)
{
    return (int)(((float)n + 0.5f) * reciprocal);
}

static __device__ inline void make_picture(const struct rv_cuda_job *job, int j,
                                           const struct rv_cell_args &m,
                                           const struct layout &l, const struct places *p)
{
    int tiles = (m.h.w + WIDE - 1) / WIDE, groups = l.blocks * 2;
    int x0 = (int)blockIdx.x % tiles * WIDE - l.border;
    int y0 = (int)blockIdx.x / tiles * HIGH - l.border;
    int all = (HIGH + 2 * l.border) * l.across * groups;
    int up = m.below.where ? m.below.c : 0, left = m.h_left.where ? m.h_left.c : 0;
    const __half *below = up ? (const __half *)image_of(job, j, &m.below, 0) : NULL;
    const __half *h_left = left ? (const __half *)image_of(job, j, &m.h_left, 0) : NULL;
    const __half *mul = m.mul.where ? (const __half *)image_of(job, j, &m.mul, 0) : NULL;
    float by_groups = 1.0f / (float)groups, by_across = 1.0f / (float)l.across;

    for (int i = (int)threadIdx.x; i < all; i += THREADS) {
        int pixel = ratio(i, by_groups), c = (i - pixel * groups) * 8;
        int y = ratio(pixel, by_across), x = pixel - y * l.across;
        size_t at = (size_t)(y0 + y) * m.h.w + x0 + x; // if it is inside
        struct rv_eight v;

        if (p->row[y].at < 0 || p->column[x].at < 0 || c >= up + left) {
            RV_UNROLL
            for (int k = 0; k < 8; k++)
                v.v[k] = __float2half_rn(0);
        } else if (c < up) {
            v = upsampled(m.below, below + c, p->row[y], p->column[x],
                          mul ? mul + at * m.mul.pitch + c : NULL);
        } else {
            v = get8(h_left + at * m.h_left.pitch + c - up);
        }
        put8(l.picture + pixel * l.pitch + c, v);
    }
}

// Fetches a thread's sixteen bytes of a step's weights.
static __device__ inline void fetch(const struct rv_cell_tile &m, const struct layout &l,
                                    int step)
{
    int chunk = (int)threadIdx.x % (STEP / 8), row = (int)threadIdx.x / (STEP / 8);
    int block = step * SPLIT + chunk / 2, tap = block / l.blocks;
    int c = (block - tap * l.blocks) * 16 + chunk % 2 * 8, taps = m.size * m.size;
    int gate = row / CHANNELS, n = (int)blockIdx.y * CHANNELS + row % CHANNELS;
    bool there = tap < taps && c < m.ic;
    const __half *from = (const __half *)m.kernel;
    __half *to = l.weights + ((step % STAGES) * OUTPUTS + row) * PITCH + chunk * 8;

    if (there)
        from += ((long long)(gate * m.cell.h.c + n) * taps + tap) * m.ic + c;
    rv_copy16(to, from, there);
}

// A warp's products: a quarter of a step's columns for half of the pixels.
static __device__ inline void multiply_gates(const struct rv_cell_tile &m,
                                             const struct layout &l, int step,
                                             rv_sums sums[4])
{
    int warp = (int)threadIdx.x / 32, half = warp / SPLIT, part = warp % SPLIT;
    int block = step * SPLIT + part, tap = block / l.blocks;
    int c = (block - tap * l.blocks) * 16, ty = tap / m.size, tx = tap - ty * m.size;
    const __half *w = l.weights + step % STAGES * OUTPUTS * PITCH + part * 16;
    rv_left left[2];
    rv_right right[2];

    if (tap >= m.size * m.size)
        return;
    RV_UNROLL
    for (int i = 0; i < 2; i++) {
        int y = half * (HIGH / 2) + i + ty;

        rv_load(left[i], l.picture + (y * l.across + tx) * l.pitch + c, l.pitch);
        rv_load(right[i], w + 16 * i * PITCH, PITCH);
    }
    RV_UNROLL
    for (int i = 0; i < 4; i++)
        rv_multiply_add(sums[i], left[i / 2], right[i % 2]);
}

// Computes sums over columns, [part][pixel][output].
static __device__ inline void convolve(const struct rv_cuda_job *job, int j,
                                       const struct rv_cell_tile &m,
                                       const struct layout &l)
{
    RV_SHARED(struct places, places, );
    RV_KEPT(rv_sums, sums, 4);
    int steps = (l.blocks * m.size * m.size + SPLIT - 1) / SPLIT;

    RV_THREADS
    {
        for (int s = 0; s < STAGES - 1; s++) {
            if (s < steps)
                fetch(m, l, s);
            rv_commit();
        }
        find_places(m.cell, l, &places);
    }
    RV_SYNC
    RV_THREADS
    {
        make_picture(job, j, m.cell, l, &places);
    }
    RV_WARPS
    {
        for (int i = 0; i < 4; i++)
            rv_zero(RV_MINE(sums)[i]);
    }
    for (int s = 0; s < steps; s++) {
        RV_THREADS
        {
            rv_wait<STAGES - 2>();
        }
        RV_SYNC // also: the picture is made, and all are done with the step filled next
            RV_THREADS
        {
            if (s + STAGES - 1 < steps)
                fetch(m, l, s + STAGES - 1);
            rv_commit();
        }
        RV_WARPS
        {
            multiply_gates(m, l, s, RV_MINE(sums));
        }
    }
    RV_THREADS
    {
        rv_wait<0>();
    }
    RV_SYNC // sums overwrite the picture
        RV_WARPS
    {
        int warp = (int)threadIdx.x / 32, half = warp / SPLIT, part = warp % SPLIT;

        RV_UNROLL
        for (int i = 0; i < 4; i++) {
            int pixel = part * PIXELS + (half * (HIGH / 2) + i / 2) * WIDE;

            rv_store(l.sums + pixel * SUMS_PITCH + i % 2 * 16, RV_MINE(sums)[i],
                     SUMS_PITCH);
        }
    }
    RV_SYNC
}

static __device__ inline float tile_gate_sum(const struct rv_cuda_job *job, int j,
                                             const struct rv_cell_tile &m,
                                             const struct layout &l, int in_block,
                                             size_t pixel, int gate, int n)
{
    int c = gate * m.cell.h.c + (int)blockIdx.y * CHANNELS + n;
    float v = 0;

    RV_UNROLL
    for (int p = 0; p < SPLIT; p++)
        v += l.sums[(p * PIXELS + in_block) * SUMS_PITCH + gate * CHANNELS + n];
    v += m.bias[c];
    if (m.cell.time.where)
        v += ((const float *)image_of(job, j, &m.cell.time,
                                      0))[pixel * m.cell.time.pitch + c];
    if (m.cell.skip.where)
        v += ((const float *)image_of(job, j, &m.cell.skip,
                                      0))[pixel * m.cell.skip.pitch + c];
    return v;
}

// Adds in the same order as cell.cu.
static __device__ inline void update(const struct rv_cuda_job *job, int j,
                                     const struct rv_cell_tile &m, const struct layout &l,
                                     int i)
{
    const struct rv_cell_args &cell = m.cell;
    int hidden = cell.h.c, n = i % CHANNELS, in_block = i / CHANNELS;
    int tiles = (cell.h.w + WIDE - 1) / WIDE;
    int x = (int)blockIdx.x % tiles * WIDE + in_block % WIDE;
    int y = (int)blockIdx.x / tiles * HIGH + in_block / WIDE;
    int channel = (int)blockIdx.y * CHANNELS + n;
    size_t pixel = (size_t)y * cell.h.w + x;
    float in, forget, out, candidate, c;

    if (x >= cell.h.w || y >= cell.h.h)
        return;
    in = tile_gate_sum(job, j, m, l, in_block, pixel, 0, n);
    forget = tile_gate_sum(job, j, m, l, in_block, pixel, 1, n);
    out = tile_gate_sum(job, j, m, l, in_block, pixel, 2, n);
    candidate = tile_gate_sum(job, j, m, l, in_block, pixel, 3, n);
    c = logistic(in) * tanhf(candidate);
    if (cell.c_left.where)
        c += logistic(forget) *
             ((const float *)image_of(job, j, &cell.c_left, 0))[pixel * hidden + channel];
    ((float *)image_of(job, j, &cell.c, 0))[pixel * hidden + channel] = c;
    ((__half *)image_of(job, j, &cell.h, 0))[pixel * cell.h.pitch + channel] =
        __float2half_rn(logistic(out) * tanhf(c));
}

static __global__ void cell_tile(const struct rv_cuda_job *job, struct rv_cell_tile m)
{
    RV_DYNAMIC_SHARED(memory);
    struct layout l = layout_of(m, memory);
    int j = (int)blockIdx.z;

    if (m.cell.object >= job[j].live[m.cell.decoder])
        return;
    convolve(job, j, m, l);
    RV_THREADS
    {
        for (int i = (int)threadIdx.x; i < PIXELS * CHANNELS; i += THREADS)
            update(job, j, m, l, i);
    }
}

static size_t dynamic_bytes(int ic, int size)
{
    size_t pixels = (size_t)(HIGH + size / 2 * 2) * (WIDE + size / 2 * 2);
    size_t work = (pixels * pitch_of(ic) + STAGES * OUTPUTS * PITCH) * sizeof(__half);
    size_t sums = (size_t)SPLIT * PIXELS * SUMS_PITCH * sizeof(float);

    return work > sums ? work : sums;
}

size_t rv_cuda_cell_tile_shared(int ic, int size)
{
    return dynamic_bytes(ic, size) + sizeof(struct places);
}

cudaError_t rv_cuda_cell_tile(const struct rv_cuda_job *job, int batch,
                              struct rv_cell_tile m, cudaStream_t stream)
{
    int tiles = (m.cell.h.w + WIDE - 1) / WIDE * ((m.cell.h.h + HIGH - 1) / HIGH);
    dim3 grid((unsigned int)tiles, (unsigned int)(m.cell.h.c / CHANNELS),
              (unsigned int)batch);
    size_t bytes = dynamic_bytes(m.ic, m.size);
    cudaError_t ret = RV_ALLOW_SHARED(cell_tile);

    if (!ret)
        ret = RV_LAUNCH_SHARED(cell_tile, grid, THREADS, bytes, stream, job, m);
    return ret;
}
