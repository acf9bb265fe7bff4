/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* schedule.c - runs programs symbolically, in the order of emission and in the order of
 * the schedule: every element that a step reads must come from the same writer. */
#include <string.h>

#include "../network.h"
#include "../test.h"
#include "places.h"

#define UNIT 2 /* bytes that have a tag */

struct options {
    const char *base;
    enum rv_skip_mode skip_mode;
    int objects, width, height;
    unsigned decoders;
    bool spatial, temporal;
    enum rv_type type;
    int groups; /* of TIME, at most as many as objects */
    bool lanes;
};

struct machine {
    struct rv_program p; /* scheduled */
    struct rv_net net;
    struct rv_step *emitted; /* the same steps as they were emitted */
    int *index;              /* of p.step[i] in `emitted` */
    uint32_t **logical;      /* [root tensor][element]: which step wrote it */
    uint32_t *memory[2];     /* [enum rv_home][unit]: the same, by address */
};

static void *new_zeroes(size_t n, size_t size)
{
    void *p = calloc(n ? n : 1, size);

    if (!p)
        exit(1);
    return p;
}

static void schedule(struct machine *m, bool lanes)
{
    m->emitted = new_zeroes((size_t)m->p.n_steps, sizeof(*m->emitted));
    memcpy(m->emitted, m->p.step, (size_t)m->p.n_steps * sizeof(*m->emitted));
    if (!CHECK(!m->p.failed))
        exit(1);
    rv_schedule(&m->p);
    if (!CHECK(rv_places(&m->p, lanes) == 0))
        exit(1);
}

/* Like rv_program_build, with a copy of the steps between emitting and scheduling. */
static void build(struct machine *m, const struct options *o)
{
    memset(m, 0, sizeof(*m));
    m->net = test_net(o->base, 8, 8, o->width, o->height);
    m->net.skip_mode = o->skip_mode;
    m->p = test_program(o->objects, o->decoders, o->type, o->type == RV_F16 ? 8 : 1);
    m->p.time_groups = o->groups;
    m->p.spatial = o->spatial;
    m->p.temporal = o->temporal;
    CHECK(rv_net_list(&m->net, o->decoders) == 0);
    rv_program_emit(&m->p, &m->net);
    schedule(m, o->lanes);
}

/* A random program: sums and poolings of any tensors, into the arena and over slices of
 * the state that other steps read. The schedule must be right for these too, although no
 * network needs them today. */
static void build_random(struct machine *m, uint64_t *seed)
{
    enum { STEPS = 14, SIDE = 3, CHANNELS = 4 };
    rv_tid arena[STEPS + 1], state, from, to;
    int n = 1, steps = test_random_int(seed, 2, STEPS);
    struct rv_step *s;

    memset(m, 0, sizeof(*m));
    m->p = (struct rv_program){.lists = &m->net,
                               .type = test_random(seed) % 2 ? RV_F16 : RV_F32};
    arena[0] = rv_tensor_new(&m->p, 1, SIDE, SIDE, CHANNELS, RV_ARENA, m->p.type);
    state = rv_tensor_new(&m->p, 2, SIDE, SIDE, CHANNELS, RV_STATE, m->p.type);
    s = rv_step_new(&m->p, RV_OP_PREPROC, 0, 0, 0);
    s->out[0] = arena[0];
    for (int i = 0; i < steps; i++) {
        struct rv_weight w = {.out = CHANNELS, .in = CHANNELS, .size = 1};
        int add = test_random_int(seed, -n, n - 1);
        int slot = test_random_int(seed, 0, 1);
        enum rv_type type = test_random(seed) % 4 ? m->p.type : RV_F32;

        from = arena[test_random_int(seed, n > 3 ? n - 3 : 0, n - 1)];
        if (test_random(seed) % 4 == 0)
            from = rv_tensor_slice(&m->p, state, slot, 1, 0, CHANNELS);
        if (test_random(seed) % 3) {
            snprintf(w.conv, sizeof(w.conv), "%d", i);
            to = rv_conv_emit(&m->p, &m->net, &w, from, add < 0 ? -1 : arena[add], 1,
                              false, type);
            if (test_random(seed) % 8)
                arena[n++] = to;
        } else {
            int c = test_random_int(seed, 0, 3);

            to = rv_tensor_slice(&m->p, state, !slot, 1, c,
                                 test_random_int(seed, 1, CHANNELS - c));
            rv_maxpool_emit(&m->p, from, to, 1, 1, 0, false);
        }
    }
    schedule(m, test_random(seed) % 2);
}

