/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "gstrvosframe.h"
#include "gstrvosseg.h"
#include "gstrvoswords.h"

#include <gst/base/gstbasesrc.h>

/* What output=alpha wants. */
#define ALPHA_ON_BOTH_SIDES                                                              \
    GST_RVOS_ALPHA_WORDS                                                                 \
    " on both sides of rvosseg. Put videoconvert before and behind it."

/* Most elements between the one that chose the caps and us. */
#define MAX_HOPS 64
/* Frames that may be in queues when an alpha channel is asked for. */
#define MAX_WAITED 250

void gst_rvos_caps_clear(GstRvosSeg *self)
{
    GST_RVOS_OBJECT_LOCKED(self);

    gst_clear_caps(&self->negotiation.refused);
    self->negotiation.said = self->negotiation.mask_said = FALSE;
    self->negotiation.waited = MAX_WAITED;
}

/* ---- accepted caps --------------------------------------------------------------- */

/* The caps that are accepted with the current properties; a new reference. */
static GstCaps *taken_caps(GstRvosSeg *self, gboolean alpha)
{
    gboolean usable, engine;

    GST_OBJECT_LOCK(self);
    usable = gst_rvos_gpu_usable(self);
    engine = self->actual_engine ? g_strcmp0(self->actual_engine, "cuda") == 0
                                 : gst_rvos_model_tries_cuda(self->settings.engine);
    GST_OBJECT_UNLOCK(self);
    return gst_rvos_frame_caps(usable, engine, alpha);
}

static gboolean wants_alpha(GstRvosSeg *self)
{
    GST_RVOS_OBJECT_LOCKED(self);

    return self->settings.output == GST_RVOS_SEG_OUTPUT_ALPHA;
}

static GstCaps *taken_of(GstRvosSeg *self, GstCaps *caps, gboolean alpha)
{
    g_autoptr(GstCaps) taken = taken_caps(self, alpha);

    return gst_caps_intersect_full(caps, taken, GST_CAPS_INTERSECT_FIRST);
}

/* With output=alpha, only formats with an alpha channel, if that is possible, so that
 * neighbours that can convert do so. Otherwise all formats stay allowed, and frames from
 * before the change may still come. */
GstCaps *gst_rvos_caps_transform(GstBaseTransform *trans,
                                 G_GNUC_UNUSED GstPadDirection direction, GstCaps *caps,
                                 GstCaps *filter)
{
    GstRvosSeg *self = GST_RVOS_SEG_CAST(trans);
    gboolean alpha = wants_alpha(self);
    GstCaps *out = taken_of(self, caps, alpha);

    if (alpha && gst_caps_is_empty(out))
        gst_caps_take(&out, taken_of(self, caps, FALSE));
    if (filter)
        gst_caps_take(&out,
                      gst_caps_intersect_full(filter, out, GST_CAPS_INTERSECT_FIRST));
    return out;
}

/* ---- frames that are refused ------------------------------------------------------- */

static void post_refused(GstRvosSeg *self, const GstCaps *caps, gboolean fatal)
{
    g_autoptr(GstCaps) taken = taken_caps(self, FALSE);
    g_autofree gchar *whole = gst_caps_to_string(caps);
    g_autofree gchar *words = gst_rvos_words_refused(caps, taken);

    if (fatal)
        GST_ELEMENT_ERROR(self, STREAM, FORMAT, ("%s", words), ("%s", whole));
    else
        GST_ELEMENT_WARNING(self, STREAM, FORMAT, ("%s", words), ("%s", whole));
}

/* ---- upstream --------------------------------------------------------------------- */

/* The sink pad of an element that forwards what it gets and cannot convert, given its
 * source pad: queues, tees, bins, and base transforms, which ask only for caps about
 * which they have no choice. A new reference; NULL: the element is of another kind. */
