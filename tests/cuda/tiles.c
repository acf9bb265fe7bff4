/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* tiles.c - compares the tensor core kernels with the plain ones: many shapes, every
 * tiling, and the same bits twice.
 *
 * Built with the emulated runtime, and with CUDA for tests/gpu.sh: so memory is the
 * device's, and is copied.
 *
 *     tiles [quick]     quick: one tiling of each kind, for compute-sanitizer */
#include <math.h>
#include <string.h>

#include "f16.h"
#include "kernels/kernels.h"
#include "../test.h"

#define BATCH 3

static uint64_t seed = 1;
static bool quick;

/* ---- memory ----------------------------------------------------------------- */

static void *device_bytes(const void *host, size_t bytes)
{
    void *p = NULL;

    if (!CHECK(cudaMalloc(&p, bytes) == cudaSuccess))
        exit(1);
    if (host)
        CHECK(cudaMemcpyAsync(p, host, bytes, cudaMemcpyHostToDevice, NULL) == 0);
    else
        CHECK(cudaMemsetAsync(p, 0, bytes, NULL) == 0);
    CHECK(cudaStreamSynchronize(NULL) == 0);
    return p;
}

static void *host_bytes(const void *device, size_t bytes)
{
    void *p = malloc(bytes);

    if (!p)
        exit(1);
    CHECK(cudaMemcpyAsync(p, device, bytes, cudaMemcpyDeviceToHost, NULL) == 0);
    CHECK(cudaStreamSynchronize(NULL) == 0);
    return p;
}

static float random_value(float scale)
{
    return scale * ((float)(test_random(&seed) % 20001) / 10000.0f - 1.0f);
}

/* Values that fp16 has; as fp16 or as float32. */
static void *random_values(size_t n, enum rv_type type, float scale)
{
    void *p = malloc(n * 4), *out;

    if (!p)
        exit(1);
    for (size_t i = 0; i < n; i++) {
        uint16_t h = rv_f16_bits(random_value(scale));

        if (type == RV_F16)
            ((uint16_t *)p)[i] = h;
        else
            ((float *)p)[i] = rv_f16_value(h);
    }
    out = device_bytes(p, n * rv_type_bytes(type));
    free(p);
    return out;
}

static float value(const void *p, size_t i, enum rv_type type)
{
    return type == RV_F16 ? rv_f16_value(((const uint16_t *)p)[i])
                          : ((const float *)p)[i];
}

/* ---- convolutions ------------------------------------------------------------- */

struct conv_case {
    int n, ih, iw, ic, oc, size, stride, pad;
    enum rv_type out;
    bool relu, sum;
};

/* [oc][tap][ic] in fp16 and [tap][ic][oc padded to 8] in float32, of the same numbers. */
static void make_weights(int oc, int taps, int ic, void **filter, void **plain)
{
    size_t padded = (size_t)(oc + 7) / 8 * 8, n = padded * taps * ic;
    float scale = 2.0f / sqrtf((float)taps * ic);
    uint16_t *f = calloc(n, sizeof(*f));
    float *p = calloc(n, sizeof(*p));

    if (!f || !p)
        exit(1);
    for (int o = 0; o < oc; o++)
        for (int t = 0; t < taps; t++)
            for (int c = 0; c < ic; c++) {
                uint16_t h = rv_f16_bits(random_value(scale));

                f[((size_t)o * taps + t) * ic + c] = h;
                p[((size_t)t * ic + c) * padded + o] = rv_f16_value(h);
            }
    *filter = device_bytes(f, n * sizeof(*f));
    *plain = device_bytes(p, n * sizeof(*p));
    free(f);
    free(p);
}

static bool near(const void *got, const void *want, size_t n, enum rv_type type)
{
    for (size_t i = 0; i < n; i++) {
        float g = value(got, i, type), w = value(want, i, type);

        if (!(fabsf(g - w) <= (type == RV_F16 ? 1e-3f : 2e-5f) * (1 + fabsf(w)))) {
            fprintf(stderr, "element %zu of %zu: %g, not %g\n", i, n, (double)g,
                    (double)w);
            return false;
        }
    }
    return true;
}

struct conv_memory {
    void *x, *add, *filter, *plain, *bias, *y, *workspace, *ticket;
    size_t outputs, bytes;
};

static void try_tiling(const struct conv_case *k, const struct rv_tile_conv *c,
                       const struct conv_memory *m, const void *want, int tile_m,
                       int tile_n, int parts)
{
    void *first = NULL;

    for (int time = 0; time < 2; time++) {
        void *got;

        CHECK(cudaMemsetAsync(m->y, 0xff, m->bytes, NULL) == 0);
        CHECK(rv_cuda_conv_tile(*c, tile_m, tile_n, parts, m->x, k->sum ? m->add : NULL,
                                m->y, m->workspace, time, NULL) == 0);
        got = host_bytes(m->y, m->bytes);
        if (!CHECK(near(got, want, m->outputs, k->out)))
            fprintf(stderr, "%dx%dx%d to %d, size %d, stride %d, tiles %dx%d/%d\n", k->ih,
                    k->iw, k->ic, k->oc, k->size, k->stride, tile_m, tile_n, parts);
        if (first)
            CHECK(!memcmp(first, got, m->bytes));
        free(first);
        first = got;
    }
    free(first);
}

