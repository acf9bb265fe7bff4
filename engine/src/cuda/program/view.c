/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* view.c - helpers to look up a plan's tensors, levels and steps. */
#include <stdio.h>

#include "plan.h"

struct rv_view rv_plan_view(const struct rv_plan *plan, rv_tid t)
{
    const struct rv_program *p = plan->program;
    const struct rv_tensor *x, *root;
    struct rv_view v = {0};

    if (t < 0)
        return v;
    x = &p->tensor[t];
    root = &p->tensor[rv_tensor_place(p, t).root];
    v = (struct rv_view){.where = x->home == RV_STATE ? RV_IN_STATE : RV_FIXED,
                         .type = x->type,
                         .n = x->n,
                         .h = x->h,
                         .w = x->w,
                         .c = x->c,
                         .pitch = (int)rv_tensor_pitch(p, t),
                         .base = plan->memory,
                         .offset = x->offset};
    if (x->home == RV_ARENA) {
        v.offset += root->offset * (size_t)(plan->batch - 1);
        v.stride = rv_tensor_bytes(root);
    }
    if (t == p->step[0].out[0] && p->step[0].op == RV_OP_PREPROC) {
        v.offset = plan->image;
        v.pitch = plan->image_channels;
        v.stride = (size_t)x->h * x->w * v.pitch * rv_type_bytes(v.type);
    }
    return v;
}

int rv_plan_level(const struct rv_program *p, const struct rv_step *cell)
{
    rv_tid root = rv_tensor_place(p, cell->out[0]).root;

    for (int k = 0; k < RV_LEVELS; k++)
        if (p->memory[cell->decoder].hidden[k] == root)
            return k;
    return 0;
}

void rv_plan_all_slots(const struct rv_plan *plan, int live[RV_DECODERS])
{
    for (int d = 0; d < RV_DECODERS; d++)
        live[d] = plan->program->decoders >> d & 1 ? plan->program->objects : 0;
}

bool rv_plan_runs(const struct rv_step *s, const int live[RV_DECODERS])
{
    return s->decoder < 0 || live[s->decoder] > (s->object < 0 ? 0 : s->object);
}

void rv_plan_describe(const struct rv_plan *plan, const struct cuda_step *s, char *text,
                      size_t size)
{
    static const char *const names[] = {"preproc", "conv", "maxpool",
                                        "cell",    "mask", "labels"};
    const struct rv_program *p = plan->program;
    rv_tid in = s->step->in[0], out = s->step->out[0];
    const struct rv_tensor none = {0};
    const struct rv_tensor *x = in < 0 ? &none : &p->tensor[in];
    const struct rv_tensor *y = out < 0 ? &none : &p->tensor[out];
    char engine[64] = "";

    if (s->made.conv)
        s->made.engine->library(engine, sizeof(engine));
    snprintf(text, size, "%-8s %2d  %dx%dx%dx%d to %dx%dx%dx%d, size %d, stride %d%s%s%s",
             names[s->step->op], s->step->object, x->n, x->h, x->w, x->c, y->n, y->h,
             y->w, y->c, s->step->size, s->step->stride, engine[0] ? ", " : "", engine,
             s->fused.kernel ? ", fused" : "");
}
