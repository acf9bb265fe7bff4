/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* draw.c - compares tint, contour, mask picture and alpha, on every format, with the rule
 * applied pixel by pixel in double. */
#include "../../engine/src/pixels/draw.h"
#include "../../engine/src/pixels/objects.h"

#include "images.h"

static rvos_palette random_palette(uint64_t *seed)
{
    rvos_palette p;

    for (int i = 0; i <= RVOS_MAX_OBJECTS; i++)
        for (int c = 0; c < 3; c++)
            p.rgb[i][c] = (uint8_t)test_random(seed);
    return p;
}

static int label_at(const rvos_labels *labels, int x, int y)
{
    return labels->data[y * labels->stride + x * (labels->step ? labels->step : 1)];
}

static bool on_edge(const rvos_labels *labels, int x, int y, int width)
{
    int own = label_at(labels, x, y);

    for (int v = y - width; v <= y + width; v++)
        for (int u = x - width; u <= x + width; u++)
            if (u >= 0 && v >= 0 && u < labels->width && v < labels->height &&
                label_at(labels, u, v) != own)
                return true;
    return false;
}

/* What a pixel asks for: a label's colour, and how much of it. */
static double asked(const rvos_labels *labels, const rvos_draw_params *params, int x,
                    int y, int *label)
{
    *label = label_at(labels, x, y);
    if (*label > RVOS_MAX_OBJECTS)
        *label = 0;
    if (params->replace)
        return 1;
    if (!*label)
        return 0;
    return params->contour && on_edge(labels, x, y, params->contour) ? 1
                                                                     : params->opacity;
}

/* Component 0..2 (Y, Cb, Cr) of an 8-bit colour in the image's colorimetry, not rounded.
 */
static double component(const rvos_image *im, const uint8_t rgb[3], int c)
{
    bool full = im->colorimetry.full_range;
    double kr, kb, luma, chroma = full ? 1 : 224.0 / 255;

    test_luma(im, &kr, &kb);
    luma = kr * rgb[0] + (1 - kr - kb) * rgb[1] + kb * rgb[2];
    if (c == 0)
        return full ? luma : 16 + luma * 219 / 255;
    if (c == 1)
        return fmin(255, 128 + chroma * (rgb[2] - luma) / (2 - 2 * kb));
    return fmin(255, 128 + chroma * (rgb[0] - luma) / (2 - 2 * kr));
}

/* The tolerance: rounding of the opacity to 256 steps, of the result, and of YUV colours.
 */
static const double rgb_slack = 1.001, yuv_slack = 1.501;

static bool check_rgb(const rvos_image *im, const rvos_labels *labels,
                      const rvos_draw_params *params, const uint8_t *before)
{
    const int *at = test_channels(im->format);
    int size = im->format <= RVOS_BGR ? 3 : 4, label;

    for (int y = 0; y < im->height; y++)
        for (int x = 0; x < im->width; x++) {
            ptrdiff_t i = y * im->stride[0] + x * size;
            const uint8_t *now = (const uint8_t *)im->plane[0] + i, *was = before + i;
            double a = asked(labels, params, x, y, &label);

            if (size == 4 && !CHECK(now[at[3]] == was[at[3]]))
                return false;
            for (int c = 0; c < 3; c++) {
                double want = was[at[c]] * (1 - a) + params->palette->rgb[label][c] * a;

                if (!CHECK_NEAR(now[at[c]], want, a > 0 && a < 1 ? rgb_slack : 0))
                    return test_note(false, "format %d, %d,%d", im->format, x, y);
            }
        }
    return true;
}

/* Component c of an image with luma. */
static bool check_component(const rvos_image *im, const rvos_labels *labels,
                            const rvos_draw_params *params, uint8_t *const before[3],
                            int c)
{
    const struct test_yuv *f = test_yuv_of(im->format);
    uint8_t *const now[3] = {im->plane[0], im->plane[1], im->plane[2]};
    int w = c ? f->w_sub : 1, h = c ? f->h_sub : 1;

    for (int y = 0; y < im->height; y += h)
        for (int x = 0; x < im->width; x += w) {
            double is = test_sample(im, test_sample_at(im, now, c, x, y), c);
            double was = test_sample(im, test_sample_at(im, before, c, x, y), c);
            double sum = 0, any = 0;
            int n = 0;

            for (int v = y; v < y + h && v < im->height; v++)
                for (int u = x; u < x + w && u < im->width; u++, n++) {
                    int label;
                    double a = asked(labels, params, u, v, &label);

                    any = fmax(any, a);
                    sum +=
                        was * (1 - a) + component(im, params->palette->rgb[label], c) * a;
                }
            if (!CHECK_NEAR(is, sum / n, any > 0 ? yuv_slack : 0))
                return test_note(false, "format %d, component %d, %d,%d", im->format, c,
                                 x, y);
        }
    return true;
}

static void check_picture(const struct test_image *t, const rvos_labels *labels,
                          const rvos_draw_params *params, uint8_t *const before[3])
{
    const rvos_image *im = &t->image;

    if (im->format < RVOS_NV12) {
        check_rgb(im, labels, params, before[0]);
        return;
    }
    for (int c = 0; c < (im->format == RVOS_GRAY8 ? 1 : 3); c++)
        check_component(im, labels, params, before, c);
}

/* Draws in bands of even height, in any order, each with garbage in its scratch memory.
 */
static void draw(const rvos_image *im, const rvos_labels *labels,
                 const rvos_draw_params *params, int band)
{
    for (int last = im->height; last > 0;) {
        int first = (last - 1) / band * band;
        size_t size = rv_draw_scratch(im, params);
        void *scratch = malloc(size);

        memset(scratch, 0xff, size);
        rv_draw_rows(im, labels, params, first, last, scratch);
        free(scratch);
        last = first;
    }
}

