/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Tests the metadata of a frame about its objects. */
#include "rig.h"

static GstStructure *custom(GstBuffer *buffer)
{
    GstCustomMeta *meta = gst_buffer_get_custom_meta(buffer, "GstRvosSegMeta");

    return meta ? gst_custom_meta_get_structure(meta) : NULL;
}

static guint uint_of(GstStructure *s, const gchar *name)
{
    guint value;

    fail_unless(gst_structure_get_uint(s, name, &value), "no %s", name);
    return value;
}

static guint array_size(GstStructure *s, const gchar *name)
{
    return gst_value_array_get_size(gst_structure_get_value(s, name));
}

static guint count_regions(GstBuffer *buffer)
{
    return gst_buffer_get_n_meta(buffer, GST_VIDEO_REGION_OF_INTEREST_META_API_TYPE);
}

SUITE_TEST(test_custom)
{
    Rig *rig = rig_new(rig_element("min-age", "0", NULL));
    GstBuffer *buffer = rig_push(rig, 0, BOXES(BOX(2), {4, 30, 20, 6, 5}));
    GstStructure *s = custom(buffer);
    const GValue *slots, *ids, *areas, *scores;
    GstBuffer *mask;
    GstVideoMeta *layout;
    guint64 epoch;

    fail_unless(s != NULL);
    fail_unless_equals_int(uint_of(s, "width"), RIG_WIDTH);
    fail_unless_equals_int(uint_of(s, "height"), RIG_HEIGHT);
    fail_unless_equals_int(uint_of(s, "age"), 0);
    fail_unless(gst_structure_get_uint64(s, "epoch", &epoch));
    fail_unless_equals_uint64(epoch, 1);
    fail_unless_equals_int(array_size(s, "slots"), 2);
    slots = gst_structure_get_value(s, "slots");
    ids = gst_structure_get_value(s, "tracking-ids");
    areas = gst_structure_get_value(s, "areas");
    scores = gst_structure_get_value(s, "scores");
    fail_unless_equals_int(g_value_get_uint(gst_value_array_get_value(slots, 1)), 4);
    fail_unless_equals_uint64(g_value_get_uint64(gst_value_array_get_value(ids, 1)),
                              1 << 8 | 4);
    fail_unless_equals_uint64(g_value_get_uint64(gst_value_array_get_value(areas, 1)),
                              30);
    fail_unless_equals_float(g_value_get_double(gst_value_array_get_value(scores, 1)),
                             0.75);
    fail_unless(gst_structure_get(s, "mask", GST_TYPE_BUFFER, &mask, NULL));
    layout = gst_buffer_get_video_meta(mask);
    fail_unless(layout && layout->format == GST_VIDEO_FORMAT_GRAY8 &&
                layout->width == RIG_WIDTH && layout->height == RIG_HEIGHT);
    fail_unless(gst_buffer_memcmp(mask,
                                  layout->offset[0] + 21 * (gsize)layout->stride[0] + 30,
                                  (guint8[]){4, 4}, 2) == 0);
    gst_buffer_unref(mask);
    gst_buffer_unref(buffer);
    rig_free(rig);
}
GST_END_TEST;

/* Readers find the mask's rows, whatever pool it comes from. */
SUITE_TEST(test_plain_pool)
{
    Rig *rig = rig_new(rig_element("min-age", "0", NULL));
    GstBuffer *buffer, *mask;
    GstVideoMeta *layout;

    rig_add_mask(rig);
    rig_offer_plain_pool(rig);
    for (guint n = 0; n < 5; n++) {
        buffer = rig_push(rig, n, BOXES(BOX(2)));
        fail_unless(
            gst_structure_get(custom(buffer), "mask", GST_TYPE_BUFFER, &mask, NULL));
        layout = gst_buffer_get_video_meta(mask);
        fail_unless(layout && layout->width == RIG_WIDTH &&
                    layout->stride[0] == RIG_WIDTH);
        gst_buffer_unref(mask);
        gst_buffer_unref(buffer);
    }
    rig_free(rig);
}
GST_END_TEST;

SUITE_TEST(test_regions)
{
    Rig *rig = rig_new(rig_element("min-age", "0", NULL));
    GstBuffer *buffer;
    GstVideoRegionOfInterestMeta *roi;
    GstStructure *s;
    guint64 id, age, area;

    rig_run(rig, 0, 2, BOXES({4, 30, 20, 6, 5}));
    buffer = rig_push(rig, 2, BOXES({4, 30, 20, 6, 5}));
    fail_unless_equals_int(count_regions(buffer), 1);
    roi = gst_buffer_get_video_region_of_interest_meta_id(buffer, 4);
    fail_unless(roi != NULL);
    fail_unless_equals_string(g_quark_to_string(roi->roi_type), "rvos-object");
    fail_unless(roi->x == 30 && roi->y == 20 && roi->w == 6 && roi->h == 5);
    s = gst_video_region_of_interest_meta_get_param(roi, "rvos-object");
    fail_unless(gst_structure_get(s, "tracking-id", G_TYPE_UINT64, &id, "age",
                                  G_TYPE_UINT64, &age, "area", G_TYPE_UINT64, &area,
                                  NULL));
    fail_unless_equals_uint64(id, 1 << 8 | 4);
    fail_unless_equals_uint64(age, 2);
    fail_unless_equals_uint64(area, 30);
    gst_buffer_unref(buffer);
    rig_free(rig);
}
GST_END_TEST;

