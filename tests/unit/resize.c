/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* resize.c - compares network input from every format with the definition in double, and
 * nearest-neighbour masks with division. */
#include "../../engine/src/cpu/pixels.h"

#include "images.h"

static double clamp255(double v)
{
    return v < 0 ? 0 : v > 255 ? 255 : v;
}

/* One pixel as 8-bit RGB, before rounding. */
static void pixel(const rvos_image *im, int x, int y, double rgb[3])
{
    const uint8_t *p = (const uint8_t *)im->plane[0] + y * im->stride[0];
    uint8_t *const data[3] = {im->plane[0], im->plane[1], im->plane[2]};
    double kr, kb, of[3] = {0, 128, 128}, luma, cb, cr;
    bool full = im->colorimetry.full_range;

    if (im->format < RVOS_NV12) {
        const int *at = test_channels(im->format);

        for (int c = 0; c < 3; c++)
            rgb[c] = p[x * (im->format <= RVOS_BGR ? 3 : 4) + at[c]];
        return;
    }
    test_luma(im, &kr, &kb);
    for (int c = 0; c < (im->format == RVOS_GRAY8 ? 1 : 3); c++)
        of[c] = test_sample(im, test_sample_at(im, data, c, x, y), c);
    luma = full ? of[0] : (of[0] - 16) * 255.0 / 219;
    cb = (of[1] - 128) * (full ? 1 : 255.0 / 224);
    cr = (of[2] - 128) * (full ? 1 : 255.0 / 224);
    rgb[0] = luma + 2 * (1 - kr) * cr;
    rgb[2] = luma + 2 * (1 - kb) * cb;
    rgb[1] = (luma - kr * rgb[0] - kb * rgb[2]) / (1 - kr - kb);
    for (int c = 0; c < 3; c++)
        rgb[c] = clamp255(rgb[c]);
}

/* Weights of one output along one axis, in double. */
static void weights(int in, int out, int i, double *w)
{
    double scale = (double)in / out, support = scale > 1 ? scale : 1, sum = 0;
    double centre = (i + 0.5) * scale;

    for (int j = 0; j < in; j++) {
        w[j] = fmax(0, 1 - fabs(j + 0.5 - centre) / support);
        sum += w[j];
    }
    for (int j = 0; j < in; j++)
        w[j] /= sum;
}

static const double mean[3] = {0.485, 0.456, 0.406}, std[3] = {0.229, 0.224, 0.225};

/* `slack`, in levels of 255, is the limit for all 8-bit roundings together. */
static void against_double(const rvos_image *im, int w, int h, const float *got,
                           double slack)
{
    double *wx = malloc(sizeof(*wx) * im->width), *wy = malloc(sizeof(*wy) * im->height);
    bool good = true;

    for (int y = 0; y < h && good; y++) {
        weights(im->height, h, y, wy);
        for (int x = 0; x < w && good; x++) {
            double sum[3] = {0}, rgb[3];

            weights(im->width, w, x, wx);
            for (int j = 0; j < im->height; j++)
                for (int i = 0; wy[j] > 0 && i < im->width; i++) {
                    if (wx[i] <= 0)
                        continue;
                    pixel(im, i, j, rgb);
                    for (int c = 0; c < 3; c++)
                        sum[c] += wy[j] * wx[i] * rgb[c];
                }
            for (int c = 0; c < 3; c++) {
                double v = got[(y * w + x) * 3 + c] * std[c] + mean[c];

                good &= CHECK_NEAR(v * 255, sum[c], slack);
            }
            test_note(good, "format %d, %dx%d to %dx%d, at %d,%d", im->format, im->width,
                      im->height, w, h, x, y);
        }
    }
    free(wx);
    free(wy);
}

/* Runs bands of any cut, each with its own scratch memory, which starts as garbage. */
static float *resized(const rvos_image *im, int w, int h, int band)
{
    struct rv_resize *r = rv_resize_create(im->width, im->height, w, h);
    float *out = malloc(sizeof(float) * 3 * w * h);

    if (!CHECK(r && out))
        exit(1);
    for (int y = 0; y < h; y += band) {
        size_t size = rv_resize_scratch(r);
        void *scratch = malloc(size);

        memset(scratch, 0xff, size);
        rv_resize_rows(r, im, y, y + band < h ? y + band : h, out + (size_t)y * w * 3,
                       scratch);
        free(scratch);
    }
    rv_resize_destroy(r);
    return out;
}

static void formats(void)
{
    uint64_t seed = 1;

    for (int i = 0; i < 440; i++) {
        rvos_format format = (rvos_format)(i % (RVOS_P010 + 1));
        int w = test_random_int(&seed, 1, 40), h = test_random_int(&seed, 1, 40);
        int to_w = i % 5 ? test_random_int(&seed, 1, 40) : w;
        int to_h = i % 7 ? test_random_int(&seed, 1, 40) : h;
        struct test_image t = test_image_new(format, w, h, &seed);
        float *whole = resized(&t.image, to_w, to_h, to_h);
        float *cut = resized(&t.image, to_w, to_h, test_random_int(&seed, 1, 7));

        /* Two passes round to 8 bits, formats with luma once more. */
        against_double(&t.image, to_w, to_h, whole, format < RVOS_NV12 ? 1.01 : 1.55);
        CHECK(!memcmp(whole, cut, sizeof(float) * 3 * to_w * to_h));
        free(whole);
        free(cut);
        test_image_free(&t);
    }
    rv_resize_destroy(NULL);
}

/* At the same size each byte is kept, and normalised in float32. */
static void identity(void)
{
    uint64_t seed = 2;
    struct test_image t = test_image_new(RVOS_RGB, 64, 48, &seed);
    float *out = resized(&t.image, 64, 48, 5);
    bool same = true;

    for (int i = 0; i < 64 * 48 * 3; i++) {
        int c = i % 3, v = t.plane[0].data[i / 192 * t.plane[0].stride + i % 192];

        same &= out[i] == ((float)v / 255.0f - (float)mean[c]) / (float)std[c];
    }
    CHECK(same);
    free(out);
    test_image_free(&t);
}

/* White, black and the primaries in each matrix and range, where errors are largest. */
static void colours(void)
{
    static const uint8_t limited601[5][6] = {{235, 128, 128, 255, 255, 255},
                                             {16, 128, 128, 0, 0, 0},
                                             {81, 90, 240, 255, 0, 0},
                                             {145, 54, 34, 0, 255, 0},
                                             {41, 240, 110, 0, 0, 255}};
    static const uint8_t full709[3][6] = {{255, 128, 128, 255, 255, 255},
                                          {54, 99, 255, 254, 0, 0},
                                          {182, 30, 12, 0, 255, 0}};
    for (int i = 0; i < 8; i++) {
        const uint8_t *c = i < 5 ? limited601[i] : full709[i - 5];
        uint8_t y = c[0], uv[2] = {c[1], c[2]};
        rvos_image im = {
            .format = RVOS_NV12,
            .width = 1,
            .height = 1,
            .plane = {&y, uv},
            .stride = {1, 2},
            .colorimetry = {i < 5 ? RVOS_MATRIX_DEFAULT : RVOS_MATRIX_BT709, i >= 5}};
        float *out = resized(&im, 1, 1, 1);

        for (int k = 0; k < 3; k++)
            CHECK_NEAR((out[k] * std[k] + mean[k]) * 255, c[3 + k], 1.3);
        free(out);
    }
}

int main(void)
{
    formats();
    identity();
    colours();
    return test_done();
}
