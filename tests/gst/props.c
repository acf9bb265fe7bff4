/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Tests properties: when they can be set, which are controllable, and their effect. */
#include "rig.h"

#include <gst/controller/controller.h>

#define READY GST_PARAM_MUTABLE_READY
#define PLAYING GST_PARAM_MUTABLE_PLAYING
#define CONTROL (GST_PARAM_MUTABLE_PLAYING | GST_PARAM_CONTROLLABLE)

static const struct {
    const gchar *name;
    guint flags;
} properties[] = {
    {"mode", READY},
    {"variant", READY},
    {"discovery-interval", READY},
    {"detector-seeds", PLAYING},
    {"model", READY},
    {"engine", READY},
    {"actual-engine", 0},
    {"precision", READY},
    {"cuda-device-id", READY | GST_PARAM_CONDITIONALLY_AVAILABLE},
    {"n-threads", READY},
    {"share-model", READY},
    {"max-batch", READY},
    {"batch-timeout", READY},
    {"objects", READY},
    {"network-width", READY},
    {"network-height", READY},
    {"enabled", CONTROL},
    {"output", PLAYING},
    {"overlay-alpha", CONTROL},
    {"overlay-text", PLAYING | GST_PARAM_CONDITIONALLY_AVAILABLE},
    {"contour-width", PLAYING},
    {"palette", PLAYING},
    {"threshold", CONTROL},
    {"min-object-size", PLAYING},
    {"min-age", PLAYING},
    {"lost-frames", PLAYING},
    {"init-mask-location", READY},
    {"late-policy", PLAYING},
    {"inference-interval", PLAYING},
    {"max-inference-rate", PLAYING},
    {"max-gap", PLAYING},
    {"scene-cut", PLAYING},
    {"latency", PLAYING},
    {"attach-meta", PLAYING},
    {"post-messages", PLAYING},
    {"stats", 0},
};

SUITE_TEST(test_flags)
{
    GstElement *element = rig_element(NULL, NULL);
    GObjectClass *klass = G_OBJECT_GET_CLASS(element);
    guint mask = READY | PLAYING | GST_PARAM_MUTABLE_PAUSED | GST_PARAM_CONTROLLABLE |
                 GST_PARAM_CONDITIONALLY_AVAILABLE;
    GParamSpec **all;
    guint n, own = 0;

    for (guint i = 0; i < G_N_ELEMENTS(properties); i++) {
        GParamSpec *spec = g_object_class_find_property(klass, properties[i].name);
        const gchar *blurb = g_param_spec_get_blurb(spec);

        fail_unless(spec != NULL, "no %s", properties[i].name);
        fail_unless_equals_int(spec->flags & mask, properties[i].flags);
        fail_unless_equals_int(!!(spec->flags & G_PARAM_WRITABLE),
                               properties[i].flags != 0);
        fail_unless(g_str_has_suffix(blurb, "."), "%s is no sentence", spec->name);
    }
    all = g_object_class_list_properties(klass, &n);
    for (guint i = 0; i < n; i++)
        own += all[i]->owner_type == G_OBJECT_TYPE(element);
    fail_unless_equals_int(own, G_N_ELEMENTS(properties));
    g_free(all);
    gst_object_unref(element);
}
GST_END_TEST;

/* Every writable property takes a value and gives it back. */
SUITE_TEST(test_values)
{
    static const gchar *const values[][2] = {
        {"mode", "one-shot"},
        {"variant", "temporal"},
        {"discovery-interval", "12"},
        {"detector-seeds", "boxes"},
        {"model", "/a/b"},
        {"engine", "reference"},
        {"precision", "bf16"},
        {"cuda-device-id", "2"},
        {"n-threads", "7"},
        {"share-model", "false"},
        {"max-batch", "3"},
        {"batch-timeout", "5"},
        {"objects", "9"},
        {"network-width", "320"},
        {"network-height", "200"},
        {"enabled", "false"},
        {"output", "mask"},
        {"overlay-alpha", "0.25"},
        {"contour-width", "5"},
        {"palette", "#010203"},
        {"threshold", "0.75"},
        {"min-object-size", "11"},
        {"min-age", "4"},
        {"lost-frames", "6"},
        {"init-mask-location", "/c/d.png"},
        {"late-policy", "process"},
        {"inference-interval", "3"},
        {"max-inference-rate", "7/2"},
        {"max-gap", "12345"},
        {"scene-cut", "detect+key-unit"},
        {"latency", "77"},
        {"attach-meta", "roi"},
        {"post-messages", "all"},
    };
    GstElement *element = gst_element_factory_make("rvosseg", NULL);

    for (guint i = 0; i < G_N_ELEMENTS(values); i++) {
        GValue value = G_VALUE_INIT, wanted = G_VALUE_INIT;
        GParamSpec *spec =
            g_object_class_find_property(G_OBJECT_GET_CLASS(element), values[i][0]);

        gst_util_set_object_arg(G_OBJECT(element), values[i][0], values[i][1]);
        g_object_get_property(G_OBJECT(element), values[i][0], &value);
        g_value_init(&wanted, spec->value_type);
        fail_unless(gst_value_deserialize(&wanted, values[i][1]));
        fail_unless_equals_int(gst_value_compare(&value, &wanted), GST_VALUE_EQUAL);
        fail_if(g_param_value_defaults(spec, &value), "%s: the default proves nothing",
                spec->name);
        g_value_unset(&value);
        g_value_unset(&wanted);
    }
    gst_object_unref(element);
}
GST_END_TEST;

