/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Tests that each failure gives its domain and code within 5 s, and that the element
 * works afterwards. */
#include "rig.h"

#include <unistd.h>

#include <glib/gstdio.h>

/* Starting fails with this error, in this time; then a good model starts. */
static void expect_start_error(GstElement *element, GQuark domain, gint code)
{
    GstBus *bus = gst_bus_new();
    gint64 begin = g_get_monotonic_time();
    gchar *model;

    gst_element_set_bus(element, bus);
    fail_unless_equals_int(gst_element_set_state(element, GST_STATE_PAUSED),
                           GST_STATE_CHANGE_FAILURE);
    rig_expect_error(bus, domain, code);
    fail_unless(gst_bus_pop_filtered(bus, GST_MESSAGE_ERROR) == NULL);
    fail_unless(g_get_monotonic_time() - begin < 5 * G_USEC_PER_SEC);
    gst_element_set_state(element, GST_STATE_NULL);

    scripted_clear();
    model = rig_model("zero-shot one-shot");
    g_object_set(element, "model", model, "network-width", 0, "network-height", 0,
                 "init-mask-location", NULL, "palette", "davis", NULL);
    gst_util_set_object_arg(G_OBJECT(element), "engine", "cpu");
    g_free(model);
    fail_unless_equals_int(gst_element_set_state(element, GST_STATE_PAUSED),
                           GST_STATE_CHANGE_SUCCESS);
    gst_element_set_state(element, GST_STATE_NULL);
    gst_element_set_bus(element, NULL);
    gst_object_unref(bus);
    gst_object_unref(element);
    fail_unless_equals_int(scripted_get().models, 0);
    fail_unless_equals_int(scripted_get().devices, 0);
    fail_unless_equals_int(scripted_get().streams, 0);
}

SUITE_TEST(test_no_such_model)
{
    expect_start_error(rig_element("model", "/no/such/file", NULL), GST_RESOURCE_ERROR,
                       GST_RESOURCE_ERROR_NOT_FOUND);
    g_setenv("RVOS_MODEL", "/no/such/file", TRUE);
    expect_start_error(rig_element("model", "", NULL), GST_RESOURCE_ERROR,
                       GST_RESOURCE_ERROR_NOT_FOUND);
    g_unsetenv("RVOS_MODEL");
}
GST_END_TEST;

SUITE_TEST(test_unreadable_model)
{
    gchar *path = rig_model("unreadable");

    if (geteuid() == 0)
        scripted_fail("rvos_model_load", RVOS_ERR_IO); /* root reads everything */
    else
        g_chmod(path, 0);
    expect_start_error(rig_element("model", path, NULL), GST_RESOURCE_ERROR,
                       geteuid() == 0 ? GST_RESOURCE_ERROR_OPEN_READ
                                      : GST_RESOURCE_ERROR_NOT_FOUND);
    g_chmod(path, 0600);
    g_free(path);
}
GST_END_TEST;

SUITE_TEST(test_not_a_model)
{
    gchar *path = rig_model("nonsense");

    expect_start_error(rig_element("model", path, NULL), GST_STREAM_ERROR,
                       GST_STREAM_ERROR_WRONG_TYPE);
    g_free(path);
}
GST_END_TEST;

/* The message itself, not only its debug text, has librvos' finding about the file. */
SUITE_TEST(test_words_about_model)
{
    gchar *path = rig_model("nonsense");
    gchar *words = rig_refused(rig_element("model", path, NULL), 0, 0);

    fail_unless(strstr(words, path) != NULL, "%s", words);
    fail_unless(strstr(words, ": not a model of the script.") != NULL, "%s", words);
    g_free(words);
    g_free(path);
}
GST_END_TEST;

