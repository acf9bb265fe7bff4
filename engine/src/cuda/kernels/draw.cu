// SPDX-License-Identifier: LGPL-2.1-or-later
// draw.cu - draws labels as colour on an image in device memory; gives the same bytes as
// the CPU.
#include "kernel.cuh"

#define EDGE 64

static __device__ inline int label_at(const struct rv_plane *l, int x, int y)
{
    return l->data[y * l->stride + (long long)x * l->step];
}

// 0 if nothing is drawn, else the label, plus EDGE if another label lies within the
// contour's width in x and in y. Stops at the first one, so wide contours cost time only
// inside large objects.
static __device__ inline int kind_of(const struct rv_plane *l,
                                     const struct rv_paint *paint, int x, int y)
{
    int raw = label_at(l, x, y), c = paint->contour;
    int label = raw > RV_CUDA_SLOTS ? 0 : raw;

    if (!label || !c)
        return label;
    for (int sy = y > c ? y - c : 0; sy <= y + c && sy < l->height; sy++)
        for (int sx = x > c ? x - c : 0; sx <= x + c && sx < l->width; sx++)
            if (label_at(l, sx, sy) != raw)
                return label + EDGE;
    return label;
}

// 256 times the blended byte of a plane.
static __device__ inline int mixed(const struct rv_paint *paint, int kind, int colour,
                                   int p)
{
    int opacity = kind >= EDGE ? 256 : paint->opacity;

    if (!kind && !paint->replace)
        return p * 256;
    return p * (256 - opacity) + opacity * paint->value[kind % EDGE][colour];
}

static __device__ inline void tint(const struct rv_paint *paint, int kind, int colour,
                                   uint8_t *p)
{
    *p = (uint8_t)((mixed(paint, kind, colour, *p) + 128) >> 8);
}

static __global__ void draw_packed(struct rv_frame f, struct rv_plane labels,
                                   struct rv_paint paint)
{
    RV_THREADS
    {
        int i = thread_index(), x = i % f.width, y = i / f.width, kind;
        uint8_t *p = (uint8_t *)f.plane[0] + y * f.stride[0] + (size_t)x * f.rgb.size;

        if (y >= f.height)
            continue;
        kind = kind_of(&labels, &paint, x, y);
        tint(&paint, kind, 0, p + f.rgb.red);
        tint(&paint, kind, 1, p + f.rgb.green);
        tint(&paint, kind, 2, p + f.rgb.blue);
    }
}

// A thread draws one chroma sample and its up to four pixels. The sample becomes the mean
// of the pixels' blends.
static __global__ void draw_planar(struct rv_frame f, struct rv_plane labels,
                                   struct rv_paint paint)
{
    RV_THREADS
    {
        int columns = (f.width + 1) / 2, rows = (f.height + 1) / 2;
        int i = thread_index(), x = 2 * (i % columns), y = 2 * (i / columns);
        int right = x + 1 < f.width ? 1 : 0, down = y + 1 < f.height ? 1 : 0, kind[4];
        uint8_t *luma = (uint8_t *)f.plane[0];

        if (i >= columns * rows)
            continue;
        for (int n = 0; n < 4; n++) {
            int px = x + (n % 2 ? right : 0), py = y + (n / 2 ? down : 0);

            kind[n] = kind_of(&labels, &paint, px, py);
            if ((n % 2 == 0 || right) && (n / 2 == 0 || down))
                tint(&paint, kind[n], 0, luma + py * f.stride[0] + px);
        }
        for (int c = 1; c < 3; c++) {
            uint8_t *p = f.planes == 2
                             ? (uint8_t *)f.plane[1] + y / 2 * f.stride[1] + x + c - 1
                             : (uint8_t *)f.plane[c] + y / 2 * f.stride[c] + x / 2;
            int sum = 0;

            for (int n = 0; n < 4; n++)
                sum += mixed(&paint, kind[n], c, *p);
            *p = (uint8_t)((sum + 512) / 1024);
        }
    }
}

static __global__ void set_alpha(struct rv_frame f, struct rv_plane alpha)
{
    RV_THREADS
    {
        int i = thread_index(), x = i % f.width, y = i / f.width;

        if (y >= f.height)
            continue;
        ((uint8_t *)f.plane[0])[y * f.stride[0] + (size_t)x * f.rgb.size + f.rgb.alpha] =
            (uint8_t)label_at(&alpha, x, y);
    }
}

static __global__ void fill(struct rv_plane labels, int value)
{
    RV_THREADS
    {
        int i = thread_index(), x = i % labels.width, y = i / labels.width;

        if (y >= labels.height)
            continue;
        labels.data[y * labels.stride + (long long)x * labels.step] = (uint8_t)value;
    }
}

cudaError_t rv_cuda_draw(struct rv_frame image, struct rv_plane labels,
                         struct rv_paint paint, cudaStream_t stream)
{
    size_t pairs = (size_t)((image.width + 1) / 2) * ((image.height + 1) / 2);

    if (image.planes > 1)
        return RV_LAUNCH(draw_planar, blocks_for(pairs), RV_BLOCK, stream, image, labels,
                         paint);
    return RV_LAUNCH(draw_packed, blocks_for((size_t)image.width * image.height),
                     RV_BLOCK, stream, image, labels, paint);
}

cudaError_t rv_cuda_set_alpha(struct rv_frame image, struct rv_plane alpha,
                              cudaStream_t stream)
{
    return RV_LAUNCH(set_alpha, blocks_for((size_t)image.width * image.height), RV_BLOCK,
                     stream, image, alpha);
}

cudaError_t rv_cuda_fill(struct rv_plane labels, int value, cudaStream_t stream)
{
    return RV_LAUNCH(fill, blocks_for((size_t)labels.width * labels.height), RV_BLOCK,
                     stream, labels, value);
}
