/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* cudnn_plans.c - checks cuDNN's plans for every convolution of the network, without a
 * GPU: cuDNN's heuristics and compiler get the description of a GPU.
 *
 *     cudnn-plans [BASE [OBJECTS [GPU [fp16|fp32|tf32]]]]
 *     cudnn-plans version
 *
 * Each distinct shape must get a plan, in fp16 a fused one. Each plan is stored and
 * restored, and damaged ones must be refused. It prints one line a shape, and times.
 * `version`: prints version and file of the loaded cuDNN.
 *
 * The driver loads the kernels that cuDNN compiles. Without a driver, put the fake one of
 * nodriver/ into LD_LIBRARY_PATH. */
#include <string.h>
#include <time.h>

#include "conv/cache.h"
#include "conv/dnn.h"
#include "../network.h"
#include "../test.h"

struct gpu {
    const char *name;
    int version, multiprocessors, shared, threads, ctas;
};

static const struct gpu gpus[] = {
    {"NVIDIA H200", 900, 132, 232448, 2048, 32},
    {"NVIDIA A100", 800, 108, 166912, 2048, 32},
    {"NVIDIA GeForce RTX 4090", 890, 128, 101376, 1536, 24},
    {"Tesla T4", 750, 40, 65536, 1024, 16},
};

/* The fields that cuDNN 9.19 asks for; those that matter are true. */
static cudnnBackendDescriptor_t describe(const struct gpu *gpu)
{
    cudnnBackendDescriptor_t d = NULL;
    char json[1024];
    int n = snprintf(
        json, sizeof(json),
        "{\"maxGridSize\":[2147483647,65535,65535],\"maxBlockSize\":[1024,1024,64],"
        "\"regsPerBlock\":65536,\"multiProcessorCount\":%d,\"warpSize\":32,"
        "\"maxSharedMemoryPerBlock\":49152,\"maxSharedMemoryPerBlockOptin\":%d,"
        "\"reservedSharedMemoryPerBlock\":1024,\"maxRegistersPerSM\":65536,"
        "\"maxCtasPerSM\":%d,\"maxThreadsPerBlock\":1024,\"maxThreadsPerSM\":%d,"
        "\"pciDeviceId\":9020,\"isTccDriver\":0,\"supportCoopLaunch\":1,"
        "\"totalGlobalMem\":16000000000,\"smClockRateKHz\":1500000,"
        "\"memClockRateKHz\":2500000,\"l2CacheSize\":41943040,\"cudaDeviceId\":0,"
        "\"deviceVer\":%d,\"driverVer\":13000,\"deviceName\":\"%s\"}",
        gpu->multiprocessors, gpu->shared, gpu->ctas, gpu->threads, gpu->version,
        gpu->name);

    if (cudnnBackendCreateDescriptor(CUDNN_BACKEND_DEVICEPROP_DESCRIPTOR, &d) ||
        cudnnBackendSetAttribute(d, CUDNN_ATTR_DEVICEPROP_JSON_REPRESENTATION,
                                 CUDNN_TYPE_CHAR, n + 1, json) ||
        cudnnBackendFinalize(d))
        return NULL;
    return d;
}

/* ---- shapes ----------------------------------------------------------------- */

static struct rv_conv_shape shape_of(const struct rv_program *p, const struct rv_net *net,
                                     const struct rv_step *s, bool tf32)
{
    const struct rv_tensor *out = &p->tensor[s->out[0]], *in = out;
    bool cell = s->op == RV_OP_CELL;
    int channels = net->weight[s->weight].in;

    if (!cell)
        in = &p->tensor[s->in[0]];
    return (struct rv_conv_shape){.n = in->n,
                                  .ih = in->h,
                                  .iw = in->w,
                                  .ic = p->type == RV_F16 ? (channels + 7) / 8 * 8
                                                          : channels,
                                  .oh = out->h,
                                  .ow = out->w,
                                  .oc = cell ? 4 * out->c : out->c,
                                  .size = s->size,
                                  .stride = s->stride,
                                  .pad = s->pad,
                                  .in = p->type,
                                  .out = cell ? RV_F32 : out->type,
                                  .tf32 = tf32,
                                  .relu = s->relu,
                                  .sum = !cell && s->in[1] >= 0};
}

