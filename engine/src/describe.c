/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* describe.c - identifies a model file from its metadata and shapes. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "model.h"

#define MIN_SIDE 32
#define MAX_SIDE 4096

static const char *const task_names[] = {"zero-shot", "one-shot"};
static const char *const prefixes[] = {"zero_shot", "one_shot"};
static const char *const skip_modes[] = {"concat", "sum", "mul", "none"};

static int refuse(rvos_model *model, const char *why)
{
    rv_log(model->device, RVOS_LOG_ERROR, "%s: %s", model->path, why);
    return RVOS_ERR_FORMAT;
}

/* A number in the metadata; `missing` if the key is absent; -1 if it is not a number
 * within the bounds. */
static int number(const rvos_model *model, const char *key, int missing, int least,
                  int most)
{
    const char *text = rv_st_meta(model->file, key);
    char *end;
    long n;

    if (!text)
        return missing;
    n = strtol(text, &end, 10);
    return end == text || *end || n < least || n > most ? -1 : (int)n;
}

/* dim[i] of a four-dimensional tensor; 0 if there is no such tensor. */
static int dimension(const rvos_model *model, const char *name, int i)
{
    const struct rv_st_tensor *t = rv_st_find(model->file, name);

    return t && t->ndim == 4 && t->dim[i] > 0 && t->dim[i] <= 65536 ? (int)t->dim[i] : 0;
}

static int gate_dimension(const rvos_model *model, int task, int level, int i)
{
    char name[64];

    snprintf(name, sizeof(name), "%s.clstm_list.%d.Gates.weight", prefixes[task], level);
    return dimension(model, name, i);
}

static int describe_encoder(rvos_model *model)
{
    struct rv_net *net = &model->net;
    const char *base = rv_st_meta(model->file, "rvos.base");
    char why[256];

    if (!base)
        return refuse(model, "no model of rvos: the metadata has no rvos.base (published "
                             "checkpoints are converted by data/convert.py)");
    if (!rv_encoder_known(base)) {
        snprintf(
            why, sizeof(why),
            "its encoder %.40s is not known: resnet18, 34, 50, 101, vgg16, mobilenetv2, "
            "effnet-lite0 or effnet-lite2",
            base);
        return refuse(model, why);
    }
    snprintf(net->base, sizeof(net->base), "%s", base);
    net->base_width = dimension(model, rv_encoder_first(base), 0);
    if (!net->base_width)
        return refuse(model, "the first convolution of the encoder is missing");
    net->kernel = dimension(model, "encoder.sk5.weight", 2);
    if (net->kernel != 1 && net->kernel != 3)
        return refuse(model,
                      "encoder.sk5.weight is missing, or its kernel not 1x1 or 3x3");
    return 0;
}

static int describe_skip_mode(rvos_model *model)
{
    const char *mode = rv_st_meta(model->file, "rvos.skip_mode");

    model->info.skip_mode = NULL;
    for (int i = 0; i < 4; i++)
        if (!strcmp(mode ? mode : "concat", skip_modes[i])) {
            model->net.skip_mode = (enum rv_skip_mode)i;
            model->info.skip_mode = skip_modes[i];
        }
    return model->info.skip_mode
               ? 0
               : refuse(model, "rvos.skip_mode must be concat, sum, mul or none");
}

/* Finds the decoders and checks that their shapes match their names. */
static int describe_tasks(rvos_model *model)
{
    const char *tasks = rv_st_meta(model->file, "rvos.tasks");
    int hidden = 0, meta = number(model, "rvos.hidden", 0, 8, 4096);
    char why[256];

    for (int t = 0; t < 2; t++) {
        int gates = gate_dimension(model, t, 0, 0), in = gate_dimension(model, t, 0, 1);

        if (tasks ? !strstr(tasks, task_names[t]) : !gates)
            continue;
        if (!gates) {
            snprintf(why, sizeof(why), "tensor %s.clstm_list.0.Gates.weight is missing",
                     prefixes[t]);
            return refuse(model, why);
        }
        hidden = gates / 4;
        if (in != 3 * hidden + t) {
            snprintf(why, sizeof(why), "the weights called %s are %s", prefixes[t],
                     in == 3 * hidden + !t ? "those of the other task"
                                           : "of no known shape");
            return refuse(model, why);
        }
        model->info.tasks |= 1u << t;
    }
    if (!model->info.tasks)
        return refuse(model, "it has no decoder for any task");
    if (hidden < 8 || hidden % 8 || meta < 0 || (meta && meta != hidden))
        return refuse(model, "rvos.hidden and the decoder's shapes do not agree");
    model->net.hidden = hidden;
    return 0;
}

