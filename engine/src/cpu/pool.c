/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "pool.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#include "../turn.h"

#if defined(__x86_64__) || defined(__i386__)
#define relax() __builtin_ia32_pause()
#else
#define relax() ((void)0)
#endif

/* About 20 us. Waves of a frame follow one another faster than a sleeping thread wakes
 * up. But a wait for a worker that has lost its core takes milliseconds. */
#define SPINS 1000

struct worker {
    struct rv_pool *pool;
    int index;
    pthread_t thread;
};

struct rv_pool {
    int threads; /* threads that run */
    int error;   /* pthread_create's error, if there are fewer than asked for */
    struct worker *worker;
    rv_set_threads *set_threads;

    struct rv_turn callers;
    pthread_mutex_t lock; /* protects the members below */
    pthread_cond_t start, finish, progress;
    unsigned long job; /* counts up */
    int busy;          /* workers that have not started or not finished the job */
    bool quit;
    void (*fn)(void *ctx, int worker);
    void *ctx;
    atomic_int sleepers; /* in rv_pool_wait */
};

/* Makes this thread flush denormal numbers to zero and returns its old setting. Hidden
 * states decay towards zero, and arithmetic on denormals is a hundred times slower. The
 * setting belongs to a thread, so other threads keep theirs. */
static uint64_t flush_denormals(void)
{
    uint64_t before = 0;
#if defined(__SSE__)
    before = __builtin_ia32_stmxcsr();
    __builtin_ia32_ldmxcsr((unsigned)before | 0x8040); /* FTZ and DAZ */
#elif defined(__aarch64__)
    __asm__ volatile("mrs %0, fpcr" : "=r"(before));
    __asm__ volatile("msr fpcr, %0" : : "r"(before | UINT64_C(1) << 24));
#endif
    return before;
}

static void restore_denormals(uint64_t before)
{
#if defined(__SSE__)
    __builtin_ia32_ldmxcsr((unsigned)before);
#elif defined(__aarch64__)
    __asm__ volatile("msr fpcr, %0" : : "r"(before));
#else
    (void)before;
#endif
}

/* Called with the lock held. */
static void finish_one(struct rv_pool *pool)
{
    if (--pool->busy == 0)
        pthread_cond_signal(&pool->finish);
}

static void wait_for_all(struct rv_pool *pool)
{
    while (pool->busy)
        pthread_cond_wait(&pool->finish, &pool->lock);
}

static void *work(void *arg)
{
    struct worker *w = arg;
    struct rv_pool *pool = w->pool;
    unsigned long seen = 0;

    flush_denormals();
    if (pool->set_threads)
        pool->set_threads(1);
    pthread_mutex_lock(&pool->lock);
    finish_one(pool);
    for (;;) {
        while (pool->job == seen && !pool->quit)
            pthread_cond_wait(&pool->start, &pool->lock);
        if (pool->quit)
            break;
        seen = pool->job;
        pthread_mutex_unlock(&pool->lock);
        pool->fn(pool->ctx, w->index);
        pthread_mutex_lock(&pool->lock);
        finish_one(pool);
    }
    pthread_mutex_unlock(&pool->lock);
    return NULL;
}

/* Initialises the locks. On failure none of them is left initialised. */
static bool init_locks(struct rv_pool *pool)
{
    pthread_cond_t *cond[] = {&pool->start, &pool->finish, &pool->progress};
    int n = 0;

    if (rv_turn_init(&pool->callers))
        return false;
    if (!pthread_mutex_init(&pool->lock, NULL)) {
        while (n < 3 && !pthread_cond_init(cond[n], NULL))
            n++;
        if (n == 3)
            return true;
        while (n > 0)
            pthread_cond_destroy(cond[--n]);
        pthread_mutex_destroy(&pool->lock);
    }
    rv_turn_finish(&pool->callers);
    return false;
}

