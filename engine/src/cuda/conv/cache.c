/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cache.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define MAGIC "rvos-cache 1"
#define HEAD_MOST 600
#define NAME_MOST 40
#define TEMPORARY "new-" /* prefix of the names of unfinished files */

struct rv_cache {
    char folder[600]; /* "": none */
};

/* FNV-1a */
static uint64_t hash(const void *data, size_t size)
{
    const unsigned char *p = data;
    uint64_t h = 0xcbf29ce484222325u;

    for (size_t i = 0; i < size; i++)
        h = (h ^ p[i]) * 0x100000001b3u;
    return h;
}

struct rv_cache *rv_cache_open(const char *name)
{
    struct rv_cache *c = calloc(1, sizeof(*c));
    const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    int n = 0;

    if (!c)
        return NULL;
    if (cache && cache[0] == '/')
        n = snprintf(c->folder, sizeof(c->folder), "%s/rvos/%s", cache, name);
    else if (home && home[0] == '/')
        n = snprintf(c->folder, sizeof(c->folder), "%s/.cache/rvos/%s", home, name);
    if (n >= (int)sizeof(c->folder) - NAME_MOST)
        c->folder[0] = 0;
    return c;
}

void rv_cache_close(struct rv_cache *c)
{
    free(c);
}

/* Opens the folder if only this user can write to it, because the GPU runs code from it.
 * Returns a value below 0 otherwise. */
