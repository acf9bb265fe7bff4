// SPDX-License-Identifier: LGPL-2.1-or-later
// pixels.cu - from the caller's picture and masks to the network's input.
//
// The same integers as the CPU's resize (Pillow's BILINEAR: network.md 10), so the same
// bytes: first in x, for all rows of the picture, then in y. The grids are fixed, and
// each thread takes every so-manieth pixel, since the picture's size is the job's.
#include "kernel.cuh"

#define BLOCKS 1024
#define BITS 22 // of a coefficient's fraction
#define HALF (1 << (BITS - 1))

static __device__ inline int clip(int v)
{
    v >>= 16;
    v = v < 0 ? 0 : v;
    return v > 255 ? 255 : v;
}

// Each chroma sample stands for its two by two pixels.
static __device__ inline void pixel_rgb(const struct rv_frame *f, int x, int row,
                                        int rgb[3])
{
    const uint8_t *p = f->plane[0] + row * f->stride[0];
    int y, u, v;

    if (f->planes == 1) {
        p += (size_t)x * f->size;
        rgb[0] = p[f->red];
        rgb[1] = p[f->green];
        rgb[2] = p[f->blue];
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
    u -= 128;
    v -= 128;
    y = (p[x] - f->black) * f->y + (1 << 15);
    rgb[0] = clip(y + f->rv * v);
    rgb[1] = clip(y + f->gu * u + f->gv * v);
    rgb[2] = clip(y + f->bu * u);
}

// Also what every frame begins with: nothing has been found yet.
static __global__ void shrink_x(const struct rv_cuda_job *jobs, int width)
{
    RV_THREADS
    {
        const struct rv_cuda_job *job = &jobs[blockIdx.y];
        int all = job->frame.width ? job->frame.height * width : 0;
        int step = (int)(gridDim.x * blockDim.x), first = thread_index();

        if (first < RV_CUDA_SLOTS) {
            struct rv_found none = {0, 0, 0, INT32_MAX, INT32_MAX, 0, 0};

            job->found[first] = none;
        }
        for (int i = first; i < all; i += step) {
            int x = i % width, row = i / width, from = job->x.first[x];
            const int *coef = job->x.coef + (size_t)x * job->x.taps;
            int sum[3] = {HALF, HALF, HALF};

            for (int t = 0, n = job->x.count[x]; t < n; t++) {
                int rgb[3];

                pixel_rgb(&job->frame, from + t, row, rgb);
                for (int c = 0; c < 3; c++)
                    sum[c] += coef[t] * rgb[c];
            }
            for (int c = 0; c < 3; c++)
                job->shrunk[(size_t)i * 3 + c] = (uint8_t)(sum[c] >> BITS);
        }
    }
}

static __global__ void shrink_y(const struct rv_cuda_job *jobs, struct rv_view image)
{
    RV_THREADS
    {
        const struct rv_cuda_job *job = &jobs[blockIdx.y];
        int i = thread_index(), y = i / image.w;
        char *out = image_of(jobs, (int)blockIdx.y, &image, 0);
        int sum[3] = {HALF, HALF, HALF};

        if (y >= image.h)
            continue;
        if (job->frame.width) {
            const int *coef = job->y.coef + (size_t)y * job->y.taps;
            const uint8_t *p = job->shrunk + (size_t)job->y.first[y] * image.w * 3 +
                               (size_t)(i % image.w) * 3;

            for (int t = 0, n = job->y.count[y]; t < n; t++, p += (size_t)image.w * 3)
                for (int c = 0; c < 3; c++)
                    sum[c] += coef[t] * p[c];
        }
        for (int c = 0; c < image.pitch; c++) {
            float v = 0;

            if (c < 3 && job->frame.width)
                v = job->value[c * 256 + (sum[c] >> BITS)];
            put(out, (size_t)i * image.pitch + c, image.half, v);
        }
    }
}

static __global__ void seed(const struct rv_cuda_job *jobs, struct rv_view prob,
                            int slots)
{
    RV_THREADS
    {
        int j = (int)blockIdx.y / slots, slot = (int)blockIdx.y % slots;
        const struct rv_cuda_job *job = &jobs[j];
        int i = thread_index();

        if (slot >= job->live || !(job->seed_slots >> slot & 1) || i >= prob.h * prob.w)
            continue;
        ((float *)image_of(jobs, j, &prob, slot))[i] =
            job->seed ? (float)(job->seed[i] >> slot & 1) : 0.0f;
    }
}

cudaError_t rv_cuda_image(const struct rv_cuda_job *job, int batch, struct rv_view image,
                          cudaStream_t stream)
{
    dim3 wide(BLOCKS, (unsigned int)batch);
    dim3 small(blocks_for((size_t)image.h * image.w), (unsigned int)batch);
    cudaError_t ret = RV_LAUNCH(shrink_x, wide, RV_BLOCK, stream, job, image.w);

    if (!ret)
        ret = RV_LAUNCH(shrink_y, small, RV_BLOCK, stream, job, image);
    return ret;
}

cudaError_t rv_cuda_seed(const struct rv_cuda_job *job, int batch, struct rv_view prob,
                         int slots, cudaStream_t stream)
{
    dim3 grid(blocks_for((size_t)prob.h * prob.w), (unsigned int)(slots * batch));

    return RV_LAUNCH(seed, grid, RV_BLOCK, stream, job, prob, slots);
}
