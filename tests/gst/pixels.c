/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Tests drawing on every format, size and padding, and that other bytes do not change.
 * Loops over samples use fail(): fail_unless() writes to a file each time. */
#include "real.h"

#include <math.h>
#include <string.h>

#include <rvos.h>

#include "../sanitized.h"

#define OPACITY 0.5
#define SMALL "network-width", "192", "network-height", "128"

static const gchar *const formats[] = {
    "NV12", "I420", "RGBA",  "BGRA",      "RGBx",      "BGRx",      "ARGB",     "ABGR",
    "xRGB", "xBGR", "RGB",   "BGR",       "YV12",      "NV21",      "Y42B",     "Y444",
    "YUY2", "UYVY", "GRAY8", "I420_10LE", "I422_10LE", "Y444_10LE", "P010_10LE"};
#define N_OFTEN 4 /* the first ones are the usual formats of decoders and converters */

static gboolean has_luma(const GstVideoInfo *info)
{
    return GST_VIDEO_INFO_IS_YUV(info) || GST_VIDEO_INFO_IS_GRAY(info);
}

/* A palette colour as component c of the format. */
static gdouble colour_of(const GstVideoInfo *info, guint slot, guint c)
{
    const uint8_t *rgb = rvos_davis_palette.rgb[slot];
    gdouble kr, kb, y;
    gboolean full = info->colorimetry.range == GST_VIDEO_COLOR_RANGE_0_255;

    if (!has_luma(info))
        return rgb[c];
    if (!gst_video_color_matrix_get_Kr_Kb(info->colorimetry.matrix, &kr, &kb))
        fail("no such matrix");
    y = kr * rgb[0] + (1 - kr - kb) * rgb[1] + kb * rgb[2];
    if (c == 0)
        return full ? y : 16 + y * 219 / 255;
    y = c == 1 ? (rgb[2] - y) / (2 * (1 - kb)) : (rgb[0] - y) / (2 * (1 - kr));
    return 128 + (full ? y : y * 224 / 255);
}

/* The slot of all pixels under one sample of component c, or -1 if they differ. */
static gint slot_under(const GstVideoInfo *info, const guint8 *labels, guint c, gint x,
                       gint y)
{
    gint sx = info->finfo->w_sub[c], sy = info->finfo->h_sub[c];
    gint slot = labels[(y << sy) * info->width + (x << sx)];

    for (gint v = y << sy; v < MIN((y + 1) << sy, info->height); v++)
        for (gint u = x << sx; u < MIN((x + 1) << sx, info->width); u++)
            if (labels[v * info->width + u] != slot)
                return -1;
    return slot;
}

/* From the pixel's first byte. GStreamer 1.22 says 1 of P010's last component. */
static gint offset_of(const GstVideoInfo *info, guint c)
{
    return GST_VIDEO_INFO_FORMAT(info) == GST_VIDEO_FORMAT_P010_10LE && c == 2
               ? 2
               : GST_VIDEO_INFO_COMP_POFFSET(info, c);
}

/* In levels of 8 bits. */
static gdouble sample(const GstVideoFrame *frame, guint c, gint x, gint y)
{
    const guint8 *p =
        (guint8 *)GST_VIDEO_FRAME_PLANE_DATA(frame,
                                             GST_VIDEO_FRAME_COMP_PLANE(frame, c)) +
        y * GST_VIDEO_FRAME_COMP_STRIDE(frame, c) +
        x * GST_VIDEO_FRAME_COMP_PSTRIDE(frame, c) + offset_of(&frame->info, c);
    guint more = GST_VIDEO_FRAME_COMP_DEPTH(frame, c) - 8;

    if (more == 0)
        return *p;
    /* Rows may begin at any address, so no 16-bit load. */
    return (gdouble)((p[0] | p[1] << 8) >> frame->info.finfo->shift[c]) / (1 << more);
}

typedef struct {
    guint objects, rest;     /* samples looked at */
    gdouble in_objects, out; /* greatest errors */
} Errors;

static void compare(const GstVideoInfo *info, const GstVideoFrame *before,
                    const GstVideoFrame *after, const guint8 *labels, Errors *errors)
{
    for (guint c = 0; c < GST_VIDEO_INFO_N_COMPONENTS(info); c++) {
        for (gint y = 0; y < GST_VIDEO_INFO_COMP_HEIGHT(info, c); y++) {
            for (gint x = 0; x < GST_VIDEO_INFO_COMP_WIDTH(info, c); x++) {
                gint slot = slot_under(info, labels, c, x, y);
                gdouble was = sample(before, c, x, y), is = sample(after, c, x, y);

                if (slot < 0)
                    continue;
                if (slot == 0 || c == 3) { /* c == 3: alpha */
                    errors->rest++;
                    errors->out = MAX(errors->out, fabs(is - was));
                    continue;
                }
                was += (colour_of(info, (guint)slot, c) - was) * OPACITY;
                errors->objects++;
                errors->in_objects = MAX(errors->in_objects, fabs(is - was));
            }
        }
    }
}

