/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "model.h"

#include <stdlib.h>
#include <string.h>

#include "device.h"
#include "log.h"
#include "places.h"

/* bf16, int16 and int8 are for speed. Where a processor is not faster with one of them, a
 * more exact one is used. */
static rvos_precision effective(rvos_device *device, rvos_precision precision)
{
    if (precision < RVOS_PRECISION_BF16 || device->fn->device_memory ||
        device->fn->type(device, precision) != RV_OTHER)
        return precision;
    return device->fn->type(device, RVOS_PRECISION_INT16) != RV_OTHER
               ? RVOS_PRECISION_INT16
               : RVOS_PRECISION_FP32;
}

static const char *const precisions[] = {[RVOS_PRECISION_DEFAULT] =
                                             "the default precision",
                                         [RVOS_PRECISION_FP32] = "float32",
                                         [RVOS_PRECISION_TF32] = "tf32",
                                         [RVOS_PRECISION_FP16] = "float16",
                                         [RVOS_PRECISION_BF16] = "bf16",
                                         [RVOS_PRECISION_INT16] = "int16",
                                         [RVOS_PRECISION_INT8] = "int8"};

static void tell_precision(const rvos_device *device, rvos_precision asked,
                           rvos_precision used)
{
    rv_log(device, RVOS_LOG_WARNING,
           "%s is not faster on this processor (%s, %s): %s is used, which is more exact",
           precisions[asked], device->info.library, device->info.isa, precisions[used]);
}

static int check_params(rvos_device *device, const rvos_model_params *p)
{
    if (p->max_batch < 0 || p->max_batch > RVOS_MAX_BATCH || p->batch_wait_us < 0) {
        rv_log(device, RVOS_LOG_ERROR,
               "rvos_model_load: max_batch must be 0..%d, not %d, and batch_wait_us not "
               "negative (%d)",
               RVOS_MAX_BATCH, p->max_batch, p->batch_wait_us);
        return RVOS_ERR_ARGUMENT;
    }
    if (p->precision < RVOS_PRECISION_DEFAULT || p->precision > RVOS_PRECISION_INT8 ||
        p->width < 0 || p->height < 0) {
        rv_log(device, RVOS_LOG_ERROR, "rvos_model_load: a parameter is out of range");
        return RVOS_ERR_ARGUMENT;
    }
    if (device->fn->type(device, effective(device, p->precision)) == RV_OTHER) {
        rv_log(device, RVOS_LOG_ERROR, "the %s backend cannot compute in %s here (%s)",
               device->info.backend, precisions[p->precision], device->info.isa);
        return RVOS_ERR_UNSUPPORTED;
    }
    return 0;
}

static void model_free(rvos_model *model)
{
    for (struct rv_model_plan *p = model->plans, *next; p; p = next) {
        next = p->next;
        rv_batch_finish(&p->batch);
        rv_program_free(&p->program);
        for (int k = 0; k < RV_BATCH_PLANS; k++)
            rv_program_free(&p->larger[k]);
        free(p);
    }
    if (model->weights.prepared)
        model->device->fn->weights_free(model->device, &model->weights);
    free(model->weights.prepared);
    rv_net_free(&model->net);
    rv_st_close(&model->file);
    pthread_mutex_destroy(&model->lock);
    free(model->path);
    rvos_device_close(&model->device);
    free(model);
}

static void set_batch(rvos_model *model, const rvos_model_params *params)
{
    const rvos_device *device = model->device;
    int most =
        device->fn->max_batch < RVOS_MAX_BATCH ? device->fn->max_batch : RVOS_MAX_BATCH;

    model->batch_wait_us = params->batch_wait_us;
    model->max_batch = params->max_batch < most ? params->max_batch : most;
    if (model->max_batch < 1)
        model->max_batch = 1;
    if (model->max_batch < params->max_batch)
        rv_log(device, RVOS_LOG_INFO,
               "%s runs frames of up to %d streams in one pass, not %d",
               device->info.backend, model->max_batch, params->max_batch);
}

