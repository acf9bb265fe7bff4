/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sequence.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "assign.h"
#include "folders.h"
#include "npy.h"

struct run {
    struct session *session;
    const struct sequence_options *options;
    const struct frame_list *frames;
    const char *out;
    struct progress *progress;
    struct fault *fault;

    rvos_stream *stream;
    int objects;
    struct seeds seeds;       /* masks given to the network; zero-shot: none */
    struct seeds annotations; /* --assign: masks to compare with */
    struct assign assign;
    struct mask_stack masks; /* of the last frame, thresholded; for --assign */
    struct npy npy;
    float *probs; /* objects x height x width of the network */
    struct picture labels;
};

static void finish(struct run *run)
{
    rvos_stream_close(&run->stream);
    seeds_free(&run->seeds);
    seeds_free(&run->annotations);
    npy_close(&run->npy, NULL); /* removes an unfinished file */
    picture_free(&run->labels);
    free(run->masks.pixels);
    free(run->probs);
}

static bool any_within(const struct seeds *seeds, int objects)
{
    for (int i = 0; i < seeds->count; i++)
        for (int id = 1; id <= objects; id++)
            if (id_in(&seeds->seed[i].ids, id))
                return true;
    return false;
}

void sequence_check_shape(const struct picture *mask, const char *path, int width,
                          int height, struct progress *progress)
{
    enum mask_shape shape = mask_shape_of(mask->width, mask->height, width, height, 1, 1);

    if (shape != MASK_SHAPE_SAME)
        progress_note(progress,
                      "%s: the mask is of %dx%d and the frames are of %dx%d: %s", path,
                      mask->width, mask->height, width, height,
                      shape == MASK_SHAPE_TURNED
                          ? "one of them lies on its side, and the mask is stretched"
                          : "the mask is stretched to their shape");
}

int sequence_seeds(struct seeds *out, const struct sequence_options *o,
                   const struct frame_list *frames, struct progress *progress,
                   struct fault *fault)
{
    int err;

    memset(out, 0, sizeof *out);
    if (!o->init_mask || o->task == RVOS_TASK_ZERO_SHOT)
        return 0;
    err = seeds_find(out, frames, o->init_mask, o->mask_kind, fault);
    if (err)
        return err;
    if (out->unmatched)
        progress_note(progress, "%s: %d masks have no frame of their name (such as %s)",
                      o->init_mask, out->unmatched, out->first_unmatched);
    if (!o->objects && out->highest > RVOS_MAX_OBJECTS)
        err = fault_set(fault, TOOL_INPUT, o->init_mask,
                        "has an object %d, and %d is the highest that can be followed: "
                        "renumber, or drop it with --objects",
                        out->highest, RVOS_MAX_OBJECTS);
    else if (o->objects && !any_within(out, o->objects))
        err = fault_set(fault, TOOL_INPUT, o->init_mask,
                        "has no object up to %d (--objects); its highest is %d",
                        o->objects, out->highest);
    else if (o->objects && out->highest > o->objects)
        progress_note(progress, "%s: objects above %d (--objects) are left out",
                      o->init_mask, o->objects);
    return err;
}

static int find_masks(struct run *run)
{
    const struct sequence_options *o = run->options;
    int err = sequence_seeds(&run->seeds, o, run->frames, run->progress, run->fault);

    if (!err && o->assign)
        err = seeds_find(&run->annotations, run->frames, o->assign, o->mask_kind,
                         run->fault);
    return err;
}

static int open_stream(struct run *run)
{
    rvos_stream_params params = {.task = run->options->task,
                                 .variant = run->options->variant,
                                 .objects = run->options->objects,
                                 .all_slots = run->options->task == RVOS_TASK_ONE_SHOT &&
                                              !run->options->live_slots,
                                 .discovery_interval = run->options->discovery_interval};
    rvos_stream_info info;
    int err;

    if (!params.objects && params.task == RVOS_TASK_ONE_SHOT)
        params.objects = run->seeds.highest;
    if (!params.objects && run->seeds.highest > run->session->info.objects)
        params.objects = run->seeds.highest;
    err = session_open_stream(run->session, &params, &run->stream, run->fault);
    if (err)
        return err;
    rvos_stream_get_info(run->stream, &info);
    run->objects = info.objects;
    return 0;
}

/* Allocates buffers that only some results need. */
static int make_buffers(struct run *run)
{
    const rvos_model_info *info = &run->session->info;
    size_t plane = (size_t)info->width * (size_t)info->height;
    size_t shape[4] = {(size_t)run->frames->count, (size_t)run->objects,
                       (size_t)info->height, (size_t)info->width};

    if (!run->options->probs && !run->options->assign)
        return 0;
    run->probs = malloc(sizeof *run->probs * plane * (size_t)run->objects);
    run->masks = (struct mask_stack){run->objects, info->width, info->height,
                                     malloc(plane * (size_t)run->objects)};
    if (!run->probs || !run->masks.pixels)
        return fault_set(run->fault, TOOL_ENGINE, run->out, "out of memory");
    if (run->options->probs)
        return npy_open(&run->npy, run->options->probs, shape, run->fault);
    return 0;
}

static int show_masks(struct run *run, int frame)
{
    const struct seed *seed = seeds_at(&run->seeds, frame);
    struct picture mask;
    rvos_labels view;
    uint32_t slots = 0;
    int status, err;

    if (!seed)
        return 0;
    err = mask_read(&mask, seed->path, run->options->mask_kind, run->fault);
    if (err)
        return err;
    for (int i = 1; i <= run->objects; i++)
        if (id_in(&seed->ids, i))
            slots |= (uint32_t)1 << (i - 1);
    sequence_check_shape(&mask, seed->path, run->labels.width, run->labels.height,
                         run->progress);
    view = labels_of(mask.pixels, mask.width, mask.height);
    status = rvos_stream_seed(run->stream, &view, slots);
    picture_free(&mask);
    return status ? session_fail(run->session, status, run->fault) : 0;
}

