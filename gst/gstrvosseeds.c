/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "gstrvosseg.h"

#define GST_CAT_DEFAULT gst_rvos_seg_debug

/* The mask of a picture that was not segmented (dropped as late, a gap) is used for one
 * of so many pictures behind it. */
#define CARRY 10

/* ---- lifetime -------------------------------------------------------------------- */

gboolean gst_rvos_seeds_are_taken(const GstRvosSeg *self)
{
    if (self->task != RVOS_TASK_DEFAULT)
        return self->task != RVOS_TASK_ZERO_SHOT;
    return self->settings.mode != GST_RVOS_SEG_MODE_ZERO_SHOT;
}

/* The slots that there will be, where that is known before the model is opened. */
static gboolean check_slots(GstRvosSeg *self, const gchar *location,
                            GstRvosFailure *failure)
{
    const struct mask_facts *facts = &self->seeds.single.facts;
    guint n_slots = self->settings.objects;

    if (!self->seeds.single.picture.pixels || n_slots == 0)
        return TRUE;
    for (guint slot = 1; slot <= n_slots; slot++)
        if (facts->has[slot])
            return TRUE;
    gst_rvos_failure_set(failure, GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_SETTINGS, NULL,
                         "The mask file \"%s\" holds the values %s, and there are %u "
                         "slots: none of its objects can be followed. Set objects=%d.",
                         location, facts->values, n_slots, facts->highest);
    return FALSE;
}

static guint64 last_number(const GstRvosSeeds *seeds)
{
    GHashTableIter iter;
    gpointer value;
    guint64 last = 0;

    if (!seeds->files)
        return 0;
    g_hash_table_iter_init(&iter, seeds->files);
    while (g_hash_table_iter_next(&iter, NULL, &value))
        last = MAX(last, ((GstRvosMaskFile *)value)->number);
    return last;
}

gboolean gst_rvos_seeds_open(GstRvosSeg *self, const gchar *location,
                             GstRvosFailure *failure)
{
    self->seeds = (GstRvosSeeds){.first_time = GST_CLOCK_TIME_NONE};
    if (!gst_rvos_seeds_are_taken(self)) {
        gst_rvos_requests_drop_masks(self);
        if (location && *location)
            GST_ELEMENT_WARNING(self, LIBRARY, SETTINGS,
                                ("init-mask-location is not used in zero-shot mode. Set "
                                 "mode=one-shot to follow the objects of a mask."),
                                (NULL));
        return TRUE;
    }
    if (!location || !*location)
        return TRUE;
    self->seeds.given = TRUE;
    self->seeds.location = g_strdup(location);
    if (!gst_rvos_mask_files_open(&self->seeds, location, failure) ||
        !check_slots(self, location, failure))
        return FALSE;
    if (self->seeds.files)
        gst_rvos_numbers_open(&self->seeds.numbers, last_number(&self->seeds));
    g_atomic_int_set(&self->masks_wait, self->seeds.files != NULL);
    return TRUE;
}

void gst_rvos_seeds_close(GstRvosSeg *self)
{
    GstRvosSeeds *seeds = &self->seeds;

    g_atomic_int_set(&self->masks_wait, FALSE);
    gst_rvos_numbers_close(&seeds->numbers);
    g_clear_pointer(&seeds->files, g_hash_table_unref);
    g_clear_pointer(&seeds->location, g_free);
    gst_rvos_mask_clear(&seeds->single);
    *seeds = (GstRvosSeeds){.first_time = GST_CLOCK_TIME_NONE};
    gst_rvos_requests_clear(self);
}

/* ---- showing masks to the network -------------------------------------------------- */

static guint32 slots_of(GstRvosSeg *self, const GstRvosMask *mask)
{
    guint32 slots = 0;

    for (guint slot = 1; slot <= self->n_slots; slot++)
        if (mask->facts.has[slot])
            slots |= 1u << (slot - 1);
    if (slots != 0 && mask->facts.highest > (int)self->n_slots &&
        !self->seeds.above_said) {
        self->seeds.above_said = TRUE;
        GST_ELEMENT_WARNING(self, STREAM, FAILED,
                            ("An initial mask has object %d, but there are %u slots: "
                             "objects above are ignored. Set the property objects.",
                             mask->facts.highest, self->n_slots),
                            (NULL));
    }
    return slots;
}

