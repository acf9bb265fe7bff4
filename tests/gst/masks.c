/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Tests users' masks: the meaning of their values, their rows in buffers, and the
 * messages about unusable ones. */
#include "maskfile.h"
#include "rig.h"

#include <string.h>

/* ---- what values mean ------------------------------------------------------------- */

/* The slots that a file of these values seeds; 0: the start fails with `words` and the
 * file's name. */
static guint32 seeds_of(const gchar *values, guint n, const gchar *words)
{
    gchar *dir = folder("masks-values");
    gchar *path = write_values(dir, "m.pgm", values, n);
    GstElement *element =
        rig_element("mode", "one-shot", "init-mask-location", path, NULL);
    guint32 seeded = 0;

    scripted_clear();
    if (!words) {
        Rig *rig = rig_new(element);

        rig_run(rig, 0, 1, NOTHING);
        seeded = scripted_get().seeded;
        rig_free(rig);
    } else {
        gchar *got = rig_refused(element, 0, 0);

        fail_unless(strstr(got, path) && strstr(got, words), "%s", got);
        g_free(got);
    }
    g_free(path);
    g_free(dir);
    return seeded;
}

SUITE_TEST(test_values)
{
    fail_unless_equals_int(seeds_of("\0\377\377\0", 4, NULL), 1);
    fail_unless_equals_int(seeds_of("\0\200\200\0", 4, NULL), 1);
    fail_unless_equals_int(seeds_of("\0\3\3\0", 4, NULL), 4);
    fail_unless_equals_int(seeds_of("\0\1\2\377", 4, NULL), 3);
    fail_unless_equals_int(seeds_of("\0\0\177\377\377\377\200\0", 8, NULL), 1); /* soft */
    seeds_of("\0\0\0\0", 4, "shows no object");
    seeds_of("\377\377\377\377", 4, "shows no object");
    seeds_of("\0\1\200\0", 4, "the values 0, 1 and 128");
    seeds_of("\0\36\36\0", 4, "objects=30"); /* there are five slots */
}
GST_END_TEST;

/* With a folder, in the middle of a stream. */
SUITE_TEST(test_values_in_a_folder)
{
    gchar *dir = folder("masks-folder");
    gchar *a = write_values(dir, "1.pgm", "\0\377\377\0", 4);
    gchar *b = write_values(dir, "2.pgm", "\0\0\0\0", 4);
    gchar *c = write_values(dir, "3.pgm", "\0\36\36\0", 4);
    Rig *rig = rig_one_shot(dir);

    rig_run(rig, 0, 3, NOTHING);
    fail_unless_equals_int(scripted_get().seeds, 1);
    fail_unless_equals_int(scripted_get().seeded, 1);
    fail_unless_equals_int(gst_harness_push(rig->h, rig_frame(rig, 3, NOTHING)),
                           GST_FLOW_ERROR);
    rig_expect_error(rig->bus, GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_SETTINGS);
    rig_free(rig);
    g_free(a);
    g_free(b);
    g_free(c);
    g_free(dir);
}
GST_END_TEST;

/* ---- set-mask --------------------------------------------------------------------- */

/* A buffer of `size` bytes as a mask of width x height; `value` fills the middle row from
 * where it is if rows have `stride` bytes. */
static GstBuffer *bytes(gsize size, gsize stride, guint height, guint8 value)
{
    guint8 *data = g_malloc0(size);

    if (value && (height / 2 + 1) * stride <= size)
        memset(data + height / 2 * stride + 1, value, stride / 2);
    return gst_buffer_new_wrapped(data, size);
}

