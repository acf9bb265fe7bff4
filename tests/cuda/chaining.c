/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* chaining.c - tests plans of the published networks at 448 x 256: every two steps that
 * touch the same bytes are ordered, no wait is redundant, and kernels are chained where
 * possible.
 *
 *     cuda-chaining [fp16|fp32]     with RVOS_EMULATED_DRY=1, RVOS_EMULATED_SM=90 and
 *                                   RVOS_CUDA_CHAIN=1 in the environment */
#include <string.h>

#include "order.h"
#include "places.h"
#include "../log.h"
#include "../network.h"

const struct rv_backend *rv_backend_cuda(int abi);
struct counts {
    long mallocs, launches, graphs, nodes, chained;
};
struct counts *rv_emulated_counts(void);

static const unsigned ZERO = 1u << RV_ZERO_SHOT, ONE = 1u << RV_ONE_SHOT;

struct network {
    struct rv_net net;
    struct rv_weights weights;
};

/* Zero weights will do: nothing is computed. */
static int no_weights(const struct rv_weights *weights, int index, float *kernel,
                      float *bias)
{
    const struct rv_weight *w = &weights->net->weight[index];

    memset(kernel, 0, (size_t)w->out * w->in * w->size * w->size * sizeof(float));
    memset(bias, 0, (size_t)w->out * sizeof(float));
    return 0;
}

static void open_network(struct network *n, const char *base)
{
    *n = (struct network){.net = test_net(base, 64, 128, 448, 256)};
    CHECK(rv_net_list(&n->net, ZERO | ONE) == 0);
    n->weights.net = &n->net;
    n->weights.read = no_weights;
    n->weights.prepared = calloc((size_t)n->net.n_weights, sizeof(void *));
}

static void close_network(rvos_device *dev, struct network *n)
{
    dev->fn->weights_free(dev, &n->weights);
    free(n->weights.prepared);
    rv_net_free(&n->net);
}

struct wanted {
    unsigned decoders;
    int objects, batch;
    enum rv_type type;
};

static struct rv_plan *make_plan(rvos_device *dev, struct network *n, struct wanted w,
                                 struct rv_program *p)
{
    struct rv_plan *plan = NULL;
    size_t arena;

    *p = test_program(w.objects, w.decoders, w.type, dev->fn->state_align);
    p->time_groups = dev->fn->time_groups * w.batch;
    if (!CHECK(rv_program_build(p, &n->net) == 0 && rv_places(p, false) == 0))
        return NULL;
    arena = p->arena_bytes;
    CHECK(rv_places(p, dev->fn->lanes) == 0);
    CHECK(p->arena_bytes <= arena + arena / 10);
    CHECK(
        dev->fn->plan_create(dev, p, &n->weights,
                             w.type == RV_F16 ? RVOS_PRECISION_FP16 : RVOS_PRECISION_FP32,
                             w.batch, &plan) == 0);
    return plan;
}

/* Launches and chained launches of one frame. */
static struct counts count_frame(rvos_device *dev, struct rv_plan *plan)
{
    struct counts before = *rv_emulated_counts(), after;
    struct rv_buffer state = {0};

    CHECK(dev->fn->alloc(dev, plan->program->state_bytes, &state) == 0);
    CHECK(rv_plan_warm_up(plan, state.ptr, 1) == 0);
    dev->fn->free(dev, &state);
    after = *rv_emulated_counts();
    after.launches -= before.launches;
    after.chained -= before.chained;
    return after;
}

static void prove(rvos_device *dev, struct network *n, struct wanted w)
{
    struct rv_program p;
    struct rv_plan *plan = make_plan(dev, n, w, &p);
    struct order o = {0};

    if (plan) {
        o = order_check(plan);
        test_note(
            CHECK(o.unordered == 0),
            "%s, decoders %u, %d objects, %d streams: %d pairs, first steps %d and %d",
            n->net.base, w.decoders, w.objects, w.batch, o.unordered, o.first, o.second);
        CHECK(o.ordered > 0 && o.waits > 0);
    }
    printf(
        "%-9s decoders %u, %2d objects, %2d streams, fp%d: %3d steps, %3d waits, arena "
        "%zu\n",
        n->net.base, w.decoders, w.objects, w.batch, w.type == RV_F16 ? 16 : 32,
        p.n_steps, o.waits, p.arena_bytes);
    dev->fn->plan_destroy(plan);
    rv_program_free(&p);
}

