/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Tests that elements which use a file in the same way share one copy of the weights. */
#include "rig.h"

static GstElement *start(GstElement *element)
{
    fail_unless_equals_int(gst_element_set_state(element, GST_STATE_PAUSED),
                           GST_STATE_CHANGE_SUCCESS);
    return element;
}

static void end(GstElement *element)
{
    gst_element_set_state(element, GST_STATE_NULL);
    gst_object_unref(element);
}

static guint users(GstElement *element)
{
    GstStructure *stats;
    guint n;

    g_object_get(element, "stats", &stats, NULL);
    fail_unless(gst_structure_get_uint(stats, "model-users", &n));
    gst_structure_free(stats);
    return n;
}

SUITE_TEST(test_weights_once_state_twice)
{
    GstElement *a = start(rig_element(NULL, NULL)), *b = start(rig_element(NULL, NULL));

    fail_unless_equals_int(scripted_get().loads, 1);
    fail_unless_equals_int(scripted_get().models, 1);
    fail_unless_equals_int(scripted_get().streams, 2);
    fail_unless_equals_int(users(a), 2);
    fail_unless_equals_int(users(b), 2);
    end(a);
    fail_unless_equals_int(users(b), 1);
    fail_unless_equals_int(scripted_get().models, 1);
    end(b);
    fail_unless_equals_int(scripted_get().models, 0);
    fail_unless_equals_int(scripted_get().devices, 0);
}
GST_END_TEST;

SUITE_TEST(test_modes_and_objects_share)
{
    GstElement *a = start(rig_element("objects", "3", NULL));
    GstElement *b = start(rig_element("mode", "one-shot", NULL));

    fail_unless_equals_int(scripted_get().loads, 1);
    end(a);
    end(b);
}
GST_END_TEST;

/* Settings that need other weights, or disable sharing. */
SUITE_TEST(test_not_shared)
{
    static const gchar *const others[][2] = {
        {"share-model", "false"}, {"engine", "reference"}, {"network-width", "64"},
        {"network-height", "64"}, {"n-threads", "3"},      {"max-batch", "2"},
        {"batch-timeout", "1"},   {"precision", "fp32"}};
    GstElement *a = start(rig_element(NULL, NULL)), *b;

    for (guint i = 0; i < G_N_ELEMENTS(others); i++) {
        b = start(rig_element(others[i][0], others[i][1], NULL));
        fail_unless_equals_int(scripted_get().loads, (gint)i + 2);
        fail_unless_equals_int(users(b), 1);
        end(b);
    }
    end(a);
}
GST_END_TEST;

/* Two links to one file are one file; a replaced file is another. */
SUITE_TEST(test_file_identity)
{
    const gchar *dir = g_getenv("RVOSSEG_TEST_DIR");
    gchar *path = g_build_filename(dir, "sharing.script", NULL);
    gchar *roundabout = g_build_filename(dir, ".", "sharing.script", NULL);
    GstElement *a, *b;

    fail_unless(g_file_set_contents(path, "one-shot zero-shot", -1, NULL));
    a = start(rig_element("model", path, NULL));
    b = start(rig_element("model", roundabout, NULL));
    fail_unless_equals_int(scripted_get().loads, 1);
    end(b);
    fail_unless(g_file_set_contents(path, "zero-shot one-shot", -1, NULL));
    b = start(rig_element("model", path, NULL));
    fail_unless_equals_int(scripted_get().loads, 2);
    end(b);
    end(a);
    g_free(path);
    g_free(roundabout);
}
GST_END_TEST;

static gpointer start_it(gpointer element)
{
    return GINT_TO_POINTER(gst_element_set_state(element, GST_STATE_PAUSED));
}

/* The second waits for the first one's loading, and shares its result. */
static void start_two(GstElement *a, GstElement *b, GstStateChangeReturn wanted)
{
    GThread *thread = g_thread_new("second", start_it, a);

    g_usleep(20000);
    fail_unless_equals_int(gst_element_set_state(b, GST_STATE_PAUSED), wanted);
    fail_unless_equals_int(GPOINTER_TO_INT(g_thread_join(thread)), wanted);
    fail_unless_equals_int(scripted_get().loads, 1);
}

SUITE_TEST(test_waiting)
{
    GstElement *a = rig_element(NULL, NULL), *b = rig_element(NULL, NULL);
    gchar *model;

    scripted_load_delay_us(200000);
    start_two(a, b, GST_STATE_CHANGE_SUCCESS);
    fail_unless_equals_int(users(a), 2);
    end(a);
    end(b);

    scripted_clear();
    scripted_load_delay_us(200000);
    model = rig_model("nonsense");
    a = rig_element("model", model, NULL);
    b = rig_element("model", model, NULL);
    start_two(a, b, GST_STATE_CHANGE_FAILURE);
    end(a);
    end(b);
    fail_unless_equals_int(scripted_get().devices, 0);
    g_free(model);
}
GST_END_TEST;

SUITE_MAIN("sharing", 0, scripted_clear, NULL)