/* ---- plans -------------------------------------------------------------------- */

static struct {
    double asking, making, keeping; /* ms: heuristics, plans, and from disk */
    int compiled, plans;
} total;

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return 1e3 * (double)t.tv_sec + 1e-6 * (double)t.tv_nsec;
}

/* A stored plan gives the same plan; a truncated or damaged one is refused. */
static void check_kept(const struct rv_dnn *dnn, struct rv_cache *cache, const char *key,
                       cudnnBackendDescriptor_t plan, int64_t workspace)
{
    size_t size = 0, got = 0, again = 0;
    char *text = rv_dnn_save(plan, &size), *kept, *same;
    cudnnBackendDescriptor_t back;
    int64_t bytes = -1;
    double from;

    if (!CHECK(text != NULL))
        return;
    rv_cache_put(cache, key, text, size);
    from = now();
    kept = rv_cache_get(cache, key, &got);
    if (!CHECK(kept && got == size && !memcmp(kept, text, size))) {
        free(text);
        return;
    }
    back = rv_dnn_restore(dnn, kept, got, &bytes);
    total.keeping += now() - from;
    CHECK(back && bytes == workspace);
    same = back ? rv_dnn_save(back, &again) : NULL;
    CHECK(same && again == size && !memcmp(same, text, size));
    free(same);
    rv_dnn_destroy(&back);
    for (size_t cut = 0; cut < size; cut += size / 7 + 1) {
        back = rv_dnn_restore(dnn, kept, cut, &bytes);
        CHECK(!back);
        rv_dnn_destroy(&back);
    }
    memset(kept + size / 2, ' ', 40);
    back = rv_dnn_restore(dnn, kept, size, &bytes); /* either way, but no crash */
    rv_dnn_destroy(&back);
    free(kept);
    free(text);
}

/* Of one form: how many engines there are, that suit, are precompiled; and the first of
 * these, or the first of all, as a plan. */
static void ready(const struct rv_dnn *dnn, const struct rv_conv_shape *s,
                  enum rv_form form, struct rv_cache *cache)
{
    cudnnBackendDescriptor_t config[64], graph, plan = NULL;
    int n, suited = 0, precompiled = 0, first = -1;
    double from = now();
    char key[100], engine[256];
    int64_t bytes = 0;

    graph = rv_dnn_graph(dnn, s, form);
    if (!graph)
        return;
    n = rv_dnn_configs(dnn, graph, config, 64);
    total.asking += now() - from;
    for (int i = 0; i < n; i++) {
        bool suits = rv_dnn_suits(config[i], s), compiles = rv_dnn_compiles(config[i]);

        suited += suits;
        if (suits && (first < 0 || (!compiles && !precompiled)))
            first = i;
        precompiled += suits && !compiles;
    }
    from = now();
    if (first >= 0)
        plan = rv_dnn_plan(dnn, config[first], &bytes);
    if (plan) {
        total.making += now() - from;
        total.compiled += !precompiled;
        total.plans++;
        rv_dnn_describe(config[first], engine, sizeof(engine));
        printf("%d engines, %d suit, %d precompiled; %.1f ms, workspace %lld, %s\n", n,
               suited, precompiled, now() - from, (long long)bytes, engine);
        snprintf(key, sizeof(key), "plan-%d", total.plans);
        check_kept(dnn, cache, key, plan, bytes);
    }
    for (int i = 0; i < n; i++)
        rv_dnn_destroy(&config[i]);
    rv_dnn_destroy(&graph);
    rv_dnn_destroy(&plan);
}

static void check_shape(const struct rv_dnn *dnn, const struct rv_conv_shape *s,
                        struct rv_cache *cache)
{
    static const char *const names[] = {"fused", "fused32", "sums32", "sums"};
    int form, plans = total.plans;

