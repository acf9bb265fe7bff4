/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* pull-masks VIDEO [FRAMES]: the index mask of each frame, taken from the pad `mask`.
 *
 * Prints a line for each frame: its time, and how many pixels each object has. The
 * picture is discarded. The element's messages about objects are printed, too.
 */
#include <gst/app/gstappsink.h>
#include <gst/gst.h>
#include <gst/video/video.h>

#include <stdio.h>
#include <stdlib.h>

#define MAX_SLOTS 32

static void count_pixels(const GstVideoFrame *mask, guint area[MAX_SLOTS + 1])
{
    for (gint y = 0; y < GST_VIDEO_FRAME_HEIGHT(mask); y++) {
        const guint8 *row = (const guint8 *)GST_VIDEO_FRAME_PLANE_DATA(mask, 0) +
                            y * GST_VIDEO_FRAME_PLANE_STRIDE(mask, 0);

        for (gint x = 0; x < GST_VIDEO_FRAME_WIDTH(mask); x++)
            area[MIN(row[x], MAX_SLOTS)]++; /* 0 is background */
    }
}

/* The caps have the size. Rows may be padded, which GstVideoFrame handles. */
static void print_mask(GstSample *sample)
{
    GstBuffer *buffer = gst_sample_get_buffer(sample);
    guint area[MAX_SLOTS + 1] = {0};
    GstVideoInfo info;
    GstVideoFrame mask;

    if (!gst_video_info_from_caps(&info, gst_sample_get_caps(sample)) ||
        !gst_video_frame_map(&mask, &info, buffer, GST_MAP_READ))
        return;
    count_pixels(&mask, area);
    gst_video_frame_unmap(&mask);
    printf("%" GST_TIME_FORMAT, GST_TIME_ARGS(GST_BUFFER_PTS(buffer)));
    for (guint slot = 1; slot <= MAX_SLOTS; slot++)
        if (area[slot] > 0)
            printf("  object %u: %u pixels", slot, area[slot]);
    printf("\n");
}

/* FALSE: an error was posted. */
static gboolean print_messages(GstBus *bus)
{
    GstMessage *message;
    gboolean good = TRUE;

    while ((message = gst_bus_pop_filtered(bus, GST_MESSAGE_ELEMENT | GST_MESSAGE_ERROR |
                                                    GST_MESSAGE_WARNING)) != NULL) {
        const GstStructure *s = gst_message_get_structure(message);
        GError *error = NULL;
        guint slot;

        if (GST_MESSAGE_TYPE(message) == GST_MESSAGE_ERROR) {
            gst_message_parse_error(message, &error, NULL);
            good = FALSE;
        } else if (GST_MESSAGE_TYPE(message) == GST_MESSAGE_WARNING) {
            gst_message_parse_warning(message, &error, NULL);
        } else if (gst_structure_has_name(s, "rvosseg-object") &&
                   gst_structure_get_uint(s, "slot", &slot)) {
            printf("object %u %s\n", slot, gst_structure_get_string(s, "event"));
        }
        if (error)
            fprintf(stderr, "%s: %s\n", GST_OBJECT_NAME(GST_MESSAGE_SRC(message)),
                    error->message);
        g_clear_error(&error);
        gst_message_unref(message);
    }
    return good;
}

/* NULL: the end, or an error, which sets *good to FALSE. An error does not wake the sink,
 * so we look for messages while we wait. */
static GstSample *next_sample(GstAppSink *masks, GstBus *bus, gboolean *good)
{
    GstSample *sample;

    do {
        sample = gst_app_sink_try_pull_sample(masks, 100 * GST_MSECOND);
        *good = print_messages(bus);
    } while (!sample && *good && !gst_app_sink_is_eos(masks));
    return sample;
}

static GstElement *build(const gchar *path)
{
    GError *error = NULL;
    /* Each branch needs a queue, as after a tee. */
    GstElement *pipeline =
        gst_parse_launch("filesrc name=file ! decodebin ! videoconvert ! rvosseg name=r "
                         "r.src ! queue ! fakesink sync=false "
                         "r.mask ! queue ! appsink name=masks sync=false max-buffers=2",
                         &error);
    GstElement *file;

    /* If an element is missing, the pipeline is incomplete and an error is set. */
    if (error) {
        fprintf(stderr, "%s\n", error->message);
        g_error_free(error);
        gst_clear_object(&pipeline);
        return NULL;
    }
    file = gst_bin_get_by_name(GST_BIN(pipeline), "file");
    g_object_set(file, "location", path, NULL);
    gst_object_unref(file);
    return pipeline;
}

int main(int argc, char **argv)
{
    GstElement *pipeline, *masks;
    GstSample *sample;
    GstBus *bus;
    long frames;
    gboolean good = TRUE;

    gst_init(&argc, &argv);
    if (argc < 2) {
        fprintf(stderr, "usage: %s VIDEO [FRAMES]\n", argv[0]);
        return 2;
    }
    frames = argc > 2 ? atol(argv[2]) : -1;
    pipeline = build(argv[1]);
    if (!pipeline)
        return 1;
    masks = gst_bin_get_by_name(GST_BIN(pipeline), "masks");
    bus = gst_element_get_bus(pipeline);
    gst_element_set_state(pipeline, GST_STATE_PLAYING);
    for (; frames != 0 && good; frames--) {
        sample = next_sample(GST_APP_SINK(masks), bus, &good);
        if (!sample)
            break;
        print_mask(sample);
        gst_sample_unref(sample);
    }
    good = print_messages(bus) && good;
    gst_element_set_state(pipeline, GST_STATE_NULL);
    gst_object_unref(bus);
    gst_object_unref(masks);
    gst_object_unref(pipeline);
    return good ? 0 : 1;
}
