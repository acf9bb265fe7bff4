/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* gstrvosseedmeta.c - initial masks from the metadata of a frame: masks of another
 * rvosseg, regions, and boxes of a detector. */
#include "gstrvosseeds.h"

#include <string.h>

#include "gstrvosmeta.h"

#define GST_CAT_DEFAULT gst_rvos_seg_debug

#define FITS 0.4    /* overlap of a box with an object's, from which on it is its box */
#define PATIENCE 30 /* frames until a box is tried again */

/* The slots that cannot take a new object. */
static guint32 busy_slots(const GstRvosSeeds *seeds, guint32 taken)
{
    return seeds->followed | gst_rvos_tracker_occupied(seeds->tracker) | taken;
}

/* The lowest slot that is not busy; 0: none. */
static guint free_slot(const GstRvosSeeds *seeds, guint32 busy)
{
    for (guint slot = 1; slot <= seeds->n_slots; slot++)
        if (!(busy & 1u << (slot - 1)))
            return slot;
    return 0;
}

static const GstVideoRegionOfInterestMeta *next_region(GstBuffer *buffer, gpointer *state)
{
    return (GstVideoRegionOfInterestMeta *)gst_buffer_iterate_meta_filtered(
        buffer, state, GST_VIDEO_REGION_OF_INTEREST_META_API_TYPE);
}

/* ---- regions ---------------------------------------------------------------------- */

static void fill_box(GstRvosMask *mask, const GstVideoRegionOfInterestMeta *roi,
                     guint8 slot)
{
    guint width = (guint)mask->picture.width, height = (guint)mask->picture.height;
    guint right = roi->x < width ? roi->x + MIN(roi->w, width - roi->x) : 0;
    guint bottom = roi->y < height ? roi->y + MIN(roi->h, height - roi->y) : 0;

    for (guint y = roi->y; y < bottom && roi->x < right; y++) {
        memset(mask->picture.pixels + (gsize)y * width + roi->x, slot, right - roi->x);
        mask->facts.has[slot] = true;
        mask->facts.highest = MAX(mask->facts.highest, slot);
    }
}

/* Says once why a region is not used. */
static void warn_region(GstRvosSeeds *seeds, const GstVideoRegionOfInterestMeta *roi)
{
    if (seeds->region_said)
        return;
    seeds->region_said = TRUE;
    if (roi->id > (gint)seeds->n_slots)
        GST_RVOS_WARN(seeds->notices, STREAM, FAILED,
                      "A region " GST_RVOS_ROI_INIT " of object %d is ignored, because "
                      "there are %u slots. Set the property objects.",
                      roi->id, seeds->n_slots);
    else
        GST_RVOS_WARN(seeds->notices, STREAM, FAILED,
                      "A region " GST_RVOS_ROI_INIT
                      " is ignored, because it has no pixel "
                      "of the frame: %ux%u at %u,%u of %dx%d.",
                      roi->w, roi->h, roi->x, roi->y, GST_VIDEO_INFO_WIDTH(seeds->info),
                      GST_VIDEO_INFO_HEIGHT(seeds->info));
}

static gboolean has_pixel(GstRvosSeeds *seeds, const GstVideoRegionOfInterestMeta *roi)
{
    return roi->w > 0 && roi->h > 0 &&
           roi->x < (guint)GST_VIDEO_INFO_WIDTH(seeds->info) &&
           roi->y < (guint)GST_VIDEO_INFO_HEIGHT(seeds->info);
}

/* A region's id is its slot. A region without id gets the lowest free slot. */
static guint slot_of_roi(GstRvosSeeds *seeds, const GstVideoRegionOfInterestMeta *roi,
                         guint32 busy)
{
    if (roi->id > 0)
        return (guint)roi->id;
    return free_slot(seeds, busy);
}

/* Makes an empty mask of the frame's size. */
static gboolean make_mask(GstRvosSeeds *seeds, GstRvosMask *mask)
{
    struct pic_error error;

    if (pic_alloc(&mask->picture, GST_VIDEO_INFO_WIDTH(seeds->info),
                  GST_VIDEO_INFO_HEIGHT(seeds->info), 1, &error))
        return GST_RVOS_ERROR(seeds->notices, RESOURCE, NO_SPACE_LEFT,
                              "A mask of regions %s.", error.words);
    memset(mask->picture.pixels, 0,
           (gsize)mask->picture.width * (gsize)mask->picture.height);
    return TRUE;
}

