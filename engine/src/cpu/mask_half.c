/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* mask_half.c - the half-size logits, for vectors of neighbouring pixels.
 *
 * Upsampled rows are turned to one plane per channel. So neighbouring pixels are
 * neighbours in memory, and the compiler chooses the length of vectors. */
#include "kernels.h"
#include "rows.h"

/* Channels that are added in one pass over a row of sums, which are then loaded and
 * stored once. */
#define TOGETHER 8

/* Floats between planes: a row with its zeroes at both ends, on whole vectors. */
static int plane_pitch(int w, int size)
{
    return (w + size + RV_LANES - 1) / RV_LANES * RV_LANES;
}

static size_t ring_row(const struct rv_view *h, int size)
{
    return (size_t)plane_pitch(2 * h->w, size) * h->c;
}

/* Scratch: a ring of `size` upsampled rows as planes, one row of pixels, an axis, and a
 * row of h. */
size_t rv_mask_scratch(const struct rv_view *h, int size)
{
    return size * ring_row(h, size) + 3 * (size_t)h->w * h->c + rv_axis_room(2 * h->w);
}

/* Turns 4 channels of 4 pixels, c floats apart. */
static RV_INLINE void turn(float *planes, int pitch, const float *row, int c)
{
    typedef float vec __attribute__((vector_size(16), aligned(4), may_alias));
    vec p0 = *(const vec *)row, p1 = *(const vec *)(row + c);
    vec p2 = *(const vec *)(row + 2 * c), p3 = *(const vec *)(row + 3 * c);
    vec low0 = __builtin_shufflevector(p0, p1, 0, 4, 1, 5);
    vec low1 = __builtin_shufflevector(p2, p3, 0, 4, 1, 5);
    vec high0 = __builtin_shufflevector(p0, p1, 2, 6, 3, 7);
    vec high1 = __builtin_shufflevector(p2, p3, 2, 6, 3, 7);

    *(vec *)planes = __builtin_shufflevector(low0, low1, 0, 1, 4, 5);
    *(vec *)(planes + pitch) = __builtin_shufflevector(low0, low1, 2, 3, 6, 7);
    *(vec *)(planes + 2 * pitch) = __builtin_shufflevector(high0, high1, 0, 1, 4, 5);
    *(vec *)(planes + 3 * pitch) = __builtin_shufflevector(high0, high1, 2, 3, 6, 7);
}

/* Converts an upsampled row to planes with `border` zeroes at both ends of each. */
static void transpose(float *planes, int pitch, const float *row, int w, int c,
                      int border)
{
    int whole = c / 4 * 4;

    for (int i = 0; i < c; i++)
        for (int x = 0; x < border; x++)
            planes[(size_t)i * pitch + x] = planes[(size_t)i * pitch + border + w + x] =
                0;
    planes += border;
    for (int x = 0; x < w; x++) {
        int i = 0;

        if (x % 4 == 0 && x + 4 <= w)
            for (; i < whole; i += 4)
                turn(planes + (size_t)i * pitch + x, pitch, row + (size_t)x * c + i, c);
        else if (x < w / 4 * 4)
            i = whole; /* the turn at an earlier pixel has done them */
        for (; i < c; i++)
            planes[(size_t)i * pitch + x] = row[(size_t)x * c + i];
    }
}

/* Adds `n` planes to a row of sums, each times its weight, in the order of planes. */
static RV_INLINE void add_planes(float *restrict sum, const float *planes, int pitch,
                                 const float *weight, int n, int w)
{
    for (int x = 0; x < w; x++) {
        float s = sum[x];

        for (int i = 0; i < n; i++)
            s += planes[(size_t)i * pitch + x] * weight[i];
        sum[x] = s;
    }
}

/* Adds one row of taps. `kernel` is [tap][channel]. */
RV_CLONES
static void add_taps(float *sum, const float *planes, int pitch, const float *kernel,
                     int w, int c, int size)
{
    for (int q = 0; q < size; q++, kernel += c) {
        int i = 0;

        for (; i + TOGETHER <= c; i += TOGETHER)
            add_planes(sum, planes + (size_t)i * pitch + q, pitch, kernel + i, TOGETHER,
                       w);
        for (; i < c; i++)
            add_planes(sum, planes + (size_t)i * pitch + q, pitch, kernel + i, 1, w);
    }
}

void rv_fast_mask_half(const struct rv_view *h, const float *kernel, float bias, int size,
                       int row0, int row1, float *out, float *scratch)
{
    int rows = 2 * h->h, w = 2 * h->w, border = size / 2, next = row0 - border;
    size_t ring = ring_row(h, size);
    float *pixels = scratch + size * ring, *line = pixels + (size_t)w * h->c;
    struct rv_axis x = rv_axis_at(h->w, w, line + (size_t)h->w * h->c);
    int pitch = plane_pitch(w, size);

    for (int y = row0; y < row1; y++, out += w) {
        for (; next <= y + border; next++) {
            if (next < 0 || next >= rows)
                continue;
            rv_upsample_pixel_row(h, next, rows, &x, pixels, h->c, line);
            transpose(scratch + next % size * ring, pitch, pixels, w, h->c, border);
        }
        for (int i = 0; i < w; i++)
            out[i] = bias;
        for (int r = 0; r < size; r++) {
            int in = y + r - border;

            if (in >= 0 && in < rows)
                add_taps(out, scratch + in % size * ring, pitch,
                         kernel + (size_t)r * size * h->c, w, h->c, size);
        }
    }
}
