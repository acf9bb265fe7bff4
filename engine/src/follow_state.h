/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* follow_state.h - shared by the files that implement follow.h. */
#ifndef RV_FOLLOW_STATE_H
#define RV_FOLLOW_STATE_H

#include "follow.h"
#include "pieces.h"

struct place {
    int area;           /* pixels */
    int x0, y0, x1, y1; /* box; x1 and y1 are exclusive */
};

/* Whether two boxes are at most `margin` pixels apart. */
static inline bool rv_places_meet(const struct place *a, const struct place *b,
                                  int margin)
{
    return a->area && b->area && a->x0 < b->x1 + margin && b->x0 < a->x1 + margin &&
           a->y0 < b->y1 + margin && b->y0 < a->y1 + margin;
}

struct slot {
    uint32_t serial;    /* 0: free */
    int64_t since;      /* frame in which it got its object */
    bool given;         /* given by the user */
    bool detected;      /* not from a piece of the start */
    int empty;          /* frames in a row without a pixel */
    double full;        /* recent area of the whole object */
    struct place at;    /* its last place with most of its area */
    struct place whole; /* where it last had its recent area: its size */
    struct place last;  /* in the last frame; area 0: nowhere */
    struct place seen;  /* in the last frame that showed it */
    struct place home;  /* its first place */
    bool moved;         /* it has moved, so it is not scenery */
    struct place shape; /* where it last touched no other object; area 0: unknown */
    int64_t shaped;     /* the frame of that */
    int dx, dy;         /* by how much its shape has moved since then */
    double vx, vy;      /* and how fast it moves: pixels a frame */
    uint32_t behind;    /* slots whose objects occlude it */
    int still;          /* frames for which it has stood still, about */
    int apart;          /* consecutive checks that found it in two pieces */
    int unseen;         /* consecutive discoveries that did not find it */
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
    int64_t frame;       /* number of the next frame */
    int64_t discovered;  /* the last frame of the last discovery */
    int64_t counted;     /* the last one that counted how often objects went unseen */
    int64_t discover_at; /* the frame of the next discovery; below 0: none */
    bool running;        /* the last frame was a discovery, too */
    uint32_t next_serial, serials[RV_FOLLOW_SLOTS];
    struct slot slot[RV_FOLLOW_SLOTS];
    struct rv_pieces pieces, cores;
    uint8_t *side; /* in the start: the piece of each pixel that a border divides */
    uint8_t *masks, *shown, *before, *near, *grown, *scratch, *past, *last, *dropped;
    int64_t dropped_until;
    int64_t past_frame;
    uint32_t *shapes; /* bit s: a pixel of the shape of slot s */
    int *queue;       /* of pixels */
    struct sighting sighting[RV_MAX_PIECES + 1];
    int overlap[RV_OVERLAP_LABELS][RV_OVERLAP_LABELS];
};

static inline uint32_t rv_slot_bit(int slot)
{
    return UINT32_C(1) << slot;
}

/* -- follow_slots.c -- */
/* Slots count from 0 here. */
void rv_slot_occupy(struct rv_follow *f, int slot);
void rv_slot_vacate(struct rv_follow *f, int slot);
/* Also removes the object from f->masks: another one may get the slot in the same frame.
 */
void rv_slot_drop(struct rv_follow *f, int slot, struct rv_follow_decision *decision);
/* A free slot, or the one whose object has been absent longest; -1: none. */
int rv_slot_free(const struct rv_follow *f);
/* The slot whose object has been away and is back as this piece; -1: there is none. */
int rv_slot_back(const struct rv_follow *f, const struct rv_piece *piece);
/* Gives a new piece a slot and returns it; -1: none. If the piece looks like an absent
 * object, it gets that object's slot. */
int rv_slot_take(struct rv_follow *f, const struct rv_piece *piece);
/* The distance from the centre of a box to the centre of a place, in multiples of the
 * width and height of `size`. */
double rv_place_offset(int x0, int y0, int x1, int y1, const struct place *at,
                       const struct place *size);

/* -- follow.c -- */
/* Whether a box lies where the object of a slot may be: near the place of its last whole
 * view, or that of the last frame. */
bool rv_in_reach(const struct rv_follow *f, const struct slot *slot, int x0, int y0,
                 int x1, int y1);
void rv_count_areas(const uint8_t *labels, int pixels, int area[RV_OVERLAP_LABELS]);

/* -- follow_start.c -- */
/* Processes a frame of the start. The last one hands the objects over. */
void rv_follow_start(struct rv_follow *f, const struct rv_follow_frame *frame,
                     struct rv_follow_decision *decision);

/* Spreads labels, which lie at the first `count` pixels of the queue, over the pixels
 * that are not 0 in `over`. */
void rv_spread(struct rv_follow *f, uint8_t *labels, const uint8_t *over, int count);

/* -- follow_check.c -- */
/* Gives small parts of objects that lie inside another one back to it. `places` are those
 * of f->masks. True if f->masks changed. */
bool rv_follow_fill(struct rv_follow *f, const struct place places[RV_FOLLOW_SLOTS + 1],
                    struct rv_follow_decision *decision);
/* Checks the followed objects: theft, and parts that came off, since the last check. */
void rv_follow_check(struct rv_follow *f, struct rv_follow_decision *decision);

/* -- follow_occluded.c -- */
/* Gives objects that come out from behind others their pixels. `places` are those of
 * f->masks. True if f->masks changed. */
bool rv_follow_uncover(struct rv_follow *f,
                       const struct place places[RV_FOLLOW_SLOTS + 1],
                       struct rv_follow_decision *decision);

/* -- follow_still.c -- */
/* Cuts off objects that stand still what moves in front of them. `moves` may be NULL.
 * `places` are those of f->masks. True if f->masks changed. */
bool rv_follow_still(struct rv_follow *f, const uint8_t *moves,
                     const struct place places[RV_FOLLOW_SLOTS + 1],
                     struct rv_follow_decision *decision);

/* -- follow_necks.c -- */
/* Makes parts of objects that hang on them by a neck, and that the zero-shot decoder does
 * not see, objects of their own. Changes f->masks. */
void rv_follow_hanging(struct rv_follow *f, const uint8_t *found,
                       struct rv_follow_decision *decision);

/* -- follow_discover.c -- */
/* Finds the pieces of which the decoder is much less sure than of the surest one, by the
 * mean probability of their pixels. The bound is relative, because the decoder is less
 * sure of everything at a small network size. */
void rv_unsure(const struct rv_follow *f, const uint8_t *of, const float *logit,
               bool unsure[256]);
/* Evaluates a discovery. True if the next frame must be a discovery, too. */
bool rv_follow_judge(struct rv_follow *f, const struct rv_follow_frame *frame,
                     struct rv_follow_decision *decision);

#endif
