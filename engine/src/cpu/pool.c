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

/* About 20 us: waves of a frame follow one another faster than a sleeping thread
 * can be woken, but a wait for a worker that has lost its core takes milliseconds. */
#define SPINS 1000

struct worker {
    struct rv_pool *pool;
    int index;
    pthread_t thread;
};

struct rv_pool {
    int threads;
    struct worker *worker;
    void (*hello)(void);

    struct rv_turn callers;
    pthread_mutex_t lock; /* of what follows */
    pthread_cond_t start, finish, progress;
    unsigned long job; /* counts up */
    int busy;          /* workers that have not come back from it */
    bool quit;
    void (*fn)(void *ctx, int worker);
    void *ctx;
    atomic_int sleepers; /* in rv_pool_wait */
};

/* Hidden states decay towards zero, and arithmetic on denormal numbers is a hundred
 * times slower: count them as zero. A setting of the thread, so only of ours. */
static void flush_denormals(void)
{
#if defined(__SSE__)
    __builtin_ia32_ldmxcsr(__builtin_ia32_stmxcsr() | 0x8040); /* FTZ and DAZ */
#elif defined(__aarch64__)
    uint64_t fpcr;

    __asm__ volatile("mrs %0, fpcr" : "=r"(fpcr));
    __asm__ volatile("msr fpcr, %0" : : "r"(fpcr | UINT64_C(1) << 24));
#endif
}

static void *work(void *arg)
{
    struct worker *w = arg;
    struct rv_pool *pool = w->pool;
    unsigned long seen = 0;

    flush_denormals();
    if (pool->hello)
        pool->hello();
    pthread_mutex_lock(&pool->lock);
    for (;;) {
        while (pool->job == seen && !pool->quit)
            pthread_cond_wait(&pool->start, &pool->lock);
        if (pool->quit)
            break;
        seen = pool->job;
        pthread_mutex_unlock(&pool->lock);
        pool->fn(pool->ctx, w->index);
        pthread_mutex_lock(&pool->lock);
        if (--pool->busy == 0)
            pthread_cond_signal(&pool->finish);
    }
    pthread_mutex_unlock(&pool->lock);
    return NULL;
}

struct rv_pool *rv_pool_create(int threads, void (*hello)(void))
{
    struct rv_pool *pool = calloc(1, sizeof(*pool));

    if (!pool)
        return NULL;
    pool->hello = hello;
    rv_turn_init(&pool->callers);
    pthread_mutex_init(&pool->lock, NULL);
    pthread_cond_init(&pool->start, NULL);
    pthread_cond_init(&pool->finish, NULL);
    pthread_cond_init(&pool->progress, NULL);
    pool->worker = calloc((size_t)threads, sizeof(*pool->worker));
    for (int i = 0; pool->worker && i < threads; i++) {
        struct worker *w = &pool->worker[i];

        *w = (struct worker){.pool = pool, .index = i};
        if (pthread_create(&w->thread, NULL, work, w))
            break;
        pool->threads++;
    }
    if (pool->threads < threads)
        rv_pool_destroy(pool), pool = NULL;
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
    return pool->threads;
}

void rv_pool_run(struct rv_pool *pool, void (*fn)(void *ctx, int worker), void *ctx)
{
    rv_turn_take(&pool->callers);
    pthread_mutex_lock(&pool->lock);
    pool->fn = fn;
    pool->ctx = ctx;
    pool->busy = pool->threads;
    pool->job++;
    pthread_cond_broadcast(&pool->start);
    while (pool->busy)
        pthread_cond_wait(&pool->finish, &pool->lock);
    pthread_mutex_unlock(&pool->lock);
    rv_turn_give(&pool->callers);
}

void rv_pool_post(struct rv_pool *pool, atomic_int *counter, int value)
{
    /* Sequentially consistent on both sides: either the waiter sees the value
     * before it sleeps, or this sees the waiter. */
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
