/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* click-to-segment [VIDEO]: click on things in a window, and they are followed.
 *
 * Without VIDEO the camera is used. A click marks a disc, a drag a box; each is a new
 * object. The right button forgets them all. How it works: the sink sends mouse events
 * upstream, a probe behind rvosseg sees them in the coordinates of the picture, and the
 * signal set-mask takes a mask that is followed from the next frame on.
 *
 * --auto lets rvosseg find objects by itself. A click on one of them selects it: it keeps
 * its slot and its id, becomes amber, and the others become grey. The metadata of the
 * last frame tells which object is under the pointer.
 *
 * --frames=N ends after N frames, --headless opens no window, and --click=X,Y,FRAME
 * clicks by itself: for trying it without a screen.
 */
#include <gst/gst.h>
#include <gst/video/navigation.h>
#include <gst/video/video.h>

#include <math.h>
#include <stdio.h>
#include <string.h>

#define DRAG 8 /* pixels that the mouse must move to draw a box */

typedef struct {
    GMainLoop *loop;
    GstElement *rvosseg;
    gboolean failed;
    gint frames, last_frame; /* seen; the last one that is wanted, or 0 */
    gint click_x, click_y, click_frame;

    gdouble down_x, down_y; /* where the left button went down, if is_down */
    gboolean is_down;
    guint next_slot, slots;

    GMutex lock;        /* frames and clicks come in different threads */
    GstStructure *seen; /* the last frame's GstRvosSegMeta, or NULL */
} App;

/* ---- masks ------------------------------------------------------------------------ */

static gboolean picture_size(App *app, gint *width, gint *height)
{
    GstPad *pad = gst_element_get_static_pad(app->rvosseg, "src");
    GstCaps *caps = gst_pad_get_current_caps(pad);
    GstVideoInfo info;
    gboolean good = caps && gst_video_info_from_caps(&info, caps);

    if (good) {
        *width = info.width;
        *height = info.height;
    }
    gst_clear_caps(&caps);
    gst_object_unref(pad);
    return good;
}

/* Rows of GRAY8 are padded to 4 bytes where no GstVideoMeta says otherwise. */
static gsize mask_size(gint width, gint height)
{
    return (gsize)GST_ROUND_UP_4(width) * (gsize)height;
}

/* Takes the pixels. */
static GstSample *make_sample(guint8 *pixels, gint width, gint height)
{
    GstCaps *caps =
        gst_caps_new_simple("video/x-raw", "format", G_TYPE_STRING, "GRAY8", "width",
                            G_TYPE_INT, width, "height", G_TYPE_INT, height, NULL);
    GstBuffer *buffer = gst_buffer_new_wrapped(pixels, mask_size(width, height));
    GstSample *sample = gst_sample_new(buffer, caps, NULL, NULL);

    gst_buffer_unref(buffer); /* the sample holds both */
    gst_caps_unref(caps);
    return sample;
}

static void fill_row(guint8 *pixels, gint width, gint height, gint y, gdouble from,
                     gdouble to, guint slot)
{
    gint left = CLAMP((gint)from, 0, width), right = CLAMP((gint)to + 1, 0, width);

    if (y >= 0 && y < height && right > left)
        memset(pixels + (gsize)y * GST_ROUND_UP_4(width) + left, (int)slot,
               (gsize)(right - left));
}

/* ---- what is under the pointer ---------------------------------------------------- */

static void remember(App *app, GstBuffer *frame)
{
    GstCustomMeta *meta = gst_buffer_get_custom_meta(frame, "GstRvosSegMeta");

    g_mutex_lock(&app->lock);
    g_clear_pointer(&app->seen, gst_structure_free);
    if (meta)
        app->seen = gst_structure_copy(gst_custom_meta_get_structure(meta));
    g_mutex_unlock(&app->lock);
}

