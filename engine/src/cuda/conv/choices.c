/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "choices.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define KEY 201
#define MOST 16384 /* entries: far more than there are shapes */

struct choice {
    char key[KEY];
    int value;
    bool own; /* found by this process, so not to be replaced by what the file says */
};

struct rv_choices {
    char folder[512], path[640];
    struct choice *choice;
    int n, room;
    bool changed;
};

static struct choice *find(const struct rv_choices *c, const char *key)
{
    for (int i = 0; i < c->n; i++)
        if (!strcmp(c->choice[i].key, key))
            return &c->choice[i];
    return NULL;
}

static void put_choice(struct rv_choices *c, const char *key, int value, bool own)
{
    struct choice *old = find(c, key);

    if (old && old->own && !own)
        return;
    if (!old && c->n == c->room && c->n < MOST) {
        int room = c->room ? 2 * c->room : 64;
        struct choice *grown = realloc(c->choice, (size_t)room * sizeof(*grown));

        if (!grown)
            return; /* only a little time is lost */
        c->choice = grown;
        c->room = room;
    }
    if (!old && c->n == c->room)
        return;
    if (!old)
        old = &c->choice[c->n++];
    snprintf(old->key, sizeof(old->key), "%s", key);
    old->value = value;
    old->own = own;
}

static void load_file(struct rv_choices *c)
{
    FILE *f = fopen(c->path, "r");
    char line[512], key[KEY];
    int value, end;

    if (!f)
        return;
    while (fgets(line, sizeof(line), f)) {
        end = 0;
        if (sscanf(line, "%200s %d%n", key, &value, &end) == 2 && line[end] == '\n')
            put_choice(c, key, value, false);
    }
    fclose(f);
}

struct rv_choices *rv_choices_open(const char *name)
{
    struct rv_choices *c = calloc(1, sizeof(*c));
    const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");

    if (!c)
        return NULL;
    if (cache && cache[0] == '/')
        snprintf(c->folder, sizeof(c->folder), "%s/rvos", cache);
    else if (home && home[0] == '/')
        snprintf(c->folder, sizeof(c->folder), "%s/.cache/rvos", home);
    if (c->folder[0])
        snprintf(c->path, sizeof(c->path), "%s/%s", c->folder, name);
    load_file(c);
    return c;
}

void rv_choices_close(struct rv_choices *c)
{
    if (!c)
        return;
    free(c->choice);
    free(c);
}

bool rv_choices_get(const struct rv_choices *c, const char *key, int *value)
{
    const struct choice *found = find(c, key);

    if (found)
        *value = found->value;
    return found != NULL;
}

void rv_choices_set(struct rv_choices *c, const char *key, int value)
{
    put_choice(c, key, value, true);
    c->changed = true;
}

/* The cache's folder may be the first that this user has. */
static bool make_choices_folder(const struct rv_choices *c)
{
    char parent[512];
    char *slash;

    snprintf(parent, sizeof(parent), "%s", c->folder);
    slash = strrchr(parent, '/');
    if (slash && slash != parent) {
        *slash = 0;
        mkdir(parent, 0700);
    }
    return !mkdir(c->folder, 0700) || errno == EEXIST;
}

static bool write_choices(const struct rv_choices *c, int fd)
{
    FILE *f = fdopen(fd, "w");
    bool good = f != NULL;

    if (!f) {
        close(fd);
        return false;
    }
    for (int i = 0; i < c->n && good; i++)
        good = fprintf(f, "%s %d\n", c->choice[i].key, c->choice[i].value) > 0;
    return !fclose(f) && good;
}

void rv_choices_save(struct rv_choices *c)
{
    char temporary[680];
    int fd;

    if (!c->changed || !c->path[0] || !make_choices_folder(c))
        return;
    load_file(c);
    snprintf(temporary, sizeof(temporary), "%s.XXXXXX", c->path);
    fd = mkstemp(temporary);
    if (fd < 0)
        return;
    if (!write_choices(c, fd) || rename(temporary, c->path))
        unlink(temporary);
    else
        c->changed = false;
}