static gsize rows_of(const GstVideoInfo *info, guint plane)
{
    guint c = 0;

    while ((guint)GST_VIDEO_INFO_COMP_PLANE(info, c) != plane)
        c++;
    return (gsize)GST_VIDEO_INFO_COMP_HEIGHT(info, c);
}

static gsize bytes_of(const GstVideoInfo *info, guint plane)
{
    gint most = 0;

    for (guint c = 0; c < GST_VIDEO_INFO_N_COMPONENTS(info); c++)
        if ((guint)GST_VIDEO_INFO_COMP_PLANE(info, c) == plane)
            most = MAX(most, (GST_VIDEO_INFO_COMP_WIDTH(info, c) - 1) *
                                     GST_VIDEO_INFO_COMP_PSTRIDE(info, c) +
                                 offset_of(info, c) +
                                 (GST_VIDEO_INFO_COMP_DEPTH(info, c) > 8 ? 2 : 1));
    /* The fourth byte of RGBx has no component. */
    return (gsize)(has_luma(info) ? most
                                  : info->width * GST_VIDEO_INFO_COMP_PSTRIDE(info, 0));
}

/* Nothing between the rows and planes was written to. */
static void check_padding(const GstVideoInfo *info, GstBuffer *buffer)
{
    GstVideoMeta *layout = gst_buffer_get_video_meta(buffer);
    GstMapInfo map;
    guint8 *inside;

    fail_unless(gst_buffer_map(buffer, &map, GST_MAP_READ));
    inside = g_malloc0(map.size);
    for (guint p = 0; p < GST_VIDEO_INFO_N_PLANES(info); p++)
        for (gsize y = 0; y < rows_of(info, p); y++)
            memset(inside + layout->offset[p] + y * (gsize)layout->stride[p], 1,
                   bytes_of(info, p));
    for (gsize i = 0; i < map.size; i++)
        if (!inside[i] && map.data[i] != 0xa5)
            fail("byte %" G_GSIZE_FORMAT " of the padding was written to", i);
    g_free(inside);
    gst_buffer_unmap(buffer, &map);
}

static void one_frame(const gchar *format, gint width, gint height, guint pad,
                      Errors *errors)
{
    GstVideoInfo info = real_info(format, width, height, NULL);
    GstCaps *caps = gst_video_info_to_caps(&info);
    GstBuffer *in, *out;
    GstVideoFrame before, after;
    GstHarness *mask;
    /* The random network finds less in a grey picture. */
    GstHarness *h = real_harness(&mask, "min-age", "0", SMALL, "threshold",
                                 GST_VIDEO_INFO_IS_GRAY(&info) ? "0.55" : "0.6",
                                 "contour-width", "0", "objects", "3", NULL);
    guint8 *labels;

    gst_harness_set_src_caps(h, caps);
    in = real_picture(&info, 0, pad);
    fail_unless_equals_int(gst_harness_push(h, gst_buffer_ref(in)), GST_FLOW_OK);
    out = gst_harness_pull(h);
    labels = real_labels(gst_harness_pull(mask));
    fail_unless(gst_video_frame_map(&before, &info, in, GST_MAP_READ));
    fail_unless(gst_video_frame_map(&after, &info, out, GST_MAP_READ));
    compare(&info, &before, &after, labels, errors);
    gst_video_frame_unmap(&before);
    gst_video_frame_unmap(&after);
    check_padding(&info, in);
    check_padding(&info, out);
    g_free(labels);
    gst_buffer_unref(in);
    gst_buffer_unref(out);
    real_free(h, mask);
}

GST_START_TEST(test_matrix)
{
    static const gint sizes[][2] = {{384, 288}, {385, 289}, {65, 33}, {1920, 1080}};
    const gchar *format = formats[__i__ / 2];
    Errors errors = {0};
    guint enough = TEST_SANITIZED ? 5000 : 10000;

    guint n = __i__ / 2 < N_OFTEN ? G_N_ELEMENTS(sizes) : G_N_ELEMENTS(sizes) - 1;

    /* Odd sizes let a sanitizer find accesses out of bounds. */
    for (guint s = TEST_SANITIZED ? 1 : 0; s < (TEST_SANITIZED ? 3 : n); s++)
        one_frame(format, sizes[s][0], sizes[s][1], __i__ % 2 ? 37 : 0, &errors);
    GST_INFO("%s: %u in objects within %.2f, %u outside within %.2f", format,
             errors.objects, errors.in_objects, errors.rest, errors.out);
    fail_unless(errors.objects > enough && errors.rest > enough, "%s: %u and %u samples",
                format, errors.objects, errors.rest);
    fail_unless(errors.out <= 1, "%s: %g off where no object is", format, errors.out);
    fail_unless(errors.in_objects <= 2, "%s: %g off in objects", format,
                errors.in_objects);
}
GST_END_TEST;

