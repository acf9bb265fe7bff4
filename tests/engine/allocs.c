/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* allocs.c - lets every allocation, every read of the model file and every start of a
 * thread of the engine fail once, in streams of all kinds, and checks that a frame
 * allocates nothing.
 *
 *     allocs BACKEND MODEL_DIR [STEP]
 *
 * The engine is linked into this program with its allocator wrapped (ld --wrap), so only
 * the engine's own calls are counted and fail, not those of libc and oneDNN. The k-th
 * allocation fails for k = 1, 1 + STEP, ... until all have. */
#include "fixture.h"
#include "allocs_wrap.h"

static char path[1024];

/* The streams to open, and the result. */
static const struct scenario {
    const char *name;
    rvos_stream_params stream, second; /* second.objects 0: there is none */
    int threads, max_batch;
} scenarios[] = {
    {"one-shot temporal",
     {.task = RVOS_TASK_ONE_SHOT, .variant = RVOS_VARIANT_TEMPORAL, .objects = 2},
     .threads = 1},
    {"zero-shot, a second stream of more objects",
     {.task = RVOS_TASK_ZERO_SHOT, .objects = 2},
     {.task = RVOS_TASK_ONE_SHOT, .objects = 3},
     .threads = 3},
    {"one-shot spatial, all slots, batches",
     {.task = RVOS_TASK_ONE_SHOT,
      .variant = RVOS_VARIANT_SPATIAL,
      .objects = 2,
      .all_slots = true},
     {.task = RVOS_TASK_ONE_SHOT, .variant = RVOS_VARIANT_SPATIAL, .objects = 2},
     .threads = 2,
     .max_batch = 4},
    {"auto",
     {.task = RVOS_TASK_AUTO,
      .variant = RVOS_VARIANT_TEMPORAL,
      .objects = 2,
      .discovery_interval = 3},
     .threads = 1},
};
static const struct scenario *scenario;

struct run {
    rvos_device *device;
    rvos_model *model;
    rvos_stream *stream, *second;
    int status; /* the first that is not 0 */
    uint8_t labels[2][NET_W * NET_H];
};

static bool fine(struct run *r, int status)
{
    if (status && !r->status)
        r->status = status;
    return status == 0;
}

static bool open_all(struct run *r)
{
    *r = (struct run){0};
    return fine(r, rvos_device_open(&r->device,
                                    &(rvos_device_params){.backend = backend,
                                                          .threads = scenario->threads,
                                                          .log = on_log,
                                                          .log_opaque = &log_})) &&
           fine(r, rvos_model_load(
                       &r->model, r->device, path,
                       &(rvos_model_params){.width = NET_W,
                                            .height = NET_H,
                                            .max_batch = scenario->max_batch})) &&
           fine(r, rvos_stream_open(&r->stream, r->model, &scenario->stream)) &&
           (!scenario->second.objects ||
            fine(r, rvos_stream_open(&r->second, r->model, &scenario->second)));
}

static void close_all(struct run *r)
{
    CHECK(r->status || (r->device && r->model && r->stream));
    rvos_stream_close(&r->second);
    close_handles(&r->stream, &r->model, &r->device);
}

/* A frame with all outputs; sizes depend on `t` / 2. */
static bool frame_of(struct run *r, rvos_stream *stream, const rvos_stream_params *params,
                     int t, uint8_t *labels)
{
    static uint8_t rgb[NET_W * NET_H * 3], rgba[NET_W * NET_H * 4], alpha[NET_W * NET_H];
    static float mask[NET_W * NET_H];
    int w = NET_W - t / 2, h = NET_H - t / 2;
    rvos_image image = rgb_image(rgb, w, h), with_alpha = {.format = RVOS_RGBA,
                                                           .width = w,
                                                           .height = h,
                                                           .plane = {rgba},
                                                           .stride = {4 * (ptrdiff_t)w}};
    rvos_labels l = {.width = w, .height = h, .data = labels, .stride = w};
    rvos_labels a = {.width = w, .height = h, .data = alpha, .stride = w};
    rvos_object object;

    make_frame(rgb, w, h, t);
    return fine(r, rvos_stream_prepare(stream, w, h)) &&
           (params->task != RVOS_TASK_ONE_SHOT || fine(r, seed_objects(stream, 3, 3))) &&
           fine(r, rvos_stream_process(stream, &image,
                                       &(rvos_output){.labels = &l, .alpha = &a})) &&
           fine(r, rvos_draw(r->device, &image, &l, NULL)) &&
           fine(r, rvos_set_alpha(r->device, &with_alpha, &a)) &&
           fine(r, rvos_stream_drop(stream, 2)) &&
           fine(r, rvos_stream_get_object(stream, 1, &object)) &&
           fine(r, rvos_stream_read_mask(stream, 1, mask));
}

static bool frame(struct run *r, int t)
{
    return frame_of(r, r->stream, &scenario->stream, t, r->labels[0]) &&
           (!r->second || frame_of(r, r->second, &scenario->second, t, r->labels[1]));
}

