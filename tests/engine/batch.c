/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* batch.c - tests that streams which share passes give the same as alone, and when plans
 * of several frames are made. tests/unit/batch.c tests the leader.
 *
 *     batch BACKEND MODEL_DIR
 *
 * BACKEND "looped" is the CPU's, which claims to run 16 frames in a pass and runs them
 * one after another. Except for its numbers it acts like a backend that batches. */
#include <pthread.h>

#include "backend.h"
#include "fixture.h"

#define FRAMES 6
#define SCRIPTS 16 /* different streams */
#define SLOTS 3
#define W 60 /* of the largest frames */
#define H 44
#define WHOLE 720720      /* can be divided by 1 to 16 */
#define PATIENCE 20000000 /* microseconds; long enough to count as forever */

static bool looped;

/* ---- a backend that counts, and fails when told to --------------------------- */

static struct {
    const struct rv_backend *real;
    atomic_int made[17], destroyed; /* plans, by size */
    int fail_create, fail_run;      /* of that size; 0: none */
    int why;
} counted;

static int plan_create(rvos_device *dev, const struct rv_program *program,
                       struct rv_weights *weights, rvos_precision precision, int batch,
                       struct rv_plan **out)
{
    *out = NULL;
    if (batch == counted.fail_create)
        return counted.why;
    counted.made[batch]++;
    return counted.real->plan_create(dev, program, weights, precision, 1, out);
}

static int plan_run(struct rv_plan *plan, const struct rv_job *jobs, int n)
{
    return n == counted.fail_run ? counted.why : counted.real->plan_run(plan, jobs, n);
}

static void plan_destroy(struct rv_plan *plan)
{
    counted.destroyed++;
    counted.real->plan_destroy(plan);
}

static rvos_device *open_any(const char *backend)
{
    static struct rv_backend table;
    rvos_device *device;

    looped = !strcmp(backend, "looped");
    device = open_device(looped ? "cpu" : backend, 2, &log_);
    if (!device)
        exit(1);
    if (looped) {
        counted.real = device->fn;
        table = *device->fn;
        table.max_batch = 16;
        table.plan_create = plan_create;
        table.plan_run = plan_run;
        table.plan_destroy = plan_destroy;
        device->fn = &table;
    }
    return device;
}

static rvos_model *load(rvos_device *device, int max_batch, int wait_us)
{
    rvos_model *model = load_batched(device, folder, max_batch, wait_us);

    if (!model)
        exit(1);
    return model;
}

/* ---- streams that differ ------------------------------------------------------ */

struct result {
    uint8_t labels[FRAMES][W * H];
    rvos_object object[FRAMES][SLOTS];
};

struct caller {
    pthread_t thread;
    pthread_barrier_t *start; /* NULL: start at once */
    rvos_stream *stream;
    rvos_task task;
    int script;
    struct result got;
    int64_t frames, passes; /* run; its share of passes, of WHOLE */
};

/* The objects that script i is given in frame t. Some get none at first, others get more
 * later, so that the streams of a pass run different numbers of slots. */
static uint32_t shown(int i, int t)
{
    if (t == i % 3)
        return 1u << i % 3;
    if (t == 4 && i % 2)
        return 1u << (i + 1) % 3;
    return 0;
}

static void frame(struct caller *c, int t)
{
    static _Thread_local uint8_t rgb[W * H * 3];
    rvos_stream_info info;
    int i = c->script, w = W - i % 4 * 5, h = H - i % 5;
    rvos_image image = rgb_image(rgb, w, h);
    rvos_labels labels = {.width = w, .height = h, .data = c->got.labels[t], .stride = w};
    uint32_t objects = shown(i, t);

    if (c->task == RVOS_TASK_ONE_SHOT && objects)
        CHECK(seed_objects(c->stream, objects, objects) == 0);
    make_frame(rgb, w, h, 7 * i + t);
    CHECK(rvos_stream_process(c->stream, &image, &(rvos_output){.labels = &labels}) == 0);
    for (int k = 0; k < SLOTS; k++)
        c->got.object[t][k] = object_of(c->stream, k + 1);
    rvos_stream_get_info(c->stream, &info);
    CHECK((info.frames == 0) == (info.batch == 0) && info.batch <= 16);
    c->frames += info.batch > 0;
    c->passes += info.batch ? WHOLE / info.batch : 0;
}

