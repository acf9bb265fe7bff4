/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* check.c - finds the first wrong step of a frame, with RVOS_CUDA_CHECK=1 in the
 * environment.
 *
 * Frames run step by step, without a graph, and each step is waited for. A convolution is
 * run again by the plain kernel on the same operands. Any other step is run by the
 * reference backend on the GPU's earlier memory, as a program of one step whose tensors
 * are all in its state. Only the first wrong step is logged as an error, because later
 * steps depend on it. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../f16.h"
#include "plan.h"

#define TOUCHED (RV_CELL_INPUTS + 3)

/* One step as a program for the reference backend. */
struct single {
    struct rv_program program;
    struct rv_step step;
    struct rv_plan *plan; /* NULL: the step is a convolution */
    rv_tid root[TOUCHED]; /* outermost tensors of the step's tensors */
    int n;
    size_t at[TOUCHED]; /* byte offset in the state */
    size_t size[TOUCHED];
};

struct rv_check {
    rvos_device device; /* the reference device */
    struct rv_weights weights;
    struct single *single; /* one per step */
    struct rv_conv **conv; /* plain convolutions, one per step */
    const struct rv_job *jobs;
    int n_jobs;
    struct rv_pixels *pixels; /* the reference's tables for one frame size */
    int width, height;
    bool found; /* a wrong step was found */
    long frames;
};

/* ---- programs of one step --------------------------------------------------------- */

static void touch(const struct rv_program *p, struct single *s, rv_tid t)
{
    rv_tid root = t < 0 ? -1 : rv_tensor_place(p, t).root;

    for (int i = 0; i < s->n; i++)
        if (s->root[i] == root)
            return;
    if (root >= 0)
        s->root[s->n++] = root;
}

/* Offset of a slice in its outermost parent's float32 copy. */
static size_t slice_at(const struct rv_program *p, rv_tid t)
{
    struct rv_place place = rv_tensor_place(p, t);
    const struct rv_tensor *root = &p->tensor[place.root];

    return ((size_t)place.n0 * root->h * root->w * root->c + (size_t)place.c0) *
           sizeof(float);
}

static int make_single(struct rv_plan *plan, int i)
{
    const struct rv_program *p = plan->program;
    struct rv_check *check = plan->check;
    struct single *s = &check->single[i];
    struct rv_tensor *tensor = calloc((size_t)p->n_tensors, sizeof(*tensor));
    size_t bytes = 0;

    if (!tensor)
        return RVOS_ERR_MEMORY;
    memcpy(tensor, p->tensor, (size_t)p->n_tensors * sizeof(*tensor));
    s->step = p->step[i];
    s->step.wave = 0;
    s->program = *p;
    s->program.tensor = tensor;
    s->program.step = &s->step;
    s->program.n_steps = s->program.n_waves = 1;
    s->program.type = RV_F32;
    for (int k = 0; k < RV_CELL_INPUTS; k++)
        touch(p, s, s->step.in[k]);
    for (int k = 0; k < 3; k++)
        touch(p, s, s->step.out[k]);
    for (int k = 0; k < s->n; k++) {
        const struct rv_tensor *root = &p->tensor[s->root[k]];

        s->at[k] = bytes;
        s->size[k] = (size_t)root->n * root->h * root->w * root->c * sizeof(float);
        bytes += (s->size[k] + 63) / 64 * 64;
    }
    for (rv_tid t = 0; t < p->n_tensors; t++) {
        tensor[t].home = RV_STATE;
        tensor[t].type = RV_F32;
        for (int k = 0; k < s->n; k++)
            if (rv_tensor_place(p, t).root == s->root[k])
                tensor[t].offset = s->at[k] + slice_at(p, t);
    }
    s->program.arena_bytes = 0;
    s->program.state_bytes = bytes;
    return check->device.fn->plan_create(&check->device, &s->program, &check->weights,
                                         RVOS_PRECISION_FP32, 1, &s->plan);
}

