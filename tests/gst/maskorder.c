/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Tests which picture a mask file belongs to, and which file a path means. */
#include "maskfile.h"
#include "rig.h"

#include <string.h>
#include <sys/stat.h>

/* ---- which picture
 * ---------------------------------------------------------------------- */

static void push_at(Rig *rig, GstClockTime time, GstBufferFlags flags)
{
    GstBuffer *buffer = rig_frame(rig, 0, NOTHING);

    GST_BUFFER_PTS(buffer) = time;
    GST_BUFFER_FLAG_SET(buffer, flags);
    fail_unless_equals_int(gst_harness_push(rig->h, buffer), GST_FLOW_OK);
    while ((buffer = gst_harness_try_pull(rig->h)) != NULL)
        gst_buffer_unref(buffer);
}

/* The first picture comes late, and the rate is not the caps'. */
SUITE_TEST(test_counted)
{
    static const guint ms[] = {900, 933, 1500, 1533, 3000, 3033};
    gchar *dir = folder("masks-count");
    gchar *a = write_values(dir, "000.pgm", "\0\1\1\0", 4);
    gchar *b = write_values(dir, "004.pgm", "\0\2\2\0", 4);
    gchar *pattern = g_build_filename(dir, "%03d.pgm", NULL);

    for (guint k = 0; k < 2; k++) {
        Rig *rig = rig_one_shot(k ? pattern : dir);

        scripted_clear();
        for (guint i = 0; i < G_N_ELEMENTS(ms); i++) {
            push_at(rig, ms[i] * GST_MSECOND, 0);
            fail_unless_equals_int(scripted_get().seeds, i < 4 ? 1 : 2);
        }
        fail_unless_equals_int(scripted_get().seeded, 2);
        gst_harness_push_event(rig->h, gst_event_new_eos());
        fail_unless(rig_pop(rig, GST_MESSAGE_ERROR) == NULL);
        rig_free(rig);
    }
    g_free(pattern);
    g_free(a);
    g_free(b);
    g_free(dir);
}
GST_END_TEST;

/* A gap is a picture, too; its mask goes to the next one. */
SUITE_TEST(test_mask_of_a_gap)
{
    gchar *dir = folder("masks-gap");
    gchar *a = write_values(dir, "1.pgm", "\0\1\1\0", 4);
    gchar *b = write_values(dir, "3.pgm", "\0\2\2\0", 4);
    Rig *rig = rig_one_shot(dir);

    push_at(rig, 0, 0);
    push_at(rig, RIG_FRAME, GST_BUFFER_FLAG_GAP);
    fail_unless_equals_int(scripted_get().seeds, 0);
    push_at(rig, 2 * RIG_FRAME, 0);
    fail_unless_equals_int(scripted_get().seeded, 1);
    push_at(rig, 3 * RIG_FRAME, 0);
    fail_unless_equals_int(scripted_get().seeded, 2);
    fail_unless_equals_int(scripted_get().seeds, 2);
    rig_free(rig);
    g_free(a);
    g_free(b);
    g_free(dir);
}
GST_END_TEST;

/* A picture that is dropped as late, before the element sees it, counts too. */
SUITE_TEST(test_mask_of_a_late_picture)
{
    gchar *dir = folder("masks-late");
    gchar *a = write_values(dir, "2.pgm", "\0\1\1\0", 4);
    gchar *b = write_values(dir, "5.pgm", "\0\2\2\0", 4);
    Rig *rig = rig_one_shot(dir);

    gst_util_set_object_arg(G_OBJECT(rig->element), "late-policy", "drop");
    push_at(rig, 0, 0);
    /* Up to the fourth picture all are late. */
    gst_harness_push_upstream_event(
        rig->h, gst_event_new_qos(GST_QOS_TYPE_UNDERFLOW, 2., 0, 3 * RIG_FRAME));
    for (guint i = 1; i < 6; i++)
        push_at(rig, i * RIG_FRAME, 0);
    fail_unless_equals_uint64(rig_stat(rig, "dropped-late"), 3);
    fail_unless_equals_int(scripted_get().seeds, 2);
    fail_unless_equals_int(scripted_get().seed_log[0], 1);
    fail_unless_equals_int(scripted_get().seed_log[1], 2);
    fail_unless_equals_uint64(rig_stat(rig, "frames-in"), 6);
    rig_free(rig);
    g_free(a);
    g_free(b);
    g_free(dir);
}
GST_END_TEST;

SUITE_TEST(test_seek_to_an_unknown_picture)
{
    gchar *dir = folder("masks-seek");
    gchar *a = write_values(dir, "0.pgm", "\0\1\1\0", 4);
    gchar *b = write_values(dir, "9.pgm", "\0\2\2\0", 4);
    Rig *rig = rig_one_shot(dir);

    push_at(rig, 0, 0);
    push_at(rig, 5 * RIG_FRAME, 0); /* no constant rate */
    rig_expect_warning(rig, NULL);
    suite_flush(rig->h);
    for (guint i = 0; i < 3; i++)
        push_at(rig, (8 + i) * RIG_FRAME, 0);
    fail_unless_equals_int(scripted_get().seeds, 1);
    rig_expect_warning(rig, "the number of a picture is not known");
    suite_flush(rig->h);
    push_at(rig, 0, 0); /* known again */
    fail_unless_equals_int(scripted_get().seeds, 2);
    gst_harness_push_event(rig->h, gst_event_new_eos());
    rig_free(rig);
    g_free(a);
    g_free(b);
    g_free(dir);
}
GST_END_TEST;

