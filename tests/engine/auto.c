/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* auto.c - tests RVOS_TASK_AUTO: the stream's work around the two decoders.
 * tests/unit/follow.c tests which piece becomes an object; decoders.c tests the decoders.
 *
 *     auto BACKEND MODEL_DIR */
#include <math.h>
#include <pthread.h>

#include "fixture.h"

#define SLOTS 3
#define PIXELS (NET_W * NET_H)
#define START 16 /* frames of discovery at the beginning */

struct picture {
    uint8_t labels[PIXELS], alpha[PIXELS];
};

static rvos_stream *open_auto(rvos_model *of, int objects, int interval)
{
    return open_with(of, (rvos_stream_params){.task = RVOS_TASK_AUTO,
                                              .objects = objects,
                                              .discovery_interval = interval});
}

static void step(rvos_stream *stream, int t, struct picture *out)
{
    rvos_labels labels = net_labels(out->labels), alpha = net_labels(out->alpha);

    memset(out, 77, sizeof(*out)); /* all of it must be overwritten */
    CHECK(process_frame(stream, t, &(rvos_output){.labels = &labels, .alpha = &alpha}) ==
          0);
}

/* The first frames show the zero-shot foreground, without pieces that are too small. */
static void start(void)
{
    static struct picture got, zero;
    rvos_stream *a = open_auto(model, SLOTS, -1),
                *z = open_stream(model, RVOS_TASK_ZERO_SHOT, SLOTS);
    int missing = 0, shown = 0;

    for (int t = 0; t < START; t++) {
        step(a, t, &got);
        step(z, t, &zero);
        CHECK(info_of(a).discovering);
        for (int i = 0; i < PIXELS; i++) {
            CHECK(!got.labels[i] || zero.labels[i]);
            shown += got.labels[i] > 0;
            missing += !got.labels[i] && zero.labels[i];
            if (got.labels[i] == zero.labels[i]) /* both or neither */
                CHECK(abs(got.alpha[i] - zero.alpha[i]) <= (got.labels[i] ? 1 : 255));
        }
        for (int k = 1; k <= SLOTS; k++) {
            rvos_object object = object_of(a, k);
            int area = 0;

            for (int i = 0; i < PIXELS; i++)
                area += got.labels[i] == k;
            CHECK(object.area == area && object.present == (area > 0));
            CHECK(!object.present || (object.serial && object.score >= 0.5));
        }
    }
    test_note(CHECK(shown > START * PIXELS / 20), "%d pixels shown", shown);
    test_note(CHECK(missing < shown / 2 + START * PIXELS / 10), "%d missing, %d shown",
              missing, shown);
    close_both(&a, &z);
}

/* With objects of the user in all slots, the stream is a one-shot stream. */
static void given(void)
{
    static float x[2 * PLANE], y[2 * PLANE];
    static struct picture a, b;
    rvos_stream *find = open_auto(model, 2, -1),
                *follow = open_stream(model, RVOS_TASK_ONE_SHOT, 2);

    CHECK(seed_objects(find, 3, RVOS_ALL_SLOTS) == 0);
    CHECK(seed_objects(follow, 3, RVOS_ALL_SLOTS) == 0);
    for (int t = 0; t < START + 4; t++) {
        if (t == START) { /* corrected */
            CHECK(seed_objects(find, 2, 2) == 0);
            CHECK(seed_objects(follow, 2, 2) == 0);
        }
        step(find, t, &a);
        step(follow, t, &b);
        test_note(CHECK(!memcmp(&a, &b, sizeof(a))), "frame %d", t);
        read_logits(find, 2, x);
        read_logits(follow, 2, y);
        test_note(CHECK(!memcmp(x, y, sizeof(x))), "frame %d: %g", t,
                  difference(x, y, 2 * PLANE));
        CHECK(info_of(find).live == 2 && info_of(find).frames == t + 1);
        for (int k = 1; k <= 2; k++)
            CHECK(object_of(find, k).serial == (uint32_t)k);
    }
    CHECK(object_of(follow, 1).serial == 0);
    /* The slot below a dropped one continues as before. */
    CHECK(rvos_stream_drop(find, 2) == 0 && rvos_stream_drop(follow, 2) == 0);
    CHECK(!object_of(find, 2).serial);
    for (int t = START + 4; t < START + 8; t++) {
        step(find, t, &a);
        step(follow, t, &b);
        read_logits(find, 1, x);
        read_logits(follow, 1, y);
        CHECK(!memcmp(x, y, PLANE * sizeof(*x)));
        CHECK(info_of(find).live == 1);
        for (int i = 0; i < PIXELS; i++)
            CHECK(a.labels[i] <= 1);
    }
    /* An empty seed drops the slot, too: nothing is left to run. */
    CHECK(seed_objects(find, 0, 1) == 0);
    for (int t = START + 8; t < START + 10; t++) {
        step(find, t, &a);
        if (!info_of(find).discovering) {
            CHECK(info_of(find).live == 0);
            for (int i = 0; i < PIXELS; i++)
                CHECK(!a.labels[i] && !a.alpha[i]);
        }
    }
    close_both(&find, &follow);
}