static bool same_step(const struct rv_step *a, const struct rv_step *b)
{
    return a->op == b->op && a->object == b->object && a->weight == b->weight &&
           !memcmp(a->in, b->in, sizeof(a->in)) &&
           !memcmp(a->out, b->out, sizeof(a->out));
}

static void match(struct machine *m)
{
    m->index = new_zeroes((size_t)m->p.n_steps, sizeof(*m->index));
    for (int i = 0; i < m->p.n_steps; i++) {
        int found = 0;

        for (int k = 0; k < m->p.n_steps; k++)
            if (same_step(&m->p.step[i], &m->emitted[k])) {
                m->index[i] = k;
                found++;
            }
        CHECK(found == 1);
        CHECK(i == 0 || m->p.step[i].wave >= m->p.step[i - 1].wave);
        CHECK(m->p.step[i].wave >= 0 && m->p.step[i].wave < m->p.n_waves);
    }
}

/* All elements of a tensor, by element of its root and by unit of memory. */
struct walk {
    const struct machine *m;
    struct rv_place place;
    const struct rv_tensor *root, *tensor;
    size_t bytes, pitch;
    int n, y, x, c;
};

static struct walk walk_of(const struct machine *m, rv_tid t)
{
    struct walk w = {.m = m, .place = rv_tensor_place(&m->p, t), .c = -1};

    w.tensor = &m->p.tensor[t];
    w.root = &m->p.tensor[w.place.root];
    w.bytes = rv_type_bytes(w.tensor->type);
    w.pitch = rv_tensor_pitch(&m->p, t);
    return w;
}

static bool next(struct walk *w, size_t *element, size_t *unit)
{
    const struct rv_tensor *t = w->tensor;

    if (++w->c == t->c) {
        w->c = 0;
        if (++w->x == t->w) {
            w->x = 0;
            if (++w->y == t->h) {
                w->y = 0;
                w->n++;
            }
        }
    }
    if (w->n == t->n)
        return false;
    *element = (((size_t)(w->place.n0 + w->n) * t->h + w->y) * t->w + w->x) * w->root->c +
               w->place.c0 + w->c;
    *unit =
        (t->offset + (((size_t)w->n * t->h + w->y) * t->w + w->x) * w->pitch * w->bytes +
         (size_t)w->c * w->bytes) /
        UNIT;
    return true;
}

/* The hash of the tags that step k reads, in the order of emission. */
static uint64_t read_logical(const struct machine *m, const struct rv_step *s)
{
    uint64_t hash = 1;
    size_t e, u;

    for (int i = 0; i < RV_CELL_INPUTS; i++) {
        struct walk w;

        if (s->in[i] < 0)
            continue;
        w = walk_of(m, s->in[i]);
        while (next(&w, &e, &u)) {
            uint32_t tag = m->logical[w.place.root][e];

            if (w.root->home == RV_ARENA && !CHECK(tag != 0)) /* nobody wrote it */
                return 0;
            hash = (hash ^ tag) * 0x100000001b3u;
        }
    }
    return hash;
}

static void write_logical(struct machine *m, const struct rv_step *s, uint32_t tag)
{
    size_t e, u;

    for (int i = 0; i < 3; i++)
        if (s->out[i] >= 0)
            for (struct walk w = walk_of(m, s->out[i]); next(&w, &e, &u);)
                m->logical[w.place.root][e] = tag;
}

static uint64_t read_memory(const struct machine *m, const struct rv_step *s)
{
    uint64_t hash = 1;
    size_t e, u;

    for (int i = 0; i < RV_CELL_INPUTS; i++)
        if (s->in[i] >= 0)
            for (struct walk w = walk_of(m, s->in[i]); next(&w, &e, &u);)
                hash = (hash ^ m->memory[w.root->home][u]) * 0x100000001b3u;
    return hash;
}

static void write_memory(struct machine *m, const struct rv_step *s, uint32_t tag)
{
    size_t e, u;

    for (int i = 0; i < 3; i++)
        if (s->out[i] >= 0)
            for (struct walk w = walk_of(m, s->out[i]); next(&w, &e, &u);)
                for (size_t k = 0; k < w.bytes / UNIT; k++)
                    m->memory[w.root->home][u + k] = tag;
}

/* Within a wave no other step reads or writes what a step writes. The step itself reads
 * it only for a sum in place. */
