/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* plan.h - a program on a GPU: its steps on a few streams ("lanes"), captured into
 * graphs for several numbers of live slots.
 *
 * plan.c makes convolutions, memory and lanes; launches.c puts a step into a lane;
 * graph.c makes graphs of them; run.c runs frames. A step waits for the steps whose
 * memory it reads or overwrites, and for nothing else: waves are not barriers here, so
 * that the gate sums of the last frame's state are made beside the encoder. */
#ifndef RV_CUDA_PLAN_H
#define RV_CUDA_PLAN_H

#include "../device/context.h"
#include "../conv/conv.h"
#include "../kernels/kernels.h"
#include "../device/scratch.h"

/* Cells of level k have a lane of their own, which the steps before them may share. */
#define RV_LANES 6
#define RV_CELL_LANE 2

struct cuda_step {
    const struct rv_step *step;
    struct rv_made made;       /* the convolution, if there is one of its own */
    struct rv_cell_tile fused; /* kernel NULL: the cell is made in three steps */
    int lane;
    int wait[RV_LANES];  /* of other lanes: the step to wait for; -1: none */
    int after[RV_LANES]; /* of each lane: the last step that this one's end comes behind;
                            -1: none */
    cudaEvent_t done;    /* NULL: nobody waits for it */
    size_t input;        /* of a padded or gathered input, in plan->memory; or NONE */
    int channels;        /* of the convolution's input, with padding */
};
#define RV_NONE SIZE_MAX

struct rv_plan {
    rvos_device *dev;
    struct cuda_device *cuda;
    const struct rv_program *program;
    const struct rv_net *net;
    bool tf32;
    int batch; /* frames of so many videos in one pass: images of all of them lie one
                  behind another in every tensor but the state's */

    struct cuda_step *step; /* as many as the program has */

    struct rv_scratch scratch;
    char *memory; /* scratch.at: the program's arena `batch` times as large, then what
                     follows here, by offset. Nothing of it lasts from pass to pass. */
    size_t bytes;
    size_t image; /* the network's input, channels padded */
    int image_channels;
    size_t cell_input[RV_LEVELS], cell_gates[RV_LEVELS];
    size_t workspace[RV_LANES], workspace_bytes[RV_LANES];
    size_t mask_taps[RV_DECODERS], mask_taps_stride;
    const void *mask_kernel[RV_DECODERS]; /* [tap][channel] */
    const float *mask_bias[RV_DECODERS];

    /* For each of the batch: */
    struct rv_cuda_job *job, *job_device; /* pinned, and what kernels read */
    struct rv_found *found, *report;      /* device and pinned */
    uint32_t *seed, *seed_device; /* pinned and device; NULL: no one-shot decoder */

    cudaStream_t lane[RV_LANES];
    cudaEvent_t start, joined[RV_LANES], frame_ready;
    cudaEvent_t timer[2]; /* around the graph; NULL unless RVOS_CUDA_TIMES is set */
    /* By most live slots of the batch, of each decoder; of few numbers (graph.c). */
    cudaGraphExec_t graph[RVOS_MAX_OBJECTS + 1][RVOS_MAX_OBJECTS + 1];
    int uncaptured; /* captures that have failed, one after another */
    bool eager;     /* too many: every frame is launched step by step */
    bool trying;    /* the graph may be impossible, which is no cause for a warning */
    struct rv_check *check; /* NULL unless RVOS_CUDA_CHECK is set */
    bool chained; /* kernels may begin before those in front of them have ended */
};

/* Device and pinned memory of one size. */
struct rv_staging {
    char *device, *pinned;
    size_t size;
};

/* -- frame.c: tables for one frame size, and the way of pixels in and out -- */
struct rv_pixels {
    rvos_device *dev;
    int seen_bytes; /* pixels at network size */
    void *tables;   /* the filter's block, in device memory */
    struct rv_filter filter;
    struct rv_staging frame, labels, alpha; /* of host memory; made when first asked */
    struct rv_staging seen[RV_DECODERS];
};

int rv_cuda_pixels_create(rvos_device *dev, const struct rv_net *net, int width,
                          int height, struct rv_pixels **out);
void rv_cuda_pixels_destroy(struct rv_pixels *pixels);
/* What the caller has in host memory to and from the pinned memory of its stream. */
int rv_cuda_job_prepare(rvos_device *dev, const struct rv_job *job);
void rv_cuda_job_finish(rvos_device *dev, const struct rv_job *job);
/* Fills in what the job's frame, if it has one, and outputs are for kernels; what has
 * been prepared is uploaded in `stream`. */
