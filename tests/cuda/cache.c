/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* cache.c - tests the files on disk: each comes back complete or not at all, whatever
 * happens to the file or the folder, and whoever else writes. */
#include "conv/cache.h"

#include <dirent.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../test.h"

static const char *folder;
static char inner[128];

/* Whether a key has these bytes; NULL: no entry. */
static bool holds(const struct rv_cache *c, const char *key, const void *data,
                  size_t size)
{
    size_t got = 99;
    char *text = rv_cache_get(c, key, &got);
    bool good = data ? text && got == size && !memcmp(text, data, size) && !text[size]
                     : !text && got == 0;

    free(text);
    return good;
}

static int count_files(char *name, size_t size)
{
    DIR *dir = opendir(inner);
    struct dirent *d;
    int n = 0;

    while (dir && (d = readdir(dir)))
        if (d->d_name[0] != '.') {
            n++;
            if (name)
                snprintf(name, size, "%s/%s", inner, d->d_name);
        }
    if (dir)
        closedir(dir);
    return n;
}

static void kept(void)
{
    struct rv_cache *c = rv_cache_open("t");
    const char binary[] = "a\0b\nc\n\n";
    struct stat st;

    CHECK(holds(c, "x", NULL, 0));
    rv_cache_put(c, "x", "one", 3);
    rv_cache_put(c, "y", binary, sizeof(binary));
    rv_cache_put(c, "empty", "", 0);
    CHECK(holds(c, "x", "one", 3) && holds(c, "y", binary, sizeof(binary)));
    CHECK(holds(c, "empty", "", 0) && holds(c, "z", NULL, 0));
    rv_cache_put(c, "x", "more", 4);
    rv_cache_close(c);
    c = rv_cache_open("t");
    CHECK(holds(c, "x", "more", 4));
    CHECK(count_files(NULL, 0) == 3); /* nothing temporary is left */
    CHECK(stat(inner, &st) == 0 && (st.st_mode & 0777) == 0700);
    rv_cache_put(c, "two\nlines", "n", 1);
    CHECK(count_files(NULL, 0) == 3);
    rv_cache_close(c);
}

static void clear(void)
{
    char name[400];

    while (count_files(name, sizeof(name)))
        if (unlink(name) && rmdir(name))
            break;
    CHECK(count_files(NULL, 0) == 0);
}

static size_t read_whole(const char *path, char *text, size_t size)
{
    FILE *f = fopen(path, "rb");
    size_t n = f ? fread(text, 1, size, f) : 0;

    if (f)
        fclose(f);
    return n;
}

static void write_whole(const char *path, const char *text, size_t size)
{
    FILE *f = fopen(path, "wb");

    CHECK(f && fwrite(text, 1, size, f) == size);
    if (f)
        fclose(f);
}

/* Changes every byte, cuts to every length, and appends bytes. */
static void spoilt(void)
{
    struct rv_cache *c = rv_cache_open("t");
    char path[400], text[400], bad[401];
    const char data[] = "0123456789";
    size_t n;

    clear();
    rv_cache_put(c, "key", data, sizeof(data));
    CHECK(count_files(path, sizeof(path)) == 1);
    n = read_whole(path, text, sizeof(text));
    CHECK(n > sizeof(data) + 20);
    for (size_t i = 0; i < n; i++) {
        memcpy(bad, text, n);
        bad[i] = (char)(bad[i] ^ 1);
        write_whole(path, bad, n);
        CHECK(holds(c, "key", NULL, 0));
        write_whole(path, text, i);
        CHECK(holds(c, "key", NULL, 0));
    }
    memcpy(bad, text, n);
    bad[n] = 'x';
    write_whole(path, bad, n + 1);
    CHECK(holds(c, "key", NULL, 0));
    write_whole(path, text, n);
    CHECK(holds(c, "key", data, sizeof(data)));
    rv_cache_put(c, "key", "new", 3); /* over what was there */
    CHECK(holds(c, "key", "new", 3));
    rv_cache_close(c);
}

/* A complete file under another key's name, a link, a folder, a pipe, a huge file. */
static void foreign(void)
{
    struct rv_cache *c = rv_cache_open("t");
    char path[400], text[400], elsewhere[400];
    size_t n;

    clear();
    rv_cache_put(c, "other", "data", 4);
    count_files(path, sizeof(path));
    n = read_whole(path, text, sizeof(text));
    clear();
    rv_cache_put(c, "key", "data", 4);
    count_files(path, sizeof(path));
    write_whole(path, text, n);
    CHECK(holds(c, "key", NULL, 0));

    rv_cache_put(c, "key", "data", 4);
    snprintf(elsewhere, sizeof(elsewhere), "%s/elsewhere", folder);
    CHECK(rename(path, elsewhere) == 0 && symlink(elsewhere, path) == 0);
    CHECK(holds(c, "key", NULL, 0));
    rv_cache_put(c, "key", "mine", 4); /* in place of the link, not through it */
    CHECK(holds(c, "key", "mine", 4));
    CHECK(read_whole(elsewhere, text, sizeof(text)) > 0 && !strstr(text, "mine"));
    unlink(elsewhere);

    unlink(path);
    CHECK(mkfifo(path, 0600) == 0);
    CHECK(holds(c, "key", NULL, 0)); /* and does not wait */
    unlink(path);
    CHECK(mkdir(path, 0700) == 0);
    CHECK(holds(c, "key", NULL, 0));
    rv_cache_put(c, "key", "data", 4);
    CHECK(count_files(NULL, 0) == 1);
    CHECK(rmdir(path) == 0);
    write_whole(path, "", 0);
    CHECK(truncate(path, 1ll << 40) == 0);
    CHECK(holds(c, "key", NULL, 0));
    rv_cache_close(c);
}