static GstPad *pad_behind(GstPad *src)
{
    GstPad *found = NULL;
    g_autoptr(GstObject) parent = gst_pad_get_parent(src);
    g_autoptr(GstIterator) pads = NULL;
    GValue item = G_VALUE_INIT;

    if (GST_IS_PROXY_PAD(src))
        return GST_PAD(gst_proxy_pad_get_internal(GST_PROXY_PAD(src)));
    pads = parent ? gst_pad_iterate_internal_links(src) : NULL;
    if (pads && gst_iterator_next(pads, &item) == GST_ITERATOR_OK) {
        found = g_value_dup_object(&item);
        g_value_unset(&item);
        if (!GST_PAD_IS_PROXY_CAPS(found) && !GST_IS_BASE_TRANSFORM(parent))
            gst_clear_object(&found);
    }
    return found;
}

/* Whether an element upstream has already sent these caps and gets the refusal as the
 * answer. If caps is NULL: whether a source is asking for all possible caps. */
static gboolean ends_stream(GstPad *sink, const GstCaps *caps)
{
    GstPad *pad = gst_object_ref(sink);
    gboolean ends = FALSE;

    for (guint i = 0; i < MAX_HOPS && pad && !ends; i++) {
        g_autoptr(GstPad) peer = gst_pad_get_peer(pad);
        g_autoptr(GstCaps) sent = peer && caps ? gst_pad_get_current_caps(peer) : NULL;
        g_autoptr(GstObject) parent = peer && !caps ? gst_pad_get_parent(peer) : NULL;

        ends = (sent && gst_caps_is_equal(sent, caps)) ||
               (parent && GST_IS_BASE_SRC(parent) && GST_PAD_IS_ACTIVE(peer));
        gst_object_unref(pad);
        pad = peer ? pad_behind(peer) : NULL;
    }
    gst_clear_object(&pad);
    return ends;
}

/* Posts one message for each caps until others are accepted. */
static void refused(GstRvosSeg *self, GstCaps *caps, gboolean ends)
{
    GstRvosNegotiation *negotiation = &self->negotiation;
    gboolean say;

    GST_OBJECT_LOCK(self);
    if (!negotiation->refused || !gst_caps_is_equal(negotiation->refused, caps)) {
        gst_caps_replace(&negotiation->refused, caps);
        negotiation->said = FALSE;
    }
    say = ends && self->started && !negotiation->said;
    negotiation->said |= say;
    GST_OBJECT_UNLOCK(self);
    if (say)
        post_refused(self, caps, TRUE);
}

/* TRUE once: sets *said. */
static gboolean first_time(GstRvosSeg *self, gboolean *said)
{
    GST_RVOS_OBJECT_LOCKED(self);
    gboolean first = self->started && !*said;

    *said |= first;
    return first;
}

static void refused_behind(GstRvosSeg *self, const GstCaps *caps)
{
    g_autoptr(GstCaps) behind =
        gst_pad_peer_query_caps(GST_BASE_TRANSFORM_SRC_PAD(self), NULL);
    g_autofree gchar *missing = NULL, *offered = NULL;

    if (!first_time(self, &self->negotiation.said))
        return;
    offered = gst_rvos_words_for(caps, behind, "videoscale", &missing);
    GST_ELEMENT_ERROR(self, STREAM, FORMAT,
                      ("%srvosseg gives the frames that it gets, here of %s, and the "
                       "element behind it does not take that: put %s behind it.",
                       wants_alpha(self) ? "output=alpha wants " GST_RVOS_ALPHA_WORDS
                                           " on both sides. "
                                         : "",
                       offered, missing),
                      ("%" GST_PTR_FORMAT, (void *)caps));
}

/* Explains why there is no common format: either we do not accept the caps, or the
 * element downstream does not. */
static void explain_empty(GstRvosSeg *self, GstCaps *caps)
{
    g_autoptr(GstCaps) both = taken_of(self, caps, FALSE);

    if (!gst_caps_is_empty(both))
        refused_behind(self, both);
    else
        refused(self, caps, TRUE);
}