static int describe_size(rvos_model *model, const rvos_model_params *params)
{
    struct rv_net *net = &model->net;
    int width = number(model, "rvos.width", 448, MIN_SIDE, MAX_SIDE);
    int height = number(model, "rvos.height", 256, MIN_SIDE, MAX_SIDE);

    if (params->width)
        width = params->width;
    else if (width < 0)
        return refuse(model, "rvos.width must be 32 to 4096");
    if (params->height)
        height = params->height;
    else if (height < 0)
        return refuse(model, "rvos.height must be 32 to 4096");
    if (width < MIN_SIDE || width > MAX_SIDE || height < MIN_SIDE || height > MAX_SIDE) {
        rv_log(model->device, RVOS_LOG_ERROR,
               "%s: a network size of %dx%d is out of range: each side from %d to %d",
               model->path, width, height, MIN_SIDE, MAX_SIDE);
        return RVOS_ERR_ARGUMENT;
    }
    /* VGG's pooling cuts off odd rows, so the feature sizes would differ from the masks'
     * sizes. */
    if (!strcmp(net->base, "vgg16") && (width % 32 || height % 32)) {
        rv_log(model->device, RVOS_LOG_ERROR,
               "%s: a vgg16 encoder needs a network size in multiples of 32, not %dx%d",
               model->path, width, height);
        return RVOS_ERR_ARGUMENT;
    }
    net->width = width;
    net->height = height;
    return 0;
}

/* Counts parameters as the papers do: no running statistics, no classifier. */
static int64_t count_parameters(const rvos_model *model)
{
    static const char *const others[] = {"running_mean", "running_var",
                                         "num_batches_tracked", "base.fc.",
                                         "base.classifier."};
    int64_t sum = 0;

    for (int i = 0; i < rv_st_count(model->file); i++) {
        const struct rv_st_tensor *t = rv_st_get(model->file, i);
        bool counts = !strncmp(t->name, "encoder.", 8) ||
                      !strncmp(t->name, "zero_shot.", 10) ||
                      !strncmp(t->name, "one_shot.", 9);

        for (size_t k = 0; k < sizeof(others) / sizeof(others[0]); k++)
            counts = counts && !strstr(t->name, others[k]);
        sum += counts ? t->count : 0;
    }
    return sum;
}

static int64_t conv_macs(const struct rv_program *p, const struct rv_net *net,
                         const struct rv_step *s)
{
    const struct rv_tensor *out = &p->tensor[s->out[0]];
    const struct rv_weight *w = &net->weight[s->weight];

    return (int64_t)out->n * out->h * out->w * w->out * w->in * w->size * w->size;
}

/* Counts the operations of a frame from a program for one object. */
static int describe_work(rvos_model *model, int task)
{
    const struct rv_net *net = &model->net;
    struct rv_program p = {.objects = 1,
                           .decoders = 1u << task,
                           .spatial = true,
                           .temporal = true,
                           .type = model->type,
                           .align = 1,
                           .time_groups = 1};
    int ret = rv_program_build(&p, net) ? RVOS_ERR_MEMORY : 0;

    model->info.encoder_macs = model->info.object_macs = 0;
    for (int i = 0; i < p.n_steps && !ret; i++)
        if (p.step[i].weight >= 0 &&
            !strncmp(net->weight[p.step[i].weight].conv, "encoder.", 8))
            model->info.encoder_macs += conv_macs(&p, net, &p.step[i]);
    for (int k = 0; k < RV_LEVELS && !ret; k++) {
        const struct rv_tensor *h = &p.tensor[p.memory[task].hidden[k]];
        int64_t pixels = (int64_t)h->h * h->w * net->kernel * net->kernel;

        model->info.object_macs +=
            pixels * 4 * (net->hidden >> k) * rv_gate_channels(net, k, task);
        if (k == RV_LEVELS - 1)
            model->info.object_macs += 4 * pixels * (net->hidden >> k);
    }
    rv_program_free(&p);
    return ret;
}

