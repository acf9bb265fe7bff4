/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Compares the element with librvos called directly: masks must be equal. */
#include "real.h"

#include <string.h>

#include <rvos.h>

#define WIDTH 161
#define HEIGHT 97
#define PIXELS (WIDTH * HEIGHT)
#define SLOTS 4

typedef struct {
    rvos_device *device;
    rvos_model *model;
    rvos_stream *stream;
} Engine;

static Engine open_engine(rvos_task task)
{
    Engine e;

    fail_unless(rvos_device_open(&e.device, &(rvos_device_params){.backend = "cpu"}) ==
                0);
    fail_unless(rvos_model_load(&e.model, e.device, real_model(), NULL) == 0);
    fail_unless(rvos_stream_open(&e.stream, e.model,
                                 &(rvos_stream_params){.task = task, .objects = SLOTS}) ==
                0);
    return e;
}

static void close_engine(Engine *e)
{
    rvos_stream_close(&e->stream);
    rvos_model_close(&e->model);
    rvos_device_close(&e->device);
}

static void process(Engine *e, const GstVideoInfo *info, guint n, guint8 *labels)
{
    GstBuffer *buffer = real_picture(info, n, 0);
    GstVideoFrame frame;
    rvos_labels view = {
        .width = WIDTH, .height = HEIGHT, .data = labels, .stride = WIDTH};
    rvos_image image = {.format = RVOS_RGB, .width = WIDTH, .height = HEIGHT};

    fail_unless(gst_video_frame_map(&frame, info, buffer, GST_MAP_READ));
    image.plane[0] = GST_VIDEO_FRAME_PLANE_DATA(&frame, 0);
    image.stride[0] = GST_VIDEO_FRAME_PLANE_STRIDE(&frame, 0);
    fail_unless(rvos_stream_process(e->stream, &image,
                                    &(rvos_output){.labels = &view, .threshold = 0.6f}) ==
                0);
    gst_video_frame_unmap(&frame);
    gst_buffer_unref(buffer);
}

static GstHarness *element(GstHarness **mask, const GstVideoInfo *info, const gchar *mode)
{
    GstHarness *h = real_harness(mask, "mode", mode, "objects", "4", "threshold", "0.6",
                                 "min-age", "0", "max-gap", "100000000000", NULL);

    gst_harness_set_src_caps(h, gst_video_info_to_caps(info));
    return h;
}

static guint8 *push(GstHarness *h, GstHarness *mask, const GstVideoInfo *info, guint n)
{
    fail_unless_equals_int(gst_harness_push(h, real_picture(info, n, 0)), GST_FLOW_OK);
    gst_buffer_unref(gst_harness_pull(h));
    return real_labels(gst_harness_pull(mask));
}

/* Frame n of the element must be what `labels` says. */
static void expect(GstHarness *h, GstHarness *mask, const GstVideoInfo *info, guint n,
                   const guint8 *labels)
{
    guint8 *got = push(h, mask, info, n);

    fail_unless(memcmp(got, labels, PIXELS) == 0, "frame %u differs", n);
    g_free(got);
}

static guint objects_in(const guint8 *labels)
{
    guint n = 0;

    for (guint i = 0; i < PIXELS; i++)
        n += labels[i] != 0;
    return n;
}

SUITE_TEST(test_zero_shot)
{
    GstVideoInfo info = real_info("RGB", WIDTH, HEIGHT, NULL);
    Engine e = open_engine(RVOS_TASK_ZERO_SHOT);
    GstHarness *mask, *h = element(&mask, &info, "zero-shot");
    guint8 *labels = g_malloc(PIXELS), *first = g_malloc(PIXELS);
    gboolean moves = FALSE;

    for (guint n = 0; n < 6; n++) {
        process(&e, &info, n, labels);
        expect(h, mask, &info, n, labels);
        fail_unless(objects_in(labels) > 0 && objects_in(labels) < PIXELS);
        if (n == 0)
            memcpy(first, labels, PIXELS);
        moves |= memcmp(first, labels, PIXELS) != 0;
    }
    fail_unless(moves, "the masks never change: this proves nothing");
    close_engine(&e);
    g_free(labels);
    g_free(first);
    real_free(h, mask);
}
GST_END_TEST;

SUITE_TEST(test_one_shot)
{
    GstVideoInfo info = real_info("RGB", WIDTH, HEIGHT, NULL);
    Engine e = open_engine(RVOS_TASK_ONE_SHOT);
    GstHarness *mask, *h = element(&mask, &info, "one-shot");
    guint8 *labels = g_malloc(PIXELS);
    GstBuffer *seed = gst_buffer_new_allocate(NULL, 20 * 12, NULL);
    GstCaps *caps = gst_caps_from_string("video/x-raw,format=GRAY8,width=20,height=12");
    GstSample *sample;
    GstElement *rvosseg = gst_harness_find_element(h, "rvosseg");
    gboolean good;
    guint8 pixels[20 * 12];

    for (guint i = 0; i < sizeof(pixels); i++)
        pixels[i] = i % 20 < 8 ? 1 : i % 20 > 14 ? 2 : 0;
    gst_buffer_fill(seed, 0, pixels, sizeof(pixels));
    sample = gst_sample_new(seed, caps, NULL, NULL);
    g_signal_emit_by_name(rvosseg, "set-mask", sample, &good);
    fail_unless(good);
    fail_unless(
        rvos_stream_seed(
            e.stream,
            &(rvos_labels){.width = 20, .height = 12, .data = pixels, .stride = 20},
            3) == 0);
    for (guint n = 0; n < 5; n++) {
        process(&e, &info, n, labels);
        expect(h, mask, &info, n, labels);
    }
    gst_sample_unref(sample);
    gst_caps_unref(caps);
    gst_buffer_unref(seed);
    gst_object_unref(rvosseg);
    close_engine(&e);
    g_free(labels);
    real_free(h, mask);
}
GST_END_TEST;

