/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "conv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cache.h"
#include "conv_search.h"

#define LIBRARY 0 /* kept in place of a tiling's code: the library was faster */

struct rv_conv_best {
    struct rv_choices *choices;
    char gpu[144]; /* the part of a key that names GPU and library */
    bool measure;
    bool tile, library; /* allowed engines */
};

struct rv_conv_best *rv_conv_best_open(const rvos_device *dev)
{
    const struct cuda_device *cuda = dev->priv;
    const struct rv_switches *set = &cuda->switches;
    struct rv_conv_best *b = calloc(1, sizeof(*b));

    if (!b)
        return NULL;
    b->choices = rv_choices_open(cuda->store);
    if (!b->choices) {
        free(b);
        return NULL;
    }
    snprintf(b->gpu, sizeof(b->gpu), "%s-%.40s-sm%d", cuda->library,
             rv_driver_name(cuda->driver), rv_driver_capability(cuda->driver));
    b->tile = set->conv == RV_CONV_FASTEST || set->conv == RV_CONV_TILE;
    b->library = set->conv == RV_CONV_FASTEST || set->conv == RV_CONV_CUDNN;
    b->measure = b->tile && b->library && set->tune != RV_TUNE_NOT;
    return b;
}

void rv_conv_best_close(struct rv_conv_best *b)
{
    if (!b)
        return;
    rv_choices_close(b->choices);
    free(b);
}

/* ---- measuring ------------------------------------------------------------------ */

/* The result of measuring a shape. */
struct finding {
    int code; /* the fastest tiling, or LIBRARY */
    int next; /* tilings tried before the time ran out; 0: all */
};

struct tile_search {
    struct rv_search base;
    struct rv_made made; /* the one being timed: the library's or our own */
    struct rv_tiling tiling[RV_TILINGS];
    int n, at;
    int code;  /* as in the finding */
    float own; /* ms of the best tiling; below 0: none */
};

static bool next_tiling(struct rv_search *base, struct rv_candidate *out)
{
    struct tile_search *s = (struct tile_search *)base;

    if (s->at == s->n)
        return false;
    *out = (struct rv_candidate){.index = s->at, .must = s->at == 0};
    s->at++;
    return true;
}

static float set_tiling(struct rv_search *base, const struct rv_candidate *c)
{
    struct tile_search *s = (struct tile_search *)base;

    rv_conv_tile_set(s->made.conv, s->tiling[c->index]);
    return 1;
}

static int run_made(void *search, cudaStream_t stream)
{
    const struct tile_search *s = search;

    return s->made.engine->run(s->made.conv, &s->base.io, stream);
}

static void settle_tiling(struct rv_search *base, const struct rv_candidate *c, bool best)
{
    struct tile_search *s = (struct tile_search *)base;

    if (base->ms >= 0 && (s->own < 0 || base->ms < s->own))
        s->own = base->ms;
    if (best)
        s->code = rv_tiling_code(s->tiling[c->index]);
}

static size_t workspace_for(const struct tile_search *s, struct rv_conv *tile,
                            const struct rv_made *library)
{
    size_t most = library->conv ? library->engine->workspace_bytes(library->conv) : 0;

    for (int i = 0; i < s->n; i++) {
        size_t bytes;

        rv_conv_tile_set(tile, s->tiling[i]);
        bytes = rv_conv_tile.workspace_bytes(tile);
        most = bytes > most ? bytes : most;
    }
    return most;
}

/* Continues where an earlier run stopped. `library` may be empty. False: memory ran out
 * and nothing was measured. */
static bool measure_tilings(rvos_device *dev, const struct rv_conv_shape *shape,
                            const struct rv_made *library, struct rv_conv *tile,
                            const char *key, struct finding *f)
{
    struct tile_search s = {.base = {.dev = dev,
                                     .skip = f->next,
                                     .next = next_tiling,
                                     .make = set_tiling,
                                     .run = run_made,
                                     .settle = settle_tiling},
                            .made = *library,
                            .own = -1};
    struct rv_tiling before;

    s.n = rv_conv_tilings(shape, s.tiling);
    rv_search_begin(&s.base, shape, workspace_for(&s, tile, library));
    if (!s.base.trying)
        return false;
    if (library->conv)
        rv_search_known(&s.base, 1);
    s.made = (struct rv_made){&rv_conv_tile, tile};
    if (f->next && rv_tiling_of_code(shape, f->code, &before)) {
        rv_conv_tile_set(tile, before);
        if (rv_search_known(&s.base, 1))
            s.code = f->code;
        s.own = s.base.ms;
    }
    rv_search_run(&s.base);
    *f = (struct finding){s.code, s.base.cut ? s.base.seen : 0};
    rv_log(dev, RVOS_LOG_DEBUG, "cuda: %s: own kernel %.4f ms, best %.4f ms: %s%s", key,
           (double)s.own, (double)s.base.best_ms, f->code == LIBRARY ? "library" : "own",
           f->next ? ", to be continued" : "");
    return true;
}