static gboolean apply_regions(GstRvosSeeds *seeds, GstBuffer *buffer, guint32 *taken)
{
    GQuark wanted = g_quark_from_static_string(GST_RVOS_ROI_INIT);
    guint32 busy = busy_slots(seeds, *taken);
    g_auto(GstRvosMask) mask = {0};
    const GstVideoRegionOfInterestMeta *roi;
    gpointer state = NULL;

    while ((roi = next_region(buffer, &state)) != NULL) {
        guint slot;

        if (roi->roi_type != wanted)
            continue;
        if (roi->id > (gint)seeds->n_slots || !has_pixel(seeds, roi)) {
            warn_region(seeds, roi);
            continue;
        }
        slot = slot_of_roi(seeds, roi, busy);
        if (slot == 0 || busy & 1u << (slot - 1))
            continue;
        if (!mask.picture.pixels && !make_mask(seeds, &mask))
            return FALSE;
        fill_box(&mask, roi, (guint8)slot);
        busy |= 1u << (slot - 1);
    }
    return !mask.picture.pixels ||
           gst_rvos_seeds_show(seeds, &mask, G_MAXUINT32, taken) != GST_RVOS_FAILED;
}

/* ---- the mask of another rvosseg -------------------------------------------------- */

static gboolean apply_mask(GstRvosSeeds *seeds, GstBuffer *buffer, guint32 *taken)
{
    guint32 all = seeds->n_slots < 32 ? (1u << seeds->n_slots) - 1 : G_MAXUINT32;
    guint width, height;
    GstBuffer *buffer_of_mask = gst_rvos_meta_get_mask(buffer, &width, &height);
    g_auto(GstRvosMask) mask = {0};
    struct pic_error error;

    /* Auto mode finds objects itself, so objects of another rvosseg would exist twice. */
    if (seeds->task == RVOS_TASK_AUTO || !buffer_of_mask || (all & ~seeds->followed) == 0)
        return TRUE;
    /* Use the size in the metadata, because the frame may have been scaled since. */
    if (!gst_rvos_mask_from_buffer(buffer_of_mask, width, height, &mask, &error)) {
        if (!seeds->meta_said)
            GST_RVOS_WARN(seeds->notices, STREAM, FAILED,
                          "The mask in a frame's metadata is not used: it %s.",
                          error.words);
        seeds->meta_said = TRUE;
        return TRUE;
    }
    return gst_rvos_seeds_show(seeds, &mask, ~seeds->followed, taken) != GST_RVOS_FAILED;
}

gboolean gst_rvos_seed_meta_apply(GstRvosSeeds *seeds, GstBuffer *buffer, guint32 *taken)
{
    return apply_mask(seeds, buffer, taken) && apply_regions(seeds, buffer, taken);
}

/* ---- reading detections --------------------------------------------------- */

static guint from_regions(GstBuffer *buffer, GstRvosDetection *out, guint most)
{
    GQuark ours = g_quark_from_static_string(GST_RVOS_ROI_OBJECT);
    GQuark init = g_quark_from_static_string(GST_RVOS_ROI_INIT);
    const GstVideoRegionOfInterestMeta *roi;
    gpointer state = NULL;
    guint n = 0;

    while (n < most && (roi = next_region(buffer, &state)) != NULL) {
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

/* ---- seeding --------------------------------------------------------------------- */

/* One-shot mode seeds the whole box, because it has no decoder that finds the object in
 * it. */
static gboolean seed_rectangle(GstRvosSeeds *seeds, const GstRvosDetection *box,
                               guint slot, guint32 *taken)
{
    GstVideoRegionOfInterestMeta region = {
        .x = (guint)MAX(box->x, 0),
        .y = (guint)MAX(box->y, 0),
        .w = (guint)MAX(box->width + MIN(box->x, 0), 0),
        .h = (guint)MAX(box->height + MIN(box->y, 0), 0),
    };
    g_auto(GstRvosMask) mask = {0};

    if (!make_mask(seeds, &mask))
        return FALSE;
    fill_box(&mask, &region, (guint8)slot);
    return gst_rvos_seeds_show(seeds, &mask, G_MAXUINT32, taken) != GST_RVOS_FAILED;
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
    guint32 busy = busy_slots(seeds, *taken);
    guint slot;

    for (guint i = 0; i < seeds->n_slots; i++)
        busy |= seeded[i].frames > 0 ? 1u << i : 0;
    slot = free_slot(seeds, busy);
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
