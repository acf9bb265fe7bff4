/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* gstrvosrequests.c - the action signals set-mask and drop-object. They come from any
 * thread, and wait in a queue for the streaming thread. */
#include "gstrvosseg.h"

#define GST_CAT_DEFAULT gst_rvos_seg_debug

/* What an action signal asked for, in order of asking. */
typedef struct {
    gboolean is_mask; /* set-mask; else drop-object */
    GstRvosMask mask;
    GstClockTime time; /* of the first frame that it is for; NONE: the next */
    gboolean replace;
    guint slot; /* of drop-object */
} Request;

void gst_rvos_request_free(gpointer data)
{
    Request *request = data;

    gst_rvos_mask_clear(&request->mask);
    g_free(request);
}

void gst_rvos_requests_clear(GstRvosSeg *self)
{
    GST_OBJECT_LOCK(self);
    g_queue_clear_full(&self->requests, gst_rvos_request_free);
    GST_OBJECT_UNLOCK(self);
}

static guint remove_masks(GstRvosSeg *self)
{
    guint n = 0;

    GST_OBJECT_LOCK(self);
    for (GList *l = self->requests.head, *next; l; l = next) {
        Request *request = l->data;

        next = l->next;
        if (!request->is_mask)
            continue;
        gst_rvos_request_free(request);
        g_queue_delete_link(&self->requests, l);
        n++;
    }
    GST_OBJECT_UNLOCK(self);
    return n;
}

void gst_rvos_requests_drop_masks(GstRvosSeg *self)
{
    guint n = remove_masks(self);

    if (n > 0)
        GST_ELEMENT_WARNING(
            self, LIBRARY, SETTINGS,
            ("%u masks of set-mask are dropped: the mode has been changed "
             "since, and zero-shot mode takes none.",
             n),
            (NULL));
}

/* ---- set-mask --------------------------------------------------------------------- */

static gboolean refuse(GstRvosSeg *self, const gchar *words)
{
    GST_ELEMENT_WARNING(self, STREAM, FAILED,
                        ("A mask of set-mask is not used: it %s.", words), (NULL));
    return FALSE;
}

static gboolean read_sample(GstRvosSeg *self, GstSample *sample, gboolean replace,
                            GstRvosMask *mask)
{
    GstCaps *caps = sample ? gst_sample_get_caps(sample) : NULL;
    GstBuffer *buffer = sample ? gst_sample_get_buffer(sample) : NULL;
    struct pic_error error;
    GstVideoInfo info;

    if (!caps || !buffer || !gst_video_info_from_caps(&info, caps) ||
        GST_VIDEO_INFO_FORMAT(&info) != GST_VIDEO_FORMAT_GRAY8)
        return refuse(self, "is no sample of GRAY8 video with a buffer");
    if (!gst_rvos_mask_from_buffer(buffer, (guint)GST_VIDEO_INFO_WIDTH(&info),
                                   (guint)GST_VIDEO_INFO_HEIGHT(&info), mask, &error))
        return refuse(self, error.words);
    /* With `replace` an empty mask has a meaning: it forgets all objects. */
    if (mask->facts.highest > 0 || replace)
        return TRUE;
    mask_say_empty(&mask->facts, &error);
    gst_rvos_mask_clear(mask);
    return refuse(self, error.words);
}

static guint lowest(const GstRvosMask *mask)
{
    guint slot = 1;

    while (slot <= MASK_MAX_SLOT && !mask->facts.has[slot])
        slot++;
    return slot;
}

/* While the element runs, the number of slots is known. */
static gboolean has_a_slot(GstRvosSeg *self, const GstRvosMask *mask)
{
    gchar *words;
    guint n_slots;

    GST_OBJECT_LOCK(self);
    n_slots = self->started && self->n_slots > 0 ? self->n_slots : RVOS_MAX_OBJECTS;
    GST_OBJECT_UNLOCK(self);
    if (mask->facts.highest == 0 || lowest(mask) <= n_slots)
        return TRUE;
    words = g_strdup_printf("holds the values %s, and there are %u slots; see the "
                            "property objects",
                            mask->facts.values, n_slots);
    refuse(self, words);
    g_free(words);
    return FALSE;
}

