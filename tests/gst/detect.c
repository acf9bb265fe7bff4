/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Tests detector-seeds: boxes of detectors upstream start objects and name them. */
#include "rig.h"

static Rig *playing(const gchar *mode)
{
    return rig_new(rig_element("mode", mode, "detector-seeds", "boxes", "objects", "3",
                               "min-age", "0", NULL));
}

/* Pushes frame n with these objects and a detection, and takes the result. */
static GstBuffer *push_with(Rig *rig, guint n, const RigBox *boxes, const gchar *type,
                            guint x, guint y, guint width, guint height)
{
    GstBuffer *buffer = rig_frame(rig, n, boxes);

    gst_buffer_add_video_region_of_interest_meta(buffer, type, x, y, width, height);
    fail_unless_equals_int(gst_harness_push(rig->h, buffer), GST_FLOW_OK);
    return gst_harness_pull(rig->h);
}

static void detect(Rig *rig, guint n, const RigBox *boxes, const gchar *type, guint x,
                   guint y, guint width, guint height)
{
    gst_buffer_unref(push_with(rig, n, boxes, type, x, y, width, height));
}

static void assert_label(const GstStructure *s, const gchar *wanted)
{
    fail_unless_equals_string(gst_structure_get_string(s, "label"), wanted);
}

static void expect_message(Rig *rig, const gchar *label)
{
    GstStructure *s = rig_message(rig, "rvosseg-object");

    fail_unless(s != NULL);
    fail_unless_equals_string(gst_structure_get_string(s, "event"), "appeared");
    assert_label(s, label);
    gst_structure_free(s);
}

/* A box starts an object once, in the first free slot. Its name is in the messages from
 * `appeared` on. */
SUITE_TEST(test_new)
{
    Rig *rig = playing("auto");
    scripted_state state;

    rig_run(rig, 0, 1, BOXES(BOX(1)));
    expect_message(rig, NULL);
    for (guint n = 1; n < 4; n++)
        detect(rig, n, BOXES(BOX(1)), "person", 32, 12, 16, 24);
    state = scripted_get();
    fail_unless_equals_int(state.boxes, 1);
    fail_unless_equals_int(state.box_object, 2);
    fail_unless_equals_float(state.box.x, 0.5);
    fail_unless_equals_float(state.box.y, 0.25);
    fail_unless_equals_float(state.box.width, 0.25);
    fail_unless_equals_float(state.box.height, 0.5);
    fail_unless_equals_int(state.seeds, 0);
    detect(rig, 4, BOXES(BOX(1), {2, 33, 13, 14, 22}), "person", 32, 12, 16, 24);
    expect_message(rig, "person");
    fail_unless_equals_int(scripted_get().boxes, 1);
    rig_free(rig);
}
GST_END_TEST;

/* Bytes that are no UTF-8 are replaced, as structures do not take them. */
SUITE_TEST(test_label_not_utf8)
{
    Rig *rig = playing("auto");

    detect(rig, 0, BOXES(BOX(1)), "do\xffg", 4, 8, 4, 10);
    detect(rig, 1, BOXES(BOX(1)), "do\xffg", 4, 8, 4, 10);
    expect_message(rig, "do\xef\xbf\xbdg");
    rig_free(rig);
}
GST_END_TEST;

