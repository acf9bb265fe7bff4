/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "choices.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct choice {
    char key[RV_CHOICES_KEY + 1];
    int value;
};

struct rv_choices {
    const struct rv_cache *store;
    struct choice *choice;
    int n, room;
};

struct rv_choices *rv_choices_open(const struct rv_cache *store)
{
    struct rv_choices *c = calloc(1, sizeof(*c));

    if (c)
        c->store = store;
    return c;
}

void rv_choices_close(struct rv_choices *c)
{
    if (!c)
        return;
    free(c->choice);
    free(c);
}

static struct choice *find_choice(const struct rv_choices *c, const char *key)
{
    for (int i = 0; i < c->n; i++)
        if (!strcmp(c->choice[i].key, key))
            return &c->choice[i];
    return NULL;
}

/* Without memory it is not kept: only a little time is lost. */
static void remember(struct rv_choices *c, const char *key, int value)
{
    struct choice *old = find_choice(c, key);

    if (!old && c->n == c->room) {
        int room = c->room ? 2 * c->room : 64;
        struct choice *grown = realloc(c->choice, (size_t)room * sizeof(*grown));

        if (!grown)
            return;
        c->choice = grown;
        c->room = room;
    }
    if (!old) {
        old = &c->choice[c->n++];
        snprintf(old->key, sizeof(old->key), "%s", key);
    }
    old->value = value;
}

bool rv_choices_get(struct rv_choices *c, const char *key, int *value)
{
    const struct choice *found = find_choice(c, key);
    size_t size = 0;
    char *text = found ? NULL : rv_cache_get(c->store, key, &size);
    int end = 0, kept;

    if (found)
        *value = found->value;
    else if (text && sscanf(text, "%d%n", &kept, &end) == 1 && (size_t)end == size)
        remember(c, key, *value = kept);
    else
        end = 0;
    free(text);
    return found || end;
}

void rv_choices_set(struct rv_choices *c, const char *key, int value)
{
    char text[16];
    int n = snprintf(text, sizeof(text), "%d", value);

    remember(c, key, value);
    rv_cache_put(c->store, key, text, (size_t)n);
}