SUITE_TEST(test_kinds)
{
    static const struct {
        const gchar *flags;
        gboolean mask, roi;
    } kinds[] = {{"0", FALSE, FALSE},
                 {"roi", FALSE, TRUE},
                 {"mask", TRUE, FALSE},
                 {"roi+mask", TRUE, TRUE}};
    Rig *rig = rig_new(rig_element("min-age", "0", NULL));

    for (guint i = 0; i < G_N_ELEMENTS(kinds); i++) {
        GstBuffer *buffer;

        gst_util_set_object_arg(G_OBJECT(rig->element), "attach-meta", kinds[i].flags);
        buffer = rig_push(rig, i, BOXES(BOX(1)));
        fail_unless_equals_int(custom(buffer) != NULL, kinds[i].mask);
        fail_unless_equals_int(count_regions(buffer) == 1, kinds[i].roi);
        gst_buffer_unref(buffer);
    }
    rig_free(rig);
}
GST_END_TEST;

/* Pushes one frame through an element and returns the result. */
static GstBuffer *through(const gchar *element, const gchar *in, const gchar *out,
                          GstBuffer *buffer)
{
    GstHarness *h = gst_harness_new_parse(element);

    gst_harness_set_caps_str(h, in, out);
    gst_harness_push(h, buffer);
    buffer = gst_harness_pull(h);
    gst_harness_teardown(h);
    return buffer;
}

#define RGB_CAPS "video/x-raw,format=RGB,width=64,height=48,framerate=30/1"

/* Conversion, copies and elements that do not touch pixels keep the meta as it is. */
SUITE_TEST(test_kept)
{
    static const struct {
        const gchar *element, *out;
    } cases[] = {
        {"videoconvert", "video/x-raw,format=I420,width=64,height=48,framerate=30/1"},
        {"queue", RGB_CAPS},
        {"identity single-segment=true", RGB_CAPS},
        {"videobalance brightness=0.2", RGB_CAPS},
    };

    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        Rig *rig = rig_new(rig_element("min-age", "0", NULL));
        GstBuffer *buffer = through(cases[i].element, RGB_CAPS, cases[i].out,
                                    rig_push(rig, 0, BOXES(BOX(1))));

        fail_unless(custom(buffer) != NULL, "%s", cases[i].element);
        fail_unless_equals_int(uint_of(custom(buffer), "width"), RIG_WIDTH);
        fail_unless_equals_int(array_size(custom(buffer), "areas"), 1);
        gst_buffer_unref(buffer);
        rig_free(rig);
    }
}
GST_END_TEST;

/* Elements that turn or crop, and those that scale to another shape, drop it. */
SUITE_TEST(test_dropped)
{
    static const struct {
        const gchar *element, *out;
    } cases[] = {
        {"videoflip video-direction=horiz", RGB_CAPS},
        {"videoflip video-direction=vert", RGB_CAPS},
        {"videoflip video-direction=180", RGB_CAPS},
        {"videoflip video-direction=90r",
         "video/x-raw,format=RGB,width=48,height=64,framerate=30/1"},
        {"videocrop left=10", "video/x-raw,format=RGB,width=54,height=48,framerate=30/1"},
        {"videobox left=10", "video/x-raw,format=RGB,width=54,height=48,framerate=30/1"},
        {"videobox left=-10", "video/x-raw,format=RGB,width=74,height=48,framerate=30/1"},
        {"videoscale", "video/x-raw,format=RGB,width=64,height=64,framerate=30/1,"
                       "pixel-aspect-ratio=1/1"},
    };

    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        Rig *rig = rig_new(rig_element("min-age", "0", NULL));
        GstBuffer *buffer = through(cases[i].element, RGB_CAPS, cases[i].out,
                                    rig_push(rig, 0, BOXES(BOX(1))));

        fail_unless(custom(buffer) == NULL, "%s", cases[i].element);
        gst_buffer_unref(buffer);
        rig_free(rig);
    }
}
GST_END_TEST;

