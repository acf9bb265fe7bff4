/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* follow_state.h - what the files of follow.h share. */
#ifndef RV_FOLLOW_STATE_H
#define RV_FOLLOW_STATE_H

#include "follow.h"
#include "pieces.h"

struct place {
    int area;           /* pixels */
    int x0, y0, x1, y1; /* box; x1 and y1 lie outside */
};

struct slot {
    uint32_t serial;    /* 0: free */
    int64_t since;      /* the frame in which it got its object */
    bool given;         /* by the user */
    bool detected;      /* not from a piece of the start */
    int empty;          /* frames in a row without a pixel */
    double full;        /* recent area of the whole object */
    struct place at;    /* where it was last seen with most of its area */
    struct place whole; /* where it last had its recent area: its size */
    struct place last;  /* in the last frame; area 0: nowhere */
    struct place home;  /* where it was first seen */
    bool moved;         /* it has been elsewhere: it is no scenery */
    int apart;          /* checks in a row that found it in two pieces */
    int unseen;         /* discoveries in a row that did not find it */
    int joined;         /* frames in a row in one piece with a larger object */
};

/* A piece of the last discovery, by its number there. */
struct sighting {
    int seen;          /* discoveries in a row */
    int apart;         /* the same, as a part that came off its object */
    int mends, mended; /* the slot that it would mend; discoveries in a row */
};

struct rv_follow {
    struct rv_follow_params params;
    struct rv_follow_rules rules;
    int pixels;
    int64_t frame;       /* the next one's number */
    int64_t discovered;  /* the last frame of the last discovery */
    int64_t counted;     /* the last one that counted how often objects went unseen */
    int64_t discover_at; /* the frame of the next discovery; below 0: none */
    bool running;        /* the last frame was one of discovery, too */
    uint32_t next_serial, serials[RV_FOLLOW_SLOTS];
    struct slot slot[RV_FOLLOW_SLOTS];
    struct rv_pieces pieces, cores;
    uint8_t *side; /* in the start: the piece of a pixel, where a border divides */
    uint8_t *masks, *shown, *before, *near, *grown, *scratch, *past, *dropped;
    int64_t dropped_until;
    int64_t past_frame;
    int *queue; /* of pixels */
    struct sighting sighting[RV_MAX_PIECES + 1];
    int overlap[RV_OVERLAP_LABELS][RV_OVERLAP_LABELS];
};

/* -- follow.c -- */
static inline uint32_t rv_slot_bit(int slot)
{
    return UINT32_C(1) << slot;
}

/* Slots are from 0 here. */
void rv_slot_occupy(struct rv_follow *f, int slot);
void rv_slot_vacate(struct rv_follow *f, int slot);
/* A free slot, or one whose object has been away longest; -1: there is none. */
int rv_slot_free(const struct rv_follow *f);
/* The slot whose object has been away and is back as this piece; -1: there is none. */
int rv_slot_back(const struct rv_follow *f, const struct rv_piece *piece);
/* The slot for a new piece, which has an object then; -1: there is none. It is the slot
 * of an object that has been away where the piece looks like that object. */
int rv_slot_take(struct rv_follow *f, const struct rv_piece *piece);
void rv_count_areas(const uint8_t *labels, int pixels, int area[RV_OVERLAP_LABELS]);

/* -- follow_start.c -- */
/* A frame of the start; the last one hands the objects over. */
void rv_follow_start(struct rv_follow *f, const struct rv_follow_frame *frame,
                     struct rv_follow_decision *decision);

/* -- follow_check.c -- */
/* What the followed objects did since the last check: theft, and parts that came off. */
void rv_follow_check(struct rv_follow *f, struct rv_follow_decision *decision);

/* -- follow_discover.c -- */
/* What a discovery says about objects. True if the next frame must be one, too. */
bool rv_follow_judge(struct rv_follow *f, const struct rv_follow_frame *frame,
                     struct rv_follow_decision *decision);

#endif
