/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* memory.c - compares pictures in device memory, and drawing on them, with the CPU's
 * bytes, and counts the work of a frame. It runs on the emulated GPU, whose device memory
 * is the host's. The benchmark of tests/gpu.sh does the same on a real one.
 *
 *     cuda-memory MODEL_DIR */
#include <dlfcn.h>
#include <string.h>

#include "../engine/fixture.h"
#include "../unit/images.h"

struct counts {
    long mallocs, launches, graphs, nodes, chained, copied[5];
    long physical; /* bytes of virtual memory */
};

/* Pictures of one format, size and seed are alike. */
static struct test_image make_picture(rvos_format format, int w, int h, uint64_t seed)
{
    return test_image_new(format, w, h, &seed);
}

static bool alike(const struct test_image *a, const struct test_image *b)
{
    for (int i = 0; i < test_image_planes(&a->image); i++)
        if (memcmp(a->plane[i].data, b->plane[i].data, a->plane[i].size))
            return false;
    return true;
}

static void draw_as_cpu(rvos_device *cpu, rvos_device *cuda)
{
    static const rvos_draw_params how[] = {{.opacity = 0.5f, .contour = 2},
                                           {.opacity = 0.3f},
                                           {.opacity = 0, .contour = 1},
                                           {.opacity = 1, .contour = 7},
                                           {.replace = true}};
    enum { W = 61, H = 43 };
    static uint8_t labels[2 * W * H];

    for (int step = 1; step <= 2; step++)
        for (int format = RVOS_RGB; format <= RVOS_I420; format++)
            for (size_t i = 0; i < sizeof(how) / sizeof(how[0]); i++) {
                struct test_image a = make_picture((rvos_format)format, W, H, 7);
                struct test_image b = make_picture((rvos_format)format, W, H, 7);
                rvos_labels l = {.width = W,
                                 .height = H,
                                 .data = labels,
                                 .stride = step * W,
                                 .step = step};

                for (int y = 0; y < H; y++)
                    for (int x = 0; x < W; x++)
                        labels[step * (y * W + x)] =
                            (uint8_t)((x / 9 + y / 11) % 5 == 4 ? 33 + x
                                                                : (x / 9 * y / 11) % 4);
                CHECK(rvos_draw(cpu, &a.image, &l, &how[i]) == 0);
                b.image.memory = l.memory = RVOS_MEMORY_CUDA;
                CHECK(rvos_draw(cuda, &b.image, &l, &how[i]) == 0);
                test_note(CHECK(alike(&a, &b)), "format %d, way %zu", format, i);
                test_image_free(&a);
                test_image_free(&b);
            }
}

static void alpha_as_cpu(rvos_device *cpu, rvos_device *cuda)
{
    uint8_t plane[31 * 17];
    rvos_labels alpha = {.width = 31, .height = 17, .data = plane, .stride = 31};

    for (size_t i = 0; i < sizeof(plane); i++)
        plane[i] = (uint8_t)(i * 7);
    for (int format = RVOS_RGBA; format <= RVOS_ABGR; format++) {
        struct test_image a = make_picture((rvos_format)format, 31, 17, 3);
        struct test_image b = make_picture((rvos_format)format, 31, 17, 3);

        alpha.memory = RVOS_MEMORY_HOST;
        CHECK(rvos_set_alpha(cpu, &a.image, &alpha) == 0);
        b.image.memory = alpha.memory = RVOS_MEMORY_CUDA;
        CHECK(rvos_set_alpha(cuda, &b.image, &alpha) == 0);
        CHECK(alike(&a, &b));
        test_image_free(&a);
        test_image_free(&b);
    }
}

/* Labels and alpha of one frame, in memory of either kind. */
static void segment(rvos_model *model, rvos_task task, const struct test_image *p,
                    rvos_memory memory, uint8_t *labels, uint8_t *alpha,
                    rvos_object *object)
{
    rvos_stream *stream = open_stream(model, task, 3);
    rvos_image image = p->image;
    rvos_labels l = {
        .memory = memory, .width = 91, .height = 67, .data = labels, .stride = 91};
    rvos_labels a = {.memory = memory,
                     .width = 50,
                     .height = 40,
                     .data = alpha,
                     .stride = 100,
                     .step = 2};

    image.memory = memory;
    CHECK(rvos_stream_process(stream, &image,
                              &(rvos_output){.labels = &l,
                                             .alpha = &a,
                                             .threshold = 0.3f,
                                             .min_object_size = 5}) == 0);
    *object = object_of(stream, 1);
    rvos_stream_close(&stream);
}

