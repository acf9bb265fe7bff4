/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* overlay-text: labels and ids on the picture. The colours in all formats are checked in
 * pixels.c, with the real engine. */
#include "rig.h"

#include <string.h>

#define PLATE 128 /* red of slot 1's colour */

#ifdef HAVE_TEXT

static Rig *playing(const gchar *text, const gchar *output)
{
    return rig_new(rig_element("mode", "auto", "detector-seeds", "boxes", "objects", "2",
                               "min-age", "0", "contour-width", "0", "overlay-text", text,
                               "output", output, NULL));
}

/* The frame with one object, and a detection at its box if it has a label. */
static GstBuffer *show(Rig *rig, guint n, RigBox box, const gchar *label)
{
    GstBuffer *buffer = rig_frame(rig, n, (const RigBox[]){box, {0}});

    if (label)
        gst_buffer_add_video_region_of_interest_meta(buffer, label, box.x, box.y,
                                                     box.width, box.height);
    fail_unless_equals_int(gst_harness_push(rig->h, buffer), GST_FLOW_OK);
    return gst_harness_pull(rig->h);
}

/* The rectangle in which two frames differ. */
static GstVideoRectangle difference(Rig *rig, GstBuffer *a, GstBuffer *b)
{
    gint left = G_MAXINT, top = G_MAXINT, right = -1, bottom = -1;

    for (gint y = 0; y < rig->info.height; y++)
        for (gint x = 0; x < rig->info.width; x++) {
            if (rig_byte(rig, a, (guint)x, (guint)y) ==
                rig_byte(rig, b, (guint)x, (guint)y))
                continue;
            left = MIN(left, x);
            right = MAX(right, x);
            top = MIN(top, y);
            bottom = MAX(bottom, y);
        }
    if (right < 0)
        return (GstVideoRectangle){0};
    return (GstVideoRectangle){left, top, right - left + 1, bottom - top + 1};
}

/* What overlay-text changes of the last of three frames (a new object has its label from
 * the second one on), in whatever output. */
static GstVideoRectangle written(const gchar *text, const gchar *output, RigBox box,
                                 const gchar *label)
{
    GstVideoRectangle where;
    GstBuffer *frame[2];

    for (guint i = 0; i < 2; i++) {
        Rig *rig = playing(i ? text : "0", output);

        gst_buffer_unref(show(rig, 0, box, label));
        gst_buffer_unref(show(rig, 1, box, label));
        frame[i] = show(rig, 2, box, label);
        if (i == 1)
            where = difference(rig, frame[0], frame[1]);
        rig_free(rig);
    }
    gst_buffer_unref(frame[0]);
    gst_buffer_unref(frame[1]);
    return where;
}

/* Above the box, at its left edge. */
SUITE_TEST(test_label)
{
    const RigBox box = {1, 8, 30, 20, 12};
    GstVideoRectangle where = written("label", "overlay", box, "car");

    fail_unless_equals_int(where.x, 8);
    fail_unless_equals_int(where.y + where.h, 30);
    fail_unless(where.w > 16 && where.w < 48 && where.h >= 12 && where.h <= 24, "%dx%d",
                where.w, where.h);
    where = written("label", "overlay", box, "automobile");
    fail_unless(where.x == 0 || where.w > 48, "%d at %d", where.w, where.x);
}
GST_END_TEST;

/* The plate's colour, and letters on it. */
SUITE_TEST(test_letters)
{
    Rig *rig = playing("label", "overlay");
    const RigBox box = {1, 8, 30, 20, 12};
    guint plate = 0, white = 0;
    GstBuffer *out;

    gst_buffer_unref(show(rig, 0, box, "car"));
    out = show(rig, 1, box, "car");
    for (guint y = 16; y < 28; y++)
        for (guint x = 10; x < 26; x++) {
            plate += rig_byte(rig, out, x, y) == PLATE;
            white += rig_byte(rig, out, x, y) > 220;
        }
    fail_unless(plate > 30 && white > 10, "%u and %u of 192", plate, white);
    gst_buffer_unref(out);
    rig_free(rig);
}
GST_END_TEST;

