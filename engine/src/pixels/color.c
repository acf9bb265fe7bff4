/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "color.h"

#include <math.h>

struct luma {
    double red, blue; /* shares of Y; green has the rest */
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
    struct luma k = luma_of(image);
    double y = full ? 1 : 255.0 / 219, c = full ? 2 : 2 * 255.0 / 224;
    double green = 1 - k.red - k.blue;

    return (struct rv_yuv){
        .black = full ? 0 : 16,
        .y = fixed(y),
        .rv = fixed(c * (1 - k.red)),
        .gu = fixed(-c * (1 - k.blue) * k.blue / green),
        .gv = fixed(-c * (1 - k.red) * k.red / green),
        .bu = fixed(c * (1 - k.blue)),
    };
}

void rv_yuv_from_rgb(const rvos_image *image, const uint8_t rgb[3], uint8_t yuv[3])
{
    bool full = image->colorimetry.full_range;
    struct luma k = luma_of(image);
    double y = k.red * rgb[0] + (1 - k.red - k.blue) * rgb[1] + k.blue * rgb[2];
    double c = full ? 0.5 : 0.5 * 224 / 255;
    double cb = 128 + c * (rgb[2] - y) / (1 - k.blue);
    double cr = 128 + c * (rgb[0] - y) / (1 - k.red);

    yuv[0] = (uint8_t)lrint(full ? y : 16 + y * 219 / 255);
    /* Full range: pure blue and red ask for 255.5. */
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