SUITE_TEST(test_defaults)
{
    GstElement *element = gst_element_factory_make("rvosseg", NULL);
    GObjectClass *klass = G_OBJECT_GET_CLASS(element);

    for (guint i = 0; i < G_N_ELEMENTS(properties); i++) {
        GParamSpec *spec = g_object_class_find_property(klass, properties[i].name);
        GValue value = G_VALUE_INIT;

        if (g_str_equal(spec->name, "stats"))
            continue;
        g_object_get_property(G_OBJECT(element), spec->name, &value);
        fail_unless(g_param_value_defaults(spec, &value), "%s", spec->name);
        g_value_unset(&value);
    }
    gst_object_unref(element);
}
GST_END_TEST;

/* Refused while running, with a warning; the value stays. */
SUITE_TEST(test_too_late)
{
    Rig *rig = rig_new(rig_element("objects", "7", NULL));
    GObjectClass *klass = G_OBJECT_GET_CLASS(rig->element);

    for (guint i = 0; i < G_N_ELEMENTS(properties); i++) {
        GParamSpec *spec = g_object_class_find_property(klass, properties[i].name);
        GValue before = G_VALUE_INIT, after = G_VALUE_INIT;
        gchar *words;

        if (!(properties[i].flags & READY))
            continue;
        g_object_get_property(G_OBJECT(rig->element), spec->name, &before);
        if (spec->value_type == G_TYPE_STRING)
            g_object_set(rig->element, spec->name, "/x", NULL);
        else if (spec->value_type == G_TYPE_BOOLEAN)
            g_object_set(rig->element, spec->name, FALSE, NULL);
        else
            g_object_set(rig->element, spec->name, 1, NULL);
        g_object_get_property(G_OBJECT(rig->element), spec->name, &after);
        fail_unless(
            gst_value_compare(&before, &after) == GST_VALUE_EQUAL ||
                (spec->value_type == G_TYPE_STRING &&
                 g_strcmp0(g_value_get_string(&before), g_value_get_string(&after)) == 0),
            "%s changed", spec->name);
        words = rig_words(rig->bus, GST_MESSAGE_WARNING, GST_RESOURCE_ERROR,
                          GST_RESOURCE_ERROR_SETTINGS);
        fail_unless(words != NULL, "no warning for %s", spec->name);
        g_free(words);
        g_value_unset(&before);
        g_value_unset(&after);
    }
    gst_element_set_state(rig->element, GST_STATE_READY);
    g_object_set(rig->element, "objects", 3, NULL);
    {
        guint objects;

        g_object_get(rig->element, "objects", &objects, NULL);
        fail_unless_equals_int(objects, 3);
    }
    rig_free(rig);
}
GST_END_TEST;

SUITE_TEST(test_bad_palette_while_running)
{
    Rig *rig = rig_new(rig_element("palette", "#0a0b0c", NULL));
    gchar *palette;
    GstMessage *message;

    g_object_set(rig->element, "palette", "nonsense", NULL);
    message = rig_pop(rig, GST_MESSAGE_WARNING);
    fail_unless(message != NULL);
    gst_message_unref(message);
    g_object_get(rig->element, "palette", &palette, NULL);
    assert_string(palette, "#0a0b0c");
    rig_free(rig);
}
GST_END_TEST;