/* A warning names masks without a picture; if nothing was followed, it is an error. */
SUITE_TEST(test_left_over)
{
    gchar *dir = folder("masks-left");
    gchar *a = write_values(dir, "07.pgm", "\0\1\1\0", 4);
    gchar *b;
    Rig *rig = rig_one_shot(dir);

    rig_run(rig, 0, 3, NOTHING);
    rig_expect_warning(rig, NULL); /* not the one about a missing mask */
    gst_harness_push_event(rig->h, gst_event_new_eos());
    rig_expect_error(rig->bus, GST_STREAM_ERROR, GST_STREAM_ERROR_FAILED);
    rig_free(rig);
    b = write_values(dir, "0.pgm", "\0\1\1\0", 4);
    rig = rig_one_shot(dir);
    rig_run(rig, 0, 3, NOTHING);
    gst_bus_set_flushing(rig->bus, TRUE);
    gst_bus_set_flushing(rig->bus, FALSE);
    gst_harness_push_event(rig->h, gst_event_new_eos());
    rig_expect_warning(rig, "07.pgm");
    fail_unless(rig_pop(rig, GST_MESSAGE_ERROR) == NULL);
    rig_free(rig);
    g_free(a);
    g_free(b);
    g_free(dir);
}
GST_END_TEST;

/* While masks wait, no QOS event goes to the decoder. */
SUITE_TEST(test_qos_stays_here)
{
    gchar *dir = folder("masks-qos");
    gchar *a = write_values(dir, "0.pgm", "\0\1\1\0", 4);
    gchar *b = write_values(dir, "2.pgm", "\0\2\2\0", 4);
    Rig *rig = rig_one_shot(dir);
    GstEvent *event;
    guint seen;

    for (guint i = 0; i < 4; i++) {
        rig_run(rig, i, i + 1, NOTHING);
        gst_harness_push_upstream_event(
            rig->h, gst_event_new_qos(GST_QOS_TYPE_UNDERFLOW, 2., 1000, 1000));
        for (seen = 0; (event = gst_harness_try_pull_upstream_event(rig->h)) != NULL;) {
            seen += GST_EVENT_TYPE(event) == GST_EVENT_QOS;
            gst_event_unref(event);
        }
        fail_unless_equals_int(seen, i < 2 ? 0 : 1);
    }
    rig_free(rig);
    g_free(a);
    g_free(b);
    g_free(dir);
}
GST_END_TEST;

/* ---- paths ------------------------------------------------------------------------ */

SUITE_TEST(test_per_cent)
{
    gchar *dir = folder("masks-50%");
    gchar *a = write_values(dir, "at 100%.pgm", "\0\1\1\0", 4);
    gchar *b = write_values(dir, "0.pgm", "\0\1\1\0", 4);
    gchar *c = write_values(dir, "a%d.pgm", "\0\1\1\0", 4); /* that very name */
    gchar *d = write_values(dir, "b%0.pgm", "\0\1\1\0", 4);
    gchar *pattern = g_build_filename(dir, "%d.pgm", NULL);
    gchar *doubled = g_build_filename(dir, "b%%%d.pgm", NULL);
    const gchar *locations[] = {a, dir, c, pattern, doubled};

    for (guint i = 0; i < G_N_ELEMENTS(locations); i++) {
        Rig *rig = rig_one_shot(locations[i]);

        scripted_clear();
        rig_run(rig, 0, 1, NOTHING);
        fail_unless_equals_int(scripted_get().seeds, 1);
        rig_free(rig);
    }
    g_free(pattern);
    g_free(doubled);
    g_free(a);
    g_free(b);
    g_free(c);
    g_free(d);
    g_free(dir);
}
GST_END_TEST;

/* Only regular files are read; a pipe must not block. */
SUITE_TEST(test_fifo)
{
    gchar *dir = folder("masks-fifo");
    gchar *path = g_build_filename(dir, "0.png", NULL);
    GstElement *element;
    Rig *rig;

    fail_unless(mkfifo(path, 0600) == 0);
    element = rig_element("mode", "one-shot", "init-mask-location", path, NULL);
    fail_unless_equals_int(gst_element_set_state(element, GST_STATE_PAUSED),
                           GST_STATE_CHANGE_FAILURE);
    gst_element_set_state(element, GST_STATE_NULL);
    gst_object_unref(element);
    rig = rig_one_shot(dir);
    fail_unless_equals_int(gst_harness_push(rig->h, rig_frame(rig, 0, NOTHING)),
                           GST_FLOW_ERROR);
    rig_expect_error(rig->bus, GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_OPEN_READ);
    rig_free(rig);
    g_free(path);
    g_free(dir);
}
GST_END_TEST;

SUITE_MAIN("maskorder", 0, scripted_clear, NULL)
