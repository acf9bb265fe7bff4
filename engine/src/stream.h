/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* stream.h - the inside of an rvos_stream. stream.c has the loops of zero-shot and
 * one-shot, auto.c the loop of RVOS_TASK_AUTO. */
#ifndef RV_STREAM_H
#define RV_STREAM_H

#include "model.h"

struct rv_auto;

struct rvos_stream {
    rvos_model *model;
    rvos_stream_params params;          /* task and objects resolved */
    struct rv_model_plan *first, *plan; /* for frame 0; for the others; may be the same */
    bool entered;                       /* the stream is counted in `plan` */
    struct rv_member member;            /* the stream as a member of a batch */
    struct rv_buffer state;
    struct rv_pixels *pixels;
    int pixels_width, pixels_height;

    int64_t frames; /* run since the last reset */
    bool clear;     /* the state must be cleared before the next frame */
    int live;       /* slots that the next frame runs; AUTO: slots of the last frame */
    uint32_t drops; /* slots to clear before the next frame */

    /* One-shot and AUTO: masks at network size; bit i of a pixel is slot i. */
    uint32_t *seed;       /* for the next frame */
    uint32_t *first_seed; /* those of the first frame, which are fed to the second, too */
    uint32_t seed_slots;  /* slots that `seed` sets */
    uint32_t first_slots; /* slots that are fed `first_seed` in the second frame */
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
size_t rv_stream_pixels(const rvos_stream *s); /* pixels at network size */
/* The decoder whose masks the stream shows. */
int rv_stream_decoder(const rvos_stream *s);
/* Zeroes the state as `clear` and `drops` say. */
int rv_stream_clear(rvos_stream *s);
/* Fills the outputs with background; used if no decoder runs. */
void rv_stream_fill(const rvos_stream *s, const rvos_output *out);

/* -- seeds.c -- */
/* Whether the stream has this object's slot; if not, logs so, but not in a forked child.
 * `s` may be NULL. */
bool rv_stream_has(const rvos_stream *s, int object, const char *function);
/* The slots in `slots` that have a pixel in `bits`. */
uint32_t rv_stream_shown(const rvos_stream *s, const uint32_t *bits, uint32_t slots);
/* Forgets the masks given for these slots. */
void rv_stream_unseed(rvos_stream *s, uint32_t slots);
/* Sets how many slots a one-shot stream runs. The number never falls. */
void rv_stream_set_live(rvos_stream *s);
/* Sets the masks that the one-shot decoder is fed in this frame. */
void rv_stream_feed(rvos_stream *s, struct rv_job *job);

/* -- auto.c -- */
int rv_auto_open(rvos_stream *s);
void rv_auto_close(rvos_stream *s);
void rv_auto_reset(rvos_stream *s);
/* The AUTO part of rvos_stream_seed and rvos_stream_drop. */
void rv_auto_seeded(rvos_stream *s, uint32_t slots);
void rv_auto_dropped(rvos_stream *s, int slot);
/* Runs the next frame. All arguments have been checked. */
int rv_auto_process(rvos_stream *s, const rvos_image *frame, const rvos_output *out);
bool rv_auto_discovering(const rvos_stream *s);
uint32_t rv_auto_serial(const rvos_stream *s, int slot);

#endif