static void run_all(struct run *r)
{
    if (open_all(r) && fine(r, rvos_stream_warm_up(r->stream)) && frame(r, 0))
        frame(r, 2);
}

/* Fails the k-th allocation; false: there were fewer. */
static bool fail_one(long k)
{
    long before = atomic_load(&live), made;
    static struct run r;

    atomic_store(&ours, 0);
    atomic_store(&fail_at, k);
    log_.errors = log_.warnings = 0;
    run_all(&r);
    made = atomic_load(&ours);
    atomic_store(&fail_at, 0);
    test_note(CHECK(r.status == (made >= k ? RVOS_ERR_MEMORY : 0)),
              "%s: allocation %ld of %ld: %d, %s", scenario->name, k, made, r.status,
              log_.last);
    test_note(CHECK(!r.status || log_.errors), "%s: allocation %ld failed without a word",
              scenario->name, k);
    if (r.stream) /* with enough memory the same call must work */
        CHECK((r.status = 0, frame_of(&r, r.stream, &scenario->stream, 2, r.labels[0])));
    close_all(&r);
    test_note(CHECK(atomic_load(&live) == before),
              "%s: allocation %ld: %ld blocks leaked", scenario->name, k,
              atomic_load(&live) - before);
    return made >= k;
}

/* Fails the k-th read of the model file; false: there were fewer. */
static bool fail_read(long k)
{
    long before = atomic_load(&live), made;
    static struct run r;

    atomic_store(&reads.made, 0);
    atomic_store(&reads.fail_count, 1);
    atomic_store(&reads.fail_from, k);
    log_.errors = 0;
    run_all(&r);
    made = atomic_load(&reads.made);
    atomic_store(&reads.fail_from, 0);
    test_note(CHECK(r.status == (made >= k ? RVOS_ERR_IO : 0)),
              "%s: read %ld of %ld: %d, %s", scenario->name, k, made, r.status,
              log_.last);
    CHECK(!r.status || log_.errors);
    close_all(&r);
    test_note(CHECK(atomic_load(&live) == before), "%s: read %ld: %ld blocks leaked",
              scenario->name, k, atomic_load(&live) - before);
    return made >= k;
}

/* The k-th thread and all after it cannot be started: the same masks, with a warning. */
static void fail_threads(void)
{
    static struct run all, r;

    log_.warnings = 0;
    run_all(&all);
    CHECK(!all.status);
    for (int k = 1; k <= scenario->threads; k++) {
        int warnings = log_.warnings;
        rvos_device_info info;

        atomic_store(&threads.made, 0);
        atomic_store(&threads.fail_count, 1000);
        atomic_store(&threads.fail_from, k);
        run_all(&r);
        atomic_store(&threads.fail_from, 0);
        test_note(CHECK(!r.status && log_.warnings > warnings), "%s: thread %d: %d, %s",
                  scenario->name, k, r.status, log_.last);
        CHECK(strstr(log_.last, "threads could not be started") != NULL);
        rvos_device_get_info(r.device, &info);
        CHECK(info.threads == (k > 1 ? k - 1 : 1) &&
              info.threads_refused == scenario->threads - k + 1);
        CHECK(!memcmp(r.labels, all.labels, sizeof(all.labels)));
        close_all(&r);
    }
    close_all(&all);
}

/* After the first frames of a size nothing is allocated. AUTO has frames of the start, of
 * following, and of discovery. */
static void steady(void)
{
    static struct run r;
    long before, all;

    if (!CHECK(open_all(&r)))
        return;
    for (int t = 0; t < 3; t++)
        CHECK(frame(&r, 0));
    before = atomic_load(&ours);
    all = atomic_load(&everyones);
    for (int t = 0; t < 20; t++)
        CHECK(frame(&r, 0));
    test_note(CHECK(atomic_load(&ours) == before), "%ld allocations in 20 frames",
              atomic_load(&ours) - before);
#ifdef COUNTS_ALL
    printf("%s, %s: %ld allocations of the engine in 20 frames, %ld of other "
           "libraries\n",
           backend, scenario->name, atomic_load(&ours) - before,
           atomic_load(&everyones) - all);
#else
    (void)all;
#endif
    close_all(&r);
}

int main(int argc, char **argv)
{
    long step = argc > 3 ? strtol(argv[3], NULL, 10) : 1;

    if (argc < 3)
        return test_skip("usage: allocs BACKEND MODEL_DIR [STEP]");
    backend = argv[1];
    snprintf(path, sizeof(path), "%s/r18.safetensors", argv[2]);
    log_.quiet = true;
    for (size_t i = 0; i < sizeof(scenarios) / sizeof(scenarios[0]); i++) {
        long allocs = 1, read = 1;

        scenario = &scenarios[i];
        steady();
        fail_threads();
        while (fail_one(allocs))
            allocs += step;
        while (fail_read(read)) /* there are many similar reads */
            read += 13 * step;
        CHECK(allocs > 50 && read > 50);
        printf("%s, %s: %ld allocations, one in %ld failed; %ld reads\n", backend,
               scenario->name, allocs - 1, step, read - 1);
    }
    return test_done();
}
