/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* follow.h - the rules of RVOS_TASK_AUTO: which pieces of the zero-shot decoder's
 * foreground become objects for the one-shot decoder, and what happens to these objects
 * later.
 *
 * Input: label maps, scores and a map of what moves; output: decisions. The rules use
 * neither the network nor the frame's pixels. Label maps are rows of `width` bytes
 * without gaps, at network size; 0 is background and i is slot i. Bit i - 1 of a set of
 * slots is slot i. Nothing is allocated after rv_follow_create. Only one thread at a time
 * may use it. */
#ifndef RV_FOLLOW_H
#define RV_FOLLOW_H

#include <stdbool.h>
#include <stdint.h>

#define RV_FOLLOW_SLOTS 32

/* Thresholds of the rules. Areas are fractions of the network's size. */
struct rv_follow_rules {
    double least_first; /* minimum area of an object of the start */
    double least_later; /* minimum area of an object that is found later */
    double covered;     /* most of a new piece that followed objects may cover */
    double again;       /* part of a piece that was in the same piece one discovery ago */
    int margin;         /* pixels by which followed objects are grown for `covered` */
    bool beside;   /* what lies beside an object, in a zero-shot slot of its own, is a
                      piece of its own */
    int sightings; /* consecutive discoveries that must show a new object, or more of one,
                      and consecutive checks that must show one in two pieces */
    int more; /* zero-shot slots of a discovery, in addition to one per followed object */
    int lost; /* frames without a pixel after which a slot is freed */
    int spare;        /* the same, where a new object needs the slot */
    double back_size; /* size of a piece against an object that has been away, and the
                         reverse, at least, for the piece to be that object; above 1:
                         none is */
    int back_edge;    /* pixels: a piece so near to the edge of the frame at which the
                         object left may be smaller; below 0: it may not */
    double back_left; /* part of its area below which an object is away */
    double reach;     /* distance of an object from where it was, at most, in sizes of the
                         object */
    double shrinks;   /* part of its recent area below which an object is being occluded,
                         or has lost parts */
    double covers; /* part of what is missing of an object that another one must cover to
                      occlude it */
    int step;     /* pixels by which the shape of an object may leave its steady motion in
                     one frame, in x and in y */
    double drift; /* price of one of them: pixels, against the square root of its area */
    double comes_out;  /* size of what comes out from behind it, against it, at least;
                          above 1: nothing does */
    double comes_most; /* and against the occluded object, at most */
    double comes_near; /* distance of that from where the occluded object should be, at
                          most, in sizes of it */
    int still;    /* frames for which an object must have stood still before what moves in
                     front of it is cut off */
    int stir;     /* of these, those that a frame in which it moves takes back */
    double stirs; /* part of it that may move while it stands still */
    double moves; /* part of another object that must move to be in front of it */
    double front_least; /* area of what is in front, at least; above 1: nothing is */
    int front;          /* pixels by which it is grown */
    double cut_most;    /* part of the still object that is cut off, at most */
    double fade;        /* of the recent area, what is left of it one frame later */
    int hurry;          /* frames between discoveries while nothing is followed, or while
                           less than `shrinks` of an object is seen */
    double sure; /* mean probability of a new piece, against the surest piece of the
                    frame, at least */
    int settled; /* frames of the start after which a piece is an object of its own, even
                    when the start ends or when it meets a larger one. So is a part
                    after so many frames apart from the rest. Frame 0's is at once. */
    int near;    /* pixels: what is further away is not a part of an object */
    double bridge_share; /* part of an object that the zero-shot slot of another one must
                            hold, for both to be one at once; above 1: never */
    double bridged;  /* and the length of the seam between them inside one slot, in sides
                        of the smaller one */
    bool bridge_two; /* unless most of both is in one slot */
    int neck;        /* pixels: a neck of at most twice that divides a piece ... */
    double core;     /* into parts of at least that area, the border not counted */
    double border_held;        /* part of a piece that the parts on both sides of a border
                                  must hold: the decoder is sure of them */
    double border_share;       /* size of each of them, against the largest */
    double separate;           /* size of a part that comes off, against the rest */
    double occluded;           /* part of the gap between them that other objects fill at
                                  most: if they fill more, they occlude the rest */
    double inside;             /* share of the border of a small part that another object
                                  must have to get it; above 1: it never does */
    int hang_neck;             /* pixels: what hangs on an object by a neck of at most
                                  twice that, unseen, is another one; 0: it never is */
    double hang_share;         /* size of that, against the rest, at least */
    double unseen;             /* least part of an object that a discovery must see ... */
    int unseen_times;          /* or else, so many times in a row, it is none ... */
    double moved;              /* unless it has moved, by so many of its sizes */
    double held;               /* part of an object that a piece must hold to mend it */
    double mend_from, mend_to; /* size of that piece, against the object, at least, and
                                  against its recent area, at most */
    double mend_others;        /* part of the piece that others may hold */
    double mend_sure;          /* mean probability of what the piece adds, against that of
                                  what both share, at least */
    int dropped;         /* frames for which a dropped object is not found at its place */
    double theft;        /* part of an object that another one must take */
    double theft_growth; /* part of that by which the one has grown, the other shrunk */
    int theft_frames;    /* within so many frames */
};
extern const struct rv_follow_rules rv_follow_rules; /* the defaults */

