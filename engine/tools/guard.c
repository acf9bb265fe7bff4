/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "guard.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "folders.h"
#include "frames.h"

static int by_identity(const void *a, const void *b)
{
    const struct guard_file *x = a, *y = b;

    if (x->device != y->device)
        return x->device < y->device ? -1 : 1;
    return (x->inode > y->inode) - (x->inode < y->inode);
}

static void add_one(struct guard *guard, const struct stat *st)
{
    struct guard_file *grown = guard->seen;

    /* Writing to a device or pipe, such as /dev/null, does not change it. */
    if (!S_ISREG(st->st_mode) && !S_ISDIR(st->st_mode))
        return;
    if (guard->count == guard->room) {
        size_t room = guard->room ? 2 * guard->room : 64;

        grown = realloc(guard->seen, sizeof *grown * room);
        if (!grown) {
            guard->failed = true;
            return;
        }
        guard->seen = grown;
        guard->room = room;
    }
    grown[guard->count++] =
        (struct guard_file){st->st_dev, st->st_ino, S_ISDIR(st->st_mode)};
    guard->sorted = false;
}

static void add_path(struct guard *guard, const char *path, int depth)
{
    struct dirent *entry;
    struct stat st;
    DIR *dir;

    if (stat(path, &st))
        return;
    add_one(guard, &st);
    dir = depth > 0 && S_ISDIR(st.st_mode) ? opendir(path) : NULL;
    while (dir && (entry = readdir(dir))) {
        char *below;

        if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
            continue;
        below = text_format("%s/%s", path, entry->d_name);
        if (!below)
            guard->failed = true;
        /* Skip other files, such as an earlier report, and folders at the last level.
         */
        else if (is_folder(below) ? depth > 1 : picture_is_named(entry->d_name))
            add_path(guard, below, depth - 1);
        free(below);
    }
    if (dir)
        closedir(dir);
}

void guard_add(struct guard *guard, const char *path)
{
    if (path)
        add_path(guard, path, 1);
}

void guard_add_alone(struct guard *guard, const char *path)
{
    if (path)
        add_path(guard, path, 0);
}

void guard_add_tree(struct guard *guard, const char *path)
{
    if (path)
        add_path(guard, path, 2);
}

static const struct guard_file *find(struct guard *guard, const char *path)
{
    struct guard_file key = {0};
    struct stat st;

    if (!guard->sorted && guard->count)
        qsort(guard->seen, guard->count, sizeof *guard->seen, by_identity);
    guard->sorted = true;
    if (!guard->count || stat(path, &st))
        return NULL;
    key.device = st.st_dev;
    key.inode = st.st_ino;
    return bsearch(&key, guard->seen, guard->count, sizeof key, by_identity);
}

/* The longest existing part of a path, to be freed; "." or "/" if nothing exists. *rest
 * is the remainder. NULL: out of memory. */
static char *existing_part(const char *path, const char **rest)
{
    char *part = text_format("%s", path);
    struct stat st;
    size_t n = part ? strlen(part) : 0;

    while (n && stat(part, &st)) {
        while (n && part[n - 1] == '/')
            part[--n] = 0;
        while (n && part[n - 1] != '/')
            part[--n] = 0;
    }
    *rest = path + n;
    if (part && !n) {
        free(part);
        part = text_format(".");
    }
    return part;
}

/* "new/../old" is another folder after "new" has been made. */
static bool climbs(const char *rest)
{
    for (const char *at = rest; (at = strstr(at, "..")); at += 2)
        if ((at == rest || at[-1] == '/') && (at[2] == '/' || !at[2]))
            return true;
    return false;
}

static int check_way(struct guard *guard, const char *path, struct fault *fault)
{
    const char *rest;
    char *part = existing_part(path, &rest);
    int err = 0;

    if (!part || guard->failed)
        err = fault_set(fault, TOOL_ENGINE, path, "out of memory");
    else if (climbs(rest))
        err = fault_set(fault, TOOL_USAGE, path,
                        "leads out of a folder that does not exist: name the place "
                        "without \"..\"");
    free(part);
    return err;
}

int guard_check(struct guard *guard, const char *path, struct fault *fault)
{
    int err = strcmp(path, "-") ? check_way(guard, path, fault) : 0;

    if (!err && strcmp(path, "-") && find(guard, path))
        err = fault_set(fault, TOOL_USAGE, path,
                        "is read by this command: name another file for the result");
    return err;
}

int guard_check_folder(struct guard *guard, const char *path, struct fault *fault)
{
    int err = check_way(guard, path, fault);

    if (!err && find(guard, path))
        err = fault_set(fault, TOOL_USAGE, path,
                        "is the folder of the frames, or of masks that are read: results "
                        "need another one");
    return err;
}

static const char *base_of(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

static char *folder_of(const char *path)
{
    return text_format("%.*s.", (int)(base_of(path) - path), path);
}

static bool same(const char *a, const char *b)
{
    struct stat x, y;

    return !stat(a, &x) && !stat(b, &y) && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

bool guard_same_file(const char *a, const char *b)
{
    char *x = folder_of(a), *y = folder_of(b);
    bool one = !strcmp(base_of(a), base_of(b)) && strcmp(a, "-") && x && y &&
               (!strcmp(x, y) || same(x, y));

    free(x);
    free(y);
    return one;
}

/* ".." of the root is the root. */
bool guard_is_inside(const char *path, const char *other)
{
    const char *rest;
    char *at = existing_part(path, &rest);
    struct stat st, last = {0}, goal;
    bool found = false;

    while (at && !found && !stat(other, &goal) && !stat(at, &st)) {
        char *up;

        found = st.st_dev == goal.st_dev && st.st_ino == goal.st_ino;
        if (st.st_dev == last.st_dev && st.st_ino == last.st_ino)
            break;
        last = st;
        up = text_format("%s/..", at);
        free(at);
        at = up;
    }
    free(at);
    return found;
}

void guard_free(struct guard *guard)
{
    free(guard->seen);
    *guard = (struct guard){0};
}