static int open_folder(const struct rv_cache *c)
{
    struct stat st;
    int fd = -1;

    if (c->folder[0])
        fd = open(c->folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return -1;
    if (!fstat(fd, &st) && st.st_uid == geteuid() && !(st.st_mode & 022))
        return fd;
    close(fd);
    return -1;
}

/* Makes up to three missing levels of folders. */
static int make_folder(const struct rv_cache *c)
{
    char path[600];
    int fd = open_folder(c);

    if (fd >= 0 || !c->folder[0])
        return fd;
    for (int up = 2; up >= 0; up--) {
        snprintf(path, sizeof(path), "%s", c->folder);
        for (int i = 0; i < up && strrchr(path, '/'); i++)
            *strrchr(path, '/') = 0;
        if (path[0])
            mkdir(path, 0700);
    }
    return open_folder(c);
}

static void write_name(char *name, const char *key)
{
    snprintf(name, NAME_MOST, "%016" PRIx64, hash(key, strlen(key)));
}

/* ---- reading ----------------------------------------------------------------------- */

/* Reads the whole file and appends a 0 byte. Returns NULL if the file is not one of ours.
 */
static char *read_file(int folder, const char *name, size_t *size)
{
    int fd = openat(folder, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    struct stat st;
    char *text = NULL;
    size_t n = 0;

    if (fd < 0)
        return NULL;
    if (!fstat(fd, &st) && S_ISREG(st.st_mode) && st.st_uid == geteuid() &&
        st.st_size > 0 && st.st_size <= RV_CACHE_FILE_MOST + HEAD_MOST)
        text = malloc((size_t)st.st_size + 1);
    while (text && n < (size_t)st.st_size) {
        ssize_t got = read(fd, text + n, (size_t)st.st_size - n);

        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            break;
        n += (size_t)got;
    }
    close(fd);
    if (text && n < (size_t)st.st_size) {
        free(text);
        return NULL;
    }
    if (text)
        text[n] = 0;
    *size = n;
    return text;
}

/* Writes the three lines in front of the data: the magic, the key, and the data's size
 * and checksum. */
static int write_head(char *head, const char *key, const void *data, size_t size)
{
    int n = snprintf(head, HEAD_MOST, MAGIC "\n%s\n%zu %016" PRIx64 "\n", key, size,
                     hash(data, size));

    return n < HEAD_MOST ? n : -1;
}

char *rv_cache_get(const struct rv_cache *c, const char *key, size_t *size)
{
    int folder = open_folder(c), n;
    char name[NAME_MOST], head[HEAD_MOST], *text = NULL;
    const char *end;
    size_t whole = 0;

    *size = 0;
    if (folder < 0)
        return NULL;
    write_name(name, key);
    text = read_file(folder, name, &whole);
    close(folder);
    end = text;
    for (int line = 0; line < 3 && end; line++) {
        end = memchr(end, '\n', whole - (size_t)(end - text));
        end = end ? end + 1 : NULL;
    }
    if (end) {
        *size = whole - (size_t)(end - text);
        n = write_head(head, key, end, *size);
        if (n == end - text && !memcmp(head, text, (size_t)n)) {
            memmove(text, end, *size + 1);
            return text;
        }
    }
    *size = 0;
    free(text);
    return NULL;
}

/* ---- writing ----------------------------------------------------------------------- */

static bool write_all(int fd, const char *data, size_t size)
{
    while (size) {
        ssize_t n = write(fd, data, size);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        data += n;
        size -= (size_t)n;
    }
    return true;
}

void rv_cache_put(const struct rv_cache *c, const char *key, const void *data,
                  size_t size)
{
    char name[NAME_MOST], head[HEAD_MOST], temporary[700];
    int n = write_head(head, key, data, size), folder, fd;
    const char *base;
    bool good;

    if (n < 0 || size > RV_CACHE_FILE_MOST || strchr(key, '\n'))
        return;
    folder = make_folder(c);
    if (folder < 0)
        return;
    write_name(name, key);
    snprintf(temporary, sizeof(temporary), "%s/" TEMPORARY "XXXXXX", c->folder);
    fd = mkstemp(temporary);
    if (fd >= 0) {
        base = strrchr(temporary, '/') + 1;
        good = write_all(fd, head, (size_t)n) && write_all(fd, data, size);
        good = !close(fd) && good;
        if (!good || renameat(folder, base, folder, name))
            unlinkat(folder, base, 0);
    }
    close(folder);
}

/* ---- size -------------------------------------------------------------------------- */

struct entry {
    char name[NAME_MOST];
    time_t time;
    off_t size;
};

static int oldest_first(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;

    return (x->time > y->time) - (x->time < y->time);
}

/* Unfinished files are removed after an hour, when no process can still be writing
 * them. */
static bool is_ours(int folder, const char *name, struct entry *e, time_t now)
{
    struct stat st;

    if (strlen(name) >= NAME_MOST || fstatat(folder, name, &st, AT_SYMLINK_NOFOLLOW) ||
        !S_ISREG(st.st_mode))
        return false;
    if (!strncmp(name, TEMPORARY, strlen(TEMPORARY))) {
        if (st.st_mtime < now - 3600)
            unlinkat(folder, name, 0);
        return false;
    }
    snprintf(e->name, sizeof(e->name), "%s", name);
    e->time = st.st_mtime;
    e->size = st.st_size;
    return true;
}

static void remove_oldest(int folder, struct entry *e, int n)
{
    off_t bytes = 0;
    int left = n;

    for (int i = 0; i < n; i++)
        bytes += e[i].size;
    if (n <= RV_CACHE_FILES_MOST && bytes <= RV_CACHE_BYTES_MOST)
        return;
    qsort(e, (size_t)n, sizeof(*e), oldest_first);
    for (int i = 0; i < n && (left > RV_CACHE_FILES_MOST / 4 * 3 ||
                              bytes > RV_CACHE_BYTES_MOST / 4 * 3);
         i++) {
        unlinkat(folder, e[i].name, 0);
        bytes -= e[i].size;
        left--;
    }
}

void rv_cache_trim(const struct rv_cache *c)
{
    int fd = open_folder(c), n = 0, room = 0;
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    time_t now = time(NULL);
    struct entry *e = NULL;
    struct dirent *d;

    if (!dir) {
        if (fd >= 0)
            close(fd);
        return;
    }
    while ((d = readdir(dir))) {
        if (n == room) {
            struct entry *grown = realloc(e, (size_t)(room + 256) * sizeof(*e));

            if (!grown)
                break;
            e = grown;
            room += 256;
        }
        n += is_ours(dirfd(dir), d->d_name, &e[n], now);
    }
    if (n)
        remove_oldest(dirfd(dir), e, n);
    free(e);
    closedir(dir);
}

/* ---- numbers --------------------------------------------------------------------- */

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

/* If memory runs out the choice is not kept, which only costs time. */
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