/* Scaling scales it; `left` is where the object begins. */
SUITE_TEST(test_scaled)
{
    static const struct {
        const gchar *out;
        guint width, height, left, area;
    } cases[] = {
        {"width=32,height=24", 32, 24, 2, 10},
        {"width=128,height=96", 128, 96, 8, 160},
        {"width=64,height=48,pixel-aspect-ratio=1/1", 64, 48, 4, 40},
        /* anamorphic: the picture is the same, its pixels are not square */
        {"width=32,height=48,pixel-aspect-ratio=2/1", 32, 48, 2, 20},
    };

    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        Rig *rig = rig_new(rig_element("min-age", "0", NULL));
        GstBuffer *buffer, *mask;
        gchar *out =
            g_strdup_printf("video/x-raw,format=RGB,framerate=30/1,%s", cases[i].out);
        const GValue *areas;
        GstVideoMeta *layout;
        GstMapInfo map;
        guint left = 0;

        buffer = through("videoscale", RGB_CAPS, out, rig_push(rig, 0, BOXES(BOX(1))));
        fail_unless(custom(buffer) != NULL, "%s", out);
        fail_unless_equals_int(uint_of(custom(buffer), "width"), cases[i].width);
        fail_unless_equals_int(uint_of(custom(buffer), "height"), cases[i].height);
        areas = gst_structure_get_value(custom(buffer), "areas");
        fail_unless_equals_uint64(g_value_get_uint64(gst_value_array_get_value(areas, 0)),
                                  cases[i].area);
        fail_unless(
            gst_structure_get(custom(buffer), "mask", GST_TYPE_BUFFER, &mask, NULL));
        layout = gst_buffer_get_video_meta(mask);
        fail_unless(layout->width == cases[i].width && layout->height == cases[i].height);
        fail_unless(gst_buffer_map(mask, &map, GST_MAP_READ));
        while (left < layout->width &&
               !map.data[(layout->height / 4) * (guint)layout->stride[0] + left])
            left++;
        fail_unless_equals_int(left, cases[i].left);
        gst_buffer_unmap(mask, &map);
        gst_buffer_unref(mask);
        gst_buffer_unref(buffer);
        g_free(out);
        rig_free(rig);
    }
}
GST_END_TEST;

/* A mask of another program whose rows do not lie in its memory. */
SUITE_TEST(test_wrong_mask)
{
    for (guint i = 0; i < 2; i++) {
        Rig *rig = rig_new(rig_element(NULL, NULL));
        GstBuffer *buffer = rig_frame(rig, 0, NOTHING);
        GstBuffer *mask = gst_buffer_new_allocate(NULL, 64 * 48, NULL);
        GstVideoMeta *layout =
            gst_buffer_add_video_meta(mask, 0, GST_VIDEO_FORMAT_GRAY8, i ? 64 : 0, 48);

        layout->stride[0] = 1 << 26;
        gst_structure_set(
            custom((gst_buffer_add_custom_meta(buffer, "GstRvosSegMeta"), buffer)),
            "width", G_TYPE_UINT, 64, "height", G_TYPE_UINT, 48, "mask", GST_TYPE_BUFFER,
            mask, NULL);
        buffer =
            through("videoscale", RGB_CAPS,
                    "video/x-raw,format=RGB,width=32,height=24,framerate=30/1", buffer);
        fail_unless(custom(buffer) == NULL);
        gst_buffer_unref(buffer);
        gst_buffer_unref(mask);
        rig_free(rig);
    }
}
GST_END_TEST;

/* Through a converter and a scaler in one go. */
SUITE_TEST(test_survives_conversion)
{
    Rig *rig = rig_new(rig_element("min-age", "0", NULL));
    GstHarness *convert = gst_harness_new_parse("videoconvert ! videoscale");
    GstBuffer *buffer;

    gst_harness_set_caps_str(convert,
                             "video/x-raw,format=RGB,width=64,height=48,framerate=30/1",
                             "video/x-raw,format=I420,width=32,height=24,framerate=30/1");
    gst_harness_push(convert, rig_push(rig, 0, BOXES(BOX(1))));
    buffer = gst_harness_pull(convert);
    fail_unless(custom(buffer) != NULL);
    fail_unless_equals_int(array_size(custom(buffer), "slots"), 1);
    fail_unless_equals_int(uint_of(custom(buffer), "width"), 32);
    gst_buffer_unref(buffer);
    gst_harness_teardown(convert);
    rig_free(rig);
}
GST_END_TEST;

/* Two elements in a row: the last one's meta is on the frame, once. */
SUITE_TEST(test_replaced)
{
    Rig *rig = rig_new(rig_element("min-age", "0", NULL));
    GstBuffer *buffer = rig_frame(rig, 0, BOXES(BOX(1)));
    GstMeta *meta;
    gpointer state = NULL;
    guint n = 0;

    gst_structure_set(
        custom((gst_buffer_add_custom_meta(buffer, "GstRvosSegMeta"), buffer)), "width",
        G_TYPE_UINT, 1, NULL);
    gst_harness_push(rig->h, buffer);
    buffer = gst_harness_pull(rig->h);
    while ((meta = gst_buffer_iterate_meta(buffer, &state)) != NULL)
        n += meta->info == gst_meta_get_info("GstRvosSegMeta");
    fail_unless_equals_int(n, 1);
    fail_unless_equals_int(uint_of(custom(buffer), "width"), RIG_WIDTH);
    gst_buffer_unref(buffer);
    rig_free(rig);
}
GST_END_TEST;

SUITE_MAIN("meta", 0, scripted_clear, NULL)
