/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lists.h"

#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* Takes a trimmed line that is not empty, and changes it. */
typedef int take_line(struct name_list *out, char *line, const char *path, int number,
                      struct fault *fault);

static int no_memory(const char *path, struct fault *fault)
{
    return fault_set(fault, TOOL_ENGINE, path, "out of memory");
}

static char *trim(char *line)
{
    size_t n;

    line += strspn(line, " \t\v\f");
    for (n = strlen(line); n && strchr(" \t\v\f", line[n - 1]);)
        line[--n] = 0;
    return line;
}

static int one_line(struct name_list *out, char *line, size_t size, take_line *take,
                    const char *path, int number, struct fault *fault)
{
    if (size > LIST_LINE_MOST)
        return fault_set(fault, TOOL_INPUT, path,
                         "line %d has more than %d bytes: no list of names", number,
                         LIST_LINE_MOST);
    if (strlen(line) != size)
        return fault_set(fault, TOOL_INPUT, path,
                         "line %d holds a NUL byte: no list of names in UTF-8", number);
    line = trim(line);
    return *line && *line != '#' ? take(out, line, path, number, fault) : 0;
}

/* A longer list is refused, because names are held in memory. */
#define NAMES_MOST 1000000

static int parse(struct name_list *out, char *text, size_t size, take_line *take,
                 const char *path, struct fault *fault)
{
    char *end = text + size;
    int number = 1, err = 0;

    memset(out, 0, sizeof *out);
    if (size >= 2 && (!memcmp(text, "\xff\xfe", 2) || !memcmp(text, "\xfe\xff", 2)))
        return fault_set(fault, TOOL_INPUT, path,
                         "is a text in UTF-16: save it as UTF-8");
    if (size >= 3 && !memcmp(text, "\xef\xbb\xbf", 3))
        text += 3;
    for (char *line = text, *at = text; !err && at <= end; at++) {
        bool both = at < end && at[0] == '\r' && at + 1 < end && at[1] == '\n';

        if (at < end && *at != '\n' && *at != '\r')
            continue;
        *at = 0;
        err = one_line(out, line, (size_t)(at - line), take, path, number++, fault);
        at += both;
        line = at + 1;
        if (!err && out->count > NAMES_MOST)
            err =
                fault_set(fault, TOOL_INPUT, path, "has more than %d names", NAMES_MOST);
    }
    if (!err && !out->count)
        err = fault_set(fault, TOOL_INPUT, path, "names nothing");
    if (err)
        names_free(out);
    return err;
}

/* ---- lines -------------------------------------------------------------- */

static int take_any(struct name_list *out, char *line, const char *path, int number,
                    struct fault *fault)
{
    (void)number;
    return names_add(out, line) ? no_memory(path, fault) : 0;
}

int lines_parse(struct name_list *out, char *text, size_t size, const char *path,
                struct fault *fault)
{
    return parse(out, text, size, take_any, path, fault);
}

/* ---- sequences ---------------------------------------------------------- */

/* Cuts at the last slash and returns the part after it; NULL: no slash. */
static char *cut_last(char *path)
{
    char *slash = strrchr(path, '/');

    if (!slash)
        return NULL;
    *slash = 0;
    return slash + 1;
}

/* Whether a component of the path is "..". */
static bool climbs(const char *path)
{
    for (const char *at = path; (at = strstr(at, "..")); at += 2)
        if ((at == path || at[-1] == '/') && strchr("/ \t", at[2]))
            return true;
    return false;
}

/* A path that ends with an extension is a frame's path; the sequence is its folder. */
static char *name_of(char *line)
{
    char *last;
    size_t n = strcspn(line, " \t");

    if (memchr(line, '/', n))
        line[n] = 0; /* a second file */
    for (n = strlen(line); n > 1 && line[n - 1] == '/';)
        line[--n] = 0;
    last = strrchr(line, '/');
    if (last && strchr(last, '.') && strcmp(last, "/.") && strcmp(last, "/.."))
        cut_last(line);
    last = cut_last(line);
    return last ? last : line;
}

static int take_sequence(struct name_list *out, char *line, const char *path, int number,
                         struct fault *fault)
{
    bool up = climbs(line);
    char *name = name_of(line);

    if (up || !*name || !strcmp(name, "."))
        return fault_set(fault, TOOL_INPUT, path,
                         "line %d: \"%s\" is no name of a sequence's folder", number,
                         name);
    if (strlen(name) > NAME_MAX)
        return fault_set(fault, TOOL_INPUT, path, "line %d: a name of more than %d bytes",
                         number, NAME_MAX);
    return names_add(out, name) ? no_memory(path, fault) : 0;
}

int sequences_parse(struct name_list *out, char *text, size_t size, const char *path,
                    struct fault *fault)
{
    int err = parse(out, text, size, take_sequence, path, fault);

    if (!err && names_unique(out)) {
        names_free(out);
        err = no_memory(path, fault);
    }
    return err;
}

/* ---- files -------------------------------------------------------------- */

typedef int parse_text(struct name_list *out, char *text, size_t size, const char *path,
                       struct fault *fault);

static int read_and(struct name_list *out, parse_text *parse_it, const char *path,
                    struct fault *fault)
{
    size_t size;
    char *text;
    int err = file_read(&text, &size, path, TEXT_MOST, fault);

    memset(out, 0, sizeof *out);
    if (err)
        return err;
    err = parse_it(out, text, size, path, fault);
    free(text);
    return err;
}

int lines_list(struct name_list *out, const char *path, struct fault *fault)
{
    return read_and(out, lines_parse, path, fault);
}

int sequences_list(struct name_list *out, const char *path, struct fault *fault)
{
    return read_and(out, sequences_parse, path, fault);
}
