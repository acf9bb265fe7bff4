/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* maxpool.c - max pooling. A window that leaves the image repeats the pixels at the
 * border instead, which does not change its maximum. So all windows have the same size.
 */
#include "kernels.h"
#include "rows.h"

#define MAX_SIZE 3

/* The pixels of a window, row by row. */
struct window {
    const char *pixel[MAX_SIZE * MAX_SIZE];
};

/* `taps` is the number of pixels. */
static RV_INLINE void max_channels(const struct window *in, int taps, enum rv_type from,
                                   void *restrict out, enum rv_type to, int channels)
{
    for (int c = 0; c < channels; c++) {
        float max = rv_get(in->pixel[0], from, c);

        for (int t = 1; t < taps; t++) {
            float v = rv_get(in->pixel[t], from, c);

            max = v > max ? v : max;
        }
        rv_put(out, to, c, max);
    }
}

/* Constant types, so that each pair gets a vectorised loop of its own. */
static RV_INLINE void max_types(const struct window *in, int taps, enum rv_type from,
                                void *out, enum rv_type to, int channels)
{
    if (from == RV_BF16 && to == RV_BF16)
        max_channels(in, taps, RV_BF16, out, RV_BF16, channels);
    else if (from == RV_BF16)
        max_channels(in, taps, RV_BF16, out, RV_F32, channels);
    else if (to == RV_BF16)
        max_channels(in, taps, RV_F32, out, RV_BF16, channels);
    else
        max_channels(in, taps, RV_F32, out, RV_F32, channels);
}

RV_CLONES
static void max_pixel(const struct window *in, int taps, enum rv_type from, void *out,
                      enum rv_type to, int channels)
{
    if (taps == 9)
        max_types(in, 9, from, out, to, channels);
    else if (taps == 4)
        max_types(in, 4, from, out, to, channels);
    else
        max_types(in, taps, from, out, to, channels);
}

/* Halves the rows a and b of few channels to n pixels, `pitch` values apart in `out`. */
static RV_INLINE void halve(const float *a, const float *b, int n, int channels,
                            void *restrict out, enum rv_type to, int pitch)
{
    for (int x = 0; x < n; x++)
        for (int c = 0; c < channels; c++) {
            int left = 2 * x * channels + c, right = left + channels;
            float max = a[left];

            max = a[right] > max ? a[right] : max;
            max = b[left] > max ? b[left] : max;
            max = b[right] > max ? b[right] : max;
            rv_put(out, to, (size_t)x * pitch + c, max);
        }
}

RV_CLONES
static void halve_row(const float *a, const float *b, int n, int channels, void *out,
                      enum rv_type to, int pitch)
{
    if (channels == 3)
        halve(a, b, n, 3, out, RV_F32, 3);
    else if (to == RV_BF16)
        halve(a, b, n, 1, out, RV_BF16, pitch);
    else if (pitch == 1)
        halve(a, b, n, 1, out, RV_F32, 1);
    else
        halve(a, b, n, 1, out, RV_F32, pitch);
}

static int inside(int at, int size)
{
    return at < 0 ? 0 : at < size ? at : size - 1;
}

void rv_maxpool(const struct rv_view *in, const struct rv_view *out, int size, int stride,
                int pad, int row0, int row1)
{
    size_t from = in->pitch * rv_type_bytes(in->type), row = in->w * from,
           to = out->pitch * rv_type_bytes(out->type);
    /* Masks, and the picture of auto mode (rv_program.picture). */
    bool picture = in->c == 3 && in->pitch == 3 && out->pitch == 3 && out->type == RV_F32;
    bool few = (in->pitch == 1 || picture) && in->type == RV_F32;
    int whole = few && size == 2 && stride == 2 && !pad ? in->w / 2 : 0;

    for (int y = row0; y < row1; y++) {
        char *o = (char *)out->data + (size_t)y * out->w * to;
        const char *line[MAX_SIZE];
        struct window w;

        for (int r = 0; r < size; r++)
            line[r] = (char *)in->data + inside(y * stride - pad + r, in->h) * row;
        if (whole)
            halve_row((const float *)(const void *)line[0],
                      (const float *)(const void *)line[1], whole, in->pitch, o,
                      out->type, out->pitch);
        for (int x = whole; x < out->w; x++) {
            for (int t = 0; t < size * size; t++)
                w.pixel[t] =
                    line[t / size] + inside(x * stride - pad + t % size, in->w) * from;
            max_pixel(&w, size * size, in->type, o + x * to, out->type, in->c);
        }
    }
}