/* The value of the mask there. */
static guint slot_at(GstBuffer *mask, guint x, guint y)
{
    GstVideoMeta *layout = gst_buffer_get_video_meta(mask);
    guint8 slot = 0;

    if (layout && x < layout->width && y < layout->height)
        gst_buffer_extract(mask, layout->offset[0] + y * (gsize)layout->stride[0] + x,
                           &slot, 1);
    return slot;
}

/* The id of a slot's object, 0 if there is none. With the lock. */
static guint64 id_of(App *app, guint slot)
{
    const GValue *slots, *ids;

    if (!app->seen)
        return 0;
    slots = gst_structure_get_value(app->seen, "slots");
    ids = gst_structure_get_value(app->seen, "tracking-ids");
    for (guint i = 0; i < gst_value_array_get_size(slots); i++)
        if (g_value_get_uint(gst_value_array_get_value(slots, i)) == slot)
            return g_value_get_uint64(gst_value_array_get_value(ids, i));
    return 0;
}

/* The found object there: its slot, or 0. */
static guint found_at(App *app, gdouble x, gdouble y, guint64 *id)
{
    GstBuffer *mask = NULL;
    guint slot = 0;

    g_mutex_lock(&app->lock);
    if (app->seen && x >= 0 && y >= 0 &&
        gst_structure_get(app->seen, "mask", GST_TYPE_BUFFER, &mask, NULL))
        slot = slot_at(mask, (guint)x, (guint)y);
    *id = id_of(app, slot);
    g_mutex_unlock(&app->lock);
    gst_clear_buffer(&mask);
    return *id ? slot : 0;
}

/* Only this slot in colour; 0: all, as they were. */
static void highlight(App *app, guint slot)
{
    GString *palette = g_string_new(slot ? NULL : "davis");

    for (guint i = 1; slot && i <= app->slots; i++)
        g_string_append_printf(palette, "%s%s", i > 1 ? "," : "",
                               i == slot ? "#ffc000" : "#808080");
    g_object_set(app->rvosseg, "palette", palette->str, NULL);
    g_string_free(palette, TRUE);
}

/* The slot for a new object: one that is free, if there is one. */
static guint choose_slot(App *app)
{
    guint slot = app->next_slot;

    g_mutex_lock(&app->lock);
    for (guint i = 0; i < app->slots && id_of(app, slot) != 0; i++)
        slot = slot % app->slots + 1;
    g_mutex_unlock(&app->lock);
    return slot;
}

/* ---- clicks ------------------------------------------------------------------------ */

static void follow(App *app, gdouble x, gdouble y, gboolean box)
{
    guint slot = choose_slot(app);
    gboolean good;
    gint width, height;
    gdouble radius;
    GstSample *mask;
    guint8 *pixels;

    if (!picture_size(app, &width, &height))
        return;
    radius = height / 12.0;
    pixels = g_malloc0(mask_size(width, height));
    for (gint row = 0; row < height; row++) {
        gdouble half = sqrt(MAX(0, radius * radius - (row - y) * (row - y)));

        if (!box && half > 0)
            fill_row(pixels, width, height, row, x - half, x + half, slot);
        else if (box && row >= MIN(y, app->down_y) && row <= MAX(y, app->down_y))
            fill_row(pixels, width, height, row, MIN(x, app->down_x), MAX(x, app->down_x),
                     slot);
    }
    mask = make_sample(pixels, width, height);
    g_signal_emit_by_name(app->rvosseg, "set-mask", mask, &good);
    gst_sample_unref(mask);
    printf("object %u: a %s at %.0f,%.0f%s\n", slot, box ? "box" : "disc", x, y,
           good ? "" : " is refused");
    app->next_slot = slot % app->slots + 1;
}

static void on_click(App *app, gdouble x, gdouble y)
{
    gboolean box = fabs(x - app->down_x) > DRAG || fabs(y - app->down_y) > DRAG;
    guint64 id;
    guint slot = box ? 0 : found_at(app, x, y, &id);

    if (!slot) {
        follow(app, x, y, box);
        return;
    }
    highlight(app, slot);
    printf("object %u, id %" G_GUINT64_FORMAT ": selected at %.0f,%.0f\n", slot, id, x,
           y);
}

