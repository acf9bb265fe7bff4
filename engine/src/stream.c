/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* stream.c - the state of one video, and the rules of the two tasks' loops
 * (zero-shot and one-shot inference as the published code does them). */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "device.h"
#include "image.h"
#include "log.h"
#include "pixels/objects.h"
#include "stream.h"

static bool one_shot(const rvos_stream *s)
{
    return s->params.task == RVOS_TASK_ONE_SHOT;
}

int rv_stream_decoder(const rvos_stream *s)
{
    return rv_stream_takes_masks(s) ? RV_ONE_SHOT : RV_ZERO_SHOT;
}

static const struct rv_memory *memory_of(const rvos_stream *s)
{
    return &s->plan->program.memory[rv_stream_decoder(s)];
}

static rvos_device *device_of(const rvos_stream *s)
{
    return s->model->device;
}

static bool forked(const rvos_stream *s)
{
    return rv_device_forked(device_of(s));
}

static struct rv_model_plan *next_plan(const rvos_stream *s)
{
    return s->frames ? s->plan : s->first;
}

size_t rv_stream_pixels(const rvos_stream *s)
{
    return (size_t)s->model->info.width * s->model->info.height;
}

static int check_params(rvos_model *model, rvos_stream_params *p)
{
    bool has_zero_shot = model->info.tasks & RVOS_TASK_ZERO_SHOT;

    if (p->task == RVOS_TASK_DEFAULT)
        p->task = has_zero_shot ? RVOS_TASK_ZERO_SHOT : RVOS_TASK_ONE_SHOT;
    if (p->objects == 0)
        p->objects = model->info.objects;
    if ((p->task != RVOS_TASK_ZERO_SHOT && p->task != RVOS_TASK_ONE_SHOT &&
         p->task != RVOS_TASK_AUTO) ||
        p->variant < RVOS_VARIANT_SPATIO_TEMPORAL || p->variant > RVOS_VARIANT_TEMPORAL ||
        p->objects < 1 || p->objects > RVOS_MAX_OBJECTS) {
        rv_log(model->device, RVOS_LOG_ERROR,
               "rvos_stream_open: task, variant or objects (1 to %d) out of range",
               RVOS_MAX_OBJECTS);
        return RVOS_ERR_ARGUMENT;
    }
    if (model->info.tasks & (unsigned)p->task)
        return 0;
    rv_log(model->device, RVOS_LOG_ERROR, "%s: it has no %s decoder, only a %s one%s",
           model->path, has_zero_shot ? "one-shot" : "zero-shot",
           has_zero_shot ? "zero-shot" : "one-shot",
           p->task == RVOS_TASK_AUTO ? ", and the task auto takes both" : "");
    return RVOS_ERR_WRONG_TASK;
}

static int get_plans(rvos_stream *s)
{
    bool spatial = s->params.variant != RVOS_VARIANT_TEMPORAL;
    bool temporal = s->params.variant != RVOS_VARIANT_SPATIAL;
    unsigned decoders = s->params.task == RVOS_TASK_AUTO
                            ? RVOS_TASK_ZERO_SHOT | RVOS_TASK_ONE_SHOT
                            : s->params.task;
    int ret =
        rv_model_plan(s->model, decoders, spatial, temporal, s->params.objects, &s->plan);

    s->first = s->plan;
    /* Variant T: frame 0 has no temporal state yet, so it runs the spatial recurrence.
     * Both programs have the same state layout. */
    if (!ret && !spatial)
        ret = rv_model_plan(s->model, decoders, true, true, s->params.objects, &s->first);
    return ret;
}

