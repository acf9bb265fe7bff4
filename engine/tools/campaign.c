/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "campaign.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "parallel.h"
#include "through_gst.h"

#define SETTINGS ".rvos-segment" /* in the result folder */

struct task {
    const struct dataset_entry *entry;
    struct frame_list frames;
    char *out;
};

struct state {
    const struct campaign *campaign;
    const struct sequence_options *options;
    struct session *session;
    struct progress progress;
    struct task *task; /* sequences left to do */
    int count, done;
    atomic_int code; /* exit code of the last fault */
    atomic_bool stop;
};

/* ---- remaining work ------------------------------------------------------- */

/* One line with the settings. Masks of runs with different lines must not be mixed. */
static char *settings_line(const struct campaign *c, const struct session_options *s,
                           const struct sequence_options *o)
{
    struct stat st = {0};

    stat(s->model, &st);
    return text_format(
        "%s task=%d discovery=%d variant=%d objects=%d size=%dx%d precision=%d "
        "assign=%d model=%s bytes=%" PRIdMAX " time=%" PRIdMAX "\n",
        c->rules->name, (int)o->task, o->discovery_interval, (int)o->variant, o->objects,
        s->width, s->height, (int)s->precision, c->assign, s->model, (intmax_t)st.st_size,
        (intmax_t)st.st_mtime);
}

static int check_outside(const char *out, const struct dataset *d, struct fault *fault)
{
    if (!guard_is_inside(out, d->frames) && !guard_is_inside(out, d->annotations))
        return 0;
    return fault_set(fault, TOOL_USAGE, out,
                     "is a folder of the data set: masks need another one");
}

static int check_settings(struct guard *guard, const char *out, struct fault *fault)
{
    char *path = text_format("%s/%s", out, SETTINGS);
    int err = path ? guard_check(guard, path, fault)
                   : fault_set(fault, TOOL_ENGINE, out, "out of memory");

    free(path);
    return err;
}

/* Checks that nothing is written into a folder of frames or annotations of any sequence.
 * Single files are compared only if a result is a link, because there may be 100 000
 * files. */
static int check_places(struct state *s, const struct dataset *d, const char *model,
                        struct fault *fault)
{
    const char *out = s->campaign->out;
    struct guard guard = {0};
    bool linked = false;
    int err = check_outside(out, d, fault);

    for (int i = 0; i < s->count && !err; i++)
        linked = linked || results_linked(s->task[i].out, &s->task[i].frames);
    for (int i = 0; i < d->count && !err; i++) {
        (linked ? guard_add : guard_add_alone)(&guard, d->entry[i].frames);
        (linked ? guard_add : guard_add_alone)(&guard, d->entry[i].annotations);
    }
    guard_add(&guard, model);
    guard_add(&guard, s->campaign->list);
    guard_add_alone(&guard, d->frames);
    guard_add_alone(&guard, d->annotations);
    if (!err)
        err = guard_check_folder(&guard, out, fault);
    if (!err)
        err = check_settings(&guard, out, fault);
    for (int i = 0; i < d->count && !err; i++) { /* including finished ones */
        char *path = text_format("%s/%s", out, d->entry[i].name);

        err = path ? guard_check_folder(&guard, path, fault)
                   : fault_set(fault, TOOL_ENGINE, out, "out of memory");
        if (!err)
            err = check_outside(path, d, fault);
        free(path);
    }
    for (int i = 0; i < s->count && !err; i++)
        err = results_check(&guard, s->task[i].out, &s->task[i].frames, fault);
    guard_free(&guard);
    return err;
}

static int claim_folder(const struct campaign *c, const struct session_options *session,
                        const struct sequence_options *sequence, struct fault *fault)
{
    char *path = text_format("%s/%s", c->out, SETTINGS);
    char *line = settings_line(c, session, sequence), *before = NULL;
    size_t size;
    int err = make_folders(c->out, fault);

    if (!err && (!path || !line))
        err = fault_set(fault, TOOL_ENGINE, c->out, "out of memory");
    if (!err && !c->force && is_file(path) &&
        !file_read(&before, &size, path, TEXT_MOST, NULL) && strcmp(before, line))
        err = fault_set(fault, TOOL_OUTPUT, c->out,
                        "holds masks of another model or other options: name another "
                        "folder, or do them again with --force");
    if (!err)
        err = file_write(path, line, strlen(line), fault);
    free(before);
    free(path);
    free(line);
    return err;
}

