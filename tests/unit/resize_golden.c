/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* resize_golden.c - compares the resize, exactly, with frames and an annotation of the
 * published pipeline. Skips where the shared folder, $RVOS_SHARED
 * or ../shared beside the source folder that is the first argument, is absent. */
#define _POSIX_C_SOURCE 200809L
#include <png.h>

#include <string.h>
#include <unistd.h>

#include "../../engine/src/cpu/pixels.h"
#include "../../engine/src/image.h"
#include "../test.h"

enum { WIDTH = 427, HEIGHT = 240, FRAMES = 5 };

static char folder[4000];

struct picture {
    uint8_t *data;
    int width, height, channels;
};

static FILE *open_golden(const char *name)
{
    char path[4200];
    FILE *file;

    snprintf(path, sizeof(path), "%s/%s", folder, name);
    file = fopen(path, "rb");
    if (!file) {
        fprintf(stderr, "%s cannot be read\n", path);
        exit(1);
    }
    return file;
}

/* Reads the file's samples; palette indexes stay indexes. */
static struct picture read_png(const char *name)
{
    FILE *file = open_golden(name);
    png_structp png = png_create_read_struct(PNG_LIBPNG_VER_STRING, NULL, NULL, NULL);
    png_infop info = png ? png_create_info_struct(png) : NULL;
    struct picture p = {0};
    size_t row;

    if (!info || setjmp(png_jmpbuf(png)))
        exit(1);
    png_init_io(png, file);
    png_read_png(png, info, PNG_TRANSFORM_PACKING, NULL);
    p.width = (int)png_get_image_width(png, info);
    p.height = (int)png_get_image_height(png, info);
    p.channels = png_get_channels(png, info);
    row = (size_t)p.width * p.channels;
    p.data = malloc(row * p.height);
    if (!p.data)
        exit(1);
    for (int y = 0; y < p.height; y++)
        memcpy(p.data + y * row, png_get_rows(png, info)[y], row);
    png_destroy_read_struct(&png, &info, NULL);
    fclose(file);
    return p;
}

/* The last `size` bytes of a .npy file of uint8 in C order. */
static uint8_t *read_npy(const char *name, size_t size, const char *shape)
{
    FILE *file = open_golden(name);
    uint8_t *data = malloc(size);
    char head[128];

    if (!CHECK(data && fread(head, 1, 128, file) == 128))
        exit(1);
    head[127] = 0;
    CHECK(!memcmp(head, "\x93NUMPY\x01", 7) && strstr(head + 10, "'|u1'") &&
          strstr(head + 10, "'fortran_order': False") && strstr(head + 10, shape));
    CHECK(fread(data, 1, size, file) == size && fgetc(file) == EOF);
    fclose(file);
    return data;
}

static void frames(void)
{
    static const double mean[3] = {0.485, 0.456, 0.406}, std[3] = {0.229, 0.224, 0.225};
    size_t size = (size_t)HEIGHT * WIDTH * 3;
    uint8_t *want = read_npy("frames_240x427.npy", FRAMES * size, "(5, 240, 427, 3)");
    float *out = malloc(size * sizeof(*out));

    for (int f = 0; f < FRAMES; f++) {
        char name[32];
        struct picture p;
        struct rv_resize *r;
        void *scratch;
        size_t wrong = 0;

        snprintf(name, sizeof(name), "frames/%05d.png", f);
        p = read_png(name);
        r = rv_resize_create(p.width, p.height, WIDTH, HEIGHT);
        scratch = malloc(rv_resize_scratch(r));
        if (!CHECK(p.channels == 3 && p.width == 854 && p.height == 480))
            exit(1);
        rv_resize_rows(r,
                       &(rvos_image){.format = RVOS_RGB,
                                     .width = p.width,
                                     .height = p.height,
                                     .plane = {p.data},
                                     .stride = {(ptrdiff_t)p.width * 3}},
                       0, HEIGHT, out, scratch);
        for (size_t i = 0; i < size; i++) {
            double v = (out[i] * std[i % 3] + mean[i % 3]) * 255;

            wrong += fabs(v - want[f * size + i]) > 1e-3;
        }
        test_note(CHECK(wrong == 0), "frame %d: %zu bytes differ", f, wrong);
        rv_resize_destroy(r);
        free(scratch);
        free(p.data);
    }
    free(out);
    free(want);
}

static void annotation(void)
{
    size_t size = (size_t)HEIGHT * WIDTH;
    uint8_t *want = read_npy("annotation_240x427.npy", size, "240, 427");
    struct picture p = read_png("annotations/00000.png");
    uint32_t *out = calloc(size, sizeof(*out));
    bool same = true;

    CHECK(p.channels == 1);
    rv_seed_bits(
        &(rvos_labels){
            .width = p.width, .height = p.height, .data = p.data, .stride = p.width},
        RVOS_ALL_SLOTS, out, WIDTH, HEIGHT);
    for (size_t i = 0; i < size; i++)
        same &= out[i] == (want[i] ? UINT32_C(1) << (want[i] - 1) : 0);
    CHECK(same);
    free(out);
    free(want);
    free(p.data);
}

int main(int argc, char **argv)
{
    const char *shared = getenv("RVOS_SHARED");

    if (shared)
        snprintf(folder, sizeof(folder), "%s/golden/h_e2e_davis_zeroshot", shared);
    else
        snprintf(folder, sizeof(folder), "%s/../shared/golden/h_e2e_davis_zeroshot",
                 argc > 1 ? argv[1] : ".");
    if (access(folder, R_OK))
        return test_skip("no shared folder with golden data");
    frames();
    annotation();
    return test_done();
}
