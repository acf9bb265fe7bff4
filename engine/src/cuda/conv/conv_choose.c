/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* conv_choose.c - which of cuDNN's engines does a convolution.
 *
 * Those whose numerics don't suit are left out, the others are timed on the shape: first
 * all that are precompiled, which takes milliseconds, and then, while there is time,
 * those that cuDNN compiles on the spot, which takes a second each. The winner's plan is
 * kept on disk, its compiled kernel with it, so that the next start needs neither. If the
 * time ended before all were tried, that is kept, too, and the next start goes on there.
 */
#include "conv_cudnn.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conv_compare.h"
#include "conv_time.h"

/* Each of six lanes has the largest of its plans'. */
#define WORKSPACE_MOST (8 << 20)
#define WORTH 1.03f /* a workspace must gain 3 % */
#define CONFIGS 64  /* of one form */
#define COMPILE_S 0.5

typedef cudnnBackendDescriptor_t desc;

static const char *const form_names[] = {"fused", "fused32", "sums32", "sums"};

/* ---- timing ----------------------------------------------------------------------- */

struct timed {
    struct rv_conv *conv;
    const struct rv_cudnn_plan *made;
    struct rv_conv_io io;
};

static int run_timed(void *opaque, cudaStream_t stream)
{
    struct timed *t = opaque;
    cudaError_t launched;

    return rv_cudnn_execute(t->conv, t->made, &t->io, stream, &launched) || launched;
}

void rv_cudnn_scratch_free(struct rv_cudnn *o)
{
    rv_cuda_free(o->scratch);
    o->scratch = NULL;
    o->scratch_bytes = 0;
}

/* Operands to try a plan with; false: no memory is left for that, and nothing is timed.
 */
static bool get_scratch(struct rv_conv *c, struct rv_conv_io *io)
{
    const struct rv_conv_shape *s = &c->shape;
    struct rv_cudnn *o = c->opened;
    struct cuda_device *cuda = o->dev->priv;
    size_t pixels = (size_t)s->n * s->oh * s->ow;
    size_t x = (size_t)s->n * s->ih * s->iw * s->ic * (s->half_in ? 2 : 4);
    size_t y = (pixels * s->oc * (s->half_out ? 2 : 4) + 255) / 256 * 256;
    size_t size = WORKSPACE_MOST + rv_cudnn_sums(s, RV_FORM_SUMS32);

    x = (x + 255) / 256 * 256;
    size += x + 2 * y;
    if (o->scratch_bytes < size) {
        rv_cudnn_scratch_free(o);
        if (cudaMalloc((void **)&o->scratch, size) != cudaSuccess) {
            cudaGetLastError();
            o->scratch = NULL;
            return false;
        }
        o->scratch_bytes = size;
    }
    *io = (struct rv_conv_io){o->scratch, NULL, o->scratch + x, o->scratch + x + 2 * y};
    if (s->sum)
        io->add = s->in_place ? io->y : o->scratch + x + y;
    return cudaMemsetAsync(o->scratch, 0, size, cuda->stream) == cudaSuccess;
}

/* Whether the plan runs and agrees with the plain kernel; also if there is no memory to
 * find out. */
static bool is_right(struct timed *t)
{
    struct rv_conv *c = t->conv;
    struct rv_difference d;
    int ret = rv_conv_compare(c->opened->dev, &c->shape, c->weights, c->index, &t->io,
                              run_timed, t, &d);

    if (ret || d.share <= 1)
        return !ret || ret == RVOS_ERR_MEMORY;
    rv_log(c->opened->dev, RVOS_LOG_WARNING,
           "cuDNN: an engine is passed over, as it disagrees with the plain kernel: "
           "element %zu is %g and not %g",
           d.at, (double)d.got, (double)d.want);
    return false;
}

/* ---- searching -------------------------------------------------------------------- */

struct candidate {
    enum rv_form form;
    desc config;
    bool compiles;
};

