/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* weights.c - makes the weights of a convolution from the tensors of the file. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "model.h"

#define BN_EPSILON 1e-5 /* PyTorch's default, that all known checkpoints use */

static const char *const bn_members[] = {"weight", "bias", "running_mean", "running_var"};

static const struct rv_st_tensor *find(const rvos_model *model, const char *name,
                                       const char *member)
{
    char full[80];

    snprintf(full, sizeof(full), "%s.%s", name, member);
    return rv_st_find(model->file, full);
}

/* Reads elements of a tensor. The shapes were checked when the file was loaded, so only
 * the file itself can fail, which is read again. */
static int read_part(const rvos_model *model, const struct rv_st_tensor *t, int64_t from,
                     int64_t n, float *out)
{
    const char *why = "lacks elements";
    int ret = rv_st_read_f32(model->file, t, from, n, out, &why);

    if (ret)
        rv_log(model->device, RVOS_LOG_ERROR, "%s: %s (tensor %s)", model->path, why,
               t->name);
    return ret == RVOS_ERR_ARGUMENT ? RVOS_ERR_FORMAT : ret;
}

/* Reads all `count` floats of a tensor. */
static int read_all(const rvos_model *model, const char *name, const char *member,
                    int64_t count, float *out)
{
    const struct rv_st_tensor *t = find(model, name, member);

    return t && t->count == count ? read_part(model, t, 0, count, out) : RVOS_ERR_FORMAT;
}

static int read_kernel(const rvos_model *model, const struct rv_weight *w, float *kernel)
{
    const struct rv_st_tensor *t = find(model, w->conv, "weight");
    int64_t taps = (int64_t)w->size * w->size, full;
    int ret = 0;

    if (!t)
        return RVOS_ERR_FORMAT;
    full = t->dim[1] * taps; /* values per output channel, all input channels */
    if (w->part[0].from == 0 && w->part[0].count * taps == full)
        return read_part(model, t, 0, w->out * full, kernel);
    for (int o = 0; o < w->out; o++)
        for (int p = 0; p < 2 && !ret; p++) {
            ret = read_part(model, t, o * full + w->part[p].from * taps,
                            w->part[p].count * taps, kernel);
            kernel += w->part[p].count * taps;
        }
    return ret;
}

/* y = (conv + b - mean) * gamma / sqrt(var + eps) + beta, as a convolution. */
static int fold(const rvos_model *model, const struct rv_weight *w, float *kernel,
                float *bias)
{
    int64_t per_output = (int64_t)w->in * w->size * w->size;
    float *bn = malloc(4 * (size_t)w->out * sizeof(float));
    float *gamma = bn, *beta = bn + w->out, *mean = beta + w->out, *var = mean + w->out;
    int ret = bn ? 0 : RVOS_ERR_MEMORY;

    for (int k = 0; k < 4 && !ret; k++)
        ret = read_all(model, w->bn, bn_members[k], w->out, bn + (ptrdiff_t)k * w->out);
    for (int o = 0; o < w->out && !ret; o++) {
        double scale = gamma[o] / sqrt(var[o] + BN_EPSILON);

        for (int64_t i = 0; i < per_output; i++)
            kernel[o * per_output + i] = (float)(kernel[o * per_output + i] * scale);
        bias[o] = (float)((bias[o] - (double)mean[o]) * scale + beta[o]);
    }
    free(bn);
    return ret;
}

int rv_weights_read(const struct rv_weights *weights, int index, float *kernel,
                    float *bias)
{
    const rvos_model *model = weights->opaque;
    const struct rv_weight *w = &weights->net->weight[index];
    int ret = read_kernel(model, w, kernel);

    if (ret)
        return ret;
    for (int o = 0; o < w->out; o++)
        bias[o] = 0;
    if (w->bias)
        ret = read_all(model, w->conv, "bias", w->out, bias);
    if (ret)
        return ret;
    return w->bn[0] ? fold(model, w, kernel, bias) : 0;
}

/* ---- checks ------------------------------------------------------------- */

static int check_values(rvos_model *model, const struct rv_st_tensor *t, double least)
{
    enum { MOST = 4096 };
    float v[MOST];

    for (int64_t at = 0; at < t->count; at += MOST) {
        int64_t count = t->count - at < MOST ? t->count - at : MOST;
        int ret = read_part(model, t, at, count, v);

        if (ret)
            return ret;
        for (int i = 0; i < count; i++)
            if (!isfinite(v[i]) || v[i] < least) {
                rv_log(model->device, RVOS_LOG_ERROR,
                       "%s: tensor %s holds a value that is %s", model->path, t->name,
                       isfinite(v[i]) ? "negative" : "not a finite number");
                return RVOS_ERR_FORMAT;
            }
    }
    return 0;
}

/* Checks for a tensor of the given shape (dim[1..] 0: one dimension) with finite values,
 * none below `least`. */
static int check_tensor(rvos_model *model, const char *name, const char *member,
                        const int64_t dim[4], double least)
{
    const struct rv_st_tensor *t = find(model, name, member);
    int n = dim[1] ? 4 : 1;
    bool fits;

    if (!t) {
        rv_log(model->device, RVOS_LOG_ERROR, "%s: tensor %s.%s is missing", model->path,
               name, member);
        return RVOS_ERR_FORMAT;
    }
    fits = t->ndim == n;
    for (int i = 0; i < n && fits; i++)
        fits = t->dim[i] == dim[i];
    if (!fits || t->type > RV_BF16) {
        rv_log(model->device, RVOS_LOG_ERROR,
               "%s: tensor %s has the wrong shape or type; expected float values, %d "
               "dimension%s, %lld x %lld x %lld x %lld",
               model->path, t->name, n, n > 1 ? "s" : "", (long long)dim[0],
               (long long)dim[1], (long long)dim[2], (long long)dim[3]);
        return RVOS_ERR_FORMAT;
    }
    return check_values(model, t, least);
}

/* Whether an earlier entry uses the same tensors (including the bias if `bias` is
 * set). */
static bool seen(const struct rv_net *net, int i, bool bias)
{
    for (int k = 0; k < i; k++)
        if (!strcmp(net->weight[k].conv, net->weight[i].conv) &&
            net->weight[k].bias >= bias)
            return true;
    return false;
}

int rv_weights_check(rvos_model *model)
{
    int ret = 0;

    for (int i = 0; i < model->net.n_weights && !ret; i++) {
        const struct rv_weight *w = &model->net.weight[i];
        const int64_t kernel[4] = {w->out, w->full ? w->full : w->in, w->size, w->size};
        const int64_t vector[4] = {w->out, 0, 0, 0};
        bool old = seen(&model->net, i, false);

        if (!old)
            ret = check_tensor(model, w->conv, "weight", kernel, -HUGE_VAL);
        if (!ret && w->bias && !seen(&model->net, i, true))
            ret = check_tensor(model, w->conv, "bias", vector, -HUGE_VAL);
        for (int k = 0; k < 4 && !ret && w->bn[0] && !old; k++)
            ret =
                check_tensor(model, w->bn, bn_members[k], vector, k == 3 ? 0 : -HUGE_VAL);
    }
    return ret;
}
