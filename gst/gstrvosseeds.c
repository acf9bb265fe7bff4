/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "gstrvosseg.h"

#include "gstrvosframe.h"

#include <string.h>

#define GST_CAT_DEFAULT gst_rvos_seg_debug

/* ---- lifetime -------------------------------------------------------------------- */

gboolean gst_rvos_seeds_open(GstRvosSeg *self, const gchar *location,
                             GstRvosFailure *failure)
{
    self->seeds = (GstRvosSeeds){.first_time = GST_CLOCK_TIME_NONE};
    if (!location || !*location)
        return TRUE;
    if (self->settings.mode != GST_RVOS_SEG_MODE_ONE_SHOT) {
        GST_INFO_OBJECT(self, "zero-shot mode does not use init-mask-location");
        return TRUE;
    }
    return gst_rvos_mask_files_open(&self->seeds, location, failure);
}

void gst_rvos_seeds_close(GstRvosSeg *self)
{
    g_clear_pointer(&self->seeds.files, g_hash_table_unref);
    g_free(self->seeds.single.pixels);
    self->seeds = (GstRvosSeeds){.first_time = GST_CLOCK_TIME_NONE};
    GST_OBJECT_LOCK(self);
    g_queue_clear_full(&self->requests, gst_rvos_request_free);
    GST_OBJECT_UNLOCK(self);
}

void gst_rvos_request_free(gpointer data)
{
    GstRvosRequest *request = data;

    if (request->sample)
        gst_sample_unref(request->sample);
    g_free(request);
}

/* ---- showing masks to the network -------------------------------------------------- */

static guint32 slots_of(GstRvosSeg *self, const rvos_labels *masks)
{
    int highest = 0;
    guint32 slots = rvos_labels_slots(masks, &highest);

    if (highest > (int)self->n_slots && !self->seeds.above_said) {
        self->seeds.above_said = TRUE;
        GST_ELEMENT_WARNING(self, STREAM, FAILED,
                            ("An initial mask has object %d, but there are %u slots: "
                             "objects above are ignored. Set the property objects.",
                             highest, self->n_slots),
                            (NULL));
    }
    if (self->n_slots < RVOS_MAX_OBJECTS)
        slots &= (1u << self->n_slots) - 1;
    return slots;
}

static gboolean show(GstRvosSeg *self, const rvos_labels *masks, guint32 allowed,
                     guint32 *taken)
{
    guint32 slots = slots_of(self, masks) & allowed & ~*taken;
    GstRvosFailure failure = {0};
    gchar *words;
    int status;

    if (slots == 0)
        return TRUE;
    gst_rvos_shape_check_mask(self, masks->width, masks->height);
    status = rvos_stream_seed(self->stream, masks, slots);
    if (status == RVOS_OK) {
        *taken |= slots;
        self->seeds.followed |= slots;
        GST_DEBUG_OBJECT(self, "slots 0x%x get an initial mask", slots);
        return TRUE;
    }
    words = gst_rvos_model_last_words(self->model);
    gst_rvos_failure_set(&failure, GST_LIBRARY_ERROR, GST_LIBRARY_ERROR_FAILED, words,
                         "An initial mask could not be used: %s.", rvos_strerror(status));
    g_free(words);
    gst_rvos_failure_post(&failure, GST_ELEMENT(self));
    return FALSE;
}

static gboolean show_image(GstRvosSeg *self, const GstRvosMaskImage *image,
                           guint32 *taken)
{
    rvos_labels masks = {
        .memory = RVOS_MEMORY_HOST,
        .width = (int)image->width,
        .height = (int)image->height,
        .data = image->pixels,
        .stride = (ptrdiff_t)image->width,
    };

    return show(self, &masks, G_MAXUINT32, taken);
}

/* A mask that cannot be mapped is skipped: nothing is wrong with the stream. */
static gboolean show_gray(GstRvosSeg *self, GstBuffer *buffer, const GstVideoInfo *info,
                          guint32 allowed, guint32 *taken)
{
    GstVideoFrame frame;
    rvos_labels masks;
    gboolean good;

    if (!gst_video_frame_map(&frame, info, buffer, GST_MAP_READ)) {
        GST_WARNING_OBJECT(self, "an initial mask cannot be mapped");
        return TRUE;
    }
    gst_rvos_frame_to_labels(&frame, RVOS_MEMORY_HOST, &masks);
    good = show(self, &masks, allowed, taken);
    gst_video_frame_unmap(&frame);
    return good;
}

/* ---- by signal ------------------------------------------------------------------- */