int rvos_stream_open(rvos_stream **out, rvos_model *model,
                     const rvos_stream_params *params)
{
    rvos_stream *s;
    int ret;

    if (out)
        *out = NULL;
    if (!out || !model)
        return RVOS_ERR_ARGUMENT;
    if (rv_device_forked(model->device))
        return RVOS_ERR_DEVICE;
    s = calloc(1, sizeof(*s));
    if (!s || rv_member_init(&s->member)) {
        free(s);
        return rv_log_memory(model->device, RVOS_ERR_MEMORY, "rvos_stream_open");
    }
    s->model = rv_model_ref(model);
    if (params)
        s->params = *params;
    ret = check_params(model, &s->params);
    if (!ret)
        ret = get_plans(s);
    if (!ret)
        ret = model->device->fn->alloc(model->device, s->plan->program.state_bytes,
                                       &s->state);
    if (!ret && rv_stream_takes_masks(s)) {
        s->seed = calloc(rv_stream_pixels(s), sizeof(*s->seed));
        s->first_seed = calloc(rv_stream_pixels(s), sizeof(*s->first_seed));
        if (!s->seed || !s->first_seed)
            ret = RVOS_ERR_MEMORY;
    }
    if (!ret && s->params.task == RVOS_TASK_AUTO)
        ret = rv_auto_open(s);
    if (!ret)
        ret = rv_model_enter(model, s->plan);
    s->entered = !ret;
    if (ret) {
        rv_log_memory(model->device, ret, "rvos_stream_open");
        rvos_stream_close(&s);
        return ret;
    }
    rvos_stream_reset(s);
    s->clear = false; /* alloc returned zeroed memory */
    *out = s;
    return 0;
}

void rvos_stream_close(rvos_stream **stream)
{
    rvos_stream *s = stream ? *stream : NULL;

    if (!s)
        return;
    *stream = NULL;
    if (forked(s))
        return; /* see device.h */
    rv_member_finish(&s->member);
    if (s->entered)
        rv_model_leave(s->plan);
    if (s->pixels)
        device_of(s)->fn->pixels_destroy(s->pixels);
    if (s->state.ptr)
        device_of(s)->fn->free(device_of(s), &s->state);
    free(s->seed);
    free(s->first_seed);
    rv_auto_close(s);
    rvos_model_close(&s->model);
    free(s);
}

void rvos_stream_get_info(const rvos_stream *s, rvos_stream_info *info)
{
    if (!info)
        return;
    *info = (rvos_stream_info){0};
    if (!s)
        return;
    info->task = s->params.task;
    info->objects = s->params.objects;
    info->live = s->frames ? s->live : 0;
    info->discovering = s->frames && rv_auto_discovering(s);
    info->frames = s->frames;
    info->state_bytes = s->state.size;
    info->batch = s->frames ? s->member.shared : 0;
}

void rvos_stream_reset(rvos_stream *s)
{
    if (!s || forked(s))
        return;
    s->frames = 0;
    rv_member_move(&s->member, &s->first->batch);
    s->clear = true;
    s->drops = s->seed_slots = 0;
    s->first_slots = RVOS_ALL_SLOTS;
    s->fed = 0;
    s->live = rv_stream_takes_masks(s) ? 0 : s->params.objects;
    memset(s->object, 0, sizeof(s->object));
    if (s->automatic)
        rv_auto_reset(s);
    if (rv_stream_takes_masks(s)) {
        memset(s->seed, 0, rv_stream_pixels(s) * sizeof(*s->seed));
        memset(s->first_seed, 0, rv_stream_pixels(s) * sizeof(*s->first_seed));
    }
}

int rvos_stream_warm_up(rvos_stream *s)
{
    struct rv_model_plan *plans[2];
    struct rv_job job = {0};
    rvos_device *dev;
    int ret;

    if (!s)
        return RVOS_ERR_ARGUMENT;
    if (forked(s))
        return RVOS_ERR_DEVICE;
    dev = device_of(s);
    plans[0] = s->first;
    plans[1] = s->plan;
    rv_job_all(&job, &s->plan->program);
    ret = dev->fn->alloc(dev, s->state.size, &job.state);
    if (ret)
        return rv_log_memory(dev, ret, "rvos_stream_warm_up");
    for (int i = 0; i < 2 && !ret; i++)
        if (!i || plans[1] != plans[0])
            ret = rv_model_run(s->model, plans[i], &s->member, &job);
    rv_member_move(&s->member, &next_plan(s)->batch);
    dev->fn->free(dev, &job.state);
    return ret;
}

