/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* guard.h - results are never written over what a command reads.
 *
 * Files and folders are compared by what they are (device and inode), so that links,
 * "..", and other spellings of a path make no difference. */
#ifndef RV_TOOLS_GUARD_H
#define RV_TOOLS_GUARD_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "fault.h"

struct guard {
    struct guard_file {
        dev_t device;
        ino_t inode;
        bool folder;
    } * seen; /* sorted by guard_check */
    size_t count, room;
    bool sorted;
    bool failed; /* out of memory */
};

/* A file or folder that is read; with a folder, the pictures in it. NULL, or a path that
 * does not exist: nothing. */
void guard_add(struct guard *guard, const char *path);

/* The file or folder itself. */
void guard_add_alone(struct guard *guard, const char *path);

/* The folder and what is in its folders. */
void guard_add_tree(struct guard *guard, const char *path);

/* A file that is to be written: TOOL_USAGE if it is one of those that are read, or if its
 * folder's path leads out of a folder that does not exist. */
int guard_check(struct guard *guard, const char *path, struct fault *fault);

/* A folder that is to be written into: TOOL_USAGE if it is one of those that are read. */
int guard_check_folder(struct guard *guard, const char *path, struct fault *fault);

/* Whether two paths, which need not exist, are one name. Never of "-". */
bool guard_same_file(const char *a, const char *b);

/* Whether `path`, which need not exist, is the folder `other` or lies inside it. */
bool guard_is_inside(const char *path, const char *other);

void guard_free(struct guard *guard);

#endif
