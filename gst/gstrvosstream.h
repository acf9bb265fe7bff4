/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* gstrvosstream.h - opens an rvos_stream with the properties. */
#ifndef GST_RVOS_STREAM_H
#define GST_RVOS_STREAM_H

#include "gstrvosmodel.h"
#include "gstrvosprops.h"

G_BEGIN_DECLS

/* The model and the settings for a video; borrowed. */
typedef struct {
    GstRvosModel *model;
    const gchar *path; /* of the model, for messages */
    const GstRvosSettings *settings;
    const gchar *init_mask_location; /* NULL: none */
} GstRvosOpen;

/* Opens the stream and runs it on scratch state to measure *cost. NULL: `failure` has the
 * reason. */
rvos_stream *gst_rvos_stream_open(const GstRvosOpen *open, GstClockTime *cost,
                                  GstRvosNotices *notices, GstRvosFailure *failure);

G_END_DECLS
#endif
