/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "parallel.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "rvos.h"

struct crowd {
    atomic_int next;
    int count;
    void (*work)(void *context, int index);
    void *context;
};

static void *member(void *opaque)
{
    struct crowd *crowd = opaque;

    for (int i; (i = atomic_fetch_add(&crowd->next, 1)) < crowd->count;)
        crowd->work(crowd->context, i);
    return NULL;
}

int core_count(void)
{
    return rvos_default_threads();
}

void parallel_for(int count, int threads, void (*work)(void *context, int index),
                  void *context)
{
    struct crowd crowd = {.count = count, .work = work, .context = context};
    pthread_t *thread;
    int started = 0;

    if (!threads)
        threads = core_count();
    if (threads > count)
        threads = count;
    thread = malloc(sizeof *thread * (size_t)(threads > 0 ? threads : 1));
    /* The caller works, too, so the work gets done even if no thread starts. */
    while (thread && started < threads - 1 &&
           !pthread_create(&thread[started], NULL, member, &crowd))
        started++;
    member(&crowd);
    for (int i = 0; i < started; i++)
        pthread_join(thread[i], NULL);
    free(thread);
}
