/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* lists_fuzz.c - checks that no list of names crashes its reader or leads out of a
 * folder, and that escape_text leaves no control characters.
 *
 * With clang's -fsanitize=fuzzer -DRV_LIBFUZZER: a libFuzzer target, to be started from
 * tests/fuzz/corpus/lists. Otherwise a program that feeds it seeded mutations of small
 * lists, to run with the other tests: lists_fuzz [rounds [seed]]. */
#include "../../engine/tools/escape.h"
#include "../../engine/tools/lists.h"

#include "fuzz.h"

#include <limits.h>

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

static const char *const pieces[] = {"\n",
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

int main(int argc, char **argv)
{
    static const char *const lists[] = {
        "ant\nbee\n", "\xef\xbb\xbf\x61nt\r\n\r\n# x\r\nbee",
        "/J/480p/ant/00000.jpg /A/480p/ant/00000.png\n", "ant\rbee\r", " a/b \n\tc/\n"};
    long rounds = argc > 1 ? atol(argv[1]) : 20000;
    uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
    uint8_t text[6000];

    for (long i = 0; i < rounds; i++) {
        const char *from = lists[next(&seed) % (sizeof lists / sizeof *lists)];
        size_t size = strlen(from);

        memcpy(text, from, size);
        for (uint64_t k = next(&seed) % 12; k; k--)
            size = fuzz_text(text, size, sizeof text, pieces,
                             sizeof pieces / sizeof *pieces, &seed);
        if (next(&seed) % 200 == 0) /* a long line */
            memset(text, 'x', size = sizeof text - next(&seed) % 4000);
        LLVMFuzzerTestOneInput(text, size);
    }
    printf("%ld of %ld lists taken\n", accepted, 2 * rounds);
    return accepted > 0 && accepted < 2 * rounds ? 0 : 1;
}

#endif
