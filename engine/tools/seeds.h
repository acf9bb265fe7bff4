/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* seeds.h - the masks given for a video and the first frame of each object. They come
 * from a picture (first frame) or a folder of pictures named like the frames. */
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

/* Collects the ids of a mask, without 0 and 255. Returns the highest id, or 0. */
int ids_of(const struct picture *mask, struct id_set *set);

struct seed {
    int frame;
    char *path;
    struct id_set ids; /* objects that are in no earlier mask */
};

struct seeds {
    struct seed *seed; /* sorted by frame; each has an id */
    int count;
    int highest;           /* highest object of all; 0: no mask has an object */
    int unmatched;         /* pictures without a frame of the same name or number */
    char *first_unmatched; /* path of one of them, or NULL */
    enum mask_kind kind;
    bool alone; /* a single picture, not a folder or pattern */
};

/* `path` is a picture for the first frame, a folder of pictures named like the frames,
 * or, if no such file exists, a pattern such as m/%05d.png with frame numbers from 0.
 * Reads every mask once. Only the first appearance of an object counts, so a folder of
 * complete annotations gives the network no extra information. */
int seeds_find(struct seeds *out, const struct frame_list *frames, const char *path,
               enum mask_kind kind, struct fault *fault);
void seeds_free(struct seeds *seeds);

/* The seed of a frame, or NULL. */
const struct seed *seeds_at(const struct seeds *seeds, int frame);

#endif
