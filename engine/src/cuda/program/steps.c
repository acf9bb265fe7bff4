/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* steps.c - logs the time of each single step of a frame at debug level, if
 * RVOS_CUDA_STEPS is set in the environment. The sum is longer than a frame, in which
 * steps run side by side. Use it to find the steps that are worth optimising. */
#include <stdio.h>
#include <stdlib.h>

#include "../conv/conv_time.h"
#include "plan.h"

struct run {
    struct rv_plan *plan;
    const struct cuda_step *step;
};

static int run_one(void *opaque, cudaStream_t stream)
{
    const struct run *r = opaque;
    int live[RV_DECODERS];

    rv_plan_all_slots(r->plan, live);
    return rv_plan_run_step(r->plan, r->step, live, false, stream);
}

void rv_plan_time_steps(struct rv_plan *plan)
{
    double sum = 0;

    if (!plan->cuda->switches.steps)
        return;
    for (int i = 0; i < plan->program->n_steps; i++) {
        struct run r = {plan, &plan->step[i]};
        char text[192];
        float ms;

        ms = rv_conv_time(plan->dev, run_one, &r);
        rv_plan_describe(plan, r.step, text, sizeof(text));
        sum += ms > 0 ? (double)ms : 0;
        rv_log(plan->dev, RVOS_LOG_DEBUG, "step %3d wave %2d lane %d %7.2f us  %s", i,
               r.step->step->wave, r.step->lane, (double)ms * 1e3, text);
    }
    rv_log(plan->dev, RVOS_LOG_DEBUG, "steps, one after another: %.4f ms", sum);
}
