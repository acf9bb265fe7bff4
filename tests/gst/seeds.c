/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Tests initial masks of one-shot mode: files, signal, metadata, and their priority. */
#include "maskfile.h"
#include "rig.h"

#include <string.h>

static guint warnings(Rig *rig)
{
    GstMessage *message;
    guint n = 0;

    for (; (message = rig_pop(rig, GST_MESSAGE_WARNING)) != NULL; n++)
        gst_message_unref(message);
    return n;
}

SUITE_TEST(test_kinds_of_files)
{
    gchar *dir = folder("seeds-kinds");
    static const struct {
        const gchar *name;
        int type, depth;
    } kinds[] = {{"p8.png", PALETTE, 8}, {"p4.png", PALETTE, 4}, {"p2.png", PALETTE, 2},
                 {"g8.png", GRAY, 8},    {"g2.png", GRAY, 2},    {"m.pgm", 0, 0}};

    for (guint i = 0; i < G_N_ELEMENTS(kinds); i++) {
        gchar *path = g_build_filename(dir, kinds[i].name, NULL);
        Rig *rig;

        if (kinds[i].type == 0 && kinds[i].depth == 0)
            write_pgm(path, BOXES(BOX(2)));
        else
            write_png(path, kinds[i].type, kinds[i].depth, RIG_WIDTH, RIG_HEIGHT,
                      BOXES(BOX(2)));
        rig = rig_one_shot(path);
        rig_run(rig, 0, 3, BOXES(BOX(2)));
        fail_unless_equals_int(scripted_get().seeded, 1 << 1);
        fail_unless_equals_int(scripted_get().seeds, 1);
        fail_unless_equals_int(scripted_get().runs, 3);
        assert_string(rig_objects(rig), "appeared:2"); /* at once */
        rig_free(rig);
        scripted_clear();
        g_free(path);
    }
    g_free(dir);
}
GST_END_TEST;

/* Wrong files are refused at the start, with a helpful message. */
SUITE_TEST(test_refused_files)
{
    gchar *dir = folder("seeds-refused");
    gchar *path[4];

    for (guint i = 0; i < 4; i++)
        path[i] = g_strdup_printf("%s/%u.png", dir, i);
    write_png(path[0], RGB, 8, 20, 20, BOXES({1, 0, 0, 5, 5}, {2, 9, 0, 5, 5}));
    write_png(path[1], GRAY, 16, 20, 20, NOTHING);
    write_png(path[2], PALETTE, 8, RIG_WIDTH, RIG_HEIGHT, BOXES(BOX(1)));
    fail_unless(g_file_set_contents(path[3], "P5\n10 10\n255\nshort", -1, NULL));
    {
        gchar *bytes;
        gsize size;

        fail_unless(g_file_get_contents(path[2], &bytes, &size, NULL));
        fail_unless(g_file_set_contents(path[2], bytes, (gssize)size / 2, NULL));
        g_free(bytes);
    }
    for (guint i = 0; i < 4; i++) {
        gchar *words = rig_refused(
            rig_element("mode", "one-shot", "init-mask-location", path[i], NULL),
            GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_SETTINGS);

        if (i == 0)
            fail_unless(strstr(words, "has colours") != NULL);
        fail_unless(strstr(words, path[i]) != NULL);
        g_free(words);
        g_free(path[i]);
    }
    g_free(dir);
}
GST_END_TEST;

/* With a pattern or a folder objects appear later; other objects continue. */
static void run_listed(const gchar *location)
{
    Rig *rig = rig_one_shot(location);

    for (guint n = 0; n < 8; n++) {
        gst_buffer_unref(rig_push(rig, n, BOXES(BOX(1), BOX(3))));
        fail_unless_equals_int(scripted_get().seeds, n < 2 ? 0 : n < 5 ? 1 : 2);
    }
    fail_unless_equals_int(scripted_get().runs, 6);
    fail_unless_equals_int(scripted_get().seeded, 1 << 2);
    assert_string(rig_objects(rig), "appeared:1,appeared:3");
    fail_unless_equals_uint64(rig_stat(rig, "resets"), 1);
    rig_free(rig);
    scripted_clear();
}

