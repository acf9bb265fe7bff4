// SPDX-License-Identifier: LGPL-2.1-or-later
// cell.cu - a ConvLSTM cell without its convolution: the convolution's input, and the
// cell's state from the convolution's sums.
#include "kernel.cuh"

// A thread computes one channel of one pixel.
static __global__ void cell_input(const struct rv_cuda_job *job, struct rv_cell_args m)
{
    RV_THREADS
    {
        int w = m.input.w, i = thread_index(), j = (int)blockIdx.y;
        int c = i % m.input.pitch, x = i / m.input.pitch % w, y = i / m.input.pitch / w;
        int up = m.below.where ? m.below.c : 0, left = m.h_left.where ? m.h_left.c : 0;
        float v = 0;

        if (y >= m.input.h || m.object >= job[j].live[m.decoder])
            continue;
        if (c < up) {
            const void *in = image_of(job, j, &m.below, 0);
            int y0, x0, p = m.below.pitch, bw = m.below.w;
            float fy, fx, a, b;
            size_t at;

            rv_bilinear_at(y, m.below.h, m.input.h, &y0, &fy);
            rv_bilinear_at(x, bw, w, &x0, &fx);
            size_t down = y0 + 1 < m.below.h ? (size_t)bw * p : 0;
            size_t right = x0 + 1 < bw ? p : 0;
            at = ((size_t)y0 * bw + x0) * p + c;
            a = get(in, at, m.below.type);
            b = get(in, at + right, m.below.type);
            a += fy * (get(in, at + down, m.below.type) - a);
            b += fy * (get(in, at + down + right, m.below.type) - b);
            v = a + fx * (b - a);
            if (m.mul.where)
                v *= get(image_of(job, j, &m.mul, 0),
                         ((size_t)y * w + x) * m.mul.pitch + c, m.mul.type);
        } else if (c < up + left) {
            v = get(image_of(job, j, &m.h_left, 0),
                    ((size_t)y * w + x) * m.h_left.pitch + c - up, m.h_left.type);
        }
        put(image_of(job, j, &m.input, 0), (size_t)i, m.input.type, v);
    }
}

static __device__ inline float gate_sum(const struct rv_cuda_job *job, int j,
                                        const struct rv_cell_args *m, int pixel, int c)
{
    float v = 0;

    if (m->gates.where)
        v = get(image_of(job, j, &m->gates, 0), (size_t)pixel * m->gates.pitch + c,
                RV_F32);
    if (m->time.where)
        v +=
            get(image_of(job, j, &m->time, 0), (size_t)pixel * m->time.pitch + c, RV_F32);
    if (m->skip.where)
        v +=
            get(image_of(job, j, &m->skip, 0), (size_t)pixel * m->skip.pitch + c, RV_F32);
    return v;
}

// A thread computes one hidden channel of one pixel. Sums and c are float32.
static __global__ void cell_update(const struct rv_cuda_job *job, struct rv_cell_args m)
{
    RV_THREADS
    {
        int i = thread_index(), hidden = m.h.c, pixel = i / hidden, n = i % hidden;
        int j = (int)blockIdx.y;
        float in, forget, out, candidate, c;

        if (pixel >= m.h.h * m.h.w || m.object >= job[j].live[m.decoder])
            continue;
        in = gate_sum(job, j, &m, pixel, n);
        forget = gate_sum(job, j, &m, pixel, hidden + n);
        out = gate_sum(job, j, &m, pixel, 2 * hidden + n);
        candidate = gate_sum(job, j, &m, pixel, 3 * hidden + n);
        c = logistic(in) * tanhf(candidate);
        if (m.c_left.where)
            c +=
                logistic(forget) * get(image_of(job, j, &m.c_left, 0), (size_t)i, RV_F32);
        put(image_of(job, j, &m.c, 0), (size_t)i, RV_F32, c);
        put(image_of(job, j, &m.h, 0), (size_t)pixel * m.h.pitch + n, m.h.type,
            logistic(out) * tanhf(c));
    }
}

cudaError_t rv_cuda_cell_input(const struct rv_cuda_job *job, int batch,
                               struct rv_cell_args cell, cudaStream_t stream)
{
    size_t threads = (size_t)cell.input.h * cell.input.w * cell.input.pitch;
    dim3 grid(blocks_for(threads), (unsigned int)batch);

    return RV_LAUNCH(cell_input, grid, RV_BLOCK, stream, job, cell);
}

cudaError_t rv_cuda_cell_update(const struct rv_cuda_job *job, int batch,
                                struct rv_cell_args cell, cudaStream_t stream)
{
    size_t threads = (size_t)cell.h.h * cell.h.w * cell.h.c;
    dim3 grid(blocks_for(threads), (unsigned int)batch);

    return RV_LAUNCH(cell_update, grid, RV_BLOCK, stream, job, cell);
}