#define RV_FOLLOW_START 16 /* good values of the two that follow */
#define RV_FOLLOW_INTERVAL 15

struct rv_follow_params {
    int width, height; /* network size */
    int objects;       /* slots, 1..RV_FOLLOW_SLOTS */
    int start;         /* frames of discovery at the beginning, from 1 on */
    int interval; /* frames from one discovery to the next; 0: none after the start */
    const struct rv_follow_rules *rules; /* NULL: the defaults; copied */
};

/* The decoders' results for a frame. */
struct rv_follow_frame {
    const uint8_t *followed; /* one-shot labels; NULL: the decoder did not run */
    const uint8_t *found;    /* zero-shot labels; NULL: the decoder did not run */
    /* Mean probability over each slot's pixels. */
    const float *followed_score, *found_score;
    /* 1 where the picture differs from the one that stands still; NULL: unknown, or the
     * camera moves. */
    const uint8_t *moves;
    /* Each pixel's largest logit of all zero-shot slots; NULL: unknown. */
    const float *found_logit;
};

/* Pointers are valid until the next call. */
struct rv_follow_decision {
    uint32_t clear;       /* slots whose state is zeroed before the next frame */
    uint32_t seed;        /* slots that are fed their part of `masks` in the next frame */
    const uint8_t *masks; /* labels: value i belongs to slot i */
    /* Labels to show for this frame in place of the one-shot decoder's: pieces of the
     * start, or later what the rules corrected, in slots of `seed` and `clear`. NULL: its
     * own labels are right. */
    const uint8_t *shown;
};

struct rv_follow;

/* Returns 0, or -1 if memory runs out. */
int rv_follow_create(struct rv_follow **out, const struct rv_follow_params *params);
void rv_follow_destroy(struct rv_follow **follow);
/* Starts a new video. Serial numbers continue. */
void rv_follow_reset(struct rv_follow *follow);

/* Whether the zero-shot decoder must run in the next frame, and if so, from cleared
 * state. */
bool rv_follow_wants_found(const struct rv_follow *follow);
bool rv_follow_clears_found(const struct rv_follow *follow);
/* The number of zero-shot slots it needs then. */
int rv_follow_slots(const struct rv_follow *follow);

/* Whether the next frame belongs to the start. */
bool rv_follow_starting(const struct rv_follow *follow);

/* Tell the rules, before the next frame, that the user has seeded these slots or dropped
 * one (from 0). */
void rv_follow_given(struct rv_follow *follow, uint32_t slots);
void rv_follow_dropped(struct rv_follow *follow, int slot);
/* These slots get an object that the rules did not find, but manage from now on. */
void rv_follow_detected(struct rv_follow *follow, uint32_t slots);
void rv_follow_discover(struct rv_follow *follow);

/* Call once for each frame, even if no decoder ran. */
void rv_follow_update(struct rv_follow *follow, const struct rv_follow_frame *frame,
                      struct rv_follow_decision *decision);

/* The number of each slot's object, from 1, never used again; 0: the slot is free. */
const uint32_t *rv_follow_serials(const struct rv_follow *follow);

#endif
