/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* auto.c - RVOS_TASK_AUTO: which decoders a frame runs, and what happens with their
 * results. follow.c decides what is an object.
 *
 * If only the zero-shot decoder ran, the frame shows its foreground, cut into the pieces
 * that follow.c chose. Piece by piece its logits are written over the one-shot decoder's
 * logits, and the labels are made from these. So borders, boxes, scores and soft
 * foreground follow the same rules as in the other tasks. What follow.c corrects in a
 * frame of the one-shot decoder is shown in the same way. The rules seed the corrected
 * slots, so the logits that are written do not reach the next frame. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "boxes.h"
#include "follow.h"
#include "device.h"
#include "log.h"
#include "still.h"
#include "stream.h"

struct rv_auto {
    struct rv_follow *follow;
    struct rv_still *still;
    void *picture;    /* of the last frame, for `still` */
    bool discovering; /* the last frame has run the zero-shot decoder */
    bool clears;      /* its state must be cleared before it runs */
    uint32_t boxed;   /* slots whose object is given by a box in the next frame */
    rvos_box box[RVOS_MAX_OBJECTS];
    uint32_t held;  /* seeded slots; other slots may show pieces */
    uint32_t ruled; /* slots that the rules or boxes seeded for the next frame */
    uint32_t serial[RVOS_MAX_OBJECTS]; /* of the objects that the last frame shows */
    uint8_t *labels[RV_DECODERS];
    float score[RV_DECODERS][RVOS_MAX_OBJECTS];
    float *best, *plane; /* logits: the largest of a decoder's slots; those of one slot */
};

int rv_auto_open(rvos_stream *s)
{
    struct rv_auto *a = calloc(1, sizeof(*a));
    size_t n = rv_stream_pixels(s);
    int interval = s->params.discovery_interval;
    struct rv_follow_params params = {.width = s->model->info.width,
                                      .height = s->model->info.height,
                                      .objects = s->params.objects,
                                      .start = RV_FOLLOW_START,
                                      .interval = interval < 0 ? 0
                                                  : interval   ? interval
                                                               : RV_FOLLOW_INTERVAL};

    s->automatic = a;
    if (!a)
        return RVOS_ERR_MEMORY;
    a->best = malloc(n * sizeof(*a->best));
    a->plane = malloc(n * sizeof(*a->plane));
    for (int d = 0; d < RV_DECODERS; d++)
        a->labels[d] = malloc(n);
    if (!a->best || !a->plane || !a->labels[0] || !a->labels[1] ||
        rv_follow_create(&a->follow, &params) ||
        rv_still_create(&a->still, params.width, params.height))
        return RVOS_ERR_MEMORY;
    a->picture = malloc(rv_still_values(a->still) * sizeof(float));
    return a->picture ? 0 : RVOS_ERR_MEMORY;
}

void rv_auto_close(rvos_stream *s)
{
    struct rv_auto *a = s->automatic;

    if (!a)
        return;
    rv_follow_destroy(&a->follow);
    rv_still_destroy(&a->still);
    free(a->picture);
    for (int d = 0; d < RV_DECODERS; d++)
        free(a->labels[d]);
    free(a->best);
    free(a->plane);
    free(a);
}

void rv_auto_reset(rvos_stream *s)
{
    struct rv_auto *a = s->automatic;

    rv_follow_reset(a->follow);
    rv_still_reset(a->still);
    a->discovering = false;
    a->boxed = a->held = a->ruled = 0;
    memset(a->serial, 0, sizeof(a->serial));
}

/* Slots whose object the one-shot decoder follows. */
static uint32_t taken_slots(const struct rv_auto *a)
{
    const uint32_t *serial = rv_follow_serials(a->follow);
    uint32_t taken = 0;

    for (int i = 0; i < RVOS_MAX_OBJECTS; i++)
        taken |= (uint32_t)(serial[i] != 0) << i;
    return taken & a->held;
}

void rv_auto_seeded(rvos_stream *s, uint32_t slots)
{
    struct rv_auto *a = s->automatic;
    uint32_t given = rv_stream_shown(s, s->seed, slots);
    uint32_t emptied = slots & ~given & taken_slots(a);

    a->ruled &= ~slots;
    a->held |= given;
    rv_follow_given(a->follow, given);
    for (int i = 0; i < s->params.objects; i++)
        if (emptied >> i & 1)
            rv_auto_dropped(s, i);
    s->drops |= emptied;
}

void rv_auto_dropped(rvos_stream *s, int slot)
{
    struct rv_auto *a = s->automatic;

    a->boxed &= ~(UINT32_C(1) << slot);
    a->held &= ~(UINT32_C(1) << slot);
    a->ruled &= a->held;
    a->serial[slot] = 0;
    rv_follow_dropped(a->follow, slot);
}

