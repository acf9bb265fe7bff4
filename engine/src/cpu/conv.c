/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* conv.c - the list of engines of convolutions, and the pieces that they make. */
#include "conv.h"

extern const struct rv_conv_engine rv_engine_winograd, rv_engine_onednn, rv_engine_plain;

/* The last one is the definition of correct, and what the reference backend has. */
const struct rv_conv_engine *const rv_conv_engines[] = {
    &rv_engine_winograd,
#ifdef RV_ONEDNN
    &rv_engine_onednn,
#endif
    &rv_engine_plain,
    NULL,
};

int rv_convs_open(rvos_device *dev, bool plain, struct rv_convs *out)
{
    int ret = 0;

    *out = (struct rv_convs){.list = rv_conv_engines};
    while (plain && out->list[1])
        out->list++;
    for (int i = 0; out->list[i] && !ret; i++) {
        if (!out->library && out->list[i]->library)
            out->library = out->list[i];
        if (out->list[i]->open)
            ret = out->list[i]->open(dev, &out->opened[i]);
    }
    return ret;
}

void rv_convs_close(struct rv_convs *convs)
{
    for (int i = 0; convs->list && convs->list[i]; i++)
        if (convs->list[i]->close)
            convs->list[i]->close(convs->opened[i]);
}

int rv_convs_find(const struct rv_convs *convs, const struct rv_conv_shape *whole)
{
    for (int i = 0; convs->list[i]; i++)
        if (convs->list[i]->suits(whole))
            return i;
    return -1;
}

struct rv_conv_split rv_conv_split(const struct rv_conv_engine *engine,
                                   const struct rv_conv_shape *whole, int images,
                                   int threads)
{
    return engine->split ? engine->split(whole, images, threads)
                         : (struct rv_conv_split){1, 1, 1};
}

/* The convolution of a band, and the first input row that it reads. */
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

int rv_conv_create(const struct rv_conv_engine *engine, void *opened,
                   const struct rv_conv_order *order, int row0, int row1,
                   struct rv_conv **out)
{
    struct rv_conv_order band = *order;
    const struct rv_conv_shape *s = &band.shape;
    int in0 = cut_band(&band.shape, row0, row1), ret;
    double weights = (double)(s->depthwise ? 1 : s->ic) * s->oc / order->split.parts *
                     (s->size * s->size);
    struct rv_conv *c;

    ret = engine->create(out, opened, &band);
    if (ret)
        return ret;
    c = *out;
    c->engine = engine;
    c->in0 = in0;
    c->macs = weights * s->oh * s->ow;
    if (!c->way) {
        c->flops = 2 * c->macs;
        c->weight_bytes = weights * (double)rv_type_bytes(s->in);
    }
    return 0;
}
