/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* stream.h - what an rvos_stream is inside: stream.c has the loops of zero-shot and
 * one-shot, auto.c that of RVOS_TASK_AUTO. */
#ifndef RV_STREAM_H
#define RV_STREAM_H

#include "model.h"

struct rv_auto;

struct rvos_stream {
    rvos_model *model;
    rvos_stream_params params;          /* task and objects resolved */
    struct rv_model_plan *first, *plan; /* of frame 0, of the others; may be the same */
    bool entered;                       /* it is counted at `plan` */
    struct rv_member member;            /* it, where streams wait for each other */
    struct rv_buffer state;
    struct rv_pixels *pixels;
    int pixels_width, pixels_height;

    int64_t frames; /* run since the last reset */
    bool clear;     /* the state holds another video */
    int live;       /* slots that the next frame runs; of AUTO: that the last one had */
    uint32_t drops; /* slots to clear before the next frame */

    /* Not zero-shot: masks at network size, bit i of a pixel is slot i. */
    uint32_t *seed, *first_seed; /* for the next frame; of the first, shown twice */
    uint32_t seed_slots;
    uint32_t first_slots; /* that are shown `first_seed` again */
    int64_t fed;          /* frames that the one-shot decoder has run since the reset */

    rvos_object object[RVOS_MAX_OBJECTS]; /* of the last frame */
    struct rv_auto *automatic;            /* NULL: another task */
};

static inline uint32_t rv_slots_below(int n)
{
    return n >= 32 ? RVOS_ALL_SLOTS : (UINT32_C(1) << n) - 1;
}

static inline int rv_highest_slot(uint32_t slots)
{
    return slots ? 32 - __builtin_clz(slots) : 0;
}

static inline bool rv_stream_takes_masks(const rvos_stream *s)
{
    return s->params.task != RVOS_TASK_ZERO_SHOT;
}

/* -- stream.c -- */
size_t rv_stream_pixels(const rvos_stream *s); /* of the network size */
/* The decoder whose masks the stream shows. */
int rv_stream_decoder(const rvos_stream *s);
/* Zeroes in the state, as `clear` and `drops` say. */
int rv_stream_clear(rvos_stream *s);
/* Background, where no decoder runs. */
void rv_stream_fill(const rvos_stream *s, const rvos_output *out);

/* -- seeds.c -- */
/* Slots that `bits` shows at all, of those in `slots`. */
uint32_t rv_stream_shown(const rvos_stream *s, const uint32_t *bits, uint32_t slots);
/* Nothing is shown for these slots any more. */
void rv_stream_unseed(rvos_stream *s, uint32_t slots);
/* How many slots a one-shot stream runs, which never become fewer. */
void rv_stream_set_live(rvos_stream *s);
/* Which masks the one-shot decoder is fed in this frame. */
void rv_stream_feed(rvos_stream *s, struct rv_job *job);

/* -- auto.c -- */
int rv_auto_open(rvos_stream *s);
void rv_auto_close(rvos_stream *s);
void rv_auto_reset(rvos_stream *s);
/* What rvos_stream_seed and rvos_stream_drop mean beyond one-shot. */
void rv_auto_seeded(rvos_stream *s, uint32_t slots);
void rv_auto_dropped(rvos_stream *s, int slot);
/* The next frame, all arguments checked. */
int rv_auto_process(rvos_stream *s, const rvos_image *frame, const rvos_output *out);
bool rv_auto_discovering(const rvos_stream *s);
uint32_t rv_auto_serial(const rvos_stream *s, int slot);

#endif