struct search {
    struct timed timed;
    bool timing;
    bool trying; /* there is memory to run a plan in */
    struct candidate candidate[RV_FORMS * CONFIGS];
    int n, tried;
    int seen, skip; /* candidates that were tried, and of them in earlier runs */
    bool cut;       /* time ended first */
    bool found;     /* something works, and this is the best: */
    struct rv_cudnn_plan best;
    char engine[256];
    float best_ms, best_cost;
    double until;
};

static bool form_exists(const struct rv_conv *c, enum rv_form form)
{
    switch (form) {
    case RV_FORM_FUSED:
        return !c->shape.half_in || c->half_bias;
    case RV_FORM_FUSED32:
    case RV_FORM_SUMS:
        return c->shape.half_in; /* else they are the others */
    default:
        return true;
    }
}

static void gather_candidates(struct search *s, enum rv_form form)
{
    struct rv_conv *c = s->timed.conv;
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
            s->candidate[s->n++] =
                (struct candidate){form, config[i], rv_dnn_compiles(config[i])};
        else
            rv_dnn_destroy(&config[i]);
    rv_dnn_destroy(&graph);
}

/* Whether one more may be tried: until something works, always, but for what takes long
 * where there are other means. */
static bool goes_on(const struct search *s, bool compiles)
{
    const struct rv_cudnn *o = s->timed.conv->opened;
    double after = rv_conv_clock() + (compiles ? o->compiling : 0);
    bool must = !s->found && !(compiles && s->timed.conv->shape.optional);

    if (must || o->tune == RV_TUNE_ALL)
        return true;
    return s->timing && after < s->until;
}

/* Without timing the first plan is taken that runs and agrees with the plain kernel.
 * Milliseconds, or 0 without timing; below 0: it is not to be taken. */
static float run_or_time(struct search *s)
{
    if (s->timing)
        return rv_conv_time(s->timed.conv->opened->dev, run_timed, &s->timed);
    return !s->trying || is_right(&s->timed) ? 0 : -1;
}

static void try(struct search *s, int i)
{
    const struct candidate *a = &s->candidate[i];
    struct rv_cudnn *o = s->timed.conv->opened;
    struct rv_cudnn_plan made = {.form = a->form, .trial = true};
    double from = rv_conv_clock(), took;
    float ms, cost;

    made.plan = rv_dnn_plan(&o->dnn, a->config, &made.workspace);
    took = rv_conv_clock() - from;
    if (a->compiles && took > o->compiling)
        o->compiling = took;
    if (!made.plan)
        return;
    if (made.workspace > WORKSPACE_MOST) {
        rv_dnn_destroy(&made.plan);
        return;
    }
    s->tried++;
    s->timed.made = &made;
    ms = run_or_time(s);
    cost = ms * (made.workspace > 1024 ? WORTH : 1);
    if (ms < 0 || (s->found && cost >= s->best_cost)) {
        rv_dnn_destroy(&made.plan);
        return;
    }
    rv_dnn_destroy(&s->best.plan);
    s->best = made;
    s->best_ms = ms;
    s->best_cost = cost;
    s->found = true;
    rv_dnn_describe(a->config, s->engine, sizeof(s->engine));
}

static void try_from(struct search *s, int from, bool compiles)
{
    for (int i = from; i < s->n && !s->cut; i++) {
        if (s->candidate[i].compiles != compiles)
            continue;
        if (s->seen >= s->skip) {
            s->cut = !goes_on(s, compiles);
            if (s->cut)
                break;
            try(s, i);
        }
        s->seen++;
    }
}