SUITE_TEST(test_late_objects)
{
    gchar *dir = folder("seeds-listed");
    gchar *pattern = g_build_filename(dir, "%05d.png", NULL);
    gchar *loose = g_build_filename(dir, "%d.png", NULL);
    gchar *a = g_build_filename(dir, "00002.png", NULL);
    gchar *b = g_build_filename(dir, "00005.png", NULL);
    gchar *other = g_build_filename(dir, "readme.txt", NULL);
    Rig *rig;

    write_png(a, PALETTE, 8, RIG_WIDTH, RIG_HEIGHT, BOXES(BOX(1)));
    write_png(b, PALETTE, 8, RIG_WIDTH, RIG_HEIGHT, BOXES(BOX(3)));
    fail_unless(g_file_set_contents(other, "x", -1, NULL));
    run_listed(pattern);
    run_listed(dir);
    /* A pattern names files exactly: 2.png is not there. */
    g_free(rig_refused(rig_element("mode", "one-shot", "init-mask-location", loose, NULL),
                       GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_NOT_FOUND));
    /* A file that is bad is an error when its frame comes. */
    write_png(b, RGB, 8, 20, 20, BOXES({1, 0, 0, 5, 5}, {2, 9, 0, 5, 5}));
    rig = rig_one_shot(dir);
    rig_run(rig, 0, 5, BOXES(BOX(1)));
    fail_unless_equals_int(gst_harness_push(rig->h, rig_frame(rig, 5, NOTHING)),
                           GST_FLOW_ERROR);
    rig_expect_error(rig->bus, GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_SETTINGS);
    rig_free(rig);
    g_free(dir);
    g_free(pattern);
    g_free(loose);
    g_free(a);
    g_free(b);
    g_free(other);
}
GST_END_TEST;

/* Pictures are counted; after a seek the frame rate tells the number. */
SUITE_TEST(test_number_after_a_seek)
{
    gchar *dir = folder("seeds-number");
    gchar *a = g_build_filename(dir, "40.png", NULL);
    Rig *rig;

    write_png(a, GRAY, 8, RIG_WIDTH, RIG_HEIGHT, BOXES(BOX(1)));
    rig = rig_one_shot(dir);
    rig_run(rig, 0, 1, NOTHING);
    fail_unless_equals_int(scripted_get().seeds, 0);
    rig_run(rig, 40, 41, NOTHING); /* a jump in time, but still the second picture */
    fail_unless_equals_int(scripted_get().seeds, 0);
    rig_free(rig);
    rig = rig_one_shot(dir);
    rig_run(rig, 0, 1, NOTHING);
    suite_flush(rig->h);
    rig_run(rig, 40, 41, NOTHING);
    fail_unless_equals_int(scripted_get().seeds, 1);
    rig_free(rig);
    g_free(a);
    g_free(dir);
}
GST_END_TEST;

SUITE_TEST(test_looping)
{
    gchar *dir = folder("seeds-loop");
    gchar *path = g_build_filename(dir, "m.png", NULL);
    Rig *rig;

    write_png(path, GRAY, 8, RIG_WIDTH, RIG_HEIGHT, BOXES(BOX(1)));
    rig = rig_one_shot(path);
    rig_run(rig, 0, 5, NOTHING);
    suite_flush(rig->h);
    rig_run(rig, 3, 4, NOTHING); /* elsewhere: no mask */
    fail_unless_equals_int(scripted_get().seeds, 1);
    suite_flush(rig->h);
    rig_run(rig, 0, 2, NOTHING);
    fail_unless_equals_int(scripted_get().seeds, 2);
    rig_free(rig);
    g_free(path);
    g_free(dir);
}
GST_END_TEST;

