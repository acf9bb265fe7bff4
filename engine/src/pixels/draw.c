/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* draw.c - draws labels as colour on an image.
 *
 * A row is first turned into kinds: 0 where nothing is drawn, else the label, plus EDGE
 * on a contour. Kinds come in runs. Within a run every byte of a plane becomes byte *
 * keep + add with the same few constants, so the inner loop needs no pixel format. 10-bit
 * formats and formats with luma and chroma in one plane are drawn sample by sample. */
#include "draw.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "clones.h"
#include "color.h"

#define EDGE 64
#define KINDS (EDGE + RVOS_MAX_OBJECTS + 1)
#define PERIOD 12 /* bytes; a multiple of 1, 2, 3 and 4 bytes per pixel */
#define LANES 48  /* a pattern is repeated to this many bytes for the inner loop */

/* byte = (byte * keep + add) / 256, where `add` includes the rounding. Full opacity has
 * keep 0. A byte that must not change has keep 256 and add 128. All values fit in 16
 * bits. */
struct ink {
    uint16_t keep[PERIOD], add[PERIOD];
};

/* A kind's colour as samples, and its opacity in 256ths. */
struct tone {
    uint16_t value[3], opacity;
};

struct brush {
    struct ink ink[3][KINDS];           /* by plane */
    struct tone tone[KINDS];            /* for formats that are drawn sample by sample */
    const struct rv_sampling *sampling; /* NULL: RGB */
    bool replace;
    int contour;
};

static struct ink ink_of(const int *value, int n, int opacity)
{
    struct ink ink;

    for (int i = 0; i < PERIOD; i++) {
        int v = value[i % n];

        ink.keep[i] = (uint16_t)(v < 0 ? 256 : 256 - opacity);
        ink.add[i] = (uint16_t)(v < 0 ? 128 : opacity * v + 128);
    }
    return ink;
}

static void set_rgb_inks(struct brush *b, int kind, const uint8_t rgb[3], int opacity,
                         struct rv_packing p)
{
    int value[4] = {-1, -1, -1, -1};

    value[p.red] = rgb[0];
    value[p.green] = rgb[1];
    value[p.blue] = rgb[2];
    b->ink[0][kind] = ink_of(value, p.size, opacity);
}

static bool one_by_one(const struct rv_sampling *s)
{
    return s->deep || s->c[0].step > 1;
}

/* An 8-bit component as a sample of the format. */
static uint16_t sample_of(const rvos_image *image, int value, int c)
{
    const struct rv_sampling *s = rv_sampling_of(image->format);

    if (!s->deep)
        return (uint16_t)value;
    if (!image->colorimetry.full_range)
        return (uint16_t)(4 * value);
    if (c == 0)
        return (uint16_t)((value * 1023 + 127) / 255);
    value = 512 + (int)lrintf((float)(value - 128) * (511.0f / 127));
    return (uint16_t)(value < 0 ? 0 : value);
}

static void set_yuv_inks(struct brush *b, int kind, const uint8_t yuv[3], int opacity,
                         const rvos_image *image)
{
    const struct rv_sampling *s = b->sampling;
    int value[3];

    b->tone[kind].opacity = (uint16_t)opacity;
    for (int i = 0; i < 3; i++) {
        value[i] = yuv[i];
        b->tone[kind].value[i] = sample_of(image, yuv[i], i);
    }
    b->ink[0][kind] = ink_of(value, 1, opacity);
    if (s->planes == 2) {
        int pair[2];

        pair[s->c[1].at & 1] = yuv[1];
        pair[s->c[2].at & 1] = yuv[2];
        b->ink[1][kind] = ink_of(pair, 2, opacity);
    } else {
        b->ink[1][kind] = ink_of(value + 1, 1, opacity);
        b->ink[2][kind] = ink_of(value + 2, 1, opacity);
    }
}

static void fill_brush(struct brush *b, const rvos_image *image,
                       const struct rv_paint *paint)
{
    b->sampling = rv_sampling_of(image->format);
    b->replace = paint->replace;
    b->contour = paint->contour;
    for (int kind = 0; kind < KINDS; kind++) {
        int label = kind % EDGE, opacity = kind >= EDGE ? 256 : paint->opacity;

        if (label > RVOS_MAX_OBJECTS || (kind >= EDGE && !b->contour))
            continue;
        if (!label && !b->replace)
            opacity = 0;
        if (b->sampling)
            set_yuv_inks(b, kind, paint->value[label], opacity, image);
        else
            set_rgb_inks(b, kind, paint->value[label], opacity,
                         rv_packing_of(image->format));
    }
}