static int check_task(const rvos_stream *s, const char *function)
{
    if (!s)
        return RVOS_ERR_ARGUMENT;
    if (rv_device_forked(s->model->device))
        return RVOS_ERR_DEVICE;
    if (s->automatic)
        return 0;
    rv_log(s->model->device, RVOS_LOG_ERROR,
           "%s: only a stream of the task auto looks for objects by itself", function);
    return RVOS_ERR_WRONG_TASK;
}

int rvos_stream_discover(rvos_stream *s)
{
    int ret = check_task(s, "rvos_stream_discover");

    if (!ret)
        rv_follow_discover(s->automatic->follow);
    return ret;
}

int rvos_stream_seed_box(rvos_stream *s, int object, const rvos_box *box)
{
    int ret = check_task(s, "rvos_stream_seed_box");

    if (ret)
        return ret;
    if (!rv_stream_has(s, object, "rvos_stream_seed_box"))
        return RVOS_ERR_ARGUMENT;
    if (!box || !isfinite(box->x) || !isfinite(box->y) || !isfinite(box->width) ||
        !isfinite(box->height) || box->width <= 0 || box->height <= 0) {
        rv_log(s->model->device, RVOS_LOG_ERROR,
               "rvos_stream_seed_box: a box has finite numbers, a width and a height");
        return RVOS_ERR_ARGUMENT;
    }
    s->automatic->box[object - 1] = *box;
    s->automatic->boxed |= UINT32_C(1) << (object - 1);
    return 0;
}

bool rv_auto_discovering(const rvos_stream *s)
{
    return s->automatic && s->automatic->discovering;
}

uint32_t rv_auto_serial(const rvos_stream *s, int slot)
{
    return s->automatic ? s->automatic->serial[slot] : 0;
}

/* ---- a frame -------------------------------------------------------------------- */

/* Clears the zero-shot decoder's state. */
static int clear_found(rvos_stream *s)
{
    const struct rv_program *p = &s->plan->program;
    const struct rv_backend *fn = s->model->device->fn;
    int ret = 0;

    for (int k = 0; k < RV_LEVELS && !ret; k++) {
        const struct rv_tensor *t = &p->tensor[p->memory[RV_ZERO_SHOT].hidden[k]];

        ret = fn->clear(s->model->device, &s->state, t->offset,
                        (size_t)t->n * t->h * t->w * t->c * rv_type_bytes(t->type));
    }
    return ret;
}

/* Runs the decoders that have live slots. */
static int run(rvos_stream *s, struct rv_job *job, const rvos_output *out, uint32_t taken)
{
    struct rv_auto *a = s->automatic;
    int live = job->live[RV_ONE_SHOT], ret;
    bool fresh =
        !s->frames || (live && !s->fed) || (job->live[RV_ZERO_SHOT] && a->clears);
    rvos_output followed;

    for (int d = 0; d < RV_DECODERS; d++)
        if (job->live[d])
            job->seen[d] = (struct rv_seen){a->labels[d], a->score[d]};
    if (live) {
        rv_stream_feed(s, job);
        job->seed_slots |= ~taken; /* empty masks */
    }
    if (live && out) {
        followed = *out;
        followed.hidden |= ~taken;
        job->out = &followed;
    }
    ret = rv_model_run(s->model, fresh ? s->first : s->plan, &s->member, job);
    job->out = NULL;
    if (ret)
        return ret;
    if (s->seed_slots)
        memset(s->seed, 0, rv_stream_pixels(s) * sizeof(*s->seed));
    s->seed_slots = 0;
    s->first_slots &= ~a->ruled;
    a->ruled = 0;
    s->fed += live > 0;
    s->frames++;
    rv_member_move(&s->member, &s->plan->batch);
    return 0;
}

/* Blanks free slots, which have no object, so that neither the rules nor the user see the
 * decoder's output for them. */
static void hide_free(rvos_stream *s, int live, uint32_t taken)
{
    uint8_t *labels = s->automatic->labels[RV_ONE_SHOT], keep[256];

    if (!(rv_slots_below(live) & ~taken))
        return;
    for (int i = 0; i < 256; i++)
        keep[i] = (uint8_t)(i && i <= live && taken >> (i - 1) & 1 ? i : 0);
    for (size_t i = 0, n = rv_stream_pixels(s); i < n; i++)
        labels[i] = keep[labels[i]];
    for (int i = 0; i < live; i++)
        if (!(taken >> i & 1)) {
            s->automatic->score[RV_ONE_SHOT][i] = 0;
            s->object[i] = (rvos_object){0};
        }
}

/* Logits of a slot that holds part of `labels`: as far above 0 as the frame's largest
 * ones inside this part, and as far below 0 outside. If `labels` only correct the slot,
 * its other pixels keep their logits. */
