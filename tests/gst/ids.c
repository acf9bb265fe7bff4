/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Tests objects that come and go: messages, ids, and when they are shown. */
#include "rig.h"

static guint64 id_of_message(Rig *rig, const gchar *event)
{
    GstStructure *s;
    guint64 id = 0;

    while ((s = rig_message(rig, "rvosseg-object")) != NULL) {
        if (g_str_equal(gst_structure_get_string(s, "event"), event))
            fail_unless(gst_structure_get_uint64(s, "tracking-id", &id));
        gst_structure_free(s);
    }
    return id;
}

SUITE_TEST(test_not_before_min_age)
{
    Rig *rig = rig_new(rig_element("min-age", "3", NULL));
    GstBuffer *buffer;

    rig_add_mask(rig);
    for (guint n = 0; n < 2; n++) {
        buffer = rig_push(rig, n, BOXES(BOX(1)));
        fail_unless_equals_int(rig_byte(rig, buffer, 4, 8), 1); /* not drawn on */
        gst_buffer_unref(buffer);
        buffer = gst_harness_pull(rig->mask);
        fail_unless(gst_buffer_memcmp(buffer, 0, (guint8[1]){0}, 1) == 0);
        fail_unless_equals_int(scripted_get().output.hidden & 1, 1);
        gst_buffer_unref(buffer);
        assert_string(rig_objects(rig), "");
    }
    buffer = rig_push(rig, 2, BOXES(BOX(1)));
    fail_unless_equals_int(rig_byte(rig, buffer, 4, 8), 128); /* the palette's red */
    gst_buffer_unref(buffer);
    fail_unless_equals_int(scripted_get().output.hidden & 1, 0);
    assert_string(rig_objects(rig), "appeared:1");
    rig_free(rig);
}
GST_END_TEST;

SUITE_TEST(test_appeared_lost_recovered)
{
    Rig *rig = rig_new(rig_element("min-age", "2", "lost-frames", "3", NULL));

    rig_run(rig, 0, 4, BOXES(BOX(1), BOX(3)));
    assert_string(rig_objects(rig), "appeared:1,appeared:3");
    rig_run(rig, 4, 6, BOXES(BOX(1)));
    assert_string(rig_objects(rig), "");
    fail_unless_equals_uint64(rig_stat(rig, "objects-alive"), 2);
    rig_run(rig, 6, 9, BOXES(BOX(1)));
    assert_string(rig_objects(rig), "lost:3");
    fail_unless_equals_uint64(rig_stat(rig, "objects-alive"), 1);
    rig_run(rig, 9, 10, BOXES(BOX(1), BOX(3)));
    assert_string(rig_objects(rig), "recovered:3");
    rig_free(rig);
}
GST_END_TEST;

SUITE_TEST(test_message_fields)
{
    Rig *rig = rig_new(rig_element("min-age", "1", NULL));
    GstStructure *s;
    guint64 area, time, age;
    guint x, y, width, height;
    gdouble score;

    rig_run(rig, 0, 2, NOTHING);
    rig_run(rig, 2, 3, BOXES({2, 10, 20, 5, 7}));
    s = rig_message(rig, "rvosseg-object");
    fail_unless(gst_structure_get(s, "x", G_TYPE_UINT, &x, "y", G_TYPE_UINT, &y, "width",
                                  G_TYPE_UINT, &width, "height", G_TYPE_UINT, &height,
                                  "area", G_TYPE_UINT64, &area, "score", G_TYPE_DOUBLE,
                                  &score, "timestamp", G_TYPE_UINT64, &time, "age",
                                  G_TYPE_UINT64, &age, NULL));
    fail_unless(x == 10 && y == 20 && width == 5 && height == 7 && area == 35);
    fail_unless_equals_float(score, 0.75);
    fail_unless_equals_uint64(time, gst_util_uint64_scale(2, GST_SECOND, 30));
    fail_unless_equals_uint64(age, 0);
    fail_unless(gst_structure_has_field_typed(s, "stream-time", G_TYPE_UINT64));
    fail_unless(gst_structure_has_field_typed(s, "running-time", G_TYPE_UINT64));
    fail_unless(gst_structure_has_field_typed(s, "duration", G_TYPE_UINT64));
    gst_structure_free(s);
    rig_free(rig);
}
GST_END_TEST;