/* Of all forms but the least exact one, which is for where there is nothing else. */
static void search(struct search *s)
{
    for (int form = 0; form < RV_FORM_SUMS && !s->cut; form++) {
        int from = s->n;

        s->cut = !goes_on(s, false);
        if (s->cut)
            break;
        gather_candidates(s, (enum rv_form)form);
        try_from(s, from, false);
    }
    try_from(s, 0, true);
    if (!s->found && !s->timed.conv->shape.optional) {
        int from = s->n;

        s->cut = false;
        gather_candidates(s, RV_FORM_SUMS);
        try_from(s, from, false);
        try_from(s, from, true);
    }
}

/* ---- plans on disk: a line "FORM ENGINE", and cuDNN's text. "FORM~N": the time ended
 * when N candidates had been tried. ---- */

static void keep(const struct search *s, const struct rv_cudnn_plan *m)
{
    size_t size = 0;
    char *plan = rv_dnn_save(m->plan, &size), head[512], mark[16] = "", *text;
    int n;

    if (s->cut)
        snprintf(mark, sizeof(mark), "~%d", s->seen);
    n = snprintf(head, sizeof(head), "%d%s %.255s\n", (int)m->form, mark, s->engine);
    text = plan ? malloc((size_t)n + size) : NULL;
    if (text) {
        memcpy(text, head, (size_t)n);
        memcpy(text + n, plan, size);
        rv_cache_put(s->timed.conv->opened->cache, m->key, text, (size_t)n + size);
    }
    free(text);
    free(plan);
}

static bool runs_again(struct timed *t)
{
    struct cuda_device *cuda = t->conv->opened->dev->priv;

    if (t->conv->opened->tune == RV_TUNE_NOT)
        return is_right(t);
    if (!run_timed(t, cuda->stream) && cudaStreamSynchronize(cuda->stream) == cudaSuccess)
        return true;
    cudaGetLastError(); /* else the next launch is told of it */
    return false;
}

/* What the file says, as far as it goes: a plan that cannot be made or run is no loss. */
static bool restore_text(struct rv_conv *c, struct rv_cudnn_plan *m, const char *text,
                         size_t size)
{
    struct timed t = {.conv = c, .made = m};
    const char *end = memchr(text, '\n', size);
    int form = -1;

    if (!end || sscanf(text, "%d", &form) != 1 || form < 0 || form >= RV_FORMS ||
        !form_exists(c, (enum rv_form)form))
        return false;
    m->form = (enum rv_form)form;
    m->plan = rv_cudnn_restore(c->opened, end + 1, size - (size_t)(end + 1 - text),
                               &m->workspace);
    if (m->plan && m->workspace <= WORKSPACE_MOST &&
        (!get_scratch(c, &t.io) || runs_again(&t)))
        return true;
    rv_dnn_destroy(&m->plan);
    return false;
}

/* *tried: 0, or how many candidates had been tried when the time ended. */
static bool restore(struct rv_conv *c, struct rv_cudnn_plan *m, int *tried,
                    char engine[256])
{
    size_t size = 0;
    char *text;
    int form;
    bool good;

    *tried = 0;
    *engine = 0;

    if (c->opened->tune == RV_TUNE_ALL)
        return false;
    text = rv_cache_get(c->opened->cache, m->key, &size);
    if (!text)
        return false;
    good = restore_text(c, m, text, size);
    if (good && sscanf(text, "%d~%d", &form, tried) == 2 && *tried > 0)
        sscanf(text, "%*s %250[^\n]", engine);
    else
        *tried = 0;
    rv_log(c->opened->dev, RVOS_LOG_DEBUG, "cuDNN: %s: %s %.200s", m->key,
           good ? form_names[m->form] : "what was kept is of no use:",
           good ? "as kept" : "it is made again");
    free(text);
    return good;
}

/* ---- finding ---------------------------------------------------------------------- */

/* The same plan, made once more for the handle that frames run with: in a millisecond. A
 * plan that cannot be written down runs with that handle all the same, as the handle for
 * planning may be at work in another thread. */
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