static void *run(void *opaque)
{
    struct caller *c = opaque;

    if (c->start)
        pthread_barrier_wait(c->start);
    for (int t = 0; t < FRAMES; t++) {
        if (t == 3 && c->script % 4 == 2)
            rvos_stream_reset(c->stream);
        frame(c, t);
    }
    rvos_stream_close(&c->stream);
    return NULL;
}

static void open_caller(struct caller *c, rvos_model *model, rvos_task task,
                        rvos_variant variant, int script)
{
    *c = (struct caller){.task = task, .script = script};
    c->stream = open_with(
        model, (rvos_stream_params){.task = task, .variant = variant, .objects = SLOTS});
}

static void run_alone(rvos_device *device, rvos_task task, rvos_variant variant,
                      struct caller *alone)
{
    rvos_model *model = load(device, 0, 0);
    size_t objects = 0;

    for (int i = 0; i < SCRIPTS; i++) {
        open_caller(&alone[i], model, task, variant, i);
        run(&alone[i]);
        for (size_t p = 0; p < sizeof(alone[i].got.labels); p++)
            objects += ((const uint8_t *)alone[i].got.labels)[p] != 0;
    }
    CHECK(objects > 1000); /* there is something to compare */
    rvos_model_close(&model);
}

static bool same(const struct result *a, const struct result *b)
{
    bool same = !memcmp(a->labels, b->labels, sizeof(a->labels));

    for (int t = 0; t < FRAMES; t++)
        for (int k = 0; k < SLOTS; k++)
            same &= a->object[t][k].area == b->object[t][k].area &&
                    a->object[t][k].score == b->object[t][k].score;
    return same;
}

/* The model's counts equal the sum of its streams' counts. */
static void expect_counts(const rvos_model *model, const struct caller *caller, int n,
                          int max_batch)
{
    int64_t frames = 0, passes = 0;
    rvos_model_info info;

    rvos_model_get_info(model, &info);
    for (int i = 0; i < n; i++) {
        frames += caller[i].frames;
        passes += caller[i].passes;
    }
    CHECK(info.max_batch >= 1 && info.max_batch <= max_batch);
    test_note(CHECK(info.frames == frames && info.passes * WHOLE == passes),
              "%d frames in %d passes, not %d in %d", (int)info.frames, (int)info.passes,
              (int)frames, (int)(passes / WHOLE));
    if (info.max_batch == 1)
        CHECK(info.passes == info.frames);
    else
        printf("%d streams: %d frames, %d passes\n", n, (int)info.frames,
               (int)info.passes);
}

static void together(rvos_device *device, const struct caller *alone, int n,
                     rvos_variant variant, int max_batch, int wait_us)
{
    rvos_model *model = load(device, max_batch, wait_us);
    struct caller *caller = calloc((size_t)n, sizeof(*caller));
    rvos_task task = alone[0].task;
    pthread_barrier_t start;

    if (!caller)
        exit(1);
    pthread_barrier_init(&start, NULL, (unsigned)n);
    for (int i = 0; i < n; i++) {
        open_caller(&caller[i], model, task, variant, i % SCRIPTS);
        caller[i].start = &start;
    }
    for (int i = 0; i < n; i++)
        if (!CHECK(!pthread_create(&caller[i].thread, NULL, run, &caller[i])))
            exit(1);
    for (int i = 0; i < n; i++) {
        pthread_join(caller[i].thread, NULL);
        test_note(CHECK(same(&caller[i].got, &alone[i % SCRIPTS].got)),
                  "stream %d of %d, task %d, variant %d, %d in a pass", i, n, task,
                  variant, max_batch);
    }
    expect_counts(model, caller, n, max_batch);
    pthread_barrier_destroy(&start);
    free(caller);
    rvos_model_close(&model);
}

/* Videos that come and go while others run. */
static void *come_and_go(void *opaque)
{
    struct caller *c = opaque;
    struct caller now;
    rvos_model *model = (rvos_model *)c->stream;

    for (int i = 0; i < 3; i++) {
        open_caller(&now, model, c->task, RVOS_VARIANT_TEMPORAL, c->script);
        CHECK(rvos_stream_warm_up(now.stream) == 0);
        frame(&now, 0);
        CHECK(rvos_stream_warm_up(now.stream) == 0);
        rvos_stream_reset(now.stream);
        run(&now);
        CHECK(same(&now.got, &c->got));
    }
    return NULL;
}

