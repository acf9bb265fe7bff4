/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* model.h - the weights of a model on a device, and its plans. */
#ifndef RV_MODEL_H
#define RV_MODEL_H

#include <pthread.h>
#include <stdatomic.h>

#include "backend.h"
#include "batch.h"
#include "safetensors.h"

/* A program and its plans: one for a single frame and, if the model batches, larger ones
 * made as streams open. Plans live as long as their model. All streams of the same task,
 * variant and number of objects share them.
 */
struct rv_model_plan {
    struct rv_model_plan *next;
    struct rv_program program;
    struct rv_program larger[RV_BATCH_PLANS]; /* programs of the plans for several frames;
                                                 same state layout and results */
    struct rv_batch batch;                    /* the plans and their queue */
    _Atomic int streams; /* open streams that use this plan (a stream's first frame may
                            use another) */
    bool full;           /* a larger plan could not be made; not tried again */
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

    pthread_mutex_t lock; /* protects all members below */
    struct rv_weights weights;
    struct rv_model_plan *plans;
};

rvos_model *rv_model_ref(rvos_model *model);

/* The plan for these decoders and recurrences. Made, slowly, if there is none yet.
 */
int rv_model_plan(rvos_model *model, unsigned decoders, bool spatial, bool temporal,
                  int objects, struct rv_model_plan **out);
/* Counts one more stream for that plan, and makes the larger plans that its streams may
 * now use together. Goes on without them if memory runs out. */
int rv_model_enter(rvos_model *model, struct rv_model_plan *plan);
void rv_model_leave(struct rv_model_plan *plan);
/* Makes every slot of every decoder run. */
void rv_job_all(struct rv_job *job, const struct rv_program *program);
/* Runs one stream's frame. */
int rv_model_run(rvos_model *model, struct rv_model_plan *plan, struct rv_member *member,
                 const struct rv_job *job);

/* -- weights.c -- */
/* Reads one weight from the model file; the function behind rv_weights.read. */
int rv_weights_read(const struct rv_weights *weights, int index, float *kernel,
                    float *bias);
/* Checks that all tensors of net->weight exist, have the right shape, are finite and have
 * usable batch norms. */
int rv_weights_check(rvos_model *model);

/* -- describe.c -- */
/* Fills model->net and model->info from the file's metadata and shapes. */
int rv_model_describe(rvos_model *model, const rvos_model_params *params);

#endif