static gboolean gray_info(GstSample *sample, GstVideoInfo *info)
{
    GstCaps *caps = gst_sample_get_caps(sample);

    return caps && gst_sample_get_buffer(sample) &&
           gst_video_info_from_caps(info, caps) &&
           GST_VIDEO_INFO_FORMAT(info) == GST_VIDEO_FORMAT_GRAY8 &&
           gst_buffer_get_size(gst_sample_get_buffer(sample)) > 0;
}

gboolean gst_rvos_seeds_set_mask(GstRvosSeg *self, GstSample *sample)
{
    const GstStructure *options;
    GstRvosRequest *request;
    GstVideoInfo info;
    gboolean replace = FALSE, one_shot;

    if (!sample || !gray_info(sample, &info)) {
        GST_WARNING_OBJECT(self, "set-mask wants a sample of GRAY8 video");
        return FALSE;
    }
    options = gst_sample_get_info(sample);
    if (options)
        gst_structure_get_boolean(options, "replace", &replace);
    GST_OBJECT_LOCK(self);
    one_shot = self->settings.mode == GST_RVOS_SEG_MODE_ONE_SHOT;
    if (one_shot) {
        request = g_new0(GstRvosRequest, 1);
        request->sample = gst_sample_ref(sample);
        request->replace = replace;
        g_queue_push_tail(&self->requests, request);
    }
    GST_OBJECT_UNLOCK(self);
    if (!one_shot)
        GST_WARNING_OBJECT(self, "set-mask wants mode=one-shot");
    return one_shot;
}

gboolean gst_rvos_seeds_drop_object(GstRvosSeg *self, guint slot)
{
    GstRvosRequest *request;
    gboolean good;

    GST_OBJECT_LOCK(self);
    good = slot >= 1 && slot <= (self->started ? self->n_slots : RVOS_MAX_OBJECTS);
    if (good) {
        request = g_new0(GstRvosRequest, 1);
        request->slot = slot;
        g_queue_push_tail(&self->requests, request);
    }
    GST_OBJECT_UNLOCK(self);
    return good;
}

/* A mask with a time waits for the first frame at or after it. */
static gboolean is_due(GstRvosSeg *self, const GstRvosRequest *request)
{
    GstClockTime time;

    if (!request->sample)
        return TRUE;
    time = GST_BUFFER_PTS(gst_sample_get_buffer(request->sample));
    return !GST_CLOCK_TIME_IS_VALID(time) ||
           !GST_CLOCK_TIME_IS_VALID(self->frame.timestamp) ||
           self->frame.timestamp >= time;
}

gboolean gst_rvos_seeds_want_reset(GstRvosSeg *self)
{
    gboolean wanted = FALSE;

    GST_OBJECT_LOCK(self);
    for (GList *l = self->requests.head; l && !wanted; l = l->next) {
        const GstRvosRequest *request = l->data;

        wanted = request->replace && is_due(self, request);
    }
    GST_OBJECT_UNLOCK(self);
    return wanted;
}

/* Takes the requests that are due off the queue, the others stay. */
static GList *take_due(GstRvosSeg *self)
{
    GList *due = NULL;

    GST_OBJECT_LOCK(self);
    for (GList *l = self->requests.head, *next; l; l = next) {
        next = l->next;
        if (is_due(self, l->data)) {
            due = g_list_prepend(due, l->data);
            g_queue_delete_link(&self->requests, l);
        }
    }
    GST_OBJECT_UNLOCK(self);
    return g_list_reverse(due);
}

static gboolean apply_requests(GstRvosSeg *self, guint32 *taken, gboolean *applied)
{
    GList *due = take_due(self);
    gboolean good = TRUE;

    for (GList *l = due; l && good; l = l->next) {
        GstRvosRequest *request = l->data;
        GstVideoInfo info;
        guint32 mine = 0; /* a later signal overwrites an earlier one */

        if (!request->sample) {
            if (request->slot > self->n_slots)
                continue;
            rvos_stream_drop(self->stream, (int)request->slot);
            gst_rvos_tracker_drop(&self->tracker, request->slot);
            self->seeds.followed &= ~(1u << (request->slot - 1));
            *applied = TRUE;
        } else if (gray_info(request->sample, &info)) {
            good = show_gray(self, gst_sample_get_buffer(request->sample), &info,
                             G_MAXUINT32, &mine);
            *taken |= mine;
        }
    }
    g_list_free_full(due, gst_rvos_request_free);
    return good;
}

/* ---- by file --------------------------------------------------------------------- */

static guint64 frame_number(GstRvosSeg *self)
{
    const GstVideoInfo *info = &self->caps_info;

    if (!GST_CLOCK_TIME_IS_VALID(self->frame.stream_time) || info->fps_n == 0)
        return self->seeds.count;
    return gst_util_uint64_scale_round(self->frame.stream_time, (guint64)info->fps_n,
                                       (guint64)info->fps_d * GST_SECOND);
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
    return (GstClockTime)ABS(GST_CLOCK_DIFF(time, seeds->first_time)) <= half;
}

