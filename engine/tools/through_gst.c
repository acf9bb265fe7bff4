/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Runs appsrc ! rvosseg with an appsink on its mask pad: one frame in, one mask out, in
 * lock step. The element's main pad stays unlinked, which its documentation allows. */
#include "through_gst.h"

#include <stdlib.h>
#include <string.h>

#include <gst/app/gstappsink.h>
#include <gst/app/gstappsrc.h>
#include <gst/gst.h>
#include <gst/video/video.h>

#include "folders.h"
#include "seeds.h"

#define FRAME_TIME (GST_SECOND / 25) /* any rate will do: every frame is processed */
#define POLL_TIME (GST_SECOND / 5)

struct pipe {
    const struct session_options *session;
    const struct sequence_options *options;
    const struct frame_list *frames;
    const char *out;
    struct progress *progress;
    struct fault *fault;
    struct seeds seeds;
    GstElement *pipeline, *source, *element, *sink;
    int width, height; /* of the frames; 0: none yet */
};

static int check_options(const struct pipe *p)
{
    const struct sequence_options *o = p->options;
    const char *what = o->assign ? "--assign" : o->probs ? "--dump-probs" : NULL;

    if (!what)
        return 0;
    return fault_set(p->fault, TOOL_USAGE, NULL,
                     "%s has no meaning with --through-gst: the element has no such "
                     "property",
                     what);
}

static void set_word(struct pipe *p, const char *name, const char *value)
{
    gst_util_set_object_arg(G_OBJECT(p->element), name, value);
}

static void set_properties(struct pipe *p)
{
    int objects = p->options->objects ? p->options->objects : p->seeds.highest;
    int interval = p->options->discovery_interval;

    set_word(p, "mode", task_word(p->options->task));
    set_word(p, "variant", variant_word(p->options->variant));
    set_word(p, "precision", precision_word(p->session->precision));
    set_word(p, "engine", p->session->engine ? p->session->engine : "auto");
    set_word(p, "output", "none");
    set_word(p, "attach-meta", "0");
    set_word(p, "post-messages", "none");
    set_word(p, "late-policy", "process");
    g_object_set(p->element, "model", p->session->model, "n-threads",
                 (guint)p->session->threads, "objects", (guint)objects, "network-width",
                 (guint)p->session->width, "network-height", (guint)p->session->height,
                 "min-age", 0u, NULL);
    if (interval) /* the element's 0 is -1 here, and its default is the engine's */
        g_object_set(p->element, "discovery-interval",
                     (guint)(interval > 0 ? interval : 0), NULL);
}

static int build(struct pipe *p)
{
    GError *error = NULL;

    if (!gst_init_check(NULL, NULL, &error)) {
        fault_set(p->fault, TOOL_ENGINE, "GStreamer", "does not start: %s",
                  error->message);
        g_clear_error(&error);
        return TOOL_ENGINE;
    }
    p->pipeline = gst_pipeline_new(NULL);
    p->source = gst_element_factory_make("appsrc", NULL);
    p->element = gst_element_factory_make("rvosseg", NULL);
    p->sink = gst_element_factory_make("appsink", NULL);
    if (!p->source || !p->element || !p->sink)
        return fault_set(p->fault, TOOL_ENGINE, p->element ? "appsrc" : "rvosseg",
                         "no such GStreamer element: install the plugin, or set "
                         "GST_PLUGIN_PATH to its folder");
    gst_bin_add_many(GST_BIN(p->pipeline), p->source, p->element, p->sink, NULL);
    g_object_set(p->source, "format", GST_FORMAT_TIME, NULL);
    g_object_set(p->sink, "sync", FALSE, NULL);
    set_properties(p);
    if (!gst_element_link(p->source, p->element) ||
        !gst_element_link_pads(p->element, "mask", p->sink, "sink"))
        return fault_set(p->fault, TOOL_ENGINE, "rvosseg", "its pads cannot be linked");
    return 0;
}

/* Sets the fault if the element has posted an error. */
static int check_bus(struct pipe *p)
{
    GstBus *bus = gst_element_get_bus(p->pipeline);
    GstMessage *message = gst_bus_pop_filtered(bus, GST_MESSAGE_ERROR);
    GError *error = NULL;

    gst_object_unref(bus);
    if (!message)
        return 0;
    gst_message_parse_error(message, &error, NULL);
    fault_set(p->fault, TOOL_ENGINE, "rvosseg", "%s", error->message);
    g_clear_error(&error);
    gst_message_unref(message);
    return TOOL_ENGINE;
}

