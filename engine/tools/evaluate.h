/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* evaluate.h - score the masks of many sequences by the rules of a benchmark. */
#ifndef RV_TOOLS_EVALUATE_H
#define RV_TOOLS_EVALUATE_H

#include <stdbool.h>

#include "folders.h"
#include "frames.h"
#include "metrics.h"

/* Which mask of the result stands for an annotated object. */
enum pairing {
    PAIR_SAME_ID,        /* the one of its number */
    PAIR_FIRST_FRAME,    /* the best at the object's first frame, kept: the paper's */
    PAIR_WHOLE_SEQUENCE, /* the best over all frames, of up to 20 proposals */
    PAIR_BEST_SLOT,      /* the best by J over the frames that show the object */
};

struct protocol {
    const char *name, *title;
    enum mask_kind kind, guess_kind; /* of annotations, of results */
    enum pairing pairing;
    bool skip_ends;    /* the first and the last frame are not scored */
    bool void_out;     /* 255 is left out of both masks; else it is background */
    bool late_objects; /* an object counts from the frame after its first one on */
    bool categories;   /* seen and unseen apart */
    bool all_ids;      /* objects that the first annotation lacks count, too */
};

/* How the masks of results are read. */
static inline enum mask_kind guess_kind(const struct protocol *protocol)
{
    return protocol->guess_kind == MASK_BINARY ? MASK_BINARY : MASK_GUESS;
}

extern const struct protocol protocols[];
extern const int protocol_count;
const struct protocol *protocol_find(const char *name); /* or NULL */

enum group { GROUP_NONE = -1, GROUP_SEEN, GROUP_UNSEEN };

struct eval_object {
    int id, guess; /* the number of its mask in the result; 0: it got none */
    int first;     /* frame that first shows it, by meta.json or its pixels; -1: none */
    char *category;
    enum group group;
    int count;  /* of scored frames; 0: the object does not count */
    int *frame; /* their indices */
    double *j, *f;
    struct statistics j_stat, f_stat;
    int switches; /* how often the slot that fits best changes */
};

/* A slot of the result in one frame, in pixels. */
struct eval_slot {
    int64_t area, annotated; /* all of it, and what lies on annotated objects */
};

struct eval_sequence {
    char *name;
    struct fault fault; /* code not 0: it could not be scored, and why */
    struct frame_list truth;
    enum mask_kind kind; /* of truth: the protocol's, but for black and white masks */
    char **guess;        /* path of the result of each frame */
    int objects, guesses;
    bool *listed;           /* frames: named by meta.json; NULL: there is no such list */
    bool *present;          /* frames x objects: the annotation shows it */
    double *j, *f;          /* frames x objects x guesses; x 1 for PAIR_SAME_ID */
    int *best;              /* frames x objects: the slot that fits best; 0: none */
    double *best_j;         /* its J */
    struct eval_slot *slot; /* frames x guesses; NULL: not counted */
    int false_objects;      /* -1: not counted */
    struct eval_object *object;
};

struct evaluation {
    const struct protocol *protocol;
    const char *truth, *guess; /* folders with a folder for each sequence */
    const char *frames;        /* likewise, of pictures, for reports; NULL: none */
    struct eval_sequence *sequence;
    int count;
    bool strict;        /* the first fault is the end of it */
    bool all_annotated; /* false objects are counted */
};

struct eval_options {
    const struct name_list *only; /* sequences; NULL: all that are annotated */
    const char *meta;             /* YouTube-VOS meta.json; NULL: none */
    const char *seen; /* categories of the training set: its meta.json, or a list */
    int threads;      /* 0: one per core */
    bool strict;
    bool all_annotated; /* every object of every frame is annotated */
};

/* Scores everything. 0 also where sequences failed: see their faults. */
int evaluate(struct evaluation *out, const struct protocol *protocol, const char *truth,
             const char *guess, const struct eval_options *options, struct fault *fault);
void evaluation_free(struct evaluation *evaluation);

/* Means over objects, and sums. */
struct eval_mean {
    int sequences, objects;
    int frames; /* scored, of all sequences */
    int switches;
    int false_objects; /* -1: not counted */
    struct statistics j, f;
};

/* `group` GROUP_NONE and `instances` 0: all. */
struct eval_mean evaluation_mean(const struct evaluation *evaluation, enum group group,
                                 int instances);

/* The objects of a sequence that count. */
int eval_instances(const struct eval_sequence *sequence);

/* eval_score.c: the frames that count for some object; from j, f and present to
 * objects. -1: no memory. */
bool eval_is_scored(const struct protocol *protocol, const struct eval_sequence *sequence,
                    int frame);
int eval_score_sequence(const struct protocol *protocol, struct eval_sequence *sequence);

/* eval_meta.c: the category of each object, whether it was trained with, and the
 * frames that count. */
int eval_read_meta(struct evaluation *evaluation, const char *meta, const char *seen,
                   struct fault *fault);

#endif
