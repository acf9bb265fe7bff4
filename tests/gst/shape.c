/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Tests which part of a buffer is the picture, its orientation, and metadata about both.
 */
#include "rig.h"

#include <gst/video/gstvideopool.h>
#include <string.h>

/* ---- allocation ------------------------------------------------------------------- */

static gboolean answers(Rig *rig, GType api)
{
    GstCaps *caps = gst_video_info_to_caps(&rig->info);
    GstQuery *query = gst_query_new_allocation(caps, TRUE);
    gboolean found;

    fail_unless(gst_pad_peer_query(rig->h->srcpad, query));
    found = gst_query_find_allocation_meta(query, api, NULL);
    gst_query_unref(query);
    gst_caps_unref(caps);
    return found;
}

/* Downstream accepts all metas; those that would change the picture's shape are removed.
 */
SUITE_TEST(test_allocation)
{
    for (guint i = 0; i < 3; i++) {
        Rig *rig = rig_new(rig_element("enabled", i == 1 ? "false" : "true", "output",
                                       i == 2 ? "none" : "overlay", NULL));
        const GType kept[] = {GST_VIDEO_META_API_TYPE,
                              GST_VIDEO_REGION_OF_INTEREST_META_API_TYPE,
                              GST_VIDEO_OVERLAY_COMPOSITION_META_API_TYPE};
        const GType gone[] = {GST_VIDEO_CROP_META_API_TYPE,
                              GST_VIDEO_AFFINE_TRANSFORMATION_META_API_TYPE,
                              GST_VIDEO_GL_TEXTURE_UPLOAD_META_API_TYPE};

        for (guint k = 0; k < G_N_ELEMENTS(kept); k++) {
            gst_harness_add_propose_allocation_meta(rig->h, gone[k], NULL);
            gst_harness_add_propose_allocation_meta(rig->h, kept[k], NULL);
        }
        gst_harness_add_propose_allocation_meta(rig->h, gone[0], NULL); /* once more */
        rig_run(rig, 0, 1, NOTHING);
        for (guint k = 0; k < G_N_ELEMENTS(kept); k++) {
            fail_unless(answers(rig, kept[k]), "%s", g_type_name(kept[k]));
            fail_if(answers(rig, gone[k]), "%s", g_type_name(gone[k]));
        }
        rig_free(rig);
    }
}
GST_END_TEST;

typedef struct {
    GstBufferPool *pool;
    gboolean meta;
} Offer;

static GstPadProbeReturn answer(G_GNUC_UNUSED GstPad *pad, GstPadProbeInfo *info,
                                gpointer user)
{
    GstQuery *query = GST_PAD_PROBE_INFO_QUERY(info);
    const Offer *offer = user;

    if (GST_QUERY_TYPE(query) != GST_QUERY_ALLOCATION)
        return GST_PAD_PROBE_OK;
    gst_query_add_allocation_pool(query, offer->pool, RIG_WIDTH * RIG_HEIGHT, 0, 0);
    if (offer->meta)
        gst_query_add_allocation_meta(query, GST_VIDEO_META_API_TYPE, NULL);
    return GST_PAD_PROBE_HANDLED;
}

/* Rows of a pool's masks may be padded: it is used if the peer can know of it. */
SUITE_TEST(test_mask_allocation)
{
    for (guint i = 0; i < 2; i++) {
        Rig *rig = rig_new(rig_element(NULL, NULL));
        Offer offer = {gst_video_buffer_pool_new(), i == 1};

        rig_add_mask(rig);
        gst_pad_add_probe(rig->mask->sinkpad,
                          GST_PAD_PROBE_TYPE_QUERY_DOWNSTREAM | GST_PAD_PROBE_TYPE_PUSH,
                          answer, &offer, NULL);
        rig_run(rig, 0, 1, NOTHING);
        fail_unless_equals_int(gst_buffer_pool_is_active(offer.pool), offer.meta);
        rig_free(rig);
        gst_object_unref(offer.pool);
    }
}
GST_END_TEST;

/* ---- cropped frames --------------------------------------------------------------- */

#define WHOLE_WIDTH 100
#define WHOLE_HEIGHT 70

