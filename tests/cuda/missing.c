/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* missing.c - runs frames of a plan with scratch memory full of NaNs at each graph's
 * begin. The state must be the same as step by step. Without any one of its waits, at
 * least one order must give another state. So a missing wait is visible in the results,
 * not only to the proof of order.c.
 *
 *     cuda-missing            intact, and with each wait missing
 *     cuda-missing intact     intact, each lane a thread: for ThreadSanitizer
 *     cuda-missing broken     each lane a thread, without the waits: ThreadSanitizer must
 *                             report a race and end the process */
#include <math.h>
#include <string.h>

#include "order.h"
#include "places.h"
#include "program/plan.h"
#include "../log.h"
#include "../network.h"

const struct rv_backend *rv_backend_cuda(int abi);
void rv_emulated_poison(char *at, size_t size);

static const char *const orders[] = {"late",   "",       "lane 0", "lane 1",
                                     "lane 2", "lane 3", "lane 4", "lane 5"};
#define ORDERS (int)(sizeof(orders) / sizeof(orders[0]))

static rvos_device dev;
static struct rv_program program;

static int some_weights(const struct rv_weights *weights, int index, float *kernel,
                        float *bias)
{
    const struct rv_weight *w = &weights->net->weight[index];
    int inputs = w->in * w->size * w->size;
    uint64_t seed = (uint64_t)index + 1;

    for (int i = 0; i < w->out * inputs; i++)
        kernel[i] =
            ((float)(test_random(&seed) % 2001) / 1000 - 1) / sqrtf((float)inputs);
    for (int i = 0; i < w->out; i++)
        bias[i] = (float)(test_random(&seed) % 2001) / 1000 - 1;
    return 0;
}

/* The state after `frames` frames, the first of which runs step by step. */
static void run(struct rv_plan *plan, int frames, char *out)
{
    struct rv_buffer state = {0};

    CHECK(dev.fn->alloc(&dev, program.state_bytes, &state) == 0);
    CHECK(rv_plan_warm_up(plan, state.ptr, frames) == 0);
    CHECK(dev.fn->read(&dev, &state, 0, out, state.size) == 0);
    dev.fn->free(&dev, &state);
}

/* Whether a graph of the plan, as it is now, gives the state in all orders. */
static bool is_right(struct rv_plan *plan, const char *want, char *got)
{
    bool right = true;

    rv_plan_drop_graphs(plan);
    for (int i = 0; i < ORDERS && right; i++) {
        setenv("RVOS_EMULATED_ORDER", orders[i], 1);
        run(plan, 2, got);
        right = !memcmp(want, got, program.state_bytes);
    }
    return right;
}

static void break_waits(struct rv_plan *plan, const char *want, char *got)
{
    int waits = 0, found = 0;

    for (int i = 0; i < program.n_steps; i++)
        for (int l = 0; l < RV_LANES; l++) {
            int wait = plan->step[i].wait[l];

            if (wait < 0)
                continue;
            plan->step[i].wait[l] = -1;
            waits++;
            if (!is_right(plan, want, got))
                found++;
            else /* its addresses also show that the wait is redundant */
                test_note(CHECK(order_check(plan).unordered == 0), "step %d, wait for %d",
                          i, wait);
            plan->step[i].wait[l] = wait;
        }
    printf("%d of %d missing waits show\n", found, waits);
    CHECK(waits > 10 && found > 10);
}

static void drop_waits(struct rv_plan *plan)
{
    for (int i = 0; i < program.n_steps; i++)
        for (int l = 0; l < RV_LANES; l++)
            plan->step[i].wait[l] = -1;
}

/* The state of a plan that never runs a graph. */
static void run_steps(struct rv_plan *plan, char *out)
{
    struct rv_buffer state = {0};

    plan->eager = true;
    CHECK(dev.fn->alloc(&dev, program.state_bytes, &state) == 0);
    CHECK(rv_plan_warm_up(plan, state.ptr, 2) == 0);
    CHECK(dev.fn->read(&dev, &state, 0, out, state.size) == 0);
    dev.fn->free(&dev, &state);
    plan->eager = false;
}

int main(int argc, char **argv)
{
    struct rv_net net = test_net("resnet18", 8, 32, 64, 64);
    struct rv_weights weights = {.net = &net, .read = some_weights};
    struct rv_plan *plan = NULL;
    char *want, *got;

    program = test_program(2, 1u << RV_ZERO_SHOT, RV_F32, 8);
    dev = (rvos_device){.fn = rv_backend_cuda(RV_BACKEND_ABI),
                        .params = {.log = print_warnings}};
    if (!CHECK(dev.fn && dev.fn->open(&dev) == 0) ||
        !CHECK(rv_net_list(&net, program.decoders) == 0 &&
               rv_program_build(&program, &net) == 0 && rv_places(&program, true) == 0))
        return test_done();
    weights.prepared = calloc((size_t)net.n_weights, sizeof(void *));
    if (!CHECK(dev.fn->plan_create(&dev, &program, &weights, RVOS_PRECISION_FP32, 1,
                                   &plan) == 0))
        return test_done();
    want = calloc(1, program.state_bytes);
    got = calloc(1, program.state_bytes);
    run_steps(plan, want);
    rv_emulated_poison(plan->scratch.at, plan->scratch.bytes);
    if (argc > 1) {
        setenv("RVOS_EMULATED_ORDER", "threads", 1);
        rv_plan_drop_graphs(plan);
        if (!strcmp(argv[1], "broken"))
            drop_waits(plan);
        run(plan, 2, got);
        CHECK(!strcmp(argv[1], "broken") || !memcmp(want, got, program.state_bytes));
    } else {
        CHECK(is_right(plan, want, got));
        break_waits(plan, want, got);
    }
    rv_emulated_poison(NULL, 0);
    dev.fn->plan_destroy(plan);
    dev.fn->weights_free(&dev, &weights);
    dev.fn->close(&dev);
    free(weights.prepared);
    free(want);
    free(got);
    rv_program_free(&program);
    rv_net_free(&net);
    return test_done();
}
