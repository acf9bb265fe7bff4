/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* pool.h - the worker threads of one CPU device.
 *
 * All work of a device is done by these, never by the thread that calls the
 * library: an OpenMP runtime below oneDNN keeps a team per calling thread, and
 * only here can it be held to one thread per worker. Streams share the pool; one
 * job runs at a time.
 *
 * Where the system gives fewer threads than asked for, the pool has those. Where it gives
 * none, the caller is the one worker, and gets its own settings back afterwards. */
#ifndef RV_CPU_POOL_H
#define RV_CPU_POOL_H

#include <stdatomic.h>

struct rv_pool;

/* Sets how many threads OpenMP gives to the calling thread; returns how many it were. */
typedef int rv_set_threads(int n);

/* `set_threads` may be NULL; else it makes that number 1 in each worker. NULL: no memory.
 */
struct rv_pool *rv_pool_create(int threads, rv_set_threads *set_threads);
void rv_pool_destroy(struct rv_pool *pool);
/* Workers: at least 1. */
int rv_pool_threads(const struct rv_pool *pool);
/* Threads that could be started; fewer than asked for: *error is what pthread_create
 * said. */
int rv_pool_started(const struct rv_pool *pool, int *error);

/* Runs fn(ctx, worker) once in every worker and returns when all have come back.
 * Any thread may call it; calls queue up. */
void rv_pool_run(struct rv_pool *pool, void (*fn)(void *ctx, int worker), void *ctx);

/* For the workers of a running job: set a counter, and wait until it is at least
 * so much (a short spin, then sleep: a busy machine must not pay for waiting). */
void rv_pool_post(struct rv_pool *pool, atomic_int *counter, int value);
void rv_pool_wait(struct rv_pool *pool, atomic_int *counter, int at_least);

/* -- cores.c: how many threads it makes sense to have -- */
/* The cores that the process may use, at least 1: those of its affinity mask, or fewer
 * where a control group has a quota of CPU time, as containers have (a quota of 1.5 cores
 * counts as 2). `root` stands before /proc and /sys, "" but in tests. */
int rv_count_cores(const char *root);

/* That quota alone, in cores, rounded up; 0: there is none. */
int rv_quota_cores(const char *root);

#endif
