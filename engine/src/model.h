/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* model.h - weights on a device, and the plans made from them. */
#ifndef RV_MODEL_H
#define RV_MODEL_H

#include <pthread.h>
#include <stdatomic.h>

#include "backend.h"
#include "batch.h"
#include "safetensors.h"

/* A program and what the device made of it: a plan of one frame and, if the model
 * batches, of as many frames as there have been streams. Plans live as long as their
 * model, and are shared by all streams of the same task, variant and number of objects.
 */
struct rv_model_plan {
    struct rv_model_plan *next;
    struct rv_program program;
    struct rv_program larger[RV_BATCH_PLANS]; /* of the plans of several frames: the same
                                                 in state and results */
    struct rv_batch batch;                    /* the plans, and the queue before them */
    _Atomic int streams; /* open ones whose frames run here, but maybe their first */
    bool full;           /* a larger plan could not be made: it is not tried again */
};

struct rvos_model {
    rvos_device *device;
    _Atomic int refs;
    struct rv_st *file;
    char *path;
    rvos_model_info info; /* strings belong to `file` */
    rvos_precision precision;
    enum rv_type type;            /* of activations */
    int max_batch, batch_wait_us; /* in effect: max_batch is 1 to RVOS_MAX_BATCH */

    struct rv_net net;

    pthread_mutex_t lock; /* of all that follows */
    struct rv_weights weights;
    struct rv_model_plan *plans;
};

rvos_model *rv_model_ref(rvos_model *model);

/* The plan for some decoders and their recurrences; made, slowly, if there is none yet.
 */
int rv_model_plan(rvos_model *model, unsigned decoders, bool spatial, bool temporal,
                  int objects, struct rv_model_plan **out);
/* One more stream whose frames run on that plan: makes the plans of several frames that
 * its streams may now use together. What there is no memory for is done without. */
int rv_model_enter(rvos_model *model, struct rv_model_plan *plan);
void rv_model_leave(struct rv_model_plan *plan);
/* Every slot of every decoder is to run. */
void rv_job_all(struct rv_job *job, const struct rv_program *program);
/* One stream's frame. */
int rv_model_run(rvos_model *model, struct rv_model_plan *plan, struct rv_member *member,
                 const struct rv_job *job);

/* -- weights.c -- */
/* What `weights` of a model are read from, for rv_weights.read. */
int rv_weights_read(const struct rv_weights *weights, int index, float *kernel,
                    float *bias);
/* Checks that the tensors of every entry of net->weight are there, in the right shape,
 * finite, and their batch norms usable. */
int rv_weights_check(rvos_model *model);

/* -- describe.c -- */
/* Fills model->net and model->info from the file's metadata and shapes. */
int rv_model_describe(rvos_model *model, const rvos_model_params *params);

#endif
