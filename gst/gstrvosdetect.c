/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "gstrvosseeds.h"

#include "gstrvosmeta.h"

#define GST_CAT_DEFAULT gst_rvos_seg_debug

#define FITS 0.4    /* overlap of a box with an object's, from which on it is its box */
#define PATIENCE 30 /* frames until a box is tried again */

/* ---- reading detections --------------------------------------------------- */

static guint from_regions(GstBuffer *buffer, GstRvosDetection *out, guint most)
{
    GQuark ours = g_quark_from_static_string(GST_RVOS_ROI_OBJECT);
    GQuark init = g_quark_from_static_string(GST_RVOS_ROI_INIT);
    gpointer state = NULL;
    GstMeta *meta;
    guint n = 0;

    while (n < most &&
           (meta = gst_buffer_iterate_meta_filtered(
                buffer, &state, GST_VIDEO_REGION_OF_INTEREST_META_API_TYPE)) != NULL) {
        const GstVideoRegionOfInterestMeta *roi = (GstVideoRegionOfInterestMeta *)meta;

        if (roi->roi_type == ours || roi->roi_type == init || roi->x > G_MAXINT / 2 ||
            roi->y > G_MAXINT / 2)
            continue;
        out[n++] = (GstRvosDetection){
            .x = (gint)roi->x,
            .y = (gint)roi->y,
            .width = (gint)MIN(roi->w, G_MAXINT / 2),
            .height = (gint)MIN(roi->h, G_MAXINT / 2),
            .label = roi->roi_type,
        };
    }
    return n;
}

/* Structures and Pango take UTF-8 only; a detector may give any bytes. */
static GQuark in_utf8(GQuark label)
{
    const gchar *name = g_quark_to_string(label);
    g_autofree gchar *valid = name ? g_utf8_make_valid(name, -1) : NULL;

    return g_quark_from_string(valid);
}

static guint read_detections(GstBuffer *buffer, GstRvosDetection *out)
{
    guint n = from_regions(buffer, out, GST_RVOS_MAX_DETECTIONS);

#ifdef HAVE_ANALYTICS
    n += gst_rvos_analytics_detections(buffer, out + n, GST_RVOS_MAX_DETECTIONS - n);
#endif
    for (guint i = 0; i < n; i++)
        out[i].label = in_utf8(out[i].label);
    return n;
}

/* ---- new detections -------------------------------------------------------- */

/* Intersection over union. */
static gdouble overlap_of(const GstRvosDetection *a, const GstRvosDetection *b)
{
    gdouble width =
        MIN((gdouble)a->x + a->width, (gdouble)b->x + b->width) - MAX(a->x, b->x);
    gdouble height =
        MIN((gdouble)a->y + a->height, (gdouble)b->y + b->height) - MAX(a->y, b->y);
    gdouble both = width > 0 && height > 0 ? width * height : 0;
    gdouble either = (gdouble)a->width * a->height + (gdouble)b->width * b->height - both;

    return either > 0 ? both / either : 0;
}

/* The slot (from 1; 0: none) of the object whose box fits best, followed or recently
 * seeded. */
static guint fitting_slot(GstRvosSeeds *seeds, const GstRvosSeeded *seeded,
                          const GstRvosDetection *box)
{
    gdouble best = FITS;
    guint slot = 0;

    for (guint i = 0; i < seeds->n_slots; i++) {
        const rvos_object *seen = &seeds->tracker->track[i].object.seen;
        GstRvosDetection object = {seen->x, seen->y, seen->width, seen->height, 0};
        gdouble overlap = seen->present ? overlap_of(box, &object) : 0;

        if (seeded[i].frames > 0)
            overlap = MAX(overlap, overlap_of(box, &seeded[i].box));
        if (overlap < best)
            continue;
        best = overlap;
        slot = i + 1;
    }
    return slot;
}