static void conv_case(const struct conv_case *k)
{
    static const int tiles[4][2] = {{32, 64}, {64, 32}, {64, 64}, {128, 64}};
    int oh = (k->ih + 2 * k->pad - k->size) / k->stride + 1;
    int ow = (k->iw + 2 * k->pad - k->size) / k->stride + 1, taps = k->size * k->size;
    struct conv_memory m = {.outputs = (size_t)k->n * oh * ow * k->oc};
    struct rv_plain_conv p = {k->n, k->ih,  k->iw,   k->ic,     oh,
                              ow,   k->oc,  k->size, k->stride, k->pad,
                              1,    k->out, k->relu, NULL,      NULL};
    struct rv_tile_conv c = {k->ih,   k->iw,        k->ic,          oh,     ow,
                             k->oc,   k->size,      k->stride,      k->pad, k->out,
                             k->relu, taps * k->ic, k->n * oh * ow, NULL,   NULL,
                             NULL};
    void *want;

    m.bytes = m.outputs * (rv_type_bytes(k->out));
    m.x = random_values((size_t)k->n * k->ih * k->iw * k->ic, RV_F16, 1);
    m.add = random_values(m.outputs, k->out, 1);
    m.bias = random_values((size_t)k->oc + 8, RV_F32, 1);
    m.y = device_bytes(NULL, m.bytes);
    m.workspace = device_bytes(NULL, 16 * m.outputs * sizeof(float));
    m.ticket = device_bytes(NULL, 65536);
    make_weights(k->oc, taps, k->ic, &m.filter, &m.plain);
    p.kernel = m.plain;
    p.bias = c.bias = m.bias;
    c.kernel = m.filter;
    c.ticket = m.ticket;
    CHECK(rv_cuda_conv(p, m.x, k->sum ? m.add : NULL, m.y, NULL) == 0);
    want = host_bytes(m.y, m.bytes);
    for (int t = 0; t < 4; t++)
        for (int parts = 1; parts <= (quick ? 5 : 13); parts += 4)
            try_tiling(k, &c, &m, want, tiles[t][0], tiles[t][1], parts);
    free(want);
    for (void **q = &m.x; q <= &m.ticket; q++)
        cudaFree(*q);
}

static void convolutions(void)
{
    static const struct conv_case cases[] = {
        {1, 8, 14, 64, 64, 3, 1, 1, RV_F16, true, true},
        {1, 9, 7, 8, 72, 7, 2, 3, RV_F16, true, false},     /* as the network's first */
        {2, 5, 13, 136, 40, 3, 1, 1, RV_F32, false, false}, /* as gate sums */
        {1, 16, 28, 128, 64, 1, 1, 0, RV_F16, false, true},
        {1, 11, 6, 24, 8, 1, 2, 0, RV_F16, true, false},
        {3, 4, 5, 40, 136, 3, 2, 1, RV_F32, true, true},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i += quick ? 4 : 1)
        conv_case(&cases[i]);
}

/* ---- cells -------------------------------------------------------------------- */

struct cell_case {
    int h, w, hidden, up; /* up: channels below; 0: none */
    int size;
    bool left, time, skip, mul, mask; /* mask: behind the channels of h */
};

static struct rv_view view(const void *base, int h, int w, int c, int pitch,
                           enum rv_type type)
{
    return (struct rv_view){.where = RV_FIXED,
                            .type = type,
                            .n = 1,
                            .h = h,
                            .w = w,
                            .c = c,
                            .pitch = pitch,
                            .base = (char *)base,
                            .stride = (size_t)h * w * pitch * rv_type_bytes(type)};
}

/* A view on new memory of the whole batch, with random contents. */
static struct rv_view random_view(int h, int w, int c, int pitch, enum rv_type type)
{
    return view(random_values((size_t)BATCH * h * w * pitch, type, 1), h, w, c, pitch,
                type);
}

static struct rv_cell_args make_args(const struct cell_case *k)
{
    int h = k->h, w = k->w, hid = k->hidden, pitch = hid + (k->mask ? 8 : 0);
    struct rv_cell_args a = {.object = 1};

    if (k->up)
        a.below = random_view((h + 1) / 2, (w + 1) / 2, k->up, k->up + (k->mask ? 8 : 0),
                              RV_F16);
    if (k->left) {
        a.h_left = random_view(h, w, hid, pitch, RV_F16);
        a.c_left = random_view(h, w, hid, hid, RV_F32);
    }
    if (k->time)
        a.time = random_view(h, w, 4 * hid, 4 * hid, RV_F32);
    if (k->skip) {
        a.skip = random_view(h, w, 4 * hid, 4 * hid, RV_F32);
    }
    if (k->mul)
        a.mul = random_view(h, w, k->up, k->up, RV_F16);
    a.h = random_view(h, w, hid, pitch, RV_F16);
    a.c = random_view(h, w, hid, hid, RV_F32);
    return a;
}