/* 100x70 with the object 3 in the whole picture's box 40,20 5x4; cropped by a meta. */
static GstBuffer *cropped(Rig *rig, const gchar *format, guint x, guint y, guint width,
                          guint height)
{
    Rig whole = *rig;
    GstVideoCropMeta *crop;
    GstBuffer *buffer;

    gst_video_info_set_format(&whole.info, gst_video_format_from_string(format),
                              WHOLE_WIDTH, WHOLE_HEIGHT);
    buffer = rig_frame(&whole, 0, BOXES({3, 40, 20, 5, 4}));
    gst_buffer_add_video_meta_full(buffer, GST_VIDEO_FRAME_FLAG_NONE,
                                   GST_VIDEO_INFO_FORMAT(&whole.info), WHOLE_WIDTH,
                                   WHOLE_HEIGHT, GST_VIDEO_INFO_N_PLANES(&whole.info),
                                   whole.info.offset, whole.info.stride);
    crop = gst_buffer_add_video_crop_meta(buffer);
    crop->x = x;
    crop->y = y;
    crop->width = width;
    crop->height = height;
    return buffer;
}

/* The object as the message tells it, in the cropped picture. */
static void expect_object(Rig *rig, guint left, guint top, guint height)
{
    GstStructure *s = rig_message(rig, "rvosseg-object");
    guint x, y, w, h;

    fail_unless(s != NULL, "no object");
    fail_unless(gst_structure_get(s, "x", G_TYPE_UINT, &x, "y", G_TYPE_UINT, &y, "width",
                                  G_TYPE_UINT, &w, "height", G_TYPE_UINT, &h, NULL));
    fail_unless(x == left && y == top && w == 5 && h == height, "%u,%u %ux%u", x, y, w,
                h);
    gst_structure_free(s);
}

/* A frame cropped at this corner, on an element that knows of 64x48 only. */
static GstFlowReturn push_cropped(Rig *rig, const gchar *format, const guint *at)
{
    rig_set_caps(rig, format, 64, 48, "framerate=30/1");
    return gst_harness_push(rig->h, cropped(rig, format, at[0], at[1], 64, 48));
}

static void one_crop(const gchar *format, const guint *at)
{
    Rig *rig = rig_new(rig_element("min-age", "0", "palette", "#010203", NULL));
    guint top = at[1] > 20 ? at[1] : 20;
    GstBuffer *buffer;

    GST_INFO("%s at %u,%u", format, at[0], at[1]);
    fail_unless_equals_int(push_cropped(rig, format, at), GST_FLOW_OK);
    fail_unless_equals_int(scripted_get().image.width, 64);
    fail_unless_equals_int(scripted_get().image.height, 48);
    expect_object(rig, 40 - at[0], top - at[1], 24 - top);
    buffer = gst_harness_pull(rig->h);
    /* Drawn on where the object is in the whole picture. */
    gst_video_info_set_format(&rig->info, GST_VIDEO_INFO_FORMAT(&rig->info), WHOLE_WIDTH,
                              WHOLE_HEIGHT);
    fail_unless_equals_int(rig_byte(rig, buffer, 40, 23), 1);
    fail_unless_equals_int(rig_byte(rig, buffer, 44, 23), 1);
    fail_unless_equals_int(rig_byte(rig, buffer, 45, 23), RIG_BACKGROUND);
    fail_unless(gst_buffer_get_video_crop_meta(buffer) != NULL);
    gst_buffer_unref(buffer);
    rig_free(rig);
}

static const guint corners[][2] = {{30, 10}, {36, 22}, {0, 0}, {31, 11}};

SUITE_TEST(test_cropped_by_meta)
{
    static const gchar *const formats[] = {"RGB",       "I420",      "NV12", "RGBA",
                                           "NV21",      "Y42B",      "Y444", "GRAY8",
                                           "I420_10LE", "P010_10LE", "YUY2"};

    for (guint f = 0; f < G_N_ELEMENTS(formats); f++)
        for (guint i = 0; i < (g_str_equal(formats[f], "YUY2") ? 3 : 4); i++)
            one_crop(formats[f], corners[i]);
}
GST_END_TEST;

