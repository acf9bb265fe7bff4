/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "gstrvosnotice.h"

GST_DEBUG_CATEGORY(gst_rvos_seg_debug);
GST_DEBUG_CATEGORY(gst_rvos_engine_debug);

void gst_rvos_debug_init(void)
{
    GST_DEBUG_CATEGORY_INIT(gst_rvos_seg_debug, "rvosseg", 0,
                            "RVOS segmentation element");
    GST_DEBUG_CATEGORY_INIT(gst_rvos_engine_debug, "rvosseg-engine", 0,
                            "what librvos logs");
}

/* ---- failures --------------------------------------------------------------------- */

void gst_rvos_failure_clear(GstRvosFailure *failure)
{
    g_clear_error(&failure->error);
    g_clear_pointer(&failure->debug, g_free);
}

gboolean gst_rvos_failure_set(GstRvosFailure *failure, GQuark domain, gint code,
                              const gchar *debug, const gchar *format, ...)
{
    va_list args;

    gst_rvos_failure_clear(failure);
    va_start(args, format);
    failure->error = g_error_new_valist(domain, code, format, args);
    va_end(args);
    failure->debug = g_strdup(debug);
    return FALSE;
}

/* ---- notices ---------------------------------------------------------------------- */

static GstRvosNotice *add(GstRvosNotices *notices, GstRvosNoticeKind kind)
{
    GstRvosNotice *notice = g_new0(GstRvosNotice, 1);

    notice->kind = kind;
    g_queue_push_tail(notices, notice);
    return notice;
}

gboolean gst_rvos_notices_say(GstRvosNotices *notices, GstRvosNoticeKind kind,
                              GQuark domain, gint code, const gchar *debug,
                              const gchar *format, ...)
{
    GstRvosNotice *notice = add(notices, kind);
    va_list args;

    va_start(args, format);
    notice->words.error = g_error_new_valist(domain, code, format, args);
    va_end(args);
    notice->words.debug = g_strdup(debug);
    return FALSE;
}

gboolean gst_rvos_notices_fail(GstRvosNotices *notices, GstRvosFailure *failure)
{
    add(notices, GST_RVOS_NOTICE_ERROR)->words = *failure;
    *failure = (GstRvosFailure){0};
    return FALSE;
}

void gst_rvos_notices_reset(GstRvosNotices *notices, GstRvosReset reason, guint64 epoch)
{
    GstRvosNotice *notice = add(notices, GST_RVOS_NOTICE_RESET);

    notice->reason = reason;
    notice->epoch = epoch;
}

void gst_rvos_notices_object(GstRvosNotices *notices, const GstRvosTrackEvent *change)
{
    add(notices, GST_RVOS_NOTICE_OBJECT)->change = *change;
}

GstRvosNotice *gst_rvos_notices_take(GstRvosNotices *notices)
{
    return g_queue_pop_head(notices);
}

void gst_rvos_notice_free(GstRvosNotice *notice)
{
    gst_rvos_failure_clear(&notice->words);
    g_free(notice);
}

void gst_rvos_notices_clear(GstRvosNotices *notices)
{
    g_queue_clear_full(notices, (GDestroyNotify)gst_rvos_notice_free);
}