/* In the three steps of cell.cu. */
static void by_steps(const struct cell_case *k, const struct rv_cuda_job *job,
                     struct rv_cell_args a, int ic, const void *plain, const void *bias)
{
    int h = k->h, w = k->w, hid = k->hidden;
    struct rv_plain_conv p = {BATCH, h,           w, ic, h, w,     4 * hid, k->size,
                              1,     k->size / 2, 1, 0,  0, plain, bias};

    a.input = random_view(h, w, ic, ic, RV_F16);
    a.gates = random_view(h, w, 4 * hid, 4 * hid, RV_F32);
    CHECK(rv_cuda_cell_input(job, BATCH, a, NULL) == 0);
    CHECK(rv_cuda_conv(p, a.input.base, NULL, a.gates.base, NULL) == 0);
    CHECK(rv_cuda_cell_update(job, BATCH, a, NULL) == 0);
    cudaFree(a.input.base);
    cudaFree(a.gates.base);
}

static void cell_case(const struct cell_case *k)
{
    int ic = k->up + (k->left ? k->hidden : 0), hid = k->hidden;
    struct rv_cell_args a = make_args(k);
    size_t h_bytes = BATCH * a.h.stride, c_bytes = BATCH * a.c.stride;
    struct rv_cuda_job jobs[BATCH] = {{.live = {2}}, {.live = {1}}, {.live = {3}}};
    struct rv_cuda_job *job = device_bytes(jobs, sizeof(jobs));
    struct rv_cell_tile tile = {.ic = ic, .size = k->size};
    void *filter, *plain, *bias = random_values((size_t)4 * hid, RV_F32, 1);
    void *h0 = host_bytes(a.h.base, h_bytes), *c0 = host_bytes(a.c.base, c_bytes);
    void *h1, *c1, *h2, *c2;

    make_weights(4 * hid, k->size * k->size, ic, &filter, &plain);
    by_steps(k, job, a, ic, plain, bias);
    h1 = host_bytes(a.h.base, h_bytes);
    c1 = host_bytes(a.c.base, c_bytes);
    CHECK(cudaMemcpyAsync(a.h.base, h0, h_bytes, cudaMemcpyHostToDevice, NULL) == 0);
    CHECK(cudaMemcpyAsync(a.c.base, c0, c_bytes, cudaMemcpyHostToDevice, NULL) == 0);
    tile.cell = a;
    tile.kernel = filter;
    tile.bias = bias;
    CHECK(rv_cuda_cell_tile(job, BATCH, tile, NULL) == 0);
    h2 = host_bytes(a.h.base, h_bytes);
    c2 = host_bytes(a.c.base, c_bytes);
    if (!CHECK(near(h2, h1, h_bytes / 2, RV_F16)) ||
        !CHECK(near(c2, c1, c_bytes / 4, RV_F32)))
        fprintf(stderr, "cell %dx%d, hidden %d, up %d, size %d\n", k->h, k->w, hid, k->up,
                k->size);
    /* With one live slot there is no object 1. The channels after h do not change. */
    CHECK(!memcmp((char *)h2 + a.h.stride, (char *)h0 + a.h.stride, a.h.stride));
    CHECK(!memcmp((char *)c2 + a.c.stride, (char *)c0 + a.c.stride, a.c.stride));
    for (size_t i = 0; i < h_bytes / 2; i++)
        if ((int)(i % (size_t)a.h.pitch) >= hid)
            CHECK(((uint16_t *)h2)[i] == ((uint16_t *)h0)[i]);
    for (void **q = (void *[]){h0, c0, h1, c1, h2, c2, NULL}; *q; q++)
        free(*q);
    for (void **q = (void *[]){filter, plain, bias, job, a.h.base, a.c.base, NULL}; *q;
         q++)
        cudaFree(*q);
    for (struct rv_view *v = &a.below; v <= &a.mul; v++)
        if (v->where)
            cudaFree(v->base);
}

static void cells(void)
{
    static const struct cell_case cases[] = {
        {8, 14, 32, 0, 3, true, true, true, false, false},
        {16, 28, 16, 32, 3, true, true, true, false, true},
        {9, 7, 8, 16, 3, false, false, true, true, false},
        {5, 33, 8, 16, 3, true, true, true, false, true},
        {13, 18, 24, 48, 1, true, true, false, true, false},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        cell_case(&cases[i]);
    /* The largest cell of the published networks fits into any GPU's shared memory. */
    CHECK(rv_cuda_cell_tile_shared(192, 3) <= 64 * 1024);
}

int main(int argc, char **argv)
{
    void *p = NULL;

    quick = argc > 1 && !strcmp(argv[1], "quick");

    if (cudaMalloc(&p, 1) != cudaSuccess)
        return test_skip("no GPU");
    cudaFree(p);
    convolutions();
    cells();
    return test_done();
}