/* Host and device memory give the same result, equal to the CPU's. */
static void compare(rvos_model *cpu, rvos_model *cuda, rvos_task task,
                    const struct test_image *p)
{
    uint8_t labels[3][91 * 67] = {{0}}, alpha[3][40 * 100] = {{0}};
    rvos_object object[3];
    int off = 0, worst = 0;

    segment(cpu, task, p, RVOS_MEMORY_HOST, labels[0], alpha[0], &object[0]);
    segment(cuda, task, p, RVOS_MEMORY_HOST, labels[1], alpha[1], &object[1]);
    segment(cuda, task, p, RVOS_MEMORY_CUDA, labels[2], alpha[2], &object[2]);
    CHECK(!memcmp(labels[1], labels[2], sizeof(labels[1])));
    CHECK(!memcmp(alpha[1], alpha[2], sizeof(alpha[1])));
    CHECK(same_object(&object[1], &object[2]));
    for (size_t k = 0; k < sizeof(labels[0]); k++)
        off += labels[0][k] != labels[1][k];
    for (size_t k = 0; k < sizeof(alpha[0]); k++) {
        int d = abs(alpha[0][k] - alpha[1][k]);

        worst = d > worst ? d : worst;
    }
    test_note(CHECK(off <= 3), "format %d, %dx%d: %d labels differ", p->image.format,
              p->image.width, p->image.height, off);
    test_note(CHECK(worst <= 1), "format %d, %dx%d: alpha is off by %d", p->image.format,
              p->image.width, p->image.height, worst);
    CHECK_NEAR(object[0].score, object[1].score, 1e-4);
    CHECK(object[0].serial == object[1].serial);
}

/* Every format. Tall and wide pictures are shrunk so much that pixels.cu needs several
 * strips. Under a sanitizer each format has one of the sizes. */
static void formats(rvos_model *cpu, rvos_model *cuda)
{
    static const int size[3][2] = {{163, 101}, {39, 1403}, {1203, 21}};

    for (int i = 0; i < 3 * (RVOS_I420 + 1); i++) {
        struct test_image p;

        if (TEST_SANITIZED && i % 3 != i / 3 % 3)
            continue;
        p = make_picture((rvos_format)(i / 3), size[i % 3][0], size[i % 3][1], 11);
        compare(cpu, cuda, RVOS_TASK_ZERO_SHOT, &p);
        if (i % 3 == 0)
            compare(cpu, cuda, RVOS_TASK_AUTO, &p);
        test_image_free(&p);
    }
}

/* An unsupported format is an error with a message, without other effects. */
static void other_formats(rvos_device *device, rvos_model *cuda)
{
    rvos_stream *stream = open_stream(cuda, RVOS_TASK_ZERO_SHOT, 3);
    uint8_t plane[61 * 43] = {0};
    rvos_labels l = {.width = 61, .height = 43, .data = plane, .stride = 61};

    for (int format = RVOS_I420 + 1; format <= RVOS_P010; format++) {
        struct test_image p = make_picture((rvos_format)format, 61, 43, 5);
        rvos_image *im = &p.image;
        int errors = log_.errors;

        log_.quiet = true;
        CHECK(rvos_stream_process(stream, im, &(rvos_output){.labels = &l}) ==
              RVOS_ERR_UNSUPPORTED);
        CHECK(strstr(log_.last, "NV12 and I420 only"));
        im->memory = l.memory = RVOS_MEMORY_CUDA;
        CHECK(rvos_draw(device, im, &l, NULL) == RVOS_ERR_UNSUPPORTED);
        im->memory = l.memory = RVOS_MEMORY_HOST;
        log_.quiet = false;
        CHECK(log_.errors == errors + 2);
        CHECK(rvos_draw(device, im, &l, NULL) == 0); /* the CPU draws */
        log_.errors = errors;
        test_image_free(&p);
    }
    rvos_stream_close(&stream);
}

static struct counts *(*counts)(void);

static bool find_counts(void)
{
    void *module = dlopen("librvos-cuda.so", RTLD_NOW | RTLD_NOLOAD);

    if (!CHECK(module))
        return false;
    *(void **)&counts = dlsym(module, "rv_emulated_counts");
    dlclose(module); /* the device keeps it */
    return CHECK(counts);
}

