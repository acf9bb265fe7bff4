/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* lists_fuzz.c - checks that no list of names crashes its reader or leads out of a
 * folder, and that escape_text leaves no control characters.
 *
 * With clang's -fsanitize=fuzzer -DRV_LIBFUZZER: a libFuzzer target, to be started from
 * tests/fuzz/corpus/lists. Otherwise a program that feeds it seeded mutations of small
 * lists, to run with the other tests: lists_fuzz [rounds [seed]]. */
#include "../../engine/tools/escape.h"
#include "../../engine/tools/lists.h"

#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static long accepted;

static void must(bool ok)
{
    if (!ok)
        abort();
}

static void check_plain(const char *text)
{
    for (int n; *text; text += n) {
        n = escape_plain(text);
        must(n > 0);
    }
}

static void check_line(const char *line)
{
    size_t n = strlen(line);

    must(n > 0 && n <= LIST_LINE_MOST && *line != '#');
    must(!strpbrk(line, "\n\r") && !strchr(" \t", line[0]) &&
         !strchr(" \t", line[n - 1]));
}

static void check_name(const char *name)
{
    must(*name && strlen(name) <= NAME_MAX && !strchr(name, '/'));
    must(strcmp(name, ".") && strcmp(name, ".."));
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

typedef int reader(struct name_list *out, char *text, size_t size, const char *path,
                   struct fault *fault);

static void read_list(reader *read, const uint8_t *data, size_t size, bool sequences)
{
    struct fault fault = {0};
    struct name_list list;
    char *text = malloc(size + 1);
    int err;

    must(text != NULL);
    memcpy(text, data, size);
    text[size] = 0;
    err = read(&list, text, size, "list.txt", &fault);
    free(text); /* the names are copies */
    must(err == fault.code && (err ? list.count == 0 : list.count > 0));
    must(!err || (err == TOOL_INPUT && !strncmp(fault.text, "list.txt: ", 10)));
    check_plain(fault.text);
    for (int i = 0; i < list.count; i++)
        (sequences ? check_name : check_line)(list.name[i]);
    if (sequences && list.count) {
        qsort(list.name, (size_t)list.count, sizeof *list.name, by_text);
        for (int i = 1; i < list.count; i++)
            must(strcmp(list.name[i - 1], list.name[i]) != 0);
    }
    accepted += !err;
    names_free(&list);
}

static void escape(const uint8_t *data, size_t size)
{
    size_t room = size ? 1 + data[0] : 1;
    char *text = malloc(size + 1), *out = malloc(room);

    must(text && out);
    memcpy(text, data, size);
    text[size] = 0;
    escape_text(out, room, text);
    must(memchr(out, 0, room) != NULL);
    check_plain(out);
    free(text);
    free(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    read_list(lines_parse, data, size, false);
    read_list(sequences_parse, data, size, true);
    escape(data, size);
    return 0;
}

#ifndef RV_LIBFUZZER

static uint64_t state;

static size_t below(size_t n)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return n ? (size_t)(state % n) : 0;
}

static size_t mutate(uint8_t *text, size_t size, size_t room)
{
    static const char *const piece[] = {"\n",
                                        "\r",
                                        "\r\n",
                                        "/",
                                        "..",
                                        ".",
                                        "../",
                                        "#",
                                        " ",
                                        "\t",
                                        "a/..",
                                        ".png",
                                        "b",
                                        "/",
                                        "\x1b",
                                        "\xe2\x80\xae",
                                        "\xef\xbb\xbf",
                                        "\xff\xfe",
                                        "\xc3"};
    const char *chosen = piece[below(sizeof piece / sizeof *piece)];
    size_t at = below(size + 1), n = strlen(chosen);

    switch (below(4)) {
    case 0:
        if (at < size)
            text[at] = (uint8_t)below(256);
        return size;
    case 1:
        n = below(4) < size - at ? below(4) : 0;
        n = n < size - at ? n : size - at;
        memmove(text + at, text + at + n, size - at - n);
        return size - n;
    default:
        if (size + n > room)
            return size;
        memmove(text + at + n, text + at, size - at);
        memcpy(text + at, chosen, n);
        return size + n;
    }
}

int main(int argc, char **argv)
{
    static const char *const seed[] = {
        "ant\nbee\n", "\xef\xbb\xbf\x61nt\r\n\r\n# x\r\nbee",
        "/J/480p/ant/00000.jpg /A/480p/ant/00000.png\n", "ant\rbee\r", " a/b \n\tc/\n"};
    long rounds = argc > 1 ? atol(argv[1]) : 20000;
    uint8_t text[6000];

    state = argc > 2 ? strtoull(argv[2], NULL, 10) | 1 : 88172645463325252u;
    for (long i = 0; i < rounds; i++) {
        const char *from = seed[below(sizeof seed / sizeof *seed)];
        size_t size = strlen(from);

        memcpy(text, from, size);
        for (size_t k = below(12); k; k--)
            size = mutate(text, size, sizeof text);
        if (!below(200)) /* a long line */
            memset(text, 'x', size = sizeof text - below(4000));
        LLVMFuzzerTestOneInput(text, size);
    }
    printf("%ld of %ld lists taken\n", accepted, 2 * rounds);
    return accepted > 0 && accepted < 2 * rounds ? 0 : 1;
}

#endif