/* After a reset everything repeats, except the serials, which are new. */
static void reset(void)
{
    enum { FRAMES = START + 3 };
    static struct picture first[FRAMES], again;
    rvos_stream *stream = open_auto(model, SLOTS, 0);
    uint32_t highest = 0;

    for (int round = 0; round < 2; round++) {
        uint32_t seen = highest;

        for (int t = 0; t < FRAMES; t++) {
            step(stream, t, round ? &again : &first[t]);
            if (round)
                test_note(CHECK(!memcmp(&again, &first[t], sizeof(again))), "frame %d",
                          t);
            for (int k = 1; k <= SLOTS; k++) {
                uint32_t serial = object_of(stream, k).serial;

                CHECK(!serial || serial > seen);
                highest = serial > highest ? serial : highest;
            }
        }
        CHECK(highest > seen);
        rvos_stream_reset(stream);
        CHECK(!info_of(stream).discovering);
        CHECK(!object_of(stream, 1).serial);
    }
    /* The state advances even without outputs. */
    for (int t = 0; t < FRAMES - 1; t++)
        CHECK(process_frame(stream, t, NULL) == 0);
    step(stream, FRAMES - 1, &again);
    CHECK(!memcmp(&again, &first[FRAMES - 1], sizeof(again)));
    rvos_stream_close(&stream);
}

/* When the zero-shot decoder runs. */
static void intervals(void)
{
    static struct picture out;
    rvos_stream *stream = open_auto(model, 1, -1);
    int seen = 0;

    CHECK(seed_objects(stream, 1, 1) == 0);
    for (int t = 0; t < START + 40; t++) {
        step(stream, t, &out);
        CHECK(info_of(stream).discovering == (t < START));
    }
    CHECK(rvos_stream_discover(stream) == 0);
    step(stream, 0, &out);
    CHECK(info_of(stream).discovering);
    rvos_stream_close(&stream);
    stream = open_auto(model, 1, 7);
    CHECK(seed_objects(stream, 1, 1) == 0);
    for (int t = 0; t < START + 28; t++) {
        step(stream, t, &out);
        seen += t >= START && info_of(stream).discovering;
    }
    test_note(CHECK(seen >= 3 && seen < 28), "%d of 28 frames", seen);
    rvos_stream_close(&stream);
}

/* The object of a box, as boxes.h has it: pixels of slot 2. */
static void box_mask(const uint8_t *zero, const uint8_t *one, uint8_t *mask)
{
    int inside = 0, outside = 0;

    memset(mask, 0, PIXELS);
    for (int i = 0; i < PIXELS; i++) {
        float x = ((float)(i % NET_W) + 0.5f) / NET_W;
        float y = ((float)(i / NET_W) + 0.5f) / NET_H;

        if (x < 0.2f || x > 0.8f || y > 0.22f || !zero[i] || one[i])
            continue;
        mask[i] = 2;
        inside += x > 0.25f && x < 0.75f && y < 0.2f;
        outside++;
    }
    test_note(CHECK(inside && outside > PIXELS / 40), "%d and %d pixels", inside,
              outside);
}

/* What the rules correct in a frame is shown in it: here object 1 gets pixels back that
 * object 2 has taken. They are as certain as before. The one-shot stream beside it shows
 * them without the correction. */
static void corrected(rvos_stream *stream, const struct picture *got,
                      const struct picture *other)
{
    int moved = 0, area[3] = {0};

    for (int i = 0; i < PIXELS; i++) {
        CHECK(got->labels[i] <= 2);
        area[got->labels[i] % 3]++;
        if (got->labels[i] != other->labels[i]) {
            CHECK(got->labels[i] == 1 && other->labels[i] == 2);
            moved++;
        }
        CHECK(abs(got->alpha[i] - other->alpha[i]) <= 1);
    }
    test_note(CHECK(moved > 0), "no pixel has moved");
    for (int k = 1; k <= 2; k++)
        CHECK(object_of(stream, k).area == area[k]);
}

