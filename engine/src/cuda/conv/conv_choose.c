/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* conv_choose.c - picks cuDNN's engine for a convolution.
 *
 * Engines with unsuitable numerics are left out; the others are timed on the shape. The
 * precompiled engines come first, which takes milliseconds. Then, while there is time,
 * come the engines that cuDNN compiles at run time, which takes a second each. The
 * winner's plan is kept on disk with its compiled kernel, so that the next start skips
 * both. If time ran out, the file says how many were tried, and the next start continues
 * there.
 */
#include "conv_cudnn.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conv_search.h"
#include "conv_time.h"

/* Bytes. Each of six lanes has the largest workspace of its plans. */
#define WORKSPACE_MOST (8 << 20)
#define WORTH 1.03f /* a plan with a workspace must be 3 % faster */
#define CONFIGS 64  /* configurations of one form */
#define COMPILE_S 0.5

typedef cudnnBackendDescriptor_t desc;

static const char *const form_names[] = {"fused", "fused32", "sums32", "sums"};

/* ---- searching -------------------------------------------------------------------- */

struct config {
    enum rv_form form;
    desc config;
    bool compiles;
};

struct plan_search {
    struct rv_search base;
    struct rv_conv *conv;
    struct config config[RV_FORMS * CONFIGS];
    int n;
    int stage;     /* counts next_stage's stages */
    int at;        /* the next config to try */
    bool compiles; /* now trying those that compile; else the precompiled ones */
    int last;      /* first config of the least exact form, the last resort */
    struct rv_cudnn_plan made, best;
    char engine[256]; /* of the best */
};

static int run_plan(void *search, cudaStream_t stream)
{
    const struct plan_search *s = search;
    cudaError_t launched;

    return rv_cudnn_execute(s->conv, &s->made, &s->base.io, stream, &launched) ||
           launched;
}

/* Whether the plan runs and agrees with the plain kernel. Also true if there is no memory
 * to check. */
static bool is_right(struct rv_search *base)
{
    struct plan_search *s = (struct plan_search *)base;
    struct rv_conv *c = s->conv;
    struct rv_difference d;
    int ret = rv_conv_compare(base->dev, &c->shape, c->weights, c->index, &base->io,
                              run_plan, s, &d);

    if (ret || d.share <= 1)
        return !ret || ret == RVOS_ERR_MEMORY;
    rv_log(base->dev, RVOS_LOG_WARNING,
           "cuDNN: an engine is passed over, as it disagrees with the plain kernel: "
           "element %zu is %g and not %g",
           d.at, (double)d.got, (double)d.want);
    return false;
}

static bool form_exists(const struct rv_conv *c, enum rv_form form)
{
    switch (form) {
    case RV_FORM_FUSED:
        return c->shape.in != RV_F16 || c->f16_bias;
    case RV_FORM_FUSED32:
    case RV_FORM_SUMS:
        return c->shape.in ==
               RV_F16; /* with float32 operands the same as RV_FORM_SUMS32 */
    default:
        return true;
    }
}

static void gather_configs(struct plan_search *s, enum rv_form form)
{
    struct rv_conv *c = s->conv;
    desc graph, config[CONFIGS];
    int n;

    if (!form_exists(c, form))
        return;
    graph = rv_dnn_graph(&c->opened->dnn, &c->shape, form);
    if (!graph)
        return;
    n = rv_dnn_configs(&c->opened->dnn, graph, config, CONFIGS);
    for (int i = 0; i < n; i++)
        if (rv_dnn_suits(config[i], &c->shape))
            s->config[s->n++] =
                (struct config){form, config[i], rv_dnn_compiles(config[i])};
        else
            rv_dnn_destroy(&config[i]);
    rv_dnn_destroy(&graph);
}

/* Stages: each form except the least exact one, precompiled; then all that compile; then,
 * if nothing else works, the least exact form in the same order. */
static bool next_stage(struct plan_search *s)
{
    const struct rv_candidate any = {0};

    s->at = s->n;
    if (s->stage < RV_FORM_SUMS) {
        s->base.cut = !rv_search_goes_on(&s->base, &any);
        if (s->base.cut)
            return false;
        gather_configs(s, (enum rv_form)s->stage);
    } else if (s->stage == RV_FORM_SUMS) {
        s->at = 0;
        s->compiles = true;
    } else if (s->stage == RV_FORM_SUMS + 1) {
        if (s->base.found || s->base.optional)
            return false;
        s->last = s->n;
        s->compiles = false;
        gather_configs(s, RV_FORM_SUMS);
    } else if (s->stage == RV_FORM_SUMS + 2) {
        s->at = s->last;
        s->compiles = true;
    } else {
        return false;
    }
    s->stage++;
    return true;
}