/* ---- kinds ------------------------------------------------------------------ */

/* Scratch of a band of rows. Contiguous label rows are read in place. Otherwise the 2
 * contour + 1 rows around the current one are packed into a ring. */
struct kinds {
    struct brush brush;
    const rvos_labels *labels;
    int ring_rows;
    int packed;      /* the next row to pack; the ring holds the rows before it */
    uint8_t *row[2]; /* kinds of a row, or of the two rows of a chroma row */
    uint8_t *least, *most, *wide; /* over the contour's window; padded by its width */
    uint8_t *ring;
};

static int ring_rows(int contour, int height)
{
    return 2 * contour + 1 < height ? 2 * contour + 1 : height;
}

size_t rv_draw_scratch(const rvos_image *image, const rvos_draw_params *params)
{
    size_t contour = params->replace ? 0 : (size_t)params->contour;
    size_t w = (size_t)image->width;

    return sizeof(struct kinds) + 2 * w + 3 * (w + 2 * contour) +
           (size_t)ring_rows((int)contour, image->height) * w;
}

static struct kinds *lay_out(const rvos_image *image, const rvos_labels *labels,
                             const struct rv_paint *paint, void *scratch)
{
    struct kinds *k = scratch;
    size_t w = (size_t)image->width, padded;

    fill_brush(&k->brush, image, paint);
    padded = w + 2 * (size_t)k->brush.contour;
    k->labels = labels;
    k->ring_rows = ring_rows(k->brush.contour, image->height);
    k->packed = -1;
    k->row[0] = (uint8_t *)(k + 1);
    k->row[1] = k->row[0] + w;
    k->least = k->row[1] + w;
    k->most = k->least + padded;
    k->wide = k->most + padded;
    k->ring = k->wide + padded;
    return k;
}

/* Packs rows up to y + contour for row y. Rows are asked for in rising order. */
static void pack(struct kinds *k, int y)
{
    const rvos_labels *labels = k->labels;
    int to = y + k->brush.contour + 1, from = y - k->brush.contour;

    to = to < labels->height ? to : labels->height;
    from = from > 0 ? from : 0;
    for (int i = k->packed > from ? k->packed : from; i < to; i++) {
        const uint8_t *src = labels->data + i * labels->stride;
        uint8_t *dst = k->ring + (size_t)(i % k->ring_rows) * labels->width;

        for (int x = 0; x < labels->width; x++)
            dst[x] = src[(ptrdiff_t)x * labels->step];
    }
    k->packed = to;
}

static const uint8_t *label_row(const struct kinds *k, int y)
{
    if (k->labels->step <= 1)
        return k->labels->data + y * k->labels->stride;
    return k->ring + (size_t)(y % k->ring_rows) * k->labels->width;
}

RV_CLONES
static void widen(uint8_t *restrict least, uint8_t *restrict most,
                  const uint8_t *restrict row, int n)
{
    for (int x = 0; x < n; x++) {
        least[x] = row[x] < least[x] ? row[x] : least[x];
        most[x] = row[x] > most[x] ? row[x] : most[x];
    }
}

RV_CLONES
static void extreme_x(const uint8_t *restrict in, int window, bool most,
                      uint8_t *restrict out, int n)
{
    memcpy(out, in, (size_t)n);
    for (int d = 1; d < window; d++) {
        const uint8_t *shifted = in + d;

        if (most)
            for (int x = 0; x < n; x++)
                out[x] = shifted[x] > out[x] ? shifted[x] : out[x];
        else
            for (int x = 0; x < n; x++)
                out[x] = shifted[x] < out[x] ? shifted[x] : out[x];
    }
}

RV_CLONES
static void add_edges(uint8_t *restrict kind, const uint8_t *restrict least,
                      const uint8_t *restrict most, int n)
{
    for (int x = 0; x < n; x++)
        kind[x] |= kind[x] && least[x] != most[x] ? EDGE : 0;
}

RV_CLONES
static uint8_t sanitise(const uint8_t *restrict label, uint8_t *restrict kind, int n)
{
    uint8_t any = 0;

    for (int x = 0; x < n; x++) {
        kind[x] = label[x] > RVOS_MAX_OBJECTS ? 0 : label[x];
        any |= kind[x];
    }
    return any;
}

/* Marks pixels that have another label in their window. At the frame's border the last
 * pixel is repeated. Two passes over rows of bytes: first in y, then in x. */