/* After the first frame nothing is allocated, no graph is made, and one is launched. */
static void frugal(rvos_model *model)
{
    rvos_stream *stream = open_stream(model, RVOS_TASK_ZERO_SHOT, 3);
    uint8_t labels[NET_W * NET_H];
    struct counts before;

    CHECK(process_labels(stream, 0, labels) == 0);
    before = *counts();
    CHECK(before.mallocs > 0 && before.graphs > 0 && before.nodes > 50);
    for (int t = 1; t < 5; t++)
        CHECK(process_labels(stream, t, labels) == 0);
    CHECK(!memcmp(&before, counts(), offsetof(struct counts, copied)));
    printf("%ld nodes in the graph\n", before.nodes);
    rvos_stream_close(&stream);
}

/* Frames of a model whose plan cannot capture the first `failures` times, on a GPU of
 * compute capability `sm`. */
static void play_uncaptured(rvos_device *cuda, const char *folder, const char *failures,
                            const char *sm, uint8_t labels[4][NET_W * NET_H])
{
    rvos_model *model = load_batched(cuda, folder, 1, 0);
    rvos_stream *stream;

    setenv("RVOS_EMULATED_UNCAPTURED", failures, 1);
    setenv("RVOS_EMULATED_SM", sm, 1);
    stream = open_stream(model, RVOS_TASK_ZERO_SHOT, 3);
    for (int t = 0; t < 4; t++)
        CHECK(process_labels(stream, t, labels[t]) == 0);
    unsetenv("RVOS_EMULATED_UNCAPTURED");
    unsetenv("RVOS_EMULATED_SM");
    close_handles(&stream, &model, NULL);
}

/* One failure costs one frame its graph. After a second one the steps are launched one by
 * one, and the log says so once. No frame is lost or differs. */
static void uncaptured(rvos_device *cuda, const char *folder)
{
    static const struct {
        const char *failures, *sm;
        int graphs, warnings;
    } cases[] = {
        {"0", "80", 1, 0}, {"1", "80", 1, 0}, {"2", "80", 0, 1}, {"9", "90", 0, 1}};
    static uint8_t labels[2][4][NET_W * NET_H];
    int errors = log_.errors;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int warnings = log_.warnings;
        long graphs = counts()->graphs;

        log_.quiet = true;
        play_uncaptured(cuda, folder, cases[i].failures, cases[i].sm, labels[i > 0]);
        log_.quiet = false;
        warnings = log_.warnings - warnings;
        graphs = counts()->graphs - graphs;
        test_note(CHECK(graphs == cases[i].graphs && warnings == cases[i].warnings),
                  "%s failures: %ld graphs, %d warnings", cases[i].failures, graphs,
                  warnings);
        CHECK(!warnings || strstr(log_.last, "could not be captured"));
        CHECK(!memcmp(labels[0], labels[i > 0], sizeof(labels[0])));
    }
    CHECK(log_.errors == errors);
    log_.warnings = 0;
}

/* Plans for 2, 4 and 8 frames together take the memory of the plan for 8. batch.c tests
 * their results. */
static void shared(rvos_device *cuda, const char *folder)
{
    rvos_model *model = load_batched(cuda, folder, 8, 0);
    rvos_stream *stream[8];
    long after[9] = {0}; /* so many streams were opened */

    for (int n = 0; n < 8; n++) {
        stream[n] = open_stream(model, RVOS_TASK_ZERO_SHOT, 3);
        after[n + 1] = counts()->physical;
        CHECK(process_frame(stream[n / 2], 0, NULL) == 0);
    }
    printf("scratch of 2, 4, 8 frames: %ld, %ld, %ld bytes\n", after[2], after[4],
           after[8]);
    CHECK(after[1] == 0 && after[2] > 0 && after[3] == after[4] && after[5] == after[8]);
    CHECK(after[4] > after[2] && after[4] < 2.3 * after[2]);
    CHECK(after[8] > after[4] && after[8] < 2.3 * after[4]);
    for (int n = 0; n < 8; n++)
        rvos_stream_close(&stream[n]);
    rvos_model_close(&model);
    CHECK(counts()->physical == 0);
}

/* Without virtual memory each plan has its own. */
static void unshared(rvos_device *cuda, const char *folder)
{
    rvos_model *model = load_batched(cuda, folder, 4, 0);
    rvos_stream *stream[3];

    setenv("RVOS_EMULATED_GRANULARITY", "0", 1);
    for (int n = 0; n < 3; n++)
        stream[n] = open_stream(model, RVOS_TASK_ZERO_SHOT, 3);
    CHECK(counts()->physical == 0);
    unsetenv("RVOS_EMULATED_GRANULARITY");
    for (int n = 0; n < 3; n++) {
        CHECK(process_frame(stream[n], 0, NULL) == 0);
        rvos_stream_close(&stream[n]);
    }
    rvos_model_close(&model);
}