#ifdef HAVE_TEXT

/* A sanitizer sees the same code with each format. */
#define TEXT_STEP (TEST_SANITIZED ? 4u : 1u)

/* The rectangle of the luma samples, or bytes of a pixel, that differ. */
static GstVideoRectangle changes(const GstVideoFrame *before, const GstVideoFrame *after)
{
    gint left = G_MAXINT, top = G_MAXINT, right = -1, bottom = -1;
    guint n = GST_VIDEO_INFO_IS_YUV(&before->info) ? 1 : before->info.finfo->n_components;

    for (guint c = 0; c < n; c++)
        for (gint y = 0; y < before->info.height; y++)
            for (gint x = 0; x < before->info.width; x++) {
                if (sample(before, c, x, y) == sample(after, c, x, y))
                    continue;
                left = MIN(left, x);
                right = MAX(right, x);
                top = MIN(top, y);
                bottom = MAX(bottom, y);
            }
    return (GstVideoRectangle){left, top, right - left + 1, bottom - top + 1};
}

/* The plate's corner has the object's colour, letters are white, and chroma outside of
 * the plate is as it was. */
static void check_plate(const GstVideoInfo *info, const GstVideoFrame *before,
                        const GstVideoFrame *after, const GstVideoRectangle *plate)
{
    guint white = 0;

    for (guint c = 0; c < MIN(GST_VIDEO_INFO_N_COMPONENTS(info), 3); c++) {
        gint sx = info->finfo->w_sub[c], sy = info->finfo->h_sub[c];
        gdouble corner = sample(after, c, plate->x >> sx, plate->y >> sy);

        fail_unless(fabs(corner - colour_of(info, 1, c)) <= 2, "component %u is %g", c,
                    corner);
        for (gint y = 0; y < GST_VIDEO_INFO_COMP_HEIGHT(info, c); y++) {
            for (gint x = 0; x < GST_VIDEO_INFO_COMP_WIDTH(info, c); x++) {
                gint u = (x << sx) - plate->x, v = (y << sy) - plate->y;

                if (u >= 0 && u < plate->w && v >= 0 && v < plate->h)
                    white += c == 0 && sample(after, c, x, y) > 200;
                else if (sample(before, c, x, y) != sample(after, c, x, y))
                    fail("component %u changed at %d,%d", c, x, y);
            }
        }
    }
    fail_unless(white > 10 && white < (guint)(plate->w * plate->h) / 2,
                "%u of %dx%d pixels are white", white, plate->w, plate->h);
}

/* The object's id on a plate of its colour, in each format, rows padded. */
GST_START_TEST(test_text)
{
    guint format = (guint)__i__ * TEXT_STEP;
    GstVideoInfo info = real_info(formats[format], 385, 289, NULL);
    GstHarness *mask;
    GstHarness *h =
        real_harness(&mask, "min-age", "0", SMALL, "threshold",
                     GST_VIDEO_INFO_IS_GRAY(&info) ? "0.55" : "0.6", "overlay-alpha", "0",
                     "contour-width", "0", "objects", "1", "overlay-text", "id", NULL);
    GstBuffer *in = real_picture(&info, 0, 37), *out;
    GstVideoRegionOfInterestMeta *object;
    GstVideoFrame before, after;
    GstVideoRectangle plate;

    gst_harness_set_src_caps(h, gst_video_info_to_caps(&info));
    fail_unless_equals_int(gst_harness_push(h, gst_buffer_ref(in)), GST_FLOW_OK);
    out = gst_harness_pull(h);
    object = (GstVideoRegionOfInterestMeta *)gst_buffer_get_meta(
        out, GST_VIDEO_REGION_OF_INTEREST_META_API_TYPE);
    fail_unless(object != NULL);
    fail_unless(gst_video_frame_map(&before, &info, in, GST_MAP_READ));
    fail_unless(gst_video_frame_map(&after, &info, out, GST_MAP_READ));
    plate = changes(&before, &after);
    fail_unless(plate.w >= 16 && plate.w <= 64 && plate.h >= 12 && plate.h <= 24, "%dx%d",
                plate.w, plate.h);
    fail_unless_equals_int(plate.x, MIN(object->x, 384u - (guint)plate.w) & ~1u);
    fail_unless_equals_int(
        plate.y,
        (object->y >= (guint)plate.h ? object->y - (guint)plate.h : object->y) & ~1u);
    check_plate(&info, &before, &after, &plate);
    gst_video_frame_unmap(&before);
    gst_video_frame_unmap(&after);
    check_padding(&info, out);
    gst_buffer_unref(in);
    gst_buffer_unref(out);
    real_free(h, mask);
}
GST_END_TEST;