int rv_check_open(struct rv_plan *plan, struct rv_weights *weights)
{
    size_t n = (size_t)plan->program->n_steps;
    struct rv_check *check;
    int ret;

    if (!plan->cuda->switches.check || !plan->dev->reference)
        return 0;
    check = plan->check = calloc(1, sizeof(*check));
    if (!check)
        return RVOS_ERR_MEMORY;
    plan->eager = true;
    check->weights = *weights;
    check->weights.prepared_bytes = 0;
    check->weights.prepared = calloc((size_t)weights->net->n_weights, sizeof(void *));
    check->single = calloc(n, sizeof(*check->single));
    check->conv = calloc(n, sizeof(*check->conv));
    if (!check->weights.prepared || !check->single || !check->conv)
        return RVOS_ERR_MEMORY;
    check->device.fn = plan->dev->reference;
    check->device.params = plan->dev->params;
    ret = check->device.fn->open(&check->device);
    for (size_t i = 0; i < n && !ret; i++)
        if (plan->program->step[i].op != RV_OP_CONV)
            ret = make_single(plan, (int)i);
    return ret;
}

int rv_check_conv(struct rv_plan *plan, const struct cuda_step *s,
                  struct rv_weights *weights, const struct rv_conv_shape *shape)
{
    return rv_conv_plain.create(&plan->check->conv[s - plan->step], plan->dev, NULL,
                                shape, weights, s->step->weight);
}

void rv_check_close(struct rv_plan *plan)
{
    struct rv_check *check = plan->check;
    int n = plan->program->n_steps;

    if (!check)
        return;
    for (int i = 0; check->conv && i < n; i++)
        if (check->conv[i])
            rv_conv_plain.destroy(check->conv[i]);
    for (int i = 0; check->single && i < n; i++) {
        if (check->single[i].plan)
            check->device.fn->plan_destroy(check->single[i].plan);
        if (check->single[i].program.tensor)
            free(check->single[i].program.tensor);
    }
    if (check->pixels)
        check->device.fn->pixels_destroy(check->pixels);
    if (check->weights.prepared && check->device.fn)
        check->device.fn->weights_free(&check->device, &check->weights);
    if (check->device.priv)
        check->device.fn->close(&check->device);
    free(check->weights.prepared);
    free(check->single);
    free(check->conv);
    free(check);
    plan->check = NULL;
}

void rv_check_jobs(struct rv_plan *plan, const struct rv_job *jobs, int n_jobs)
{
    plan->check->jobs = jobs;
    plan->check->n_jobs = n_jobs;
}

/* ---- memory ----------------------------------------------------------------------- */

static int copy(struct rv_plan *plan, void *to, const void *from, size_t size,
                enum cudaMemcpyKind kind)
{
    int ret = 0;

    CU(plan->dev, cudaMemcpyAsync(to, from, size, kind, plan->lane[0]));
    CU(plan->dev, cudaStreamSynchronize(plan->lane[0]));
error:
    return ret;
}

/* Reads a whole tensor of job j as packed float32. */
static int read_tensor(struct rv_plan *plan, int j, rv_tid t, float *out)
{
    struct rv_view v = rv_plan_view(plan, t);
    size_t pixels = (size_t)v.n * v.h * v.w, element = rv_type_bytes(v.type);
    size_t size = pixels * v.pitch * element;
    const char *from =
        v.where == RV_IN_STATE ? plan->job[j].state : v.base + j * v.stride;
    char *raw = malloc(size);
    int ret = raw ? copy(plan, raw, from + v.offset, size, cudaMemcpyDeviceToHost)
                  : RVOS_ERR_MEMORY;

    for (size_t i = 0; i < pixels * v.c && !ret; i++) {
        size_t at = i / v.c * v.pitch + i % v.c;

        out[i] = v.type == RV_F16 ? rv_f16_value(((uint16_t *)(void *)raw)[at])
                                  : ((float *)(void *)raw)[at];
    }
    free(raw);
    return ret;
}

static int read_state(struct rv_plan *plan, int j, const struct single *s, char *state)
{
    int ret = 0;

    for (int k = 0; k < s->n && !ret; k++)
        ret = read_tensor(plan, j, s->root[k], (float *)(void *)(state + s->at[k]));
    return ret;
}

/* ---- comparison ------------------------------------------------------------------ */

static void tell(struct rv_plan *plan, int i, int j, const struct rv_tensor *t,
                 const struct rv_difference *d)
{
    size_t pixel = d->at / t->c;
    char text[192];

    plan->check->found = true;
    rv_plan_describe(plan, &plan->step[i], text, sizeof(text));
    rv_log(
        plan->dev, RVOS_LOG_ERROR,
        "RVOS_CUDA_CHECK: frame %ld, step %d is off: %s: at image %zu, row %zu, column "
        "%zu, channel %zu of %dx%dx%dx%d of stream %d it is %g and not %g",
        plan->check->frames, i, text, pixel / ((size_t)t->h * t->w), pixel / t->w % t->h,
        pixel % t->w, d->at % t->c, t->n, t->h, t->w, t->c, j, (double)d->got,
        (double)d->want);
}