/* What the zero-shot decoder sees in a box is followed from the next frame on. */
static void boxed(void)
{
    enum { WHEN = START + 2 };
    static struct picture a, b, z;
    static uint8_t mask[PIXELS];
    const rvos_box box = {0.25f, 0, 0.5f, 0.2f};
    rvos_stream *find = open_auto(model, 2, -1),
                *zero = open_stream(model, RVOS_TASK_ZERO_SHOT, 2),
                *follow = open_stream(model, RVOS_TASK_ONE_SHOT, 2);
    rvos_labels masks = net_labels(mask);

    CHECK(seed_objects(find, 1, 1) == 0 && seed_objects(follow, 1, 1) == 0);
    for (int t = 0; t < WHEN + 3; t++) { /* then the rules change it */
        if (t == WHEN)
            CHECK(rvos_stream_seed_box(find, 2, &box) == 0);
        step(find, t, &a);
        step(follow, t, &b);
        CHECK(info_of(find).discovering == (t < START || t == WHEN));
        if (t >= START)
            test_note(CHECK(!memcmp(&a, &b, sizeof(a))), "frame %d", t);
        if (t == START - 1) /* pieces may have been there */
            CHECK(rvos_stream_drop(find, 2) == 0);
        CHECK(t < START || (object_of(find, 2).serial != 0) == (t >= WHEN));
        if (t == WHEN) {
            step(zero, t, &z);
            box_mask(z.labels, b.labels, mask);
            CHECK(rvos_stream_seed(follow, &masks, 2) == 0);
        }
    }
    step(find, WHEN + 3, &a);
    step(follow, WHEN + 3, &b);
    corrected(find, &a, &b);
    /* A slot that has an object keeps it. */
    CHECK(rvos_stream_seed_box(find, 1, &box) == 0);
    for (int t = WHEN + 4; t < WHEN + 7; t++) {
        step(find, t, &a);
        CHECK(object_of(find, 1).serial == 1);
    }
    rvos_stream_close(&find);
    close_both(&zero, &follow);
    /* At the very beginning it is not a piece of the start, and stays after it. */
    find = open_auto(model, SLOTS, -1);
    CHECK(rvos_stream_seed_box(find, 3, &box) == 0);
    for (int t = 0; t < START + 2; t++) {
        step(find, t, &a);
        CHECK(object_of(find, 3).serial == 1);
    }
    rvos_stream_close(&find);
}

/* Hidden slots are left out both of the pieces and of the objects. */
static void hidden(void)
{
    static struct picture all;
    static uint8_t some[PIXELS];
    rvos_stream *a = open_auto(model, SLOTS, -1), *b = open_auto(model, SLOTS, -1);
    rvos_labels labels = net_labels(some);

    for (int t = 0; t < START + 3; t++) {
        step(a, t, &all);
        CHECK(process_frame(b, t, &(rvos_output){.labels = &labels, .hidden = 1}) == 0);
        for (int i = 0; i < PIXELS; i++)
            CHECK(some[i] == (all.labels[i] == 1 ? 0 : all.labels[i]));
    }
    close_both(&a, &b);
}

static void refusals(void)
{
    rvos_stream *stream = open_stream(model, RVOS_TASK_ONE_SHOT, 1);
    const rvos_box box = {0, 0, 1, 1}, bad = {NAN, 0, 1, 1}, turned = {0.5f, 0, -0.5f, 1};
    rvos_stream *find = open_auto(model, 2, -1);
    int errors = log_.errors;

    CHECK(rvos_stream_seed_box(NULL, 1, &box) == RVOS_ERR_ARGUMENT);
    log_.quiet = true;
    CHECK(rvos_stream_seed_box(stream, 1, &box) == RVOS_ERR_WRONG_TASK);
    CHECK(rvos_stream_seed_box(find, 0, &box) == RVOS_ERR_ARGUMENT);
    CHECK(rvos_stream_seed_box(find, 3, &box) == RVOS_ERR_ARGUMENT);
    CHECK(strstr(log_.last, "object 3 is out of range: the stream has 1 to 2"));
    CHECK(rvos_stream_seed_box(find, 1, NULL) == RVOS_ERR_ARGUMENT);
    CHECK(rvos_stream_seed_box(find, 1, &bad) == RVOS_ERR_ARGUMENT);
    CHECK(rvos_stream_seed_box(find, 1, &turned) == RVOS_ERR_ARGUMENT);
    log_.quiet = false;
    CHECK(log_.errors == errors + 6 && strstr(log_.last, "a width and a height"));
    log_.errors = errors;
    rvos_stream_close(&find);
    CHECK(rvos_stream_discover(NULL) == RVOS_ERR_ARGUMENT);
    log_.quiet = true;
    CHECK(rvos_stream_discover(stream) == RVOS_ERR_WRONG_TASK);
    log_.quiet = false;
    CHECK(log_.errors == errors + 1 && strstr(log_.last, "rvos_stream_discover"));
    log_.errors = errors;
    rvos_stream_close(&stream);
}

