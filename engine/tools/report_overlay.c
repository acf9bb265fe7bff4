/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdlib.h>
#include <string.h>

#include <rvos.h>

#include "codec.h"
#include "report.h"

static char *base64(const unsigned char *data, size_t size)
{
    static const char digit[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    char *text = malloc((size + 2) / 3 * 4 + 1), *to = text;

    for (size_t i = 0; text && i < size; i += 3) {
        size_t left = size - i;
        unsigned v = (unsigned)data[i] << 16 |
                     (left > 1 ? (unsigned)data[i + 1] << 8 : 0) |
                     (left > 2 ? (unsigned)data[i + 2] : 0);

        *to++ = digit[v >> 18];
        *to++ = digit[v >> 12 & 63];
        *to++ = left > 1 ? digit[v >> 6 & 63] : '=';
        *to++ = left > 2 ? digit[v & 63] : '=';
    }
    if (text)
        *to = 0;
    return text;
}

/* Means over squares, so that it is no wider than asked. */
static void shrink(struct picture *p, int max_width)
{
    int step = (p->width + max_width - 1) / max_width;
    int width = p->width / step, height = p->height / step;

    for (int y = 0; y < height && step > 1; y++)
        for (int x = 0; x < 3 * width; x++) {
            unsigned sum = 0;

            for (int v = 0; v < step; v++)
                for (int u = 0; u < step; u++)
                    sum += p->pixels[3 * ((size_t)(y * step + v) * (size_t)p->width +
                                          (size_t)(x / 3 * step + u)) +
                                     (size_t)(x % 3)];
            /* Never ahead of what is still to be read. */
            p->pixels[3 * (size_t)y * (size_t)width + (size_t)x] =
                (uint8_t)(sum / (unsigned)(step * step));
        }
    if (step > 1) {
        p->width = width;
        p->height = height;
    }
}

static int read_frame(struct picture *frame, const struct eval_sequence *s, int t,
                      const char *frames, const struct picture *mask)
{
    static const char *const extension[] = {"jpg", "png", "jpeg", "ppm"};
    int err = -1;

    for (size_t i = 0; frames && err && i < sizeof extension / sizeof *extension; i++) {
        char *path = text_format("%s/%s/%s.%s", frames, s->name, s->truth.file[t].stem,
                                 extension[i]);

        if (path && is_file(path))
            err = picture_read(frame, path, NULL);
        free(path);
    }
    if (!err && (frame->width != mask->width || frame->height != mask->height)) {
        picture_free(frame);
        err = -1;
    }
    if (err && picture_alloc(frame, mask->width, mask->height, 3, NULL, NULL))
        return -1;
    if (err)
        memset(frame->pixels, 0xb0, 3 * (size_t)mask->width * (size_t)mask->height);
    return 0;
}

static int draw(const struct picture *frame, const struct picture *mask,
                const rvos_draw_params *params)
{
    rvos_image image = {.format = RVOS_RGB,
                        .width = frame->width,
                        .height = frame->height,
                        .plane = {frame->pixels},
                        .stride = {3 * (ptrdiff_t)frame->width}};
    rvos_labels labels = {.width = mask->width,
                          .height = mask->height,
                          .data = mask->pixels,
                          .stride = mask->width};
    rvos_device *device;
    int err = rvos_device_open(
        &device, &(rvos_device_params){.backend = "reference", .threads = 1});

    if (!err)
        err = rvos_draw(device, &image, &labels, params);
    rvos_device_close(&device);
    return err;
}

static int compose(struct picture *frame, const struct picture *truth,
                   const struct picture *guess)
{
    int line = 1 + frame->width / 400;
    rvos_palette white;

    memset(&white, 255, sizeof white);
    return draw(frame, guess, &(rvos_draw_params){.opacity = 0.55f}) ||
           draw(frame, truth, &(rvos_draw_params){.palette = &white, .contour = line});
}

char *overlay_base64(const struct evaluation *evaluation,
                     const struct eval_sequence *sequence, int frame, const char *frames,
                     int width)
{
    enum mask_kind kind = guess_kind(evaluation->protocol);
    struct picture truth = {0}, guess = {0}, picture = {0};
    unsigned char *jpeg = NULL;
    unsigned long size;
    char *text = NULL;

    if (!mask_read(&truth, sequence->truth.file[frame].path, sequence->kind, NULL) &&
        !mask_read(&guess, sequence->guess[frame], kind, NULL) &&
        !read_frame(&picture, sequence, frame, frames, &truth) &&
        !compose(&picture, &truth, &guess)) {
        shrink(&picture, width);
        if (!jpeg_encode(&jpeg, &size, &picture, 85))
            text = base64(jpeg, size);
    }
    free(jpeg);
    picture_free(&truth);
    picture_free(&guess);
    picture_free(&picture);
    return text;
}
