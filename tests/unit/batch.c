/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* batch.c - tests leaders and followers with a backend that runs nothing and that the
 * test can hold: which frames run together, in what order, which wait, and their results.
 * Nothing depends on time, except that an endless wait is a hang. */
#include "batch.h"

#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "../test.h"

#define MOST 64
#define FOREVER INT_MAX /* microseconds: half an hour */

struct rv_plan {
    int size;
};

struct pass {
    int size, n, stream[RVOS_MAX_BATCH];
};

static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool held;    /* passes stop in plan_run ... */
    int permits;  /* ... but so many */
    int running;  /* never more than one */
    int bad, why; /* passes with stream `bad` fail with status `why`; -1: none */
    struct pass pass[4096];
    int passes;
    int destroyed;
} fake = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

static int plan_run(struct rv_plan *plan, const struct rv_job *jobs, int n)
{
    struct pass *pass;
    int status = 0;

    pthread_mutex_lock(&fake.lock);
    CHECK(++fake.running == 1 && n >= 1 && n <= plan->size);
    pass = &fake.pass[fake.passes++];
    *pass = (struct pass){.size = plan->size, .n = n};
    for (int i = 0; i < n; i++) {
        pass->stream[i] = jobs[i].live[0];
        status = jobs[i].live[0] == fake.bad ? fake.why : status;
        for (int k = 0; k < i; k++)
            CHECK(pass->stream[k] != pass->stream[i]);
        if (jobs[i].frame)
            ++*(int *)jobs[i]
                   .state.ptr; /* no lock: only the pass uses a stream's state */
    }
    pthread_cond_broadcast(&fake.changed);
    while (fake.held && !fake.permits)
        pthread_cond_wait(&fake.changed, &fake.lock);
    if (fake.held)
        fake.permits--;
    fake.running--;
    pthread_mutex_unlock(&fake.lock);
    return status;
}

static void plan_destroy(struct rv_plan *plan)
{
    fake.destroyed++;
    free(plan);
}

static const struct rv_backend backend = {.plan_run = plan_run,
                                          .plan_destroy = plan_destroy};
static rvos_device device = {.fn = &backend};
static const rvos_image frame;

static struct rv_plan *new_plan(int size)
{
    struct rv_plan *plan = malloc(sizeof(*plan));

    if (!plan)
        exit(1);
    plan->size = size;
    return plan;
}

struct stream {
    struct rv_batch *batch;
    struct rv_member member;
    int id, state, frames, status;
    bool warm_up;
    pthread_t thread;
};

static struct stream stream[MOST];
static int streams;

static void open_streams(struct rv_batch *batch, int n)
{
    streams = n;
    for (int i = 0; i < n; i++) {
        stream[i] = (struct stream){.batch = batch, .id = i, .frames = 1};
        rv_member_init(&stream[i].member);
    }
}

static void close_streams(void)
{
    while (streams)
        rv_member_finish(&stream[--streams].member);
}

/* A batch with plans of 1, 2, 4 ... up to `largest` frames, and n streams; nothing is
 * held. */
static void open_batch(struct rv_batch *batch, int max, int largest, int wait_us, int n)
{
    open_streams(batch, n);
    fake.held = false;
    fake.permits = fake.passes = fake.destroyed = 0;
    fake.bad = -1;
    rv_batch_init(batch, &device, max, wait_us, new_plan(1));
    for (int size = 2; size <= largest; size *= 2)
        rv_batch_add(batch, new_plan(size), size);
}

static void close_batch(struct rv_batch *batch)
{
    int plans = batch->plans;

    close_streams();
    CHECK(!batch->first && !batch->busy && !batch->queued && !batch->awaited);
    rv_batch_finish(batch);
    CHECK(fake.destroyed == plans);
}

static void *process(void *opaque)
{
    struct stream *s = opaque;

    for (int i = 0; i < s->frames; i++) {
        struct rv_job job = {.frame = s->warm_up ? NULL : &frame,
                             .live = {s->id},
                             .state = {&s->state, sizeof(s->state)}};

        s->status = rv_batch_run(s->batch, &s->member, &job);
    }
    return NULL;
}

static void start(int i)
{
    if (!CHECK(!pthread_create(&stream[i].thread, NULL, process, &stream[i])))
        exit(1);
}

static void join(int first, int end)
{
    for (int i = first; i < end; i++)
        pthread_join(stream[i].thread, NULL);
}

/* A stream's next frames, to their end. */
static void run(int i)
{
    start(i);
    join(i, i + 1);
}

/* Waits until so many are queued, or until the leader waits. */
static void until_queued(struct rv_batch *batch, int n, bool waiting)
{
    for (bool there = false; !there; usleep(200)) {
        pthread_mutex_lock(&batch->lock);
        there = batch->queued == n && batch->waiting == waiting;
        pthread_mutex_unlock(&batch->lock);
    }
}