/* The other recurrences: both decoders begin a sighting with all slots' neighbours. */
static void variants(void)
{
    static struct picture out;

    for (int v = RVOS_VARIANT_SPATIAL; v <= RVOS_VARIANT_TEMPORAL; v++) {
        rvos_stream_params params = {
            .task = RVOS_TASK_AUTO, .variant = (rvos_variant)v, .objects = SLOTS};
        rvos_stream *stream = open_with(model, params), *zero;
        static struct picture want;

        params.task = RVOS_TASK_ZERO_SHOT;
        zero = open_with(model, params);
        CHECK(rvos_stream_warm_up(stream) == 0);
        for (int t = 0; t < START + 2; t++) {
            step(stream, t, &out);
            step(zero, t, &want);
            for (int i = 0; i < PIXELS && t < START; i++)
                CHECK(!out.labels[i] || want.labels[i]);
        }
        close_both(&stream, &zero);
    }
}

/* ---- streams in different phases, together ----------------------------------------- */

#define STREAMS 4
#define FRAMES (START + 6)

struct caller {
    pthread_t thread;
    rvos_stream *stream;
    int number;
    uint8_t labels[FRAMES][PIXELS];
    rvos_object object[FRAMES][SLOTS];
};

/* Stream i starts its video again in frame i, and some streams get an object. */
static void *call(void *opaque)
{
    struct caller *c = opaque;

    for (int t = 0; t < FRAMES; t++) {
        if (t == c->number)
            rvos_stream_reset(c->stream);
        if (t == 4 && c->number % 2)
            CHECK(seed_objects(c->stream, 2, 2) == 0);
        if (t == START && c->number == 3)
            CHECK(rvos_stream_drop(c->stream, 2) == 0);
        CHECK(process_labels(c->stream, 100 * c->number + t, c->labels[t]) == 0);
        for (int k = 0; k < SLOTS; k++)
            c->object[t][k] = object_of(c->stream, k + 1);
    }
    return NULL;
}

static void open_callers(struct caller *c, rvos_model *of, int n)
{
    for (int i = 0; i < n; i++) {
        c[i].number = i;
        c[i].stream = open_auto(of, SLOTS, 3);
    }
}

static void together(void)
{
    static struct caller alone[STREAMS], group[STREAMS];
    rvos_model_info info;
    rvos_model *batched;

    open_callers(alone, model, STREAMS);
    for (int i = 0; i < STREAMS; i++)
        call(&alone[i]);
    for (int n = 2; n <= STREAMS; n += 2) {
        batched = load_batched(device, folder, STREAMS, 20000000);
        if (!batched)
            return;
        open_callers(group, batched, n);
        for (int i = 0; i < n; i++)
            CHECK(pthread_create(&group[i].thread, NULL, call, &group[i]) == 0);
        for (int i = 0; i < n; i++) {
            pthread_join(group[i].thread, NULL);
            rvos_stream_close(&group[i].stream);
            test_note(
                CHECK(!memcmp(group[i].labels, alone[i].labels, sizeof(alone[i].labels))),
                "stream %d of %d", i, n);
            for (int k = 0; k < FRAMES * SLOTS; k++)
                CHECK(same_object(&group[i].object[k / SLOTS][k % SLOTS],
                                  &alone[i].object[k / SLOTS][k % SLOTS]));
        }
        rvos_model_get_info(batched, &info);
        CHECK(info.passes <= info.frames);
        if (info.max_batch > 1)
            test_note(CHECK(info.passes < info.frames), "%lld passes",
                      (long long)info.passes);
        rvos_model_close(&batched);
    }
    for (int i = 0; i < STREAMS; i++)
        rvos_stream_close(&alone[i].stream);
}

int main(int argc, char **argv)
{
    int status = begin(argc, argv, 2);

    if (status)
        return status;
    start();
    given();
    reset();
    /* These test the rules, which are the same code for each backend. On the emulated GPU
     * under a sanitizer they take a minute. */
    if (!TEST_SANITIZED || strcmp(backend, "cuda")) {
        intervals();
        hidden();
        boxed();
        refusals();
        variants();
    }
    together();
    CHECK(log_.warnings == 0);
    return end();
}
