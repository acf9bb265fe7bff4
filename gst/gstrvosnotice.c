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

GstRvosNotice *gst_rvos_notices_add(GstRvosNotices *notices, GstRvosNoticeKind kind)
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
    GstRvosNotice *notice = gst_rvos_notices_add(notices, kind);
    va_list args;

    va_start(args, format);
    notice->error = g_error_new_valist(domain, code, format, args);
    va_end(args);
    notice->debug = g_strdup(debug);
    return FALSE;
}

void gst_rvos_notice_free(GstRvosNotice *notice)
{
    g_clear_error(&notice->error);
    g_free(notice->debug);
    g_free(notice);
}

void gst_rvos_notices_clear(GstRvosNotices *notices)
{
    g_queue_clear_full(notices, (GDestroyNotify)gst_rvos_notice_free);
}