static void until_passes(int n)
{
    pthread_mutex_lock(&fake.lock);
    while (fake.passes < n)
        pthread_cond_wait(&fake.changed, &fake.lock);
    pthread_mutex_unlock(&fake.lock);
}

/* One by one, so that the order is known. */
static void queue_up(struct rv_batch *batch, int first, int end)
{
    for (int i = first; i < end; i++) {
        start(i);
        until_queued(batch, i - first + 1, false);
    }
}

static void hold(bool held)
{
    pthread_mutex_lock(&fake.lock);
    fake.held = held;
    pthread_cond_broadcast(&fake.changed);
    pthread_mutex_unlock(&fake.lock);
}

static void expect_pass(int at, int size, int first, int n)
{
    const struct pass *p = &fake.pass[at];

    test_note(CHECK(at < fake.passes && p->size == size && p->n == n),
              "pass %d of %d: %d frames in a plan of %d, not %d in %d", at, fake.passes,
              p->n, p->size, n, size);
    for (int i = 0; i < n && i < p->n; i++)
        test_note(CHECK(p->stream[i] == first + i), "pass %d: frame %d is of stream %d",
                  at, i, p->stream[i]);
}

/* Stream 0 runs and `n` others queue up behind it; then all run. */
static void behind_a_pass(struct rv_batch *batch, int n)
{
    open_streams(batch, n + 1);
    hold(true);
    start(0);
    until_passes(1);
    queue_up(batch, 1, n + 1);
    hold(false);
    join(0, n + 1);
    for (int i = 0; i <= n; i++)
        CHECK(stream[i].status == 0 && stream[i].state == 1);
    expect_pass(0, 1, 0, 1);
    close_streams();
}

static void turns(void)
{
    struct rv_batch batch;

    open_batch(&batch, 1, 1, FOREVER, 0);
    behind_a_pass(&batch, 9);
    CHECK(fake.passes == 10);
    for (int i = 0; i < 10; i++)
        expect_pass(i, 1, i, 1);
    close_batch(&batch);
}

/* The smallest plan that holds the queued frames. */
static void sizes(void)
{
    for (int n = 1; n <= 16; n++) {
        struct rv_batch batch;
        int size = n > 8 ? 16 : n > 4 ? 8 : n > 2 ? 4 : n;
        int64_t frames, passes;

        open_batch(&batch, 16, 16, 0, 0);
        behind_a_pass(&batch, n);
        CHECK(fake.passes == 2);
        expect_pass(1, size, 1, n);
        CHECK(stream[1].member.shared == n && stream[0].member.shared == 1);
        rv_batch_count(&batch, &frames, &passes);
        CHECK(frames == n + 1 && passes == 2);
        close_batch(&batch);
    }
}

static void limits(void)
{
    struct rv_batch batch;

    open_batch(&batch, 3, 4, 0, 0); /* fewer than the plan could */
    behind_a_pass(&batch, 5);
    CHECK(fake.passes == 3);
    expect_pass(1, 4, 1, 3);
    expect_pass(2, 2, 4, 2);
    close_batch(&batch);
    open_batch(&batch, 16, 2, 0, 0); /* there was no memory for more */
    behind_a_pass(&batch, 5);
    CHECK(fake.passes == 4);
    for (int i = 1; i < 4; i++)
        expect_pass(i, i < 3 ? 2 : 1, 2 * i - 1, i < 3 ? 2 : 1);
    close_batch(&batch);
}

/* 64 streams run in the order of asking; then all of them again and again. */
static void fairness(void)
{
    struct rv_batch batch;

    open_batch(&batch, 16, 16, 0, 0);
    behind_a_pass(&batch, 63);
    CHECK(fake.passes == 5);
    for (int i = 1; i < 5; i++)
        expect_pass(i, 16, 16 * i - 15, i < 4 ? 16 : 15);
    open_streams(&batch, MOST);
    for (int i = 0; i < MOST; i++) {
        stream[i].frames = 30;
        start(i);
    }
    join(0, MOST);
    for (int i = 0; i < MOST; i++)
        CHECK(stream[i].state == 30 && stream[i].status == 0);
    close_batch(&batch);
}

/* Each runs a frame, so that all are awaited from now on. */
static void first_frames(int n)
{
    for (int i = 0; i < n; i++)
        run(i);
    fake.passes = 0;
}

/* An endless wait ends when no stream is missing ... */
static void wait_for_all(void)
{
    struct rv_batch batch;

    open_batch(&batch, 16, 16, FOREVER, 3);
    run(0); /* no other stream is awaited yet */
    batch.wait_us = 0;
    first_frames(3);
    batch.wait_us = FOREVER;
    for (int i = 0; i < 3; i++) {
        start(i);
        if (i < 2)
            until_queued(&batch, i + 1, true);
    }
    join(0, 3);
    expect_pass(0, 4, 0, 3);
    CHECK(batch.round == 1); /* no wait was in vain */
    close_batch(&batch);
}

