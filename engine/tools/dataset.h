/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* dataset.h - the folder layout of the benchmarks: frames, annotations and lists of
 * names. */
#ifndef RV_TOOLS_DATASET_H
#define RV_TOOLS_DATASET_H

#include "folders.h"
#include "frames.h"

struct dataset_rules {
    const char *name;
    const char *frames, *annotations; /* below the root; a folder per sequence */
    const char *list[2];   /* list of a split's names, %s is the split; the first that
                              exists is used. NULL: none */
    const char *split;     /* default split */
    bool split_folder;     /* the split is a folder below the root */
    bool first_frame_only; /* all objects are given at frame 0, else each later */
    enum mask_kind kind;
};

/* NULL: unknown data set. */
const struct dataset_rules *dataset_find(const char *name);

struct dataset_entry {
    char *name;
    char *frames;      /* folder */
    char *annotations; /* folder; may be missing, for example in test sets */
};

struct dataset {
    const struct dataset_rules *rules;
    char *frames, *annotations; /* folders with a folder for each sequence */
    struct dataset_entry *entry;
    int count;
};

/* `split` NULL: the default split, or all sequences if it has no list. `list` is a text
 * file of sequences to use instead; NULL: none. */
int dataset_open(struct dataset *out, const struct dataset_rules *rules, const char *root,
                 const char *split, const char *list, struct fault *fault);
void dataset_close(struct dataset *dataset);

#endif
