/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* batch.h - the queue before a plan: frames of several streams in one pass.
 *
 * There is no thread for this. A caller that finds nobody at work leads: it waits a
 * little for further frames where that is of use, runs the oldest ones in one pass, wakes
 * those whose frames they were, and makes the oldest of those that came meanwhile the
 * next leader. With room for one frame that is a lock handed over in the order of asking.
 *
 * A stream is awaited from the end of a frame on, until its next one comes, it is closed,
 * or a leader has waited for it in vain: a stream that pauses costs the others one wait,
 * not one a frame. A new stream is awaited after its first frame. */
#ifndef RV_BATCH_H
#define RV_BATCH_H

#include <pthread.h>

#include "backend.h"

#define RV_BATCH_PLANS 5 /* of 1, 2, 4, 8 and 16 frames */

struct rv_batch;

/* A stream, to the batches. One thread at a time. */
struct rv_member {
    struct rv_batch *batch; /* where its next frame belongs; NULL: nowhere yet */
    int shared;             /* frames in the pass of its last one */

    /* Under the batch's lock. */
    unsigned long awaited; /* the batch's `round`: its next frame is awaited */
    const struct rv_job *job;
    struct rv_member *next; /* who came after it */
    pthread_cond_t wake;
    bool lead, done;
    int status;
};

struct rv_batch {
    rvos_device *dev;
    int max, wait_us;
    pthread_mutex_t lock;

    /* Ascending sizes from 1 on. Added by one thread at a time. */
    struct rv_plan *plan[RV_BATCH_PLANS];
    int size[RV_BATCH_PLANS], plans;
    int most; /* frames of one pass: the least of max and the last size */

    struct rv_member *first, *last; /* queued frames, the oldest first */
    int queued;
    bool busy;           /* there is a leader */
    bool waiting;        /* it is `first`, and waits for others */
    int awaited;         /* members whose `awaited` is `round` */
    unsigned long round; /* from 1; grows with every wait in vain */
    int64_t frames, passes;
};

/* Takes the plan of one frame, if it succeeds. */
int rv_batch_init(struct rv_batch *batch, rvos_device *dev, int max, int wait_us,
                  struct rv_plan *plan);
/* Destroys the plans, too. */
void rv_batch_finish(struct rv_batch *batch);
/* A further plan, larger than all before; used from the next pass on. */
void rv_batch_add(struct rv_batch *batch, struct rv_plan *plan, int size);
/* Frames done by now, and the passes that they took; warm-ups do not count. */
void rv_batch_count(struct rv_batch *batch, int64_t *frames, int64_t *passes);

/* After a failure there is nothing to finish. */
int rv_member_init(struct rv_member *member);
void rv_member_finish(struct rv_member *member);
/* Where the member's next frame belongs, so that others wait for it there; NULL: nowhere.
 * Nothing happens if it has been so. */
void rv_member_move(struct rv_member *member, struct rv_batch *batch);

/* Runs a frame of the member in that batch; returns when it is done. A warm-up (a job
 * without a frame) runs by itself. */
int rv_batch_run(struct rv_batch *batch, struct rv_member *member,
                 const struct rv_job *job);

#endif