SUITE_TEST(test_without_a_mask)
{
    Rig *rig = rig_one_shot(NULL);
    GstBuffer *buffer;

    rig_add_mask(rig);
    for (guint n = 0; n < 5; n++) {
        buffer = rig_push(rig, n, BOXES(BOX(1)));
        fail_unless_equals_int(rig_byte(rig, buffer, 4, 8), 1);
        gst_buffer_unref(buffer);
        /* An empty mask instead of none. */
        buffer = gst_harness_pull(rig->mask);
        fail_unless(gst_buffer_memcmp(buffer, 8 * RIG_WIDTH + 4, (guint8[]){0}, 1) == 0);
        gst_buffer_unref(buffer);
        fail_unless_equals_int(warnings(rig), n == 0 ? 1 : 0);
    }
    fail_unless_equals_int(scripted_get().runs, 0);
    fail_unless_equals_uint64(rig_stat(rig, "inferred"), 0);
    rig_free(rig);
}
GST_END_TEST;

static gpointer emit(gpointer data)
{
    fail_unless(rig_set_mask(data, GST_CLOCK_TIME_NONE, FALSE, BOXES(BOX(2))));
    return NULL;
}

/* The next warning is of set-mask, and says this. */
static void expect_words(Rig *rig, const gchar *words)
{
    gchar *got = rig_words(rig->bus, GST_MESSAGE_WARNING, GST_STREAM_ERROR,
                           GST_STREAM_ERROR_FAILED);

    fail_unless(got && strstr(got, words), "%s", got);
    g_free(got);
}

SUITE_TEST(test_signal)
{
    Rig *rig = rig_one_shot(NULL);
    GstBuffer *buffer;
    GstSample *wrong;
    GstCaps *caps;
    gboolean good;
    guint64 epoch;

    rig_run(rig, 0, 2, BOXES(BOX(2)));
    g_thread_join(g_thread_new("application", emit, rig));
    fail_unless_equals_int(scripted_get().seeds, 0);
    rig_run(rig, 2, 4, BOXES(BOX(2)));
    fail_unless_equals_int(scripted_get().seeds, 1);
    fail_unless_equals_int(scripted_get().runs, 2);
    assert_string(rig_objects(rig), "appeared:2");
    /* Another object joins, the first goes on. */
    epoch = rig_stat(rig, "epoch");
    fail_unless(rig_set_mask(rig, GST_CLOCK_TIME_NONE, FALSE, BOXES(BOX(3))));
    rig_run(rig, 4, 5, BOXES(BOX(2), BOX(3)));
    assert_string(rig_objects(rig), "appeared:3");
    fail_unless_equals_uint64(rig_stat(rig, "epoch"), epoch);
    /* This one replaces all. */
    fail_unless(rig_set_mask(rig, GST_CLOCK_TIME_NONE, TRUE, BOXES(BOX(1))));
    rig_run(rig, 5, 6, BOXES(BOX(1), BOX(2), BOX(3)));
    fail_unless_equals_uint64(rig_stat(rig, "epoch"), epoch + 1);
    fail_unless_equals_int(scripted_get().seeded, 1);
    assert_string(rig_objects(rig), "appeared:1");
    /* Not a mask. */
    caps = gst_caps_from_string("video/x-raw,format=RGB,width=2,height=2");
    wrong = gst_sample_new(NULL, caps, NULL, NULL);
    g_signal_emit_by_name(rig->element, "set-mask", wrong, &good);
    fail_if(good);
    expect_words(rig, "has no buffer");
    gst_sample_unref(wrong);
    buffer = gst_buffer_new_allocate(NULL, 12, NULL);
    wrong = gst_sample_new(buffer, caps, NULL, NULL);
    g_signal_emit_by_name(rig->element, "set-mask", wrong, &good);
    fail_if(good);
    expect_words(rig, "is not GRAY8 video, but has the caps \"video/x-raw, format=");
    gst_sample_unref(wrong);
    gst_buffer_unref(buffer);
    gst_caps_unref(caps);
    rig_free(rig);

    rig = rig_new(rig_element(NULL, NULL));
    fail_if(rig_set_mask(rig, GST_CLOCK_TIME_NONE, FALSE, BOXES(BOX(1)))); /* zero-shot */
    rig_free(rig);
}
GST_END_TEST;

