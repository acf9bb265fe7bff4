/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* dataset.h - where the benchmarks keep frames, annotations and lists of names. */
#ifndef RV_TOOLS_DATASET_H
#define RV_TOOLS_DATASET_H

#include "folders.h"
#include "frames.h"

struct dataset_rules {
    const char *name;
    const char *frames, *annotations; /* below the root; a folder per sequence */
    const char *list[2];              /* names of a split, with %s for it; the first that
                                         there is. NULL: none */
    const char *split;                /* the one that is meant if none is named */
    bool split_folder;                /* the split is a folder below the root */
    bool first_frame_only; /* all objects are given at frame 0; else each at its own */
    enum mask_kind kind;
};

/* NULL: there is no such data set. */
const struct dataset_rules *dataset_find(const char *name);

struct dataset_entry {
    char *name;
    char *frames;      /* folder */
    char *annotations; /* folder; it may be missing, as in test sets */
};

struct dataset {
    const struct dataset_rules *rules;
    char *frames, *annotations; /* folders with a folder for each sequence */
    struct dataset_entry *entry;
    int count;
};

/* `split` NULL: the usual one, or all sequences where no list of it is found.
 * `list` names a text file of sequences instead; NULL: none. */
int dataset_open(struct dataset *out, const struct dataset_rules *rules, const char *root,
                 const char *split, const char *list, struct fault *fault);
void dataset_close(struct dataset *dataset);

#endif
