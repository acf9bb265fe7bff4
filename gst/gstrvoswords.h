/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* gstrvoswords.h - says in words which caps do not fit, and which elements help. */
#ifndef GST_RVOS_WORDS_H
#define GST_RVOS_WORDS_H

#include <gst/video/video.h>

/* Why caps are refused by an element that takes `taken`; to be freed. */
gchar *gst_rvos_words_refused(const GstCaps *caps, const GstCaps *taken);

/* The parts of caps that the element behind does not take; to be freed. Sets *missing to
 * the elements that would help, to be freed too. `scaler`: the one for another size. */
gchar *gst_rvos_words_for(const GstCaps *caps, const GstCaps *behind, const gchar *scaler,
                          gchar **missing);

#endif
