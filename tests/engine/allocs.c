/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* allocs.c - every allocation of the engine fails once, and none happens in a frame.
 *
 *     allocs BACKEND MODEL_DIR [STEP]
 *
 * The engine is linked into this program with its allocator wrapped (ld --wrap), so that
 * what is counted, and fails, is the engine's own: libc's and oneDNN's go their way. The
 * k-th allocation fails for k = 1, 1 + STEP, ... until all have. */
#include "fixture.h"

static atomic_long ours, live, everyones; /* calls, blocks, calls of all libraries */
static atomic_long fail_at;               /* which of our calls; 0: none */

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *old, size_t size);
void *__real_aligned_alloc(size_t align, size_t size);
char *__real_strdup(const char *text);
void __real_free(void *block);

/* Counts a call; false: it is the one to fail. */
static bool granted(void)
{
    return atomic_fetch_add(&ours, 1) + 1 != atomic_load(&fail_at);
}

static void *counted(void *block)
{
    atomic_fetch_add(&live, block != NULL);
    return block;
}

void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *old, size_t size);
void *__wrap_aligned_alloc(size_t align, size_t size);
char *__wrap_strdup(const char *text);
void __wrap_free(void *block);

void *__wrap_malloc(size_t size)
{
    return granted() ? counted(__real_malloc(size)) : NULL;
}

void *__wrap_calloc(size_t n, size_t size)
{
    return granted() ? counted(__real_calloc(n, size)) : NULL;
}

void *__wrap_realloc(void *old, size_t size)
{
    if (!granted())
        return NULL;
    return old ? __real_realloc(old, size) : counted(__real_malloc(size));
}

void *__wrap_aligned_alloc(size_t align, size_t size)
{
    return granted() ? counted(__real_aligned_alloc(align, size)) : NULL;
}

char *__wrap_strdup(const char *text)
{
    return granted() ? counted(__real_strdup(text)) : NULL;
}

void __wrap_free(void *block)
{
    atomic_fetch_sub(&live, block != NULL);
    __real_free(block);
}

#if defined(__GLIBC__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define COUNTS_ALL 1
/* glibc lets a program bring its own allocator: that is how all calls are seen. */
extern void *__libc_malloc(size_t size), *__libc_calloc(size_t n, size_t size),
    *__libc_realloc(void *old, size_t size), *__libc_memalign(size_t align, size_t size);
#undef malloc
void *(malloc)(size_t size)
{
    atomic_fetch_add(&everyones, 1);
    return __libc_malloc(size);
}
void *(calloc)(size_t n, size_t size)
{
    atomic_fetch_add(&everyones, 1);
    return __libc_calloc(n, size);
}
void *(realloc)(void *old, size_t size)
{
    atomic_fetch_add(&everyones, 1);
    return __libc_realloc(old, size);
}
void *(aligned_alloc)(size_t align, size_t size)
{
    atomic_fetch_add(&everyones, 1);
    return __libc_memalign(align, size);
}
int posix_memalign(void **out, size_t align, size_t size)
{
    atomic_fetch_add(&everyones, 1);
    *out = __libc_memalign(align, size);
    return *out ? 0 : 12; /* ENOMEM */
}
#endif

static struct log log_;
static const char *backend;
static rvos_task task;
static char path[1024];

struct run {
    rvos_device *device;
    rvos_model *model;
    rvos_stream *stream;
    int status; /* first that was not 0 */
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
                                                          .threads = 1,
                                                          .log = on_log,
                                                          .log_opaque = &log_})) &&
           fine(r,
                rvos_model_load(&r->model, r->device, path,
                                &(rvos_model_params){.width = NET_W, .height = NET_H})) &&
           fine(r,
                rvos_stream_open(&r->stream, r->model,
                                 &(rvos_stream_params){.task = task,
                                                       .variant = RVOS_VARIANT_TEMPORAL,
                                                       .objects = 2,
                                                       .discovery_interval = 3}));
}

static void close_all(struct run *r)
{
    CHECK(r->status || (r->device && r->model && r->stream));
    rvos_stream_close(&r->stream);
    rvos_model_close(&r->model);
    rvos_device_close(&r->device);
}

/* A frame with everything that can be asked for; sizes depend on `t` / 2. */
static bool frame(struct run *r, int t)
{
    static uint8_t rgb[NET_W * NET_H * 3], labels[NET_W * NET_H], alpha[NET_W * NET_H];
    static float mask[NET_W * NET_H];
    int w = NET_W - t / 2, h = NET_H - t / 2;
    rvos_image image = rgb_image(rgb, w, h);
    rvos_labels l = {.width = w, .height = h, .data = labels, .stride = w};
    rvos_labels a = {.width = w / 2, .height = h, .data = alpha, .stride = w};
    rvos_object object;

    make_frame(rgb, w, h, t);
    return (task == RVOS_TASK_AUTO || fine(r, seed_objects(r->stream, 3, 3))) &&
           fine(r, rvos_stream_process(r->stream, &image,
                                       &(rvos_output){.labels = &l, .alpha = &a})) &&
           fine(r, rvos_draw(r->device, &image, &l, NULL)) &&
           fine(r, rvos_stream_get_object(r->stream, 1, &object)) &&
           fine(r, rvos_stream_read_mask(r->stream, 1, mask));
}

/* Fails the k-th allocation; false: there were not so many. */
static bool fail_one(long k)
{
    long before = atomic_load(&live), made;
    struct run r;

    atomic_store(&ours, 0);
    atomic_store(&fail_at, k);
    log_.errors = 0;
    if (open_all(&r) && fine(&r, rvos_stream_warm_up(r.stream)) && frame(&r, 0))
        frame(&r, 2);
    made = atomic_load(&ours);
    atomic_store(&fail_at, 0);
    test_note(CHECK(r.status == (made >= k ? RVOS_ERR_MEMORY : 0)),
              "allocation %ld of %ld: %d, %s", k, made, r.status, log_.last);
    test_note(CHECK(!r.status || log_.errors), "allocation %ld failed without a word", k);
    if (r.stream) /* what failed for lack of memory works when there is some */
        CHECK((r.status = 0, frame(&r, 2)));
    close_all(&r);
    test_note(CHECK(atomic_load(&live) == before), "allocation %ld: %ld blocks leaked", k,
              atomic_load(&live) - before);
    return made >= k;
}

/* After the first frames of a size nothing is allocated; of AUTO these are frames of the
 * start, of following, and of discovery. */
static void steady(void)
{
    struct run r;
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
    printf("%s, task %d: %ld allocations of the engine in 20 frames, %ld of other "
           "libraries\n",
           backend, (int)task, atomic_load(&ours) - before,
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
    for (int i = 0; i < 2; i++) {
        long k = 1;

        task = i ? RVOS_TASK_AUTO : RVOS_TASK_ONE_SHOT;
        steady();
        while (fail_one(k))
            k += step;
        CHECK(k > 50);
        printf("%s, task %d: %ld allocations, one in %ld failed\n", backend, (int)task,
               k - 1, step);
    }
    return test_done();
}