static void mark_edges(struct kinds *k, int y, uint8_t *kind)
{
    int n = k->labels->width, c = k->brush.contour, h = k->labels->height;
    int from = y > c ? y - c : 0, to = y + c < h - 1 ? y + c : h - 1;

    memcpy(k->least + c, label_row(k, from), (size_t)n);
    memcpy(k->most + c, label_row(k, from), (size_t)n);
    for (int i = from + 1; i <= to; i++)
        widen(k->least + c, k->most + c, label_row(k, i), n);
    memset(k->least, k->least[c], (size_t)c);
    memset(k->most, k->most[c], (size_t)c);
    memset(k->least + c + n, k->least[c + n - 1], (size_t)c);
    memset(k->most + c + n, k->most[c + n - 1], (size_t)c);
    extreme_x(k->least, 2 * c + 1, false, k->wide, n);
    memcpy(k->least, k->wide, (size_t)n);
    extreme_x(k->most, 2 * c + 1, true, k->wide, n);
    add_edges(kind, k->least, k->wide, n);
}

/* Fills in the kinds of row y. False: nothing is drawn on it. */
static bool kinds_of_row(struct kinds *k, int y, uint8_t *kind)
{
    uint8_t any;

    if (k->labels->step > 1)
        pack(k, y);
    any = sanitise(label_row(k, y), kind, k->labels->width);
    if (any && k->brush.contour)
        mark_edges(k, y, kind);
    return any || k->brush.replace;
}

/* ---- ink -------------------------------------------------------------------- */

RV_CLONES
static void blend(uint8_t *restrict p, size_t n, const struct ink *restrict ink)
{
    uint16_t keep[LANES], add[LANES];
    size_t i = 0;

    for (int j = 0; j < LANES; j += PERIOD) {
        memcpy(&keep[j], ink->keep, sizeof(ink->keep));
        memcpy(&add[j], ink->add, sizeof(ink->add));
    }
    for (; i + LANES <= n; i += LANES)
        for (int j = 0; j < LANES; j++)
            p[i + j] = (uint8_t)((uint16_t)(p[i + j] * keep[j] + add[j]) >> 8);
    for (int j = 0; i < n; i++, j++)
        p[i] = (uint8_t)((p[i] * keep[j] + add[j]) >> 8);
}

/* Draws a row of a plane with one value of `size` bytes per pixel. */
static void ink_row(const struct brush *b, int plane, const uint8_t *kind, int width,
                    uint8_t *p, int size)
{
    for (int x = 0, from; x < width;) {
        int this = kind[x];

        for (from = x++; x < width && kind[x] == this; x++)
            ;
        if (this || b->replace)
            blend(p + (size_t)from * size, (size_t)(x - from) * size,
                  &b->ink[plane][this]);
    }
}

/* Draws one chroma sample: the mean of the blends of its pixels. */
static void blend_chroma(const struct brush *b, int plane, int lane, const uint8_t *kind,
                         int n, uint8_t *p)
{
    int sum = 0;

    for (int i = 0; i < n; i++) {
        const struct ink *ink = &b->ink[plane][kind[i]];

        sum += *p * ink->keep[lane] + ink->add[lane] - 128;
    }
    *p = (uint8_t)((sum + 128 * n) / (256 * n));
}

/* Draws a row of chroma from the kinds of its two rows. If the frame ends after the
 * first, `below` is `above`, which does not change the mean. */
static void ink_chroma(const struct brush *b, const uint8_t *above, const uint8_t *below,
                       int width, uint8_t *const plane[2], bool nv12)
{
    int pairs = width / 2, step = nv12 ? 2 : 1;

    for (int x = 0; x < (width + 1) / 2;) {
        int from = x, this = above[2 * x];

        while (x < pairs && above[2 * x] == this && above[2 * x + 1] == this &&
               below[2 * x] == this && below[2 * x + 1] == this)
            x++;
        if (x > from) {
            if (!this && !b->replace)
                continue;
            blend(plane[0] + (size_t)from * step, (size_t)(x - from) * step,
                  &b->ink[1][this]);
            if (!nv12)
                blend(plane[1] + from, (size_t)(x - from), &b->ink[2][this]);
        } else {
            int right = 2 * x + 1 < width ? 2 * x + 1 : 2 * x;
            uint8_t kind[4] = {above[2 * x], above[right], below[2 * x], below[right]};

            blend_chroma(b, 1, 0, kind, 4, plane[0] + (size_t)x * step);
            if (nv12)
                blend_chroma(b, 1, 1, kind, 4, plane[0] + (size_t)x * step + 1);
            else
                blend_chroma(b, 2, 0, kind, 4, plane[1] + x);
            x++;
        }
    }
}

