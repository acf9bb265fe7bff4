/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "gstrvosseeds.h"

#include <gst/video/video.h>

/* A request of an action signal. */
typedef struct {
    gboolean is_mask; /* set-mask; else drop-object */
    GstRvosMask mask;
    GstClockTime time; /* time of the first frame it is for; NONE: the next frame */
    gboolean replace;
    guint slot; /* slot for drop-object */
} Request;

static void free_request(gpointer data)
{
    Request *request = data;

    gst_rvos_mask_clear(&request->mask);
    g_free(request);
}

void gst_rvos_requests_init(GstRvosRequests *requests)
{
    *requests = (GstRvosRequests){.task = RVOS_TASK_DEFAULT};
    g_mutex_init(&requests->lock);
    g_queue_init(&requests->queue);
}

void gst_rvos_requests_finalize(GstRvosRequests *requests)
{
    gst_rvos_requests_clear(requests);
    g_mutex_clear(&requests->lock);
}

void gst_rvos_requests_open(GstRvosRequests *requests, rvos_task task, guint n_slots)
{
    GST_RVOS_LOCKED(&requests->lock);

    requests->task = task;
    requests->n_slots = n_slots;
}

void gst_rvos_requests_clear(GstRvosRequests *requests)
{
    GST_RVOS_LOCKED(&requests->lock);

    g_queue_clear_full(&requests->queue, free_request);
}

guint gst_rvos_requests_drop_masks(GstRvosRequests *requests)
{
    GST_RVOS_LOCKED(&requests->lock);
    guint n = 0;

    for (GList *l = requests->queue.head, *next; l; l = next) {
        Request *request = l->data;

        next = l->next;
        if (!request->is_mask)
            continue;
        free_request(request);
        g_queue_delete_link(&requests->queue, l);
        n++;
    }
    return n;
}

/* ---- set-mask --------------------------------------------------------------------- */

static gboolean refuse(GstRvosNotices *notices, const gchar *words)
{
    return GST_RVOS_WARN(notices, STREAM, FAILED,
                         "A mask of set-mask is not used: it %s.", words);
}

static gboolean refuse_sample(const GstCaps *caps, const GstBuffer *buffer,
                              GstRvosNotices *notices)
{
    g_autofree gchar *given = caps ? gst_caps_to_string(caps) : NULL;
    g_autofree gchar *words =
        !caps     ? g_strdup("has no caps: video/x-raw, format=GRAY8 is wanted")
        : !buffer ? g_strdup("has no buffer")
                  : g_strdup_printf("is not GRAY8 video, but has the caps \"%s\"", given);

    return refuse(notices, words);
}

static gboolean read_sample(GstSample *sample, gboolean replace, GstRvosMask *mask,
                            GstRvosNotices *notices)
{
    GstCaps *caps = sample ? gst_sample_get_caps(sample) : NULL;
    GstBuffer *buffer = sample ? gst_sample_get_buffer(sample) : NULL;
    struct pic_error error;
    GstVideoInfo info;

    if (!caps || !buffer || !gst_video_info_from_caps(&info, caps) ||
        GST_VIDEO_INFO_FORMAT(&info) != GST_VIDEO_FORMAT_GRAY8)
        return refuse_sample(caps, buffer, notices);
    if (!gst_rvos_mask_from_buffer(buffer, (guint)GST_VIDEO_INFO_WIDTH(&info),
                                   (guint)GST_VIDEO_INFO_HEIGHT(&info), mask, &error))
        return refuse(notices, error.words);
    /* With `replace`, an empty mask is valid: it forgets all objects. */
    if (mask->facts.highest > 0 || replace)
        return TRUE;
    mask_say_empty(&mask->facts, &error);
    return refuse(notices, error.words);
}

static gboolean refuse_above(GstRvosNotices *notices, const GstRvosMask *mask,
                             guint n_slots)
{
    return GST_RVOS_WARN(
        notices, STREAM, FAILED,
        "A mask of set-mask is not used: it holds the values %s, and there are "
        "%u slots; see the property objects.",
        mask->facts.values, n_slots);
}

/* With the lock. The number of slots is known while the stream is open. */
static guint slots_of(const GstRvosRequests *requests)
{
    return requests->n_slots > 0 ? requests->n_slots : RVOS_MAX_OBJECTS;
}

static gboolean has_a_slot(GstRvosRequests *requests, const GstRvosMask *mask,
                           GstRvosNotices *notices)
{
    guint n_slots;

    g_mutex_lock(&requests->lock);
    n_slots = slots_of(requests);
    g_mutex_unlock(&requests->lock);
    return mask->facts.highest == 0 || gst_rvos_mask_slots(mask, n_slots) != 0 ||
           refuse_above(notices, mask, n_slots);
}

