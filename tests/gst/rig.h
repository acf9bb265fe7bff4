/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* rig.h - an element in a harness, frames with painted objects, and its messages.
 *
 * Frames are 64x48 RGB at 30 fps by default; the value 200 is background to the scripted
 * engine.
 */
#ifndef RIG_H
#define RIG_H

#include <gst/check/gstharness.h>
#include <gst/video/video.h>

#include "scripted.h"
#include "suite.h"

#define RIG_WIDTH 64
#define RIG_HEIGHT 48
#define RIG_BACKGROUND 200
#define RIG_FRAME (GST_SECOND / 30)

typedef struct {
    GstElement *element;
    GstHarness *h;    /* sink and src */
    GstHarness *mask; /* the pad `mask`, if rig_add_mask was called */
    GstBus *bus;
    GstVideoInfo info;
} Rig;

/* A box of object `slot`; slot 0 ends a list. */
typedef struct {
    guint slot, x, y, width, height;
} RigBox;

/* The object `slot` at a place of its own. */
#define BOX(slot)                                                                        \
    {                                                                                    \
        (slot), 4 * (slot), 8, 4, 10                                                     \
    }
#define BOXES(...) ((const RigBox[]){__VA_ARGS__, {0}})
#define NOTHING ((const RigBox[]){{0}})

/* A model file of the scripted engine with these tasks; to be freed. */
gchar *rig_model(const gchar *tasks);

/* An element, not started, with properties as names and strings, ended by NULL. */
GstElement *rig_element(const gchar *property, ...) G_GNUC_NULL_TERMINATED;

/* Takes ownership of the element, starts it and sends caps of RGB 64x48 at 30 fps. */
Rig *rig_new(GstElement *element);
void rig_free(Rig *rig);

/* Call this before rig_new's element gets its first frame. */
void rig_add_mask(Rig *rig);

/* The peer of the mask pad offers a pool whose buffers have no GstVideoMeta. */
void rig_offer_plain_pool(Rig *rig);

/* Caps of the frames to come; `extra` such as "framerate=30/1,colorimetry=bt709". */
void rig_set_caps(Rig *rig, const gchar *format, gint width, gint height,
                  const gchar *extra);

/* Frame number n of 30 fps. */
GstBuffer *rig_frame(Rig *rig, guint n, const RigBox *boxes);

/* Pushes a frame and returns the result, to be unreffed. */
GstBuffer *rig_push(Rig *rig, guint n, const RigBox *boxes);

/* Pushes frames from..to-1 and drops the results. */
void rig_run(Rig *rig, guint from, guint to, const RigBox *boxes);

/* The first byte of pixel (x, y). */
guint8 rig_byte(Rig *rig, GstBuffer *buffer, guint x, guint y);

/* A counter of `stats`, whatever its integer type. */
guint64 rig_stat(Rig *rig, const gchar *name);

/* The next element message of that name, or NULL; others are thrown away. */
GstStructure *rig_message(Rig *rig, const gchar *name);

/* Reasons of all rvosseg-reset messages on the bus, comma separated; to be freed. */
gchar *rig_resets(Rig *rig);

/* Events of all rvosseg-object messages on the bus, such as "appeared:1,lost:2". */
gchar *rig_objects(Rig *rig);

/* The next message of that type, or NULL; others are thrown away. */
GstMessage *rig_pop(Rig *rig, GstMessageType type);

/* The words of the next message of that type (errors, warnings), to be freed, or NULL.
 * Its domain and code must be these; domain 0: any. */
gchar *rig_words(GstBus *bus, GstMessageType type, GQuark domain, gint code);

/* The element must refuse to start, with one such error. Its words, to be freed. Takes
 * ownership. */
gchar *rig_refused(GstElement *element, GQuark domain, gint code);

/* The bus must have an error with this domain and code. */
void rig_expect_error(GstBus *bus, GQuark domain, gint code);

/* A GRAY8 mask with boxes, as the sample that set-mask takes. */
GstSample *rig_mask(guint width, guint height, GstClockTime pts, gboolean replace,
                    const RigBox *boxes);

/* Emits set-mask with such a mask of the rig's size. */
gboolean rig_set_mask(Rig *rig, GstClockTime pts, gboolean replace, const RigBox *boxes);

/* A pipeline, whose rvosseg elements get a model. */
GstElement *rig_pipeline(const gchar *launch);

#define assert_string(text, wanted)                                                      \
    G_STMT_START                                                                         \
    {                                                                                    \
        gchar *got_ = (text);                                                            \
        fail_unless_equals_string(got_, wanted);                                         \
        g_free(got_);                                                                    \
    }                                                                                    \
    G_STMT_END

#endif