/* ---- events, in the threads of the sink and of the stream ------------------------ */

/* Sinks also report clicks beside the picture: these are ignored. A drag may end there.
 * Comparisons with NaN are false, and fmax(NAN, 0) is 0. */
static void on_button(App *app, gdouble x, gdouble y, gboolean down)
{
    gint width, height;

    if (!picture_size(app, &width, &height))
        return;
    if (down) {
        app->is_down = x >= 0 && y >= 0 && x < width && y < height;
        app->down_x = x;
        app->down_y = y;
    } else if (app->is_down) {
        on_click(app, fmin(fmax(x, 0), width - 1), fmin(fmax(y, 0), height - 1));
        app->is_down = FALSE;
    }
}

static void on_mouse(App *app, GstEvent *event)
{
    gdouble x, y;
    gint button;

    switch (gst_navigation_event_get_type(event)) {
    case GST_NAVIGATION_EVENT_MOUSE_BUTTON_PRESS:
        gst_navigation_event_parse_mouse_button_event(event, &button, &x, &y);
        if (button == 1)
            on_button(app, x, y, TRUE);
        break;
    case GST_NAVIGATION_EVENT_MOUSE_BUTTON_RELEASE:
        gst_navigation_event_parse_mouse_button_event(event, &button, &x, &y);
        if (button == 1) {
            on_button(app, x, y, FALSE);
        } else {
            g_signal_emit_by_name(app->rvosseg, "reset");
            app->next_slot = 1;
            highlight(app, 0);
        }
        break;
    default:
        break;
    }
}

static GstPadProbeReturn on_upstream(GstPad *pad, GstPadProbeInfo *info, gpointer user)
{
    GstEvent *event = GST_PAD_PROBE_INFO_EVENT(info);

    (void)pad;
    if (GST_EVENT_TYPE(event) == GST_EVENT_NAVIGATION)
        on_mouse(user, event);
    return GST_PAD_PROBE_OK;
}

/* The click of --click, sent as a sink would send it. */
static void click(App *app, GstPad *src)
{
    GstPad *sink = gst_pad_get_peer(src);

    gst_pad_push_event(
        sink, gst_navigation_event_new_mouse_button_press(1, app->click_x, app->click_y,
                                                          GST_NAVIGATION_MODIFIER_NONE));
    gst_pad_push_event(sink,
                       gst_navigation_event_new_mouse_button_release(
                           1, app->click_x, app->click_y, GST_NAVIGATION_MODIFIER_NONE));
    gst_object_unref(sink);
}

static GstPadProbeReturn on_frame(GstPad *pad, GstPadProbeInfo *info, gpointer user)
{
    App *app = user;

    remember(app, GST_PAD_PROBE_INFO_BUFFER(info));
    app->frames++;
    if (app->frames == app->click_frame)
        click(app, pad);
    if (app->frames == app->last_frame)
        g_main_loop_quit(app->loop);
    return GST_PAD_PROBE_OK;
}

/* ---- main ------------------------------------------------------------------------ */

static gboolean on_message(GstBus *bus, GstMessage *message, gpointer user)
{
    App *app = user;
    GError *error = NULL;

    (void)bus;
    switch (GST_MESSAGE_TYPE(message)) {
    case GST_MESSAGE_ERROR:
        gst_message_parse_error(message, &error, NULL);
        fprintf(stderr, "%s\n", error->message);
        app->failed = TRUE;
        g_main_loop_quit(app->loop);
        break;
    case GST_MESSAGE_EOS:
        g_main_loop_quit(app->loop);
        break;
    case GST_MESSAGE_ELEMENT:
        if (gst_message_has_name(message, "rvosseg-object")) {
            const GstStructure *s = gst_message_get_structure(message);
            guint slot = 0;

            gst_structure_get_uint(s, "slot", &slot);
            printf("object %u %s\n", slot, gst_structure_get_string(s, "event"));
        }
        break;
    default:
        break;
    }
    g_clear_error(&error);
    return G_SOURCE_CONTINUE;
}

