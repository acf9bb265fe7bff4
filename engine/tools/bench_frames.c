/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdlib.h>

#include "bench.h"

#define MADE_FRAMES 16

static void make_frame(struct picture *p, int t)
{
    uint32_t noise = 2463534242u + (uint32_t)t;

    for (int y = 0; y < p->height; y++)
        for (int x = 0; x < p->width; x++) {
            uint8_t *pixel = p->pixels + 3 * ((size_t)y * (size_t)p->width + (size_t)x);

            noise ^= noise << 13;
            noise ^= noise >> 17;
            noise ^= noise << 5;
            for (int k = 0; k < 3; k++)
                pixel[k] = (uint8_t)(60 + (noise >> 8 * k & 31) + 60 * y / p->height);
            for (int d = 0; d < 3; d++) {
                int dx = x - p->width * (1 + d) / 4 - 6 * t, dy = y - p->height / 2;

                if (dx * dx + dy * dy < p->height * p->height / (25 + 15 * d))
                    pixel[d] = (uint8_t)(200 + (noise & 31));
            }
        }
}

static int read_folder(struct picture **frames, int *count, const char *folder,
                       struct fault *fault)
{
    struct frame_list list;
    int err = frames_list(&list, folder, fault);

    if (err)
        return err;
    *frames = calloc((size_t)list.count, sizeof **frames);
    for (int i = 0; *frames && i < list.count && !err; i++) {
        err = picture_read(&(*frames)[i], list.file[i].path, fault);
        *count = i + 1;
    }
    frames_free(&list);
    return *frames ? err : fault_set(fault, TOOL_ENGINE, folder, "out of memory");
}

int bench_frames(struct picture **frames, int *count, const struct bench_options *options,
                 struct fault *fault)
{
    int err = 0;

    *frames = NULL;
    *count = 0;
    if (options->folder)
        return read_folder(frames, count, options->folder, fault);
    *frames = calloc(MADE_FRAMES, sizeof **frames);
    if (!*frames)
        return fault_set(fault, TOOL_ENGINE, NULL, "out of memory");
    for (int t = 0; t < MADE_FRAMES && !err; t++) {
        err = picture_alloc(&(*frames)[t], options->frame_width, options->frame_height, 3,
                            "--frame-size", fault);
        if (!err)
            make_frame(&(*frames)[t], t);
        *count = t + 1;
    }
    return err;
}