void gst_rvos_caps_asked(GstRvosSeg *self, GstQuery *query)
{
    GstPad *sink = GST_BASE_TRANSFORM_SINK_PAD(self);
    GstCaps *caps, *result;
    gboolean accepted;

    if (GST_QUERY_TYPE(query) == GST_QUERY_ACCEPT_CAPS) {
        gst_query_parse_accept_caps(query, &caps);
        gst_query_parse_accept_caps_result(query, &accepted);
        if (!accepted && gst_caps_is_fixed(caps))
            refused(self, caps, ends_stream(sink, caps));
    } else if (GST_QUERY_TYPE(query) == GST_QUERY_CAPS) {
        gst_query_parse_caps(query, &caps);
        gst_query_parse_caps_result(query, &result);
        /* A negotiating source asks with all caps that it can make. */
        if (result && gst_caps_is_empty(result) && caps && !gst_caps_is_empty(caps) &&
            !gst_caps_is_any(caps) && GST_PAD_IS_ACTIVE(sink) && ends_stream(sink, NULL))
            explain_empty(self, caps);
    }
}

void gst_rvos_caps_came(GstRvosSeg *self, GstCaps *caps, gboolean good)
{
    GstPad *src = GST_BASE_TRANSFORM_SRC_PAD(self);
    g_autoptr(GstCaps) taken = NULL;
    GstVideoInfo info;

    if (good) {
        GST_OBJECT_LOCK(self);
        gst_clear_caps(&self->negotiation.refused);
        self->negotiation.said = FALSE;
        GST_OBJECT_UNLOCK(self);
        return;
    }
    taken = taken_caps(self, FALSE);
    if (gst_caps_can_intersect(caps, taken) && !gst_video_info_from_caps(&info, caps))
        refused(self, caps, TRUE);
    else if (gst_pad_is_linked(src) && !gst_pad_peer_query_accept_caps(src, caps))
        refused_behind(self, caps);
}

void gst_rvos_caps_ended(GstRvosSeg *self)
{
    g_autoptr(GstCaps) caps = NULL;
    gboolean alpha;

    if (gst_pad_has_current_caps(GST_BASE_TRANSFORM_SINK_PAD(self)))
        return;
    GST_OBJECT_LOCK(self);
    alpha = !self->negotiation.said && !self->negotiation.refused &&
            self->settings.output == GST_RVOS_SEG_OUTPUT_ALPHA;
    if (self->negotiation.refused && !self->negotiation.said)
        caps = gst_caps_ref(self->negotiation.refused);
    self->negotiation.said = TRUE;
    GST_OBJECT_UNLOCK(self);
    if (caps)
        post_refused(self, caps, FALSE);
    else if (alpha) /* some elements promise formats that they cannot make */
        GST_RVOS_SEG_WARN(self, STREAM, FORMAT,
                          "No frames came: output=alpha wants " ALPHA_ON_BOTH_SIDES);
}

void gst_rvos_caps_missed(GstRvosSeg *self)
{
    GstPad *sink = GST_BASE_TRANSFORM_SINK_PAD(self);

    if (!gst_pad_has_current_caps(sink) && !GST_PAD_IS_FLUSHING(sink) &&
        first_time(self, &self->negotiation.said))
        GST_RVOS_SEG_FAIL(self, STREAM, FORMAT,
                          "A frame came before its caps, so its format is not known: set "
                          "the caps of the source, such as the property caps of appsrc.");
}

void gst_rvos_caps_mask_refused(GstRvosSeg *self, GstPad *pad)
{
    g_autoptr(GstCaps) caps = gst_pad_get_current_caps(pad);
    g_autoptr(GstCaps) behind = NULL;
    g_autofree gchar *missing = NULL, *offered = NULL;

    if (!caps || gst_pad_peer_query_accept_caps(pad, caps) ||
        !first_time(self, &self->negotiation.mask_said))
        return;
    behind = gst_pad_peer_query_caps(pad, NULL);
    offered =
        gst_rvos_words_for(caps, behind, "videoscale method=nearest-neighbour", &missing);
    GST_RVOS_SEG_FAIL(self, STREAM, FORMAT,
                      "What is linked to the pad mask does not take %s: put %s between "
                      "them.",
                      offered, missing);
}