static bool next_config(struct rv_search *base, struct rv_candidate *out)
{
    struct plan_search *s = (struct plan_search *)base;

    do
        for (; s->at < s->n; s->at++)
            if (s->config[s->at].compiles == s->compiles) {
                *out = (struct rv_candidate){
                    .index = s->at++,
                    .seconds = s->compiles ? s->conv->opened->compiling : 0};
                return true;
            }
    while (next_stage(s));
    return false;
}

static float cost_factor(const struct rv_cudnn_plan *m)
{
    return m->workspace > 1024 ? WORTH : 1;
}

static float plan_of_config(struct rv_search *base, const struct rv_candidate *c)
{
    struct plan_search *s = (struct plan_search *)base;
    const struct config *a = &s->config[c->index];
    struct rv_cudnn *o = s->conv->opened;
    double from = rv_conv_clock(), took;

    s->made = (struct rv_cudnn_plan){.form = a->form, .trial = true};
    s->made.plan = rv_dnn_plan(&o->dnn, a->config, &s->made.workspace);
    took = rv_conv_clock() - from;
    if (a->compiles && took > o->compiling)
        o->compiling = took;
    if (s->made.workspace > WORKSPACE_MOST)
        rv_dnn_destroy(&s->made.plan);
    return s->made.plan ? cost_factor(&s->made) : 0;
}

static void settle_plan(struct rv_search *base, const struct rv_candidate *c, bool best)
{
    struct plan_search *s = (struct plan_search *)base;

    if (!best) {
        rv_dnn_destroy(&s->made.plan);
        return;
    }
    rv_dnn_destroy(&s->best.plan);
    s->best = s->made;
    rv_dnn_describe(s->config[c->index].config, s->engine, sizeof(s->engine));
}

/* ---- plans on disk: a line "FORM ENGINE", and cuDNN's text. "FORM~N": time ran out
 * after N candidates. ---- */

static void keep(const struct plan_search *s, const char *key)
{
    size_t size = 0;
    char *plan = rv_dnn_save(s->best.plan, &size), head[512], mark[16] = "", *text;
    int n;

    if (s->base.cut)
        snprintf(mark, sizeof(mark), "~%d", s->base.seen);
    n = snprintf(head, sizeof(head), "%d%s %.255s\n", (int)s->best.form, mark, s->engine);
    text = plan ? malloc((size_t)n + size) : NULL;
    if (text) {
        memcpy(text, head, (size_t)n);
        memcpy(text + n, plan, size);
        rv_cache_put(s->conv->opened->cache, key, text, (size_t)n + size);
    }
    free(text);
    free(plan);
}

static bool runs_again(struct plan_search *s)
{
    struct cuda_device *cuda = s->base.dev->priv;

    if (!s->base.trying)
        return true;
    if (!s->base.timing)
        return is_right(&s->base);
    if (!run_plan(s, cuda->stream) && cudaStreamSynchronize(cuda->stream) == cudaSuccess)
        return true;
    cudaGetLastError(); /* clear the error, or the next launch would report it */
    return false;
}

/* Restores a plan from the file's text. False if the plan cannot be made or run; then a
 * new one is searched. */
static bool restore_text(struct plan_search *s, const char *text, size_t size)
{
    struct rv_cudnn_plan *m = &s->made;
    const char *end = memchr(text, '\n', size);
    int form = -1;

    if (!end || sscanf(text, "%d", &form) != 1 || form < 0 || form >= RV_FORMS ||
        !form_exists(s->conv, (enum rv_form)form))
        return false;
    *m = (struct rv_cudnn_plan){.form = (enum rv_form)form};
    m->plan = rv_cudnn_restore(s->conv->opened, end + 1, size - (size_t)(end + 1 - text),
                               &m->workspace);
    if (m->plan && m->workspace <= WORKSPACE_MOST && runs_again(s))
        return true;
    rv_dnn_destroy(&m->plan);
    return false;
}

/* Makes the kept plan the best one. Sets `skip` to the number of candidates tried before
 * time ran out; 0: all were tried. */
