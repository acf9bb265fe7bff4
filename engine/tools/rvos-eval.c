/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* rvos-eval - scores masks by the rules of the benchmarks. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "guard.h"
#include "json_file.h"
#include "lists.h"
#include "report.h"
#include "report_run.h"
#include "seeds.h"
#include "tool.h"

static const char usage[] =
    "Usage: rvos-eval [OPTIONS] GT_DIR PRED_DIR\n"
    "       rvos-eval GT.png PRED.png\n"
    "Region similarity J and contour accuracy F of the masks\n"
    "PRED_DIR/SEQUENCE/FRAME.png against the annotations of the same names in GT_DIR.\n"
    "Of two pictures: the J and F of each object.\n"
    "\n"
    "  -p, --protocol NAME    davis2016, davis2016-unsupervised, davis2017 (default),\n"
    "                         davis2017-unsupervised, davis2017-zero-shot, best-slot,\n"
    "                         youtube-vos, youtube-vos-zero-shot\n"
    "  -a, --all-annotated    every object of every frame is annotated: count slots\n"
    "                         that live for more than 10 frames on none of them, too\n"
    "  -l, --sequences FILE   score these only, one name a line\n"
    "  -m, --meta FILE        YouTube-VOS: meta.json of the scored set (categories)\n"
    "  -k, --seen FILE        YouTube-VOS: the categories that were trained with: the\n"
    "                         training set's meta.json, or one a line\n"
    "  -J, --json FILE        all scores, of every frame; - is the standard output\n"
    "  -C, --csv FILE         a row for every object\n"
    "  -H, --html FILE        a page with charts and pictures, complete in one file,\n"
    "                         by rvos-report\n"
    "  -f, --frames DIR       the pictures of the sequences, for the page; default:\n"
    "                         GT_DIR with JPEGImages for Annotations\n"
    "  -j, --threads N        default: all cores\n"
    "  -S, --strict           stop at the first sequence that cannot be scored\n"
    "  -q, --quiet            no table\n"
    "  -h, --help             this text\n"
    "\n"
    "Exit status: 0 all scored, 1 wrong command line, or a report would replace what\n"
    "is read, 2 a sequence (or all) cannot be scored; the others are, 3 memory has\n"
    "run out, or rvos-report lacks a Python package, 4 a report or the table cannot\n"
    "be written.\n";

struct command {
    const struct protocol *protocol;
    struct eval_options options;
    const char *truth, *guess, *list, *json, *csv, *html, *frames;
    bool quiet;
};

static bool read_protocol(const struct tool_option *option, char *word)
{
    const struct protocol **protocol = option->to;

    *protocol = protocol_find(word);
    return *protocol;
}

static int parse(struct command *c, int argc, char **argv, struct fault *fault)
{
    const struct tool_option options[] = {
        {"protocol", 'p', read_protocol, &c->protocol, "a protocol that --help names"},
        {"all-annotated", 'a', NULL, &c->options.all_annotated},
        {"sequences", 'l', read_word, &c->list},
        {"meta", 'm', read_word, &c->options.meta},
        {"seen", 'k', read_word, &c->options.seen},
        {"json", 'J', read_word, &c->json},
        {"csv", 'C', read_word, &c->csv},
        {"html", 'H', read_word, &c->html},
        {"frames", 'f', read_word, &c->frames},
        {"threads", 'j', read_number, &c->options.threads, NULL, 1, 1024},
        {"strict", 'S', NULL, &c->options.strict},
        {"quiet", 'q', NULL, &c->quiet},
        {0}};
    int err;

    c->protocol = protocol_find("davis2017");
    err = tool_options(options, usage, argc, argv, fault);
    if (err)
        return err;
    if (argc - optind != 2)
        return fault_set(fault, TOOL_USAGE, NULL,
                         "give the folder of the annotations and that of the masks; see "
                         "rvos-eval --help");
    c->truth = argv[optind];
    c->guess = argv[optind + 1];
    if (c->options.seen && !c->options.meta)
        return fault_set(fault, TOOL_USAGE, NULL,
                         "--seen needs --meta, the categories of the scored objects");
    return 0;
}

/* ---- two pictures ------------------------------------------------------- */