#endif

#define MASK_WIDTH 384
#define MASK_HEIGHT 288

static GstHarness *mask_harness(const GstVideoInfo *info, GstHarness **mask)
{
    GstHarness *h = real_harness(mask, "min-age", "0", SMALL, "threshold", "0.6",
                                 "output", "none", NULL);

    gst_harness_set_src_caps(h, gst_video_info_to_caps(info));
    return h;
}

/* The masks of a picture that is made with colorimetry `made`, and whose caps claim
 * `told`. */
static guint8 *masks(const gchar *format, const gchar *made, const gchar *told)
{
    GstVideoInfo info = real_info(format, MASK_WIDTH, MASK_HEIGHT, made);
    GstVideoInfo as = real_info(format, MASK_WIDTH, MASK_HEIGHT, told);
    GstHarness *mask, *h = mask_harness(&as, &mask);
    guint8 *labels;

    gst_harness_push(h, real_picture(&info, 3, 0));
    labels = real_labels(gst_harness_pull(mask));
    real_free(h, mask);
    return labels;
}

/* The share of pixels on which masks() agrees with rgb, the masks of the same picture in
 * RGB. */
static gdouble agreement(const guint8 *rgb, const gchar *format, const gchar *made,
                         const gchar *told)
{
    guint8 *labels = masks(format, made, told);
    guint same = 0;

    for (guint i = 0; i < MASK_WIDTH * MASK_HEIGHT; i++)
        same += labels[i] == rgb[i];
    g_free(labels);
    return (gdouble)same / (MASK_WIDTH * MASK_HEIGHT);
}

/* Masks agree in all formats and colorimetries, except for rounding and chroma of half
 * the size. A wrong colorimetry has a larger effect. */
GST_START_TEST(test_same_masks)
{
    static const gchar *const colours[] = {"colorimetry=bt601", "colorimetry=bt709",
                                           "colorimetry=1:4:0:0", "colorimetry=1:3:0:0",
                                           "colorimetry=bt2020"};
    GstVideoInfo any = real_info("RGB", MASK_WIDTH, MASK_HEIGHT, NULL);
    /* The other elements share this one's weights. */
    GstHarness *mask, *first = mask_harness(&any, &mask);
    guint8 *rgb = masks("RGB", NULL, NULL);

    for (guint i = 0; i < G_N_ELEMENTS(formats); i++) {
        GstVideoInfo info = real_info(formats[i], 64, 48, NULL);
        /* Test all colours of usual formats; the others differ in layout only. */
        guint n = i < N_OFTEN ? G_N_ELEMENTS(colours) : 2;

        if (GST_VIDEO_INFO_IS_GRAY(&info)) /* another picture */
            continue;
        if (!has_luma(&info)) {
            fail_unless(agreement(rgb, formats[i], NULL, NULL) == 1, "%s", formats[i]);
            continue;
        }
        for (guint c = 0; c < n; c++) {
            gdouble share = agreement(rgb, formats[i], colours[c], colours[c]);
            gdouble wrong = agreement(rgb, formats[i], colours[c],
                                      colours[(c + 1) % G_N_ELEMENTS(colours)]);

            GST_INFO("%s %s: %.4f, told wrongly %.4f", formats[i], colours[c], share,
                     wrong);
            fail_unless(share > 0.98, "%s %s: %g", formats[i], colours[c], share);
            fail_unless(share > wrong, "%s %s: %g, and %g with the wrong colours",
                        formats[i], colours[c], share, wrong);
        }
    }
    g_free(rgb);
    real_free(first, mask);
}
GST_END_TEST;

static Suite *pixels_suite(void)
{
    Suite *s = suite_create("pixels");
    TCase *tc = tcase_create("general");

    suite_add_tcase(s, tc);
    tcase_set_timeout(tc, 300);
    tcase_add_loop_test(tc, test_matrix, 0, 2 * (gint)G_N_ELEMENTS(formats));
#ifdef HAVE_TEXT
    tcase_add_loop_test(tc, test_text, 0,
                        (gint)((G_N_ELEMENTS(formats) - 1) / TEXT_STEP + 1));
#endif
    if (!TEST_SANITIZED) /* the same paths as above, hundreds of times */
        tcase_add_test(tc, test_same_masks);
    return s;
}

GST_CHECK_MAIN(pixels)
