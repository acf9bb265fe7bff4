/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* seeds.c - masks given to a stream, and the masks that its one-shot decoder is fed. */
#include <string.h>

#include "device.h"
#include "image.h"
#include "log.h"
#include "stream.h"

static rvos_device *device_of(const rvos_stream *s)
{
    return s->model->device;
}

int rvos_stream_seed(rvos_stream *s, const rvos_labels *masks, uint32_t slots)
{
    int ret;

    if (!s)
        return RVOS_ERR_ARGUMENT;
    if (rv_device_forked(device_of(s)))
        return RVOS_ERR_DEVICE;
    if (!rv_stream_takes_masks(s)) {
        rv_log(device_of(s), RVOS_LOG_ERROR,
               "rvos_stream_seed: a zero-shot stream takes no masks");
        return RVOS_ERR_WRONG_TASK;
    }
    ret = rv_labels_check(device_of(s), masks, "rvos_stream_seed");
    if (ret)
        return ret;
    if (masks->memory != RVOS_MEMORY_HOST) {
        rv_log(device_of(s), RVOS_LOG_ERROR, "rvos_stream_seed: host memory only");
        return RVOS_ERR_UNSUPPORTED;
    }
    if (slots != RVOS_ALL_SLOTS && slots & ~rv_slots_below(s->params.objects)) {
        rv_log(device_of(s), RVOS_LOG_ERROR,
               "rvos_stream_seed: a slot above the stream's %d objects",
               s->params.objects);
        return RVOS_ERR_ARGUMENT;
    }
    slots &= rv_slots_below(s->params.objects);
    rv_seed_bits(masks, slots, s->seed, s->model->info.width, s->model->info.height);
    s->seed_slots |= slots;
    if (s->automatic)
        rv_auto_seeded(s, slots);
    return 0;
}

void rv_stream_unseed(rvos_stream *s, uint32_t slots)
{
    s->seed_slots &= ~slots;
    for (size_t i = 0, n = rv_stream_pixels(s); i < n && slots; i++) {
        s->seed[i] &= ~slots;
        s->first_seed[i] &= ~slots;
    }
}

bool rv_stream_has(const rvos_stream *s, int object, const char *function)
{
    bool has = s && object >= 1 && object <= s->params.objects;

    if (s && !has && !rv_device_forked(device_of(s)))
        rv_log(device_of(s), RVOS_LOG_ERROR,
               "%s: object %d is out of range: the stream has 1 to %d", function, object,
               s->params.objects);
    return has;
}

int rvos_stream_drop(rvos_stream *s, int object)
{
    uint32_t bit;

    if (!rv_stream_has(s, object, "rvos_stream_drop"))
        return RVOS_ERR_ARGUMENT;
    if (rv_device_forked(device_of(s)))
        return RVOS_ERR_DEVICE;
    bit = UINT32_C(1) << (object - 1);
    s->drops |= bit;
    memset(&s->object[object - 1], 0, sizeof(s->object[0]));
    if (rv_stream_takes_masks(s))
        rv_stream_unseed(s, bit);
    if (s->automatic)
        rv_auto_dropped(s, object - 1);
    return 0;
}

uint32_t rv_stream_shown(const rvos_stream *s, const uint32_t *bits, uint32_t slots)
{
    uint32_t any = 0;

    for (size_t i = 0, n = rv_stream_pixels(s); i < n; i++)
        any |= bits[i];
    return any & slots;
}

void rv_stream_set_live(rvos_stream *s)
{
    int live = rv_highest_slot(rv_stream_shown(s, s->seed, s->seed_slots));

    if (s->params.all_slots && (s->live || s->seed_slots))
        live = s->params.objects;
    if (live > s->live)
        s->live = live;
}

/* In the decoder's first two frames, feeds the masks given for the first frame (empty for
 * a slot without one). Later it feeds the decoder's own output. Masks given for a slot
 * replace these at any frame. */
void rv_stream_feed(rvos_stream *s, struct rv_job *job)
{
    if (s->fed < 2) {
        for (size_t i = 0, n = rv_stream_pixels(s); i < n; i++)
            s->first_seed[i] =
                (s->first_seed[i] & ~s->seed_slots) | (s->seed[i] & s->seed_slots);
        job->seed = s->first_seed;
        job->seed_slots = s->fed ? s->first_slots | s->seed_slots : RVOS_ALL_SLOTS;
    } else {
        job->seed = s->seed;
        job->seed_slots = s->seed_slots;
    }
}