/* Of packed 4:2:2 a picture cannot begin within a pair: chroma would be luma. */
SUITE_TEST(test_cropped_within_a_pair)
{
    static const gchar *const formats[] = {"YUY2", "UYVY"};

    for (guint f = 0; f < G_N_ELEMENTS(formats); f++) {
        Rig *rig = rig_new(rig_element(NULL, NULL));

        fail_unless_equals_int(push_cropped(rig, formats[f], corners[3]), GST_FLOW_ERROR);
        rig_expect_error(rig->bus, GST_STREAM_ERROR, GST_STREAM_ERROR_FORMAT);
        rig_free(rig);
    }
}
GST_END_TEST;

/* The caps are the whole picture's: the meta is for whoever shows it. */
SUITE_TEST(test_crop_is_for_others)
{
    Rig *rig = rig_new(rig_element("min-age", "0", NULL));

    rig_set_caps(rig, "RGB", WHOLE_WIDTH, WHOLE_HEIGHT, "framerate=30/1");
    gst_harness_push(rig->h, cropped(rig, "RGB", 30, 10, 20, 20));
    fail_unless_equals_int(scripted_get().image.width, WHOLE_WIDTH);
    rig_free(rig);
}
GST_END_TEST;

SUITE_TEST(test_crop_of_another_size)
{
    static const guint boxes[][4] = {
        {30, 10, 60, 48}, {37, 10, 64, 48}, {30, 23, 64, 48}, {0xffffffff, 0, 64, 48}};

    for (guint i = 0; i <= G_N_ELEMENTS(boxes); i++) {
        Rig *rig = rig_new(
            rig_element("min-age", "0", "output", i % 2 ? "none" : "overlay", NULL));
        const guint *box = boxes[i % G_N_ELEMENTS(boxes)];
        GstBuffer *buffer = cropped(rig, "RGB", box[0], box[1], box[2], box[3]);

        if (i == G_N_ELEMENTS(boxes)) /* larger than the caps, and no word of cropping */
            gst_buffer_remove_meta(buffer,
                                   (GstMeta *)gst_buffer_get_video_crop_meta(buffer));
        fail_unless_equals_int(gst_harness_push(rig->h, buffer), GST_FLOW_ERROR);
        fail_unless_equals_int(scripted_get().runs, 0);
        rig_expect_error(rig->bus, GST_STREAM_ERROR, GST_STREAM_ERROR_FORMAT);
        rig_free(rig);
    }
}
GST_END_TEST;

/* ---- turned frames ---------------------------------------------------------------- */

SUITE_TEST(test_affine)
{
    Rig *rig = rig_new(rig_element(NULL, NULL));
    gchar *text;

    for (guint n = 0; n < 4; n++) { /* the first one is the identity */
        GstBuffer *buffer = rig_frame(rig, n, NOTHING);
        GstVideoAffineTransformationMeta *meta =
            gst_buffer_add_video_affine_transformation_meta(buffer);

        if (n > 0)
            meta->matrix[5] = -1;
        gst_harness_push(rig->h, buffer);
        text = rig_words(rig->bus, GST_MESSAGE_WARNING, 0, 0);
        fail_unless((text != NULL) == (n == 1), "frame %u: %s", n, text);
        fail_unless(n != 1 || strstr(text, "GstVideoAffineTransformationMeta"));
        g_free(text);
    }
    rig_free(rig);
}
GST_END_TEST;

