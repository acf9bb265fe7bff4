/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* batch.h - the queue before a plan: frames of several streams in one pass.
 *
 * There is no thread for this. A caller that finds no leader becomes the leader. It waits
 * a short time for further frames if that is useful, runs the oldest frames in one pass,
 * wakes their owners, and makes the oldest waiting caller the next leader. With passes of
 * one frame this is a first-come, first-served lock.
 *
 * A stream is awaited from the end of its frame until its next frame comes, it is closed,
 * or a leader's wait for it times out. So a stream that pauses costs the others one wait,
 * not one per frame. A new stream is awaited after its first frame. */
#ifndef RV_BATCH_H
#define RV_BATCH_H

#include <pthread.h>

#include "backend.h"

#define RV_BATCH_PLANS 5 /* of 1, 2, 4, 8 and 16 frames */

struct rv_batch;

/* A stream as a member of a batch. Used by one thread at a time. */
struct rv_member {
    struct rv_batch *batch; /* batch of its next frame; NULL: none yet */
    int shared;             /* frames in the pass of its last frame */

    /* Protected by the batch's lock. */
    unsigned long awaited; /* equal to the batch's `round`: its next frame is awaited */
    const struct rv_job *job;
    struct rv_member *next; /* the next in the queue */
    pthread_cond_t wake;
    bool lead, done;
    int status;
};

struct rv_batch {
    rvos_device *dev;
    int max, wait_us;
    pthread_mutex_t lock;

    /* In ascending order of size, from 1. Added by one thread at a time. */
    struct rv_plan *plan[RV_BATCH_PLANS];
    int size[RV_BATCH_PLANS], plans;
    int most; /* most frames in one pass: the smaller of max and the last size */

    struct rv_member *first, *last; /* queued frames, the oldest first */
    int queued;
    bool busy;           /* there is a leader */
    bool waiting;        /* the leader, which is `first`, waits for others */
    int awaited;         /* members whose `awaited` is `round` */
    unsigned long round; /* from 1; grows with every wait that times out */
    int64_t frames, passes;
};

/* On success the batch owns `plan`, a plan of one frame. */
int rv_batch_init(struct rv_batch *batch, rvos_device *dev, int max, int wait_us,
                  struct rv_plan *plan);
/* Destroys the plans, too. */
void rv_batch_finish(struct rv_batch *batch);
/* Adds a plan that is larger than all before. It is used from the next pass on. */
void rv_batch_add(struct rv_batch *batch, struct rv_plan *plan, int size);
/* Frames run so far and the passes they took, without warm-ups. */
void rv_batch_count(struct rv_batch *batch, int64_t *frames, int64_t *passes);

/* After a failure do not call rv_member_finish. */
int rv_member_init(struct rv_member *member);
void rv_member_finish(struct rv_member *member);
/* Sets the batch of the member's next frame, so that others wait for it there; NULL:
 * none. Does nothing if the batch is the same. */
void rv_member_move(struct rv_member *member, struct rv_batch *batch);

/* Runs a frame of the member in that batch and returns when it is done. A warm-up (a job
 * without a frame) runs alone. */
int rv_batch_run(struct rv_batch *batch, struct rv_member *member,
                 const struct rv_job *job);

#endif
