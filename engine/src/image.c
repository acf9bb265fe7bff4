/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "image.h"

#include <stdlib.h>

#include "log.h"
#include "pixels/color.h"
#include "pixels/objects.h"

#define MAX_SIDE 32768

static int check_memory(const rvos_device *dev, rvos_memory memory, const char *what)
{
    if (memory == RVOS_MEMORY_HOST || dev->fn->device_memory)
        return 0;
    rv_log(dev, RVOS_LOG_ERROR, "%s: the %s backend takes host memory only", what,
           dev->fn->name);
    return RVOS_ERR_UNSUPPORTED;
}

static bool size_fits(int width, int height)
{
    return width > 0 && height > 0 && width <= MAX_SIDE && height <= MAX_SIDE;
}

static int check_size(const rvos_device *dev, int width, int height, const char *what)
{
    if (size_fits(width, height))
        return 0;
    rv_log(dev, RVOS_LOG_ERROR, "%s: a size of %dx%d is not possible", what, width,
           height);
    return RVOS_ERR_ARGUMENT;
}

static int check_plane(const rvos_device *dev, const void *data, ptrdiff_t stride,
                       ptrdiff_t least, const char *what)
{
    if (data && stride >= least)
        return 0;
    rv_log(dev, RVOS_LOG_ERROR, "%s: a plane is missing or its stride is below %td bytes",
           what, least);
    return RVOS_ERR_ARGUMENT;
}

int rv_image_check(const rvos_device *dev, const rvos_image *image, const char *what)
{
    int ret;

    if (!image || image->format < RVOS_RGB || image->format > RVOS_P010 ||
        image->colorimetry.matrix < RVOS_MATRIX_DEFAULT ||
        image->colorimetry.matrix > RVOS_MATRIX_BT2020) {
        rv_log(dev, RVOS_LOG_ERROR, "%s: no image, or one of an unknown format", what);
        return RVOS_ERR_ARGUMENT;
    }
    ret = check_size(dev, image->width, image->height, what);
    if (ret)
        return ret;
    for (int i = 0; i < rv_planes_of(image->format) && !ret; i++)
        ret = check_plane(dev, image->plane[i], image->stride[i],
                          rv_plane_bytes(image->format, image->width, i), what);
    if (ret)
        return ret;
    ret = check_memory(dev, image->memory, what);
    return ret || image->memory == RVOS_MEMORY_HOST ? ret
                                                    : rv_image_for_cuda(dev, image, what);
}

int rv_image_for_cuda(const rvos_device *dev, const rvos_image *image, const char *what)
{
    if (image->format <= RVOS_I420)
        return 0;
    rv_log(dev, RVOS_LOG_ERROR,
           "%s: the %s backend takes RGB formats, NV12 and I420 only", what,
           dev->fn->name);
    return RVOS_ERR_UNSUPPORTED;
}

int rv_labels_check(const rvos_device *dev, const rvos_labels *labels, const char *what)
{
    int ret, step;

    if (!labels || labels->step < 0) {
        rv_log(dev, RVOS_LOG_ERROR, "%s: no labels, or a step below 0", what);
        return RVOS_ERR_ARGUMENT;
    }
    step = rv_labels_step(labels);
    ret = check_size(dev, labels->width, labels->height, what);
    if (!ret)
        ret = check_plane(dev, labels->data, labels->stride,
                          (ptrdiff_t)(labels->width - 1) * step + 1, what);
    return ret ? ret : check_memory(dev, labels->memory, what);
}

void rv_seed_bits(const rvos_labels *masks, uint32_t slots, uint32_t *bits, int width,
                  int height)
{
    ptrdiff_t step = rv_labels_step(masks);

    /* Nearest: source = floor((i + 0.5) * in / out), in integers. */
    for (int y = 0; y < height; y++) {
        int sy = (int)(((int64_t)2 * y + 1) * masks->height / (2 * (int64_t)height));
        const uint8_t *row = masks->data + sy * masks->stride;

        for (int x = 0; x < width; x++) {
            int sx = (int)(((int64_t)2 * x + 1) * masks->width / (2 * (int64_t)width));
            int label = row[sx * step];
            uint32_t bit =
                label && label <= RVOS_MAX_OBJECTS ? UINT32_C(1) << (label - 1) : 0;
            uint32_t *b = &bits[(size_t)y * width + x];

            *b = (*b & ~slots) | (bit & slots);
        }
    }
}

uint32_t rvos_labels_slots(const rvos_labels *labels, int *highest)
{
    ptrdiff_t step = labels ? rv_labels_step(labels) : 1;
    bool seen[256] = {false};
    uint32_t slots = 0;

    if (highest)
        *highest = 0;
    if (!labels || !labels->data || labels->memory != RVOS_MEMORY_HOST || step < 0 ||
        !size_fits(labels->width, labels->height) ||
        labels->stride < (labels->width - 1) * step + 1)
        return 0;
    for (int y = 0; y < labels->height; y++)
        for (int x = 0; x < labels->width; x++)
            seen[labels->data[y * labels->stride + x * step]] = true;
    for (int i = 1; i < 255; i++) {
        if (seen[i] && i <= RVOS_MAX_OBJECTS)
            slots |= UINT32_C(1) << (i - 1);
        if (seen[i] && highest)
            *highest = i;
    }
    return slots;
}