static void take_best(struct search *s, struct rv_cudnn_plan *m)
{
    struct rv_cudnn *o = s->timed.conv->opened;

    m->form = s->best.form;
    m->plan = s->best.plan;
    m->workspace = s->best.workspace;
    m->trial = false;
    if (s->best.trial)
        for_runner(o, m);
    rv_log(o->dev, RVOS_LOG_DEBUG, "cuDNN: %s: %s %.4f ms, best of %d of %d%s: %s",
           m->key, form_names[m->form], (double)s->best_ms, s->tried, s->n,
           s->cut ? ", to be continued" : "", s->engine);
    if (s->timing && (!s->cut || s->seen > s->skip))
        keep(s, m);
}

/* `tried` > 0: m is the best of so many, and the others follow. */
static bool choose_plan(struct rv_conv *c, struct rv_cudnn_plan *m, int tried,
                        const char *engine)
{
    struct search *s = calloc(1, sizeof(*s));
    struct rv_cudnn *o = c->opened;
    bool found;

    if (!s)
        return tried > 0;
    s->timed.conv = c;
    s->until = rv_conv_search_begin(o->dev);
    s->trying = get_scratch(c, &s->timed.io);
    s->timing = s->trying && o->tune != RV_TUNE_NOT;
    if (o->compiling <= 0)
        o->compiling = COMPILE_S;
    if (tried) {
        s->found = true;
        s->skip = tried;
        s->best = *m;
        snprintf(s->engine, sizeof(s->engine), "%s", engine);
        s->timed.made = &s->best;
        s->best_ms = s->timing ? rv_conv_time(o->dev, run_timed, &s->timed) : 0;
        s->best_cost = s->best_ms * (m->workspace > 1024 ? WORTH : 1);
        if (s->best_ms < 0) {
            rv_dnn_destroy(&s->best.plan);
            s->found = false;
            s->skip = 0;
        }
    }
    search(s);
    rv_conv_search_end(o->dev);
    found = s->found;
    if (found)
        take_best(s, m);
    for (int i = 0; i < s->n; i++)
        rv_dnn_destroy(&s->candidate[i].config);
    free(s);
    return found;
}

static void write_plan_key(char *key, size_t size, const struct rv_conv *c)
{
    const struct rv_conv_shape *s = &c->shape;

    snprintf(key, size, "%s-n%d-%dx%dx%d-%dx%dx%d-k%ds%dp%d-%s%s%s%s%s", c->opened->gpu,
             s->n, s->ih, s->iw, s->ic, s->oh, s->ow, s->oc, s->size, s->stride, s->pad,
             s->half_in ? "f16"
             : s->tf32  ? "tf32"
                        : "f32",
             s->half_out ? "f16" : "f32",
             s->in_place ? "-add"
             : s->sum    ? "-sum"
                         : "",
             s->relu ? "-relu" : "", s->half_in && !c->half_bias ? "-bias32" : "");
}

const struct rv_cudnn_plan *rv_cudnn_find(struct rv_conv *c)
{
    struct rv_cudnn *o = c->opened;
    struct rv_cudnn_plan *m;
    char key[200], engine[256];
    int tried;
    bool good;

    write_plan_key(key, sizeof(key), c);
    for (m = o->made; m; m = m->next)
        if (!strcmp(m->key, key))
            return m;
    m = calloc(1, sizeof(*m));
    if (!m)
        return NULL;
    snprintf(m->key, sizeof(m->key), "%s", key);
    good = restore(c, m, &tried, engine);
    if (!good || (tried && o->tune == RV_TUNE))
        good = choose_plan(c, m, tried, engine);
    if (!good) {
        rv_log(o->dev, c->shape.optional ? RVOS_LOG_DEBUG : RVOS_LOG_WARNING,
               "cuDNN has no engine for %s: %s", key,
               c->shape.optional ? "none that is precompiled" : "a slow kernel does it");
        free(m);
        return NULL;
    }
    m->next = o->made;
    o->made = m;
    return m;
}