struct rv_pool *rv_pool_create(int threads, rv_set_threads *set_threads)
{
    struct rv_pool *pool = calloc(1, sizeof(*pool));
    struct worker *worker = calloc((size_t)threads, sizeof(*worker));

    if (!pool || !worker || !init_locks(pool)) {
        free(worker);
        free(pool);
        return NULL;
    }
    pool->set_threads = set_threads;
    pool->worker = worker;
    pthread_mutex_lock(&pool->lock);
    for (int i = 0; i < threads; i++) {
        struct worker *w = &worker[i];

        *w = (struct worker){.pool = pool, .index = i};
        pool->error = pthread_create(&w->thread, NULL, work, w);
        if (pool->error)
            break;
        pool->threads++;
        pool->busy++;
    }
    /* The first malloc of a thread takes 128 MB of address space for a moment. Wait until
     * that is over, because oneDNN crashes if another thread needs memory meanwhile. */
    wait_for_all(pool);
    pthread_mutex_unlock(&pool->lock);
    return pool;
}

void rv_pool_destroy(struct rv_pool *pool)
{
    if (!pool)
        return;
    pthread_mutex_lock(&pool->lock);
    pool->quit = true;
    pthread_cond_broadcast(&pool->start);
    pthread_mutex_unlock(&pool->lock);
    for (int i = 0; i < pool->threads; i++)
        pthread_join(pool->worker[i].thread, NULL);
    pthread_cond_destroy(&pool->start);
    pthread_cond_destroy(&pool->finish);
    pthread_cond_destroy(&pool->progress);
    pthread_mutex_destroy(&pool->lock);
    rv_turn_finish(&pool->callers);
    free(pool->worker);
    free(pool);
}

int rv_pool_threads(const struct rv_pool *pool)
{
    return pool->threads ? pool->threads : 1;
}

int rv_pool_started(const struct rv_pool *pool, int *error)
{
    *error = pool->error;
    return pool->threads;
}

/* Runs the job in the caller, which is the only worker. */
static void run_here(struct rv_pool *pool, void (*fn)(void *ctx, int worker), void *ctx)
{
    uint64_t denormals = flush_denormals();
    int team = pool->set_threads ? pool->set_threads(1) : 0;

    fn(ctx, 0);
    if (pool->set_threads)
        pool->set_threads(team);
    restore_denormals(denormals);
}

void rv_pool_run(struct rv_pool *pool, void (*fn)(void *ctx, int worker), void *ctx)
{
    rv_turn_take(&pool->callers);
    if (!pool->threads) {
        run_here(pool, fn, ctx);
        rv_turn_give(&pool->callers);
        return;
    }
    pthread_mutex_lock(&pool->lock);
    pool->fn = fn;
    pool->ctx = ctx;
    pool->busy = pool->threads;
    pool->job++;
    pthread_cond_broadcast(&pool->start);
    wait_for_all(pool);
    pthread_mutex_unlock(&pool->lock);
    rv_turn_give(&pool->callers);
}

void rv_pool_post(struct rv_pool *pool, atomic_int *counter, int value)
{
    /* Both sides are sequentially consistent: either the waiter sees the value before it
     * sleeps, or this thread sees the waiter. */
    atomic_store(counter, value);
    if (atomic_load(&pool->sleepers)) {
        pthread_mutex_lock(&pool->lock);
        pthread_cond_broadcast(&pool->progress);
        pthread_mutex_unlock(&pool->lock);
    }
}

void rv_pool_wait(struct rv_pool *pool, atomic_int *counter, int at_least)
{
    for (int i = 0; i < SPINS; i++) {
        if (atomic_load_explicit(counter, memory_order_acquire) >= at_least)
            return;
        relax();
    }
    pthread_mutex_lock(&pool->lock);
    atomic_fetch_add(&pool->sleepers, 1);
    while (atomic_load(counter) < at_least)
        pthread_cond_wait(&pool->progress, &pool->lock);
    atomic_fetch_sub(&pool->sleepers, 1);
    pthread_mutex_unlock(&pool->lock);
}
