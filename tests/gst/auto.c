/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Tests mode=auto: objects that are found and then followed, and those of the user. */
#include "maskfile.h"
#include "rig.h"

static Rig *automatic(const gchar *interval)
{
    return rig_new(rig_element("mode", "auto", "discovery-interval", interval, NULL));
}

/* The slot and the id of the next rvosseg-object message of that event. */
static guint64 next_id(Rig *rig, const gchar *event, guint slot)
{
    GstStructure *s = rig_message(rig, "rvosseg-object");
    guint got = 0;
    guint64 id = 0;

    fail_unless(s != NULL, "no message about %s", event);
    fail_unless_equals_string(gst_structure_get_string(s, "event"), event);
    fail_unless(gst_structure_get(s, "slot", G_TYPE_UINT, &got, "tracking-id",
                                  G_TYPE_UINT64, &id, NULL));
    fail_unless_equals_int(got, slot);
    gst_structure_free(s);
    return id;
}

SUITE_TEST(test_stream)
{
    static const struct {
        const gchar *wanted;
        gint interval;
    } all[] = {{"30", 30}, {"7", 7}, {"0", -1}};

    for (guint i = 0; i < G_N_ELEMENTS(all); i++) {
        Rig *rig = automatic(all[i].wanted);

        fail_unless_equals_int(scripted_get().stream.task, RVOS_TASK_AUTO);
        fail_unless_equals_int(scripted_get().stream.discovery_interval, all[i].interval);
        rig_free(rig);
    }
}
GST_END_TEST;

/* min-age has no effect: it belongs to zero-shot mode. */
SUITE_TEST(test_shown_at_once)
{
    Rig *rig = automatic("30");
    GstBuffer *buffer;

    g_object_set(rig->element, "min-age", 9, NULL);
    buffer = rig_push(rig, 0, BOXES(BOX(1)));
    fail_unless_equals_int(rig_byte(rig, buffer, 4, 8), 128);
    gst_buffer_unref(buffer);
    fail_unless_equals_int(scripted_get().output.hidden, 0);
    assert_string(rig_objects(rig), "appeared:1");
    rig_run(rig, 1, 4, BOXES(BOX(1)));
    fail_unless_equals_uint64(rig_stat(rig, "discovery-frames"), 1);
    fail_unless_equals_uint64(rig_stat(rig, "objects-found"), 1);
    rig_free(rig);
}
GST_END_TEST;

/* When a slot gets another object, the old one is lost first, the new one has a new id,
 * and the neighbours keep theirs. */
SUITE_TEST(test_slot_is_used_again)
{
    Rig *rig = automatic("30");
    guint64 old, other, young;

    rig_run(rig, 0, 3, BOXES(BOX(1), BOX(2)));
    old = next_id(rig, "appeared", 1);
    other = next_id(rig, "appeared", 2);
    scripted_end_objects(1);
    rig_run(rig, 3, 5, BOXES(BOX(1), BOX(2)));
    fail_unless_equals_uint64(next_id(rig, "lost", 1), old);
    young = next_id(rig, "appeared", 1);
    fail_unless(young > old && young != other);
    fail_unless(rig_message(rig, "rvosseg-object") == NULL);
    /* A freed slot is lost at once, without lost-frames. Later it has another object. */
    scripted_end_objects(1);
    rig_run(rig, 5, 6, BOXES(BOX(2)));
    fail_unless_equals_uint64(next_id(rig, "lost", 1), young);
    fail_unless_equals_uint64(rig_stat(rig, "objects-alive"), 1);
    rig_run(rig, 6, 9, BOXES(BOX(1), BOX(2)));
    fail_unless(next_id(rig, "appeared", 1) > young);
    fail_unless(rig_message(rig, "rvosseg-object") == NULL);
    fail_unless_equals_uint64(rig_stat(rig, "objects-found"), 4);
    rig_free(rig);
}
GST_END_TEST;

/* An object that is occluded for a while comes back under its id. */
SUITE_TEST(test_comes_back)
{
    Rig *rig = automatic("30");
    guint64 id;

    g_object_set(rig->element, "lost-frames", 2, NULL);
    rig_run(rig, 0, 2, BOXES(BOX(3)));
    id = next_id(rig, "appeared", 3);
    rig_run(rig, 2, 6, NOTHING);
    fail_unless_equals_uint64(next_id(rig, "lost", 3), id);
    rig_run(rig, 6, 8, BOXES(BOX(3)));
    fail_unless_equals_uint64(next_id(rig, "recovered", 3), id);
    rig_free(rig);
}
GST_END_TEST;

SUITE_TEST(test_set_mask_and_drop)
{
    Rig *rig = automatic("30");
    gboolean good;

    rig_run(rig, 0, 2, BOXES(BOX(1)));
    fail_unless(rig_set_mask(rig, GST_CLOCK_TIME_NONE, FALSE, BOXES(BOX(4))));
    rig_run(rig, 2, 3, BOXES(BOX(1), BOX(4)));
    fail_unless_equals_int(scripted_get().seeded, 1 << 3);
    assert_string(rig_objects(rig), "appeared:1,appeared:4");
    g_signal_emit_by_name(rig->element, "drop-object", 4, &good);
    fail_unless(good);
    rig_run(rig, 3, 4, BOXES(BOX(1)));
    fail_unless_equals_int(scripted_get().drops, 1);
    assert_string(rig_objects(rig), "lost:4");
    rig_free(rig);
}
GST_END_TEST;

