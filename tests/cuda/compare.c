/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* compare.c - compares right and wrong convolutions with the plain kernel: tests what
 * counts as agreement, and the reported place of the first difference. */
#include <math.h>
#include <string.h>

#include "conv/conv.h"
#include "f16.h"
#include "../test.h"

const struct rv_backend *rv_backend_cuda(int abi);

#define CHANNELS 32
#define SIDE 8
#define WRONG 777 /* the element that is spoilt */

static rvos_device device;

static int some_weights(const struct rv_weights *weights, int index, float *kernel,
                        float *bias)
{
    const struct rv_weight *w = &weights->net->weight[index];
    uint64_t seed = 5;

    for (int i = 0; i < w->out * w->in * w->size * w->size; i++)
        kernel[i] = (float)(test_random(&seed) % 2001) / 10000 - 0.1f;
    for (int i = 0; i < w->out; i++)
        bias[i] = 0.1f * (float)i;
    return 0;
}

/* A convolution by an engine of ours, and its fault. */
struct subject {
    const struct rv_conv_engine *engine;
    struct rv_conv *conv;
    struct rv_conv_io io;
    enum rv_type out;
    enum { RIGHT, OFF, NEARLY, A_NAN, NOT_WRITTEN, TWICE, FAILS } how;
};

static int run(void *opaque, cudaStream_t stream)
{
    struct subject *s = opaque;
    int ret = s->how == NOT_WRITTEN ? 0 : s->engine->run(s->conv, &s->io, stream);
    float v;
    uint16_t h;

    if (s->how == FAILS)
        return 1;
    if (s->how == TWICE) /* adds to its own result: what in-place adds must not do */
        ret = s->engine->run(s->conv, &s->io, stream);
    if (s->how != OFF && s->how != NEARLY && s->how != A_NAN)
        return ret;
    cudaStreamSynchronize(stream);
    h = ((uint16_t *)s->io.y)[WRONG];
    v = s->out == RV_F16 ? rv_f16_value(h) : ((float *)s->io.y)[WRONG];
    v = s->how == A_NAN ? NAN : s->how == OFF ? v + 0.3f : v * 1.0002f;
    if (s->out == RV_F16)
        ((uint16_t *)s->io.y)[WRONG] = rv_f16_bits(v);
    else
        ((float *)s->io.y)[WRONG] = v;
    return ret;
}

static int compare(struct subject *s, const struct rv_conv_shape *shape,
                   struct rv_weights *weights, bool in_place, struct rv_difference *d)
{
    size_t bytes = (size_t)SIDE * SIDE * CHANNELS * 4;
    char *memory = NULL;
    int ret;

    CHECK(cudaMalloc((void **)&memory, 4 * bytes) == cudaSuccess);
    s->io = (struct rv_conv_io){memory, in_place ? memory + bytes : memory + 2 * bytes,
                                memory + bytes, memory + 3 * bytes};
    if (!shape->sum)
        s->io.add = NULL;
    s->out = shape->out;
    CHECK(s->engine->create(&s->conv, &device, NULL, shape, weights, 0) == 0);
    ret = rv_conv_compare(&device, shape, weights, 0, &s->io, run, s, d);
    s->engine->destroy(s->conv);
    cudaFree(memory);
    return ret;
}

static void check_shape(struct rv_weights *weights, enum rv_type type, bool sum,
                        bool in_place)
{
    const struct rv_conv_shape shape = {.n = 1,
                                        .ih = SIDE,
                                        .iw = SIDE,
                                        .ic = CHANNELS,
                                        .oh = SIDE,
                                        .ow = SIDE,
                                        .oc = CHANNELS,
                                        .size = 3,
                                        .stride = 1,
                                        .pad = 1,
                                        .in = type,
                                        .out = type,
                                        .sum = sum};
    const struct rv_conv_engine *engine = type == RV_F16 ? &rv_conv_tile : &rv_conv_plain;

    for (int how = RIGHT; how <= FAILS; how++) {
        struct subject s = {.engine = engine, .how = how};
        struct rv_difference d = {0};
        int ret = compare(&s, &shape, weights, in_place, &d);
        bool agrees = how == RIGHT || how == NEARLY || (how == TWICE && !in_place);

        CHECK(ret == (how == FAILS ? RVOS_ERR_UNSUPPORTED : 0));
        if (ret)
            continue;
        test_note(CHECK((d.share <= 1) == agrees), "how %d: %g of what is allowed", how,
                  (double)d.share);
        if (how == OFF || how == A_NAN)
            test_note(CHECK(d.at == WRONG && (how == OFF) == isfinite(d.got)),
                      "element %zu is %g, not %g", d.at, (double)d.got, (double)d.want);
    }
}

int main(void)
{
    static struct rv_weight weight = {.size = 3, .in = CHANNELS, .out = CHANNELS};
    static void *prepared[1];
    struct rv_net net = {.weight = &weight, .n_weights = 1};
    struct rv_weights weights = {.net = &net, .read = some_weights, .prepared = prepared};

    device.fn = rv_backend_cuda(RV_BACKEND_ABI);
    if (!CHECK(device.fn && device.fn->open(&device) == 0))
        return test_done();
    for (int kind = 0; kind < 8; kind++)
        check_shape(&weights, kind & 1 ? RV_F16 : RV_F32, kind & 2, kind & 4 && kind & 2);
    device.fn->weights_free(&device, &weights);
    device.fn->close(&device);
    return test_done();
}