GstRvosShown gst_rvos_seeds_show(GstRvosSeg *self, const GstRvosMask *mask,
                                 guint32 allowed, guint32 *taken)
{
    guint32 slots = slots_of(self, mask);
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
    gst_rvos_shape_check_mask(self, mask->picture.width, mask->picture.height);
    status = rvos_stream_seed(self->stream, &labels, slots);
    if (status == RVOS_OK) {
        *taken |= slots;
        self->seeds.followed |= slots;
        self->seeds.ever = TRUE;
        GST_DEBUG_OBJECT(self, "slots 0x%x get an initial mask", slots);
        return GST_RVOS_SHOWN;
    }
    gst_rvos_run_explain(self, status, "An initial mask could not be used");
    return GST_RVOS_FAILED;
}

static gboolean show_file(GstRvosSeg *self, const GstRvosMask *mask, const gchar *path,
                          guint32 *taken)
{
    switch (gst_rvos_seeds_show(self, mask, G_MAXUINT32, taken)) {
    case GST_RVOS_FAILED:
        return FALSE;
    case GST_RVOS_ABOVE:
        GST_ELEMENT_ERROR(self, RESOURCE, SETTINGS,
                          ("The mask file \"%s\" holds the values %s, and there are %u "
                           "slots: none of its objects can be followed. Set objects=%d.",
                           path, mask->facts.values, self->n_slots, mask->facts.highest),
                          (NULL));
        return FALSE;
    default:
        return TRUE;
    }
}

/* ---- which file belongs to which picture ----------------------------------------------
 */

static void say_unknown(GstRvosSeg *self)
{
    guint unused = 0;

    g_free(gst_rvos_mask_files_unused(&self->seeds, &unused));
    if (self->seeds.unknown_said || unused == 0)
        return;
    self->seeds.unknown_said = TRUE;
    GST_ELEMENT_WARNING(
        self, STREAM, FAILED,
        ("After this seek the number of a picture is not known, so masks "
         "that are named by number (\"%s\") are not used until the stream "
         "comes back to a picture that it has shown, or starts again.",
         self->seeds.location),
        ("the frame rate is not constant, or not known"));
}

void gst_rvos_seeds_picture(GstRvosSeg *self)
{
    GstRvosSeeds *seeds = &self->seeds;
    GstRvosMaskFile *file;

    seeds->pictures++;
    if (!seeds->files)
        return;
    seeds->numbers.backward = self->timeline.backward;
    seeds->number =
        gst_rvos_numbers_picture(&seeds->numbers, self->frame.stream_time,
                                 self->caps_info.fps_n, self->caps_info.fps_d);
    g_atomic_int_set(&self->masks_wait, seeds->number != GST_RVOS_NUMBER_UNKNOWN &&
                                            seeds->number < seeds->numbers.last_wanted);
    if (seeds->number == GST_RVOS_NUMBER_UNKNOWN) {
        seeds->due = NULL;
        say_unknown(self);
        return;
    }
    file = g_hash_table_lookup(seeds->files, &seeds->number);
    if (file)
        seeds->due = file;
    else if (seeds->due && (seeds->number < seeds->due->number ||
                            seeds->number - seeds->due->number > CARRY))
        seeds->due = NULL;
}

void gst_rvos_seeds_jump(GstRvosSeg *self)
{
    if (self->seeds.pictures > 0)
        self->seeds.sought = TRUE;
    self->seeds.due = NULL;
    if (self->seeds.files)
        gst_rvos_numbers_jump(&self->seeds.numbers);
}

gboolean gst_rvos_seeds_wait(GstRvosSeg *self)
{
    return g_atomic_int_get(&self->masks_wait);
}

/* The one file belongs to the first frame, and to its stream time when that comes round
 * again, as in a loop. */
