// SPDX-License-Identifier: LGPL-2.1-or-later
// layers.cu - pooling, the mask head, and copies and sums around convolutions.
#include "kernel.cuh"

// Pooling windows are cut at the borders.
static __global__ void maxpool(const struct rv_cuda_job *job, struct rv_maxpool_args m,
                               int images)
{
    RV_THREADS
    {
        const struct rv_view in = m.in, out = m.out;
        int i = thread_index(), j = (int)blockIdx.y / images,
            n = (int)blockIdx.y % images;
        int c = i % out.c, x = i / out.c % out.w, y = i / out.c / out.w;
        int x0 = x * m.stride - m.pad, y0 = y * m.stride - m.pad;
        int x1 = x0 + m.size, y1 = y0 + m.size;
        const void *from;
        float max;

        if (y >= out.h || (m.slots && n >= job[j].live[m.decoder]))
            continue;
        from = image_of(job, j, &in, n);
        x0 = x0 < 0 ? 0 : x0;
        y0 = y0 < 0 ? 0 : y0;
        x1 = x1 < in.w ? x1 : in.w;
        y1 = y1 < in.h ? y1 : in.h;
        max = get(from, ((size_t)y0 * in.w + x0) * in.pitch + c, in.type);
        for (int sy = y0; sy < y1; sy++)
            for (int sx = x0; sx < x1; sx++) {
                float v = get(from, ((size_t)sy * in.w + sx) * in.pitch + c, in.type);

                max = v > max ? v : max;
            }
        put(image_of(job, j, &out, n), ((size_t)y * out.w + x) * out.pitch + c, out.type,
            max);
    }
}

static __global__ void gather(const struct rv_cuda_job *job, struct rv_view in,
                              int decoder, int slot, struct rv_view out)
{
    RV_THREADS
    {
        int i = thread_index(), j = (int)blockIdx.y / in.n, n = (int)blockIdx.y % in.n;
        int pixel = i / out.pitch, c = i % out.pitch;
        float v = 0;

        if (pixel >= out.h * out.w)
            continue;
        if (c < in.c && (in.where != RV_IN_STATE || slot + n < job[j].live[decoder]))
            v = get(image_of(job, j, &in, n), (size_t)pixel * in.pitch + c, in.type);
        put(image_of(job, j, &out, n), (size_t)i, out.type, v);
    }
}

static __global__ void epilogue(const void *sums, enum rv_type sums_type,
                                const float *bias, const void *add, void *out,
                                enum rv_type out_type, size_t count, int channels,
                                int relu)
{
    RV_THREADS
    {
        size_t i = (size_t)blockIdx.x * blockDim.x + threadIdx.x;
        float v;

        if (i >= count)
            continue;
        v = get(sums, i, sums_type) + bias[i % channels];
        if (add)
            v += get(add, i, out_type);
        put(out, i, out_type, relu && v < 0 ? 0 : v);
    }
}

// Convolving the upsampled h equals convolving h tap by tap and upsampling. So this
// kernel sums over channels at h's size, and the next one sums over taps at four times as
// many pixels.
static __global__ void mask_taps(const struct rv_cuda_job *job, struct rv_mask_args m)
{
    RV_THREADS
    {
        int j = (int)blockIdx.y / m.slots, n = (int)blockIdx.y % m.slots;
        int pixels = m.h.h * m.h.w, i = thread_index();
        int pixel = i % pixels, tap = i / pixels;
        const void *h;
        float v = 0;

        if (tap >= m.size * m.size || n >= job[j].live[m.decoder])
            continue;
        h = image_of(job, j, &m.h, n);
        for (int c = 0; c < m.h.c; c++)
            v += get(h, (size_t)pixel * m.h.pitch + c, m.h.type) *
                 m.kernel[tap * m.h.c + c];
        m.taps[j * m.taps_stride + ((size_t)n * m.size * m.size + tap) * pixels + pixel] =
            v;
    }
}

static __device__ inline float bilinear(const float *in, int h, int w, int y, int x,
                                        int out_h, int out_w)
{
    int y0, x0;
    float fy, fx, a, b;

    rv_bilinear_at(y, h, out_h, &y0, &fy);
    rv_bilinear_at(x, w, out_w, &x0, &fx);
    in += (size_t)y0 * w + x0;
    int down = y0 + 1 < h ? w : 0, right = x0 + 1 < w ? 1 : 0;
    a = in[0] + fy * (in[down] - in[0]);
    b = in[right] + fy * (in[down + right] - in[right]);
    return a + fx * (b - a);
}