static void check_wave(struct machine *m, int from, int to)
{
    uint16_t *writer[2];
    size_t e, u;

    writer[RV_ARENA] = new_zeroes(m->p.arena_bytes / UNIT, sizeof(uint16_t));
    writer[RV_STATE] = new_zeroes(m->p.state_bytes / UNIT, sizeof(uint16_t));
    for (int i = from; i < to; i++)
        for (int k = 0; k < 3; k++)
            if (m->p.step[i].out[k] >= 0)
                for (struct walk w = walk_of(m, m->p.step[i].out[k]); next(&w, &e, &u);) {
                    uint16_t *at = &writer[w.root->home][u];

                    if (!CHECK(*at == 0 || *at == i + 1))
                        break;
                    *at = (uint16_t)(i + 1);
                }
    for (int i = from; i < to; i++)
        for (int k = 0; k < RV_CELL_INPUTS; k++)
            if (m->p.step[i].in[k] >= 0)
                for (struct walk w = walk_of(m, m->p.step[i].in[k]); next(&w, &e, &u);) {
                    uint16_t by = writer[w.root->home][u];

                    bool sum = m->p.step[i].op == RV_OP_CONV && k == 1;

                    if (!CHECK(by == 0 || (by == i + 1 && sum)))
                        break;
                }
    free(writer[RV_ARENA]);
    free(writer[RV_STATE]);
}

static void alloc_tags(struct machine *m)
{
    m->logical = new_zeroes((size_t)m->p.n_tensors, sizeof(*m->logical));
    for (int t = 0; t < m->p.n_tensors; t++) {
        const struct rv_tensor *x = &m->p.tensor[t];

        if (x->parent < 0)
            m->logical[t] = new_zeroes((size_t)x->n * x->h * x->w * x->c, 4);
    }
    m->memory[RV_ARENA] = new_zeroes(m->p.arena_bytes / UNIT, 4);
    m->memory[RV_STATE] = new_zeroes(m->p.state_bytes / UNIT, 4);
}

static bool runs(const struct rv_step *s, unsigned decoders)
{
    return s->decoder < 0 || decoders >> s->decoder & 1;
}

/* Runs some frames in the order of emission, and in waves by address; every step must
 * read the same in both. With two decoders, frames leave out one or the other. */
static void simulate(struct machine *m, uint64_t *seed)
{
    enum { FRAMES = 4 };
    int n = m->p.n_steps;
    uint64_t *reads = new_zeroes((size_t)n * FRAMES, sizeof(*reads));
    unsigned decoders[FRAMES] = {3, 1 + (unsigned)test_random_int(seed, 0, 2),
                                 1 + (unsigned)test_random_int(seed, 0, 2), 3};

    if (m->p.decoders != 3)
        for (int frame = 0; frame < FRAMES; frame++)
            decoders[frame] = 3;
    alloc_tags(m);
    for (int frame = 0; frame < FRAMES; frame++)
        for (int k = 0; k < n; k++)
            if (runs(&m->emitted[k], decoders[frame])) {
                reads[frame * n + k] = read_logical(m, &m->emitted[k]);
                write_logical(m, &m->emitted[k], (uint32_t)(1 + frame * n + k));
            }
    for (int frame = 0; frame < FRAMES; frame++)
        for (int from = 0, to; from < n; from = to) {
            for (to = from; to < n && m->p.step[to].wave == m->p.step[from].wave;)
                to++;
            if (frame == 0)
                check_wave(m, from, to);
            int shift = test_random_int(seed, 0, to - from - 1); /* any order will do */

            for (int i = 0; i < to - from; i++) {
                int at = to - 1 - (i + shift) % (to - from), k = m->index[at];
                uint64_t read;

                if (!runs(&m->p.step[at], decoders[frame]))
                    continue;
                read = read_memory(m, &m->p.step[at]);
                if (frame > 0)
                    test_note(CHECK(read == reads[frame * n + k]),
                              "frame %d, step %d in wave %d", frame, k,
                              m->p.step[at].wave);
                write_memory(m, &m->p.step[at], (uint32_t)(1 + frame * n + k));
            }
        }
    free(reads);
}

static void finish(struct machine *m)
{
    for (int t = 0; m->logical && t < m->p.n_tensors; t++)
        free(m->logical[t]);
    free(m->logical);
    free(m->memory[0]);
    free(m->memory[1]);
    free(m->index);
    free(m->emitted);
    rv_program_free(&m->p);
    rv_net_free(&m->net);
}

/* Tensors lie within their home, aligned for vector loads. */
static void check_places(const struct machine *m)
{
    for (rv_tid t = 0; t < m->p.n_tensors; t++) {
        const struct rv_tensor *x = &m->p.tensor[t];
        size_t bytes = rv_tensor_bytes(x),
               room = x->home == RV_ARENA ? m->p.arena_bytes : m->p.state_bytes;

        if (x->parent < 0)
            CHECK(x->offset % 64 == 0 && x->offset + bytes <= room);
    }
}