/* If fewer threads start than asked for, a warning says what helps, and frames come. */
SUITE_TEST(test_few_threads)
{
    gchar *path = rig_model("zero-shot one-shot"), *words;
    GstElement *element = rig_element("model", path, NULL);
    GstBus *bus = gst_bus_new();

    scripted_fail("threads", 3);
    gst_element_set_bus(element, bus);
    fail_unless_equals_int(gst_element_set_state(element, GST_STATE_PAUSED),
                           GST_STATE_CHANGE_SUCCESS);
    words = rig_words(bus, GST_MESSAGE_WARNING, 0, 0);
    fail_unless(words != NULL);
    fail_unless(strstr(words, "3 threads could not be started") != NULL);
    fail_unless(strstr(words, "n-threads") != NULL);
    g_free(words);
    scripted_clear();
    gst_element_set_state(element, GST_STATE_NULL);
    gst_element_set_bus(element, NULL);
    gst_object_unref(bus);
    gst_object_unref(element);
    g_free(path);
}
GST_END_TEST;

SUITE_TEST(test_mode_against_model)
{
    gchar *path = rig_model("zero-shot");

    expect_start_error(rig_element("model", path, "mode", "one-shot", NULL),
                       GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_SETTINGS);
    g_free(path);
}
GST_END_TEST;

SUITE_TEST(test_settings)
{
    expect_start_error(rig_element("network-width", "31", NULL), GST_RESOURCE_ERROR,
                       GST_RESOURCE_ERROR_SETTINGS);
    expect_start_error(rig_element("network-height", "1", NULL), GST_RESOURCE_ERROR,
                       GST_RESOURCE_ERROR_SETTINGS);
    expect_start_error(rig_element("palette", "mauve", NULL), GST_RESOURCE_ERROR,
                       GST_RESOURCE_ERROR_SETTINGS);
    expect_start_error(rig_element("palette", "#12345", NULL), GST_RESOURCE_ERROR,
                       GST_RESOURCE_ERROR_SETTINGS);
}
GST_END_TEST;

SUITE_TEST(test_cuda_never_falls_back)
{
    expect_start_error(rig_element("engine", "cuda", NULL), GST_LIBRARY_ERROR,
                       GST_LIBRARY_ERROR_INIT);
}
GST_END_TEST;

SUITE_TEST(test_auto_is_the_cpu)
{
    Rig *rig = rig_new(rig_element("engine", "auto", NULL));
    gchar *engine;

    fail_unless(rig_pop(rig, GST_MESSAGE_WARNING) == NULL);
    g_object_get(rig->element, "actual-engine", &engine, NULL);
    assert_string(engine, "cpu");
    rig_free(rig);
}
GST_END_TEST;

SUITE_TEST(test_auto_falls_back_with_one_warning)
{
    Rig *rig;
    gchar *engine, *words;

    g_setenv("RVOS_CUDA", "1", TRUE);
    rig = rig_new(rig_element("engine", "auto", NULL));
    g_unsetenv("RVOS_CUDA");
    words = rig_words(rig->bus, GST_MESSAGE_WARNING, GST_LIBRARY_ERROR,
                      GST_LIBRARY_ERROR_INIT);
    fail_unless(words && strstr(words, "no such device in the script") != NULL);
    g_free(words);
    fail_unless(rig_pop(rig, GST_MESSAGE_WARNING) == NULL);
    g_object_get(rig->element, "actual-engine", &engine, NULL);
    assert_string(engine, "cpu");
    rig_free(rig);
}
GST_END_TEST;

/* A bad file must not make the element try the other engine. */
SUITE_TEST(test_auto_and_bad_model)
{
    gchar *path = rig_model("nonsense");

    expect_start_error(rig_element("engine", "auto", "model", path, NULL),
                       GST_STREAM_ERROR, GST_STREAM_ERROR_WRONG_TYPE);
    g_free(path);
}
GST_END_TEST;

SUITE_TEST(test_memory)
{
    scripted_fail("rvos_model_load", RVOS_ERR_MEMORY);
    expect_start_error(rig_element(NULL, NULL), GST_RESOURCE_ERROR,
                       GST_RESOURCE_ERROR_NO_SPACE_LEFT);
    scripted_fail("rvos_device_open", RVOS_ERR_MEMORY);
    expect_start_error(rig_element(NULL, NULL), GST_RESOURCE_ERROR,
                       GST_RESOURCE_ERROR_NO_SPACE_LEFT);
    scripted_fail("rvos_stream_open", RVOS_ERR_MEMORY);
    expect_start_error(rig_element(NULL, NULL), GST_RESOURCE_ERROR,
                       GST_RESOURCE_ERROR_NO_SPACE_LEFT);
    scripted_fail("rvos_stream_warm_up", RVOS_ERR_DEVICE);
    expect_start_error(rig_element(NULL, NULL), GST_LIBRARY_ERROR,
                       GST_LIBRARY_ERROR_INIT);
}
GST_END_TEST;

