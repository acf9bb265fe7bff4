// SPDX-License-Identifier: LGPL-2.1-or-later
// pixels.cu - converts the caller's image and masks to the network's input.
//
// Uses the same integers as the CPU's resize (Pillow's BILINEAR), so the bytes are the
// same: first in x, then in y, rounded to bytes in between. The image size is not known
// when the kernel is captured.
#include "kernel.cuh"

#define WIDE 32
#define HIGH 8
#define STRIP 64 // of the picture's rows: 1080 to 256 takes one strip

// Each chroma sample is used for its two by two pixels.
static __device__ inline void pixel_rgb(const struct rv_frame *f, int x, int row,
                                        int rgb[3])
{
    const uint8_t *p = f->plane[0] + row * f->stride[0];
    int u, v;

    if (f->planes == 1) {
        p += (size_t)x * f->rgb.size;
        rgb[0] = p[f->rgb.red];
        rgb[1] = p[f->rgb.green];
        rgb[2] = p[f->rgb.blue];
        return;
    }
    if (f->planes == 2) {
        const uint8_t *chroma = f->plane[1] + row / 2 * f->stride[1] + x / 2 * 2;

        u = chroma[0];
        v = chroma[1];
    } else {
        u = f->plane[1][row / 2 * f->stride[1] + x / 2];
        v = f->plane[2][row / 2 * f->stride[2] + x / 2];
    }
    rv_yuv_to_rgb(f->yuv, p[x], u - 128, v - 128, 0, rgb);
}

// One pixel (three bytes) of an image row, resized in x.
static __device__ inline void shrink_pixel(const struct rv_cuda_job *job, int x, int row,
                                           uint8_t out[3])
{
    int from = job->filter.x.first[x],
        sum[3] = {RV_TAPS_HALF, RV_TAPS_HALF, RV_TAPS_HALF};
    const int *coef = job->filter.x.coef + (size_t)x * job->filter.x.taps;

    for (int t = 0, n = job->filter.x.count[x]; t < n; t++) {
        int rgb[3];

        pixel_rgb(&job->frame, from + t, row, rgb);
        for (int c = 0; c < 3; c++)
            sum[c] += coef[t] * rgb[c];
    }
    for (int c = 0; c < 3; c++)
        out[c] = (uint8_t)(sum[c] >> RV_TAPS_BITS);
}

// The image rows that output rows y0 to y1 read.
static __device__ inline void rows_of(const struct rv_taps *y, int y0, int y1, int *first,
                                      int *end)
{
    *first = y->first[y0];
    *end = 0;
    for (int i = y0; i < y1; i++)
        *end = y->first[i] + y->count[i] > *end ? y->first[i] + y->count[i] : *end;
}

// Adds the strip's rows (from row `at` on) to one thread's sums for output pixel (x,
// y).
static __device__ inline void add_strip(const struct rv_taps *taps, int y, int at,
                                        const uint8_t (*strip)[WIDE][3], int x, int *sum)
{
    int from = taps->first[y] - at, n = taps->count[y];

    for (int t = from < 0 ? -from : 0; t < n && from + t < STRIP; t++)
        for (int c = 0; c < 3; c++)
            sum[c] += taps->coef[(size_t)y * taps->taps + t] * strip[from + t][x][c];
}

// A block makes WIDE x HIGH pixels from strips of image rows, which it resizes in x
// first. As the first kernel of a frame it also clears the objects' statistics.
static __global__ void shrink(const struct rv_cuda_job *jobs, struct rv_view image)
{
    RV_SHARED(uint8_t, strip, [STRIP][WIDE][3]);
    RV_OWN(int, sum, 3);
    const struct rv_cuda_job *job = &jobs[blockIdx.y];
    int across = (image.w + WIDE - 1) / WIDE, x0 = (int)blockIdx.x % across * WIDE;
    int y0 = (int)blockIdx.x / across * HIGH, first = 0, end = 0;

    if (job->frame.width)
        rows_of(&job->filter.y, y0, y0 + HIGH < image.h ? y0 + HIGH : image.h, &first,
                &end);
    RV_THREADS
    {
        struct rv_found none = {0, 0, 0, INT32_MAX, INT32_MAX, 0, 0};

        if (blockIdx.x == 0 && threadIdx.x < RV_CUDA_FOUND) // a block has as many threads
            job->found[threadIdx.x] = none;
        for (int c = 0; c < 3; c++)
            RV_MY(sum)[c] = RV_TAPS_HALF;
    }
    for (int at = first; at < end; at += STRIP) {
        RV_THREADS
        {
            for (int i = (int)threadIdx.x; i < STRIP * WIDE; i += WIDE * HIGH) {
                int x = i % WIDE, row = i / WIDE;

                if (at + row < end && x0 + x < image.w)
                    shrink_pixel(job, x0 + x, at + row, strip[row][x]);
            }
        }
        RV_SYNC
        RV_THREADS
        {
            int x = (int)threadIdx.x % WIDE, y = y0 + (int)threadIdx.x / WIDE;

            if (y < image.h)
                add_strip(&job->filter.y, y, at, strip, x, RV_MY(sum));
        }
        RV_SYNC // the strip is filled anew
    }
    RV_THREADS
    {
        int x = x0 + (int)threadIdx.x % WIDE, y = y0 + (int)threadIdx.x / WIDE;
        char *out = image_of(jobs, (int)blockIdx.y, &image, 0);

        if (x >= image.w || y >= image.h)
            continue;
        for (int c = 0; c < image.pitch; c++) {
            float v = 0;

            if (c < 3 && job->frame.width)
                v = job->filter.value[c * 256 + (RV_MY(sum)[c] >> RV_TAPS_BITS)];
            put(out, ((size_t)y * image.w + x) * image.pitch + c, image.type, v);
        }
    }
}

static __global__ void seed(const struct rv_cuda_job *jobs, struct rv_view prob,
                            int decoder, int slots)
{
    RV_THREADS
    {
        int j = (int)blockIdx.y / slots, slot = (int)blockIdx.y % slots;
        const struct rv_cuda_job *job = &jobs[j];
        int i = thread_index();

        if (slot >= job->live[decoder] || !(job->seed_slots >> slot & 1) ||
            i >= prob.h * prob.w)
            continue;
        ((float *)image_of(jobs, j, &prob, slot))[i] =
            job->seed ? (float)(job->seed[i] >> slot & 1) : 0.0f;
    }
}

cudaError_t rv_cuda_image(const struct rv_cuda_job *job, int batch, struct rv_view image,
                          cudaStream_t stream)
{
    int tiles = (image.w + WIDE - 1) / WIDE * ((image.h + HIGH - 1) / HIGH);
    dim3 grid((unsigned int)tiles, (unsigned int)batch);

    return RV_LAUNCH(shrink, grid, WIDE * HIGH, stream, job, image);
}

cudaError_t rv_cuda_seed(const struct rv_cuda_job *job, int batch, struct rv_view prob,
                         int decoder, int slots, cudaStream_t stream)
{
    dim3 grid(blocks_for((size_t)prob.h * prob.w), (unsigned int)(slots * batch));

    return RV_LAUNCH(seed, grid, RV_BLOCK, stream, job, prob, decoder, slots);
}
