/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* gstrvosnotice.h - notices of modules that know no element: failures, warnings, resets,
 * and objects that appear and disappear.
 *
 * The element posts notices as messages, in order. Debug categories are here too, because
 * all files use them.
 */
#ifndef GST_RVOS_NOTICE_H
#define GST_RVOS_NOTICE_H

#include <gst/gst.h>

#include "gstrvostime.h"
#include "gstrvostrack.h"

GST_DEBUG_CATEGORY_EXTERN(gst_rvos_seg_debug);
GST_DEBUG_CATEGORY_EXTERN(gst_rvos_engine_debug);

/* Once per process, from plugin_init. */
void gst_rvos_debug_init(void);

/* Holds a mutex, and the lock of a GstObject, until the end of the block. */
#define GST_RVOS_LOCKED(mutex)                                                           \
    G_GNUC_UNUSED g_autoptr(GMutexLocker) locker = g_mutex_locker_new(mutex)
#define GST_RVOS_OBJECT_LOCKED(object) GST_RVOS_LOCKED(GST_OBJECT_GET_LOCK(object))

typedef enum {
    GST_RVOS_NOTICE_ERROR,
    GST_RVOS_NOTICE_WARNING,
    GST_RVOS_NOTICE_RESET,
    GST_RVOS_NOTICE_OBJECT,
} GstRvosNoticeKind;

typedef struct {
    GstRvosNoticeKind kind;
    GError *error;            /* for errors and warnings: domain, code, text for users */
    gchar *debug;             /* for these: details from librvos; may be NULL */
    GstRvosReset reason;      /* for resets */
    guint64 epoch;            /* for resets: the new epoch */
    GstRvosTrackEvent change; /* for objects */
} GstRvosNotice;

/* The oldest is the head. Initialise with G_QUEUE_INIT or zeroes. */
typedef GQueue GstRvosNotices;

/* `kind` is an error or a warning. Returns FALSE. */
gboolean gst_rvos_notices_say(GstRvosNotices *notices, GstRvosNoticeKind kind,
                              GQuark domain, gint code, const gchar *debug,
                              const gchar *format, ...) G_GNUC_PRINTF(6, 7);
/* Domain and code as for GST_ELEMENT_ERROR. */
#define GST_RVOS_EXPLAIN(notices, domain, code, debug, ...)                              \
    gst_rvos_notices_say(notices, GST_RVOS_NOTICE_ERROR, GST_##domain##_ERROR,           \
                         GST_##domain##_ERROR_##code, debug, __VA_ARGS__)
#define GST_RVOS_ERROR(notices, domain, code, ...)                                       \
    GST_RVOS_EXPLAIN(notices, domain, code, NULL, __VA_ARGS__)
#define GST_RVOS_WARN(notices, domain, code, ...)                                        \
    gst_rvos_notices_say(notices, GST_RVOS_NOTICE_WARNING, GST_##domain##_ERROR,         \
                         GST_##domain##_ERROR_##code, NULL, __VA_ARGS__)
/* Adds a notice of another kind, to be filled. */
GstRvosNotice *gst_rvos_notices_add(GstRvosNotices *notices, GstRvosNoticeKind kind);

void gst_rvos_notice_free(GstRvosNotice *notice);
void gst_rvos_notices_clear(GstRvosNotices *notices);

#endif
