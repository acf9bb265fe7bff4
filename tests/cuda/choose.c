/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* choose.c - tests which cuDNN engine is chosen and what is stored on disk, with a fake
 * cuDNN and a fake clock. */
#include <math.h>
#include <string.h>

#include "conv/conv_cudnn.h"
#include "idle_device.h"
#include "../test.h"

/* An engine of a form; its address serves as its descriptor. */
struct engine {
    enum rv_form form;
    float ms; /* below 0: does not run */
    bool compiles, unfit, unmakeable, wrong;
    int workspace;
};

static struct {
    const struct engine *engine, *ran; /* all; the one that ran last */
    int n;
    int asked, made, restored, refs, runs;
    bool runs_fail, unsaved;
    int trials; /* runs of candidate plans */
} world;

static char logged[2000];
static struct rv_weights some_weights;

/* ---- the made-up library ---------------------------------------------------------- */

cudnnBackendDescriptor_t rv_dnn_graph(const struct rv_dnn *dnn,
                                      const struct rv_conv_shape *s, enum rv_form form)
{
    world.asked++;
    world.refs++;
    return (char *)0x1000 + form;
}

int rv_dnn_configs(const struct rv_dnn *dnn, cudnnBackendDescriptor_t graph,
                   cudnnBackendDescriptor_t *config, int most)
{
    int n = 0;

    for (int i = 0; i < world.n && n < most; i++)
        if ((char *)graph == (char *)0x1000 + world.engine[i].form) {
            config[n++] = (void *)&world.engine[i];
            world.refs++;
        }
    return n;
}

bool rv_dnn_suits(cudnnBackendDescriptor_t config, const struct rv_conv_shape *s)
{
    return !((struct engine *)config)->unfit;
}

bool rv_dnn_compiles(cudnnBackendDescriptor_t config)
{
    return ((struct engine *)config)->compiles;
}

cudnnBackendDescriptor_t rv_dnn_plan(const struct rv_dnn *dnn,
                                     cudnnBackendDescriptor_t config, int64_t *workspace)
{
    struct engine *e = config;

    CHECK(!e->unfit);
    idle.clock += e->compiles ? 1 : 0;
    if (e->unmakeable)
        return NULL;
    *workspace = e->workspace;
    world.made++;
    world.refs++;
    return e;
}

char *rv_dnn_save(cudnnBackendDescriptor_t plan, size_t *size)
{
    char *text = malloc(40);

    *size = (size_t)snprintf(text, 40, "plan %d",
                             (int)((struct engine *)plan - world.engine));
    return text;
}

cudnnBackendDescriptor_t rv_cudnn_restore(struct rv_cudnn *o, const char *text,
                                          size_t size, int64_t *workspace)
{
    int i;

    if (world.unsaved)
        return NULL;
    if (size < 6 || sscanf(text, "plan %d", &i) != 1)
        return NULL;
    *workspace = world.engine[i].workspace;
    world.restored++;
    world.refs++;
    return (void *)&world.engine[i];
}

void rv_dnn_describe(cudnnBackendDescriptor_t config, char *text, size_t size)
{
    snprintf(text, size, "engine %d", (int)((struct engine *)config - world.engine));
}

void rv_dnn_destroy(cudnnBackendDescriptor_t *d)
{
    world.refs -= *d != NULL;
    *d = NULL;
}

cudnnStatus_t rv_cudnn_execute(struct rv_conv *c, const struct rv_cudnn_plan *made,
                               const struct rv_conv_io *io, cudaStream_t stream,
                               cudaError_t *launched)
{
    CHECK(made->plan && io->x && io->y && io->workspace);
    CHECK(!io->add == !c->shape.sum && (io->add == io->y) == c->shape.in_place);
    *launched = cudaSuccess;
    world.runs++;
    world.ran = made->plan;
    world.trials += made->trial;
    return world.runs_fail || ((struct engine *)made->plan)->ms < 0
               ? CUDNN_STATUS_EXECUTION_FAILED
               : CUDNN_STATUS_SUCCESS;
}

size_t rv_cudnn_sums(const struct rv_conv_shape *s, enum rv_form form)
{
    return 0;
}

float rv_conv_time(rvos_device *dev, int (*run)(void *opaque, cudaStream_t stream),
                   void *opaque)
{
    idle.clock += 0.002;
    return run(opaque, NULL) ? -1 : world.ran->ms;
}