/* ---- output=alpha ------------------------------------------------------------------ */

/* Whether both neighbours support a format with an alpha channel. */
static gboolean alpha_possible(GstRvosSeg *self)
{
    g_autoptr(GstCaps) wanted = taken_caps(self, TRUE);
    g_autoptr(GstCaps) before =
        gst_pad_peer_query_caps(GST_BASE_TRANSFORM_SINK_PAD(self), wanted);
    g_autoptr(GstCaps) behind =
        gst_pad_peer_query_caps(GST_BASE_TRANSFORM_SRC_PAD(self), wanted);
    g_autoptr(GstCaps) both = gst_caps_intersect(before, behind);

    return gst_caps_can_intersect(both, wanted);
}

static gboolean has_alpha(GstRvosSeg *self)
{
    g_autoptr(GstCaps) caps = gst_pad_get_current_caps(GST_BASE_TRANSFORM_SINK_PAD(self));
    GstVideoInfo info;

    /* Without caps, negotiation is still to come. */
    return !caps ||
           (gst_video_info_from_caps(&info, caps) && GST_VIDEO_INFO_HAS_ALPHA(&info));
}

gboolean gst_rvos_caps_allow_output(GstRvosSeg *self, gint output)
{
    gboolean wanted = output == GST_RVOS_SEG_OUTPUT_ALPHA;
    gboolean has = !wanted || has_alpha(self);
    gboolean allowed = has || alpha_possible(self);

    GST_OBJECT_LOCK(self);
    /* Before the start nothing has been shown that could go on. */
    if (!self->started)
        self->negotiation.shown = GST_RVOS_SEG_OUTPUT_NONE;
    else if (allowed && self->settings.output != GST_RVOS_SEG_OUTPUT_ALPHA)
        self->negotiation.shown = self->settings.output;
    self->negotiation.waited = allowed && !has ? 0 : MAX_WAITED;
    GST_OBJECT_UNLOCK(self);
    if (!allowed)
        GST_RVOS_SEG_WARN(self, RESOURCE, SETTINGS,
                          "The property output stays as it is: output=alpha wants "
                          "frames in " ALPHA_ON_BOTH_SIDES);
    return allowed;
}

void gst_rvos_caps_settle_output(GstRvosSeg *self)
{
    GstRvosNegotiation *negotiation = &self->negotiation;
    GstRvosSettings *settings = &self->frame.settings;
    gboolean say;

    if (settings->output != GST_RVOS_SEG_OUTPUT_ALPHA ||
        GST_VIDEO_INFO_HAS_ALPHA(&self->caps_info))
        return;
    GST_OBJECT_LOCK(self);
    settings->output = negotiation->shown;
    say = negotiation->waited == MAX_WAITED;
    if (negotiation->waited <= MAX_WAITED)
        negotiation->waited++;
    GST_OBJECT_UNLOCK(self);
    if (say)
        GST_RVOS_SEG_WARN(self, RESOURCE, SETTINGS,
                          "output=alpha has no effect, as frames come without an alpha "
                          "channel: it wants " ALPHA_ON_BOTH_SIDES);
}

/* ---- metadata --------------------------------------------------------------------- */

void gst_rvos_caps_filter_metas(GstQuery *query)
{
    /* With these metadata the picture's shape differs from the pixels', so masks on other
     * pads and metadata would not match. The last one would show pixels from before the
     * drawing. */
    const GType taken_out[] = {GST_VIDEO_CROP_META_API_TYPE,
                               GST_VIDEO_AFFINE_TRANSFORMATION_META_API_TYPE,
                               GST_VIDEO_GL_TEXTURE_UPLOAD_META_API_TYPE};
    guint index;

    for (guint i = 0; i < G_N_ELEMENTS(taken_out); i++)
        while (gst_query_find_allocation_meta(query, taken_out[i], &index))
            gst_query_remove_nth_allocation_meta(query, index);
}