static gboolean give(Rig *rig, GstBuffer *buffer, gint width, gint height,
                     gboolean replace)
{
    GstCaps *caps = gst_caps_new_simple(
        "video/x-raw", "format", G_TYPE_STRING, "GRAY8", "width", G_TYPE_INT, width,
        "height", G_TYPE_INT, height, "framerate", GST_TYPE_FRACTION, 0, 1, NULL);
    GstStructure *info =
        gst_structure_new("info", "replace", G_TYPE_BOOLEAN, replace, NULL);
    GstSample *sample = gst_sample_new(buffer, caps, NULL, info);
    gboolean good;

    g_signal_emit_by_name(rig->element, "set-mask", sample, &good);
    gst_sample_unref(sample);
    gst_caps_unref(caps);
    gst_buffer_unref(buffer);
    return good;
}

SUITE_TEST(test_rows)
{
    Rig *rig = rig_one_shot(NULL);

    for (gint width = 51; width <= 54; width++) {
        gsize padded = ((gsize)width + 3) & ~(gsize)3;

        scripted_clear();
        fail_unless(
            give(rig, bytes((gsize)width * 40, (gsize)width, 40, 1), width, 40, FALSE));
        rig_run(rig, 0, 1, NOTHING);
        fail_unless_equals_int(scripted_get().seeded, 1);
        fail_unless_equals_int(scripted_get().seed_width, width);
        fail_unless(give(rig, bytes(padded * 40, padded, 40, 2), width, 40, FALSE));
        rig_run(rig, 0, 1, NOTHING);
        fail_unless_equals_int(scripted_get().seeded, 2);
        gst_bus_set_flushing(rig->bus, TRUE);
        gst_bus_set_flushing(rig->bus, FALSE);
        fail_if(give(rig, bytes((gsize)width * 40 - 1, (gsize)width, 40, 1), width, 40,
                     FALSE));
        rig_expect_warning(rig, width == 54 ? "2160 (rows" : "a mask of");
    }
    rig_free(rig);
}
GST_END_TEST;

/* The buffer's metadata overrides its size, but must stay within its memory. */
SUITE_TEST(test_meta_of_the_buffer)
{
    Rig *rig = rig_one_shot(NULL);
    gsize offset[GST_VIDEO_MAX_PLANES] = {10};
    gint stride[GST_VIDEO_MAX_PLANES] = {100};
    GstVideoCropMeta *crop;
    GstBuffer *buffer;

    for (guint bad = 0; bad < 3; bad++) {
        stride[0] = bad == 2 ? 30 : 100;
        buffer = bytes(bad == 1 ? 10 + 100 * 39 + 39 : 10 + 100 * 39 + 40, 100, 40, 1);
        gst_buffer_add_video_meta_full(buffer, GST_VIDEO_FRAME_FLAG_NONE,
                                       GST_VIDEO_FORMAT_GRAY8, 40, 40, 1, offset, stride);
        fail_unless_equals_int(give(rig, buffer, 40, 40, FALSE), bad == 0);
        rig_expect_warning(rig, bad ? "GstVideoMeta" : NULL);
    }
    rig_run(rig, 0, 1, NOTHING);
    fail_unless_equals_int(scripted_get().seeds, 1);
    gst_bus_set_flushing(rig->bus, TRUE);
    gst_bus_set_flushing(rig->bus, FALSE);
    stride[0] = 100;
    for (guint bad = 0; bad < 2; bad++) {
        buffer = bytes(10 + 100 * 40, 100, 40, 1);
        gst_buffer_add_video_meta_full(buffer, GST_VIDEO_FRAME_FLAG_NONE,
                                       GST_VIDEO_FORMAT_GRAY8, 90, 40, 1, offset, stride);
        crop = gst_buffer_add_video_crop_meta(buffer);
        *crop = (GstVideoCropMeta){.meta = crop->meta, .x = 2, .y = 2, .height = 30};
        crop->width = bad ? 89 : 33;
        fail_unless_equals_int(give(rig, buffer, 33, 30, FALSE), bad == 0);
    }
    rig_run(rig, 1, 2, NOTHING);
    fail_unless_equals_int(scripted_get().seed_width, 33);
    rig_free(rig);
}
GST_END_TEST;