int rv_conv_compare(rvos_device *dev, const struct rv_conv_shape *shape,
                    struct rv_weights *weights, int index, const struct rv_conv_io *io,
                    int (*run)(void *opaque, cudaStream_t stream), void *opaque,
                    struct rv_difference *out)
{
    CHECK(weights == &some_weights && index == 7 && io->x && io->y);
    if (run(opaque, NULL))
        return RVOS_ERR_UNSUPPORTED;
    *out = (struct rv_difference){.share = world.ran->wrong ? NAN : 0.5f};
    return 0;
}

/* ---- one shape at a time ---------------------------------------------------------- */

static void on_log(void *opaque, rvos_log_level level, const char *line)
{
    snprintf(logged, sizeof(logged), "%s", line);
}

static struct cuda_device cuda;
static rvos_device device = {.priv = &cuda, .params = {.log = on_log}};
static char f16_bias;
static bool optional, sum, in_place;

/* The engine that a new device chooses for a shape; -1: none. It asks twice, and the
 * second answer is remembered. */
static int take(enum rv_tune tune, int width, enum rv_type type)
{
    struct rv_cudnn o = {.dev = &device, .cache = rv_cache_open("t")};
    struct rv_conv c = {.opened = &o,
                        .weights = &some_weights,
                        .index = 7,
                        .f16_bias = type == RV_F16 ? &f16_bias : NULL};
    const struct rv_cudnn_plan *m;
    int index = -1;

    c.shape = (struct rv_conv_shape){.n = 1,
                                     .ih = 8,
                                     .iw = width,
                                     .ic = 8,
                                     .oh = 8,
                                     .ow = width,
                                     .oc = 8,
                                     .size = 3,
                                     .in = type,
                                     .out = type,
                                     .sum = sum,
                                     .in_place = in_place,
                                     .optional = optional};
    snprintf(o.gpu, sizeof(o.gpu), "gpu");
    cuda.switches.tune = tune;
    world.asked = world.made = world.restored = world.runs = 0;
    m = rv_cudnn_find(&c);
    if (m) {
        index = (int)((struct engine *)m->plan - world.engine);
        CHECK(!m->trial && (world.unsaved || world.restored > 0));
        CHECK(m->form == world.engine[index].form &&
              m->workspace == world.engine[index].workspace);
        CHECK(rv_cudnn_find(&c) == m);
        world.refs--;
        o.made = NULL;
        free((void *)m);
    }
    CHECK(world.refs == 0);
    rv_search_flush(&device);
    rv_cache_close(o.cache);
    return index;
}

static void be(const struct engine *engine, int n, double share)
{
    memset(&world, 0, sizeof(world));
    memset(&idle, 0, sizeof(idle));
    world.engine = engine;
    world.n = n;
    idle.share = share;
}

#define BE(engines, share) be(engines, (int)(sizeof(engines) / sizeof(*(engines))), share)
/* take() with these engines only, which never ran. */
#define TAKE(engines, share, ...) (BE(engines, share), take(__VA_ARGS__))

static const struct engine several[] = {
    {.form = RV_FORM_FUSED, .ms = 5},
    {.form = RV_FORM_FUSED, .ms = 1, .unfit = true},
    {.form = RV_FORM_FUSED, .ms = -1},
    {.form = RV_FORM_FUSED, .ms = 3},
    {.form = RV_FORM_FUSED, .ms = 2, .workspace = 64 << 20},
    {.form = RV_FORM_FUSED, .ms = 2, .compiles = true},
    {.form = RV_FORM_FUSED32, .ms = 1, .compiles = true},
    {.form = RV_FORM_SUMS32, .ms = 4},
    {.form = RV_FORM_SUMS, .ms = 0.5f},
};