int rvos_stream_prepare(rvos_stream *s, int width, int height)
{
    const struct rv_backend *fn;
    int ret;

    if (!s || width < 1 || height < 1)
        return RVOS_ERR_ARGUMENT;
    if (forked(s))
        return RVOS_ERR_DEVICE;
    if (s->pixels && s->pixels_width == width && s->pixels_height == height)
        return 0;
    fn = device_of(s)->fn;
    if (s->pixels)
        fn->pixels_destroy(s->pixels);
    s->pixels = NULL;
    s->pixels_width = width;
    s->pixels_height = height;
    ret = fn->pixels_create(device_of(s), &s->model->net, width, height, &s->pixels);
    return rv_log_memory(device_of(s), ret, "rvos_stream_prepare");
}

/* Zeroes one slot's part of a state tensor. */
static int clear_slot(rvos_stream *s, rv_tid tensor, int slot)
{
    const struct rv_program *p = &s->plan->program;
    const struct rv_tensor *t = &p->tensor[tensor];
    size_t image = (size_t)t->h * t->w * t->c * rv_type_bytes(t->type);

    return device_of(s)->fn->clear(device_of(s), &s->state, t->offset + slot * image,
                                   image);
}

int rv_stream_clear(rvos_stream *s)
{
    const struct rv_memory *own = memory_of(s);
    int ret = 0;

    if (s->clear)
        ret = device_of(s)->fn->clear(device_of(s), &s->state, 0, s->state.size);
    for (int slot = 0; slot < s->params.objects && !ret; slot++) {
        if (s->clear || !(s->drops >> slot & 1))
            continue;
        for (int k = 0; k < RV_LEVELS && !ret; k++)
            ret = clear_slot(s, own->hidden[k], slot);
        if (!ret && own->prob >= 0)
            ret = clear_slot(s, own->prob, slot);
    }
    if (!ret) {
        s->clear = false;
        s->drops = 0;
    }
    return ret;
}

void rv_stream_fill(const rvos_stream *s, const rvos_output *out)
{
    const rvos_labels *planes[2] = {out ? out->labels : NULL, out ? out->alpha : NULL};

    for (int i = 0; i < 2; i++)
        if (planes[i] && planes[i]->memory == RVOS_MEMORY_HOST)
            rv_labels_fill(planes[i], 0, 0, planes[i]->height);
        else if (planes[i])
            device_of(s)->fn->fill(device_of(s), planes[i], 0);
}

static int check_output(const rvos_stream *s, const rvos_output *out)
{
    int ret = 0;

    if (!out)
        return 0;
    if (out->labels)
        ret = rv_labels_check(device_of(s), out->labels, "rvos_stream_process: labels");
    if (!ret && out->alpha)
        ret = rv_labels_check(device_of(s), out->alpha, "rvos_stream_process: alpha");
    if (!ret &&
        (!(out->threshold >= 0 && out->threshold <= 1) || out->min_object_size < 0)) {
        rv_log(device_of(s), RVOS_LOG_ERROR,
               "rvos_stream_process: the threshold must be "
               "0..1, the object size not negative");
        ret = RVOS_ERR_ARGUMENT;
    }
    return ret;
}

/* Runs a frame of a zero-shot or one-shot stream. */
static int process(rvos_stream *s, const rvos_image *frame, const rvos_output *out)
{
    int decoder = rv_stream_decoder(s), ret = rv_stream_clear(s);
    struct rv_job job = {.state = s->state,
                         .pixels = s->pixels,
                         .frame = frame,
                         .shown = decoder,
                         .out = out,
                         .object = s->object};

    if (ret)
        return ret;
    if (one_shot(s)) {
        rv_stream_set_live(s);
        if (!s->live) { /* no object has been seeded yet */
            s->seed_slots = 0;
            rv_stream_fill(s, out);
            return 0;
        }
        rv_stream_feed(s, &job);
    }
    job.live[decoder] = s->live;
    ret = rv_model_run(s->model, next_plan(s), &s->member, &job);
    if (ret)
        return ret;
    s->seed_slots = 0;
    s->fed++;
    s->frames++;
    rv_member_move(&s->member, &s->plan->batch);
    return 0;
}