static void pictures(void)
{
    uint64_t seed = 1;

    for (int i = 0; i < 880; i++) {
        int w = test_random_int(&seed, 1, 70), h = test_random_int(&seed, 1, 50);
        struct test_image t =
            test_image_new((rvos_format)(i % (RVOS_P010 + 1)), w, h, &seed);
        struct test_plane plane;
        rvos_labels labels = test_labels_new(&plane, w, h, test_random_int(&seed, 0, 4),
                                             i % 5 ? RVOS_MAX_OBJECTS : 255, &seed);
        rvos_palette palette = random_palette(&seed);
        rvos_draw_params params = {.palette = &palette,
                                   .opacity = test_random_float(&seed, 0, 1),
                                   .contour = test_random_int(&seed, 0, i % 9 ? 4 : 64),
                                   .replace = i % 7 == 0};
        uint8_t *before[3] = {0}, *after[3] = {0};

        if (i % 13 == 0)
            params.opacity = 0;
        for (int k = 0; k < test_image_planes(&t.image); k++) {
            before[k] = malloc(t.plane[k].size);
            after[k] = malloc(t.plane[k].size);
            memcpy(before[k], t.plane[k].data, t.plane[k].size);
        }
        draw(&t.image, &labels, &params, h + (h & 1));
        check_picture(&t, &labels, &params, before);
        for (int k = 0; k < test_image_planes(&t.image); k++) {
            CHECK(test_plane_padding_kept(&t.plane[k]));
            memcpy(after[k], t.plane[k].data, t.plane[k].size);
            memcpy(t.plane[k].data, before[k], t.plane[k].size);
        }
        draw(&t.image, &labels, &params, 2 * test_random_int(&seed, 1, 6));
        for (int k = 0; k < test_image_planes(&t.image); k++) {
            CHECK(!memcmp(after[k], t.plane[k].data, t.plane[k].size));
            free(before[k]);
            free(after[k]);
        }
        test_image_free(&t);
        free(plane.data);
    }
}

/* The primaries in BT.601 and BT.709, as bytes. */
static void known_bytes(void)
{
    static const rvos_palette palette = {{{0, 0, 0}, {255, 0, 0}, {255, 255, 255}}};
    static const uint8_t want[3][2][3] = {{{81, 90, 240}, {235, 128, 128}},
                                          {{63, 102, 240}, {235, 128, 128}},
                                          {{76, 85, 255}, {255, 128, 128}}};

    for (int i = 0; i < 3; i++)
        for (int label = 1; label <= 2; label++) {
            uint8_t y[4] = {9, 9, 9, 9}, u = 7, v = 5, of[4];
            rvos_image im = {.format = RVOS_I420,
                             .width = 2,
                             .height = 2,
                             .plane = {y, &u, &v},
                             .stride = {2, 1, 1},
                             .colorimetry = {i == 1 ? RVOS_MATRIX_BT709 : 0, i == 2}};
            rvos_labels labels = {.width = 2, .height = 2, .data = of, .stride = 2};
            rvos_draw_params params = {.palette = &palette, .replace = true};

            memset(of, label, 4);
            draw(&im, &labels, &params, 2);
            for (int k = 0; k < 4; k++)
                CHECK(y[k] == want[i][label - 1][0]);
            CHECK(u == want[i][label - 1][1] && v == want[i][label - 1][2]);
        }
}

/* Without a matrix, the height decides: red's luma in BT.601, then in BT.709. */
static void default_matrix(void)
{
    static const rvos_palette palette = {{{255, 0, 0}}};
    rvos_draw_params params = {.palette = &palette, .replace = true};

    for (int h = 576; h <= 577; h++) {
        uint8_t y[577], u[289], v[289], none[577] = {0};
        rvos_image im = {.format = RVOS_I420,
                         .width = 1,
                         .height = h,
                         .plane = {y, u, v},
                         .stride = {1, 1, 1}};
        rvos_labels labels = {.width = 1, .height = h, .data = none, .stride = 1};

        draw(&im, &labels, &params, 600);
        CHECK(y[0] == (h == 576 ? 81 : 63) && y[h - 1] == y[0]);
    }
}

static void alpha(void)
{
    static const int at[] = {3, 3, 0, 0};
    uint64_t seed = 2;

    for (int i = 0; i <= RVOS_P010; i++) {
        struct test_image t = test_image_new((rvos_format)i, 9, 6, &seed);
        struct test_plane plane = test_plane_new(9 * 3, 6);
        rvos_labels labels = test_plane_labels(&plane, 3);
        bool has = i >= RVOS_RGBA && i <= RVOS_ABGR, good = true;
        uint8_t *before = malloc(t.plane[0].size);

        memcpy(before, t.plane[0].data, t.plane[0].size);
        test_plane_random(&plane, &seed);
        rv_set_alpha_rows(&t.image, &labels, 0, 2);
        rv_set_alpha_rows(&t.image, &labels, 2, 6);
        for (int k = 0; k < (int)t.plane[0].size; k++) {
            int x = k % t.plane[0].stride, y = k / t.plane[0].stride, want = before[k];

            if (has && y < 6 && x < 36 && x % 4 == at[i - RVOS_RGBA])
                want = plane.data[y * plane.stride + x / 4 * 3];
            good &= t.plane[0].data[k] == want;
        }
        test_note(CHECK(good), "format %d", i);
        free(before);
        free(plane.data);
        test_image_free(&t);
    }
}

int main(void)
{
    pictures();
    known_bytes();
    default_matrix();
    alpha();
    return test_done();
}