static void churn(rvos_device *device, const struct caller *alone)
{
    rvos_model *model = load(device, 4, 500);
    struct caller *caller = calloc(8, sizeof(*caller));

    if (!caller)
        exit(1);
    for (int i = 0; i < 8; i++) {
        caller[i] = alone[i];
        caller[i].stream = (rvos_stream *)model;
        if (!CHECK(!pthread_create(&caller[i].thread, NULL, come_and_go, &caller[i])))
            exit(1);
    }
    for (int i = 0; i < 8; i++)
        pthread_join(caller[i].thread, NULL);
    free(caller);
    rvos_model_close(&model);
}

/* ---- plans --------------------------------------------------------------------- */

static void expect_plans(int ones, int twos, int fours, int eights, int sixteens)
{
    const int wanted[17] = {
        [1] = ones, [2] = twos, [4] = fours, [8] = eights, [16] = sixteens};

    for (int size = 0; size <= 16; size++)
        test_note(CHECK(counted.made[size] == wanted[size]), "%d plans of %d, not %d",
                  counted.made[size], size, wanted[size]);
}

static void clear_counts(void)
{
    memset(counted.made, 0, sizeof(counted.made));
    counted.destroyed = counted.fail_create = counted.fail_run = 0;
    log_.warnings = log_.errors = 0;
}

static void open_many(rvos_model *model, int n, rvos_variant variant, struct caller *c)
{
    for (int i = 0; i < n; i++)
        open_caller(&c[i], model, RVOS_TASK_ZERO_SHOT, variant, i);
}

static void close_many(int n, struct caller *c)
{
    for (int i = 0; i < n; i++)
        rvos_stream_close(&c[i].stream);
}

static void plans_as_streams_open(rvos_device *device, struct caller *c)
{
    rvos_model *model = load(device, 16, 0);
    rvos_model_info info;

    clear_counts();
    rvos_model_get_info(model, &info);
    CHECK(info.max_batch == 16);
    for (int n = 1; n <= 20; n++) {
        open_many(model, 1, RVOS_VARIANT_SPATIO_TEMPORAL, &c[n - 1]);
        expect_plans(1, n >= 2, n >= 3, n >= 5, n >= 9);
    }
    close_many(20, c);
    open_many(model, 20, RVOS_VARIANT_SPATIO_TEMPORAL, c);
    expect_plans(1, 1, 1, 1, 1);
    close_many(20, c);
    rvos_model_get_info(model, &info);
    CHECK(info.frames == 0 && info.passes == 0); /* warm-ups do not count */
    rvos_model_close(&model);
    CHECK(counted.destroyed == 5);
    model = load(device, 3, 0);
    clear_counts();
    open_many(model, 20, RVOS_VARIANT_TEMPORAL, c); /* frame 0 runs by itself */
    expect_plans(2, 1, 1, 0, 0);
    close_many(20, c);
    rvos_model_close(&model);
    CHECK(counted.destroyed == 4 && log_.warnings == 0);
}

/* A model that never has two streams at a time never makes a larger plan. */
static void one_at_a_time(rvos_device *device, struct caller *c)
{
    rvos_model *model = load(device, 4, 0);

    clear_counts();
    for (int i = 0; i < 5; i++) {
        open_many(model, 1, RVOS_VARIANT_SPATIO_TEMPORAL, c);
        close_many(1, c);
    }
    expect_plans(1, 0, 0, 0, 0);
    rvos_model_close(&model);
}

