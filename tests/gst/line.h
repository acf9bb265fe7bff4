/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* line.h - a pipeline with one rvosseg, of the name r, and the words of its messages. */
#ifndef LINE_H
#define LINE_H

#include "rig.h"

typedef struct {
    GstElement *bin, *r;
    GstBus *bus;
} Line;

Line line_new(const gchar *launch);
void line_free(Line *line);

/* Sets the property caps of the element with this name. */
void line_set_caps(Line *line, const gchar *name, const gchar *caps);

/* Pushes n frames of 64x48 of this format into the appsrc with the name a. */
void line_push(Line *line, const gchar *format, guint n);

/* The text of the next message of this type, which must have `src` for a source; to be
 * freed. NULL: none comes within `wait`. */
gchar *line_words(GstBus *bus, GstMessageType type, GstElement *src, GstClockTime wait);

/* The text must have these parts, a list ended by NULL; takes ownership of the text. */
void line_expect(gchar *text, const gchar *const *parts);

#define EXPECT(text, ...) line_expect((text), (const gchar *const[]){__VA_ARGS__, NULL})

#endif