    printf("n%-2d %3dx%-3d c%-4d -> %3dx%-3d c%-4d k%d s%d %s%s%s: ", s->n, s->ih, s->iw,
           s->ic, s->oh, s->ow, s->oc, s->size, s->stride,
           s->out == RV_F16 ? "f16" : "f32", s->sum ? " +add" : "",
           s->relu ? " relu" : "");
    for (form = 0; form < RV_FORMS && total.plans == plans; form++)
        ready(dnn, s, (enum rv_form)form, cache);
    if (!CHECK(total.plans > plans))
        printf("nothing\n");
    else if (form > 1)
        printf("    (%s)\n", names[form - 1]);
    CHECK(s->in != RV_F16 || form - 1 <= RV_FORM_FUSED32);
}

/* The shapes of all programs so far: the tasks share most of theirs. */
static struct {
    struct rv_conv_shape shape[256];
    int n;
} seen;

static void check_program(const struct rv_dnn *dnn, const char *base, int objects,
                          bool one_shot, enum rv_type type, bool tf32,
                          struct rv_cache *cache)
{
    struct rv_net net = test_net(base, 64, 128, 448, 256);
    struct rv_program p =
        test_program(objects, 1u << (one_shot ? RV_ONE_SHOT : RV_ZERO_SHOT), type, 8);
    int before = seen.n;

    if (!CHECK(rv_net_list(&net, p.decoders) == 0 && rv_program_build(&p, &net) == 0))
        return;
    for (int i = 0; i < p.n_steps; i++) {
        const struct rv_step *s = &p.step[i];
        struct rv_conv_shape shape;
        int old = 0;

        if ((s->op != RV_OP_CONV && s->op != RV_OP_CELL) || s->weight < 0)
            continue;
        memset(&shape, 0, sizeof(shape));
        shape = shape_of(&p, &net, s, tf32);
        while (old < seen.n && memcmp(&seen.shape[old], &shape, sizeof(shape)) != 0)
            old++;
        if (old < seen.n || !CHECK(seen.n < 256))
            continue;
        seen.shape[seen.n++] = shape;
        check_shape(dnn, &shape, cache);
    }
    printf("%s, %s, %d objects: %d more shapes\n", base,
           one_shot ? "one-shot" : "zero-shot", objects, seen.n - before);
    rv_program_free(&p);
    rv_net_free(&net);
}

static int print_version(void)
{
    char version[64];

    rv_dnn_version(version, sizeof(version));
    printf("%s, %s\n", version, rv_dnn_file());
    return 0;
}

int main(int argc, char **argv)
{
    const char *base = argc > 1 ? argv[1] : "resnet18";
    int objects = argc > 2 ? atoi(argv[2]) : 5;
    const char *name = argc > 3 ? argv[3] : "H200", *how = argc > 4 ? argv[4] : "fp16";
    struct rv_dnn dnn = {NULL, NULL};
    struct rv_cache *cache;

    if (!strcmp(base, "version"))
        return print_version();
    for (size_t i = 0; i < sizeof(gpus) / sizeof(gpus[0]); i++)
        if (strstr(gpus[i].name, name))
            dnn.device = describe(&gpus[i]);
    if (!dnn.device)
        return test_skip("this cuDNN plans for no GPU that is not there");
    setenv("XDG_CACHE_HOME", test_folder(), 1);
    cache = rv_cache_open("plans");
    for (int task = 0; task < 2; task++)
        check_program(&dnn, base, objects, task, strcmp(how, "fp16") ? RV_F32 : RV_F16,
                      !strcmp(how, "tf32"), cache);
    printf("%d plans, %d of them compiled: heuristics %.0f ms, making %.0f ms; from disk "
           "%.1f ms\n",
           total.plans, total.compiled, total.asking, total.making, total.keeping);
    rv_cache_close(cache);
    rv_dnn_destroy(&dnn.device);
    return test_done();
}
