/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* choices.c - the file of engine choices: kept, merged, and never a reason to fail. */
#include "conv/choices.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../test.h"

static char folder[64] = "/tmp/rvos-choices-XXXXXX", path[128];

static int get(const struct rv_choices *c, const char *key)
{
    int value = -1;

    return rv_choices_get(c, key, &value) ? value : -1;
}

static void write_text(const char *text)
{
    FILE *f = fopen(path, "w");

    if (!CHECK(f))
        exit(1);
    fputs(text, f);
    fclose(f);
}

static void kept(void)
{
    struct rv_choices *a = rv_choices_open("t"), *b = rv_choices_open("t");

    CHECK(get(a, "x") == -1);
    rv_choices_set(a, "x", 3);
    rv_choices_set(a, "y", 4);
    rv_choices_set(b, "x", 5);
    rv_choices_set(b, "z", 6);
    rv_choices_save(a);
    rv_choices_save(b); /* knows of y by now, and keeps its own x */
    CHECK(get(b, "y") == 4 && get(b, "x") == 5);
    rv_choices_close(a);
    rv_choices_close(b);
    a = rv_choices_open("t");
    CHECK(get(a, "x") == 5 && get(a, "y") == 4 && get(a, "z") == 6);
    rv_choices_close(a);
}

static void broken(void)
{
    struct rv_choices *c;
    char line[700];

    memset(line, 'k', sizeof(line) - 3);
    strcpy(line + sizeof(line) - 4, " 1\n");
    write_text(line);
    rv_choices_close(rv_choices_open("t"));
    write_text("good 7\nno-number\nbad 1x\n 8\nhalf 9");
    c = rv_choices_open("t");
    CHECK(get(c, "good") == 7 && get(c, "bad") == -1 && get(c, "half") == -1);
    rv_choices_close(c);
}

static void no_folder(const char *cache)
{
    struct rv_choices *c;

    setenv("XDG_CACHE_HOME", cache, 1);
    c = rv_choices_open("t");
    rv_choices_set(c, "x", 1);
    rv_choices_save(c);
    CHECK(get(c, "x") == 1);
    rv_choices_close(c);
}

int main(void)
{
    if (!CHECK(mkdtemp(folder)))
        return test_done();
    snprintf(path, sizeof(path), "%s/rvos/t", folder);
    setenv("XDG_CACHE_HOME", folder, 1);
    kept();
    broken();
    remove(path);
    snprintf(path, sizeof(path), "%s/rvos", folder);
    CHECK(rmdir(path) == 0); /* nothing temporary is left */
    rmdir(folder);
    unsetenv("HOME");
    no_folder("/nowhere/at/all");
    no_folder("relative");
    rv_choices_close(NULL);
    return test_done();
}