static int stopped(struct pipe *p, const char *words)
{
    int err = check_bus(p);

    return err ? err : fault_set(p->fault, TOOL_ENGINE, "rvosseg", "%s", words);
}

/* ---- pixels ------------------------------------------------------------- */

/* Copies rows without gaps to GStreamer's default layout. */
static GstBuffer *to_buffer(const struct picture *picture, const GstVideoInfo *info)
{
    GstBuffer *buffer = gst_buffer_new_allocate(NULL, GST_VIDEO_INFO_SIZE(info), NULL);
    size_t row = (size_t)picture->width * (size_t)picture->channels;
    GstMapInfo map;

    if (!buffer || !gst_buffer_map(buffer, &map, GST_MAP_WRITE)) {
        gst_clear_buffer(&buffer);
        return NULL;
    }
    for (int y = 0; y < picture->height; y++)
        memcpy(map.data + (size_t)GST_VIDEO_INFO_PLANE_STRIDE(info, 0) * (size_t)y,
               picture->pixels + row * (size_t)y, row);
    gst_buffer_unmap(buffer, &map);
    return buffer;
}

static int set_size(struct pipe *p, const struct picture *frame, const char *path)
{
    GstCaps *caps;

    if (p->width == frame->width && p->height == frame->height)
        return 0;
    if (p->width)
        return fault_set(p->fault, TOOL_INPUT, path,
                         "is of %dx%d, and the frames before it are of %dx%d: a folder "
                         "holds one video",
                         frame->width, frame->height, p->width, p->height);
    p->width = frame->width;
    p->height = frame->height;
    caps = gst_caps_new_simple("video/x-raw", "format", G_TYPE_STRING, "RGB", "width",
                               G_TYPE_INT, p->width, "height", G_TYPE_INT, p->height,
                               "framerate", GST_TYPE_FRACTION, 25, 1, NULL);
    gst_app_src_set_caps(GST_APP_SRC(p->source), caps);
    gst_caps_unref(caps);
    if (gst_element_set_state(p->pipeline, GST_STATE_PLAYING) == GST_STATE_CHANGE_FAILURE)
        return stopped(p, "does not start");
    return 0;
}

/* ---- masks given -------------------------------------------------------- */

static gboolean emit_mask(struct pipe *p, const struct picture *mask)
{
    GstVideoInfo info;
    GstBuffer *buffer;
    GstSample *sample;
    GstCaps *caps;
    gboolean ok = FALSE;

    gst_video_info_set_format(&info, GST_VIDEO_FORMAT_GRAY8, (guint)mask->width,
                              (guint)mask->height);
    buffer = to_buffer(mask, &info); /* no time: for the next frame */
    if (!buffer)
        return FALSE;
    caps = gst_video_info_to_caps(&info);
    sample = gst_sample_new(buffer, caps, NULL, NULL);
    g_signal_emit_by_name(p->element, "set-mask", sample, &ok);
    gst_sample_unref(sample);
    gst_caps_unref(caps);
    gst_buffer_unref(buffer);
    return ok;
}

/* Sends only the objects that are new at this frame, because the element takes all
 * objects in a mask. */
static int show_masks(struct pipe *p, int t)
{
    const struct seed *seed = seeds_at(&p->seeds, t);
    struct picture mask;
    int highest = p->options->objects ? p->options->objects : p->seeds.highest;
    gboolean ok, any = FALSE;
    size_t n;
    int err;

    if (!seed)
        return 0;
    err = mask_read(&mask, seed->path, p->options->mask_kind, p->fault);
    if (err)
        return err;
    n = (size_t)mask.width * (size_t)mask.height;
    for (size_t i = 0; i < n; i++)
        if (mask.pixels[i] &&
            (mask.pixels[i] > highest || !id_in(&seed->ids, mask.pixels[i])))
            mask.pixels[i] = 0;
        else if (mask.pixels[i])
            any = TRUE;
    sequence_check_shape(&mask, seed->path, p->width, p->height, p->progress);
    ok = !any || emit_mask(p, &mask);
    picture_free(&mask);
    return ok ? 0 : stopped(p, "does not take the mask");
}

