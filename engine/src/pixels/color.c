/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "color.h"

#include <math.h>
#include <string.h>

/* In the order of rvos_format, from RVOS_NV12 on. */
static const struct rv_sampling samplings[] = {
    {2, 3, 1, 1, 0, 0, {{0, 0, 1}, {1, 0, 2}, {1, 1, 2}}}, /* NV12 */
    {3, 3, 1, 1, 0, 0, {{0, 0, 1}, {1, 0, 1}, {2, 0, 1}}}, /* I420 */
    {2, 3, 1, 1, 0, 0, {{0, 0, 1}, {1, 1, 2}, {1, 0, 2}}}, /* NV21 */
    {3, 3, 1, 0, 0, 0, {{0, 0, 1}, {1, 0, 1}, {2, 0, 1}}}, /* Y42B */
    {3, 3, 0, 0, 0, 0, {{0, 0, 1}, {1, 0, 1}, {2, 0, 1}}}, /* Y444 */
    {1, 3, 1, 0, 0, 0, {{0, 0, 2}, {0, 1, 4}, {0, 3, 4}}}, /* YUY2 */
    {1, 3, 1, 0, 0, 0, {{0, 1, 2}, {0, 0, 4}, {0, 2, 4}}}, /* UYVY */
    {1, 1, 0, 0, 0, 0, {{0, 0, 1}}},                       /* GRAY8 */
    {3, 3, 1, 1, 1, 0, {{0, 0, 2}, {1, 0, 2}, {2, 0, 2}}}, /* I420_10 */
    {3, 3, 1, 0, 1, 0, {{0, 0, 2}, {1, 0, 2}, {2, 0, 2}}}, /* Y42B_10 */
    {3, 3, 0, 0, 1, 0, {{0, 0, 2}, {1, 0, 2}, {2, 0, 2}}}, /* Y444_10 */
    {2, 3, 1, 1, 1, 6, {{0, 0, 2}, {1, 0, 4}, {1, 2, 4}}}, /* P010 */
};

_Static_assert(sizeof(samplings) / sizeof(samplings[0]) == RVOS_P010 - RVOS_NV12 + 1,
               "a format has no sampling");

const struct rv_sampling *rv_sampling_of(rvos_format format)
{
    return format < RVOS_NV12 ? NULL : &samplings[format - RVOS_NV12];
}

int rv_planes_of(rvos_format format)
{
    const struct rv_sampling *s = rv_sampling_of(format);

    return s ? s->planes : 1;
}

ptrdiff_t rv_plane_bytes(rvos_format format, int width, int plane)
{
    const struct rv_sampling *s = rv_sampling_of(format);
    ptrdiff_t most = 0;

    if (!s)
        return (ptrdiff_t)width * rv_packing_of(format).size;
    for (int c = 0; c < s->components; c++) {
        ptrdiff_t samples = c ? (width + s->w_sub) >> s->w_sub : width;
        ptrdiff_t end = s->c[c].at + (samples - 1) * s->c[c].step + 1 + s->deep;

        if (s->c[c].plane == plane && end > most)
            most = end;
    }
    return most;
}

int rv_plane_rows(rvos_format format, int height, int plane)
{
    const struct rv_sampling *s = rv_sampling_of(format);

    return s && plane ? (height + s->h_sub) >> s->h_sub : height;
}

struct luma {
    double red, blue; /* their shares of Y; green has the rest */
};

static struct luma luma_of(const rvos_image *image)
{
    static const struct luma bt601 = {0.299, 0.114}, bt709 = {0.2126, 0.0722},
                             bt2020 = {0.2627, 0.0593};

    switch (image->colorimetry.matrix) {
    case RVOS_MATRIX_BT601:
        return bt601;
    case RVOS_MATRIX_BT709:
        return bt709;
    case RVOS_MATRIX_BT2020:
        return bt2020;
    default:
        return image->height <= 576 ? bt601 : bt709;
    }
}

static int32_t fixed(double value)
{
    return (int32_t)lrint(value * 65536);
}