static __global__ void mask_coarse(const struct rv_cuda_job *job, struct rv_mask_args m)
{
    RV_THREADS
    {
        int j = (int)blockIdx.y / m.slots, n = (int)blockIdx.y % m.slots;
        int w = m.coarse.w, h = m.coarse.h, i = thread_index();
        int x = i % w, y = i / w, border = m.size / 2;
        const float *taps = m.taps + j * m.taps_stride;
        float v = *m.bias;

        if (y >= h || n >= job[j].live[m.decoder])
            continue;
        taps += (size_t)n * m.size * m.size * m.h.h * m.h.w;
        for (int t = 0; t < m.size * m.size; t++) {
            int ty = y + t / m.size - border, tx = x + t % m.size - border;

            if (ty < 0 || ty >= h || tx < 0 || tx >= w)
                continue;
            v += bilinear(taps + (size_t)t * m.h.h * m.h.w, m.h.h, m.h.w, ty, tx, h, w);
        }
        ((float *)image_of(job, j, &m.coarse, n))[i] = v;
    }
}

static __global__ void mask_full(const struct rv_cuda_job *job, struct rv_mask_args m)
{
    RV_THREADS
    {
        int j = (int)blockIdx.y / m.slots, n = (int)blockIdx.y % m.slots;
        int w = m.logits.w, h = m.logits.h, i = thread_index();
        float v;

        if (i >= h * w || n >= job[j].live[m.decoder])
            continue;
        v = bilinear((const float *)image_of(job, j, &m.coarse, n), m.coarse.h,
                     m.coarse.w, i / w, i % w, h, w);
        ((float *)image_of(job, j, &m.logits, n))[i] = v;
        if (m.prob.where)
            ((float *)image_of(job, j, &m.prob, n))[i] = logistic(v);
    }
}

cudaError_t rv_cuda_maxpool(const struct rv_cuda_job *job, int batch,
                            struct rv_maxpool_args pool, cudaStream_t stream)
{
    size_t threads = (size_t)pool.out.h * pool.out.w * pool.out.c;
    int images = pool.slots ? pool.slots : pool.out.n;
    dim3 grid(blocks_for(threads), (unsigned int)(images * batch));

    return RV_LAUNCH(maxpool, grid, RV_BLOCK, stream, job, pool, images);
}

cudaError_t rv_cuda_gather(const struct rv_cuda_job *job, int batch, struct rv_view in,
                           int decoder, int slot, struct rv_view out, cudaStream_t stream)
{
    size_t threads = (size_t)out.h * out.w * out.pitch;
    dim3 grid(blocks_for(threads), (unsigned int)(in.n * batch));

    return RV_LAUNCH(gather, grid, RV_BLOCK, stream, job, in, decoder, slot, out);
}

cudaError_t rv_cuda_epilogue(const void *sums, enum rv_type sums_type, const float *bias,
                             const void *add, void *out, enum rv_type out_type,
                             size_t pixels, int channels, int relu, cudaStream_t stream)
{
    size_t count = pixels * (size_t)channels;

    return RV_LAUNCH(epilogue, blocks_for(count), RV_BLOCK, stream, sums, sums_type, bias,
                     add, out, out_type, count, channels, relu);
}

cudaError_t rv_cuda_mask(const struct rv_cuda_job *job, int batch, struct rv_mask_args m,
                         cudaStream_t stream)
{
    unsigned int n = (unsigned int)(m.slots * batch);
    dim3 taps(blocks_for((size_t)m.h.h * m.h.w * m.size * m.size), n);
    dim3 coarse(blocks_for((size_t)m.coarse.h * m.coarse.w), n);
    dim3 full(blocks_for((size_t)m.logits.h * m.logits.w), n);
    cudaError_t ret = RV_LAUNCH(mask_taps, taps, RV_BLOCK, stream, job, m);

    if (!ret)
        ret = RV_LAUNCH(mask_coarse, coarse, RV_BLOCK, stream, job, m);
    if (!ret)
        ret = RV_LAUNCH(mask_full, full, RV_BLOCK, stream, job, m);
    return ret;
}