/* Streams still open, with one warning, and run. But a dead device is an error. */
static void plans_that_fail(rvos_device *device, struct caller *c,
                            const struct caller *alone)
{
    for (int i = 0; i < 2; i++) { /* when it is made, when it is warmed */
        rvos_model *model = load(device, 16, PATIENCE);
        rvos_model_info info;
        int twos = 1;

        clear_counts();
        log_.quiet = true;
        counted.why = i ? RVOS_ERR_UNSUPPORTED : RVOS_ERR_MEMORY;
        *(i ? &counted.fail_run : &counted.fail_create) = 4;
        open_many(model, 6, RVOS_VARIANT_SPATIO_TEMPORAL, c);
        expect_plans(1, twos, i, 0, 0);
        CHECK(log_.warnings == 1 && log_.errors == 0 && strstr(log_.last, "up to 2"));
        CHECK(counted.destroyed == i);
        frame(&c[1], 0);
        CHECK(!memcmp(c[1].got.labels[0], alone[1].got.labels[0], W * H));
        close_many(6, c);
        rvos_model_get_info(model, &info);
        CHECK(info.frames == 1 && info.passes == 1);
        rvos_model_close(&model);
    }
    for (int i = 0; i < 2; i++) {
        rvos_model *model = load(device, 16, 0);
        rvos_stream *stream = NULL;

        clear_counts();
        counted.why = RVOS_ERR_DEVICE;
        *(i ? &counted.fail_run : &counted.fail_create) = 2;
        open_many(model, 1, RVOS_VARIANT_SPATIO_TEMPORAL, c);
        CHECK(rvos_stream_open(&stream, model, &(rvos_stream_params){.objects = SLOTS}) ==
              RVOS_ERR_DEVICE);
        CHECK(!stream);
        close_many(1, c);
        rvos_model_close(&model);
        CHECK(counted.destroyed == 1 + i);
    }
    clear_counts();
    log_.quiet = false;
}

/* ---- who ran with whom ---------------------------------------------------------- */

static atomic_bool latecomer_is_done;
static rvos_stream_info latecomer_info;

static void *latecomer(void *opaque)
{
    struct caller *c = opaque;

    frame(c, 0);
    latecomer_info = info_of(c->stream);
    rvos_stream_close(&c->stream);
    latecomer_is_done = true;
    return NULL;
}

/* rvos_stream_info: a new stream, for which others do not wait, waits for a running one.
 */
static void shared_passes(rvos_device *device, struct caller *c)
{
    rvos_model *model = load(device, 16, PATIENCE);
    rvos_model_info batches;

    rvos_model_get_info(model, &batches);
    open_many(model, 2, RVOS_VARIANT_SPATIO_TEMPORAL, c);
    CHECK(info_of(c[0].stream).batch == 0);
    frame(&c[0], 0);
    CHECK(info_of(c[0].stream).batch == 1);
    latecomer_is_done = false;
    CHECK(!pthread_create(&c[1].thread, NULL, latecomer, &c[1]));
    while (!latecomer_is_done)
        frame(&c[0], 1);
    pthread_join(c[1].thread, NULL);
    CHECK(latecomer_info.batch == (batches.max_batch > 1 ? 2 : 1));
    close_many(1, c);
    rvos_model_close(&model);
}

int main(int argc, char **argv)
{
    static const int counts[] = {1, 2, 3, 5, 16};
    static struct caller alone[SCRIPTS], many[20];
    rvos_device *device;
    bool brief;

    if (argc < 3)
        return test_skip("usage: batch BACKEND MODEL_DIR");
    folder = argv[2];
    device = open_any(argv[1]);
    /* On the emulated GPU under a sanitizer a pass takes seconds: run fewer cases. */
    brief = TEST_SANITIZED && !strcmp(argv[1], "cuda");
    for (int v = 0; v < 3; v++) {
        rvos_task task = v == 1 ? RVOS_TASK_ONE_SHOT : RVOS_TASK_ZERO_SHOT;
        rvos_variant variant =
            v == 2 ? RVOS_VARIANT_TEMPORAL : RVOS_VARIANT_SPATIO_TEMPORAL;

        run_alone(device, task, variant, alone);
        for (size_t i = brief ? 3 : 0; i < sizeof(counts) / sizeof(counts[0]); i++)
            together(device, alone, counts[i], variant, 16, PATIENCE);
        if (brief)
            continue;
        together(device, alone, 5, variant, 3, 1000);
        together(device, alone, 5, variant, 16, 0);
    }
    churn(device, alone);          /* of the variant T */
    if (strcmp(argv[1], "cuda")) { /* too slow on the emulated GPU */
        run_alone(device, RVOS_TASK_ZERO_SHOT, RVOS_VARIANT_SPATIO_TEMPORAL, alone);
        together(device, alone, 64, RVOS_VARIANT_SPATIO_TEMPORAL, 16, 1000);
    }
    shared_passes(device, many);
    if (looped) {
        plans_as_streams_open(device, many);
        one_at_a_time(device, many);
        plans_that_fail(device, many, alone);
    }
    rvos_device_close(&device);
    CHECK(log_.errors == 0 && log_.warnings == 0);
    return test_done();
}
