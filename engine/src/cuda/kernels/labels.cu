// SPDX-License-Identifier: LGPL-2.1-or-later
// labels.cu - network-size logits to labels and soft foreground of any size.
//
// Built without fused multiply-add and with sums in the CPU's order, so that both find
// the same label where two objects are close. Grid-stride loops: the grid is fixed and
// the output size is only known at run time.
#include "kernel.cuh"

#define BLOCKS 1024
#define SCORE_ONE 16777216.0f // 24 fraction bits

// Interpolates between rows and columns of one object's plane, first in x. A fraction of
// 0 reads one tap only, because the other may be infinite.
static __device__ inline float between(const float *plane, int w, int y, int down,
                                       float fy, int x, int right, float fx)
{
    const float *p = plane + (size_t)y * w + x;
    float a = right || fx != 0 ? (1.0f - fx) * p[0] + fx * p[right] : p[0], b;

    if (!(fy > 0))
        return a;
    p += down;
    b = right || fx != 0 ? (1.0f - fx) * p[0] + fx * p[right] : p[0];
    return (1.0f - fy) * a + fy * b;
}

// The slot (from 1) of the largest logit above *best, which is set to it; 0: none.
static __device__ inline int winner(const struct rv_cuda_job *jobs, int j,
                                    const struct rv_view *logits, int live, uint32_t skip,
                                    int x, int y, int width, int height, float *best)
{
    int y0, x0, label = 0;
    float fy, fx;

    rv_bilinear_at(y, logits->h, height, &y0, &fy);
    rv_bilinear_at(x, logits->w, width, &x0, &fx);
    int down = y0 + 1 < logits->h ? logits->w : 0;
    int right = x0 + 1 < logits->w && logits->w != width ? 1 : 0;
    for (int n = 0; n < live; n++) {
        float v;

        if (skip >> n & 1)
            continue;
        v = between((const float *)image_of(jobs, j, logits, n), logits->w, y0, down, fy,
                    x0, right, fx);
        if (v > *best) {
            *best = v;
            label = n + 1;
        }
    }
    return label;
}

static __device__ inline void found_one(struct rv_found *f, int x, int y)
{
    atomicAdd(&f->area, 1u);
    atomicMin(&f->x0, x);
    atomicMin(&f->y0, y);
    atomicMax(&f->x1, x + 1);
    atomicMax(&f->y1, y + 1);
}

// Each of the first RV_CUDA_SLOTS threads of a block clears one slot.
static __device__ inline void clear_found(struct rv_found *all)
{
    struct rv_found none = {0, 0, 0, INT32_MAX, INT32_MAX, 0, 0};

    if (threadIdx.x < RV_CUDA_SLOTS)
        all[threadIdx.x] = none;
}

static __device__ inline void add_found(struct rv_found *all, const struct rv_found *f)
{
    if (f->area) {
        atomicAdd(&all->area, f->area);
        atomicMin(&all->x0, f->x0);
        atomicMin(&all->y0, f->y0);
        atomicMax(&all->x1, f->x1);
        atomicMax(&all->y1, f->y1);
    }
    if (f->count) {
        atomicAdd(&all->count, f->count);
        atomicAdd(&all->score, f->score);
    }
}

static __device__ inline void add_score(struct rv_found *f, float logit)
{
    atomicAdd(&f->count, 1u);
    atomicAdd(&f->score, (unsigned long long)(logistic(logit) * SCORE_ONE + 0.5f));
}

// Makes the labels and counts each object's pixels there and at network size. A block
// counts in shared memory first.
static __global__ void labels(const struct rv_cuda_job *jobs, struct rv_view logits,
                              int decoder)
{
    RV_SHARED(struct rv_found, mine, [RV_CUDA_SLOTS]);

    RV_THREADS
    {
        clear_found(mine);
    }
    RV_SYNC
    RV_THREADS
    {
        const struct rv_cuda_job *job = &jobs[blockIdx.y];
        const struct rv_plane *out = &job->labels;
        int j = (int)blockIdx.y, live = job->live[decoder];
        bool wanted = out->data && job->shown == decoder;
        int all = wanted ? out->width * out->height : 0;
        int small = wanted ? logits.w * logits.h : 0;
        int step = (int)(gridDim.x * blockDim.x);

        for (int i = thread_index(); i < all; i += step) {
            int x = i % out->width, y = i / out->width;
            float best = job->level;
            int label =
                winner(jobs, j, &logits, live, 0, x, y, out->width, out->height, &best);

            if (label)
                found_one(&mine[label - 1], x, y);
            if (label && job->unshown >> (label - 1) & 1)
                label = 0;
            out->data[y * out->stride + (long long)x * out->step] = (uint8_t)label;
        }
        for (int i = thread_index(); i < small; i += step) {
            float best = job->level;
            int label = winner(jobs, j, &logits, live, 0, i % logits.w, i / logits.w,
                               logits.w, logits.h, &best);

            if (label)
                add_score(&mine[label - 1], best);
        }
    }
    RV_SYNC
    RV_THREADS
    {
        if (threadIdx.x < RV_CUDA_SLOTS)
            add_found(&jobs[blockIdx.y].found[threadIdx.x], &mine[threadIdx.x]);
    }
}

