/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* rvos-bench - measures the latency and the throughput of frames. */
#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "folders.h"
#include "guard.h"
#include "json_file.h"
#include "report_run.h"
#include "tool.h"

#define MOST 16 /* most values in a list */

static const char usage[] =
    "Usage: rvos-bench [OPTIONS] [MODEL...]\n"
    "       rvos-bench --compare A.json B.json\n"
    "       rvos-bench --plot FILE.svg A.json [B.json...]\n"
    "Measure every combination of the lists (comma separated), each in a process of\n"
    "its own: latency of a frame in memory to labels in memory, frames a second,\n"
    "memory.\n"
    "\n"
    "  -e, --engine LIST       auto (default), cpu, cuda, reference\n"
    "  -p, --precision LIST    auto (default), fp32, tf32, fp16, bf16, int16,\n"
    "                          int8\n"
    "  -t, --task LIST         zero-shot (default), one-shot, auto: these two with as\n"
    "                          many objects as slots from the first frame on\n"
    "  -n, --objects LIST      slots; default: the model's own\n"
    "  -s, --size LIST         network sizes WxH; default: the model's own\n"
    "  -S, --streams LIST      videos at a time, a thread each; default: 1\n"
    "  -b, --max-batch LIST    most streams in one pass; default: 1\n"
    "      --batch-wait US     longest wait for other streams; default: 2000\n"
    "  -j, --threads LIST      threads of the device; default: all cores\n"
    "  -f, --frames N          timed frames of each stream; default: 60\n"
    "  -w, --warm-up N         frames before them; default: 10\n"
    "  -r, --repeats N         processes for each, for the spread; default: 1\n"
    "  -i, --images DIR        real frames; default: generated frames\n"
    "      --frame-size WxH    size of generated frames; default: 854x480\n"
    "      --peak GFLOPS       of the device, for the share of it; default: measured\n"
    "                          (CPU)\n"
    "      --steps             where a frame's time goes, step by step (CPU, one\n"
    "                          stream)\n"
    "  -J, --json FILE         the results; - is the standard output\n"
    "  -C, --compare           two files of results, row by row\n"
    "  -P, --plot FILE         charts (SVG) of files of results, or of those\n"
    "                          measured, by rvos-report\n"
    "      --serve             a frame for each line \"run\" on the standard input\n"
    "  -h, --help              this text\n"
    "\n"
    "MODEL: default as in rvos-segment. A measurement says nothing on a busy machine.\n"
    "\n"
    "Exit status: 0 done, 1 wrong command line, or results would replace what is\n"
    "read, 2 an input cannot be used, 3 a model or device cannot run it (the others\n"
    "are measured), or rvos-report lacks a Python package, 4 a result cannot be\n"
    "written.\n";

/* The values of one dimension, as words, split in place. */
struct list {
    char *word[MOST];
    int count;
};

/* The dimensions, from the one that varies fastest. */
enum { MAX_BATCH, STREAMS, OBJECTS, THREADS, SIZE, TASK, PRECISION, ENGINE, LISTS };

struct command {
    struct list list[LISTS];
    int batch_wait_us;
    struct bench_options options;
    char *const *file; /* models, or files of results */
    int files;
    const char *json, *plot;
    bool compare, serve;
};

static bool read_list(const struct tool_option *option, char *words)
{
    struct list *list = option->to;

    list->count = 0;
    for (char *next; words; words = next) {
        next = strchr(words, ',');
        if (next)
            *next++ = 0;
        if (list->count == MOST)
            return false;
        list->word[list->count++] = words;
    }
    return true;
}

static bool read_peak(const struct tool_option *option, char *word)
{
    struct bench_options *options = option->to;
    char *end = word;
    double peak = strtod(word, &end);

    if (end == word || *end || !isfinite(peak))
        return false;
    options->peaks = (struct bench_peaks){peak, peak, peak};
    options->peak_given = peak > 0;
    return options->peak_given;
}

#define LIST_WORDS "a list of up to 16 values"

