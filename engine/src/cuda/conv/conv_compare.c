/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "conv.h"

#include <math.h>
#include <stdlib.h>

#include "../../f16.h"

static float value(const void *p, size_t i, enum rv_type type)
{
    return type == RV_F16 ? rv_f16_value(((const uint16_t *)p)[i])
                          : ((const float *)p)[i];
}

struct rv_difference rv_differ(const void *got, const void *want, size_t n,
                               enum rv_type type, float allowed)
{
    struct rv_difference d = {0};
    double squares = 0;
    float typical;

    for (size_t i = 0; i < n; i++) {
        float b = value(want, i, type);

        squares += isfinite(b) ? (double)b * (double)b : 0;
    }
    typical = n ? (float)sqrt(squares / (double)n) : 0;
    for (size_t i = 0; i < n; i++) {
        float a = value(got, i, type), b = value(want, i, type), size = fabsf(b), share;

        size = (size > typical ? size : typical) + 1e-6f;
        share = a == b || (isnan(a) && isnan(b)) ? 0 : fabsf(a - b) / (allowed * size);
        if (!(share <= d.share)) { /* true for NaN, too */
            d = (struct rv_difference){i, a, b, share};
            if (!(share < INFINITY))
                break;
        }
    }
    return d;
}

/* ---- on random operands ----------------------------------------------------------- */

struct tensors {
    size_t x, y; /* elements */
    void *host_x, *host_add, *got, *want;
};

/* Fills with roughly normal numbers of the size of activations, the same ones each
 * time. */
static void fill_random(void *to, size_t n, enum rv_type type, uint32_t seed)
{
    for (size_t i = 0; i < n; i++) {
        float v;

        seed = seed * 1664525u + 1013904223u;
        v = (float)(seed >> 8) * 0x1p-23f - 1;
        if (type == RV_F16)
            ((uint16_t *)to)[i] = rv_f16_bits(v);
        else
            ((float *)to)[i] = v;
    }
}

static bool make_tensors(struct tensors *t, const struct rv_conv_shape *s)
{
    t->x = (size_t)s->n * s->ih * s->iw * s->ic;
    t->y = (size_t)s->n * s->oh * s->ow * s->oc;
    t->host_x = malloc(t->x * rv_type_bytes(s->in));
    t->host_add = malloc(t->y * rv_type_bytes(s->out));
    t->got = malloc(t->y * rv_type_bytes(s->out));
    t->want = malloc(t->y * rv_type_bytes(s->out));
    if (!t->host_x || !t->host_add || !t->got || !t->want)
        return false;
    fill_random(t->host_x, t->x, s->in, 1);
    fill_random(t->host_add, t->y, s->out, 2);
    return true;
}

/* Copies operands to the device. y is filled with NaN unless it is `add`. */
static int put_element(rvos_device *dev, const struct tensors *t,
                       const struct rv_conv_shape *s, const struct rv_conv_io *io)
{
    struct cuda_device *cuda = dev->priv;
    size_t y = t->y * rv_type_bytes(s->out);
    int ret = 0;

    CU(dev, cudaMemcpyAsync((void *)io->x, t->host_x, t->x * rv_type_bytes(s->in),
                            cudaMemcpyHostToDevice, cuda->stream));
    CU(dev, cudaMemsetAsync(io->y, 0xff, y, cuda->stream));
    if (io->add)
        CU(dev, cudaMemcpyAsync((void *)io->add, t->host_add, y, cudaMemcpyHostToDevice,
                                cuda->stream));
    CU(dev, cudaStreamSynchronize(cuda->stream));
error:
    return ret;
}

static int get(rvos_device *dev, void *to, const struct tensors *t,
               const struct rv_conv_shape *s, const struct rv_conv_io *io)
{
    struct cuda_device *cuda = dev->priv;
    int ret = 0;

    CU(dev, cudaMemcpyAsync(to, io->y, t->y * rv_type_bytes(s->out),
                            cudaMemcpyDeviceToHost, cuda->stream));
    CU(dev, cudaStreamSynchronize(cuda->stream));
error:
    return ret;
}

int rv_conv_compare(rvos_device *dev, const struct rv_conv_shape *s,
                    struct rv_weights *weights, int index, const struct rv_conv_io *io,
                    int (*run)(void *opaque, cudaStream_t stream), void *opaque,
                    struct rv_difference *out)
{
    struct cuda_device *cuda = dev->priv;
    struct tensors t = {0};
    struct rv_conv *plain = NULL;
    int ret = make_tensors(&t, s) ? 0 : RVOS_ERR_MEMORY;

    if (!ret)
        ret = rv_conv_plain.create(&plain, dev, NULL, s, weights, index);
    if (!ret)
        ret = put_element(dev, &t, s, io);
    if (!ret && (run(opaque, cuda->stream) ||
                 cudaStreamSynchronize(cuda->stream) != cudaSuccess)) {
        cudaGetLastError(); /* clear the error, or the next launch would report it */
        ret = RVOS_ERR_UNSUPPORTED;
    }
    if (!ret)
        ret = get(dev, t.got, &t, s, io);
    if (!ret)
        ret = put_element(dev, &t, s, io);
    if (!ret)
        ret = rv_conv_plain.run(plain, io, cuda->stream);
    if (!ret)
        ret = get(dev, t.want, &t, s, io);
    if (!ret)
        *out = rv_differ(t.got, t.want, t.y, s->out, rv_agreement(s->in, s->tf32));
    if (plain)
        rv_conv_plain.destroy(plain);
    free(t.host_x);
    free(t.host_add);
    free(t.got);
    free(t.want);
    return ret;
}