static void compare_tensors(struct rv_plan *plan, int i, int j, const struct single *s,
                            const char *got, const char *want)
{
    for (int k = 0; k < s->n && !plan->check->found; k++) {
        struct rv_difference d =
            rv_differ(got + s->at[k], want + s->at[k], s->size[k] / sizeof(float), RV_F32,
                      rv_agreement(plan->program->type, plan->tf32));

        if (!(d.share <= 1))
            tell(plan, i, j, &plan->program->tensor[s->root[k]], &d);
    }
}

/* Compares the job's labels, which must be the same bytes as the CPU's. */
static int compare_labels(struct rv_plan *plan, int i, int j, const rvos_labels *want)
{
    const struct rv_plane *plane = &plan->job[j].labels;
    size_t width = (size_t)want->width, step = (size_t)plane->step;
    char text[192];
    uint8_t *row = malloc(width * step);
    int ret = row ? 0 : RVOS_ERR_MEMORY;

    rv_plan_describe(plan, &plan->step[i], text, sizeof(text));
    for (int y = 0; y < want->height && !ret && !plan->check->found; y++) {
        ret = copy(plan, row, (const char *)plane->data + (ptrdiff_t)y * plane->stride,
                   (width - 1) * step + 1, cudaMemcpyDeviceToHost);
        for (size_t x = 0; x < width && !ret && !plan->check->found; x++) {
            int wanted = want->data[(ptrdiff_t)y * want->stride + (ptrdiff_t)x];

            plan->check->found = row[x * step] != wanted;
            if (plan->check->found)
                rv_log(plan->dev, RVOS_LOG_ERROR,
                       "RVOS_CUDA_CHECK: frame %ld, step %d is off: %s: the label at row "
                       "%d, column %zu of stream %d is %d and not %d",
                       plan->check->frames, i, text, y, x, j, row[x * step], wanted);
        }
    }
    free(row);
    return ret;
}

/* ---- a step ----------------------------------------------------------------------- */

static int run_step(struct rv_plan *plan, const struct cuda_step *s,
                    const int live[RV_DECODERS])
{
    int ret = rv_plan_run_step(plan, s, live, false, plan->lane[0]);

    if (!ret)
        CU(plan->dev, cudaStreamSynchronize(plan->lane[0]));
error:
    return ret;
}

/* `add` may be the output. */
static int check_conv(struct rv_plan *plan, int i, const int live[RV_DECODERS])
{
    const struct cuda_step *s = &plan->step[i];
    const struct rv_tensor *t = &plan->program->tensor[s->step->out[0]];
    struct rv_view v = rv_plan_view(plan, s->step->out[0]);
    size_t n = (size_t)t->n * plan->batch * t->h * t->w * t->c,
           size = n * rv_type_bytes(v.type);
    char *y = v.base + v.offset, *before = malloc(size), *got = malloc(size),
         *want = malloc(size);
    struct cuda_step plain = *s;
    struct rv_difference d;
    int ret = before && got && want ? 0 : RVOS_ERR_MEMORY;

    plain.made = (struct rv_made){&rv_conv_plain, plan->check->conv[i]};
    if (!ret)
        ret = copy(plan, before, y, size, cudaMemcpyDeviceToHost);
    if (!ret)
        ret = run_step(plan, s, live);
    if (!ret)
        ret = copy(plan, got, y, size, cudaMemcpyDeviceToHost);
    if (!ret)
        ret = copy(plan, y, before, size, cudaMemcpyHostToDevice);
    if (!ret)
        ret = run_step(plan, &plain, live);
    if (!ret)
        ret = copy(plan, want, y, size, cudaMemcpyDeviceToHost);
    if (!ret)
        ret = copy(plan, y, got, size, cudaMemcpyHostToDevice);
    if (!ret) {
        d = rv_differ(got, want, n, v.type,
                      rv_agreement(plan->program->type, plan->tf32));
        if (!(d.share <= 1)) {
            size_t one = (size_t)t->n * t->h * t->w * t->c;
            int j = (int)(d.at / one);

            d.at %= one;
            tell(plan, i, j, t, &d);
        }
    }
    free(before);
    free(got);
    free(want);
    return ret;
}