static const struct {
    gint width, height; /* of the frames */
    const gchar *extra, *tag;
    guint mask_width, mask_height;
    const gchar *words[2]; /* NULL: no warning */
} mask_shapes[] = {
    {64, 48, "", NULL, 64, 48, {NULL}},
    {64, 48, "", NULL, 32, 24, {NULL}},
    {64, 48, "", NULL, 21, 16, {NULL}}, /* a pixel is a pixel */
    {64, 48, "", NULL, 128, 97, {NULL}},
    {854, 480, "", NULL, 1920, 1080, {NULL}},
    {64, 48, "", NULL, 48, 64, {"48x64", "exchanged"}},
    {64, 48, "", NULL, 64, 36, {"64x36", "64x48"}},
    {64, 48, "", NULL, 64, 40, {"64x40", "another shape"}},
    {64, 48, "", "rotate-90", 48, 64, {"rotate-90", "videoflip video-direction=auto"}},
    {64, 48, "", "rotate-270", 24, 32, {"rotate-270", "videoflip"}},
    {64, 48, "", "flip-rotate-90", 48, 64, {"flip-rotate-90", "videoflip"}},
    {64, 48, "", "rotate-90", 64, 48, {NULL}}, /* made of frames as stored */
    {64, 48, "", "rotate-90", 64, 36, {"64x36", "another shape"}},
    {64, 48, "", "rotate-0", 64, 48, {NULL}},
    {64, 48, "", "rotate-180", 64, 48, {"rotate-180", "videoflip"}},
    {64, 48, "", "flip-rotate-0", 32, 24, {"flip-rotate-0", "videoflip"}},
    {64, 64, "", "rotate-90", 64, 64, {"rotate-90", "videoflip"}},
    {72, 48, ",pixel-aspect-ratio=8/9", NULL, 64, 48, {NULL}}, /* as it is shown */
    {72, 48, ",pixel-aspect-ratio=8/9", NULL, 72, 48, {NULL}},
    {72, 48, ",pixel-aspect-ratio=8/9", NULL, 90, 48, {"90x48", "another shape"}},
};

SUITE_TEST(test_mask_shapes)
{
    for (guint i = 0; i < G_N_ELEMENTS(mask_shapes); i++) {
        Rig *rig = rig_new(rig_element("mode", "one-shot", NULL));
        gchar *extra = g_strdup_printf("framerate=30/1%s", mask_shapes[i].extra), *text;
        GstSample *sample;
        gboolean taken;

        rig_set_caps(rig, "RGB", mask_shapes[i].width, mask_shapes[i].height, extra);
        if (mask_shapes[i].tag)
            gst_harness_push_event(
                rig->h, gst_event_new_tag(gst_tag_list_new(GST_TAG_IMAGE_ORIENTATION,
                                                           mask_shapes[i].tag, NULL)));
        for (guint n = 0; n < 2; n++) { /* said once */
            sample = rig_mask(mask_shapes[i].mask_width, mask_shapes[i].mask_height,
                              GST_CLOCK_TIME_NONE, FALSE, BOXES({1, 2, 2, 3, 3}));
            g_signal_emit_by_name(rig->element, "set-mask", sample, &taken);
            fail_unless(taken);
            gst_sample_unref(sample);
            rig_run(rig, n, n + 1, NOTHING);
            text = rig_words(rig->bus, GST_MESSAGE_WARNING, 0, 0);
            fail_unless((text != NULL) == (mask_shapes[i].words[0] && n == 0),
                        "case %u, mask %u: %s", i, n, text);
            for (guint w = 0; text && w < 2; w++)
                fail_unless(strstr(text, mask_shapes[i].words[w]) != NULL,
                            "case %u: \"%s\" does not tell %s", i, text,
                            mask_shapes[i].words[w]);
            g_free(text);
        }
        g_free(extra);
        rig_free(rig);
    }
}
GST_END_TEST;

/* Another stream has another orientation. */
SUITE_TEST(test_orientation_ends_with_stream)
{
    Rig *rig = rig_new(rig_element("mode", "one-shot", NULL));

    gst_harness_push_event(rig->h, gst_event_new_tag(gst_tag_list_new(
                                       GST_TAG_IMAGE_ORIENTATION, "rotate-180", NULL)));
    gst_harness_push_event(rig->h, gst_event_new_stream_start("another"));
    fail_unless(rig_set_mask(rig, GST_CLOCK_TIME_NONE, FALSE, BOXES(BOX(1))));
    rig_set_caps(rig, "RGB", RIG_WIDTH, RIG_HEIGHT, "framerate=30/1");
    rig_run(rig, 0, 1, NOTHING);
    fail_unless(rig_words(rig->bus, GST_MESSAGE_WARNING, 0, 0) == NULL);
    rig_free(rig);
}
GST_END_TEST;

SUITE_MAIN("shape", 0, scripted_clear, NULL)
