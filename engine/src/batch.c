/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "batch.h"

#include <errno.h>
#include <time.h>

#include "log.h"

int rv_batch_init(struct rv_batch *batch, rvos_device *dev, int max, int wait_us,
                  struct rv_plan *plan)
{
    *batch = (struct rv_batch){.dev = dev,
                               .max = max,
                               .wait_us = wait_us,
                               .plan = {plan},
                               .size = {1},
                               .plans = 1,
                               .most = 1,
                               .round = 1};
    return pthread_mutex_init(&batch->lock, NULL) ? RVOS_ERR_MEMORY : 0;
}

void rv_batch_finish(struct rv_batch *batch)
{
    for (int k = 0; k < batch->plans; k++)
        batch->dev->fn->plan_destroy(batch->plan[k]);
    pthread_mutex_destroy(&batch->lock);
}

void rv_batch_add(struct rv_batch *batch, struct rv_plan *plan, int size)
{
    pthread_mutex_lock(&batch->lock);
    batch->plan[batch->plans] = plan;
    batch->size[batch->plans++] = size;
    batch->most = size < batch->max ? size : batch->max;
    pthread_mutex_unlock(&batch->lock);
}

void rv_batch_count(struct rv_batch *batch, int64_t *frames, int64_t *passes)
{
    pthread_mutex_lock(&batch->lock);
    *frames = batch->frames;
    *passes = batch->passes;
    pthread_mutex_unlock(&batch->lock);
}

/* ---- members ---------------------------------------------------------------- */

int rv_member_init(struct rv_member *member)
{
    pthread_condattr_t attr;
    int error;

    *member = (struct rv_member){0};
    if (pthread_condattr_init(&attr))
        return RVOS_ERR_MEMORY;
    error = pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    if (!error)
        error = pthread_cond_init(&member->wake, &attr);
    pthread_condattr_destroy(&attr);
    return error ? RVOS_ERR_MEMORY : 0;
}

void rv_member_finish(struct rv_member *member)
{
    rv_member_move(member, NULL);
    pthread_cond_destroy(&member->wake);
}

/* Whether the queued frames should wait for more. */
static bool more_to_come(const struct rv_batch *batch)
{
    return batch->queued < batch->most && batch->awaited > 0;
}

static void await(struct rv_batch *batch, struct rv_member *member)
{
    member->awaited = batch->round;
    batch->awaited++;
}

/* Stops awaiting a member that has come or will not come. False if it was not awaited. */
static bool await_no_more(struct rv_batch *batch, struct rv_member *member)
{
    bool awaited = member->awaited == batch->round;

    member->awaited = 0;
    batch->awaited -= awaited;
    return awaited;
}

static void tell_leader(struct rv_batch *batch)
{
    if (batch->waiting && !more_to_come(batch))
        pthread_cond_signal(&batch->first->wake);
}

void rv_member_move(struct rv_member *member, struct rv_batch *batch)
{
    struct rv_batch *old = member->batch;
    bool awaited = false;

    if (old == batch)
        return;
    if (old) {
        pthread_mutex_lock(&old->lock);
        awaited = await_no_more(old, member);
        tell_leader(old);
        pthread_mutex_unlock(&old->lock);
    }
    member->batch = batch;
    if (!batch || !awaited)
        return;
    pthread_mutex_lock(&batch->lock);
    await(batch, member);
    pthread_mutex_unlock(&batch->lock);
}

/* ---- a pass ----------------------------------------------------------------- */

static void enqueue(struct rv_batch *batch, struct rv_member *member)
{
    member->next = NULL;
    if (batch->last)
        batch->last->next = member;
    else
        batch->first = member;
    batch->last = member;
    batch->queued++;
}

/* Takes the oldest frames, up to one pass. A warm-up is taken alone. */
static int dequeue(struct rv_batch *batch, struct rv_member **member, struct rv_job *job)
{
    int n = 0;

    do {
        member[n] = batch->first;
        job[n] = *batch->first->job;
        batch->first = batch->first->next;
        batch->queued--;
        n++;
    } while (batch->first && n < batch->most && job[n - 1].frame &&
             batch->first->job->frame);
    if (!batch->first)
        batch->last = NULL;
    return n;
}