static bool is_part(const char *name, const char *owner)
{
    size_t n = strlen(owner);

    return n && !strncmp(name, owner, n) && name[n] == '.';
}

/* An encoder tensor that nobody reads is a sign of another encoder than the metadata
 * says: a ResNet-34 holds everything that a ResNet-18 needs. */
static int check_leftovers(rvos_model *model)
{
    const struct rv_net *net = &model->net;
    char why[256];

    for (int i = 0; i < rv_st_count(model->file); i++) {
        const char *name = rv_st_get(model->file, i)->name;
        bool used = strncmp(name, "encoder.", 8) || is_part(name, "encoder.base.fc") ||
                    is_part(name, "encoder.base.classifier");

        for (int k = 0; k < net->n_weights && !used; k++)
            used = is_part(name, net->weight[k].conv) || is_part(name, net->weight[k].bn);
        if (!used) {
            snprintf(why, sizeof(why), "tensor %.99s belongs to no %s encoder", name,
                     net->base);
            return refuse(model, why);
        }
    }
    return 0;
}

/* Comes last, so that a file with another defect gets the same message on every
 * device. */
static int check_backend(rvos_model *model)
{
    const rvos_device *device = model->device;

    if (!rv_encoder_depthwise(model->net.base) || device->fn->depthwise)
        return 0;
    rv_log(device, RVOS_LOG_ERROR,
           "%s: the %s backend cannot run a %s encoder (depthwise convolutions): use the "
           "CPU for this model",
           model->path, device->info.backend, model->net.base);
    return RVOS_ERR_UNSUPPORTED;
}

static const char *text(const rvos_model *model, const char *key)
{
    const char *value = rv_st_meta(model->file, key);

    return value ? value : "";
}

int rv_model_describe(rvos_model *model, const rvos_model_params *params)
{
    int ret = describe_encoder(model);

    if (!ret)
        ret = describe_skip_mode(model);
    if (!ret)
        ret = describe_tasks(model);
    if (!ret)
        ret = describe_size(model, params);
    if (!ret && rv_net_list(&model->net, model->info.tasks))
        ret = RVOS_ERR_MEMORY;
    if (!ret)
        ret = rv_weights_check(model);
    /* zero-shot last, so that info has the counts of the default task */
    for (int t = 1; t >= 0 && !ret; t--)
        if (model->info.tasks & 1u << t)
            ret = describe_work(model, t);
    if (!ret)
        ret = check_leftovers(model);
    if (!ret)
        ret = check_backend(model);
    if (ret)
        return ret;
    if (model->info.tasks == (RVOS_TASK_ZERO_SHOT | RVOS_TASK_ONE_SHOT))
        model->info.tasks |= RVOS_TASK_AUTO;
    model->info.objects = number(model, "rvos.objects", 10, 1, RVOS_MAX_OBJECTS);
    if (model->info.objects < 0)
        return refuse(model, "rvos.objects must be 1 to 32");
    model->info.encoder = model->net.base;
    model->info.width = model->net.width;
    model->info.height = model->net.height;
    model->info.hidden = model->net.hidden;
    model->info.kernel_size = model->net.kernel;
    model->info.licence = text(model, "rvos.licence");
    model->info.provenance = text(model, "rvos.provenance");
    model->info.parameters = count_parameters(model);
    return 0;
}