/* A second run of a clip repeats the first. After a seek the masks are those of a run
 * that starts there. */
SUITE_TEST(test_again_and_after_a_seek)
{
    GstVideoInfo info = real_info("RGB", WIDTH, HEIGHT, NULL);
    GstHarness *mask, *h = element(&mask, &info, "zero-shot");
    Engine e = open_engine(RVOS_TASK_ZERO_SHOT);
    guint8 *run[4], *labels = g_malloc(PIXELS);

    for (guint n = 0; n < 4; n++)
        run[n] = push(h, mask, &info, n);
    suite_flush(h);
    for (guint n = 0; n < 4; n++)
        expect(h, mask, &info, n, run[n]);
    suite_flush(h);
    for (guint n = 2; n < 5; n++) {
        process(&e, &info, n, labels);
        expect(h, mask, &info, n, labels);
    }
    fail_unless(memcmp(run[3], labels, PIXELS) != 0);
    real_free(h, mask);
    h = element(&mask, &info, "zero-shot"); /* and a new element */
    for (guint n = 0; n < 4; n++) {
        expect(h, mask, &info, n, run[n]);
        g_free(run[n]);
    }
    close_engine(&e);
    g_free(labels);
    real_free(h, mask);
}
GST_END_TEST;

/* Two elements on one model, interleaved: neither disturbs the other. */
SUITE_TEST(test_two_streams)
{
    GstVideoInfo info = real_info("RGB", WIDTH, HEIGHT, NULL);
    GstHarness *mask[2], *h[2];
    GstElement *rvosseg;
    GstStructure *stats;
    guint users = 0;
    guint8 *alone[4];

    h[0] = element(&mask[0], &info, "zero-shot");
    for (guint n = 0; n < 4; n++)
        alone[n] = push(h[0], mask[0], &info, n);
    real_free(h[0], mask[0]);
    for (guint i = 0; i < 2; i++)
        h[i] = element(&mask[i], &info, "zero-shot");
    for (guint n = 0; n < 4; n++) {
        expect(h[0], mask[0], &info, n, alone[n]);
        g_free(push(h[1], mask[1], &info, 3 - n)); /* another video */
    }
    rvosseg = gst_harness_find_element(h[0], "rvosseg");
    g_object_get(rvosseg, "stats", &stats, NULL);
    fail_unless(gst_structure_get_uint(stats, "model-users", &users) && users == 2);
    gst_structure_free(stats);
    gst_object_unref(rvosseg);
    for (guint n = 0; n < 4; n++)
        g_free(alone[n]);
    for (guint i = 0; i < 2; i++)
        real_free(h[i], mask[i]);
}
GST_END_TEST;

/* Supported precisions start, others are errors. The reference engine is not
 * faster with bf16, int16 or int8: float32 is used, with a warning. */
SUITE_TEST(test_precision)
{
    static const struct {
        const gchar *precision;
        gboolean can;
    } all[] = {{"auto", TRUE}, {"fp32", TRUE},  {"tf32", FALSE}, {"fp16", FALSE},
               {"bf16", TRUE}, {"int16", TRUE}, {"int8", TRUE}};

    for (guint i = 0; i < G_N_ELEMENTS(all); i++) {
        GstElement *element = gst_element_factory_make("rvosseg", NULL);
        GstBus *bus = gst_bus_new();
        GstStateChangeReturn got;
        GstMessage *message;
        GError *error = NULL;

        gst_element_set_bus(element, bus);
        gst_util_set_object_arg(G_OBJECT(element), "engine", "reference");
        gst_util_set_object_arg(G_OBJECT(element), "precision", all[i].precision);
        g_object_set(element, "model", real_model(), NULL);
        got = gst_element_set_state(element, GST_STATE_PAUSED);
        fail_unless_equals_int(got == GST_STATE_CHANGE_FAILURE, !all[i].can);
        message = gst_bus_pop_filtered(bus, GST_MESSAGE_ERROR | GST_MESSAGE_WARNING);
        fail_unless_equals_int(message != NULL, !all[i].can || i > 3);
        if (message && all[i].can) {
            gst_message_parse_warning(message, &error, NULL);
            fail_unless(strstr(error->message, "float32 is used") != NULL);
            fail_unless(strstr(error->message, all[i].precision) != NULL);
        } else if (message) {
            gst_message_parse_error(message, &error, NULL);
            fail_unless(
                g_error_matches(error, GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_SETTINGS));
            /* librvos calls fp16 float16 */
            fail_unless(strstr(error->message, "cannot compute in ") != NULL &&
                            strstr(error->message, i == 2 ? "tf32" : "float16") != NULL,
                        "%s", error->message);
        }
        g_clear_error(&error);
        if (message)
            gst_message_unref(message);
        gst_element_set_state(element, GST_STATE_NULL);
        gst_element_set_bus(element, NULL);
        gst_object_unref(bus);
        gst_object_unref(element);
    }
}
GST_END_TEST;

SUITE_MAIN("engine", 120, NULL, NULL)