static bool restore(struct plan_search *s, const char *key)
{
    struct rv_cudnn *o = s->conv->opened;
    struct cuda_device *cuda = o->dev->priv;
    size_t size = 0;
    char *text = NULL;
    int form;
    bool good;

    if (cuda->switches.tune != RV_TUNE_ALL)
        text = rv_cache_get(o->cache, key, &size);
    if (!text)
        return false;
    good = restore_text(s, text, size);
    if (good)
        s->best = s->made;
    if (good && sscanf(text, "%d~%d", &form, &s->base.skip) == 2 && s->base.skip > 0)
        sscanf(text, "%*s %250[^\n]", s->engine);
    else
        s->base.skip = 0;
    rv_log(o->dev, RVOS_LOG_DEBUG, "cuDNN: %s: %s %.200s", key,
           good ? form_names[s->best.form] : "what was kept is of no use:",
           good ? "as kept" : "it is made again");
    free(text);
    return good;
}

/* ---- finding ---------------------------------------------------------------------- */

/* Makes the plan again for the handle that runs frames, which takes a millisecond. If a
 * plan cannot be serialized, it runs with that handle as it is, because another thread
 * may be using the planning handle. */
static void for_runner(struct rv_cudnn *o, struct rv_cudnn_plan *m)
{
    size_t size = 0;
    int64_t workspace = 0;
    char *text = rv_dnn_save(m->plan, &size);
    cudnnBackendDescriptor_t plan =
        text ? rv_cudnn_restore(o, text, size, &workspace) : NULL;

    free(text);
    if (!plan || workspace > WORKSPACE_MOST) {
        rv_dnn_destroy(&plan);
        return;
    }
    rv_dnn_destroy(&m->plan);
    m->plan = plan;
    m->workspace = workspace;
}

/* Continues after the `skip` candidates whose best is known. */
static bool choose_plan(struct plan_search *s, const char *key)
{
    struct rv_search *base = &s->base;
    struct rv_cudnn *o = s->conv->opened;

    if (o->compiling <= 0)
        o->compiling = COMPILE_S;
    if (base->skip && !rv_search_known(base, cost_factor(&s->best))) {
        rv_dnn_destroy(&s->best.plan);
        base->skip = 0;
    }
    rv_search_run(base);
    for (int i = 0; i < s->n; i++)
        rv_dnn_destroy(&s->config[i].config);
    if (!base->found)
        return false;
    if (s->best.trial)
        for_runner(o, &s->best);
    s->best.trial = false;
    rv_log(o->dev, RVOS_LOG_DEBUG, "cuDNN: %s: %s %.4f ms, best of %d of %d%s: %s", key,
           form_names[s->best.form], (double)base->best_ms, base->tried, s->n,
           base->cut ? ", to be continued" : "", s->engine);
    if (base->timing && (!base->cut || base->seen > base->skip))
        keep(s, key);
    return true;
}

/* Finds a plan for a new key. False: cuDNN has none. */
static bool find_plan(struct rv_conv *c, const char *key, struct rv_cudnn_plan *out)
{
    struct cuda_device *cuda = c->opened->dev->priv;
    struct plan_search *s = calloc(1, sizeof(*s));
    bool good;

    if (!s)
        return false;
    s->base = (struct rv_search){.dev = c->opened->dev,
                                 .optional = c->shape.optional,
                                 .next = next_config,
                                 .make = plan_of_config,
                                 .run = run_plan,
                                 .right = is_right,
                                 .settle = settle_plan};
    s->conv = c;
    rv_search_begin(&s->base, &c->shape,
                    WORKSPACE_MOST + rv_cudnn_sums(&c->shape, RV_FORM_SUMS32));
    good = restore(s, key);
    if (!good || (s->base.skip && cuda->switches.tune == RV_TUNE))
        good = choose_plan(s, key);
    *out = s->best;
    free(s);
    return good;
}

const struct rv_cudnn_plan *rv_cudnn_find(struct rv_conv *c)
{
    const struct rv_conv_shape *s = &c->shape;
    struct rv_cudnn *o = c->opened;
    struct rv_cudnn_plan *m;
    char key[200];

    rv_search_key(key, sizeof(key), o->gpu, s,
                  s->in == RV_F16 ? "f16"
                  : s->tf32       ? "tf32"
                                  : "f32",
                  s->in == RV_F16 && !c->f16_bias ? "-bias32" : "");
    for (m = o->made; m; m = m->next)
        if (!strcmp(m->key, key))
            return m;
    m = calloc(1, sizeof(*m));
    if (!m)
        return NULL;
    if (!find_plan(c, key, m)) {
        rv_log(o->dev, s->optional ? RVOS_LOG_DEBUG : RVOS_LOG_WARNING,
               "cuDNN has no engine for %s: %s", key,
               s->optional ? "none that is precompiled" : "a slow kernel does it");
        free(m);
        return NULL;
    }
    snprintf(m->key, sizeof(m->key), "%s", key);
    m->next = o->made;
    o->made = m;
    return m;
}
