/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "gstrvosseeds.h"

#include <string.h>

#include "gstrvosmeta.h"

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

/* A region's id is its slot. A region without id gets the lowest free slot. */
static guint slot_of_roi(GstRvosSeeds *seeds, const GstVideoRegionOfInterestMeta *roi,
                         guint32 busy)
{
    if (roi->id > 0)
        return (guint)roi->id <= seeds->n_slots ? (guint)roi->id : 0;
    for (guint slot = 1; slot <= seeds->n_slots; slot++)
        if (!(busy & 1u << (slot - 1)))
            return slot;
    return 0;
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

gboolean gst_rvos_seed_meta_show_region(GstRvosSeeds *seeds,
                                        const GstVideoRegionOfInterestMeta *region,
                                        guint32 *taken)
{
    GstRvosMask mask = {0};
    gboolean good = make_mask(seeds, &mask);

    if (good) {
        fill_box(&mask, region, (guint8)region->id);
        good = gst_rvos_seeds_show(seeds, &mask, G_MAXUINT32, taken) != GST_RVOS_FAILED;
    }
    gst_rvos_mask_clear(&mask);
    return good;
}

static gboolean apply_regions(GstRvosSeeds *seeds, GstBuffer *buffer, guint32 *taken)
{
    GQuark wanted = g_quark_from_static_string(GST_RVOS_ROI_INIT);
    guint32 busy = gst_rvos_seeds_busy(seeds, *taken);
    GstRvosMask mask = {0};
    gpointer state = NULL;
    GstMeta *meta;
    gboolean good = TRUE;

    while ((meta = gst_buffer_iterate_meta_filtered(
                buffer, &state, GST_VIDEO_REGION_OF_INTEREST_META_API_TYPE)) != NULL) {
        const GstVideoRegionOfInterestMeta *roi = (GstVideoRegionOfInterestMeta *)meta;
        guint slot;

        if (roi->roi_type != wanted)
            continue;
        slot = slot_of_roi(seeds, roi, busy);
        if (slot == 0 || busy & 1u << (slot - 1))
            continue;
        if (!mask.picture.pixels && !make_mask(seeds, &mask))
            return FALSE;
        fill_box(&mask, roi, (guint8)slot);
        busy |= 1u << (slot - 1);
    }
    if (mask.picture.pixels)
        good = gst_rvos_seeds_show(seeds, &mask, G_MAXUINT32, taken) != GST_RVOS_FAILED;
    gst_rvos_mask_clear(&mask);
    return good;
}

/* ---- the mask of another rvosseg -------------------------------------------------- */

static void say_bad(GstRvosSeeds *seeds, const gchar *words)
{
    if (seeds->meta_said)
        return;
    seeds->meta_said = TRUE;
    GST_RVOS_WARN(seeds->notices, STREAM, FAILED,
                  "The mask in a frame's metadata is not used: it %s.", words);
}

static gboolean apply_mask(GstRvosSeeds *seeds, GstBuffer *buffer, guint32 *taken)
{
    guint32 all = seeds->n_slots < 32 ? (1u << seeds->n_slots) - 1 : G_MAXUINT32;
    guint width, height;
    GstBuffer *buffer_of_mask = gst_rvos_meta_get_mask(buffer, &width, &height);
    struct pic_error error;
    GstRvosMask mask;
    GstRvosShown shown;

    /* Auto mode finds objects itself, so objects of another rvosseg would exist twice. */
    if (seeds->task == RVOS_TASK_AUTO || !buffer_of_mask || (all & ~seeds->followed) == 0)
        return TRUE;
    /* Use the size in the metadata, because the frame may have been scaled since. */
    if (!gst_rvos_mask_from_buffer(buffer_of_mask, width, height, &mask, &error)) {
        say_bad(seeds, error.words);
        return TRUE;
    }
    shown = gst_rvos_seeds_show(seeds, &mask, ~seeds->followed, taken);
    gst_rvos_mask_clear(&mask);
    return shown != GST_RVOS_FAILED;
}

gboolean gst_rvos_seed_meta_apply(GstRvosSeeds *seeds, GstBuffer *buffer, guint32 *taken)
{
    return apply_mask(seeds, buffer, taken) && apply_regions(seeds, buffer, taken);
}