int rvos_model_load(rvos_model **out, rvos_device *device, const char *path,
                    const rvos_model_params *params)
{
    const rvos_model_params none = {0};
    rvos_model *model;
    char why[512] = "";
    int ret;

    if (out)
        *out = NULL;
    if (!out || !device || !path)
        return RVOS_ERR_ARGUMENT;
    if (rv_device_forked(device))
        return RVOS_ERR_DEVICE;
    params = params ? params : &none;
    ret = check_params(device, params);
    if (ret)
        return ret;
    model = calloc(1, sizeof(*model));
    if (!model || pthread_mutex_init(&model->lock, NULL)) {
        free(model);
        return rv_log_memory(device, RVOS_ERR_MEMORY, path);
    }
    model->device = rv_device_ref(device);
    atomic_init(&model->refs, 1);
    model->precision = effective(device, params->precision);
    model->type = device->fn->type(device, model->precision);
    if (model->precision != params->precision)
        tell_precision(device, params->precision, model->precision);
    set_batch(model, params);
    model->weights =
        (struct rv_weights){.net = &model->net, .read = rv_weights_read, .opaque = model};
    model->path = strdup(path);
    ret =
        model->path ? rv_st_open(&model->file, path, why, sizeof(why)) : RVOS_ERR_MEMORY;
    if (why[0])
        rv_log(device, RVOS_LOG_ERROR, "%s", why);
    if (!ret)
        ret = rv_model_describe(model, params);
    if (!ret) {
        model->weights.prepared = calloc((size_t)model->net.n_weights, sizeof(void *));
        ret = model->weights.prepared ? 0 : RVOS_ERR_MEMORY;
    }
    if (!why[0])
        rv_log_memory(device, ret, path);
    if (ret) {
        model_free(model);
        return ret;
    }
    *out = model;
    return 0;
}

rvos_model *rv_model_ref(rvos_model *model)
{
    atomic_fetch_add(&model->refs, 1);
    return model;
}

void rvos_model_close(rvos_model **model)
{
    rvos_model *m = model ? *model : NULL;

    if (!m)
        return;
    *model = NULL;
    if (rv_device_forked(m->device))
        return; /* see device.h */
    if (atomic_fetch_sub(&m->refs, 1) == 1)
        model_free(m);
}

rvos_precision rvos_model_precision(const rvos_model *model)
{
    if (!model)
        return RVOS_PRECISION_DEFAULT;
    if (model->precision != RVOS_PRECISION_DEFAULT)
        return model->precision;
    return model->type == RV_F32 ? RVOS_PRECISION_FP32 : RVOS_PRECISION_FP16;
}

void rvos_model_get_info(const rvos_model *model, rvos_model_info *info)
{
    if (!info)
        return;
    *info = (rvos_model_info){
        .encoder = "", .skip_mode = "", .licence = "", .provenance = ""};
    if (!model)
        return;
    if (rv_device_forked(model->device)) {
        *info = model->info; /* frames and passes stay 0 */
        info->max_batch = model->max_batch;
        return;
    }
    pthread_mutex_lock((pthread_mutex_t *)&model->lock);
    *info = model->info;
    info->weights_bytes = model->weights.prepared_bytes;
    info->max_batch = model->max_batch;
    for (struct rv_model_plan *p = model->plans; p; p = p->next) {
        int64_t frames, passes;

        rv_batch_count(&p->batch, &frames, &passes);
        info->frames += frames;
        info->passes += passes;
    }
    pthread_mutex_unlock((pthread_mutex_t *)&model->lock);
}

/* Builds a program for plans of `frames` frames. */
static int build(rvos_model *model, struct rv_program *program, unsigned decoders,
                 bool spatial, bool temporal, int objects, int frames)
{
    const struct rv_backend *fn = model->device->fn;

    *program = (struct rv_program){.objects = objects,
                                   .decoders = decoders,
                                   .spatial = spatial,
                                   .temporal = temporal,
                                   .type = model->type,
                                   .align = fn->state_align,
                                   .time_groups = fn->time_groups * frames};
    if (rv_program_build(program, &model->net) || rv_places(program, fn->lanes))
        return RVOS_ERR_MEMORY;
    return 0;
}

static int make_plan(rvos_model *model, struct rv_model_plan *p, unsigned decoders,
                     bool spatial, bool temporal, int objects)
{
    struct rv_plan *plan;
    int ret = build(model, &p->program, decoders, spatial, temporal, objects, 1);

    if (!ret)
        ret = model->device->fn->plan_create(model->device, &p->program, &model->weights,
                                             model->precision, 1, &plan);
    if (!ret) {
        ret = rv_batch_init(&p->batch, model->device, model->max_batch,
                            model->batch_wait_us, plan);
        if (ret)
            model->device->fn->plan_destroy(plan);
    }
    return ret;
}

