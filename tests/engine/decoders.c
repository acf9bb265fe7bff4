/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* decoders.c - tests the program of both decoders: each gives the same bits as alone,
 * whichever frames it runs in.
 *
 *     decoders BACKEND MODEL_DIR */
#include "f16.h"
#include "fixture.h"
#include "model.h"

#define SLOTS 3
#define PIXELS (NET_W * NET_H)

/* A plan with a state, and the outputs of each decoder. */
struct machine {
    struct rv_model_plan *plan;
    struct rv_member member;
    struct rv_buffer state;
    struct rv_pixels *pixels;
    uint8_t seen[RV_DECODERS][PIXELS], labels[PIXELS];
    float score[RV_DECODERS][RVOS_MAX_OBJECTS];
    rvos_object object[RVOS_MAX_OBJECTS];
};

static void open_machine(struct machine *m, unsigned decoders)
{
    rvos_device *dev = model->device;

    memset(m, 0, sizeof(*m));
    if (!CHECK(rv_model_plan(model, decoders, true, true, SLOTS, &m->plan) == 0) ||
        !CHECK(dev->fn->alloc(dev, m->plan->program.state_bytes, &m->state) == 0) ||
        !CHECK(dev->fn->pixels_create(dev, &model->net, NET_W, NET_H, &m->pixels) == 0))
        exit(1);
    rv_member_init(&m->member);
}

static void close_machine(struct machine *m)
{
    rv_member_finish(&m->member);
    model->device->fn->pixels_destroy(m->pixels);
    model->device->fn->free(model->device, &m->state);
}

/* Zeroes the zero-shot decoder's hidden states. */
static void blank_machine(struct machine *m)
{
    const struct rv_program *p = &m->plan->program;
    rvos_device *dev = model->device;

    for (int k = 0; k < RV_LEVELS; k++) {
        const struct rv_tensor *t = &p->tensor[p->memory[RV_ZERO_SHOT].hidden[k]];

        CHECK(dev->fn->clear(dev, &m->state, t->offset,
                             (size_t)t->n * t->h * t->w * t->c *
                                 rv_type_bytes(t->type)) == 0);
    }
}

/* Runs frame t with so many live slots, and a seed for the slots of `seeds`. `blank` says
 * that the zero-shot decoder's state is zero. */
static void run_machine(struct machine *m, int t, int zero, int one, uint32_t seeds,
                        bool blank)
{
    static uint8_t rgb[PIXELS * 3], masks[PIXELS];
    static uint32_t bits[PIXELS];
    rvos_image image = rgb_image(rgb, NET_W, NET_H);
    rvos_labels labels = net_labels(m->labels);
    rvos_output out = {.labels = &labels};
    struct rv_job job = {.state = m->state,
                         .pixels = m->pixels,
                         .frame = &image,
                         .seed = bits,
                         .seed_slots = seeds,
                         .live = {zero, one},
                         .blank = blank ? RVOS_TASK_ZERO_SHOT : 0,
                         .shown = one ? RV_ONE_SHOT : RV_ZERO_SHOT,
                         .out = &out,
                         .object = m->object};

    make_frame(rgb, NET_W, NET_H, t);
    make_masks(masks, NET_W, NET_H, seeds);
    for (int i = 0; i < PIXELS; i++)
        bits[i] = masks[i] ? UINT32_C(1) << (masks[i] - 1) : 0;
    for (int d = 0; d < RV_DECODERS; d++)
        if (job.live[d] && m->plan->program.decoders == 3)
            job.seen[d] = (struct rv_seen){m->seen[d], m->score[d]};
    CHECK(rv_model_run(model, m->plan, &m->member, &job) == 0);
}

/* A decoder's results, slots * height * width floats. */
static void read_memory(struct machine *m, int decoder, bool half, float *out)
{
    const struct rv_program *p = &m->plan->program;
    const struct rv_memory *own = &p->memory[decoder];
    const struct rv_tensor *t = &p->tensor[half ? own->half : own->logits];
    size_t bytes = (size_t)t->n * t->h * t->w * sizeof(float);

    CHECK(model->device->fn->read(model->device, &m->state, t->offset, out, bytes) == 0);
}

/* Labels and scores at network size, from the logits. */
static void check_seen(struct machine *m, int decoder, int live)
{
    static float logits[SLOTS * PIXELS];
    double sum[SLOTS] = {0};
    int count[SLOTS] = {0}, wrong = 0;

    read_memory(m, decoder, false, logits);
    for (int i = 0; i < PIXELS; i++) {
        int best = 0;

        for (int k = 1; k < live; k++)
            if (logits[k * PIXELS + i] > logits[best * PIXELS + i])
                best = k;
        if (logits[best * PIXELS + i] >= 0) {
            sum[best] += 1 / (1 + exp(-(double)logits[best * PIXELS + i]));
            count[best]++;
            wrong += m->seen[decoder][i] != best + 1;
        } else {
            wrong += m->seen[decoder][i] != 0;
        }
    }
    CHECK(wrong == 0);
    for (int k = 0; k < live; k++)
        CHECK_NEAR(m->score[decoder][k], count[k] ? sum[k] / count[k] : 0, 1e-6);
}