SUITE_TEST(test_refused_signals)
{
    Rig *rig = rig_one_shot(NULL);

    fail_if(give(rig, bytes(1600, 40, 40, 0), 40, 40, FALSE));
    rig_expect_warning(rig, "shows no object");
    fail_unless(give(rig, bytes(1600, 40, 40, 0), 40, 40, TRUE)); /* forgets all */
    fail_if(give(rig, bytes(1600, 40, 40, 30), 40, 40, FALSE));
    rig_expect_warning(rig, "there are 5 slots");
    fail_unless(give(rig, bytes(1600, 40, 40, 255), 40, 40, FALSE));
    rig_run(rig, 0, 1, NOTHING);
    fail_unless_equals_int(scripted_get().seeded, 1);
    rig_free(rig);
}
GST_END_TEST;

/* A request of one mode does not fail in another. */
SUITE_TEST(test_mode_changed_since)
{
    GstElement *element = rig_element("mode", "one-shot", NULL);
    Rig rig = {.element = element, .bus = gst_bus_new()}, *whole;
    gboolean good;

    gst_element_set_bus(element, rig.bus);
    fail_unless(give(&rig, bytes(1600, 40, 40, 1), 40, 40, FALSE));
    g_signal_emit_by_name(element, "drop-object", 2u, &good);
    fail_unless(good);
    g_object_set(element, "mode", 0, "init-mask-location", "/nowhere/%d.png", NULL);
    fail_if(give(&rig, bytes(1600, 40, 40, 1), 40, 40, FALSE));
    rig_expect_warning(&rig, "zero-shot");
    gst_element_set_bus(element, NULL);
    gst_object_unref(rig.bus);
    whole = rig_new(element);
    rig_expect_warning(whole, "1 masks of set-mask are dropped");
    rig_expect_warning(whole, "init-mask-location is not used");
    rig_run(whole, 0, 2, BOXES(BOX(1)));
    fail_unless_equals_int(scripted_get().seeds, 0);
    fail_unless_equals_int(scripted_get().runs, 2);
    rig_free(whole);
}
GST_END_TEST;

/* Fewer slots than when the mask was given. */
SUITE_TEST(test_objects_lowered_since)
{
    GstElement *element = rig_element("mode", "one-shot", NULL);
    Rig rig = {.element = element}, *whole;

    fail_unless(give(&rig, bytes(1600, 40, 40, 4), 40, 40, FALSE));
    g_object_set(element, "objects", 2, NULL);
    whole = rig_new(element);
    rig_run(whole, 0, 1, NOTHING);
    rig_expect_warning(whole, "there are 2 slots");
    fail_unless_equals_int(scripted_get().seeds, 0);
    rig_free(whole);
}
GST_END_TEST;

/* The mask in a frame's metadata has a layout of its own. */
SUITE_TEST(test_mask_in_metadata)
{
    Rig *rig = rig_one_shot(NULL);

    for (guint bad = 0; bad < 2; bad++) {
        GstBuffer *frame = rig_frame(rig, bad, NOTHING);
        GstBuffer *mask = bytes(51 * 40 - bad, 51, 40, (guint8)(2 - bad));
        GstStructure *s = gst_custom_meta_get_structure(
            gst_buffer_add_custom_meta(frame, "GstRvosSegMeta"));

        gst_structure_set(s, "mask", GST_TYPE_BUFFER, mask, "width", G_TYPE_UINT, 51,
                          "height", G_TYPE_UINT, 40, NULL);
        gst_buffer_unref(mask);
        fail_unless_equals_int(gst_harness_push(rig->h, frame), GST_FLOW_OK);
        fail_unless_equals_int(scripted_get().seeds, 1);
        fail_unless_equals_int(scripted_get().seeded, 2);
    }
    rig_free(rig);
}
GST_END_TEST;

SUITE_MAIN("masks", 0, scripted_clear, NULL)
