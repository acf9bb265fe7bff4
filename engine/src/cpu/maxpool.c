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

/* Pixels of one channel: halves the rows a and b, `pitch` values apart in `out`. */
static RV_INLINE void halve(const float *a, const float *b, int n, void *restrict out,
                            enum rv_type to, int pitch)
{
    for (int x = 0; x < n; x++) {
        float max = a[2 * x];

        max = a[2 * x + 1] > max ? a[2 * x + 1] : max;
        max = b[2 * x] > max ? b[2 * x] : max;
        max = b[2 * x + 1] > max ? b[2 * x + 1] : max;
        rv_put(out, to, (size_t)x * pitch, max);
    }
}

RV_CLONES
static void halve_row(const float *a, const float *b, int n, void *out, enum rv_type to,
                      int pitch)
{
    if (to == RV_BF16)
        halve(a, b, n, out, RV_BF16, pitch);
    else if (pitch == 1)
        halve(a, b, n, out, RV_F32, 1);
    else
        halve(a, b, n, out, RV_F32, pitch);
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
    bool masks = in->type == RV_F32 && in->pitch == 1 && size == 2 && stride == 2 && !pad;
    int whole = masks ? in->w / 2 : 0;

    for (int y = row0; y < row1; y++) {
        char *o = (char *)out->data + (size_t)y * out->w * to;
        const char *line[MAX_SIZE];
        struct window w;

        for (int r = 0; r < size; r++)
            line[r] = (char *)in->data + inside(y * stride - pad + r, in->h) * row;
        if (whole)
            halve_row((const float *)(const void *)line[0],
                      (const float *)(const void *)line[1], whole, o, out->type,
                      out->pitch);
        for (int x = whole; x < out->w; x++) {
            for (int t = 0; t < size * size; t++)
                w.pixel[t] =
                    line[t / size] + inside(x * stride - pad + t % size, in->w) * from;
            max_pixel(&w, size * size, in->type, o + x * to, out->type, in->c);
        }
    }
}
