/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* choices.c - tests the numbers on disk: they are stored and merged, and never make a
 * call fail. cache.c tests that files are complete or absent. */
#include "conv/cache.h"

#include <string.h>

#include "../test.h"

static int get(struct rv_choices *c, const char *key)
{
    int value = -1;

    return rv_choices_get(c, key, &value) ? value : -1;
}

static void kept(const struct rv_cache *store)
{
    struct rv_choices *a = rv_choices_open(store), *b = rv_choices_open(store);

    CHECK(get(a, "x") == -1);
    rv_choices_set(a, "x", 3);
    rv_choices_set(a, "y", 4);
    rv_choices_set(b, "x", 5);
    rv_choices_set(b, "z", 6);
    CHECK(get(b, "y") == 4 && get(b, "x") == 5);
    CHECK(get(a, "x") == 3 && get(a, "z") == 6); /* its own x */
    rv_choices_close(a);
    rv_choices_close(b);
    a = rv_choices_open(store);
    CHECK(get(a, "x") == 5 && get(a, "y") == 4 && get(a, "z") == 6);
    rv_choices_close(a);
}

static void many(const struct rv_cache *store)
{
    struct rv_choices *c = rv_choices_open(store);
    char key[RV_CHOICES_KEY + 1];

    memset(key, 'k', sizeof(key));
    for (int i = 0; i < 200; i++) {
        snprintf(key + sizeof(key) - 5, 5, "%04d", i);
        rv_choices_set(c, key, i);
    }
    for (int i = 0; i < 200; i++) {
        snprintf(key + sizeof(key) - 5, 5, "%04d", i);
        CHECK(get(c, key) == i);
    }
    rv_choices_close(c);
}

static void broken(const struct rv_cache *store)
{
    static const char *const texts[] = {"1x", "", "x", "1 2", "-"};
    struct rv_choices *c = rv_choices_open(store);

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        rv_cache_put(store, "bad", texts[i], strlen(texts[i]));
        CHECK(get(c, "bad") == -1);
    }
    rv_cache_put(store, "bad", "7", 1);
    CHECK(get(c, "bad") == 7);
    rv_choices_close(c);
}

static void no_folder(const char *cache)
{
    struct rv_cache *store;
    struct rv_choices *c;

    setenv("XDG_CACHE_HOME", cache, 1);
    store = rv_cache_open("t");
    c = rv_choices_open(store);
    rv_choices_set(c, "x", 1);
    CHECK(get(c, "x") == 1);
    rv_choices_close(c);
    rv_cache_close(store);
}

int main(void)
{
    struct rv_cache *store;

    setenv("XDG_CACHE_HOME", test_folder(), 1);
    store = rv_cache_open("t");
    kept(store);
    many(store);
    broken(store);
    rv_cache_close(store);
    unsetenv("HOME");
    no_folder("/nowhere/at/all");
    no_folder("relative");
    rv_choices_close(NULL);
    return test_done();
}
