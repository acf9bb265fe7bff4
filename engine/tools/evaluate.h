/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* evaluate.h - scores the masks of many sequences by the rules of a benchmark. */
#ifndef RV_TOOLS_EVALUATE_H
#define RV_TOOLS_EVALUATE_H

#include <stdbool.h>

#include "folders.h"
#include "frames.h"
#include "metrics.h"

/* Which mask of the result is compared with an annotated object. */
enum pairing {
    PAIR_SAME_ID,        /* the mask with the same number */
    PAIR_FIRST_FRAME,    /* the best at the object's first frame (as in the paper) */
    PAIR_WHOLE_SEQUENCE, /* the best of up to 20 proposals over all frames */
    PAIR_BEST_SLOT,      /* the best J over the frames with the object */
};

struct protocol {
    const char *name, *title;
    enum mask_kind kind, guess_kind; /* kinds of annotations and of results */
    enum pairing pairing;
    bool skip_ends;    /* the first and the last frame are not scored */
    bool void_out;     /* 255 is removed from both masks; else it is background */
    bool late_objects; /* an object counts from the frame after its first frame */
    bool categories;   /* report seen and unseen categories separately */
    bool all_ids;      /* also count objects that are not in the first annotation */
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
    int id, guess; /* number of its mask in the result; 0: none */
    int first;     /* its first frame, from meta.json or its pixels; -1: none */
    char *category;
    enum group group;
    int count;  /* number of scored frames; 0: the object does not count */
    int *frame; /* their indices */
    double *j, *f;
    struct statistics j_stat, f_stat;
    int switches; /* number of changes of the best slot */
};

/* A slot of the result in one frame, in pixels. */
struct eval_slot {
    int64_t area, annotated; /* all its pixels; those on annotated objects */
};

struct eval_sequence {
    char *name;
    struct fault fault; /* why it could not be scored; code 0: it was */
    struct frame_list truth;
    /* Kind of `truth`: the protocol's, except for black and white masks. */
    enum mask_kind kind;
    char **guess; /* path of each frame's result */
    int objects, guesses;
    bool *listed;           /* frames: named by meta.json; NULL: no meta.json */
    bool *present;          /* frames x objects: in the annotation */
    double *j, *f;          /* frames x objects x guesses; x 1 for PAIR_SAME_ID */
    int *best;              /* frames x objects: best slot; 0: none */
    double *best_j;         /* its J */
    struct eval_slot *slot; /* frames x guesses; NULL: not counted */
    int false_objects;      /* -1: not counted */
    struct eval_object *object;
};

struct evaluation {
    const struct protocol *protocol;
    const char *truth, *guess; /* folders with a folder for each sequence */
    const char *frames;        /* the same for pictures, for reports; NULL: none */
    struct eval_sequence *sequence;
    int count;
    bool strict;        /* stop at the first fault */
    bool all_annotated; /* count false objects */
};

struct eval_options {
    const struct name_list *only; /* sequences; NULL: all annotated ones */
    const char *meta;             /* YouTube-VOS meta.json; NULL: none */
    const char *seen; /* categories of the training set: its meta.json, or a list */
    int threads;      /* 0: one per core */
    bool strict;
    bool all_annotated; /* every object of every frame is annotated */
};

/* Scores everything. Returns 0 even if sequences failed: see their faults. */
int evaluate(struct evaluation *out, const struct protocol *protocol, const char *truth,
             const char *guess, const struct eval_options *options, struct fault *fault);
void evaluation_free(struct evaluation *evaluation);

/* Means over objects, and sums. */
struct eval_mean {
    int sequences, objects;
    int frames; /* scored frames of all sequences */
    int switches;
    int false_objects; /* -1: not counted */
    struct statistics j, f;
};

/* `group` GROUP_NONE and `instances` 0: all. */
struct eval_mean evaluation_mean(const struct evaluation *evaluation, enum group group,
                                 int instances);

/* The objects of a sequence that count. */
int eval_instances(const struct eval_sequence *sequence);

/* eval_score.c: whether a frame counts for an object; turns j, f and present into
 * objects' scores (-1: out of memory). */
bool eval_is_scored(const struct protocol *protocol, const struct eval_sequence *sequence,
                    int frame);
int eval_score_sequence(const struct protocol *protocol, struct eval_sequence *sequence);

/* eval_meta.c: reads each object's category, whether the category was in the training
 * set, and the frames that count. */
int eval_read_meta(struct evaluation *evaluation, const char *meta, const char *seen,
                   struct fault *fault);

#endif
