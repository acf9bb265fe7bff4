/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* weights.c - kernels and biases in device memory, in the layouts that engines ask for.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "conv.h"
#include "../../f16.h"

struct weight {
    void *kernel[2]; /* by enum rv_layout; NULL: nobody asked */
    float *bias;
};

static int padded8(int n)
{
    return (n + 7) / 8 * 8;
}

/* One element of the source, [oc][ic][tap], to where a layout has it. */
static size_t place(enum rv_layout layout, const struct rv_weight *w, int ic, int o,
                    int c, int tap)
{
    if (layout == RV_LAYOUT_PLAIN)
        return ((size_t)tap * ic + c) * padded8(w->out) + o;
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

/* Bytes to new device memory; on failure there is none. */
static int upload_new(rvos_device *dev, void **out, const void *from, size_t bytes)
{
    int ret = rv_cuda_alloc(dev, out, bytes);

    if (!ret)
        ret = rv_cuda_upload(dev, *out, from, bytes);
    if (ret) {
        rv_cuda_free(*out);
        *out = NULL;
    }
    return ret;
}

/* Plans share what is made here: so it becomes theirs when all of it is there. */
static int make_weight(rvos_device *dev, struct rv_weights *weights, int index, int ic,
                       enum rv_type type, enum rv_layout layout, struct weight *made)
{
    const struct rv_weight *w = &weights->net->weight[index];
    size_t taps = (size_t)w->size * w->size, outs = (size_t)padded8(w->out);
    size_t bytes =
        outs * taps * ic * rv_type_bytes(layout == RV_LAYOUT_FILTER ? type : RV_F32);
    float *oihw = malloc((size_t)w->out * w->in * taps * sizeof(float));
    float *bias = calloc(outs, sizeof(float));
    void *kernel = calloc(1, bytes), *kernel_there = NULL, *bias_there = made->bias;
    int ret = RVOS_ERR_MEMORY;

    if (oihw && bias && kernel)
        ret = weights->read(weights, index, oihw, bias);
    if (!ret) {
        reorder(oihw, w, ic, type, layout, kernel);
        ret = upload_new(dev, &kernel_there, kernel, bytes);
    }
    if (!ret && !bias_there)
        ret = upload_new(dev, &bias_there, bias, outs * sizeof(float));
    if (!ret) {
        weights->prepared_bytes += bytes + (made->bias ? 0 : outs * sizeof(float));
        made->kernel[layout] = kernel_there;
        made->bias = bias_there;
    } else {
        rv_cuda_free(kernel_there);
    }
    free(oihw);
    free(bias);
    free(kernel);
    return ret;
}

int rv_cuda_weights(rvos_device *dev, struct rv_weights *weights, int index, int ic,
                    enum rv_type type, enum rv_layout layout, const void **kernel,
                    const float **bias)
{
    struct weight *made = weights->prepared[index];
    int ret = 0;

    if (!made) {
        made = calloc(1, sizeof(*made));
        if (!made)
            return RVOS_ERR_MEMORY;
        weights->prepared[index] = made;
    }
    if (!made->kernel[layout])
        ret = make_weight(dev, weights, index, ic, type, layout, made);
    *kernel = made->kernel[layout];
    *bias = made->bias;
    return ret;
}

void rv_cuda_weights_free(rvos_device *dev, struct rv_weights *weights)
{
    (void)dev;
    for (int i = 0; i < weights->n_prepared; i++) {
        struct weight *made = weights->prepared[i];

        if (!made)
            continue;
        for (int k = 0; k < 2; k++)
            rv_cuda_free(made->kernel[k]);
        rv_cuda_free(made->bias);
        free(made);
        weights->prepared[i] = NULL;
    }
}