static gboolean is_first_frame(GstRvosSeg *self)
{
    GstRvosSeeds *seeds = &self->seeds;
    GstClockTime time = self->frame.stream_time, half;

    if (!seeds->first_seen) {
        seeds->first_seen = TRUE;
        seeds->first_time = time;
        return TRUE;
    }
    if (!GST_CLOCK_TIME_IS_VALID(time) || !GST_CLOCK_TIME_IS_VALID(seeds->first_time))
        return FALSE;
    half = GST_CLOCK_TIME_IS_VALID(self->frame.duration) ? self->frame.duration / 2 : 0;
    return gst_rvos_time_distance(time, seeds->first_time) <= half;
}

static gboolean apply_files(GstRvosSeg *self, guint32 *taken)
{
    GstRvosSeeds *seeds = &self->seeds;
    GstRvosMaskFile *file = seeds->due;
    GstRvosFailure failure = {0};
    GstRvosMask mask;
    gboolean good;

    if (seeds->single.picture.pixels)
        return !is_first_frame(self) ||
               show_file(self, &seeds->single, seeds->location, taken);
    if (!file)
        return TRUE;
    seeds->due = NULL;
    file->used = TRUE;
    if (!gst_rvos_mask_read(file->path, &mask, &failure)) {
        gst_rvos_failure_post(&failure, GST_ELEMENT(self));
        return FALSE;
    }
    good = show_file(self, &mask, file->path, taken);
    gst_rvos_mask_clear(&mask);
    return good;
}

/* ---- all ------------------------------------------------------------------------- */

gboolean gst_rvos_seeds_apply(GstRvosSeg *self, GstBuffer *buffer, gboolean *applied)
{
    guint32 taken = 0;
    gboolean good;

    *applied = FALSE;
    good = gst_rvos_requests_apply(self, &taken, applied);
    if (good && gst_rvos_seeds_are_taken(self))
        good =
            apply_files(self, &taken) && gst_rvos_seeds_apply_metas(self, buffer, &taken);
    if (good && gst_rvos_seeds_are_taken(self) &&
        self->frame.settings.detector_seeds == GST_RVOS_SEG_DETECTOR_SEEDS_BOXES)
        good = gst_rvos_detect_apply(self, buffer, &taken);
    *applied = *applied || taken != 0;
    return good;
}

void gst_rvos_seeds_explain_rest(GstRvosSeg *self)
{
    GstRvosSeeds *seeds = &self->seeds;

    if (seeds->ever && !seeds->lost_said) {
        seeds->lost_said = TRUE;
        GST_ELEMENT_WARNING(self, STREAM, FAILED,
                            ("The objects that were followed are gone (a reset, or "
                             "drop-object): nothing is segmented until the next mask."),
                            (NULL));
    } else if (!seeds->given && !seeds->ever && !seeds->none_said) {
        seeds->none_said = TRUE;
        GST_ELEMENT_WARNING(self, STREAM, FAILED,
                            ("There is no initial mask yet: nothing is segmented. Set "
                             "init-mask-location or emit set-mask."),
                            (NULL));
    }
}

void gst_rvos_seeds_end(GstRvosSeg *self)
{
    GstRvosSeeds *seeds = &self->seeds;
    gchar *names;
    guint unused = 0;

    if (!seeds->files || seeds->pictures == 0)
        return;
    names = gst_rvos_mask_files_unused(seeds, &unused);
    if (!seeds->ever && !seeds->sought && self->settings.mode != GST_RVOS_SEG_MODE_AUTO)
        GST_ELEMENT_ERROR(self, STREAM, FAILED,
                          ("No object was followed: %u masks of \"%s\" belong to no "
                           "picture of this stream, and no other shows an object. It had "
                           "%" G_GUINT64_FORMAT " pictures, numbered from 0. %s",
                           unused, seeds->location, seeds->pictures, names ? names : ""),
                          (NULL));
    else if (unused > 0)
        GST_ELEMENT_WARNING(
            self, STREAM, FAILED,
            ("%u masks belong to no picture that was segmented: %s. There "
             "were %" G_GUINT64_FORMAT " pictures, numbered from 0.",
             unused, names, seeds->pictures),
            (NULL));
    g_free(names);
}