static int parse(struct command *c, int argc, char **argv, struct fault *fault)
{
    struct bench_options *o = &c->options;
    const struct tool_option options[] = {
        {"engine", 'e', read_list, &c->list[ENGINE], LIST_WORDS},
        {"precision", 'p', read_list, &c->list[PRECISION], LIST_WORDS},
        {"task", 't', read_list, &c->list[TASK], LIST_WORDS},
        {"objects", 'n', read_list, &c->list[OBJECTS], LIST_WORDS},
        {"size", 's', read_list, &c->list[SIZE], LIST_WORDS},
        {"streams", 'S', read_list, &c->list[STREAMS], LIST_WORDS},
        {"max-batch", 'b', read_list, &c->list[MAX_BATCH], LIST_WORDS},
        {"batch-wait", 0, read_number, &c->batch_wait_us, NULL, 1, 1000000},
        {"threads", 'j', read_list, &c->list[THREADS], LIST_WORDS},
        {"frames", 'f', read_number, &o->frames, NULL, 1, 1000000},
        {"warm-up", 'w', read_number, &o->warm_up, NULL, 1, 1000000},
        {"repeats", 'r', read_number, &o->repeats, NULL, 1, 1000000},
        {"images", 'i', read_word, &o->folder},
        {"frame-size", 0, read_size, &o->frame_width, SIZE_WORDS,
         .height = &o->frame_height},
        {"peak", 0, read_peak, o, "GFLOP/s, more than 0"},
        {"steps", 0, NULL, &o->steps},
        {"json", 'J', read_word, &c->json},
        {"compare", 'C', NULL, &c->compare},
        {"plot", 'P', read_word, &c->plot},
        {"serve", 0, NULL, &c->serve},
        {0}};
    int err = tool_options(options, usage, argc, argv, fault);

    c->file = argv + optind;
    c->files = argc - optind;
    return err;
}

/* ---- measuring ---------------------------------------------------------- */

static char *choose(const struct list *list, int *index)
{
    int n = list->count ? list->count : 1, at = *index % n;

    *index /= n;
    return list->count ? list->word[at] : NULL;
}

/* Makes case number `index` of all combinations; fails for an unknown word. */
static int make_case(const struct command *c, int index, struct bench_case *out,
                     struct fault *fault)
{
    const struct tool_option option[LISTS] = {
        {"max-batch", 0, read_number, &out->session.max_batch, NULL, 1, RVOS_MAX_BATCH},
        {"streams", 0, read_number, &out->streams, NULL, 1, 256},
        {"objects", 0, read_number, &out->objects, NULL, 1, RVOS_MAX_OBJECTS},
        {"threads", 0, read_number, &out->session.threads, NULL, 1, 1024},
        {"size", 0, read_size, &out->session.width, SIZE_WORDS,
         .height = &out->session.height},
        {"task", 0, read_task, &out->task, TASK_WORDS},
        {"precision", 0, read_precision, &out->session.precision, PRECISION_WORDS},
        {"engine", 0, read_engine, &out->session.engine, ENGINE_WORDS}};

    *out = (struct bench_case){.task = RVOS_TASK_ZERO_SHOT, .streams = 1};
    out->session.batch_wait_us = c->batch_wait_us;
    for (int i = 0; i < LISTS; i++) {
        char *word = choose(&c->list[i], &index);
        int err = word ? tool_set(&option[i], word, fault) : 0;

        if (err)
            return err;
    }
    out->session.model = c->files ? c->file[index] : session_default_model();
    if (!out->session.model)
        return fault_set(fault, TOOL_USAGE, NULL, "no model: name a .safetensors file");
    return 0;
}

static int case_count(const struct command *c)
{
    int n = c->files ? c->files : 1;

    for (int i = 0; i < LISTS; i++)
        n *= c->list[i].count ? c->list[i].count : 1;
    return n;
}

static double median_of(const json_t *result)
{
    return json_number_value(
        json_object_get(json_object_get(result, "latency_ms"), "p50"));
}

/* The run with the middle median is the result; all medians are kept. */
static json_t *measure(const struct bench_case *c, const struct bench_options *options,
                       struct fault *fault)
{
    json_t *runs = json_array(), *medians = json_array(), *result = NULL;

    for (int i = 0; i < options->repeats; i++) {
        json_t *run = bench_measure(c, options, fault);
        size_t at = 0;

        if (!run) {
            json_decref(runs);
            json_decref(medians);
            return NULL;
        }
        json_array_append_new(medians, json_real(median_of(run)));
        while (at < json_array_size(runs) &&
               median_of(json_array_get(runs, at)) < median_of(run))
            at++;
        json_array_insert_new(runs, at, run);
    }
    result = json_incref(json_array_get(runs, json_array_size(runs) / 2));
    json_object_set_new(result, "p50_runs", medians);
    json_decref(runs);
    return result;
}