static gboolean apply_files(GstRvosSeg *self, guint32 *taken)
{
    GstRvosSeeds *seeds = &self->seeds;
    GstRvosFailure failure = {0};
    GstRvosMaskImage image;
    const gchar *path;
    guint64 number;
    gboolean good;

    if (seeds->single.pixels)
        return is_first_frame(self) ? show_image(self, &seeds->single, taken) : TRUE;
    if (!seeds->files)
        return TRUE;
    number = frame_number(self);
    path = g_hash_table_lookup(seeds->files, &number);
    if (!path)
        return TRUE;
    if (!gst_rvos_image_read(path, &image, &failure)) {
        gst_rvos_failure_post(&failure, GST_ELEMENT(self));
        return FALSE;
    }
    good = show_image(self, &image, taken);
    g_free(image.pixels);
    return good;
}

/* ---- by metadata ----------------------------------------------------------------- */

static void fill_box(GstRvosMaskImage *image, const GstVideoRegionOfInterestMeta *roi,
                     guint8 slot)
{
    guint right = MIN(roi->x + roi->w, image->width);
    guint bottom = MIN(roi->y + roi->h, image->height);

    for (guint y = roi->y; y < bottom && roi->x < right; y++)
        memset(image->pixels + (gsize)y * image->width + roi->x, slot, right - roi->x);
}

/* A region's id is its slot; without one it gets the lowest that is free. */
static guint slot_of_roi(GstRvosSeg *self, const GstVideoRegionOfInterestMeta *roi,
                         guint32 busy)
{
    if (roi->id > 0)
        return (guint)roi->id <= self->n_slots ? (guint)roi->id : 0;
    for (guint slot = 1; slot <= self->n_slots; slot++)
        if (!(busy & 1u << (slot - 1)))
            return slot;
    return 0;
}

static gboolean apply_regions(GstRvosSeg *self, GstBuffer *buffer, guint32 *taken)
{
    GstRvosMaskImage image = {
        .width = (guint)GST_VIDEO_INFO_WIDTH(&self->mask.info),
        .height = (guint)GST_VIDEO_INFO_HEIGHT(&self->mask.info),
    };
    GQuark wanted = g_quark_from_static_string(GST_RVOS_ROI_INIT);
    guint32 busy = self->seeds.followed | *taken;
    gpointer state = NULL;
    GstMeta *meta;
    gboolean good = TRUE;

    while ((meta = gst_buffer_iterate_meta_filtered(
                buffer, &state, GST_VIDEO_REGION_OF_INTEREST_META_API_TYPE)) != NULL) {
        const GstVideoRegionOfInterestMeta *roi = (GstVideoRegionOfInterestMeta *)meta;
        guint slot;

        if (roi->roi_type != wanted)
            continue;
        slot = slot_of_roi(self, roi, busy);
        if (slot == 0 || busy & 1u << (slot - 1))
            continue;
        if (!image.pixels)
            image.pixels = g_malloc0((gsize)image.width * image.height);
        fill_box(&image, roi, (guint8)slot);
        busy |= 1u << (slot - 1);
    }
    if (image.pixels)
        good = show_image(self, &image, taken);
    g_free(image.pixels);
    return good;
}

static gboolean apply_metas(GstRvosSeg *self, GstBuffer *buffer, guint32 *taken)
{
    GstBuffer *mask = gst_rvos_meta_get_mask(buffer);
    GstVideoMeta *layout = mask ? gst_buffer_get_video_meta(mask) : NULL;
    GstVideoInfo info;

    /* The mask says its size itself; the frame may have been scaled since. */
    if (layout && layout->format == GST_VIDEO_FORMAT_GRAY8) {
        gst_video_info_set_format(&info, layout->format, layout->width, layout->height);
        if (!show_gray(self, mask, &info, ~self->seeds.followed, taken))
            return FALSE;
    }
    return apply_regions(self, buffer, taken);
}

/* ---- all ------------------------------------------------------------------------- */

gboolean gst_rvos_seeds_apply(GstRvosSeg *self, GstBuffer *buffer, gboolean *applied)
{
    guint32 taken = 0;
    gboolean good;

    *applied = FALSE;
    good = apply_requests(self, &taken, applied);
    if (good && self->frame.settings.mode == GST_RVOS_SEG_MODE_ONE_SHOT)
        good = apply_files(self, &taken) && apply_metas(self, buffer, &taken);
    self->seeds.count++;
    *applied = *applied || taken != 0;
    return good;
}
