/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* pool.c - tests that every worker does every job once, and that a wave ends before the
 * next one begins. */
#include <pthread.h>
#include <unistd.h>

#include "../test.h"
#include "cpu/pool.h"

#define MOST 8
#define WAVES 300

static atomic_int hellos;
static _Thread_local int greeted;

static int hello(int n)
{
    CHECK(n == 1);
    atomic_fetch_add(&hellos, 1);
    return greeted++;
}

struct job {
    atomic_int runs[MOST], inside, bad;
};

static void run_job(void *opaque, int worker)
{
    struct job *j = opaque;

    if (greeted != 1)
        atomic_fetch_add(&j->bad, 1);
    atomic_fetch_add(&j->inside, 1);
    atomic_fetch_add(&j->runs[worker], 1);
    atomic_fetch_sub(&j->inside, 1);
}

struct caller {
    pthread_t thread;
    struct rv_pool *pool;
    struct job job;
};

/* When rv_pool_run returns, all of its own job is done. */
static void *call(void *opaque)
{
    struct caller *c = opaque;

    for (int i = 1; i <= 200; i++) {
        rv_pool_run(c->pool, run_job, &c->job);
        CHECK(atomic_load(&c->job.inside) == 0);
        for (int w = 0; w < rv_pool_threads(c->pool); w++)
            if (!CHECK(atomic_load(&c->job.runs[w]) == i))
                return NULL;
    }
    return NULL;
}

static void callers(int threads)
{
    static struct caller caller[5];
    struct rv_pool *pool;

    atomic_store(&hellos, 0);
    pool = rv_pool_create(threads, hello);
    if (!CHECK(pool && rv_pool_threads(pool) == threads))
        return;
    for (int i = 0; i < 5; i++) {
        caller[i] = (struct caller){.pool = pool};
        CHECK(pthread_create(&caller[i].thread, NULL, call, &caller[i]) == 0);
    }
    for (int i = 0; i < 5; i++) {
        pthread_join(caller[i].thread, NULL);
        CHECK(caller[i].job.bad == 0);
    }
    CHECK(hellos == threads);
    rv_pool_destroy(pool);
}

/* Workers take items of a wave until there are none, and meet before the next one. */
struct waves {
    struct rv_pool *pool;
    atomic_int next[WAVES], left[WAVES], done, items, early;
    int per_wave;
};

static void run_waves(void *opaque, int worker)
{
    struct waves *w = opaque;

    (void)worker;
    for (int i = 0; i < WAVES; i++) {
        while (atomic_fetch_add(&w->next[i], 1) < w->per_wave) {
            if (atomic_load(&w->items) < i * w->per_wave)
                atomic_fetch_add(&w->early, 1);
            atomic_fetch_add(&w->items, 1);
            for (volatile int k = 0; k < (i % 50 ? 10 : 200000); k++)
                ; /* sometimes long enough for others to go to sleep */
            if (atomic_fetch_sub(&w->left[i], 1) == 1)
                rv_pool_post(w->pool, &w->done, i + 1);
        }
        rv_pool_wait(w->pool, &w->done, i + 1);
        if (atomic_load(&w->items) < (i + 1) * w->per_wave)
            atomic_fetch_add(&w->early, 1);
    }
}

static void waves(int threads, int per_wave)
{
    static struct waves w;
    struct rv_pool *pool = rv_pool_create(threads, NULL);

    if (!CHECK(pool != NULL))
        return;
    for (int round = 0; round < 3; round++) {
        w = (struct waves){.pool = pool, .per_wave = per_wave};
        for (int i = 0; i < WAVES; i++)
            atomic_store(&w.left[i], per_wave);
        rv_pool_run(pool, run_waves, &w);
        CHECK(w.items == WAVES * per_wave && w.early == 0);
    }
    rv_pool_destroy(pool);
}

static int slow_hello(int n)
{
    usleep(20000);
    return hello(n);
}

/* All workers have set themselves up before anybody uses the pool. */
static void started(void)
{
    int before = atomic_load(&hellos);
    struct rv_pool *pool = rv_pool_create(3, slow_hello);

    if (CHECK(pool != NULL))
        CHECK(atomic_load(&hellos) - before == rv_pool_threads(pool));
    rv_pool_destroy(pool);
}

int main(void)
{
    rv_pool_destroy(NULL);
    for (int threads = 1; threads <= MOST; threads += threads < 3 ? 1 : 5) {
        callers(threads);
        waves(threads, 1);
        waves(threads, 2 * threads + 1);
    }
    for (int i = 0; i < 200; i++) { /* closed before its first job */
        struct rv_pool *pool = rv_pool_create(1 + i % 4, NULL);

        if (!CHECK(pool != NULL))
            break;
        rv_pool_destroy(pool);
    }
    started();
    return test_done();
}