static bool is_done(const struct task *t)
{
    bool done = true;

    for (int i = t->frames.count - 1; i >= 0 && done; i--) {
        char *path = results_path(t->out, &t->frames.file[i]);
        struct stat st;

        /* After a power cut a file may exist but be empty. */
        done = path && !stat(path, &st) && S_ISREG(st.st_mode) && st.st_size > 0;
        free(path);
    }
    return done;
}

static void blame(struct state *s, const struct fault *fault)
{
    progress_fault(&s->progress, "rvos-segment", fault);
    atomic_store(&s->code, fault->code);
    if (s->campaign->strict)
        atomic_store(&s->stop, true);
}

static int collect(struct state *s, const struct dataset *d, struct fault *fault)
{
    long frames = 0;

    s->task = calloc((size_t)d->count, sizeof *s->task);
    if (!s->task)
        return fault_set(fault, TOOL_ENGINE, s->campaign->root, "out of memory");
    for (int i = 0; i < d->count && !atomic_load(&s->stop); i++) {
        struct task *t = &s->task[s->count];
        struct fault missing = {0};

        *t = (struct task){&d->entry[i], {0}, NULL};
        t->out = text_format("%s/%s", s->campaign->out, d->entry[i].name);
        if (!t->out)
            return fault_set(fault, TOOL_ENGINE, s->campaign->out, "out of memory");
        if (frames_list(&t->frames, d->entry[i].frames, &missing)) {
            blame(s, &missing);
            free(t->out);
        } else if (!s->campaign->force && is_done(t)) {
            s->done++;
            frames_free(&t->frames);
            free(t->out);
        } else {
            frames += t->frames.count;
            s->count++;
        }
    }
    s->progress.total = frames;
    return 0;
}

/* ---- running ----------------------------------------------------------- */

/* The path of the given masks: the first frame's picture, or the folder. */
static char *annotation_of(const struct state *s, const struct task *t)
{
    if (!s->campaign->rules->first_frame_only)
        return text_format("%s", t->entry->annotations);
    return text_format("%s/%s.png", t->entry->annotations, t->frames.file[0].stem);
}

static void run_task(void *context, int index)
{
    struct state *s = context;
    struct task *t = &s->task[index];
    struct sequence_options options = *s->options;
    struct fault fault = {0};
    char *given;
    int err;

    if (atomic_load(&s->stop))
        return;
    given = annotation_of(s, t);
    options.mask_kind = s->campaign->rules->kind;
    if (options.task == RVOS_TASK_ONE_SHOT)
        options.init_mask = given;
    if (s->campaign->assign)
        options.assign = given;
    if (!given) /* a NULL path would mean no annotations */
        err = fault_set(&fault, TOOL_ENGINE, t->out, "out of memory");
    else if (s->campaign->through_gst)
        err = through_gst_run(&s->session->options, &options, &t->frames, t->out,
                              &s->progress, &fault);
    else
        err =
            sequence_run(s->session, &options, &t->frames, t->out, &s->progress, &fault);
    if (err)
        blame(s, &fault);
    free(given);
}

static int run_all(struct state *s, const struct session_options *options,
                   struct fault *fault)
{
    struct session session = {.options = *options};
    int jobs = s->campaign->jobs ? s->campaign->jobs : 2;
    int err = s->campaign->through_gst ? 0 : session_open(&session, options, fault);

    if (err)
        return err;
    s->session = &session;
    parallel_for(s->count, jobs, run_task, s);
    if (!s->campaign->through_gst)
        session_close(&session);
    return 0;
}

int campaign_run(const struct campaign *campaign, const struct session_options *session,
                 const struct sequence_options *sequence, struct fault *fault)
{
    struct state s = {.campaign = campaign, .options = sequence};
    struct dataset d = {0};
    int err = dataset_open(&d, campaign->rules, campaign->root, campaign->split,
                           campaign->list, fault);

    if (err)
        return err;
    progress_start(&s.progress, "frames", 0, campaign->quiet);
    err = collect(&s, &d, fault);
    if (!err)
        err = check_places(&s, &d, session->model, fault);
    if (!err)
        err = claim_folder(campaign, session, sequence, fault);
    if (!err && s.done)
        progress_note(&s.progress, "%d of %d sequences were done before", s.done,
                      d.count);
    if (!err && s.count)
        err = run_all(&s, session, fault);
    if (err || !s.count)
        progress_stop(&s.progress);
    else
        progress_finish(&s.progress, campaign->out);
    for (int i = 0; i < s.count; i++) {
        frames_free(&s.task[i].frames);
        free(s.task[i].out);
    }
    free(s.task);
    dataset_close(&d);
    return err ? err : atomic_load(&s.code);
}