static int score_pair(const struct command *c, struct fault *fault)
{
    struct picture truth = {0}, guess = {0};
    struct outline a = {0}, b = {0};
    struct id_set ids;
    enum mask_kind kind = c->protocol->kind == MASK_BINARY ? MASK_BINARY : MASK_GUESS;
    int highest = 0, other, err = mask_read(&truth, c->truth, kind, fault);

    if (!err)
        err = mask_read(&guess, c->guess, kind, fault);
    if (!err && (truth.width != guess.width || truth.height != guess.height))
        err =
            fault_set(fault, TOOL_INPUT, c->guess, "is of %dx%d, its annotation of %dx%d",
                      guess.width, guess.height, truth.width, truth.height);
    if (!err) {
        highest = ids_of(&truth, &ids);
        other = ids_of(&guess, &ids);
        highest = highest > other ? highest : other;
        highest = highest ? highest : 1; /* two empty pictures agree on object 1 */
        if (outline_make(&a, truth.pixels, truth.width, truth.height, highest) ||
            outline_make(&b, guess.pixels, guess.width, guess.height, highest))
            err = fault_set(fault, TOOL_ENGINE, c->guess, "out of memory");
    }
    for (int i = 1; i <= highest && !err; i++)
        printf("object %d J %.12f F %.12f\n", i, region_similarity(&a, i, &b, i),
               contour_accuracy(&a, i, &b, i));
    outline_free(&a);
    outline_free(&b);
    picture_free(&truth);
    picture_free(&guess);
    return err;
}

/* ---- folders ------------------------------------------------------------ */

/* For .../Annotations/480p returns .../JPEGImages/480p; NULL: no such folder. */
static char *frames_of(const char *truth)
{
    static const char from[] = "Annotations";
    const char *at = strstr(truth, from), *next;
    char *path;

    while (at && (next = strstr(at + 1, from)))
        at = next;
    if (!at)
        return NULL;
    path =
        text_format("%.*sJPEGImages%s", (int)(at - truth), truth, at + sizeof from - 1);
    if (path && !is_folder(path)) {
        free(path);
        path = NULL;
    }
    return path;
}

/* Checks that no report overwrites an input or another report. */
static int check_reports(const struct command *c, struct fault *fault)
{
    const char *const report[] = {c->json, c->csv, c->html};
    char *beside = c->frames ? NULL : frames_of(c->truth);
    struct guard guard = {0};
    bool any = false;
    int err = 0;

    for (int i = 0; i < 3; i++)
        any |= report[i] != NULL;
    if (any) {
        guard_add_tree(&guard, c->truth);
        guard_add_tree(&guard, c->guess);
        guard_add_tree(&guard, c->frames ? c->frames : beside);
        guard_add(&guard, c->list);
        guard_add(&guard, c->options.meta);
        guard_add(&guard, c->options.seen);
    }
    for (int i = 0; i < 3 && !err; i++) {
        for (int k = 0; k < i && !err; k++)
            if (report[i] && report[k] && guard_same_file(report[i], report[k]))
                err = fault_set(fault, TOOL_USAGE, report[i],
                                "is to hold two reports: name another file");
        if (report[i] && !err)
            err = guard_check(&guard, report[i], fault);
    }
    guard_free(&guard);
    free(beside);
    return err;
}

static int write_reports(const struct command *c, struct evaluation *e,
                         struct fault *fault)
{
    char *beside = c->frames ? NULL : frames_of(c->truth);
    int err = 0;

    e->frames = c->frames ? c->frames : beside;
    if (c->json)
        err = report_json(c->json, e, fault);
    if (!err && c->csv)
        err = report_csv(c->csv, e, fault);
    if (!err && c->html)
        err = report_html(c->html, e, fault);
    free(beside);
    return err;
}

static int first_fault(const struct evaluation *e, bool strict)
{
    int code = 0;

    for (int i = 0; i < e->count && !(strict && code); i++)
        if (e->sequence[i].fault.code)
            code = fault_print(&e->sequence[i].fault, "rvos-eval");
    return code;
}

static bool any_scored(const struct evaluation *e)
{
    for (int i = 0; i < e->count; i++)
        if (eval_instances(&e->sequence[i]))
            return true;
    return false;
}

static int score_folders(struct command *c, struct fault *fault)
{
    struct name_list only = {0};
    struct evaluation e;
    int bad, err = check_reports(c, fault);

    if (!err && c->html)
        err = report_check(c->html, "page", fault);
    if (!err && c->list)
        err = sequences_list(&only, c->list, fault);
    if (err)
        return err;
    c->options.only = c->list ? &only : NULL;
    err = evaluate(&e, c->protocol, c->truth, c->guess, &c->options, fault);
    names_free(&only);
    if (err)
        return err;
    bad = first_fault(&e, c->options.strict);
    if (!(bad && c->options.strict)) {
        bool busy =
            (c->json && !strcmp(c->json, "-")) || (c->csv && !strcmp(c->csv, "-"));

        if (!c->quiet && !busy && any_scored(&e))
            report_text(stdout, &e);
        err = write_reports(c, &e, fault);
    }
    evaluation_free(&e);
    return err ? err : -bad;
}

static int run(int argc, char **argv, struct fault *fault)
{
    struct command command = {0};
    int err = parse(&command, argc, argv, fault);

    json_begin();
    if (err)
        return err;
    return is_file(command.truth) ? score_pair(&command, fault)
                                  : score_folders(&command, fault);
}

int main(int argc, char **argv)
{
    return tool_main("rvos-eval", argc, argv, run);
}