SUITE_TEST(test_signal_with_a_time)
{
    Rig *rig = rig_one_shot(NULL);

    fail_unless(rig_set_mask(rig, 5 * RIG_FRAME - 1000, FALSE, BOXES(BOX(2))));
    fail_unless(rig_set_mask(rig, GST_CLOCK_TIME_NONE, FALSE, BOXES(BOX(1))));
    rig_run(rig, 0, 5, NOTHING);
    fail_unless_equals_int(scripted_get().seeds, 1);
    fail_unless_equals_int(scripted_get().seeded, 1);
    rig_run(rig, 5, 6, NOTHING);
    fail_unless_equals_int(scripted_get().seeds, 2);
    fail_unless_equals_int(scripted_get().seeded, 2);
    rig_free(rig);
}
GST_END_TEST;

SUITE_TEST(test_of_another_size)
{
    Rig *rig = rig_one_shot(NULL);
    GstSample *sample =
        rig_mask(20, 10, GST_CLOCK_TIME_NONE, FALSE, BOXES({1, 0, 0, 5, 5}));
    gboolean good;

    g_signal_emit_by_name(rig->element, "set-mask", sample, &good);
    gst_sample_unref(sample);
    fail_unless(good);
    rig_run(rig, 0, 1, NOTHING);
    fail_unless_equals_int(scripted_get().seed_width, 20); /* librvos scales */
    rig_free(rig);
}
GST_END_TEST;

SUITE_TEST(test_more_ids_than_slots)
{
    Rig *rig = rig_new(rig_element("mode", "one-shot", "objects", "3", NULL));

    fail_unless(rig_set_mask(rig, GST_CLOCK_TIME_NONE, FALSE,
                             BOXES(BOX(2), BOX(4), {255, 50, 0, 5, 5})));
    rig_run(rig, 0, 1, NOTHING);
    fail_unless_equals_int(scripted_get().seeded, 2);
    fail_unless_equals_int(warnings(rig), 1);
    /* Nothing of it can be followed. */
    fail_if(rig_set_mask(rig, GST_CLOCK_TIME_NONE, FALSE, BOXES(BOX(9))));
    rig_run(rig, 1, 2, NOTHING);
    fail_unless_equals_int(warnings(rig), 1);
    fail_unless_equals_int(scripted_get().seeds, 1);
    rig_free(rig);
}
GST_END_TEST;

static void add_region(GstBuffer *buffer, gint id, guint x)
{
    gst_buffer_add_video_region_of_interest_meta(buffer, "rvos-init", x, 8, 4, 10)->id =
        id;
}

SUITE_TEST(test_regions)
{
    Rig *rig = rig_one_shot(NULL);
    GstBuffer *buffer = rig_frame(rig, 0, BOXES(BOX(1), BOX(2)));

    add_region(buffer, 0, 4);
    add_region(buffer, 3, 12);
    add_region(buffer, 99, 12);
    gst_buffer_add_video_region_of_interest_meta(buffer, "face", 0, 0, 5, 5);
    gst_harness_push(rig->h, buffer);
    fail_unless_equals_int(scripted_get().seeded, 1 | 4);
    fail_unless_equals_int(warnings(rig), 1); /* of object 99 */
    /* Only objects that are not followed yet. */
    buffer = rig_frame(rig, 1, NOTHING);
    add_region(buffer, 3, 12);
    add_region(buffer, 2, 60000); /* off the picture: no pixel, no object */
    gst_harness_push(rig->h, buffer);
    fail_unless_equals_int(scripted_get().seeds, 1);
    fail_unless_equals_int(warnings(rig), 0); /* said once */
    rig_free(rig);
}
GST_END_TEST;

