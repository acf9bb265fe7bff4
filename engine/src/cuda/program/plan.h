/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* plan.h - a program on a GPU: its steps on a few streams ("lanes"), captured into graphs
 * for several numbers of live slots.
 *
 * plan.c makes convolutions, memory and lanes; launches.c puts a step into a lane;
 * graph.c makes graphs of them; run.c runs frames. A step waits only for the steps whose
 * memory it reads or overwrites. Waves are not barriers here, so the gate sums of the
 * last frame's state run beside the encoder. */
#ifndef RV_CUDA_PLAN_H
#define RV_CUDA_PLAN_H

#include "../device/context.h"
#include "../conv/conv.h"
#include "../kernels/kernels.h"
#include "../device/scratch.h"

/* The cells of each level have a lane of their own, which earlier steps may use, too. */
#define RV_LANES 6
#define RV_CELL_LANE 2

struct cuda_step {
    const struct rv_step *step;
    struct rv_made made;       /* the step's own convolution, if it has one */
    struct rv_cell_tile fused; /* kernel NULL: the cell runs as three kernels */
    int lane;
    int wait[RV_LANES];  /* per lane: the step to wait for; -1: none */
    int after[RV_LANES]; /* per lane: the last step that has ended when this one ends; -1:
                            none */
    cudaEvent_t done;    /* NULL: no step waits for this one */
    /* Offset of a padded or gathered input in plan->memory; RV_NONE: none. */
    size_t input;
    int channels; /* channels of the convolution's input, with padding */
};
#define RV_NONE SIZE_MAX

struct rv_plan {
    rvos_device *dev;
    struct cuda_device *cuda;
    const struct rv_program *program;
    const struct rv_net *net;
    bool tf32;
    int batch; /* frames (one per video) in one pass; every tensor outside the state has
                  the images of all frames, one after another */

    struct cuda_step *step; /* one per step of the program */

    struct rv_scratch scratch;
    char *memory; /* scratch.at: `batch` arenas of the program, then the areas below,
                     given by offset. Contents do not last from pass to pass. */
    size_t bytes;
    size_t image; /* the network's input, with padded channels */
    int image_channels;
    size_t cell_input[RV_LEVELS], cell_gates[RV_LEVELS];
    size_t workspace[RV_LANES], workspace_bytes[RV_LANES];
    size_t mask_taps[RV_DECODERS], mask_taps_stride;
    const void *mask_kernel[RV_DECODERS]; /* [tap][channel] */
    const float *mask_bias[RV_DECODERS];

    /* One per frame of the batch: */
    struct rv_cuda_job *job, *job_device; /* pinned; in device memory for kernels */
    struct rv_found *found, *report;      /* in device memory; pinned */
    uint32_t *seed,
        *seed_device; /* pinned; in device memory; NULL: no one-shot decoder */

    cudaStream_t lane[RV_LANES];
    cudaEvent_t start, joined[RV_LANES], frame_ready;
    cudaEvent_t timer[2]; /* around the graph; NULL unless RVOS_CUDA_TIMES is set */
    /* Indexed by each decoder's number of live slots. Only some numbers have a graph
     * (graph.c). */
    cudaGraphExec_t graph[RVOS_MAX_OBJECTS + 1][RVOS_MAX_OBJECTS + 1];
    int uncaptured; /* failed captures in a row */
    bool eager;     /* too many captures failed: frames are launched step by step */
    bool trying;    /* the capture may fail without a warning */
    struct rv_check *check; /* NULL unless RVOS_CUDA_CHECK is set */
    bool chained;           /* kernels may start before the previous kernel has ended */
};

/* A device buffer and a pinned buffer of the same size. */
struct rv_staging {
    char *device, *pinned;
    size_t size;
};

/* -- frame.c: tables for one frame size, and copies of pixels in and out -- */
struct rv_pixels {
    rvos_device *dev;
    int seen_bytes; /* pixels at network size */
    void *tables;   /* the filter's block, in device memory */
    struct rv_filter filter;
    struct rv_staging frame, labels, alpha; /* for host memory; allocated on first use */
    struct rv_staging seen[RV_DECODERS];
};

int rv_cuda_pixels_create(rvos_device *dev, const struct rv_net *net, int width,
                          int height, struct rv_pixels **out);