/* Makes the reference's tables for the size of the job's frame. */
static int find_pixels(struct rv_plan *plan, const struct rv_job *job)
{
    struct rv_check *check = plan->check;
    int width = job->frame->width, height = job->frame->height;

    if (check->pixels && check->width == width && check->height == height)
        return 0;
    if (check->pixels)
        check->device.fn->pixels_destroy(check->pixels);
    check->width = width;
    check->height = height;
    return check->device.fn->pixels_create(&check->device, plan->net, width, height,
                                           &check->pixels);
}

/* Runs the step with the reference on `state` and compares it with the GPU's result. */
static int check_job(struct rv_plan *plan, int i, int j, char *state)
{
    struct rv_check *check = plan->check;
    const struct single *s = &check->single[i];
    const struct rv_job *job = check->jobs ? &check->jobs[j] : NULL;
    rvos_object object[RVOS_MAX_OBJECTS];
    struct rv_job own = {.state = {state, s->program.state_bytes}, .object = object};
    rvos_labels labels = {0};
    rvos_output out;
    char *got = NULL;
    int ret = 0;

    for (int d = 0; d < RV_DECODERS; d++)
        own.live[d] = plan->job[j].live[d];
    if (job && job->frame) {
        ret = find_pixels(plan, job);
        own = (struct rv_job){.state = own.state,
                              .pixels = check->pixels,
                              .frame = job->frame,
                              .seed = job->seed,
                              .seed_slots = job->seed_slots,
                              .live = {own.live[0], own.live[1]},
                              .shown = job->shown,
                              .object = object};
    }
    if (s->step.op == RV_OP_PREPROC && own.frame && own.frame->memory == RVOS_MEMORY_CUDA)
        return ret; /* the reference reads host memory only */
    if (s->step.op == RV_OP_LABELS) {
        if (!own.frame || own.shown != s->step.decoder || !job->out || !job->out->labels)
            return ret;
        out = *job->out;
        labels = *out.labels;
        labels.stride = labels.width;
        labels.step = 1;
        labels.memory = RVOS_MEMORY_HOST;
        labels.data = calloc((size_t)labels.width, (size_t)labels.height);
        out.labels = &labels;
        out.alpha = NULL;
        own.out = &out;
        ret = labels.data ? ret : RVOS_ERR_MEMORY;
    }
    got = malloc(s->program.state_bytes);
    if (!got)
        ret = RVOS_ERR_MEMORY;
    if (!ret)
        ret = check->device.fn->plan_run(s->plan, &own, 1);
    if (!ret)
        ret = read_state(plan, j, s, got);
    if (!ret)
        compare_tensors(plan, i, j, s, got, state);
    if (!ret && labels.data && !check->found)
        ret = compare_labels(plan, i, j, &labels);
    free(labels.data);
    free(got);
    return ret;
}

static int check_other(struct rv_plan *plan, int i, const int live[RV_DECODERS])
{
    const struct single *s = &plan->check->single[i];
    int n = plan->check->jobs ? plan->check->n_jobs : 1, ret = 0;
    size_t bytes = (s->program.state_bytes + 63) / 64 * 64;
    char *state = aligned_alloc(64, (size_t)n * bytes);

    if (!state)
        return RVOS_ERR_MEMORY;
    for (int j = 0; j < n && !ret; j++)
        ret = read_state(plan, j, s, state + j * bytes);
    if (!ret)
        ret = run_step(plan, &plan->step[i], live);
    for (int j = 0; j < n && !ret && !plan->check->found; j++)
        if (rv_plan_runs(&s->step, plan->job[j].live))
            ret = check_job(plan, i, j, state + j * bytes);
    free(state);
    return ret;
}

int rv_check_frame(struct rv_plan *plan, const int live[RV_DECODERS])
{
    struct rv_check *check = plan->check;
    int ret = 0, checked = 0;

    for (int i = 0; i < plan->program->n_steps && !ret; i++) {
        const struct rv_step *s = &plan->program->step[i];

        if (!rv_plan_runs(s, live))
            continue;
        if (check->found)
            ret = run_step(plan, &plan->step[i], live);
        else if (s->op == RV_OP_CONV)
            ret = check_conv(plan, i, live);
        else
            ret = check_other(plan, i, live);
        checked++;
    }
    if (!ret && !check->found)
        rv_log(plan->dev, RVOS_LOG_INFO,
               "RVOS_CUDA_CHECK: frame %ld of the plan for %d: all %d steps agree",
               check->frames, plan->batch, checked);
    check->frames++;
    check->jobs = NULL;
    return ret;
}
