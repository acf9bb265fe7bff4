/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* cudnn_plans.c - what cuDNN has for every convolution of the network, without a GPU: its
 * heuristics and its compiler are asked for a GPU that is described to them.
 *
 *     cudnn-plans [BASE [OBJECTS [GPU [fp16|fp32|tf32]]]]
 *
 * Each distinct shape must get a plan: in fp16 a fused one. Prints one line a shape.
 * Needs some libcuda.so.1 that can be loaded: where there is no driver, a link of that
 * name to the toolkit's stubs/libcuda.so, in LD_LIBRARY_PATH. */
#include <string.h>

#include "dnn.h"
#include "net/program.h"
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
                                     const struct rv_step *s, bool half, bool tf32)
{
    const struct rv_tensor *out = &p->tensor[s->out[0]], *in = out;
    bool cell = s->op == RV_OP_CELL;
    int channels = net->weight[s->weight].in;

    if (!cell)
        in = &p->tensor[s->in[0]];
    return (struct rv_conv_shape){.n = in->n,
                                  .ih = in->h,
                                  .iw = in->w,
                                  .ic = half ? (channels + 7) / 8 * 8 : channels,
                                  .oh = out->h,
                                  .ow = out->w,
                                  .oc = cell ? 4 * out->c : out->c,
                                  .size = s->size,
                                  .stride = s->stride,
                                  .pad = s->pad,
                                  .half_in = half,
                                  .half_out = half && !cell && !out->wide,
                                  .tf32 = tf32,
                                  .relu = s->relu,
                                  .sum = !cell && s->in[1] >= 0};
}

/* A kernel was compiled for the GPU that is not there, and could not be loaded. */
static bool only_loading_failed(void)
{
    char why[1024] = "";

    cudnnGetLastErrorString(why, sizeof(why));
    return strstr(why, "cuLibraryLoadData") != NULL;
}

/* How many engines of a form there are, and how many of the first few that suit can be
 * made ready. */
static int ready(const struct rv_dnn *dnn, const struct rv_conv_shape *s,
                 enum rv_form form, int *named, int *suited, long long *workspace)
{
    cudnnBackendDescriptor_t graph = rv_dnn_graph(dnn, s, form), config[64];
    int n, good = 0;

    *named = *suited = 0;
    *workspace = -1;
    if (!graph)
        return 0;
    *named = n = rv_dnn_configs(dnn, graph, config, 64);
    for (int i = 0; i < n; i++) {
        cudnnBackendDescriptor_t plan = NULL;
        int64_t bytes = 0;

        if (rv_dnn_suits(config[i], s) && ++*suited <= 2)
            plan = rv_dnn_plan(dnn, config[i], &bytes);
        good += plan || (*suited > 0 && *suited <= 2 && only_loading_failed());
        if (plan && (*workspace < 0 || bytes < *workspace))
            *workspace = bytes;
        rv_dnn_destroy(&plan);
        rv_dnn_destroy(&config[i]);
    }
    rv_dnn_destroy(&graph);
    return good;
}

static void check_shape(const struct rv_dnn *dnn, const struct rv_conv_shape *s)
{
    static const char *const names[] = {"fused", "sums32", "sums"};
    int named, suited, good = 0, form;
    long long workspace;

    for (form = 0; form < RV_FORMS && !good; form++)
        good = ready(dnn, s, (enum rv_form)form, &named, &suited, &workspace);
    printf("n%-2d %3dx%-3d c%-4d -> %3dx%-3d c%-4d k%d s%d %s%s%s: ", s->n, s->ih, s->iw,
           s->ic, s->oh, s->ow, s->oc, s->size, s->stride, s->half_out ? "f16" : "f32",
           s->sum ? " +add" : "", s->relu ? " relu" : "");
    if (good)
        printf("%-6s %d of 2 tried can be made, %d of %d suit, workspace %lld\n",
               names[form - 1], good, suited, named, workspace);
    else
        printf("nothing\n");
    CHECK(good > 0);
    CHECK(!s->half_in || form - 1 == RV_FORM_FUSED);
}

static void check_program(const struct rv_dnn *dnn, const char *base, int objects,
                          bool one_shot, bool half, bool tf32)
{
    struct rv_net net = {.base_width = 64,
                         .hidden = 128,
                         .kernel = 3,
                         .skip_mode = RV_SKIP_CONCAT,
                         .width = 448,
                         .height = 256};
    struct rv_conv_shape seen[256];
    struct rv_program p;
    int n = 0;

    snprintf(net.base, sizeof(net.base), "%s", base);
    if (!CHECK(rv_program_build(&p, &net, objects, one_shot, true, true, half ? 2 : 4,
                                8) == 0))
        return;
    for (int i = 0; i < p.n_steps; i++) {
        const struct rv_step *s = &p.step[i];
        struct rv_conv_shape shape;
        int old = 0;

        if ((s->op != RV_OP_CONV && s->op != RV_OP_CELL) || s->weight < 0)
            continue;
        memset(&shape, 0, sizeof(shape));
        shape = shape_of(&p, &net, s, half, tf32);
        while (old < n && memcmp(&seen[old], &shape, sizeof(shape)) != 0)
            old++;
        if (old < n || n == 256)
            continue;
        seen[n++] = shape;
        check_shape(dnn, &shape);
    }
    printf("%s, %s, %d objects: %d shapes\n", base, one_shot ? "one-shot" : "zero-shot",
           objects, n);
    rv_program_free(&p);
    rv_net_free(&net);
}

int main(int argc, char **argv)
{
    const char *base = argc > 1 ? argv[1] : "resnet18";
    int objects = argc > 2 ? atoi(argv[2]) : 5;
    const char *name = argc > 3 ? argv[3] : "H200", *how = argc > 4 ? argv[4] : "fp16";
    struct rv_dnn dnn = {NULL, NULL};

    for (size_t i = 0; i < sizeof(gpus) / sizeof(gpus[0]); i++)
        if (strstr(gpus[i].name, name))
            dnn.device = describe(&gpus[i]);
    if (!dnn.device)
        return test_skip("this cuDNN plans for no GPU that is not there");
    for (int task = 0; task < 2; task++)
        check_program(&dnn, base, objects, task, !strcmp(how, "fp16"),
                      !strcmp(how, "tf32"));
    rv_dnn_destroy(&dnn.device);
    return test_done();
}
