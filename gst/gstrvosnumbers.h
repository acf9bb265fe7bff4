/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* gstrvosnumbers.h - the number of a picture in its stream.
 *
 * Number 0 is the first picture after start. Pictures are then counted, independent of
 * their time stamps. After a seek the number is found by the picture's stream time: among
 * the counted pictures, or from the frame rate if all pictures so far came at that rate.
 * Otherwise it is unknown. No locks; used by the streaming thread only.
 */
#ifndef GST_RVOS_NUMBERS_H
#define GST_RVOS_NUMBERS_H

#include <gst/gst.h>

#define GST_RVOS_NUMBER_UNKNOWN G_MAXUINT64

typedef struct {
    guint64 last_wanted; /* higher numbers need not be found again */
    guint64 next;        /* number of the next picture; may be UNKNOWN */
    GArray *times;       /* GstClockTime: stream times of pictures 0, 1, ... */
    gint fps_n, fps_d;
    gboolean regular;  /* all pictures so far came at this rate */
    gboolean guessed;  /* the number was computed from the rate */
    gboolean jumped;   /* a jump since the last picture */
    gboolean backward; /* the stream plays backward */
} GstRvosNumbers;

void gst_rvos_numbers_open(GstRvosNumbers *numbers, guint64 last_wanted);
void gst_rvos_numbers_close(GstRvosNumbers *numbers);

/* The next picture does not follow the last one. */
void gst_rvos_numbers_jump(GstRvosNumbers *numbers);

/* The number of the current picture. `time` is its stream time or NONE. */
guint64 gst_rvos_numbers_picture(GstRvosNumbers *numbers, GstClockTime time, gint fps_n,
                                 gint fps_d);

#endif
