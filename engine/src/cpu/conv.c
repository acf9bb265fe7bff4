/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* conv.c - the list of convolution engines, and the pieces of a convolution. */
#include "conv.h"

#include <stdlib.h>

extern const struct rv_conv_engine rv_engine_winograd, rv_engine_patches,
    rv_engine_onednn;

const struct rv_conv_engine *const rv_conv_engines[] = {
    &rv_engine_winograd, &rv_engine_patches,
#ifdef RV_ONEDNN
    &rv_engine_onednn,
#endif
    &rv_engine_plain,    NULL,
};

int rv_prepare(rvos_device *dev, struct rv_weights *weights, int index,
               const struct rv_form *form, const void *layout,
               const struct rv_prepared **out)
{
    const struct rv_weight *w = &weights->net->weight[index];
    size_t n = (size_t)w->out * w->in * w->size * w->size;
    struct rv_prepared *p = weights->prepared[index];
    float *kernel;
    int ret;

    while (p && (p->form != form || (form->same && !form->same(p, layout))))
        p = p->next;
    *out = p;
    if (p)
        return 0;
    kernel = malloc((n + w->out) * sizeof(float));
    ret = kernel ? weights->read(weights, index, kernel, kernel + n) : RVOS_ERR_MEMORY;
    if (!ret)
        ret = form->make(&p, dev, w, layout, kernel, kernel + n);
    free(kernel);
    if (ret)
        return ret;
    p->form = form;
    p->next = weights->prepared[index];
    *out = weights->prepared[index] = p;
    weights->prepared_bytes += p->bytes;
    return 0;
}

void rv_prepared_free(struct rv_weights *weights)
{
    for (int i = 0; i < weights->net->n_weights; i++)
        for (struct rv_prepared *p = weights->prepared[i], *next; p; p = next) {
            next = p->next;
            if (p->form->free)
                p->form->free(p);
            else
                free(p);
        }
}

const struct rv_conv_engine *rv_conv_find(const struct rv_conv_engine *const *list,
                                          const struct rv_conv_shape *whole)
{
    while (*list && !(*list)->suits(whole))
        list++;
    return *list;
}

/* Turns `s` into the convolution of a band and returns the first input row that it
 * reads. */
static int cut_band(struct rv_conv_shape *s, int row0, int row1)
{
    int first = row0 * s->stride - s->pad_side;
    int last = (row1 - 1) * s->stride - s->pad_side + s->size;

    s->oh = row1 - row0;
    s->pad_top = first < 0 ? -first : 0;
    s->pad_bottom = last > s->ih ? last - s->ih : 0;
    s->ih = last - s->pad_bottom - (first + s->pad_top);
    return first + s->pad_top;
}

int rv_conv_create(const struct rv_conv_order *whole, int row0, int row1,
                   struct rv_conv **out)
{
    struct rv_conv_order piece = *whole;
    const struct rv_conv_shape *s = &piece.shape;
    int in0 = cut_band(&piece.shape, row0, row1),
        ret = whole->engine->create(out, &piece);
    double weights = (double)(s->depthwise ? 1 : s->ic) * s->oc / whole->split.parts *
                     (s->size * s->size);
    struct rv_conv *c = *out;

    if (ret)
        return ret;
    c->engine = whole->engine;
    c->in0 = in0;
    c->macs = weights * s->oh * s->ow;
    if (!c->way) {
        c->flops = 2 * c->macs;
        c->weight_bytes = weights * (double)rv_type_bytes(s->in);
    }
    return 0;
}

struct rv_panels rv_conv_panels(const struct rv_conv_order *piece, int width)
{
    int panels = rv_over(piece->shape.oc, width), parts = piece->split.parts;

    return (struct rv_panels){panels * piece->part / parts,
                              panels * (piece->part + 1) / parts};
}

void rv_conv_destroy(struct rv_conv *conv)
{
    if (conv && conv->engine->destroy)
        conv->engine->destroy(conv);
    else
        free(conv);
}
