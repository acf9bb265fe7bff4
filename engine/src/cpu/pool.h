/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* pool.h - the worker threads of one CPU device.
 *
 * These threads do all work of a device, never the thread that calls the library. The
 * OpenMP runtime below oneDNN keeps a team per calling thread, and only our own threads
 * can limit it to one thread per worker. Streams share the pool, which runs one job at a
 * time.
 *
 * If the system starts fewer threads than asked for, the pool uses those. If it starts
 * none, the caller is the only worker, and its own settings are restored afterwards. */
#ifndef RV_CPU_POOL_H
#define RV_CPU_POOL_H

#include <stdatomic.h>
#include <stdbool.h>

struct rv_pool;

/* Sets the number of OpenMP threads of the calling thread; returns the old number. */
typedef int rv_set_threads(int n);

/* `set_threads` may be NULL; else each worker calls it with 1. All workers have started
 * when this returns. Returns NULL if memory runs out. */
struct rv_pool *rv_pool_create(int threads, rv_set_threads *set_threads);
void rv_pool_destroy(struct rv_pool *pool);
/* The number of workers, at least 1. */
int rv_pool_threads(const struct rv_pool *pool);
/* The number of started threads. If it is lower than asked for, *error is
 * pthread_create's error. */
int rv_pool_started(const struct rv_pool *pool, int *error);

/* Runs fn(ctx, worker) once in every worker and returns when all have finished. Any
 * thread may call it; calls queue up. */
void rv_pool_run(struct rv_pool *pool, void (*fn)(void *ctx, int worker), void *ctx);

/* For the workers of a running job: set a counter, and wait until it is at least a value.
 * The wait spins for a short time and then sleeps, so that it costs little on a busy
 * machine. */
void rv_pool_post(struct rv_pool *pool, atomic_int *counter, int value);
void rv_pool_wait(struct rv_pool *pool, atomic_int *counter, int at_least);

/* -- cores.c: the usable cores -- */
/* The cores of the process's affinity mask, or fewer if a control group (a container) has
 * a quota of CPU time; a quota of 1.5 cores counts as 2. At least 1. `root` is a prefix
 * of /proc and /sys for tests, else "". */
int rv_count_cores(const char *root);

/* The quota alone, in cores, rounded up; 0: no quota. */
int rv_quota_cores(const char *root);

/* Whether some of the usable cores are much slower than others. */
bool rv_cores_uneven(const char *root);

#endif