SUITE_TEST(test_ids_over_resets_and_null)
{
    Rig *rig = rig_new(rig_element("min-age", "1", NULL));
    guint64 last = 0, id;

    for (guint i = 0; i < 6; i++) {
        rig_run(rig, 0, 3, BOXES(BOX(2)));
        id = id_of_message(rig, "appeared");
        fail_unless(id > last);
        fail_unless_equals_int(id & 255, 2);
        last = id;
        if (i < 5)
            g_signal_emit_by_name(rig->element, "reset");
    }
    gst_element_set_state(rig->element, GST_STATE_NULL);
    gst_element_set_state(rig->element, GST_STATE_PLAYING);
    gst_harness_push_event(rig->h, gst_event_new_stream_start("again"));
    rig_set_caps(rig, "RGB", RIG_WIDTH, RIG_HEIGHT, "framerate=30/1");
    gst_harness_push_event(
        rig->h, gst_event_new_segment(&(GstSegment){.rate = 1,
                                                    .applied_rate = 1,
                                                    .format = GST_FORMAT_TIME,
                                                    .stop = GST_CLOCK_TIME_NONE,
                                                    .duration = GST_CLOCK_TIME_NONE}));
    rig_run(rig, 0, 2, BOXES(BOX(2)));
    fail_unless(id_of_message(rig, "appeared") > last);
    rig_free(rig);
}
GST_END_TEST;

SUITE_TEST(test_colour_follows_slot)
{
    Rig *rig =
        rig_new(rig_element("min-age", "0", "palette", "#010000,#410000,#810000", NULL));
    GstBuffer *buffer = rig_push(rig, 0, BOXES(BOX(2), BOX(3), BOX(5)));

    fail_unless_equals_int(rig_byte(rig, buffer, 8, 8), 0x41);
    fail_unless_equals_int(rig_byte(rig, buffer, 12, 8), 0x81);
    fail_unless_equals_int(rig_byte(rig, buffer, 20, 8), 0x41); /* repeated */
    gst_buffer_unref(buffer);
    /* Slot 3 keeps its colour when slot 2 has gone. */
    buffer = rig_push(rig, 1, BOXES(BOX(3)));
    fail_unless_equals_int(rig_byte(rig, buffer, 12, 8), 0x81);
    gst_buffer_unref(buffer);
    rig_free(rig);
}
GST_END_TEST;

SUITE_TEST(test_all_messages)
{
    Rig *rig = rig_new(rig_element("min-age", "1", "post-messages", "all",
                                   "inference-interval", "2", NULL));

    rig_run(rig, 0, 5, BOXES(BOX(1)));
    /* Frames 0, 2 and 4 are segmented. */
    assert_string(rig_objects(rig), "appeared:1,update:1,update:1,update:1");
    rig_free(rig);
}
GST_END_TEST;

SUITE_TEST(test_drop_object)
{
    Rig *rig = rig_new(rig_element("min-age", "1", "objects", "4", NULL));
    gboolean good;

    rig_run(rig, 0, 2, BOXES(BOX(1), BOX(2)));
    assert_string(rig_objects(rig), "appeared:1,appeared:2");
    g_signal_emit_by_name(rig->element, "drop-object", 5u, &good);
    fail_if(good);
    g_signal_emit_by_name(rig->element, "drop-object", 0u, &good);
    fail_if(good);
    g_signal_emit_by_name(rig->element, "drop-object", 2u, &good);
    fail_unless(good);
    fail_unless_equals_int(scripted_get().drops, 0); /* not before the next frame */
    rig_run(rig, 2, 3, BOXES(BOX(1), BOX(2)));
    fail_unless_equals_int(scripted_get().drops, 1);
    assert_string(rig_objects(rig), "lost:2,appeared:2");
    rig_free(rig);
}
GST_END_TEST;

SUITE_TEST(test_small_objects_are_none)
{
    Rig *rig = rig_new(rig_element("min-age", "1", "min-object-size", "30", NULL));

    rig_run(rig, 0, 2, BOXES({1, 0, 0, 5, 6}, {2, 10, 0, 5, 5}));
    assert_string(rig_objects(rig), "appeared:1");
    rig_free(rig);
}
GST_END_TEST;

SUITE_MAIN("ids", 0, scripted_clear, NULL)