SUITE_TEST(test_init_mask)
{
    gchar *dir = folder("auto-mask"), *path = g_build_filename(dir, "m.pgm", NULL);
    Rig *rig;

    write_pgm(path, BOXES(BOX(2)));
    rig = rig_new(rig_element("mode", "auto", "init-mask-location", path, NULL));
    rig_run(rig, 0, 3, BOXES(BOX(1), BOX(2)));
    fail_unless_equals_int(scripted_get().seeds, 1);
    fail_unless_equals_int(scripted_get().seeded, 1 << 1);
    assert_string(rig_objects(rig), "appeared:1,appeared:2");
    rig_free(rig);
    g_free(path);
    g_free(dir);
}
GST_END_TEST;

/* A region without an id takes a slot that no found object has. */
SUITE_TEST(test_region_takes_a_free_slot)
{
    Rig *rig = automatic("30");
    GstBuffer *buffer;

    rig_run(rig, 0, 2, BOXES(BOX(1), BOX(2)));
    buffer = rig_frame(rig, 2, BOXES(BOX(1), BOX(2)));
    gst_buffer_add_video_region_of_interest_meta(buffer, "rvos-init", 30, 8, 4, 10);
    gst_harness_push(rig->h, buffer);
    fail_unless_equals_int(scripted_get().seeded, 1 << 2);
    rig_free(rig);
}
GST_END_TEST;

/* Masks of another rvosseg are not taken, because auto finds the objects itself. */
SUITE_TEST(test_takes_no_mask_from_upstream)
{
    Rig *before = rig_new(rig_element("min-age", "0", NULL)), *rig = automatic("30");
    GstBuffer *buffer = rig_push(before, 0, BOXES(BOX(1)));

    gst_harness_push(rig->h, buffer);
    fail_unless_equals_int(scripted_get().seeds, 0);
    rig_free(before);
    rig_free(rig);
}
GST_END_TEST;

SUITE_TEST(test_reset)
{
    Rig *rig = automatic("30");
    guint64 id;

    rig_run(rig, 0, 3, BOXES(BOX(1)));
    id = next_id(rig, "appeared", 1);
    fail_unless_equals_uint64(rig_stat(rig, "discovery-frames"), 1);
    g_signal_emit_by_name(rig->element, "reset");
    rig_run(rig, 3, 6, BOXES(BOX(1)));
    fail_unless_equals_uint64(rig_stat(rig, "discovery-frames"), 2);
    fail_unless(next_id(rig, "appeared", 1) > id);
    rig_free(rig);
}
GST_END_TEST;

static void push_grey(Rig *rig, guint n, guint8 grey)
{
    GstBuffer *buffer = rig_frame(rig, n, NOTHING);

    gst_buffer_memset(buffer, 0, grey, gst_buffer_get_size(buffer));
    fail_unless_equals_int(gst_harness_push(rig->h, buffer), GST_FLOW_OK);
}

/* Without scene-cut, a change of the scene starts a search and resets nothing. */
SUITE_TEST(test_scene_cut)
{
    Rig *rig = automatic("0");
    guint n = 0;

    for (; n < 8; n++)
        push_grey(rig, n, 180);
    g_free(rig_resets(rig)); /* the start */
    push_grey(rig, n++, 60);
    fail_unless_equals_int(scripted_get().discoveries, 1);
    fail_unless_equals_uint64(rig_stat(rig, "discovery-frames"), 2);
    assert_string(rig_resets(rig), "");
    for (; n < 20; n++)
        push_grey(rig, n, 60);
    fail_unless_equals_int(scripted_get().discoveries, 1);
    gst_util_set_object_arg(G_OBJECT(rig->element), "scene-cut", "detect");
    push_grey(rig, n++, 180);
    assert_string(rig_resets(rig), "scene-cut");
    fail_unless_equals_int(scripted_get().discoveries, 1);
    rig_free(rig);
}
GST_END_TEST;

/* A model with one decoder, like many published checkpoints. */
SUITE_TEST(test_model_of_one_task)
{
    static const struct {
        const gchar *tasks;
        rvos_task task;
    } all[] = {{"zero-shot", RVOS_TASK_ZERO_SHOT}, {"one-shot", RVOS_TASK_ONE_SHOT}};

    for (guint i = 0; i < G_N_ELEMENTS(all); i++) {
        gchar *path = rig_model(all[i].tasks);
        Rig *rig = rig_new(rig_element("mode", "auto", "model", path, NULL));
        GstMessage *message = rig_pop(rig, GST_MESSAGE_WARNING);

        fail_unless(message != NULL);
        gst_message_unref(message);
        fail_unless_equals_int(scripted_get().stream.task, all[i].task);
        fail_unless_equals_int(
            rig_set_mask(rig, GST_CLOCK_TIME_NONE, FALSE, BOXES(BOX(1))), i == 1);
        rig_run(rig, 0, 3, BOXES(BOX(1)));
        assert_string(rig_objects(rig), "appeared:1");
        rig_free(rig);
        g_free(path);
    }
}
GST_END_TEST;

SUITE_MAIN("auto", 0, scripted_clear, NULL)