/* ---- choosing ------------------------------------------------------------------- */

static int make_by(const struct rv_conv_engine *engine, void *opened, rvos_device *dev,
                   const struct rv_conv_shape *s, struct rv_weights *weights, int index,
                   struct rv_made *out)
{
    int ret = engine->create(&out->conv, dev, opened, s, weights, index);

    out->engine = engine;
    return ret == RVOS_ERR_UNSUPPORTED ? 0 : ret; /* if unsupported, conv is NULL */
}

static void drop(struct rv_made *made)
{
    if (made->conv)
        made->engine->destroy(made->conv);
    made->conv = NULL;
}

/* Keeps either our own convolution in its best tiling or the library's, as remembered or
 * measured now. If our own is known to be faster, the library is not asked. If both
 * exist, the library need not compile kernels (rv_conv_shape.optional). */
static int make_faster(rvos_device *dev, const struct rv_conv_shape *s,
                       struct rv_weights *weights, int index, struct rv_made *own,
                       struct rv_made *library)
{
    struct cuda_device *cuda = dev->priv;
    struct rv_conv_best *b = cuda->best;
    struct rv_conv_shape shape = *s;
    struct rv_tiling tiling;
    struct finding f = {LIBRARY, 0};
    bool known;
    char key[200], unfinished[202];
    int ret;

    rv_search_key(key, sizeof(key), b->gpu, s, "", "");
    snprintf(unfinished, sizeof(unfinished), "%s~", key);
    known = rv_choices_get(b->choices, key, &f.code);
    if (known)
        rv_choices_get(b->choices, unfinished, &f.next);
    if (known && !f.next && rv_tiling_of_code(s, f.code, &tiling)) {
        rv_conv_tile_set(own->conv, tiling);
        return 0;
    }
    shape.optional = true;
    ret = make_by(cuda->engine, cuda->opened, dev, &shape, weights, index, library);
    if (ret)
        return ret;
    /* A search without a share of the time is not the first of its shape in this plan. */
    if ((!known || (f.next && cuda->search_share > 0)) &&
        measure_tilings(dev, s, library, own->conv, key, &f)) {
        rv_choices_set(b->choices, key, f.code);
        if (known || f.next)
            rv_choices_set(b->choices, unfinished, f.next);
    }
    if (rv_tiling_of_code(s, f.code, &tiling)) {
        rv_conv_tile_set(own->conv, tiling);
        drop(library);
    } else if (library->conv) {
        drop(own);
    }
    return 0;
}

int rv_conv_make(rvos_device *dev, const struct rv_conv_shape *s,
                 struct rv_weights *weights, int index, struct rv_made *out)
{
    struct cuda_device *cuda = dev->priv;
    struct rv_conv_best *b = cuda->best;
    struct rv_made library = {0}, own = {0};
    bool ask = b->library && cuda->engine != &rv_conv_plain;
    int ret = 0;

    if (b->tile && (b->measure || !ask))
        ret = make_by(&rv_conv_tile, NULL, dev, s, weights, index, &own);
    if (!ret && ask && own.conv)
        ret = make_faster(dev, s, weights, index, &own, &library);
    else if (!ret && ask)
        ret = make_by(cuda->engine, cuda->opened, dev, s, weights, index, &library);
    if (!ret && b->tile && !own.conv && !library.conv)
        ret = make_by(&rv_conv_tile, NULL, dev, s, weights, index, &own);
    if (!ret && !own.conv && !library.conv)
        return make_by(&rv_conv_plain, NULL, dev, s, weights, index, out);
    if (ret) {
        drop(&own);
        drop(&library);
        return ret;
    }
    *out = own.conv ? own : library;
    return 0;
}