// The decoder's labels and scores at network size, for jobs that ask for them.
static __global__ void look(const struct rv_cuda_job *jobs, struct rv_view logits,
                            int decoder)
{
    RV_SHARED(struct rv_found, mine, [RV_CUDA_SLOTS]);

    RV_THREADS
    {
        clear_found(mine);
    }
    RV_SYNC
    RV_THREADS
    {
        const struct rv_cuda_job *job = &jobs[blockIdx.y];
        int all = job->seen[decoder] ? logits.w * logits.h : 0;

        for (int i = thread_index(); i < all; i += (int)(gridDim.x * blockDim.x)) {
            float best = job->seen_level;
            int label = winner(jobs, (int)blockIdx.y, &logits, job->live[decoder], 0,
                               i % logits.w, i / logits.w, logits.w, logits.h, &best);

            if (label)
                add_score(&mine[label - 1], best);
            job->seen[decoder][i] = (uint8_t)label;
        }
    }
    RV_SYNC
    RV_THREADS
    {
        int at = (1 + decoder) * RV_CUDA_SLOTS;

        if (threadIdx.x < RV_CUDA_SLOTS)
            add_found(&jobs[blockIdx.y].found[at + (int)threadIdx.x], &mine[threadIdx.x]);
    }
}

// Runs after counting: removes small objects, and makes the foreground without them.
static __global__ void finish(const struct rv_cuda_job *jobs, struct rv_view logits,
                              int decoder)
{
    RV_THREADS
    {
        int j = (int)blockIdx.y;
        const struct rv_cuda_job *job = &jobs[j];
        const struct rv_plane *out = &job->labels, *alpha = &job->alpha;
        int step = (int)(gridDim.x * blockDim.x), first = thread_index();
        bool shown = job->shown == decoder;
        int all =
            shown && out->data && job->min_object_size > 1 ? out->width * out->height : 0;
        int soft = shown && alpha->data ? alpha->width * alpha->height : 0;
        int live = job->live[decoder], seen = (1 + decoder) * RV_CUDA_SLOTS + first;
        uint32_t small = 0;

        if (first < RV_CUDA_SLOTS && shown)
            job->report[first] = job->found[first];
        if (first < RV_CUDA_SLOTS)
            job->report[seen] = job->found[seen];
        for (int n = 0; n < live && shown && out->data; n++)
            if ((long long)job->found[n].area < job->min_object_size)
                small |= UINT32_C(1) << n;
        for (int i = first; i < all && small; i += step) {
            uint8_t *p = out->data + i / out->width * out->stride +
                         (long long)(i % out->width) * out->step;

            if (*p && small >> (*p - 1) & 1)
                *p = 0;
        }
        for (int i = first; i < soft; i += step) {
            int x = i % alpha->width, y = i / alpha->width;
            float best = RV_ALPHA_LEVEL;
            int any = winner(jobs, j, &logits, live, small | job->unshown, x, y,
                             alpha->width, alpha->height, &best);

            alpha->data[y * alpha->stride + (long long)x * alpha->step] =
                (uint8_t)(any ? 255.0f * logistic(best) + 0.5f : 0.0f);
        }
    }
}

cudaError_t rv_cuda_labels(const struct rv_cuda_job *job, int batch,
                           struct rv_view logits, int decoder, int look_too,
                           cudaStream_t stream)
{
    dim3 grid(BLOCKS, (unsigned int)batch);
    cudaError_t ret = RV_LAUNCH(labels, grid, RV_BLOCK, stream, job, logits, decoder);

    if (!ret && look_too)
        ret = RV_LAUNCH(look, grid, RV_BLOCK, stream, job, logits, decoder);
    if (!ret)
        ret = RV_LAUNCH(finish, grid, RV_BLOCK, stream, job, logits, decoder);
    return ret;
}