static guint free_slot(GstRvosSeeds *seeds, const GstRvosSeeded *seeded, guint32 taken)
{
    guint32 busy = gst_rvos_seeds_busy(seeds, taken);

    for (guint slot = 1; slot <= seeds->n_slots; slot++)
        if (!(busy & 1u << (slot - 1)) && seeded[slot - 1].frames == 0)
            return slot;
    return 0;
}

/* ---- seeding --------------------------------------------------------------------- */

/* One-shot mode seeds the whole box, because it has no decoder that finds the object in
 * it. */
static gboolean seed_rectangle(GstRvosSeeds *seeds, const GstRvosDetection *box,
                               guint slot, guint32 *taken)
{
    GstVideoRegionOfInterestMeta region = {
        .id = (gint)slot,
        .x = (guint)MAX(box->x, 0),
        .y = (guint)MAX(box->y, 0),
        .w = (guint)MAX(box->width + MIN(box->x, 0), 0),
        .h = (guint)MAX(box->height + MIN(box->y, 0), 0),
    };

    return gst_rvos_seed_meta_show_region(seeds, &region, taken);
}

static gboolean seed_foreground(GstRvosSeeds *seeds, const GstRvosDetection *box,
                                guint slot, guint32 *taken)
{
    gfloat width = (gfloat)GST_VIDEO_INFO_WIDTH(seeds->info);
    gfloat height = (gfloat)GST_VIDEO_INFO_HEIGHT(seeds->info);
    rvos_box part = {
        .x = (gfloat)box->x / width,
        .y = (gfloat)box->y / height,
        .width = (gfloat)box->width / width,
        .height = (gfloat)box->height / height,
    };
    gint status = rvos_stream_seed_box(seeds->stream, (gint)slot, &part);

    if (status == RVOS_OK) {
        *taken |= 1u << (slot - 1);
        return TRUE;
    }
    return GST_RVOS_ERROR(seeds->notices, LIBRARY, FAILED,
                          "A detector's box could not be used: %s.",
                          rvos_strerror(status));
}

static gboolean start_object(GstRvosSeeds *seeds, GstRvosSeeded *seeded,
                             const GstRvosDetection *box, guint32 *taken)
{
    guint slot = free_slot(seeds, seeded, *taken);

    if (slot == 0) {
        GST_DEBUG("no slot is free for a detector's box at %d,%d", box->x, box->y);
        return TRUE;
    }
    GST_DEBUG("slot %u: %s at %d,%d %dx%d", slot, g_quark_to_string(box->label), box->x,
              box->y, box->width, box->height);
    seeded[slot - 1] = (GstRvosSeeded){*box, PATIENCE};
    gst_rvos_tracker_label(seeds->tracker, slot, box->label);
    return seeds->task == RVOS_TASK_AUTO ? seed_foreground(seeds, box, slot, taken)
                                         : seed_rectangle(seeds, box, slot, taken);
}

static gboolean on_frame(GstRvosSeeds *seeds, const GstRvosDetection *box)
{
    return box->width > 0 && box->height > 0 && (gdouble)box->x + box->width > 0 &&
           (gdouble)box->y + box->height > 0 &&
           box->x < GST_VIDEO_INFO_WIDTH(seeds->info) &&
           box->y < GST_VIDEO_INFO_HEIGHT(seeds->info);
}

gboolean gst_rvos_detect_apply(GstRvosSeeds *seeds, GstRvosSeeded *seeded,
                               GstBuffer *buffer, guint32 *taken)
{
    GstRvosDetection box[GST_RVOS_MAX_DETECTIONS];
    guint n = read_detections(buffer, box);

    for (guint i = 0; i < seeds->n_slots; i++)
        seeded[i].frames -= seeded[i].frames > 0;
    for (guint i = 0; i < n; i++) {
        guint slot = on_frame(seeds, &box[i]) ? fitting_slot(seeds, seeded, &box[i]) : 0;

        if (slot > 0)
            gst_rvos_tracker_label(seeds->tracker, slot, box[i].label);
        else if (on_frame(seeds, &box[i]) && !start_object(seeds, seeded, &box[i], taken))
            return FALSE;
    }
    return TRUE;
}