/* ... or when the pass is full. */
static void wait_until_full(void)
{
    struct rv_batch batch;

    open_batch(&batch, 2, 2, 0, 3);
    first_frames(3);
    batch.wait_us = FOREVER;
    start(0);
    until_queued(&batch, 1, true);
    start(1);
    join(0, 2);
    expect_pass(0, 2, 0, 2);
    start(2);
    until_queued(&batch, 1, true);
    start(0);
    join(2, 3);
    join(0, 1);
    CHECK(fake.pass[1].n == 2 && fake.pass[1].stream[0] == 2);
    close_batch(&batch);
}

/* A stream that pauses costs one wait; after its next frame it is awaited again. */
static void idle_stream(void)
{
    struct rv_batch batch;

    open_batch(&batch, 4, 4, 0, 2);
    first_frames(2);
    batch.wait_us = 20000;
    run(0);
    expect_pass(0, 1, 0, 1);
    CHECK(batch.round == 2 && batch.awaited == 1);
    batch.wait_us = FOREVER;
    run(0); /* 1 is not awaited */
    expect_pass(1, 1, 0, 1);
    CHECK(batch.round == 2);
    for (int i = 1; i >= 0; i--) {
        start(i); /* 0 is awaited, and then 1 too */
        until_queued(&batch, 1, true);
        start(1 - i);
        join(0, 2);
        CHECK(fake.passes == 4 - i && fake.pass[3 - i].n == 2);
    }
    CHECK(batch.round == 2 && batch.awaited == 2);
    close_batch(&batch);
}

/* A stream that closes, or moves to another plan, is no longer awaited. */
static void close_while_others_wait(void)
{
    struct rv_batch batch, other;

    open_batch(&other, 4, 4, 0, 0);
    open_batch(&batch, 4, 4, 0, 3);
    first_frames(3);
    batch.wait_us = FOREVER;
    start(0);
    until_queued(&batch, 1, true);
    rv_member_finish(&stream[--streams].member);
    rv_member_move(&stream[1].member, &other);
    join(0, 1);
    expect_pass(0, 1, 0, 1);
    CHECK(other.awaited == 1 && batch.awaited == 1);
    run(0); /* alone by now */
    rv_member_move(&stream[1].member, &batch);
    CHECK(other.awaited == 0 && batch.awaited == 2);
    close_batch(&batch);
    fake.destroyed = 0;
    close_batch(&other);
}

/* 1 to 3 run together, and 2 fails. */
static void failing(int why)
{
    struct rv_batch batch;
    bool dead = why == RVOS_ERR_DEVICE;
    int64_t frames, passes;

    open_batch(&batch, 4, 4, 0, 4);
    hold(true);
    start(0);
    until_passes(1);
    queue_up(&batch, 1, 4);
    fake.bad = 2;
    fake.why = why;
    hold(false);
    join(0, 4);
    CHECK(fake.passes == (dead ? 2 : 5));
    expect_pass(1, 4, 1, 3);
    for (int i = 1; i < 4; i++) {
        test_note(CHECK(stream[i].status == (dead || i == 2 ? why : 0)),
                  "stream %d: %d after %d", i, stream[i].status, why);
        CHECK(stream[i].member.shared == (dead ? 3 : 1));
        if (!dead)
            expect_pass(1 + i, 1, i, 1);
    }
    rv_batch_count(&batch, &frames, &passes);
    CHECK(frames == (dead ? 1 : 3) && passes == (dead ? 2 : 4));
    fake.bad = -1;
    run(2); /* and goes on */
    CHECK(stream[2].status == 0);
    close_batch(&batch);
}

/* Warm-ups run in turn and alone. They wait for no stream and are not counted. */
static void warm_ups(void)
{
    struct rv_batch batch;
    int64_t frames, passes;

    open_batch(&batch, 4, 4, 0, 6);
    hold(true);
    start(0);
    until_passes(1);
    stream[2].warm_up = stream[3].warm_up = true;
    queue_up(&batch, 1, 6);
    hold(false);
    join(0, 6);
    CHECK(fake.passes == 5);
    expect_pass(1, 1, 1, 1);
    expect_pass(2, 1, 2, 1);
    expect_pass(3, 1, 3, 1);
    expect_pass(4, 2, 4, 2);
    rv_batch_count(&batch, &frames, &passes);
    CHECK(frames == 4 && passes == 3 && batch.awaited == 4);
    batch.wait_us = FOREVER;
    run(2);
    close_batch(&batch);
}

int main(void)
{
    turns();
    sizes();
    limits();
    fairness();
    wait_for_all();
    wait_until_full();
    idle_stream();
    close_while_others_wait();
    failing(RVOS_ERR_DEVICE);
    failing(RVOS_ERR_MEMORY);
    failing(RVOS_ERR_UNSUPPORTED);
    warm_ups();
    return test_done();
}
