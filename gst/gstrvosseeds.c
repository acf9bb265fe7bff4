/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "gstrvosseeds.h"

#define GST_CAT_DEFAULT gst_rvos_seg_debug

gboolean gst_rvos_seeds_fail(GstRvosSeeds *seeds, int status, const gchar *what)
{
    return gst_rvos_model_explain(seeds->model, status, what, seeds->notices);
}

static guint32 slots_of(GstRvosSeeds *seeds, const GstRvosMask *mask)
{
    guint32 slots = gst_rvos_mask_slots(mask, seeds->n_slots);

    if (slots != 0 && mask->facts.highest > (int)seeds->n_slots && !seeds->above_said) {
        seeds->above_said = TRUE;
        GST_RVOS_WARN(
            seeds->notices, STREAM, FAILED,
            "An initial mask has object %d, but there are %u slots: objects above are "
            "ignored. Set the property objects.",
            mask->facts.highest, seeds->n_slots);
    }
    return slots;
}

GstRvosShown gst_rvos_seeds_show(GstRvosSeeds *seeds, const GstRvosMask *mask,
                                 guint32 allowed, guint32 *taken)
{
    guint32 slots = slots_of(seeds, mask);
    rvos_labels labels = {
        .memory = RVOS_MEMORY_HOST,
        .width = mask->picture.width,
        .height = mask->picture.height,
        .data = mask->picture.pixels,
        .stride = (ptrdiff_t)mask->picture.width,
    };
    int status;

    if (slots == 0)
        return mask->facts.highest > 0 ? GST_RVOS_ABOVE : GST_RVOS_NOTHING_TO_SHOW;
    slots &= allowed & ~*taken;
    if (slots == 0)
        return GST_RVOS_NOTHING_TO_SHOW;
    gst_rvos_shape_check_mask(seeds->shape, seeds->info, mask->picture.width,
                              mask->picture.height, seeds->notices);
    status = rvos_stream_seed(seeds->stream, &labels, slots);
    if (status == RVOS_OK) {
        *taken |= slots;
        seeds->followed |= slots;
        seeds->ever = TRUE;
        GST_DEBUG("slots 0x%x get an initial mask", slots);
        return GST_RVOS_SHOWN;
    }
    gst_rvos_seeds_fail(seeds, status, "An initial mask could not be used");
    return GST_RVOS_FAILED;
}

void gst_rvos_seeds_explain_rest(GstRvosSeeds *seeds)
{
    if (seeds->ever && !seeds->lost_said) {
        seeds->lost_said = TRUE;
        GST_RVOS_WARN(seeds->notices, STREAM, FAILED,
                      "The objects that were followed are gone (a reset, or "
                      "drop-object): nothing is segmented until the next mask.");
    } else if (!seeds->given && !seeds->ever && !seeds->none_said) {
        seeds->none_said = TRUE;
        GST_RVOS_WARN(seeds->notices, STREAM, FAILED,
                      "There is no initial mask yet: nothing is segmented. Set "
                      "init-mask-location or emit set-mask.");
    }
}
