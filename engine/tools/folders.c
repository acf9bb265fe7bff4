/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "folders.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "output.h"

char *text_format(const char *format, ...)
{
    va_list args;
    char *text;
    int n;

    va_start(args, format);
    n = vasprintf(&text, format, args);
    va_end(args);
    return n < 0 ? NULL : text;
}

bool is_folder(const char *path)
{
    struct stat st;

    return !stat(path, &st) && S_ISDIR(st.st_mode);
}

bool is_file(const char *path)
{
    struct stat st;

    return !stat(path, &st) && S_ISREG(st.st_mode);
}

int make_folders(const char *path, struct fault *fault)
{
    char *part = text_format("%s", path);
    int err = 0;

    if (!part)
        return fault_set(fault, TOOL_ENGINE, path, "out of memory");
    for (char *p = part + 1; *part && !err; p++) {
        char c = *p;

        if (c != '/' && c)
            continue;
        *p = 0;
        if (mkdir(part, 0777) && errno != EEXIST)
            err = fault_set(fault, TOOL_OUTPUT, part, "cannot be made: %s",
                            strerror(errno));
        *p = c;
        if (!c)
            break;
    }
    free(part);
    if (!err && !is_folder(path))
        err = fault_set(fault, TOOL_OUTPUT, path,
                        "is no folder: name another place for the results");
    return err;
}

/* ---- names -------------------------------------------------------------- */

int names_add(struct name_list *list, const char *name)
{
    char **grown = realloc(list->name, sizeof *grown * (size_t)(list->count + 1));

    if (!grown)
        return -1;
    list->name = grown;
    grown[list->count] = text_format("%s", name);
    return grown[list->count] ? list->count++, 0 : -1;
}

bool names_have(const struct name_list *list, const char *name)
{
    for (int i = 0; i < list->count; i++)
        if (!strcmp(list->name[i], name))
            return true;
    return false;
}

void names_free(struct name_list *list)
{
    for (int i = 0; i < list->count; i++)
        free(list->name[i]);
    free(list->name);
    memset(list, 0, sizeof *list);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static int by_name_and_place(const void *a, const void *b)
{
    char **x = *(char **const *)a, **y = *(char **const *)b;
    int d = strcmp(*x, *y);

    return d ? d : (x > y) - (x < y);
}

int names_unique(struct name_list *list)
{
    char ***at = malloc(sizeof *at * (size_t)(list->count + 1));
    const char *last = NULL;
    int kept = 0;

    if (!at)
        return -1;
    for (int i = 0; i < list->count; i++)
        at[i] = &list->name[i];
    qsort(at, (size_t)list->count, sizeof *at, by_name_and_place);
    for (int i = 0; i < list->count; i++) { /* the first of each name keeps its place */
        if (!last || strcmp(last, *at[i])) {
            last = *at[i];
            continue;
        }
        free(*at[i]);
        *at[i] = NULL;
    }
    free(at);
    for (int i = 0; i < list->count; i++)
        if (list->name[i])
            list->name[kept++] = list->name[i];
    list->count = kept;
    return 0;
}

int folders_list(struct name_list *out, const char *path, struct fault *fault)
{
    DIR *dir = opendir(path);
    struct dirent *entry;
    int err = 0;

    memset(out, 0, sizeof *out);
    if (!dir)
        return fault_set(fault, TOOL_INPUT, path, "%s", strerror(errno));
    while (!err && (entry = readdir(dir))) {
        char *full = text_format("%s/%s", path, entry->d_name);

        if (!full ||
            (entry->d_name[0] != '.' && is_folder(full) && names_add(out, entry->d_name)))
            err = fault_set(fault, TOOL_ENGINE, path, "out of memory");
        free(full);
    }
    closedir(dir);
    if (!err && !out->count)
        err = fault_set(fault, TOOL_INPUT, path, "holds no folder of a sequence");
    if (err)
        names_free(out);
    else
        qsort(out->name, (size_t)out->count, sizeof *out->name, by_name);
    return err;
}

/* ---- files -------------------------------------------------------------- */

/* Opens a regular file. Refuses a pipe without waiting for it. */
static FILE *open_regular(const char *path, off_t most, struct fault *fault)
{
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
    struct stat st;
    FILE *in;

    if (fd < 0 || fstat(fd, &st)) {
        fault_set(fault, TOOL_INPUT, path, "%s", strerror(errno));
    } else if (!S_ISREG(st.st_mode)) {
        fault_set(fault, TOOL_INPUT, path, "is no regular file");
    } else if (st.st_size > most) {
        fault_set(fault, TOOL_INPUT, path, "is too large: more than %d MiB",
                  (int)(most >> 20));
    } else {
        in = fdopen(fd, "rb");
        if (in)
            return in;
        fault_set(fault, TOOL_INPUT, path, "%s", strerror(errno));
    }
    if (fd >= 0)
        close(fd);
    return NULL;
}

int file_read(char **text, size_t *size, const char *path, size_t most,
              struct fault *fault)
{
    FILE *in = open_regular(path, (off_t)most, fault);
    size_t n = 0, room = 1 << 14;
    char *grown;

    *text = NULL;
    if (!in)
        return TOOL_INPUT;
    do {
        room *= 2;
        grown = realloc(*text, room + 1);
        if (!grown)
            break;
        *text = grown;
        n += fread(*text + n, 1, room - n, in);
    } while (n == room && n <= most);
    if (!grown || ferror(in) || n > most) {
        int err = fault_set(fault, grown ? TOOL_INPUT : TOOL_ENGINE, path, "%s",
                            grown ? "cannot be read" : "out of memory");

        fclose(in);
        free(*text);
        *text = NULL;
        return err;
    }
    fclose(in);
    (*text)[n] = 0;
    *size = n;
    return 0;
}

int file_write(const char *path, const char *text, size_t size, struct fault *fault)
{
    struct output out;
    int err = output_open(&out, path, fault);

    if (err)
        return err;
    if (fwrite(text, 1, size, out.file) != size) {
        err = output_failed(out.path, fault);
        output_discard(&out);
        return err;
    }
    return output_commit(&out, true, fault);
}

int file_write_memory(const char *path, FILE *memory, char **text, const size_t *size,
                      struct fault *fault)
{
    bool failed = ferror(memory);
    int err;

    /* glibc may fail to shrink the text to its size and then returns none. */
    if (fclose(memory) || failed || !*text)
        err = fault_set(fault, TOOL_ENGINE, path, "out of memory");
    else
        err = file_write(path, *text, *size, fault);
    free(*text);
    *text = NULL;
    return err;
}
