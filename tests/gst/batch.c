/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Tests elements that share a model and run their frames together. Masks are the same as
 * alone, and no element hangs when another ends, seeks or is removed. The engine is that
 * of RVOSSEG_TEST_ENGINE, else the CPU, which takes turns. */
#include "real.h"

#include <string.h>

#define WIDTH 97
#define HEIGHT 61
#define PIXELS (WIDTH * HEIGHT)
#define FRAMES 8
#define STREAMS 4

typedef struct {
    GThread *thread;
    GstHarness *h, *mask;
    guint number;
    guint8 *labels[FRAMES];
} Stream;

static void open_stream(Stream *s, guint number, const gchar *max_batch)
{
    const gchar *engine = g_getenv("RVOSSEG_TEST_ENGINE");
    GstVideoInfo info = real_info("RGB", WIDTH, HEIGHT, NULL);

    *s = (Stream){.number = number};
    s->h = real_harness(&s->mask, "engine", engine ? engine : "cpu", "objects", "3",
                        "network-width", "96", "network-height", "64", "threshold", "0.6",
                        "min-age", "0", "max-gap", "100000000000", "max-batch", max_batch,
                        "batch-timeout", "20000000", NULL);
    gst_harness_set_src_caps(s->h, gst_video_info_to_caps(&info));
}

/* Stream 1 ends early but stays; stream 2 seeks; stream 3 is removed early. */
static gpointer run(gpointer opaque)
{
    Stream *s = opaque;
    GstVideoInfo info = real_info("RGB", WIDTH, HEIGHT, NULL);
    guint frames = s->number == 1 ? 3 : s->number == 3 ? 5 : FRAMES;

    for (guint n = 0; n < frames; n++) {
        if (s->number == 2 && n == 4)
            suite_flush(s->h);
        if (gst_harness_push(s->h, real_picture(&info, n + 5 * s->number, 0)) !=
            GST_FLOW_OK)
            break;
        gst_buffer_unref(gst_harness_pull(s->h));
        s->labels[n] = real_labels(gst_harness_pull(s->mask));
    }
    if (s->number == 1)
        gst_harness_push_event(s->h, gst_event_new_eos());
    if (s->number == 3) {
        real_free(s->h, s->mask);
        s->h = NULL;
    }
    return NULL;
}

static void close_stream(Stream *s)
{
    if (s->h)
        real_free(s->h, s->mask);
    for (guint n = 0; n < FRAMES; n++)
        g_free(s->labels[n]);
}

static guint users(GstHarness *h)
{
    GstElement *element = gst_harness_find_element(h, "rvosseg");
    GstStructure *stats;
    guint n = 0;

    g_object_get(element, "stats", &stats, NULL);
    gst_structure_get_uint(stats, "model-users", &n);
    gst_structure_free(stats);
    gst_object_unref(element);
    return n;
}

SUITE_TEST(test_together)
{
    Stream alone[STREAMS], s[STREAMS];
    guint same = 0, marked = 0;

    for (guint i = 0; i < STREAMS; i++) {
        open_stream(&alone[i], i, "1");
        run(&alone[i]);
    }
    for (guint i = 0; i < STREAMS; i++)
        open_stream(&s[i], i, "4");
    fail_unless_equals_int(users(s[0].h), STREAMS);
    for (guint i = 0; i < STREAMS; i++)
        s[i].thread = g_thread_new("stream", run, &s[i]);
    for (guint i = 0; i < STREAMS; i++)
        g_thread_join(s[i].thread);
    for (guint i = 0; i < STREAMS; i++)
        for (guint n = 0; n < FRAMES; n++) {
            const guint8 *a = alone[i].labels[n], *b = s[i].labels[n];

            fail_unless(!a == !b && (!a || memcmp(a, b, PIXELS) == 0),
                        "stream %u differs in frame %u", i, n);
            same += a != NULL;
            for (guint p = 0; a && p < PIXELS; p++)
                marked += a[p] != 0;
        }
    fail_unless_equals_int(same, 3 + 5 + 2 * FRAMES);
    fail_unless(marked > 0, "the masks are empty: this proves nothing");
    for (guint i = 0; i < STREAMS; i++) {
        close_stream(&alone[i]);
        close_stream(&s[i]);
    }
}
GST_END_TEST;

SUITE_MAIN("batch", 120, NULL, NULL)