static void chosen(void)
{
    /* no time to compile: the fastest of those that are there */
    CHECK(TAKE(several, 0.4, RV_TUNE, 1, RV_F16) == 3);
    CHECK(TAKE(several, 100, RV_TUNE, 2, RV_F16) == 6);
    CHECK(TAKE(several, 1.6, RV_TUNE, 3, RV_F16) == 5); /* time for one */
    CHECK(TAKE(several, 0, RV_TUNE, 4, RV_F16) == 0);   /* no time at all: the first */
    CHECK(TAKE(several, 0, RV_TUNE_ALL, 5, RV_F16) == 6);
    /* not timed, but run */
    CHECK(TAKE(several, 100, RV_TUNE_NOT, 6, RV_F16) == 0 && world.runs == 1);
    BE(several, 100);
    idle.no_memory = true; /* for trying: as if it were not to be tried */
    CHECK(take(RV_TUNE, 7, RV_F16) == 0 && world.runs == 0);
    BE(several, 0.4); /* what is added is where it will be */
    sum = true;
    CHECK(take(RV_TUNE, 9, RV_F16) == 3 && world.asked);
    in_place = true;
    CHECK(TAKE(several, 0.4, RV_TUNE, 9, RV_F16) == 3 &&
          world.asked); /* a choice of its own */
    sum = in_place = false;
    /* float32: the same bias in both, and sums are sums32 */
    CHECK(TAKE(several, 100, RV_TUNE, 8, RV_F32) == 5);
}

static void last_resorts(void)
{
    static const struct engine compiled[] = {
        {.form = RV_FORM_FUSED, .ms = 3, .compiles = true, .unmakeable = true},
        {.form = RV_FORM_FUSED32, .ms = 3, .compiles = true},
        {.form = RV_FORM_SUMS, .ms = 1},
    };
    static const struct engine sums[] = {
        {.form = RV_FORM_FUSED, .ms = -1},
        {.form = RV_FORM_SUMS, .ms = 1},
    };

    CHECK(TAKE(compiled, 0, RV_TUNE, 20, RV_F16) == 1); /* exactness before time */
    optional = true; /* neither, where there are other means */
    CHECK(TAKE(compiled, 0, RV_TUNE, 23, RV_F16) == -1 && world.made == 0);
    CHECK(TAKE(compiled, 9, RV_TUNE, 24, RV_F16) == 1);
    CHECK(TAKE(several, 0, RV_TUNE, 25, RV_F16) == 0);
    optional = false;
    CHECK(TAKE(sums, 0, RV_TUNE, 21, RV_F16) == 1);
    CHECK(TAKE(sums, 0, RV_TUNE, 22, RV_F32) == -1);
    CHECK(strstr(logged, "no engine"));
}

/* Even without timing, an engine that does not run or is wrong is skipped. */
static void untimed(void)
{
    static const struct engine broken[] = {
        {.form = RV_FORM_FUSED, .ms = -1},
        {.form = RV_FORM_FUSED, .ms = 2, .wrong = true},
        {.form = RV_FORM_FUSED, .ms = 9},
        {.form = RV_FORM_FUSED, .ms = 1},
    };
    static const struct engine none[] = {
        {.form = RV_FORM_FUSED, .ms = -1},
        {.form = RV_FORM_FUSED32, .ms = -1, .compiles = true},
        {.form = RV_FORM_SUMS, .ms = -1},
    };
    struct rv_cache *cache = rv_cache_open("t");

    CHECK(TAKE(broken, 100, RV_TUNE_NOT, 50, RV_F16) == 2 && world.runs == 3);
    CHECK(strstr(logged, "engine 2"));
    /* A stored choice of an earlier run is checked, too. */
    rv_cache_put(cache, "gpu-n1-8x52x8-8x52x8-k3s0p0-f16f16", "0 e\nplan 1", 10);
    CHECK(take(RV_TUNE_NOT, 52, RV_F16) == 2 && world.restored == 2);
    rv_cache_close(cache);
    CHECK(TAKE(none, 100, RV_TUNE_NOT, 51, RV_F16) == -1 && world.runs == 3);
}

static void workspaces(void)
{
    static const struct engine close[] = {
        {.form = RV_FORM_FUSED, .ms = 1.00f, .workspace = 1 << 20},
        {.form = RV_FORM_FUSED, .ms = 1.02f},
        {.form = RV_FORM_FUSED, .ms = 1.01f, .workspace = 2 << 20},
    };
    static const struct engine far[] = {
        {.form = RV_FORM_FUSED, .ms = 1.00f},
        {.form = RV_FORM_FUSED, .ms = 0.90f, .workspace = 2 << 20},
    };

    CHECK(TAKE(close, 10, RV_TUNE, 30, RV_F16) == 1);
    CHECK(TAKE(far, 10, RV_TUNE, 31, RV_F16) == 1);
}

