/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* conv_cudnn.c - convolutions by cuDNN, in the first form (dnn.h) that this GPU and this
 * cuDNN can do. What none can do (odd channel counts in fp16) is RVOS_ERR_UNSUPPORTED,
 * and conv_plain.c's.
 *
 * Of the engines that cuDNN's heuristics name, those whose numerics don't suit are left
 * out, the first few are timed, and the choice is kept on disk. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "choices.h"
#include "context.h"
#include "dnn.h"
#include "kernels.h"

#define CANDIDATES 8              /* that are timed, of one shape */
#define WORKSPACE_MOST (32 << 20) /* an engine that wants more is left out */
#define BUDGET_S 12.0             /* of timing for one plan; then the first that works */

#define DNN(dev, call)                                                                   \
    do {                                                                                 \
        cudnnStatus_t status_ = (call);                                                  \
        if (status_ != CUDNN_STATUS_SUCCESS) {                                           \
            ret = dnn_error(dev, status_, #call);                                        \
            goto error;                                                                  \
        }                                                                                \
    } while (0)

typedef cudnnBackendDescriptor_t desc;

static const char *const form_names[] = {"fused", "sums32", "sums"};

/* An execution plan, shared by all convolutions of its shape; lives as long as the
 * device. */
struct made {
    struct made *next;
    char key[200];
    enum rv_form form;
    desc plan;
    int64_t workspace;
};

struct opened {
    rvos_device *dev;
    struct rv_dnn dnn;
    struct rv_choices *choices;
    char gpu[96]; /* the part of a key that names cuDNN and the GPU */
    struct made *made;
    double spent; /* seconds of timing since the last flush */
    bool tune;    /* false: the first engine that works, and nothing is remembered */
};

struct rv_conv {
    struct opened *opened;
    const struct made *made;
    struct rv_conv_shape shape;
    const void *kernel;
    const float *bias;
    size_t sums; /* bytes, of the forms that have them, in front of the workspace */
};

static int dnn_error(const rvos_device *dev, cudnnStatus_t status, const char *call)
{
    char more[256] = "";

    cudnnGetLastErrorString(more, sizeof(more));
    rv_log(dev, RVOS_LOG_ERROR, "cuDNN: %s: %s %s", call, cudnnGetErrorString(status),
           more);
    return status == CUDNN_STATUS_ALLOC_FAILED ? RVOS_ERR_MEMORY : RVOS_ERR_DEVICE;
}

/* ---- running ---------------------------------------------------------------------- */

/* Without a word in the log, which candidates that fail should not fill. */
static cudnnStatus_t execute(struct rv_conv *c, const struct rv_conv_io *io,
                             cudaStream_t stream, cudaError_t *launched)
{
    const struct rv_conv_shape *s = &c->shape;
    enum rv_form form = c->made->form;
    char *workspace = (char *)io->workspace + c->sums;
    void *y = form == RV_FORM_FUSED ? io->y : io->workspace;
    desc pack = rv_dnn_pack(s, form, io, c->kernel, c->bias, y, workspace);
    cudnnStatus_t status =
        pack ? cudnnSetStream(c->opened->dnn.handle, stream) : CUDNN_STATUS_BAD_PARAM;

    *launched = cudaSuccess;
    if (!status)
        status = cudnnBackendExecute(c->opened->dnn.handle, c->made->plan, pack);
    if (!status && form != RV_FORM_FUSED)
        *launched = rv_cuda_epilogue(
            y, s->half_in && form == RV_FORM_SUMS, c->bias, io->add, io->y, s->half_out,
            (size_t)s->n * s->oh * s->ow, s->oc, s->relu, stream);
    rv_dnn_destroy(&pack);
    return status;
}

static int run(struct rv_conv *c, const struct rv_conv_io *io, cudaStream_t stream)
{
    rvos_device *dev = c->opened->dev;
    cudaError_t launched;
    int ret = 0;

    DNN(dev, execute(c, io, stream, &launched));
    CU(dev, launched);
error:
    return ret;
}

static size_t sums_bytes(const struct rv_conv_shape *s, enum rv_form form)
{
    size_t bytes = (size_t)s->n * s->oh * s->ow * s->oc *
                   (form == RV_FORM_SUMS && s->half_in ? 2 : 4);

    return form == RV_FORM_FUSED ? 0 : (bytes + 255) / 256 * 256;
}

/* ---- choosing --------------------------------------------------------------------- */

static double seconds(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Scratch for timing. */
struct bench {
    char *memory;
    struct rv_conv_io io;
    cudaEvent_t start, end;
};

static int open_bench(struct bench *b, const struct rv_conv *c, size_t workspace)
{
    const struct rv_conv_shape *s = &c->shape;
    rvos_device *dev = c->opened->dev;
    struct cuda_device *cuda = dev->priv;
    size_t x = ((size_t)s->n * s->ih * s->iw * s->ic * 4 + 255) / 256 * 256;
    size_t y = ((size_t)s->n * s->oh * s->ow * s->oc * 4 + 255) / 256 * 256;
    int ret = rv_cuda_alloc(dev, (void **)&b->memory, x + 2 * y + workspace);

    if (ret)
        return ret;
    b->io = (struct rv_conv_io){b->memory, s->sum ? b->memory + x + y : NULL,
                                b->memory + x, b->memory + x + 2 * y};
    CU(dev, cudaMemsetAsync(b->memory, 0, x + 2 * y, cuda->stream));
    CU(dev, cudaEventCreate(&b->start));
    CU(dev, cudaEventCreate(&b->end));
error:
    return ret;
}

static void close_bench(struct bench *b)
{
    if (b->start)
        cudaEventDestroy(b->start);
    if (b->end)
        cudaEventDestroy(b->end);
    rv_cuda_free(b->memory);
}

/* Milliseconds of one run, the least of three tries of eight; below 0: it failed. */
static float time_plan(struct rv_conv *c, const struct made *made, const struct bench *b)
{
    struct cuda_device *cuda = c->opened->dev->priv;
    cudaError_t launched;
    float best = -1, ms = 0;

    c->made = made;
    c->sums = sums_bytes(&c->shape, made->form);
    if (execute(c, &b->io, cuda->stream, &launched) || launched)
        return -1;
    for (int try = 0; try < 3; try++) {
        cudaEventRecord(b->start, cuda->stream);
        for (int i = 0; i < 8; i++)
            if (execute(c, &b->io, cuda->stream, &launched) || launched)
                return -1;
        cudaEventRecord(b->end, cuda->stream);
        if (cudaEventSynchronize(b->end) != cudaSuccess ||
            cudaEventElapsedTime(&ms, b->start, b->end) != cudaSuccess) {
            cudaGetLastError();
            return -1;
        }
        best = best < 0 || ms / 8 < best ? ms / 8 : best;
    }
    return best;
}

/* NULL where the engine does not run here, or wants too much memory. */
static desc plan_for(const struct rv_conv *c, desc config, int64_t *workspace)
{
    desc plan = rv_dnn_plan(&c->opened->dnn, config, workspace);

    if (plan && *workspace > WORKSPACE_MOST)
        rv_dnn_destroy(&plan);
    return plan;
}

/* Of configurations that can be had: the fastest into *out, its rank is returned; -1:
 * there is none. */
static int fastest(struct rv_conv *c, enum rv_form form, desc *config, int n,
                   struct made *out)
{
    size_t most = WORKSPACE_MOST + sums_bytes(&c->shape, form);
    struct bench bench = {0};
    float best = -1;
    int rank = -1, tried = 0;
    double from = seconds();
    bool timing =
        c->opened->tune && c->opened->spent < BUDGET_S && !open_bench(&bench, c, most);

    for (int i = 0; i < n && tried < CANDIDATES && (timing || rank < 0); i++) {
        struct made made = {.form = form};
        float ms;

        if (!rv_dnn_suits(config[i], &c->shape))
            continue;
        made.plan = plan_for(c, config[i], &made.workspace);
        if (!made.plan)
            continue;
        tried++;
        ms = timing ? time_plan(c, &made, &bench) : 0;
        if (ms < 0 || (rank >= 0 && ms >= best)) {
            rv_dnn_destroy(&made.plan);
            continue;
        }
        if (rank >= 0)
            rv_dnn_destroy(&out->plan);
        out->plan = made.plan;
        out->workspace = made.workspace;
        best = ms;
        rank = i;
        timing = timing && c->opened->spent + seconds() - from < BUDGET_S;
    }
    close_bench(&bench);
    c->opened->spent += seconds() - from;
    return rank;
}

/* Sets out->plan in one form; false: this form is not to be had. */
static bool choose_in_form(struct rv_conv *c, enum rv_form form, struct made *out)
{
    desc graph = rv_dnn_graph(&c->opened->dnn, &c->shape, form), config[64];
    struct rv_choices *choices = c->opened->choices;
    char key[200];
    int n = 0, rank = -1;

    if (!graph)
        return false;
    snprintf(key, sizeof(key), "%.160s-%s", out->key, form_names[form]);
    out->form = form;
    n = rv_dnn_configs(&c->opened->dnn, graph, config, 64);
    if (rv_choices_get(choices, key, &rank) && rank >= 0 && rank < n &&
        rv_dnn_suits(config[rank], &c->shape))
        out->plan = plan_for(c, config[rank], &out->workspace);
    if (!out->plan) {
        rank = fastest(c, form, config, n, out);
        if (rank >= 0 && c->opened->tune && c->opened->spent < BUDGET_S)
            rv_choices_set(choices, key, rank);
    }
    for (int i = 0; i < n; i++)
        rv_dnn_destroy(&config[i]);
    rv_dnn_destroy(&graph);
    if (out->plan)
        rv_log(c->opened->dev, RVOS_LOG_DEBUG, "cuDNN: %s: choice %d of %d", key, rank,
               n);
    return out->plan != NULL;
}

static void write_key(char *key, size_t size, const struct opened *o,
                      const struct rv_conv_shape *s)
{
    snprintf(key, size, "%s-n%d-%dx%dx%d-%dx%dx%d-k%ds%dp%d-%s%s%s%s", o->gpu, s->n,
             s->ih, s->iw, s->ic, s->oh, s->ow, s->oc, s->size, s->stride, s->pad,
             s->half_in ? "f16"
             : s->tf32  ? "tf32"
                        : "f32",
             s->half_out ? "f16" : "f32", s->sum ? "-sum" : "", s->relu ? "-relu" : "");
}

/* The plan for a shape, made if there is none yet; NULL: cuDNN has none. */
static const struct made *find(struct rv_conv *c)
{
    struct opened *o = c->opened;
    struct made *m;
    char key[200];

    write_key(key, sizeof(key), o, &c->shape);
    for (m = o->made; m; m = m->next)
        if (!strcmp(m->key, key))
            return m;
    m = calloc(1, sizeof(*m));
    if (!m)
        return NULL;
    snprintf(m->key, sizeof(m->key), "%s", key);
    for (int form = 0; form < RV_FORMS && !m->plan; form++)
        if (form != RV_FORM_SUMS || c->shape.half_in)
            choose_in_form(c, (enum rv_form)form, m);
    if (!m->plan) {
        rv_log(o->dev, RVOS_LOG_WARNING,
               "cuDNN has no engine for %s: a slow kernel does it", key);
        free(m);
        return NULL;
    }
    m->next = o->made;
    o->made = m;
    return m;
}

/* ---- the table ----------------------------------------------------------------------
 */

static void library(char *text, size_t size)
{
    size_t v = cudnnGetVersion();

    snprintf(text, size, "cuDNN %zu.%zu.%zu", v / 10000, v / 100 % 100, v % 100);
}

static void engine_close(void *opened)
{
    struct opened *o = opened;

    if (!o)
        return;
    while (o->made) {
        struct made *m = o->made;

        o->made = m->next;
        rv_dnn_destroy(&m->plan);
        free(m);
    }
    if (o->dnn.handle)
        cudnnDestroy(o->dnn.handle);
    rv_choices_close(o->choices);
    free(o);
}

static int engine_open(rvos_device *dev, void **opened)
{
    const struct cuda_device *cuda = dev->priv;
    const char *tune = getenv("RVOS_CUDA_TUNE"); /* 0: tests start sooner without */
    struct opened *o = calloc(1, sizeof(*o));
    int ret = RVOS_ERR_MEMORY;

    *opened = NULL;
    if (!o)
        return ret;
    o->dev = dev;
    snprintf(o->gpu, sizeof(o->gpu), "%zu-%.60s-sm%d", cudnnGetVersion(),
             rv_driver_name(cuda->driver), rv_driver_capability(cuda->driver));
    for (char *p = o->gpu; *p; p++)
        if (*p == ' ')
            *p = '_';
    o->tune = !tune || strcmp(tune, "0") != 0;
    o->choices = rv_choices_open("cudnn-engines-1");
    if (!o->choices)
        goto error;
    DNN(dev, cudnnCreate(&o->dnn.handle));
    *opened = o;
    return 0;
error:
    engine_close(o);
    return ret == RVOS_ERR_DEVICE ? RVOS_ERR_UNSUPPORTED : ret;
}

static int create(struct rv_conv **out, rvos_device *dev, void *opened,
                  const struct rv_conv_shape *shape, struct rv_weights *weights,
                  int index)
{
    struct rv_conv *c;
    int ret;

    *out = NULL;
    if (shape->half_in && (shape->ic % 8 || shape->oc % 8)) {
        rv_log(dev, RVOS_LOG_DEBUG, "%d to %d channels are not for tensor cores",
               shape->ic, shape->oc);
        return RVOS_ERR_UNSUPPORTED;
    }
    c = calloc(1, sizeof(*c));
    if (!c)
        return RVOS_ERR_MEMORY;
    c->opened = opened;
    c->shape = *shape;
    ret = rv_cuda_weights(dev, weights, index, shape->ic, shape->half_in,
                          RV_LAYOUT_FILTER, &c->kernel, &c->bias);
    if (!ret) {
        c->made = find(c);
        ret = c->made ? 0 : RVOS_ERR_UNSUPPORTED;
    }
    if (ret) {
        free(c);
        return ret;
    }
    c->sums = sums_bytes(shape, c->made->form);
    *out = c;
    return 0;
}

static size_t workspace_bytes(const struct rv_conv *c)
{
    return c->sums + (size_t)c->made->workspace;
}

static void destroy(struct rv_conv *c)
{
    free(c);
}

static void flush(void *opened)
{
    struct opened *o = opened;

    rv_choices_save(o->choices);
    o->spent = 0;
}

static const struct rv_conv_engine cudnn = {
    .library = library,
    .open = engine_open,
    .close = engine_close,
    .create = create,
    .workspace_bytes = workspace_bytes,
    .run = run,
    .destroy = destroy,
    .flush = flush,
};

/* RVOS_CUDA_CONV=plain: to find out whose fault a wrong mask is. */
const struct rv_conv_engine *rv_conv_default(void)
{
    const char *which = getenv("RVOS_CUDA_CONV");

    return which && !strcmp(which, "plain") ? &rv_conv_plain : &cudnn;
}