static uint8_t *plane_row(const rvos_image *image, int plane, int row)
{
    return (uint8_t *)image->plane[plane] + row * image->stride[plane];
}

/* ---- sample by sample ------------------------------------------------------- */

/* Draws one sample: the mean of the blends of its n pixels. */
static void blend_sample(const struct brush *b, int c, const uint8_t *kind, int n,
                         uint8_t *p)
{
    const struct rv_sampling *s = b->sampling;
    int was = s->deep ? (p[0] | p[1] << 8) >> s->shift & 1023 : p[0], sum = 128 * n, now;
    bool any = b->replace;

    for (int i = 0; i < n; i++) {
        const struct tone *tone = &b->tone[kind[i]];

        any |= kind[i] != 0;
        sum += was * (256 - tone->opacity) + tone->value[c] * tone->opacity;
    }
    if (!any)
        return;
    now = sum / (256 * n);
    if (s->deep) {
        now <<= s->shift;
        p[1] = (uint8_t)(now >> 8);
    }
    p[0] = (uint8_t)now;
}

/* Draws a row of one component from the kinds of its rows. */
static void blend_component(const struct brush *b, int c, const uint8_t *above,
                            const uint8_t *below, int width, uint8_t *p)
{
    const struct rv_sampling *s = b->sampling;
    int step = s->c[c].step, halved = c && s->w_sub;

    p += s->c[c].at;
    for (int x = 0; x < (halved ? (width + 1) / 2 : width); x++) {
        int left = halved ? 2 * x : x,
            right = halved && left + 1 < width ? left + 1 : left;
        uint8_t kind[4] = {above[left], above[right], below[left], below[right]};

        blend_sample(b, c, kind, c ? 4 : 1, p + (ptrdiff_t)x * step);
    }
}

/* ---- rows with luma ----------------------------------------------------------- */

static void draw_chroma(struct kinds *k, const rvos_image *image, int y, int rows)
{
    const struct rv_sampling *s = k->brush.sampling;
    const uint8_t *above = k->row[0], *below = k->row[rows - 1];
    int row = y >> s->h_sub, width = image->width;
    uint8_t *chroma[2] = {plane_row(image, s->c[1].plane, row),
                          s->planes == 2 ? NULL : plane_row(image, s->c[2].plane, row)};

    if (one_by_one(s)) {
        for (int c = 1; c < 3; c++)
            blend_component(&k->brush, c, above, below, width,
                            plane_row(image, s->c[c].plane, row));
    } else if (s->w_sub) {
        ink_chroma(&k->brush, above, below, width, chroma, s->planes == 2);
    } else {
        ink_row(&k->brush, 1, above, width, chroma[0], 1);
        ink_row(&k->brush, 2, above, width, chroma[1], 1);
    }
}

/* Draws the one or two rows that share chroma. */
static void draw_luma(struct kinds *k, const rvos_image *image, int y, int rows)
{
    const struct rv_sampling *s = k->brush.sampling;
    bool any = false;

    for (int i = 0; i < rows; i++) {
        uint8_t *kind = k->row[i], *p = plane_row(image, 0, y + i);
        bool here = kinds_of_row(k, y + i, kind);

        any |= here;
        if (here && one_by_one(s))
            blend_component(&k->brush, 0, kind, kind, image->width, p);
        else if (here)
            ink_row(&k->brush, 0, kind, image->width, p, 1);
    }
    if (any && s->components > 1)
        draw_chroma(k, image, y, rows);
}

void rv_draw_rows(const rvos_image *image, const rvos_labels *labels,
                  const rvos_draw_params *params, int row0, int row1, void *scratch)
{
    struct rv_paint paint;
    struct kinds *k;

    if (row0 >= row1 || !rv_paint_of(image, params, &paint))
        return;
    k = lay_out(image, labels, &paint, scratch);
    if (k->brush.sampling) {
        int step = 1 << k->brush.sampling->h_sub;

        for (int y = row0; y < row1; y += step)
            draw_luma(k, image, y, y + step <= row1 ? step : 1);
        return;
    }
    for (int y = row0; y < row1; y++)
        if (kinds_of_row(k, y, k->row[0]))
            ink_row(&k->brush, 0, k->row[0], image->width, plane_row(image, 0, y),
                    rv_packing_of(image->format).size);
}

int rv_draw_image(const rvos_image *image, const rvos_labels *labels,
                  const rvos_draw_params *params)
{
    void *scratch = malloc(rv_draw_scratch(image, params));

    if (!scratch)
        return RVOS_ERR_MEMORY;
    rv_draw_rows(image, labels, params, 0, image->height, scratch);
    free(scratch);
    return 0;
}