struct rv_yuv rv_yuv_of(const rvos_image *image)
{
    bool full = image->colorimetry.full_range;
    const struct rv_sampling *s = rv_sampling_of(image->format);
    int deep = s && s->deep;
    struct luma k = luma_of(image);
    /* 10-bit full-range white is 1023; four times 255 is only 1020. */
    double white = deep ? 1020.0 / 1023 : 1;
    double y = full ? white : 255.0 / 219, c = full ? 2 * white : 2 * 255.0 / 224;
    double green = 1 - k.red - k.blue;

    return (struct rv_yuv){
        .black = full   ? 0
                 : deep ? 64
                        : 16,
        .y = fixed(y),
        .rv = fixed(c * (1 - k.red)),
        .gu = fixed(-c * (1 - k.blue) * k.blue / green),
        .gv = fixed(-c * (1 - k.red) * k.red / green),
        .bu = fixed(c * (1 - k.blue)),
    };
}

/* The nearest 8-bit Y, Cb, Cr in the image's matrix and range. */
static void yuv_from_rgb(const rvos_image *image, const uint8_t rgb[3], uint8_t yuv[3])
{
    bool full = image->colorimetry.full_range;
    struct luma k = luma_of(image);
    double y = k.red * rgb[0] + (1 - k.red - k.blue) * rgb[1] + k.blue * rgb[2];
    double c = full ? 0.5 : 0.5 * 224 / 255;
    double cb = 128 + c * (rgb[2] - y) / (1 - k.blue);
    double cr = 128 + c * (rgb[0] - y) / (1 - k.red);

    yuv[0] = (uint8_t)lrint(full ? y : 16 + y * 219 / 255);
    /* In full range pure blue and red give 255.5. */
    yuv[1] = (uint8_t)lrint(cb > 255 ? 255 : cb);
    yuv[2] = (uint8_t)lrint(cr > 255 ? 255 : cr);
}

struct rv_packing rv_packing_of(rvos_format format)
{
    static const struct rv_packing packing[] = {
        [RVOS_RGB] = {3, 0, 1, 2, -1},  [RVOS_BGR] = {3, 2, 1, 0, -1},
        [RVOS_RGBX] = {4, 0, 1, 2, -1}, [RVOS_BGRX] = {4, 2, 1, 0, -1},
        [RVOS_XRGB] = {4, 1, 2, 3, -1}, [RVOS_XBGR] = {4, 3, 2, 1, -1},
        [RVOS_RGBA] = {4, 0, 1, 2, 3},  [RVOS_BGRA] = {4, 2, 1, 0, 3},
        [RVOS_ARGB] = {4, 1, 2, 3, 0},  [RVOS_ABGR] = {4, 3, 2, 1, 0},
    };

    return packing[format];
}

bool rv_paint_of(const rvos_image *image, const rvos_draw_params *params,
                 struct rv_paint *paint)
{
    if (!params->replace && params->opacity <= 0 && !params->contour)
        return false;
    *paint = (struct rv_paint){
        .opacity = params->replace ? 256 : (int)lrintf(params->opacity * 256),
        .contour = params->replace ? 0 : params->contour,
        .replace = params->replace,
    };
    for (int label = 0; label <= RVOS_MAX_OBJECTS; label++) {
        const uint8_t *rgb = params->palette->rgb[label];

        if (rv_sampling_of(image->format))
            yuv_from_rgb(image, rgb, paint->value[label]);
        else
            memcpy(paint->value[label], rgb, 3);
    }
    return true;
}

/* Bits of the label, spread over the three colours from the top bit down: the
 * palette of the PASCAL VOC and DAVIS annotations. */
#define BIT(n, b) ((n) >> (b)&1)
#define RED(n) (uint8_t)(BIT(n, 0) << 7 | BIT(n, 3) << 6)
#define GREEN(n) (uint8_t)(BIT(n, 1) << 7 | BIT(n, 4) << 6)
#define BLUE(n) (uint8_t)(BIT(n, 2) << 7 | BIT(n, 5) << 6)
#define COLOUR(n)                                                                        \
    {                                                                                    \
        RED(n), GREEN(n), BLUE(n)                                                        \
    }
#define FOUR(n) COLOUR(n), COLOUR(n + 1), COLOUR(n + 2), COLOUR(n + 3)

const rvos_palette rvos_davis_palette = {{FOUR(0), FOUR(4), FOUR(8), FOUR(12), FOUR(16),
                                          FOUR(20), FOUR(24), FOUR(28), COLOUR(32)}};