static void cut_out(struct rv_auto *a, const uint8_t *labels, int slot, bool corrects,
                    size_t n)
{
    for (size_t i = 0; i < n; i++) {
        bool mine = labels[i] == slot + 1;
        float v = fabsf(a->best[i]);

        if (!corrects || mine != (a->labels[RV_ONE_SHOT][i] == slot + 1))
            a->plane[i] = mine ? v : -v;
    }
}

static size_t logits_of(const rvos_stream *s, int decoder, int slot)
{
    const struct rv_program *p = &s->plan->program;

    return p->tensor[p->memory[decoder].logits].offset +
           slot * rv_stream_pixels(s) * sizeof(float);
}

/* Reads each pixel's largest logit of some slots of a decoder. */
static int read_best(rvos_stream *s, int decoder, uint32_t slots)
{
    struct rv_auto *a = s->automatic;
    rvos_device *dev = s->model->device;
    size_t n = rv_stream_pixels(s);
    bool first = true;
    int ret = 0;

    for (int k = 0; k < RVOS_MAX_OBJECTS && !ret; k++) {
        if (!(slots >> k & 1))
            continue;
        ret = dev->fn->read(dev, &s->state, logits_of(s, decoder, k), a->plane,
                            n * sizeof(float));
        for (size_t i = 0; i < n; i++)
            a->best[i] = !first && a->best[i] > a->plane[i] ? a->best[i] : a->plane[i];
        first = false;
    }
    return ret;
}

/* Writes labels into the one-shot decoder's logits: into the slots that it does not
 * follow, and into those of `wrong`, which it follows. */
static int write_labels(rvos_stream *s, const uint8_t *labels, uint32_t taken,
                        uint32_t wrong)
{
    struct rv_auto *a = s->automatic;
    rvos_device *dev = s->model->device;
    size_t n = rv_stream_pixels(s), bytes = n * sizeof(float);
    int ret = 0;

    for (int k = 0; k < s->live && !ret; k++) {
        size_t at = logits_of(s, RV_ONE_SHOT, k);

        if (taken & ~wrong & UINT32_C(1) << k)
            continue;
        if (taken >> k & 1)
            ret = dev->fn->read(dev, &s->state, at, a->plane, bytes);
        cut_out(a, labels, k, taken >> k & 1, n);
        if (!ret)
            ret = dev->fn->write(dev, &s->state, at, a->plane, bytes);
    }
    return ret;
}

/* Shows labels that are not the one-shot decoder's: pieces that it does not follow yet,
 * or what the rules corrected, which is in the slots of `wrong`. */
static int show(rvos_stream *s, const rvos_output *out, const uint8_t *labels,
                uint32_t taken, uint32_t wrong)
{
    struct rv_job job = {.state = s->state,
                         .pixels = s->pixels,
                         .labels_only = true,
                         .shown = RV_ONE_SHOT,
                         .out = out,
                         .object = s->object};
    int ret;

    for (size_t i = 0, n = rv_stream_pixels(s); i < n; i++)
        s->live = labels[i] > s->live ? labels[i] : s->live;
    if (!s->live) {
        rv_stream_fill(s, out);
        return 0;
    }
    ret = write_labels(s, labels, taken, wrong);
    job.live[RV_ONE_SHOT] = s->live;
    if (!ret && out && (out->labels || out->alpha))
        ret = rv_model_run(s->model, s->plan, &s->member, &job);
    rv_member_move(&s->member, &s->plan->batch);
    return ret;
}

/* Prepares the next frame as decided. `before` holds the serials until now. */
static void act(rvos_stream *s, const struct rv_follow_decision *decision,
                const uint32_t *before)
{
    struct rv_auto *a = s->automatic;
    const uint32_t *serial = rv_follow_serials(a->follow);
    uint32_t seeds = decision->seed;

    for (int i = 0; i < RVOS_MAX_OBJECTS; i++)
        if (serial[i] != before[i]) /* another object, or none */
            a->held &= ~(UINT32_C(1) << i);
    s->drops |= decision->clear;
    rv_stream_unseed(s, decision->clear | seeds);
    for (size_t i = 0, n = seeds ? rv_stream_pixels(s) : 0; i < n; i++) {
        int label = decision->masks[i];

        if (label && seeds >> (label - 1) & 1)
            s->seed[i] |= UINT32_C(1) << (label - 1);
    }
    s->seed_slots |= seeds;
    a->ruled |= seeds;
    a->held |= a->ruled;
}