static int measure_all(struct command *c, json_t *results, struct fault *fault)
{
    int n = case_count(c), bad = 0, peak_threads = -1;
    bool quiet = c->json && !strcmp(c->json, "-");
    struct bench_case one;
    int err = 0;

    for (int i = 0; i < n && !err; i++) /* report a wrong word before an hour of work */
        err = make_case(c, i, &one, fault);
    if (err)
        return err;
    if (!quiet)
        bench_print_head();
    for (int i = 0; i < n; i++) {
        struct fault why = {0};
        json_t *result;

        make_case(c, i, &one, fault);
        if (!c->options.peak_given && one.session.threads != peak_threads) {
            peak_threads = one.session.threads;
            c->options.peaks = bench_peaks(peak_threads);
        }
        result = measure(&one, &c->options, &why);
        if (!result) {
            bad = fault_print(&why, "rvos-bench");
            continue;
        }
        if (!quiet)
            bench_print(result);
        if (!quiet && c->options.steps)
            bench_print_steps(result);
        json_array_append_new(results, result);
    }
    return -bad; /* already reported */
}

static int serve(struct command *c, struct fault *fault)
{
    struct bench_case one;
    int err = make_case(c, 0, &one, fault);

    return err ? err : bench_serve(&one, &c->options, fault);
}

/* Checks that no result overwrites a model, a frame, or results that are read. */
static int check_results(const struct command *c, struct fault *fault)
{
    struct guard guard = {0};
    int err = 0;

    guard_add(&guard, c->options.folder);
    guard_add(&guard, c->files ? NULL : session_default_model());
    for (int i = 0; i < c->files; i++)
        guard_add(&guard, c->file[i]);
    if (c->json && c->plot && guard_same_file(c->json, c->plot))
        err = fault_set(fault, TOOL_USAGE, c->plot,
                        "is to hold results and charts: name another file");
    if (!err && c->json)
        err = guard_check(&guard, c->json, fault);
    if (!err && c->plot)
        err = guard_check(&guard, c->plot, fault);
    guard_free(&guard);
    return err;
}

static void add_peaks(json_t *root, const struct bench_options *options)
{
    const struct bench_peaks *peaks = &options->peaks;

    if (peaks->fp32 > 0)
        json_object_set_new(root, "peak_gflops", json_real(peaks->fp32));
    if (peaks->int16 > 0 && !options->peak_given)
        json_object_set_new(root, "peak_int16_gops", json_real(peaks->int16));
    if (peaks->int8 > 0 && !options->peak_given)
        json_object_set_new(root, "peak_int8_gops", json_real(peaks->int8));
}

static int bench(struct command *c, struct fault *fault)
{
    json_t *root, *results;
    int bad, err = check_results(c, fault);

    if (err)
        return err;
    if (c->serve)
        return serve(c, fault);
    if (c->compare && c->files == 2)
        return bench_compare(c->file[0], c->file[1], fault);
    if (c->compare)
        return fault_set(fault, TOOL_USAGE, NULL, "--compare takes two files of results");
    if (c->plot && c->files && !strstr(c->file[0], ".safetensors"))
        return report_charts(c->plot, c->file, c->files, fault);
    if (c->plot && !c->json)
        return fault_set(fault, TOOL_USAGE, NULL,
                         "--plot of a measurement needs --json FILE, too");
    if (c->plot)
        err = report_check(c->plot, "charts", fault);
    if (err)
        return err;
    results = json_array();
    root = json_pack("{s:s, s:o}", "program", "rvos-bench", "results", results);
    bad = measure_all(c, results, fault);
    err = bad > 0 ? bad : 0;
    if (!err)
        add_peaks(root, &c->options);
    if (!err && c->json)
        err = json_write(c->json, root, 9, fault);
    if (!err && c->plot)
        err =
            report_charts(c->plot, (char *const[]){(char *)(uintptr_t)c->json}, 1, fault);
    json_decref(root);
    return err ? err : bad;
}

static int run(int argc, char **argv, struct fault *fault)
{
    struct command command = {.batch_wait_us = 2000,
                              .options = {.warm_up = 10,
                                          .frames = 60,
                                          .repeats = 1,
                                          .frame_width = 854,
                                          .frame_height = 480}};
    int err = parse(&command, argc, argv, fault);

    json_begin();
    return err ? err : bench(&command, fault);
}

int main(int argc, char **argv)
{
    return tool_main("rvos-bench", argc, argv, run);
}
