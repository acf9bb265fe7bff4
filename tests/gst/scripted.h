/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* scripted.h - an engine that finds the objects that the test has painted.
 *
 * scripted.c implements rvos.h without a network: a pixel whose first byte (luma, in
 * planar formats) is 1..32 belongs to that object, in one-shot mode only if it was
 * seeded. So the tests of the element know the right result, can slow the engine down and
 * can make it fail. realrig.c and tests/engine test the real engine.
 */
#ifndef SCRIPTED_H
#define SCRIPTED_H

#include <rvos.h>

typedef struct {
    int devices, models, streams; /* open now */
    int waiting;                  /* frames that scripted_hold holds now */
    int loads;                    /* so far */
    int runs, discoveries, resets, seeds, drops, warm_ups, prepares, draws, alphas;
    uint32_t seeded;       /* slots of the last seed */
    uint32_t seed_log[8];  /* slots of the first seeds */
    int seed_width;        /* of its mask */
    int boxes, box_object; /* rvos_stream_seed_box: how often, the last slot */
    rvos_box box;
    rvos_stream_params stream;    /* of the last stream */
    rvos_colorimetry colorimetry; /* of the last frame */
    rvos_image image;             /* the last frame; do not touch its pixels */
    rvos_output output;           /* likewise */
    rvos_draw_params draw;
    rvos_palette palette; /* of the last drawing */
} scripted_state;

RVOS_API scripted_state scripted_get(void);

/* Resets counts, delay and failures; open handles stay open. */
RVOS_API void scripted_clear(void);

/* Each run of the network takes this time. */
RVOS_API void scripted_delay_us(unsigned delay);

/* Each run of the network calls this, in the streaming thread; NULL: nothing. */
RVOS_API void scripted_at_run(void (*function)(void *user), void *user);

/* The named function fails with this status until scripted_clear. */
RVOS_API void scripted_fail(const char *function, int status);

/* While TRUE, frames wait in rvos_stream_process. */
RVOS_API void scripted_hold(bool hold);

/* In auto mode the objects of these slots end with the next frame; what is painted in the
 * slots then is another object. */
RVOS_API void scripted_end_objects(uint32_t slots);

/* Loading takes this time. */
RVOS_API void scripted_load_delay_us(unsigned delay);

#endif