/* Removing any one wait must leave the plan unordered. So the proof finds missing waits,
 * and waits are not redundant. A few are, because lanes.c treats a slice as the whole
 * tensor if another tensor has the same bytes. */
static void break_plan(rvos_device *dev, struct network *n, struct wanted w)
{
    struct rv_program p;
    struct rv_plan *plan = make_plan(dev, n, w, &p);
    int waits = 0, found = 0;

    for (int i = 0; plan && i < p.n_steps; i++)
        for (int l = 0; l < RV_LANES; l++) {
            int wait = plan->step[i].wait[l];

            if (wait < 0)
                continue;
            plan->step[i].wait[l] = -1;
            waits++;
            found += order_check(plan).unordered > 0;
            plan->step[i].wait[l] = wait;
        }
    CHECK(waits > 0);
    test_note(CHECK(20 * found >= 19 * waits), "%s: %d of %d missing waits found",
              n->net.base, found, waits);
    dev->fn->plan_destroy(plan);
    rv_program_free(&p);
}

/* Each step is prepared once, the heaviest shape first: layer3's 3x3. The shares add up
 * to all of the search time. */
static void check_order(const struct rv_plan *plan)
{
    const struct rv_program *p = plan->program;
    struct rv_order *order = NULL;
    bool seen[1024] = {false};
    double left = 1;
    const struct rv_tensor *y;

    if (!CHECK(rv_plan_order(plan, &order) == 0 && p->n_steps <= 1024))
        return;
    for (int i = 0; i < p->n_steps; i++) {
        CHECK(!seen[order[i].step]);
        seen[order[i].step] = true;
        CHECK(!i || order[i].weight <= order[i - 1].weight);
        CHECK((order[i].share > 0) == (order[i].weight > 0) && order[i].share <= 1);
        if (order[i].weight > 0)
            test_note(CHECK(order[i].share * left > 1e-5), "step %d of the order", i);
        left *= 1 - order[i].share;
    }
    CHECK(left < 1e-9);
    y = &p->tensor[p->step[order[0].step].out[0]];
    CHECK(y->h == 16 && y->w == 28 && y->c == 256 && p->step[order[0].step].size == 3);
    free(order);
}

static void count_resnet101(rvos_device *dev, struct network *n)
{
    struct rv_program p;
    struct rv_plan *plan = make_plan(dev, n, (struct wanted){ZERO, 10, 1, true}, &p);
    struct counts c;
    struct order o;

    if (!plan)
        return;
    check_order(plan);
    o = order_check(plan);
    c = count_frame(dev, plan);
    printf("%s, 10 objects: %ld launches, %ld of them chained, %d waits\n", n->net.base,
           c.launches, c.chained, o.waits);
    printf("waits for memory alone: %d, %d of them in the encoder\n",
           order_false_waits(plan, false), order_false_waits(plan, true));
    CHECK(order_false_waits(plan, true) == 0);
    CHECK(order_false_waits(plan, false) <= 8);
    CHECK(c.chained >= 90);
    CHECK(o.waits <= 70);
    dev->fn->plan_destroy(plan);
    rv_program_free(&p);
}

int main(int argc, char **argv)
{
    static const char *const bases[] = {"resnet18", "resnet34", "resnet50", "resnet101",
                                        "vgg16"};
    enum rv_type type = argc < 2 || strcmp(argv[1], "fp32") ? RV_F16 : RV_F32;
    rvos_device dev = {.fn = rv_backend_cuda(RV_BACKEND_ABI),
                       .params = {.log = print_warnings}};

    if (!CHECK(dev.fn && dev.fn->open(&dev) == 0))
        return test_done();
    for (size_t i = 0; i < sizeof(bases) / sizeof(bases[0]); i++) {
        struct network n;

        open_network(&n, bases[i]);
        for (unsigned decoders = 1; decoders <= (ZERO | ONE); decoders++)
            for (int batch = 1; batch <= 16; batch *= 2)
                prove(&dev, &n, (struct wanted){decoders, 10, batch, type});
        if (i == 0) {
            prove(&dev, &n, (struct wanted){ZERO | ONE, 1, 1, type});
            prove(&dev, &n, (struct wanted){ZERO | ONE, 32, 1, type});
            break_plan(&dev, &n, (struct wanted){ZERO, 5, 1, type});
            break_plan(&dev, &n, (struct wanted){ONE, 3, 2, type});
        }
        if (type == RV_F16 && !strcmp(bases[i], "resnet101"))
            count_resnet101(&dev, &n);
        close_network(&dev, &n);
    }
    dev.fn->close(&dev);
    return test_done();
}
