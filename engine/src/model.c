/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "model.h"

#include <stdlib.h>
#include <string.h>

#include "device.h"
#include "log.h"

static int check_params(rvos_device *device, const rvos_model_params *p)
{
    if (p->max_batch < 0 || p->max_batch > 64 || p->batch_wait_us < 0 ||
        p->precision < RVOS_PRECISION_DEFAULT || p->precision > RVOS_PRECISION_BF16 ||
        p->width < 0 || p->height < 0) {
        rv_log(device, RVOS_LOG_ERROR, "rvos_model_load: a parameter is out of range");
        return RVOS_ERR_ARGUMENT;
    }
    if (!device->fn->narrow_bytes(device, p->precision)) {
        rv_log(device, RVOS_LOG_ERROR,
               "the %s backend cannot compute in this precision here (%s)",
               device->info.backend, device->info.isa);
        return RVOS_ERR_UNSUPPORTED;
    }
    return 0;
}

static void model_free(rvos_model *model)
{
    const struct rv_backend *fn = model->device->fn;

    for (struct rv_model_plan *p = model->plans, *next; p; p = next) {
        next = p->next;
        fn->plan_destroy(p->plan);
        rv_program_free(&p->program);
        rv_turn_finish(&p->turn);
        free(p);
    }
    fn->weights_free(model->device, &model->weights);
    free(model->weights.prepared);
    rv_net_free(&model->net);
    rv_st_close(&model->file);
    pthread_mutex_destroy(&model->lock);
    free(model->path);
    rvos_device_close(&model->device);
    free(model);
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
    params = params ? params : &none;
    ret = check_params(device, params);
    if (ret)
        return ret;
    model = calloc(1, sizeof(*model));
    if (!model)
        return rv_log_memory(device, RVOS_ERR_MEMORY, path);
    model->device = rv_device_ref(device);
    atomic_init(&model->refs, 1);
    pthread_mutex_init(&model->lock, NULL);
    model->precision = params->precision;
    model->narrow_bytes = device->fn->narrow_bytes(device, params->precision);
    model->weights =
        (struct rv_weights){.net = &model->net, .read = rv_weights_read, .opaque = model};
    model->path = strdup(path);
    ret =
        model->path ? rv_st_open(&model->file, path, why, sizeof(why)) : RVOS_ERR_MEMORY;
    if (why[0])
        rv_log(device, RVOS_LOG_ERROR, "%s", why);
    if (!ret)
        ret = rv_model_describe(model, params);
    if (!why[0])
        rv_log_memory(device, ret, path);
    if (ret) {
        model_free(model);
        return ret;
    }
    rv_st_drop_pages(model->file);
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
    if (atomic_fetch_sub(&m->refs, 1) == 1)
        model_free(m);
}

void rvos_model_get_info(const rvos_model *model, rvos_model_info *info)
{
    if (!info)
        return;
    *info = (rvos_model_info){
        .encoder = "", .skip_mode = "", .licence = "", .provenance = ""};
    if (!model)
        return;
    pthread_mutex_lock((pthread_mutex_t *)&model->lock);
    *info = model->info;
    info->weights_bytes = model->weights.prepared_bytes;
    pthread_mutex_unlock((pthread_mutex_t *)&model->lock);
}

/* Room for what a backend prepares of each weight that programs have named. */
static int grow_prepared(struct rv_weights *weights)
{
    int n = weights->net->n_weights;
    void **grown = realloc(weights->prepared, (size_t)n * sizeof(*grown));

    if (!grown)
        return RVOS_ERR_MEMORY;
    weights->prepared = grown;
    while (weights->n_prepared < n)
        grown[weights->n_prepared++] = NULL;
    return 0;
}

static int make_plan(rvos_model *model, struct rv_model_plan *p, bool one_shot,
                     bool spatial, bool temporal, int objects)
{
    int ret;

    if (rv_program_build(&p->program, &model->net, objects, one_shot, spatial, temporal,
                         model->narrow_bytes, model->device->fn->state_align))
        return RVOS_ERR_MEMORY;
    ret = grow_prepared(&model->weights);
    if (!ret)
        ret = model->device->fn->plan_create(model->device, &p->program, &model->weights,
                                             model->precision, 1, &p->plan);
    rv_st_drop_pages(model->file);
    return ret;
}

int rv_model_plan(rvos_model *model, bool one_shot, bool spatial, bool temporal,
                  int objects, struct rv_model_plan **out)
{
    struct rv_model_plan *p;
    int ret = 0;

    pthread_mutex_lock(&model->lock);
    for (p = model->plans; p; p = p->next)
        if (p->program.one_shot == one_shot && p->program.spatial == spatial &&
            p->program.temporal == temporal && p->program.objects == objects)
            break;
    if (!p) {
        p = calloc(1, sizeof(*p));
        ret = p ? make_plan(model, p, one_shot, spatial, temporal, objects)
                : RVOS_ERR_MEMORY;
        if (!ret) {
            rv_turn_init(&p->turn);
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

int rv_model_run(rvos_model *model, struct rv_model_plan *plan, const struct rv_job *job)
{
    int ret;

    rv_turn_take(&plan->turn);
    ret = model->device->fn->plan_run(plan->plan, job, 1);
    rv_turn_give(&plan->turn);
    if (ret)
        rv_log(model->device, RVOS_LOG_ERROR, "%s: a frame failed: %s", model->path,
               rvos_strerror(ret));
    return ret;
}