int rvos_stream_process(rvos_stream *s, const rvos_image *frame, const rvos_output *out)
{
    int ret;

    if (!s)
        return RVOS_ERR_ARGUMENT;
    if (forked(s))
        return RVOS_ERR_DEVICE;
    ret = rv_image_check(device_of(s), frame, "rvos_stream_process: frame");
    if (!ret && device_of(s)->fn->device_memory)
        ret = rv_image_for_cuda(device_of(s), frame, "rvos_stream_process: frame");
    if (!ret)
        ret = check_output(s, out);
    if (!ret)
        ret = rvos_stream_prepare(s, frame->width, frame->height);
    if (ret)
        return ret;
    if (out && out->labels)
        memset(s->object, 0, sizeof(s->object));
    return s->automatic ? rv_auto_process(s, frame, out) : process(s, frame, out);
}

int rvos_stream_get_object(rvos_stream *s, int object, rvos_object *info)
{
    if (!info || !rv_stream_has(s, object, "rvos_stream_get_object"))
        return RVOS_ERR_ARGUMENT;
    if (forked(s))
        return RVOS_ERR_DEVICE;
    *info = s->object[object - 1];
    info->serial = rv_auto_serial(s, object - 1);
    return 0;
}

int rvos_stream_time_steps(rvos_stream *s, bool on)
{
    if (!s)
        return RVOS_ERR_ARGUMENT;
    if (forked(s))
        return RVOS_ERR_DEVICE;
    if (!device_of(s)->fn->plan_time)
        return rv_log(device_of(s), RVOS_LOG_ERROR,
                      "the %s backend does not time its steps",
                      device_of(s)->info.backend),
               RVOS_ERR_UNSUPPORTED;
    device_of(s)->fn->plan_time(s->plan->batch.plan[0], on);
    return 0;
}

int rvos_stream_read_steps(rvos_stream *s, rvos_step *out, int room)
{
    if (!s || room < 0 || (room && !out))
        return RVOS_ERR_ARGUMENT;
    if (forked(s))
        return RVOS_ERR_DEVICE;
    if (!device_of(s)->fn->plan_steps)
        return RVOS_ERR_UNSUPPORTED;
    return device_of(s)->fn->plan_steps(s->plan->batch.plan[0], out, room);
}

/* Reads one slot's plane of a state tensor; zeroes if the slot has not run. */
static int read_plane(rvos_stream *s, rv_tid tensor, int object, float *out, bool *ran)
{
    const struct rv_tensor *t = &s->plan->program.tensor[tensor];
    size_t bytes = (size_t)t->h * t->w * sizeof(float);

    *ran = s->frames && object <= s->live;
    if (*ran)
        return device_of(s)->fn->read(device_of(s), &s->state,
                                      t->offset + (size_t)(object - 1) * bytes, out,
                                      bytes);
    memset(out, 0, bytes);
    return 0;
}

int rvos_stream_read_mask(rvos_stream *s, int object, float *out)
{
    bool ran;
    int ret;

    if (!out || !rv_stream_has(s, object, "rvos_stream_read_mask"))
        return RVOS_ERR_ARGUMENT;
    if (forked(s))
        return RVOS_ERR_DEVICE;
    ret = read_plane(s, memory_of(s)->logits, object, out, &ran);
    for (size_t i = 0; i < rv_stream_pixels(s) && ran && !ret; i++)
        out[i] = 1 / (1 + expf(-out[i]));
    return ret;
}

int rvos_stream_read_logits(rvos_stream *s, int object, float *out, int *width,
                            int *height)
{
    const struct rv_tensor *t;
    bool ran;

    if (!rv_stream_has(s, object, "rvos_stream_read_logits"))
        return RVOS_ERR_ARGUMENT;
    if (forked(s))
        return RVOS_ERR_DEVICE;
    t = &s->plan->program.tensor[memory_of(s)->half];
    if (width)
        *width = t->w;
    if (height)
        *height = t->h;
    return out ? read_plane(s, memory_of(s)->half, object, out, &ran) : 0;
}