static int cell_waves(const struct rv_program *p)
{
    int n = 0, last = -1;

    for (int i = 0; i < p->n_steps; i++)
        if (p->step[i].op == RV_OP_CELL && p->step[i].wave != last) {
            last = p->step[i].wave;
            n++;
        }
    return n;
}

static void run(struct options o, uint64_t *seed)
{
    struct machine m;

    build(&m, &o);
    match(&m);
    check_places(&m);
    simulate(&m, seed);
    /* Cells run in diagonals. Without the recurrence over objects all objects run in
     * parallel. */
    if (o.decoders != 3)
        CHECK(cell_waves(&m.p) == (o.spatial ? o.objects + RV_LEVELS - 1 : RV_LEVELS));
    if (o.objects == 10 && o.spatial)
        CHECK(cell_waves(&m.p) == 13);
    if (test_failures)
        fprintf(stderr,
                "%s, skip mode %d, %d objects, %dx%d, decoders %u, %d%d, %zu bytes\n",
                o.base, o.skip_mode, o.objects, o.width, o.height, o.decoders, o.spatial,
                o.temporal, rv_type_bytes(o.type));
    finish(&m);
}

static void run_random(uint64_t *seed)
{
    int in_place = 0;

    for (int i = 0; i < 3000 && !test_failures; i++) {
        struct machine m;

        build_random(&m, seed);
        match(&m);
        check_places(&m);
        simulate(&m, seed);
        for (int k = 0; k < m.p.n_steps; k++) {
            const struct rv_step *s = &m.p.step[k];

            in_place += s->op == RV_OP_CONV && s->in[1] >= 0 &&
                        m.p.tensor[s->in[1]].offset == m.p.tensor[s->out[0]].offset;
        }
        finish(&m);
    }
    CHECK(in_place > 100);
}

/* Frame 0 of T runs ST's program, and plans of several frames have more groups. All must
 * have the same layout of the state. */
static void same_state(unsigned decoders, bool spatial, int groups)
{
    struct options o = {"resnet18", RV_SKIP_CONCAT, 3,    61, 47,
                        decoders,   true,           true, 4,  1};
    struct machine a, b;

    build(&a, &o);
    o.spatial = spatial;
    o.groups = groups;
    build(&b, &o);
    CHECK(a.p.state_bytes == b.p.state_bytes);
    for (int d = 0; d < RV_DECODERS; d++) {
        const struct rv_memory *x = &a.p.memory[d], *y = &b.p.memory[d];

        if (!(decoders >> d & 1))
            continue;
        for (int k = 0; k < RV_LEVELS; k++)
            CHECK(a.p.tensor[x->hidden[k]].offset == b.p.tensor[y->hidden[k]].offset &&
                  a.p.tensor[x->hidden[k]].c == b.p.tensor[y->hidden[k]].c);
        CHECK(a.p.tensor[x->half].offset == b.p.tensor[y->half].offset);
        CHECK(a.p.tensor[x->logits].offset == b.p.tensor[y->logits].offset);
        CHECK((x->prob >= 0) == (d == RV_ONE_SHOT));
        if (x->prob >= 0)
            CHECK(a.p.tensor[x->prob].offset == b.p.tensor[y->prob].offset);
    }
    finish(&a);
    finish(&b);
}

int main(void)
{
    static const char *const bases[] = {"resnet18", "resnet34", "resnet50", "vgg16",
                                        "mobilenetv2"};
    uint64_t seed = 7;

    for (int i = 0; i < 36; i++)
        run((struct options){.base = "resnet18",
                             .skip_mode = (enum rv_skip_mode)(i / 4 % 4),
                             .objects = 1 + i % 4,
                             .width = test_random_int(&seed, 32, 70),
                             .height = test_random_int(&seed, 32, 70),
                             .decoders = 1 + (unsigned)i / 3 % 3,
                             .spatial = i % 3 != 1,
                             .temporal = i % 3 != 2,
                             .type = i & 4 ? RV_F16 : RV_F32,
                             .groups = 1 + i / 2 % (1 + i % 4),
                             .lanes = i % 3 == 0},
            &seed);
    for (int i = 0; i < 5; i++)
        run((struct options){.base = bases[i],
                             .objects = 10,
                             .width = 64,
                             .height = 32,
                             .decoders = 1 + (unsigned)i % 3,
                             .spatial = true,
                             .temporal = true,
                             .type = i < 2 ? RV_F32 : RV_F16,
                             .groups = 1 + 3 * i,
                             .lanes = i % 2},
            &seed);
    run_random(&seed);
    for (unsigned decoders = 1; decoders < 4; decoders++) {
        same_state(decoders, false, 1);
        same_state(decoders, true, 2);
        same_state(decoders, true, 3);
    }
    return test_done();
}