static GstElement *build(const gchar *video, gboolean headless, gboolean find)
{
    const gchar *sink = headless ? "fakesink sync=false" : "autovideosink";
    gchar *source = video ? g_strdup("filesrc name=file ! decodebin")
                          : g_strdup("autovideosrc ! queue leaky=downstream "
                                     "max-size-buffers=1");
    gchar *text = g_strdup_printf("%s ! videoconvert ! rvosseg name=r mode=%s ! "
                                  "videoconvert ! %s",
                                  source, find ? "auto" : "one-shot", sink);
    GError *error = NULL;
    GstElement *pipeline = gst_parse_launch(text, &error);
    GstElement *file = NULL;

    /* If an element is missing, the pipeline is incomplete and an error is set. */
    if (error) {
        fprintf(stderr, "%s\n", error->message);
        g_error_free(error);
        gst_clear_object(&pipeline);
    } else if (video) {
        file = gst_bin_get_by_name(GST_BIN(pipeline), "file");
    }
    if (file)
        g_object_set(file, "location", video, NULL);
    gst_clear_object(&file);
    g_free(source);
    g_free(text);
    return pipeline;
}

static void run(App *app, GstElement *pipeline)
{
    GstBus *bus = gst_element_get_bus(pipeline);
    GstPad *src;

    app->loop = g_main_loop_new(NULL, FALSE);
    app->rvosseg = gst_bin_get_by_name(GST_BIN(pipeline), "r");
    app->next_slot = 1;
    g_object_get(app->rvosseg, "objects", &app->slots, NULL);
    src = gst_element_get_static_pad(app->rvosseg, "src");
    gst_pad_add_probe(src, GST_PAD_PROBE_TYPE_EVENT_UPSTREAM, on_upstream, app, NULL);
    gst_pad_add_probe(src, GST_PAD_PROBE_TYPE_BUFFER, on_frame, app, NULL);
    gst_bus_add_watch(bus, on_message, app);
    gst_element_set_state(pipeline, GST_STATE_PLAYING);
    g_main_loop_run(app->loop);
    gst_element_set_state(pipeline, GST_STATE_NULL);
    gst_bus_remove_watch(bus);
    gst_object_unref(src);
    gst_object_unref(bus);
    gst_object_unref(app->rvosseg);
    g_main_loop_unref(app->loop);
    g_clear_pointer(&app->seen, gst_structure_free);
}

int main(int argc, char **argv)
{
    static gboolean headless, find;
    static gint frames;
    static gchar *where;
    const GOptionEntry entries[] = {
        {"headless", 0, 0, G_OPTION_ARG_NONE, &headless, "Open no window", NULL},
        {"auto", 0, 0, G_OPTION_ARG_NONE, &find, "Find objects; a click selects one",
         NULL},
        {"frames", 0, 0, G_OPTION_ARG_INT, &frames, "End after so many frames", "N"},
        {"click", 0, 0, G_OPTION_ARG_STRING, &where, "Click at a frame", "X,Y,FRAME"},
        G_OPTION_ENTRY_NULL};
    GOptionContext *context = g_option_context_new("[VIDEO]");
    GError *error = NULL;
    GstElement *pipeline;
    App app = {0};

    g_option_context_add_main_entries(context, entries, NULL);
    g_option_context_add_group(context, gst_init_get_option_group());
    if (!g_option_context_parse(context, &argc, &argv, &error) ||
        (where &&
         sscanf(where, "%d,%d,%d", &app.click_x, &app.click_y, &app.click_frame) != 3)) {
        fprintf(stderr, "%s\n", error ? error->message : "--click wants X,Y,FRAME");
        return 2;
    }
    g_option_context_free(context);
    app.last_frame = frames;
    pipeline = build(argc > 1 ? argv[1] : NULL, headless, find);
    if (!pipeline)
        return 1;
    run(&app, pipeline);
    gst_object_unref(pipeline);
    g_free(where);
    return app.failed ? 1 : 0;
}