void rv_cuda_pixels_destroy(struct rv_pixels *pixels);
/* Copies host memory of the caller to and from the stream's pinned memory. */
int rv_cuda_job_prepare(rvos_device *dev, const struct rv_job *job);
void rv_cuda_job_finish(rvos_device *dev, const struct rv_job *job);
/* Fills in the job table's frame (if any) and outputs. Uploads prepared data in
 * `stream`. */
int rv_cuda_frame_in(struct rv_pixels *pixels, const struct rv_job *job,
                     struct rv_cuda_job *table, cudaStream_t stream);
/* Puts the download of outputs in host memory into `stream`. */
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
/* A tensor of the program at its actual address. */
struct rv_view rv_plan_view(const struct rv_plan *plan, rv_tid t);
int rv_plan_level(const struct rv_program *p, const struct rv_step *cell);
/* Sets `live` to all slots of all decoders. */
void rv_plan_all_slots(const struct rv_plan *plan, int live[RV_DECODERS]);
/* Whether a step runs in a frame with `live` slots. */
bool rv_plan_runs(const struct rv_step *s, const int live[RV_DECODERS]);
/* Writes the operation, object, shapes and engine of a step. */
void rv_plan_describe(const struct rv_plan *plan, const struct cuda_step *s, char *text,
                      size_t size);

/* -- order.c -- */
/* The order in which steps are made: most expensive convolutions first.
 */
struct rv_order {
    int step;
    double weight; /* multiply-accumulates of all steps of this shape; 0: not the first
                      step of its shape */
    double share;  /* share of the remaining search time */
};
/* One entry per step; the caller frees the array. */
int rv_plan_order(const struct rv_plan *plan, struct rv_order **out);

/* -- lanes.c -- */
/* Sets lane and wait of every step. */
int rv_plan_lanes(struct rv_plan *plan);

/* -- run.c -- */
int rv_cuda_plan_run(struct rv_plan *plan, const struct rv_job *jobs, int n_jobs);

/* -- graph.c -- */
/* Runs frames without an image on the state at `state`. The first runs step by step,
 * which loads all kernels. The others use the graph of all slots, which is captured if it
 * is missing. */
int rv_plan_warm_up(struct rv_plan *plan, char *state, int frames);
/* Captures missing graphs; runs nothing. No capture is made while frames run. */
void rv_plan_make_graphs(struct rv_plan *plan);
void rv_plan_drop_graphs(struct rv_plan *plan);
/* Launches a frame of at most `live` slots in lane 0, with a graph if there is one. */
int rv_plan_launch(struct rv_plan *plan, const int live[RV_DECODERS]);
/* Fills entry j of the table for a frame of `live` slots; NULL: no slots. */
struct rv_cuda_job *rv_plan_new_job(const struct rv_plan *plan, int j, char *state,
                                    const int live[RV_DECODERS]);
/* Called after an error: waits for all lanes, because those that lane 0 has not waited
 * for may still be running. */
void rv_plan_settle(struct rv_plan *plan);
/* -- launches.c -- */
/* Puts one step of a frame of `live` slots into a stream. */
int rv_plan_run_step(struct rv_plan *plan, const struct cuda_step *s,
                     const int live[RV_DECODERS], bool chained, cudaStream_t stream);

/* -- check.c -- */
/* Does nothing unless RVOS_CUDA_CHECK is set. Called before the convolutions are made. */
int rv_check_open(struct rv_plan *plan, struct rv_weights *weights);
void rv_check_close(struct rv_plan *plan);
/* Adds a convolution of the plan. */
int rv_check_conv(struct rv_plan *plan, const struct cuda_step *s,
                  struct rv_weights *weights, const struct rv_conv_shape *shape);
/* Sets the jobs of the next frame. */
void rv_check_jobs(struct rv_plan *plan, const struct rv_job *jobs, int n_jobs);
/* Runs and checks all steps of a frame, whose job table is on the device. */
int rv_check_frame(struct rv_plan *plan, const int live[RV_DECODERS]);

/* -- steps.c -- */
void rv_plan_time_steps(struct rv_plan *plan);

/* -- chain.c -- */
/* Chains kernels if that is faster and the results are bit-identical. */
int rv_plan_choose_chain(struct rv_plan *plan, const struct rv_buffer *state);

#endif