/* The picture of frame t, whose size is the network's: the largest of each four pixels.
 */
static void check_picture(struct machine *m, int t)
{
    static const float mean[3] = {0.485f, 0.456f, 0.406f},
                       sd[3] = {0.229f, 0.224f, 0.225f};
    static union {
        float f32[PIXELS * 3];
        uint16_t f16[PIXELS * 3];
    } got;
    static uint8_t rgb[PIXELS * 3];
    const struct rv_tensor *p = &m->plan->program.tensor[m->plan->program.picture];
    double worst = 0;

    CHECK(p->h == (NET_H + 1) / 2 && p->w == (NET_W + 1) / 2 && p->c == 3);
    CHECK(model->device->fn->read(model->device, &m->state, p->offset, &got,
                                  rv_tensor_bytes(p)) == 0);
    make_frame(rgb, NET_W, NET_H, t);
    for (int i = 0; i < p->h * p->w * 3; i++) {
        float v = p->type == RV_F16 ? rv_f16_value(got.f16[i]) : got.f32[i];
        int c = i % 3, x = i / 3 % p->w * 2, y = i / 3 / p->w * 2, most = 0;

        for (int k = 0; k < 4; k++) {
            int px = x + k % 2, py = y + k / 2;

            if (px < NET_W && py < NET_H && rgb[(py * NET_W + px) * 3 + c] > most)
                most = rgb[(py * NET_W + px) * 3 + c];
        }
        worst = fmax(worst, fabs(v - (most / 255.0 - mean[c]) / sd[c]));
    }
    CHECK_NEAR(worst, 0, p->type == RV_F16 ? 2e-3 : 1e-5);
}

static void decoders(void)
{
    /* Live slots of each, and slots that are seeded. */
    static const struct {
        int zero, one;
        uint32_t seeds;
        bool blank; /* `both` is told that the zero-shot state is zero; `single` is not */
    } list[] = {{3, 0, 0, true},  {3, 0, 0, false}, {3, 1, 1, false}, {0, 1, 0, false},
                {0, 3, 6, false}, {3, 3, 0, true},  {0, 2, 0, false}, {3, 0, 0, true},
                {0, 3, 4, false}, {2, 3, 0, false}};
    static float got[SLOTS * PIXELS], want[SLOTS * PIXELS];
    static struct machine both, single[RV_DECODERS];
    size_t picture;

    open_machine(&both, 3);
    for (int d = 0; d < RV_DECODERS; d++)
        open_machine(&single[d], 1u << d);
    picture = rv_tensor_bytes(&both.plan->program.tensor[both.plan->program.picture]);
    CHECK(both.state.size >= single[0].state.size + single[1].state.size + picture);
    for (int t = 0; t < (int)(sizeof(list) / sizeof(list[0])); t++) {
        const int live[RV_DECODERS] = {list[t].zero, list[t].one};
        int shown = live[RV_ONE_SHOT] ? RV_ONE_SHOT : RV_ZERO_SHOT;

        if (list[t].blank) {
            blank_machine(&both);
            blank_machine(&single[RV_ZERO_SHOT]);
        }
        run_machine(&both, t, live[0], live[1], list[t].seeds, list[t].blank);
        for (int d = 0; d < RV_DECODERS; d++) {
            struct machine *m = &single[d];
            size_t n = (size_t)PIXELS * live[d];

            if (!live[d])
                continue;
            run_machine(m, t, d ? 0 : live[0], d ? live[1] : 0, d ? list[t].seeds : 0,
                        false);
            for (int half = 0; half < 2; half++) {
                read_memory(&both, d, half, got);
                read_memory(m, d, half, want);
                n = (size_t)live[d] * (half ? PLANE : PIXELS);
                test_note(CHECK(!memcmp(got, want, n * sizeof(*got))),
                          "frame %d, decoder %d: %g", t, d, difference(got, want, n));
            }
            check_seen(&both, d, live[d]);
        }
        check_picture(&both, t);
        CHECK(!memcmp(both.labels, single[shown].labels, PIXELS));
        for (int k = 0; k < live[shown]; k++)
            CHECK(same_object(&both.object[k], &single[shown].object[k]));
    }
    for (int d = 0; d < RV_DECODERS; d++)
        close_machine(&single[d]);
    close_machine(&both);
}

int main(int argc, char **argv)
{
    int status = begin(argc, argv, 2);

    if (status)
        return status;
    decoders();
    CHECK(log_.warnings == 0);
    return end();
}
