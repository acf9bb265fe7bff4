/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "line.h"

#include <string.h>

gchar *line_words(GstBus *bus, GstMessageType type, GstElement *src, GstClockTime wait)
{
    GstMessage *message = gst_bus_timed_pop_filtered(bus, wait, type);
    GError *error;
    gchar *text;

    if (!message)
        return NULL;
    if (type == GST_MESSAGE_ERROR)
        gst_message_parse_error(message, &error, NULL);
    else
        gst_message_parse_warning(message, &error, NULL);
    fail_unless(GST_MESSAGE_SRC(message) == GST_OBJECT(src), "%s says first: %s",
                GST_MESSAGE_SRC_NAME(message), error->message);
    text = g_strdup(error->message);
    g_error_free(error);
    gst_message_unref(message);
    return text;
}

void line_expect(gchar *text, const gchar *const *parts)
{
    fail_unless(text != NULL, "no message");
    for (; *parts; parts++)
        fail_unless(strstr(text, *parts) != NULL, "\"%s\" does not tell %s", text,
                    *parts);
    g_free(text);
}

Line line_new(const gchar *launch)
{
    Line line = {.bin = rig_pipeline(launch)};

    line.r = gst_bin_get_by_name(GST_BIN(line.bin), "r");
    line.bus = gst_element_get_bus(line.bin);
    gst_util_set_object_arg(G_OBJECT(line.r), "engine", "cpu");
    return line;
}

void line_free(Line *line)
{
    gst_element_set_state(line->bin, GST_STATE_NULL);
    gst_object_unref(line->bus);
    gst_object_unref(line->r);
    gst_object_unref(line->bin);
}

void line_set_caps(Line *line, const gchar *name, const gchar *caps)
{
    GstElement *element = gst_bin_get_by_name(GST_BIN(line->bin), name);

    gst_util_set_object_arg(G_OBJECT(element), "caps", caps);
    gst_object_unref(element);
}

void line_push(Line *line, const gchar *format, guint n)
{
    GstElement *src = gst_bin_get_by_name(GST_BIN(line->bin), "a");
    GstFlowReturn flow;
    gchar *caps = g_strdup_printf(
        "video/x-raw,format=%s,width=64,height=48,framerate=30/1", format);

    line_set_caps(line, "a", caps);
    for (guint i = 0; i < n; i++) {
        GstBuffer *buffer = gst_buffer_new_allocate(NULL, 64 * 48 * 4, NULL);

        gst_buffer_memset(buffer, 0, RIG_BACKGROUND, 64 * 48 * 4);
        g_signal_emit_by_name(src, "push-buffer", buffer, &flow);
        gst_buffer_unref(buffer);
    }
    g_free(caps);
    gst_object_unref(src);
}