/* A controller moves them from frame to frame. */
SUITE_TEST(test_controller)
{
    Rig *rig = rig_new(rig_element("min-age", "0", NULL));
    static const gchar *const names[] = {"overlay-alpha", "threshold", "enabled"};

    for (guint i = 0; i < G_N_ELEMENTS(names); i++) {
        GstControlSource *source = gst_interpolation_control_source_new();

        g_object_set(source, "mode", GST_INTERPOLATION_MODE_NONE, NULL);
        gst_timed_value_control_source_set(GST_TIMED_VALUE_CONTROL_SOURCE(source), 0, 1);
        gst_timed_value_control_source_set(GST_TIMED_VALUE_CONTROL_SOURCE(source),
                                           2 * RIG_FRAME, i == 2 ? 0 : 0.125);
        fail_unless(gst_object_add_control_binding(
            GST_OBJECT(rig->element),
            gst_direct_control_binding_new(GST_OBJECT(rig->element), names[i], source)));
        gst_object_unref(source);
    }
    rig_run(rig, 0, 1, BOXES(BOX(1)));
    fail_unless_equals_float(scripted_get().draw.opacity, 1);
    fail_unless_equals_float(scripted_get().output.threshold, 1);
    rig_run(rig, 3, 4, BOXES(BOX(1)));
    fail_unless_equals_int(scripted_get().runs, 1); /* disabled */
    gst_object_set_control_binding_disabled(GST_OBJECT(rig->element), "enabled", TRUE);
    g_object_set(rig->element, "enabled", TRUE, NULL);
    rig_run(rig, 4, 5, BOXES(BOX(1)));
    fail_unless_equals_float(scripted_get().draw.opacity, 0.125);
    fail_unless_equals_float(scripted_get().output.threshold, 0.125);
    rig_free(rig);
}
GST_END_TEST;

SUITE_TEST(test_drawing)
{
    Rig *rig = rig_new(rig_element("min-age", "0", "overlay-alpha", "0.25",
                                   "contour-width", "7", "palette", "#ff0102", NULL));

    rig_run(rig, 0, 1, BOXES(BOX(1)));
    fail_unless_equals_float(scripted_get().draw.opacity, 0.25);
    fail_unless_equals_int(scripted_get().draw.contour, 7);
    fail_unless_equals_int(scripted_get().palette.rgb[32][2], 2);
    gst_util_set_object_arg(G_OBJECT(rig->element), "output", "mask");
    rig_run(rig, 1, 2, NOTHING);
    fail_unless(scripted_get().draw.replace);
    g_object_set(rig->element, "threshold", 0.0, NULL);
    rig_run(rig, 2, 3, NOTHING);
    fail_unless(scripted_get().output.threshold > 0);
    fail_unless(scripted_get().output.threshold < 1e-6);
    rig_free(rig);
}
GST_END_TEST;

SUITE_TEST(test_variant)
{
    static const struct {
        const gchar *name;
        rvos_variant variant;
    } all[] = {{"spatio-temporal", RVOS_VARIANT_SPATIO_TEMPORAL},
               {"spatial", RVOS_VARIANT_SPATIAL},
               {"temporal", RVOS_VARIANT_TEMPORAL}};

    for (guint i = 0; i < G_N_ELEMENTS(all); i++) {
        Rig *rig = rig_new(rig_element("variant", all[i].name, NULL));

        fail_unless_equals_int(scripted_get().stream.variant, all[i].variant);
        rig_free(rig);
    }
}
GST_END_TEST;

SUITE_TEST(test_paths_and_engine_can_be_read)
{
    gchar *path = rig_model("zero-shot"), *got;
    GstElement *element = rig_element("model", "", NULL);

    g_setenv("RVOS_MODEL", path, TRUE);
    g_object_set(element, "model", NULL, NULL);
    gst_element_set_state(element, GST_STATE_PAUSED);
    g_object_get(element, "model", &got, NULL);
    assert_string(got, path);
    g_object_get(element, "actual-engine", &got, NULL);
    assert_string(got, "cpu");
    gst_element_set_state(element, GST_STATE_NULL);
    g_object_get(element, "model", &got, NULL);
    fail_unless(got == NULL);
    g_object_get(element, "actual-engine", &got, NULL);
    fail_unless(got == NULL);
    g_unsetenv("RVOS_MODEL");
    gst_object_unref(element);
    g_free(path);
}
GST_END_TEST;

SUITE_MAIN("props", 0, scripted_clear, NULL)
