/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Tests the words of the error where an element behind rvosseg does not take its frames
 * or masks: what differs, and which elements help. */
#include "line.h"

#include <string.h>

/* What is behind rvosseg, or behind its pad mask, takes only these caps. */
static void behind(const gchar *launch, const gchar *caps, const gchar *const *parts)
{
    Line line = line_new(launch);

    line_set_caps(&line, "c", caps);
    gst_element_set_state(line.bin, GST_STATE_PLAYING);
    line_push(&line, "RGB", 1);
    line_expect(line_words(line.bus, GST_MESSAGE_ERROR, line.r, 10 * GST_SECOND), parts);
    line_free(&line);
}

#define BEHIND(launch, caps, ...)                                                        \
    behind(launch, caps, (const gchar *const[]){__VA_ARGS__, NULL})

SUITE_TEST(test_behind)
{
    static const gchar launch[] =
        "appsrc name=a format=time ! rvosseg name=r ! capsfilter name=c ! fakesink";

    BEHIND(launch, "video/x-raw,format=I420", "RGB", "put videoconvert behind it");
    BEHIND(launch, "video/x-raw,width=32", "width=64, height=48",
           "put videoscale behind it");
    BEHIND(launch, "video/x-raw,framerate=10/1", "framerate=30/1",
           "put videorate behind it");
    BEHIND(launch, "video/x-raw,format={ I420, BGR },width=32",
           "put videoconvert ! videoscale behind it");
    BEHIND(launch, "video/x-raw(memory:GLMemory)", "an element that converts it");
}
GST_END_TEST;

/* A source that offers all formats, but one size. */
SUITE_TEST(test_behind_all_formats)
{
    Line line = line_new("videotestsrc ! capsfilter name=c ! rvosseg name=r ! "
                         "capsfilter name=d ! fakesink");
    gchar *text;

    line_set_caps(&line, "c", "video/x-raw,width=64,height=48");
    line_set_caps(&line, "d", "video/x-raw,width=32");
    gst_element_set_state(line.bin, GST_STATE_PLAYING);
    text = line_words(line.bus, GST_MESSAGE_ERROR, line.r, 10 * GST_SECOND);
    fail_if(strstr(text, "format="), "%s", text);
    EXPECT(text, "width=64, height=48", "put videoscale behind it");
    line_free(&line);
}
GST_END_TEST;

SUITE_TEST(test_behind_mask)
{
    static const gchar launch[] = "appsrc name=a format=time ! rvosseg name=r ! fakesink "
                                  "r.mask ! queue ! capsfilter name=c ! fakesink";

    BEHIND(launch, "video/x-raw,format=I420", "pad mask", "GRAY8",
           "put videoconvert between");
    BEHIND(launch, "video/x-raw,height=24", "video/x-raw, width=64, height=48",
           "put videoscale method=nearest-neighbour between");
    BEHIND(launch, "video/x-raw,framerate=10/1", "framerate=30/1",
           "put videorate between");
}
GST_END_TEST;

/* No element behind takes an alpha channel, and upstream is unknown. */
SUITE_TEST(test_alpha_behind)
{
    Line line = line_new("videotestsrc ! rvosseg name=r ! capsfilter name=c ! fakesink");

    line_set_caps(&line, "c", "video/x-raw,format=I420");
    gst_util_set_object_arg(G_OBJECT(line.r), "output", "alpha");
    gst_element_set_state(line.bin, GST_STATE_PLAYING);
    EXPECT(line_words(line.bus, GST_MESSAGE_ERROR, line.r, 10 * GST_SECOND),
           "output=alpha", "RGBA, BGRA, ARGB or ABGR", "videoconvert behind it");
    line_free(&line);
}
GST_END_TEST;

SUITE_MAIN("behind", 0, scripted_clear, NULL)