SUITE_TEST(test_region_off_the_picture)
{
    Rig *rig = rig_one_shot(NULL);
    GstBuffer *buffer = rig_frame(rig, 0, BOXES(BOX(1)));

    add_region(buffer, 1, 64);
    add_region(buffer, 2, 4);
    gst_harness_push(rig->h, buffer);
    fail_unless_equals_int(scripted_get().seeded, 2);
    assert_string(rig_words(rig->bus, GST_MESSAGE_WARNING, GST_STREAM_ERROR,
                            GST_STREAM_ERROR_FAILED),
                  "A region rvos-init is ignored, because it has no pixel of the frame: "
                  "4x10 at 64,8 "
                  "of 64x48.");
    rig_free(rig);
}
GST_END_TEST;

/* A zero-shot element finds, a one-shot element behind it follows. */
SUITE_TEST(test_metadata_of_another_rvosseg)
{
    Rig *first = rig_new(rig_element("min-age", "0", "output", "none", NULL));
    Rig *second = rig_one_shot(NULL);

    for (guint n = 0; n < 3; n++)
        gst_harness_push(
            second->h,
            rig_push(first, n, n == 0 ? BOXES(BOX(1)) : BOXES(BOX(1), BOX(2))));
    fail_unless_equals_int(scripted_get().seeds, 2); /* 1 first, then 2, once each */
    fail_unless_equals_int(scripted_get().seeded, 2);
    rig_free(first);
    rig_free(second);
}
GST_END_TEST;

SUITE_TEST(test_precedence)
{
    gchar *dir = folder("seeds-order");
    gchar *path = g_build_filename(dir, "0.png", NULL);
    GstBuffer *buffer;
    Rig *rig;

    write_png(path, GRAY, 8, 30, 30, BOXES({1, 0, 0, 5, 5}, {2, 10, 0, 5, 5}));
    rig = rig_one_shot(dir);
    fail_unless(rig_set_mask(rig, GST_CLOCK_TIME_NONE, FALSE, BOXES(BOX(1))));
    buffer = rig_frame(rig, 0, NOTHING);
    add_region(buffer, 2, 40);
    add_region(buffer, 3, 50);
    gst_harness_push(rig->h, buffer);
    /* Slot 1 of the signal, 2 of the file, 3 of the region. */
    fail_unless_equals_int(scripted_get().seeds, 3);
    for (guint i = 0; i < 3; i++)
        fail_unless_equals_int(scripted_get().seed_log[i], 1 << i);
    rig_free(rig);
    g_free(path);
    g_free(dir);
}
GST_END_TEST;

/* A reset loses the objects; the network does not run until a new mask comes. */
SUITE_TEST(test_reset_loses_objects)
{
    Rig *rig = rig_one_shot(NULL);

    fail_unless(rig_set_mask(rig, GST_CLOCK_TIME_NONE, FALSE, BOXES(BOX(1))));
    rig_run(rig, 0, 2, BOXES(BOX(1)));
    fail_unless_equals_int(scripted_get().runs, 2);
    g_signal_emit_by_name(rig->element, "reset");
    rig_run(rig, 2, 5, BOXES(BOX(1)));
    fail_unless_equals_int(scripted_get().runs, 2);
    fail_unless(rig_set_mask(rig, GST_CLOCK_TIME_NONE, FALSE, BOXES(BOX(1))));
    rig_run(rig, 5, 6, BOXES(BOX(1)));
    fail_unless_equals_int(scripted_get().runs, 3);
    rig_free(rig);
}
GST_END_TEST;

SUITE_TEST(test_drop_the_last)
{
    Rig *rig = rig_one_shot(NULL);
    GstBuffer *buffer;
    gboolean good;

    fail_unless(rig_set_mask(rig, GST_CLOCK_TIME_NONE, FALSE, BOXES(BOX(1))));
    rig_run(rig, 0, 2, BOXES(BOX(1)));
    g_signal_emit_by_name(rig->element, "drop-object", 1u, &good);
    buffer = rig_push(rig, 2, BOXES(BOX(1)));
    fail_unless_equals_int(rig_byte(rig, buffer, 4, 8), 1); /* nothing is drawn */
    gst_buffer_unref(buffer);
    fail_unless_equals_int(scripted_get().runs, 2);
    rig_free(rig);
}
GST_END_TEST;

SUITE_MAIN("seeds", 0, scripted_clear, NULL)