static void on_disk(void)
{
    struct rv_cache *cache = rv_cache_open("t");
    const char *key = "gpu-n1-8x40x8-8x40x8-k3s0p0-f16f16";
    const char *const bad[] = {
        "",         "0 engine",        "x\nplan 3",  "99 e\nplan 3",
        "-1 e\npl", "0 e\nnot a plan", "0 e\nplan 4"};

    be(several, 5, 0.4);
    CHECK(take(RV_TUNE, 40, RV_F16) == 3 && world.asked > 0);
    be(several, 5, 0.4);
    CHECK(take(RV_TUNE, 40, RV_F16) == 3);
    CHECK(!world.asked && !world.made && world.restored == 1 && world.runs == 1);
    CHECK(strstr(logged, "as kept"));
    CHECK(take(RV_TUNE_NOT, 40, RV_F16) == 3 && !world.asked);
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        rv_cache_put(cache, key, bad[i], strlen(bad[i]));
        be(several, 5, 0.4);
        CHECK(take(RV_TUNE, 40, RV_F16) == 3 && world.asked > 0);
        CHECK(take(RV_TUNE, 40, RV_F16) == 3 && !world.asked); /* and is mended */
    }
    /* The stored plan loads but does not run: another is found and stored. */
    rv_cache_put(cache, key, "0 e\nplan 2", 10);
    CHECK(take(RV_TUNE, 40, RV_F16) == 3 && world.asked > 0);
    CHECK(take(RV_TUNE, 40, RV_F16) == 3 && !world.asked);
    /* RVOS_CUDA_TUNE=all ignores stored choices but writes new ones. */
    CHECK(TAKE(several, 0, RV_TUNE_ALL, 40, RV_F16) == 6 && world.asked > 0);
    CHECK(take(RV_TUNE, 40, RV_F16) == 6 && !world.asked);
    /* An untimed choice is not stored. */
    CHECK(take(RV_TUNE_NOT, 41, RV_F16) == 0 && world.asked > 0);
    CHECK(take(RV_TUNE_NOT, 41, RV_F16) == 0 && world.asked > 0);
    rv_cache_close(cache);
}

/* A plan that cannot be serialised is used without storing it. */
static void unsaved(void)
{
    BE(several, 0.4);
    world.unsaved = true;
    CHECK(take(RV_TUNE, 70, RV_F16) == 3 && world.trials > 0);
}

/* If time ends first, the next run continues and tries nothing twice. */
static void continued(void)
{
    const char *key = "gpu-n1-8x60x8-8x60x8-k3s0p0-f16f16";
    struct rv_cache *cache = rv_cache_open("t");
    size_t size = 0;
    char *text;

    /* time for one that is compiled */
    CHECK(TAKE(several, 1.6, RV_TUNE, 60, RV_F16) == 5);
    text = rv_cache_get(cache, key, &size);
    CHECK(text && !strncmp(text, "0~6 engine 5\n", 13));
    free(text);
    CHECK(take(RV_TUNE_NOT, 60, RV_F16) == 5 && !world.asked);
    /* no time at all */
    CHECK(TAKE(several, 0, RV_TUNE, 60, RV_F16) == 5 && world.made == 0);
    CHECK(TAKE(several, 1.6, RV_TUNE, 60, RV_F16) == 6 && world.restored == 2 &&
          world.made == 1);
    CHECK(TAKE(several, 1.6, RV_TUNE, 60, RV_F16) == 6 && !world.asked);
    /* The stored choice is the best of all. */
    BE(several, 100);
    rv_cache_put(cache, key, "1~1 engine 6\nplan 6", 19);
    CHECK(take(RV_TUNE, 60, RV_F16) == 6 && world.made == 6);
    CHECK(take(RV_TUNE, 60, RV_F16) == 6 && !world.asked);
    /* It no longer runs: all are tried. */
    rv_cache_put(cache, key, "0~1 engine 2\nplan 2", 19);
    CHECK(take(RV_TUNE, 60, RV_F16) == 6 && world.made == 7);
    rv_cache_close(cache);
}

int main(void)
{
    setenv("XDG_CACHE_HOME", test_folder(), 1);
    chosen();
    last_resorts();
    untimed();
    workspaces();
    on_disk();
    continued();
    unsaved();
    return test_done();
}
