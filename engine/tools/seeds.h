/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* seeds.h - the masks given for a video: at which frame which objects first
 * appear. From a picture (first frame) or a folder of pictures named as frames. */
#ifndef RV_TOOLS_SEEDS_H
#define RV_TOOLS_SEEDS_H

#include <stdbool.h>

#include "frames.h"

/* Bit i - 1 of four words is object i, 1..254. */
struct id_set {
    uint64_t word[4];
};

static inline void id_add(struct id_set *set, int id)
{
    set->word[(id - 1) / 64] |= (uint64_t)1 << (id - 1) % 64;
}

static inline int id_in(const struct id_set *set, int id)
{
    return (int)(set->word[(id - 1) / 64] >> (id - 1) % 64 & 1);
}

/* The ids of a mask, 0 and 255 left out; the highest, or 0. */
int ids_of(const struct picture *mask, struct id_set *set);

struct seed {
    int frame;
    char *path;
    struct id_set ids; /* the objects not seen in an earlier mask */
};

struct seeds {
    struct seed *seed; /* by frame; none without an id */
    int count;
    int highest;           /* object of all; 0: not one mask has an object */
    int unmatched;         /* pictures without a frame of their name or number */
    char *first_unmatched; /* path of one of them, or NULL */
    enum mask_kind kind;
    bool alone; /* one picture, not a folder or pattern of them */
};

/* `path`: a picture, which belongs to the first frame; a folder of pictures named as
 * the frames; or, if there is no such file, a pattern such as m/%05d.png with the
 * numbers of frames in their order, from 0. Reads every
 * mask once. An object counts where it appears first: a folder of complete
 * annotations gives no more away than one of first appearances. */
int seeds_find(struct seeds *out, const struct frame_list *frames, const char *path,
               enum mask_kind kind, struct fault *fault);
void seeds_free(struct seeds *seeds);

/* The seed of a frame, or NULL. */
const struct seed *seeds_at(const struct seeds *seeds, int frame);

#endif