static gboolean queue_mask(GstRvosSeg *self, GstSample *sample, gboolean replace,
                           GstRvosMask *mask)
{
    Request *request = g_new0(Request, 1);
    gboolean takes;

    request->is_mask = TRUE;
    request->mask = *mask;
    request->replace = replace;
    request->time = GST_BUFFER_PTS(gst_sample_get_buffer(sample));
    GST_OBJECT_LOCK(self);
    takes = gst_rvos_seeds_are_taken(self);
    if (takes)
        g_queue_push_tail(&self->requests, request);
    GST_OBJECT_UNLOCK(self);
    if (takes)
        return TRUE;
    gst_rvos_request_free(request);
    return refuse(self, "was given in zero-shot mode, which takes none");
}

gboolean gst_rvos_seeds_set_mask(GstRvosSeg *self, GstSample *sample)
{
    const GstStructure *options = sample ? gst_sample_get_info(sample) : NULL;
    gboolean replace = FALSE;
    GstRvosMask mask;

    if (options)
        gst_structure_get_boolean(options, "replace", &replace);
    if (!read_sample(self, sample, replace, &mask))
        return FALSE;
    if (!has_a_slot(self, &mask)) {
        gst_rvos_mask_clear(&mask);
        return FALSE;
    }
    return queue_mask(self, sample, replace, &mask);
}

gboolean gst_rvos_seeds_drop_object(GstRvosSeg *self, guint slot)
{
    Request *request;
    gboolean good;

    GST_OBJECT_LOCK(self);
    good = slot >= 1 && slot <= (self->started ? self->n_slots : RVOS_MAX_OBJECTS);
    if (good) {
        request = g_new0(Request, 1);
        request->slot = slot;
        g_queue_push_tail(&self->requests, request);
    }
    GST_OBJECT_UNLOCK(self);
    return good;
}

/* ---- in the streaming thread --------------------------------------------------------
 */

/* A mask with a time waits for the first frame at or after it. */
static gboolean is_due(GstRvosSeg *self, const Request *request)
{
    return !request->is_mask || !GST_CLOCK_TIME_IS_VALID(request->time) ||
           !GST_CLOCK_TIME_IS_VALID(self->frame.timestamp) ||
           self->frame.timestamp >= request->time;
}

gboolean gst_rvos_seeds_want_reset(GstRvosSeg *self)
{
    gboolean wanted = FALSE;

    GST_OBJECT_LOCK(self);
    for (GList *l = self->requests.head; l && !wanted; l = l->next) {
        const Request *request = l->data;

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

static gboolean drop(GstRvosSeg *self, guint slot, gboolean *applied)
{
    int status;

    if (slot > self->n_slots)
        return TRUE;
    status = rvos_stream_drop(self->stream, (int)slot);
    if (status != RVOS_OK) {
        gst_rvos_run_explain(self, status, "An object could not be dropped");
        return FALSE;
    }
    gst_rvos_tracker_drop(&self->tracker, slot);
    self->seeds.followed &= ~(1u << (slot - 1));
    *applied = TRUE;
    return TRUE;
}

gboolean gst_rvos_requests_apply(GstRvosSeg *self, guint32 *taken, gboolean *applied)
{
    GList *due = take_due(self);
    gboolean good = TRUE;

    for (GList *l = due; l && good; l = l->next) {
        Request *request = l->data;
        guint32 mine = 0; /* a later signal overwrites an earlier one */

        if (!request->is_mask) {
            good = drop(self, request->slot, applied);
            continue;
        }
        self->seeds.given = TRUE;
        switch (gst_rvos_seeds_show(self, &request->mask, G_MAXUINT32, &mine)) {
        case GST_RVOS_FAILED:
            good = FALSE;
            break;
        case GST_RVOS_ABOVE:
            GST_ELEMENT_WARNING(self, STREAM, FAILED,
                                ("A mask of set-mask is not used: it holds the values "
                                 "%s, and there are %u slots; see the property objects.",
                                 request->mask.facts.values, self->n_slots),
                                (NULL));
            break;
        default:
            break;
        }
        *taken |= mine;
    }
    g_list_free_full(due, gst_rvos_request_free);
    return good;
}