/* ---- frames ------------------------------------------------------------- */

static int push(struct pipe *p, const struct picture *frame, int t)
{
    GstVideoInfo info;
    GstBuffer *buffer;

    gst_video_info_set_format(&info, GST_VIDEO_FORMAT_RGB, (guint)frame->width,
                              (guint)frame->height);
    buffer = to_buffer(frame, &info);
    if (!buffer)
        return fault_set(p->fault, TOOL_ENGINE, "GStreamer", "out of memory");
    GST_BUFFER_PTS(buffer) = (GstClockTime)t * FRAME_TIME;
    GST_BUFFER_DURATION(buffer) = FRAME_TIME;
    if (gst_app_src_push_buffer(GST_APP_SRC(p->source), buffer) != GST_FLOW_OK)
        return stopped(p, "does not take frames");
    return 0;
}

static int pull(struct pipe *p, GstSample **out)
{
    int err;

    for (*out = NULL; !*out;) {
        *out = gst_app_sink_try_pull_sample(GST_APP_SINK(p->sink), POLL_TIME);
        err = *out ? 0 : check_bus(p);
        if (!err && !*out && gst_app_sink_is_eos(GST_APP_SINK(p->sink)))
            err = fault_set(p->fault, TOOL_ENGINE, "rvosseg", "ended early");
        if (err)
            return err;
    }
    return 0;
}

static int write_sample(struct pipe *p, GstSample *sample, const char *path)
{
    struct picture mask;
    GstVideoFrame frame;
    GstVideoInfo info;
    int err;

    if (!gst_video_info_from_caps(&info, gst_sample_get_caps(sample)) ||
        !gst_video_frame_map(&frame, &info, gst_sample_get_buffer(sample), GST_MAP_READ))
        return fault_set(p->fault, TOOL_ENGINE, "rvosseg", "its mask cannot be read");
    err = picture_alloc(&mask, GST_VIDEO_FRAME_WIDTH(&frame),
                        GST_VIDEO_FRAME_HEIGHT(&frame), 1, path, p->fault);
    for (int y = 0; y < mask.height && !err; y++)
        memcpy(mask.pixels + (size_t)y * (size_t)mask.width,
               (const guint8 *)GST_VIDEO_FRAME_PLANE_DATA(&frame, 0) +
                   (gssize)y * GST_VIDEO_FRAME_PLANE_STRIDE(&frame, 0),
               (size_t)mask.width);
    gst_video_frame_unmap(&frame);
    if (!err)
        err = mask_write(path, mask.pixels, mask.width, mask.height, p->fault);
    picture_free(&mask);
    return err;
}

static int one_frame(struct pipe *p, int t)
{
    const struct frame_file *file = &p->frames->file[t];
    struct picture frame;
    GstSample *sample;
    char *path;
    int err = picture_read(&frame, file->path, p->fault);

    if (err)
        return err;
    err = set_size(p, &frame, file->path);
    if (!err)
        err = show_masks(p, t);
    if (!err)
        err = push(p, &frame, t);
    picture_free(&frame);
    if (!err)
        err = pull(p, &sample);
    if (err)
        return err;
    path = results_path(p->out, file);
    err = path ? write_sample(p, sample, path)
               : fault_set(p->fault, TOOL_ENGINE, p->out, "out of memory");
    free(path);
    gst_sample_unref(sample);
    progress_step(p->progress, 1);
    return err;
}

int through_gst_run(const struct session_options *session,
                    const struct sequence_options *options,
                    const struct frame_list *frames, const char *out,
                    struct progress *progress, struct fault *fault)
{
    struct pipe p = {.session = session,
                     .options = options,
                     .frames = frames,
                     .out = out,
                     .progress = progress,
                     .fault = fault};
    int err = check_options(&p);

    if (!err)
        err = sequence_seeds(&p.seeds, options, frames, progress, fault);
    if (!err)
        err = make_folders(out, fault);
    if (!err)
        err = build(&p);
    for (int t = 0; t < frames->count && !err; t++)
        err = one_frame(&p, t);
    if (p.pipeline) {
        gst_element_set_state(p.pipeline, GST_STATE_NULL);
        gst_object_unref(p.pipeline);
    }
    seeds_free(&p.seeds);
    return err;
}