int rv_cuda_frame_in(struct rv_pixels *pixels, const struct rv_job *job,
                     struct rv_cuda_job *table, cudaStream_t stream);
/* Puts the download of what host memory asked for into `stream`. */
int rv_cuda_frame_out(struct rv_pixels *pixels, const struct rv_job *job,
                      cudaStream_t stream);

int rv_cuda_draw_image(rvos_device *dev, const rvos_image *image,
                       const rvos_labels *labels, const rvos_draw_params *params);
int rv_cuda_alpha_image(rvos_device *dev, const rvos_image *image,
                        const rvos_labels *alpha);
void rv_cuda_fill_labels(rvos_device *dev, const rvos_labels *labels, uint8_t value);

/* -- plan.c -- */
int rv_cuda_plan_create(rvos_device *dev, const struct rv_program *program,
                        struct rv_weights *weights, rvos_precision precision, int batch,
                        struct rv_plan **out);
int rv_cuda_plan_share(struct rv_plan *plan, const struct rv_plan *with);
void rv_cuda_plan_destroy(struct rv_plan *plan);

/* -- view.c -- */
/* A tensor of the program, where it really lies. */
struct rv_view rv_plan_view(const struct rv_plan *plan, rv_tid t);
int rv_plan_level(const struct rv_program *p, const struct rv_step *cell);
/* All slots of all decoders. */
void rv_plan_all_slots(const struct rv_plan *plan, int live[RV_DECODERS]);
/* Whether a step is a part of a frame of `live` slots. */
bool rv_plan_runs(const struct rv_step *s, const int live[RV_DECODERS]);
/* Operation, object, shapes and engine. */
void rv_plan_describe(const struct rv_plan *plan, const struct cuda_step *s, char *text,
                      size_t size);

/* -- order.c -- */
/* The order in which steps are made: those first whose convolutions take most of a frame.
 */
struct rv_order {
    int step;
    double weight; /* multiply-accumulates of all steps of this shape; 0: not its first */
    double share;  /* of the time that is left for finding engines */
};
/* As many entries as there are steps, for the caller to free. */
int rv_plan_order(const struct rv_plan *plan, struct rv_order **out);

/* -- lanes.c -- */
/* Sets lane and wait of every step. */
int rv_plan_lanes(struct rv_plan *plan);

/* -- run.c -- */
int rv_cuda_plan_run(struct rv_plan *plan, const struct rv_job *jobs, int n_jobs);

/* -- graph.c -- */
/* Frames without a picture on the state at `state`: the first step by step, so that all
 * kernels are loaded, the others by the graph of all slots, which is captured if it is
 * not there. */
int rv_plan_warm_up(struct rv_plan *plan, char *state, int frames);
/* Captures what is not there; runs nothing. No capture is made while frames run. */
void rv_plan_make_graphs(struct rv_plan *plan);
void rv_plan_drop_graphs(struct rv_plan *plan);
/* A frame of `live` slots at most into lane 0, by a graph if there is one. */
int rv_plan_launch(struct rv_plan *plan, const int live[RV_DECODERS]);
/* The table's entry j for a frame of `live` slots; NULL: none. */
struct rv_cuda_job *rv_plan_new_job(const struct rv_plan *plan, int j, char *state,
                                    const int live[RV_DECODERS]);
/* After an error: lanes that lane 0 has not waited for may be at work all the same. */
void rv_plan_settle(struct rv_plan *plan);
/* -- launches.c -- */
/* Puts one step of a frame of `live` slots into a stream. */
int rv_plan_run_step(struct rv_plan *plan, const struct cuda_step *s,
                     const int live[RV_DECODERS], bool chained, cudaStream_t stream);

/* -- check.c -- */
/* Does nothing unless RVOS_CUDA_CHECK is set. Before the convolutions are made. */
int rv_check_open(struct rv_plan *plan, struct rv_weights *weights);
void rv_check_close(struct rv_plan *plan);
/* A convolution of the plan's. */
int rv_check_conv(struct rv_plan *plan, const struct cuda_step *s,
                  struct rv_weights *weights, const struct rv_conv_shape *shape);
/* What the next frame is of. */
void rv_check_jobs(struct rv_plan *plan, const struct rv_job *jobs, int n_jobs);
/* In place of all steps of a frame, whose job table is on the device. */
int rv_check_frame(struct rv_plan *plan, const int live[RV_DECODERS]);

/* -- steps.c -- */
void rv_plan_time_steps(struct rv_plan *plan);

/* -- chain.c -- */
/* Chains kernels if that gives the same results to the bit, and sooner. */
int rv_plan_choose_chain(struct rv_plan *plan, const struct rv_buffer *state);

#endif