SUITE_TEST(test_words)
{
    const RigBox box = {1, 2, 30, 20, 12};
    GstVideoRectangle id = written("id", "overlay", box, NULL);
    GstVideoRectangle label = written("label", "overlay", box, "ox");

    fail_unless_equals_int(written("label", "overlay", box, NULL).w, 0);
    fail_unless(id.w > 0);
    fail_unless_equals_int(written("id", "overlay", box, "ox").w, id.w);
    fail_unless_equals_int(written("label+id", "overlay", box, NULL).w, id.w);
    fail_unless(written("label+id", "overlay", box, "ox").w > MAX(label.w, id.w));
}
GST_END_TEST;

/* Not above the frame's edge, nor beyond its sides. */
SUITE_TEST(test_edges)
{
    GstVideoRectangle where = written("label", "overlay", (RigBox){1, 2, 4, 9, 9}, "car");

    fail_unless_equals_int(where.x, 2);
    fail_unless_equals_int(where.y, 4);
    where = written("label", "overlay", (RigBox){1, 55, 30, 9, 9}, "car");
    fail_unless_equals_int(where.x + where.w, RIG_WIDTH);
    where = written("label", "overlay", (RigBox){1, 8, 0, 20, 4}, "car");
    fail_unless_equals_int(where.y, 0);
}
GST_END_TEST;

/* The part of a tag that does not fit is cut off, odd sizes too. */
SUITE_TEST(test_small_frame)
{
    Rig *rig = playing("label+id", "overlay");

    rig_set_caps(rig, "RGB", 15, 9, "framerate=30/1");
    for (guint n = 0; n < 3; n++)
        gst_buffer_unref(show(rig, n, (RigBox){1, 3, 3, 6, 5}, "a very long name"));
    fail_unless(scripted_get().draws > 3);
    rig_free(rig);
}
GST_END_TEST;

SUITE_TEST(test_overlay_only)
{
    const RigBox box = {1, 8, 30, 20, 12};

    fail_unless_equals_int(written("label+id", "mask", box, "car").w, 0);
    fail_unless_equals_int(written("label+id", "none", box, "car").w, 0);
}
GST_END_TEST;

/* While it plays: on, another name, a name that is no UTF-8, off. */
SUITE_TEST(test_changes)
{
    Rig *rig = playing("0", "overlay");
    const RigBox box = {1, 8, 30, 20, 12};
    const gchar *const label[] = {"car", "car", "car", "dog", "\xff\xfe", "car"};
    GstBuffer *out[6];

    for (guint n = 0; n < 6; n++) {
        gst_util_set_object_arg(G_OBJECT(rig->element), "overlay-text",
                                n < 2 || n == 5 ? "0" : "label");
        out[n] = show(rig, n, box, label[n]);
    }
    fail_unless_equals_int(difference(rig, out[0], out[1]).w, 0);
    fail_unless(difference(rig, out[1], out[2]).w > 0);
    fail_unless(difference(rig, out[2], out[3]).w > 0);
    fail_unless(difference(rig, out[3], out[4]).w > 0);
    fail_unless_equals_int(difference(rig, out[1], out[5]).w, 0);
    for (guint n = 0; n < 6; n++)
        gst_buffer_unref(out[n]);
    rig_free(rig);
}
GST_END_TEST;

#else

/* One warning that says why, and frames flow on. */
SUITE_TEST(test_not_built)
{
    Rig *rig = rig_new(rig_element("overlay-text", "id", "min-age", "0", NULL));
    gchar *words;

    rig_run(rig, 0, 3, BOXES(BOX(1)));
    words = rig_words(rig->bus, GST_MESSAGE_WARNING, GST_RESOURCE_ERROR,
                      GST_RESOURCE_ERROR_SETTINGS);
    fail_unless(words && strstr(words, "Pango") != NULL, "%s", words);
    g_free(words);
    fail_unless(rig_pop(rig, GST_MESSAGE_WARNING) == NULL);
    rig_free(rig);
}
GST_END_TEST;

#endif

SUITE_MAIN("text", 0, scripted_clear, NULL)
