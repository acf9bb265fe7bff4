/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* rvos-info - describes a model file and the engines of this build. */
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "escape.h"
#include "session.h"
#include "tool.h"

static const char usage[] =
    "Usage: rvos-info [FILE]\n"
    "Print what the model FILE holds and what a frame costs, and the engines of this\n"
    "build. Without FILE: the engines.\n"
    "\n"
    "  -h, --help  this text\n"
    "\n"
    "Exit status: 0 done, 1 wrong command line, 3 the file is no model, 4 the output\n"
    "cannot be written.\n";

static void print_words(const char *label, const char *words)
{
    char shown[4 * ESCAPE_ROOM]; /* a licence may take a few sentences */

    printf("%-14s %s\n", label,
           words[0] ? escape_text(shown, sizeof shown, words)
                    : "(the file says nothing)");
}

static void print_cost(const char *label, const rvos_model_info *m, int objects)
{
    double macs = (double)m->encoder_macs + objects * (double)m->object_macs;

    printf("%-14s %.2f G (encoder %.2f G + %d objects of %.3f G)\n", label, macs / 1e9,
           (double)m->encoder_macs / 1e9, objects, (double)m->object_macs / 1e9);
}

static void print_model(const char *path, const rvos_model_info *m)
{
    bool zero = m->tasks & RVOS_TASK_ZERO_SHOT, one = m->tasks & RVOS_TASK_ONE_SHOT;
    bool both = m->tasks & RVOS_TASK_AUTO;

    print_words("model", path);
    print_words("encoder", m->encoder);
    printf("%-14s %s%s%s%s\n", "tasks", zero ? "zero-shot" : "", both ? ", " : "",
           one ? "one-shot" : "", both ? ", auto" : "");
    printf("%-14s %dx%d (width x height)\n", "network size", m->width, m->height);
    printf("%-14s %d\n", "objects", m->objects);
    printf("%-14s %d, %d, %d, %d channels\n", "hidden", m->hidden, m->hidden / 2,
           m->hidden / 4, m->hidden / 8);
    printf("%-14s %dx%d\n", "kernel", m->kernel_size, m->kernel_size);
    print_words("skip mode", m->skip_mode);
    printf("%-14s %" PRId64 "\n", "parameters", m->parameters);
    print_cost("MACs a frame", m, m->objects);
    print_words("licence", m->licence);
    print_words("provenance", m->provenance);
}

static void print_engine(const char *name)
{
    struct session_options options = {.engine = name};
    struct session s;
    struct fault fault = {0};

    if (session_open_device(&s, &options, &fault)) {
        char *advice = strstr(fault.text, "; "); /* the advice does not fit in a list */

        if (advice)
            *advice = 0;
        printf("%-14s not here (%s)\n", name, fault.text);
        return;
    }
    printf("%-14s %s%s%s, %s, %d %s\n", name, s.device_info.library,
           s.device_info.isa[0] ? ", " : "", s.device_info.isa, s.device_info.name,
           s.device_info.threads, s.device_info.threads == 1 ? "thread" : "threads");
    session_close(&s);
}

/* Uses the reference engine, which prepares nothing, so it reads a file fastest. */
static int show_file(const char *path, struct fault *fault)
{
    struct session_options options = {
        .model = path, .engine = "reference", .fixed = true};
    struct session s;
    int err = session_open(&s, &options, fault);

    if (err)
        return err;
    print_model(path, &s.info);
    session_close(&s);
    printf("\n");
    return 0;
}

static int run(int argc, char **argv, struct fault *fault)
{
    static const struct tool_option options[] = {{0}};
    static const char *const engines[] = {"cpu", "cuda", "reference"};
    int err = tool_options(options, usage, argc, argv, fault);

    if (!err && argc - optind > 1)
        err = fault_set(fault, TOOL_USAGE, NULL,
                        "one file at a time; see rvos-info --help");
    if (!err && argc > optind)
        err = show_file(argv[optind], fault);
    if (err)
        return err;
    printf("engines of this build\n");
    for (size_t i = 0; i < sizeof engines / sizeof *engines; i++)
        print_engine(engines[i]);
    return 0;
}

int main(int argc, char **argv)
{
    return tool_main("rvos-info", argc, argv, run);
}