static int read_probs(struct run *run)
{
    size_t plane = (size_t)run->masks.width * (size_t)run->masks.height;
    size_t n = plane * (size_t)run->objects;

    if (!run->probs)
        return 0;
    for (int i = 0; i < run->objects; i++) {
        int status =
            rvos_stream_read_mask(run->stream, i + 1, run->probs + plane * (size_t)i);

        if (status)
            return session_fail(run->session, status, run->fault);
    }
    for (size_t i = 0; i < n; i++)
        run->masks.pixels[i] = run->probs[i] > 0.5f;
    return run->npy.out.file ? npy_write(&run->npy, run->probs, n, run->fault) : 0;
}

/* Frame 0 is the annotation itself. Later the masks are painted, and annotations of new
 * objects are painted over them. */
static int emulate(struct run *run, int frame)
{
    const struct seed *seed = seeds_at(&run->annotations, frame);
    size_t n = (size_t)run->labels.width * (size_t)run->labels.height;
    struct picture truth = {0};
    int err = 0;

    assign_paint(&run->assign, &run->masks, &run->labels);
    if (!seed)
        return 0;
    err = mask_read_raw(&truth, seed->path, run->options->mask_kind, NULL, run->fault);
    if (err)
        return err;
    if (truth.width != run->labels.width || truth.height != run->labels.height)
        err = fault_set(run->fault, TOOL_INPUT, seed->path,
                        "is of %dx%d, and the frames are of %dx%d", truth.width,
                        truth.height, run->labels.width, run->labels.height);
    if (!err)
        err = assign_choose(&run->assign, &truth, &seed->ids, &run->masks, run->fault);
    for (size_t i = 0; i < n && !err; i++) {
        int id = truth.pixels[i];

        if (frame == 0 || (id && id < 255 && id_in(&seed->ids, id)))
            run->labels.pixels[i] = (uint8_t)id;
    }
    picture_free(&truth);
    return err;
}

static int same_size(struct run *run, const struct picture *frame, const char *path)
{
    if (!run->labels.pixels)
        return picture_alloc(&run->labels, frame->width, frame->height, 1, path,
                             run->fault);
    if (frame->width == run->labels.width && frame->height == run->labels.height)
        return 0;
    return fault_set(run->fault, TOOL_INPUT, path,
                     "is of %dx%d, and the frames before it are of %dx%d: a folder "
                     "holds one video",
                     frame->width, frame->height, run->labels.width, run->labels.height);
}

static int segment(struct run *run, const struct picture *frame)
{
    rvos_image image = image_of(frame);
    rvos_labels labels = labels_of(run->labels.pixels, frame->width, frame->height);
    rvos_output out = {.labels = run->options->assign ? NULL : &labels};
    int status = rvos_stream_process(run->stream, &image, &out);

    return status ? session_fail(run->session, status, run->fault) : 0;
}

static int one_frame(struct run *run, int t)
{
    const struct frame_file *file = &run->frames->file[t];
    struct picture frame;
    char *path;
    int err = picture_read(&frame, file->path, run->fault);

    if (err)
        return err;
    err = same_size(run, &frame, file->path);
    if (!err)
        err = show_masks(run, t);
    if (!err)
        err = segment(run, &frame);
    picture_free(&frame);
    if (!err)
        err = read_probs(run);
    if (!err && run->options->assign)
        err = emulate(run, t);
    if (err)
        return err;
    path = results_path(run->out, file);
    if (!path)
        return fault_set(run->fault, TOOL_ENGINE, run->out, "out of memory");
    err = mask_write(path, run->labels.pixels, run->labels.width, run->labels.height,
                     run->fault);
    free(path);
    progress_step(run->progress, 1);
    return err;
}

int sequence_run(struct session *session, const struct sequence_options *options,
                 const struct frame_list *frames, const char *out,
                 struct progress *progress, struct fault *fault)
{
    struct run run = {.session = session,
                      .options = options,
                      .frames = frames,
                      .out = out,
                      .progress = progress,
                      .fault = fault};
    int err = find_masks(&run);

    if (!err)
        err = make_folders(out, fault);
    if (!err)
        err = open_stream(&run);
    if (!err)
        err = make_buffers(&run);
    for (int t = 0; t < frames->count && !err; t++)
        err = one_frame(&run, t);
    if (!err)
        err = npy_close(&run.npy, fault);
    finish(&run);
    return err;
}

/* ---- results ------------------------------------------------------------ */

char *results_path(const char *out, const struct frame_file *frame)
{
    return text_format("%s/%s.png", out, frame->stem);
}

int results_check(struct guard *guard, const char *out, const struct frame_list *frames,
                  struct fault *fault)
{
    int err = guard_check_folder(guard, out, fault);

    for (int i = 0; i < frames->count && !err && is_folder(out); i++) {
        char *path = results_path(out, &frames->file[i]);

        err = path ? guard_check(guard, path, fault)
                   : fault_set(fault, TOOL_ENGINE, out, "out of memory");
        free(path);
    }
    return err;
}

bool results_linked(const char *out, const struct frame_list *frames)
{
    bool linked = false;

    for (int i = 0; i < frames->count && !linked && is_folder(out); i++) {
        char *path = results_path(out, &frames->file[i]);
        struct stat st;

        linked = path && !lstat(path, &st) && (S_ISLNK(st.st_mode) || st.st_nlink > 1);
        free(path);
    }
    return linked;
}