/* The leader waits for frames, with the lock held. The time starts when the leader could
 * have run: waiting for another pass does not count. */
static void gather(struct rv_batch *batch)
{
    struct timespec until;

    if (batch->wait_us == 0 || !batch->first->job->frame || !more_to_come(batch))
        return;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += batch->wait_us / 1000000;
    until.tv_nsec += batch->wait_us % 1000000 * 1000L;
    if (until.tv_nsec >= 1000000000L) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000L;
    }
    batch->waiting = true;
    while (more_to_come(batch))
        if (pthread_cond_timedwait(&batch->first->wake, &batch->lock, &until) ==
            ETIMEDOUT) {
            batch->round++; /* members that have not come yet are idle */
            batch->awaited = 0;
        }
    batch->waiting = false;
}

/* One bad frame must not fail the others. The backend has left all states as they were
 * (backend.h), so each frame gets a pass of its own. */
static int run_apart(struct rv_batch *batch, struct rv_member **member,
                     const struct rv_job *job, int n, int why)
{
    rv_log(batch->dev, RVOS_LOG_WARNING,
           "a pass of %d frames failed (%s): they are run one by one", n,
           rvos_strerror(why));
    for (int i = 0; i < n; i++) {
        member[i]->shared = 1;
        member[i]->status = batch->dev->fn->plan_run(batch->plan[0], &job[i], 1);
    }
    return n;
}

/* Runs without the lock: nobody else touches these members or runs a plan of this batch.
 * Returns the number of passes. */
static int run(struct rv_batch *batch, struct rv_plan *plan, struct rv_member **member,
               const struct rv_job *job, int n)
{
    int ret = batch->dev->fn->plan_run(plan, job, n);

    if (ret && ret != RVOS_ERR_DEVICE && n > 1)
        return run_apart(batch, member, job, n, ret);
    for (int i = 0; i < n; i++) {
        member[i]->shared = n;
        member[i]->status = ret;
    }
    return 1;
}

/* Called with the lock held. */
static void deliver(struct rv_batch *batch, struct rv_member *member)
{
    if (member->job->frame)
        batch->frames += member->status == 0;
    if (member->job->frame || member->job->labels_only) /* both belong to a frame */
        await(batch, member);
    member->job = NULL;
    member->done = true;
    pthread_cond_signal(&member->wake);
}

/* Called with the lock held, by the oldest member in the queue. */
static void lead(struct rv_batch *batch)
{
    struct rv_member *member[RVOS_MAX_BATCH];
    struct rv_job job[RVOS_MAX_BATCH];
    struct rv_plan *plan;
    int n, k = 0, passes;

    gather(batch);
    n = dequeue(batch, member, job);
    while (batch->size[k] < n)
        k++;
    plan = batch->plan[k];
    pthread_mutex_unlock(&batch->lock);
    passes = run(batch, plan, member, job, n);
    pthread_mutex_lock(&batch->lock);
    batch->busy = batch->first != NULL;
    if (batch->first) { /* wake the next leader first, because the device is idle */
        batch->first->lead = true;
        pthread_cond_signal(&batch->first->wake);
    }
    if (job[0].frame)
        batch->passes += passes;
    for (int i = 0; i < n; i++)
        deliver(batch, member[i]);
}

int rv_batch_run(struct rv_batch *batch, struct rv_member *member,
                 const struct rv_job *job)
{
    int status;

    rv_member_move(member, batch);
    pthread_mutex_lock(&batch->lock);
    await_no_more(batch, member);
    member->job = job;
    member->done = member->lead = false;
    enqueue(batch, member);
    if (batch->busy)
        tell_leader(batch);
    else
        batch->busy = member->lead = true;
    while (!member->done && !member->lead)
        pthread_cond_wait(&member->wake, &batch->lock);
    if (!member->done)
        lead(batch);
    status = member->status;
    pthread_mutex_unlock(&batch->lock);
    return status;
}
