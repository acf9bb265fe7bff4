/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* guard.h - keeps a command from overwriting what it reads.
 *
 * Files and folders are compared by device and inode, so links, ".." and other spellings
 * of a path do not matter. */
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

/* Adds a file or folder that is read, and the pictures in a folder. Ignores NULL and
 * paths that do not exist. */
void guard_add(struct guard *guard, const char *path);

/* Adds only the file or folder itself. */
void guard_add_alone(struct guard *guard, const char *path);

/* Adds the folder and the contents of its folders. */
void guard_add_tree(struct guard *guard, const char *path);

/* Checks a file to be written: TOOL_USAGE if it is read, or if its path leads out of a
 * folder that does not exist. */
int guard_check(struct guard *guard, const char *path, struct fault *fault);

/* Checks a folder to be written into: TOOL_USAGE if it is read. */
int guard_check_folder(struct guard *guard, const char *path, struct fault *fault);

/* Whether two paths, which need not exist, name the same file. False for "-". */
bool guard_same_file(const char *a, const char *b);

/* Whether `path`, which need not exist, is the folder `other` or lies inside it. */
bool guard_is_inside(const char *path, const char *other);

void guard_free(struct guard *guard);

#endif