/* Takes over the contents of `mask`. FALSE: the current or coming stream accepts no
 * masks. */
static gboolean queue_mask(GstRvosRequests *requests, GstSample *sample, gboolean replace,
                           gboolean takes, GstRvosMask *mask)
{
    Request *request = g_new0(Request, 1);

    request->is_mask = TRUE;
    request->mask = *mask;
    *mask = (GstRvosMask){0};
    request->replace = replace;
    request->time = GST_BUFFER_PTS(gst_sample_get_buffer(sample));
    g_mutex_lock(&requests->lock);
    if (requests->task != RVOS_TASK_DEFAULT)
        takes = requests->task != RVOS_TASK_ZERO_SHOT;
    if (takes)
        g_queue_push_tail(&requests->queue, request);
    g_mutex_unlock(&requests->lock);
    if (!takes)
        free_request(request);
    return takes;
}

gboolean gst_rvos_requests_set_mask(GstRvosRequests *requests, GstSample *sample,
                                    gboolean takes, GstRvosNotices *notices)
{
    const GstStructure *options = sample ? gst_sample_get_info(sample) : NULL;
    g_auto(GstRvosMask) mask = {0};
    gboolean replace = FALSE;

    if (options)
        gst_structure_get_boolean(options, "replace", &replace);
    return read_sample(sample, replace, &mask, notices) &&
           has_a_slot(requests, &mask, notices) &&
           (queue_mask(requests, sample, replace, takes, &mask) ||
            refuse(notices, "was given in zero-shot mode, which takes none"));
}

gboolean gst_rvos_requests_drop_object(GstRvosRequests *requests, guint slot)
{
    GST_RVOS_LOCKED(&requests->lock);
    Request *request;

    if (slot < 1 || slot > slots_of(requests))
        return FALSE;
    request = g_new0(Request, 1);
    request->slot = slot;
    g_queue_push_tail(&requests->queue, request);
    return TRUE;
}

/* ---- in the streaming thread ------------------------------------------------------ */

/* A mask with a time waits for the first frame at or after that time. */
static gboolean is_due(const Request *request, GstClockTime time)
{
    return !request->is_mask || !GST_CLOCK_TIME_IS_VALID(request->time) ||
           !GST_CLOCK_TIME_IS_VALID(time) || time >= request->time;
}

gboolean gst_rvos_requests_want_reset(GstRvosRequests *requests, GstClockTime time)
{
    GST_RVOS_LOCKED(&requests->lock);
    gboolean wanted = FALSE;

    for (GList *l = requests->queue.head; l && !wanted; l = l->next)
        wanted = ((Request *)l->data)->replace && is_due(l->data, time);
    return wanted;
}

/* Removes the due requests from the queue and returns them. */
static GList *take_due(GstRvosRequests *requests, GstClockTime time)
{
    GST_RVOS_LOCKED(&requests->lock);
    GList *due = NULL;

    for (GList *l = requests->queue.head, *next; l; l = next) {
        next = l->next;
        if (is_due(l->data, time)) {
            due = g_list_prepend(due, l->data);
            g_queue_delete_link(&requests->queue, l);
        }
    }
    return g_list_reverse(due);
}

static gboolean drop(GstRvosSeeds *seeds, guint slot, gboolean *applied)
{
    int status;

    if (slot > seeds->n_slots)
        return TRUE;
    status = rvos_stream_drop(seeds->stream, (int)slot);
    if (status != RVOS_OK)
        return gst_rvos_seeds_fail(seeds, status, "An object could not be dropped");
    gst_rvos_tracker_drop(seeds->tracker, slot);
    seeds->followed &= ~(1u << (slot - 1));
    *applied = TRUE;
    return TRUE;
}

static gboolean show(GstRvosSeeds *seeds, const GstRvosMask *mask, guint32 *taken)
{
    guint32 mine = 0; /* a later signal overwrites an earlier one */
    GstRvosShown shown;

    seeds->given = TRUE;
    shown = gst_rvos_seeds_show(seeds, mask, G_MAXUINT32, &mine);
    if (shown == GST_RVOS_ABOVE)
        refuse_above(seeds->notices, mask, seeds->n_slots);
    *taken |= mine;
    return shown != GST_RVOS_FAILED;
}

gboolean gst_rvos_requests_apply(GstRvosRequests *requests, GstRvosSeeds *seeds,
                                 GstClockTime time, guint32 *taken, gboolean *applied)
{
    GList *due = take_due(requests, time);
    gboolean good = TRUE;

    for (GList *l = due; l && good; l = l->next) {
        Request *request = l->data;

        good = request->is_mask ? show(seeds, &request->mask, taken)
                                : drop(seeds, request->slot, applied);
    }
    g_list_free_full(due, free_request);
    return good;
}
