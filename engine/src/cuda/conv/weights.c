/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* weights.c - kernels and biases in device memory, in the engines' layouts.
 */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "conv.h"
#include "../../f16.h"

/* Indexed by layout. A block has the kernel, the bias as float32 and the bias as fp16. */
struct weight {
    char *block[RV_LAYOUTS]; /* NULL: not used so far */
    size_t bias_at[RV_LAYOUTS], f16_at[RV_LAYOUTS];
    bool f16_fits;
};

static int padded8(int n)
{
    return (n + 7) / 8 * 8;
}

static size_t aligned(size_t bytes)
{
    return (bytes + 255) / 256 * 256;
}

/* Where a layout has the element o, c, tap. */
static size_t place(enum rv_layout layout, const struct rv_weight *w, int ic, int o,
                    int c, int tap)
{
    if (layout == RV_LAYOUT_PLAIN)
        return ((size_t)tap * ic + c) * padded8(w->out) + o;
    if (layout == RV_LAYOUT_TAPS)
        return ((size_t)tap * ic + c) * w->out + o;
    return ((size_t)o * w->size * w->size + tap) * ic + c;
}

static void reorder(const float *oihw, const struct rv_weight *w, int ic,
                    enum rv_type type, enum rv_layout layout, void *out)
{
    int taps = w->size * w->size;

    for (int o = 0; o < w->out; o++)
        for (int c = 0; c < w->in; c++)
            for (int t = 0; t < taps; t++) {
                float v = oihw[((size_t)o * w->in + c) * taps + t];
                size_t at = place(layout, w, ic, o, c, t);

                if (type == RV_F32)
                    ((float *)out)[at] = v;
                else if (layout == RV_LAYOUT_FILTER)
                    ((uint16_t *)out)[at] = rv_f16_bits(v);
                else
                    ((float *)out)[at] = rv_f16_value(rv_f16_bits(v));
            }
}

/* Fills `made`, which the caller publishes only when it is complete, because plans share
 * it. */
static int make_weight(rvos_device *dev, struct rv_weights *weights, int index, int ic,
                       enum rv_type type, enum rv_layout layout, struct weight *made)
{
    const struct rv_weight *w = &weights->net->weight[index];
    size_t taps = (size_t)w->size * w->size, n = (size_t)w->out * w->in * taps;
    size_t outs = (size_t)padded8(w->out), bias_at, f16_at, bytes;
    float *oihw = malloc((n + w->out) * sizeof(float));
    char *block;
    void *there = NULL;
    int ret = RVOS_ERR_MEMORY;

    bias_at = aligned(outs * taps * ic *
                      rv_type_bytes(layout == RV_LAYOUT_FILTER ? type : RV_F32));
    f16_at = bias_at + aligned(outs * sizeof(float));
    bytes = f16_at + outs * sizeof(uint16_t);
    block = calloc(1, bytes);
    if (oihw && block)
        ret = weights->read(weights, index, oihw, oihw + n);
    if (!ret) {
        reorder(oihw, w, ic, type, layout, block);
        memcpy(block + bias_at, oihw + n, (size_t)w->out * sizeof(float));
        made->f16_fits = true;
        for (int o = 0; o < w->out; o++) {
            ((uint16_t *)(void *)(block + f16_at))[o] = rv_f16_bits(oihw[n + o]);
            made->f16_fits = made->f16_fits && fabsf(oihw[n + o]) < 65504;
        }
        ret = rv_cuda_alloc(dev, &there, bytes);
    }
    if (!ret)
        ret = rv_cuda_upload(dev, there, block, bytes);
    if (!ret) {
        made->block[layout] = there;
        made->bias_at[layout] = bias_at;
        made->f16_at[layout] = f16_at;
        weights->prepared_bytes += bytes;
    } else {
        rv_cuda_free(there);
    }
    free(oihw);
    free(block);
    return ret;
}

int rv_cuda_weights(rvos_device *dev, struct rv_weights *weights, int index, int ic,
                    enum rv_type type, enum rv_layout layout, const void **kernel,
                    const float **bias)
{
    struct weight *made = weights->prepared[index];
    int ret = 0;

    if (!made)
        made = weights->prepared[index] = calloc(1, sizeof(*made));
    if (!made)
        return RVOS_ERR_MEMORY;
    if (!made->block[layout])
        ret = make_weight(dev, weights, index, ic, type, layout, made);
    if (ret)
        return ret;
    *kernel = made->block[layout];
    *bias = (const float *)(void *)(made->block[layout] + made->bias_at[layout]);
    return 0;
}

const void *rv_cuda_f16_bias(const struct rv_weights *weights, int index)
{
    const struct weight *made = weights->prepared[index];

    return made->f16_fits ? made->block[RV_LAYOUT_FILTER] + made->f16_at[RV_LAYOUT_FILTER]
                          : NULL;
}

void rv_cuda_weights_free(rvos_device *dev, struct rv_weights *weights)
{
    (void)dev;
    for (int i = 0; i < weights->net->n_weights; i++) {
        struct weight *made = weights->prepared[i];

        if (!made)
            continue;
        for (int k = 0; k < RV_LAYOUTS; k++)
            rv_cuda_free(made->block[k]);
        free(made);
        weights->prepared[i] = NULL;
    }
}
