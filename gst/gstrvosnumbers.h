/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* gstrvosnumbers.h - the number of a picture in its stream.
 *
 * Number 0 is the first picture after start; then they are counted, whatever their time
 * stamps say. After a seek a number is found again by the picture's stream time: among
 * those of pictures that have been counted, or from the frame rate, if all pictures so
 * far came at it. Else it is unknown. No locks; the streaming thread owns it.
 */
#ifndef GST_RVOS_NUMBERS_H
#define GST_RVOS_NUMBERS_H

#include <gst/gst.h>

G_BEGIN_DECLS

#define GST_RVOS_NUMBER_UNKNOWN G_MAXUINT64

typedef struct {
    guint64 last_wanted; /* numbers above need not be found again */
    guint64 next;        /* the next picture's; UNKNOWN */
    GArray *times;       /* GstClockTime: stream times of pictures 0, 1, ... */
    gint fps_n, fps_d;
    gboolean regular;  /* all pictures so far came at this rate */
    gboolean guessed;  /* the number was worked out from the rate */
    gboolean jumped;   /* the stream was interrupted since the last picture */
    gboolean backward; /* it plays backward */
} GstRvosNumbers;

void gst_rvos_numbers_open(GstRvosNumbers *numbers, guint64 last_wanted);
void gst_rvos_numbers_close(GstRvosNumbers *numbers);

/* The next picture is another than the next of the stream. */
void gst_rvos_numbers_jump(GstRvosNumbers *numbers);

/* The number of a picture that has come. `time`: its stream time or NONE. */
guint64 gst_rvos_numbers_picture(GstRvosNumbers *numbers, GstClockTime time, gint fps_n,
                                 gint fps_d);

G_END_DECLS
#endif