/* If a larger plan gets no memory, the streams still run, in passes of the existing
 * plans, and nothing is lost. */
static void starved_plans(rvos_device *cuda, const char *folder)
{
    int warned = 0, n;

    log_.quiet = true;
    for (n = 1; n < 400; n += TEST_SANITIZED ? 3 : 1) {
        rvos_model *model = load_batched(cuda, folder, 4, 0);
        rvos_stream *stream[3] = {0};
        int warnings = log_.warnings, ret = 0;
        long mallocs;
        char at[16];

        setenv("RVOS_EMULATED_DRY", "1", 1); /* but frames are computed */
        stream[0] = open_stream(model, RVOS_TASK_ZERO_SHOT, 3);
        snprintf(at, sizeof(at), "+%d", n);
        setenv("RVOS_EMULATED_FAIL", at, 1);
        mallocs = counts()->mallocs;
        for (int i = 1; i < 3 && !ret; i++)
            ret =
                rvos_stream_open(&stream[i], model, &(rvos_stream_params){.objects = 3});
        mallocs = counts()->mallocs - mallocs;
        unsetenv("RVOS_EMULATED_FAIL");
        unsetenv("RVOS_EMULATED_DRY");
        CHECK(ret == 0 || ret == RVOS_ERR_MEMORY);
        CHECK(log_.warnings - warnings <= 1);
        warned += log_.warnings > warnings;
        for (int i = 0; i < 3; i++) {
            CHECK(!stream[i] || process_frame(stream[i], 0, NULL) == 0);
            rvos_stream_close(&stream[i]);
        }
        rvos_model_close(&model);
        CHECK(counts()->physical == 0);
        if (mallocs < n) /* so many are needed at all */
            break;
    }
    log_.quiet = false;
    log_.warnings = 0;
    CHECK(n < 400 && warned > (TEST_SANITIZED ? 3 : 10));
    printf("allocations up to the %dth failed, %d cost a plan\n", n - 1, warned);
}

/* Out of device memory, at every allocation in turn: an error, no leak, no crash. */
static void starved(rvos_device *cuda, const char *folder)
{
    int failed = 0;

    log_.quiet = true;
    for (int n = 1; n < 400; n += n < 40 ? 1 : 17) {
        rvos_model *model = NULL;
        rvos_stream *stream = NULL;
        char path[1024], at[16];
        int ret;

        snprintf(path, sizeof(path), "%s/r18.safetensors", folder);
        snprintf(at, sizeof(at), "+%d", n);
        setenv("RVOS_EMULATED_FAIL", at, 1);
        ret = rvos_model_load(&model, cuda, path,
                              &(rvos_model_params){.width = NET_W, .height = NET_H});
        setenv("RVOS_EMULATED_DRY", "1", 1);
        if (!ret)
            ret = rvos_stream_open(&stream, model, NULL);
        unsetenv("RVOS_EMULATED_DRY");
        if (!ret)
            ret = process_frame(stream, 0, NULL);
        CHECK(ret == 0 || ret == RVOS_ERR_MEMORY);
        failed += ret != 0;
        close_handles(&stream, &model, NULL);
        unsetenv("RVOS_EMULATED_FAIL");
    }
    log_.quiet = false;
    CHECK(failed > 30);
}

int main(int argc, char **argv)
{
    rvos_device *cpu, *cuda;
    rvos_model *a, *b;

    if (argc < 2)
        return test_skip("usage: cuda-memory MODEL_DIR");
    cpu = open_device("cpu", 1, &log_);
    cuda = open_device("cuda", 0, &log_);
    if (!cpu || !cuda)
        return test_done();
    draw_as_cpu(cpu, cuda);
    alpha_as_cpu(cpu, cuda);
    a = load_model(cpu, argv[1], "r18", NET_W, NET_H);
    b = load_with(cuda, argv[1], "r18",
                  (rvos_model_params){
                      .width = NET_W, .height = NET_H, .precision = RVOS_PRECISION_FP32});
    formats(a, b);
    other_formats(cuda, b);
    if (find_counts()) {
        frugal(b);
        uncaptured(cuda, argv[1]);
        shared(cuda, argv[1]);
        unshared(cuda, argv[1]);
    }
    starved(cuda, argv[1]);
    CHECK(log_.warnings == 0);
    if (counts)
        starved_plans(cuda, argv[1]);
    rvos_model_close(&a);
    close_handles(NULL, &b, &cpu);
    rvos_device_close(&cuda);
    return test_done();
}