static void too_large(void)
{
    struct rv_cache *c = rv_cache_open("t");
    size_t most = RV_CACHE_FILE_MOST;
    char *data = calloc(1, most + 1);

    clear();
    rv_cache_put(c, "large", data, most);
    CHECK(holds(c, "large", data, most));
    rv_cache_put(c, "larger", data, most + 1);
    CHECK(holds(c, "larger", NULL, 0));
    for (int i = 0; i < 20; i++) {
        char key[16];

        snprintf(key, sizeof(key), "k%d", i);
        rv_cache_put(c, key, data, most);
    }
    CHECK(count_files(NULL, 0) == 21);
    rv_cache_trim(c);
    CHECK(count_files(NULL, 0) == RV_CACHE_BYTES_MOST / 4 * 3 / (RV_CACHE_FILE_MOST + 1));
    rv_cache_trim(c);
    free(data);
    rv_cache_close(c);
}

static void locked(void)
{
    struct rv_cache *c = rv_cache_open("t");

    clear();
    rv_cache_put(c, "key", "data", 4);
    CHECK(chmod(inner, 0777) == 0); /* anyone may have written it */
    CHECK(holds(c, "key", NULL, 0));
    rv_cache_put(c, "key", "more", 4);
    rv_cache_trim(c);
    CHECK(chmod(inner, 0500) == 0);
    CHECK(holds(c, "key", "data", 4));
    if (geteuid()) {
        rv_cache_put(c, "key", "more", 4);
        CHECK(holds(c, "key", "data", 4));
    }
    CHECK(chmod(inner, 0700) == 0);
    rv_cache_close(c);
}

#define ROUNDS 300
#define BYTES 20000

/* Each writer repeats its letter; a read must give one writer's complete file. */
static int child(char letter)
{
    struct rv_cache *c = rv_cache_open("t");
    static char data[BYTES];
    int bad = 0;

    memset(data, letter, sizeof(data));
    for (int i = 0; i < ROUNDS; i++) {
        size_t size = 0;
        char *text;

        rv_cache_put(c, "shared", data, sizeof(data));
        text = rv_cache_get(c, "shared", &size);
        bad += !text || size != BYTES || text[0] != text[BYTES - 1];
        for (size_t at = 1; text && at < size; at++)
            bad += text[at] != text[0];
        free(text);
        if (i % 50 == 0)
            rv_cache_trim(c);
    }
    rv_cache_close(c);
    return bad != 0;
}

static void together(void)
{
    int status, n = 4;

    clear();
    for (int i = 0; i < n; i++)
        if (!fork())
            _exit(child((char)('a' + i)));
    for (int i = 0; i < n; i++)
        CHECK(wait(&status) > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0);
    CHECK(count_files(NULL, 0) == 1);
}

static void no_folder(const char *variable, const char *value)
{
    struct rv_cache *c;

    setenv(variable, value, 1);
    c = rv_cache_open("t");
    rv_cache_put(c, "x", "1", 1);
    CHECK(holds(c, "x", NULL, 0));
    rv_cache_trim(c);
    rv_cache_close(c);
}

int main(void)
{
    char *longest = calloc(1, 4000);

    folder = test_folder();
    snprintf(inner, sizeof(inner), "%s/rvos/t", folder);
    setenv("XDG_CACHE_HOME", folder, 1);
    kept();
    spoilt();
    foreign();
    too_large();
    locked();
    together();
    /* A user's first. */
    unsetenv("XDG_CACHE_HOME");
    setenv("HOME", folder, 1);
    snprintf(inner, sizeof(inner), "%s/.cache/rvos/t", folder);
    kept();
    clear();
    for (int i = 0; i < 3; i++) {
        CHECK(rmdir(inner) == 0);
        *strrchr(inner, '/') = 0;
    }
    unsetenv("HOME");
    no_folder("XDG_CACHE_HOME", "/proc/nowhere/at/all");
    no_folder("XDG_CACHE_HOME", "relative");
    no_folder("XDG_CACHE_HOME", "/dev/null");
    memset(longest, 'x', 3999);
    longest[0] = '/';
    no_folder("XDG_CACHE_HOME", longest);
    unsetenv("XDG_CACHE_HOME");
    no_folder("HOME", "");
    rv_cache_close(NULL);
    free(longest);
    return test_done();
}
