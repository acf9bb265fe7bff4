/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "folders.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

char *text_format(const char *format, ...)
{
    va_list args;
    char *text = NULL;
    int n;

    va_start(args, format);
    n = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (n >= 0)
        text = malloc((size_t)n + 1);
    if (text) {
        va_start(args, format);
        vsnprintf(text, (size_t)n + 1, format, args);
        va_end(args);
    }
    return text;
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
        return fault_set(fault, TOOL_OUTPUT, path, "out of memory");
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
            err = fault_set(fault, TOOL_INPUT, path, "out of memory");
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

int lines_list(struct name_list *out, const char *path, struct fault *fault)
{
    char *text, *next;
    int err = file_read(&text, path, fault);

    memset(out, 0, sizeof *out);
    if (err)
        return err;
    for (char *line = text; line && !err; line = next) {
        char *end;

        next = strchr(line, '\n');
        if (next)
            *next++ = 0;
        line += strspn(line, " \t\r");
        for (end = line + strlen(line); end > line && isspace((unsigned char)end[-1]);)
            *--end = 0;
        if (*line && *line != '#' && names_add(out, line))
            err = fault_set(fault, TOOL_INPUT, path, "out of memory");
    }
    free(text);
    if (!err && !out->count)
        err = fault_set(fault, TOOL_INPUT, path, "names nothing");
    if (err)
        names_free(out);
    return err;
}

/* ---- files -------------------------------------------------------------- */

int file_read(char **text, const char *path, struct fault *fault)
{
    FILE *in = fopen(path, "rb");
    char *grown;
    size_t size = 0, room = 1 << 14;

    *text = NULL;
    if (!in)
        return fault_set(fault, TOOL_INPUT, path, "%s", strerror(errno));
    do {
        room *= 2;
        grown = realloc(*text, room + 1);
        if (!grown)
            break;
        *text = grown;
        size += fread(*text + size, 1, room - size, in);
    } while (size == room);
    if (!grown || ferror(in)) {
        fclose(in);
        free(*text);
        *text = NULL;
        return fault_set(fault, TOOL_INPUT, path, "cannot be read");
    }
    fclose(in);
    (*text)[size] = 0;
    return 0;
}

int file_write(const char *path, const char *text, size_t size, struct fault *fault)
{
    bool standard = !strcmp(path, "-");
    char *part = text_format("%s.part", path);
    FILE *out = standard ? stdout : part ? fopen(part, "wb") : NULL;
    bool ok = out && fwrite(text, 1, size, out) == size;

    if (out)
        ok = (standard ? fflush(out) : fclose(out)) == 0 && ok;
    if (!standard && part) {
        ok = ok && !rename(part, path);
        if (!ok)
            remove(part);
    }
    free(part);
    return ok ? 0
              : fault_set(fault, TOOL_OUTPUT, path, "cannot be written: %s",
                          strerror(errno));
}