/* Turns boxes into objects of the next frame. The rules do not see their pixels. */
static void seed_boxes(rvos_stream *s, bool followed)
{
    struct rv_auto *a = s->automatic;
    int width = s->model->info.width, height = s->model->info.height;
    uint32_t seeds = a->boxed & ~taken_slots(a), bit;

    a->boxed = 0;
    rv_stream_unseed(s, seeds);
    for (int k = 0; k < s->params.objects; k++) {
        bit = UINT32_C(1) << k;
        if (seeds & bit && !rv_box_object(&a->box[k], a->labels[RV_ZERO_SHOT],
                                          followed ? a->labels[RV_ONE_SHOT] : NULL, width,
                                          height, bit, s->seed))
            seeds &= ~bit;
    }
    for (size_t i = 0, n = seeds ? rv_stream_pixels(s) : 0; i < n; i++)
        if (s->seed[i] & seeds)
            a->labels[RV_ZERO_SHOT][i] = 0;
    rv_follow_detected(a->follow, seeds);
    s->drops |= seeds;
    s->seed_slots |= seeds;
    a->ruled |= seeds;
}

/* Finds what moves in this frame; NULL: unknown. */
static int find_moves(rvos_stream *s, const uint8_t **moves)
{
    struct rv_auto *a = s->automatic;
    rvos_device *dev = s->model->device;
    const struct rv_program *p = &s->plan->program;
    const struct rv_tensor *t = &p->tensor[p->picture];
    int ret = dev->fn->read(dev, &s->state, t->offset, a->picture, rv_tensor_bytes(t));

    *moves = ret ? NULL : rv_still_update(a->still, a->picture, t->type);
    return ret;
}

/* Applies the rules. The frame shows the objects from before or the pieces, with what the
 * rules correct in them. */
static int decide(rvos_stream *s, const rvos_output *out, const int live[RV_DECODERS],
                  uint32_t taken, bool wanted)
{
    struct rv_auto *a = s->automatic;
    struct rv_follow_frame frame = {.followed =
                                        live[RV_ONE_SHOT] ? a->labels[RV_ONE_SHOT] : NULL,
                                    .found = wanted ? a->labels[RV_ZERO_SHOT] : NULL,
                                    .followed_score = a->score[RV_ONE_SHOT],
                                    .found_score = a->score[RV_ZERO_SHOT]};
    const uint32_t *serial = rv_follow_serials(a->follow);
    bool starting = rv_follow_starting(a->follow);
    struct rv_follow_decision decision;
    int ret = 0;

    memcpy(a->serial, serial, sizeof(a->serial));
    if (a->boxed)
        seed_boxes(s, live[RV_ONE_SHOT] > 0);
    if (wanted) {
        ret = read_best(s, RV_ZERO_SHOT, rv_slots_below(live[RV_ZERO_SHOT]));
        frame.found_logit = a->best;
    }
    if (!ret && (live[RV_ZERO_SHOT] || live[RV_ONE_SHOT]))
        ret = find_moves(s, &frame.moves);
    if (ret)
        return ret;
    rv_follow_update(a->follow, &frame, &decision);
    act(s, &decision, a->serial);
    serial = rv_follow_serials(a->follow);
    for (int i = 0; i < RVOS_MAX_OBJECTS; i++)
        if (decision.shown || !a->serial[i])
            a->serial[i] = serial[i];
    if (decision.shown && !starting)
        ret = read_best(s, RV_ONE_SHOT, taken);
    if (decision.shown && !ret)
        ret = show(s, out, decision.shown, taken,
                   starting ? 0 : decision.seed | decision.clear);
    if (ret || decision.shown)
        return ret;
    if (!live[RV_ONE_SHOT])
        rv_stream_fill(s, out);
    return 0;
}

int rv_auto_process(rvos_stream *s, const rvos_image *frame, const rvos_output *out)
{
    struct rv_auto *a = s->automatic;
    uint32_t taken = taken_slots(a);
    struct rv_job job = {.state = s->state,
                         .pixels = s->pixels,
                         .frame = frame,
                         .shown = RV_ONE_SHOT,
                         .object = s->object};
    bool wanted = rv_follow_wants_found(a->follow);
    int ret = rv_stream_clear(s);

    a->clears = wanted ? rv_follow_clears_found(a->follow) : a->boxed != 0;
    s->live = taken && s->params.all_slots ? s->params.objects : rv_highest_slot(taken);
    job.live[RV_ONE_SHOT] = s->live;
    if (wanted || a->boxed) {
        job.live[RV_ZERO_SHOT] =
            a->boxed ? s->params.objects : rv_follow_slots(a->follow);
        if (!ret && a->clears)
            ret = clear_found(s);
        if (a->clears)
            job.blank = RVOS_TASK_ZERO_SHOT;
    }
    if (!ret && (job.live[RV_ZERO_SHOT] || s->live))
        ret = run(s, &job, out, taken);
    if (ret)
        return ret;
    a->discovering = job.live[RV_ZERO_SHOT] > 0;
    hide_free(s, job.live[RV_ONE_SHOT], taken);
    return decide(s, out, job.live, taken, wanted);
}