/* A box that is off by a tenth of its size still fits the object, which gets its name. */
SUITE_TEST(test_fits_an_object)
{
    Rig *rig = playing("auto");
    GstBuffer *buffer;
    GstVideoRegionOfInterestMeta *roi = NULL;
    const GValue *labels;
    gpointer state = NULL;
    GstMeta *meta;

    rig_run(rig, 0, 1, BOXES({1, 20, 10, 20, 20}, BOX(2)));
    buffer = push_with(rig, 1, BOXES({1, 20, 10, 20, 20}, BOX(2)), "car", 22, 8, 20, 20);
    fail_unless_equals_int(scripted_get().boxes, 0);
    while ((meta = gst_buffer_iterate_meta_filtered(
                buffer, &state, GST_VIDEO_REGION_OF_INTEREST_META_API_TYPE)) != NULL)
        if (((GstVideoRegionOfInterestMeta *)meta)->id == 1)
            roi = (GstVideoRegionOfInterestMeta *)meta;
    fail_unless(roi != NULL);
    assert_label(gst_video_region_of_interest_meta_get_param(roi, "rvos-object"), "car");
    labels =
        gst_structure_get_value(gst_custom_meta_get_structure(
                                    gst_buffer_get_custom_meta(buffer, "GstRvosSegMeta")),
                                "labels");
    fail_unless_equals_int(gst_value_array_get_size(labels), 2);
    fail_unless_equals_string(g_value_get_string(gst_value_array_get_value(labels, 0)),
                              "car");
    fail_unless_equals_string(g_value_get_string(gst_value_array_get_value(labels, 1)),
                              "");
    gst_buffer_unref(buffer);
    /* Next to it is another one. */
    detect(rig, 2, BOXES({1, 20, 10, 20, 20}, BOX(2)), "car", 36, 10, 20, 20);
    fail_unless_equals_int(scripted_get().boxes, 1);
    fail_unless_equals_int(scripted_get().box_object, 3);
    /* All slots have an object or wait for one. */
    detect(rig, 3, BOXES({1, 20, 10, 20, 20}, BOX(2)), "car", 2, 30, 10, 10);
    fail_unless_equals_int(scripted_get().boxes, 1);
    rig_free(rig);
}
GST_END_TEST;

/* A box that started no object is tried again, but not at once. */
SUITE_TEST(test_patience)
{
    Rig *rig = playing("auto");
    guint n = 0;

    for (; n < 25; n++)
        detect(rig, n, NOTHING, "person", 32, 12, 16, 24);
    fail_unless_equals_int(scripted_get().boxes, 1);
    for (; n < 40; n++)
        detect(rig, n, NOTHING, "person", 32, 12, 16, 24);
    fail_unless_equals_int(scripted_get().boxes, 2);
    rig_free(rig);
}
GST_END_TEST;

SUITE_TEST(test_one_shot)
{
    Rig *rig = playing("one-shot");

    detect(rig, 0, BOXES(BOX(1)), "dog", 4, 8, 4, 10);
    fail_unless_equals_int(scripted_get().seeded, 1);
    fail_unless_equals_int(scripted_get().boxes, 0);
    expect_message(rig, "dog");
    detect(rig, 1, BOXES(BOX(1)), "dog", 4, 8, 4, 10);
    fail_unless_equals_int(scripted_get().seeds, 1);
    detect(rig, 2, BOXES(BOX(1), BOX(2)), "cat", 30, 8, 4, 10);
    fail_unless_equals_int(scripted_get().seeds, 2);
    fail_unless_equals_int(scripted_get().seeded, 2);
    rig_free(rig);
}
GST_END_TEST;

/* Other regions, and detections while detector-seeds is off. */
SUITE_TEST(test_not_taken)
{
    Rig *rig = playing("auto");

    detect(rig, 0, NOTHING, "rvos-object", 32, 12, 16, 24);
    detect(rig, 1, NOTHING, "person", 200, 12, 16, 24); /* off the frame */
    detect(rig, 2, NOTHING, "person", 10, 12, 0, 24);
    detect(rig, 3, NOTHING, "person", G_MAXUINT, G_MAXUINT, G_MAXUINT, G_MAXUINT);
    fail_unless_equals_int(scripted_get().boxes, 0);
    gst_util_set_object_arg(G_OBJECT(rig->element), "detector-seeds", "none");
    detect(rig, 4, NOTHING, "person", 32, 12, 16, 24);
    fail_unless_equals_int(scripted_get().boxes, 0);
    rig_free(rig);
    rig = playing("zero-shot");
    detect(rig, 0, NOTHING, "person", 32, 12, 16, 24);
    fail_unless_equals_int(scripted_get().boxes + scripted_get().seeds, 0);
    rig_free(rig);
}
GST_END_TEST;

SUITE_MAIN("detect", 0, scripted_clear, NULL)