int rv_model_plan(rvos_model *model, unsigned decoders, bool spatial, bool temporal,
                  int objects, struct rv_model_plan **out)
{
    struct rv_model_plan *p;
    int ret = 0;

    pthread_mutex_lock(&model->lock);
    for (p = model->plans; p; p = p->next)
        if (p->program.decoders == decoders && p->program.spatial == spatial &&
            p->program.temporal == temporal && p->program.objects == objects)
            break;
    if (!p) {
        p = calloc(1, sizeof(*p));
        ret = p ? make_plan(model, p, decoders, spatial, temporal, objects)
                : RVOS_ERR_MEMORY;
        if (!ret) {
            p->next = model->plans;
            model->plans = p;
        } else if (p) {
            rv_log(model->device, RVOS_LOG_ERROR, "%s: no plan could be made: %s",
                   model->path, rvos_strerror(ret));
            rv_program_free(&p->program);
            free(p);
            p = NULL;
        }
    }
    pthread_mutex_unlock(&model->lock);
    *out = p;
    return ret;
}

void rv_job_all(struct rv_job *job, const struct rv_program *program)
{
    for (int d = 0; d < RV_DECODERS; d++)
        job->live[d] = program->decoders >> d & 1 ? program->objects : 0;
}

/* Runs once on scratch states, so that no frame pays for being the first of its plan. */
static int warm_up(rvos_device *dev, const struct rv_program *program,
                   struct rv_plan *plan, int size)
{
    struct rv_job job[RVOS_MAX_BATCH] = {0};
    /* Each state is aligned as an allocation of its own would be. */
    size_t bytes = (program->state_bytes + 255) / 256 * 256;
    struct rv_buffer states;
    int ret = dev->fn->alloc(dev, size * bytes, &states);

    if (ret)
        return ret;
    for (int i = 0; i < size; i++) {
        job[i].state.ptr = (char *)states.ptr + i * bytes;
        job[i].state.size = program->state_bytes;
        rv_job_all(&job[i], program);
    }
    ret = dev->fn->plan_run(plan, job, size);
    dev->fn->free(dev, &states);
    return ret;
}

/* Adds a plan of the next size. */
static int add_plan(rvos_model *model, struct rv_model_plan *p)
{
    const struct rv_backend *fn = model->device->fn;
    int size = 2 * p->batch.size[p->batch.plans - 1];
    struct rv_program *program = &p->larger[p->batch.plans];
    struct rv_plan *plan;
    int ret;

    if (size > fn->max_batch)
        size = fn->max_batch;
    ret = build(model, program, p->program.decoders, p->program.spatial,
                p->program.temporal, p->program.objects, size);
    if (!ret)
        ret = fn->plan_create(model->device, program, &model->weights, model->precision,
                              size, &plan);
    if (!ret) {
        ret = warm_up(model->device, &p->program, plan, size);
        if (!ret && fn->plan_share) /* a batch runs one plan at a time */
            ret = fn->plan_share(plan, p->batch.plan[p->batch.plans - 1]);
        if (!ret)
            rv_batch_add(&p->batch, plan, size);
        else
            fn->plan_destroy(plan);
    }
    if (ret)
        rv_program_free(program);
    if (!ret || ret == RVOS_ERR_DEVICE)
        return ret;
    p->full = true;
    rv_log(model->device, RVOS_LOG_WARNING,
           "%s: no plan of %d streams could be made (%s): up to %d run in one pass",
           model->path, size, rvos_strerror(ret), p->batch.most);
    return 0;
}

int rv_model_enter(rvos_model *model, struct rv_model_plan *plan)
{
    int wanted = atomic_fetch_add(&plan->streams, 1) + 1, ret = 0;

    if (wanted > model->max_batch)
        wanted = model->max_batch;
    pthread_mutex_lock(&model->lock);
    while (!ret && plan->batch.most < wanted && !plan->full)
        ret = add_plan(model, plan);
    pthread_mutex_unlock(&model->lock);
    if (ret)
        rv_model_leave(plan);
    return ret;
}

void rv_model_leave(struct rv_model_plan *plan)
{
    atomic_fetch_sub(&plan->streams, 1);
}

int rv_model_run(rvos_model *model, struct rv_model_plan *plan, struct rv_member *member,
                 const struct rv_job *job)
{
    const struct rv_backend *fn = model->device->fn;
    int ret = fn->job_prepare ? fn->job_prepare(model->device, job) : 0;

    if (!ret)
        ret = rv_batch_run(&plan->batch, member, job);
    if (!ret && fn->job_finish)
        fn->job_finish(model->device, job);
    if (ret)
        rv_log(model->device, RVOS_LOG_ERROR, "%s: a frame failed: %s", model->path,
               rvos_strerror(ret));
    return ret;
}