SUITE_TEST(test_memory_for_the_frame)
{
    Rig *rig = rig_new(rig_element(NULL, NULL));

    scripted_fail("rvos_stream_prepare", RVOS_ERR_MEMORY);
    rig_set_caps(rig, "RGB", 100, 100, "framerate=30/1");
    rig_expect_error(rig->bus, GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_NO_SPACE_LEFT);
    rig_free(rig);
}
GST_END_TEST;

static void expect_run_error(const gchar *function, int status, GQuark domain, gint code)
{
    Rig *rig = rig_new(rig_element("mode", "one-shot", "min-age", "0", NULL));

    scripted_fail(function, status);
    fail_unless(rig_set_mask(rig, GST_CLOCK_TIME_NONE, FALSE, BOXES(BOX(1))));
    fail_unless_equals_int(gst_harness_push(rig->h, rig_frame(rig, 0, BOXES(BOX(1)))),
                           GST_FLOW_ERROR);
    rig_expect_error(rig->bus, domain, code);
    rig_free(rig);
}

SUITE_TEST(test_while_running)
{
    expect_run_error("rvos_stream_process", RVOS_ERR_DEVICE, GST_LIBRARY_ERROR,
                     GST_LIBRARY_ERROR_FAILED);
    expect_run_error("rvos_stream_process", RVOS_ERR_MEMORY, GST_RESOURCE_ERROR,
                     GST_RESOURCE_ERROR_NO_SPACE_LEFT);
    expect_run_error("rvos_stream_seed", RVOS_ERR_DEVICE, GST_LIBRARY_ERROR,
                     GST_LIBRARY_ERROR_FAILED);
    expect_run_error("rvos_draw", RVOS_ERR_DEVICE, GST_LIBRARY_ERROR,
                     GST_LIBRARY_ERROR_FAILED);
}
GST_END_TEST;

static void expect_mask_error(const gchar *location, GQuark domain, gint code)
{
    expect_start_error(
        rig_element("mode", "one-shot", "init-mask-location", location, NULL), domain,
        code);
}

SUITE_TEST(test_mask_locations)
{
    const gchar *folder = g_getenv("RVOSSEG_TEST_DIR");
    gchar *text = g_build_filename(folder, "mask.txt", NULL);
    gchar *empty = g_build_filename(folder, "empty", NULL);
    gchar *pattern = g_build_filename(folder, "none-%05d.png", NULL);

    fail_unless(g_file_set_contents(text, "not a picture", -1, NULL));
    g_mkdir(empty, 0700);
    expect_mask_error("/no/such/mask.png", GST_RESOURCE_ERROR,
                      GST_RESOURCE_ERROR_NOT_FOUND);
    expect_mask_error(pattern, GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_NOT_FOUND);
    expect_mask_error(empty, GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_NOT_FOUND);
    expect_mask_error(text, GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_SETTINGS);
    expect_mask_error("/tmp/%d-%d.png", GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_SETTINGS);
    expect_mask_error("/tmp/%s.png", GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_SETTINGS);
    expect_mask_error("/tmp/%n.png", GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_SETTINGS);
    expect_mask_error("/tmp/%d/a.png", GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_SETTINGS);
    expect_mask_error("/tmp/100%.png", GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_SETTINGS);
    expect_mask_error("/tmp/%", GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_SETTINGS);
    expect_mask_error("/tmp/%99999999999d.png", GST_RESOURCE_ERROR,
                      GST_RESOURCE_ERROR_SETTINGS);
    g_free(text);
    g_free(empty);
    g_free(pattern);
}
GST_END_TEST;

SUITE_MAIN("errors", 0, scripted_clear, NULL)
