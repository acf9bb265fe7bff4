/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* backend.h - what a backend provides. All return 0 or an rvos_status.
 *
 * The rvos_*() functions check every argument, so backends need not. Backends log with
 * rv_log (log.h). */
#ifndef RV_BACKEND_H
#define RV_BACKEND_H

#include <sys/types.h>

#include "net/program.h"
#include "rvos.h"

/* Grows with every change of the structs below. A module with another number is not
 * loaded. */
#define RV_BACKEND_ABI 14

struct rv_plan;   /* a program prepared for a device; each backend defines it */
struct rv_pixels; /* tables for one frame size; each backend defines it */

/* The weights that programs refer to by index. plan_create may use them freely, because
 * the model calls it under its lock. */
struct rv_weights {
    const struct rv_net *net; /* its table of weights is complete */
    /* Kernel (out x in x size x size) and bias (out) of net->weight[index], batch
     * norm folded in, float32. */
    int (*read)(const struct rv_weights *weights, int index, float *kernel, float *bias);
    void *opaque; /* the model's */
    /* The backend's form of each weight, shared by all plans of a model: net->n_weights
     * pointers, NULL at first. */
    void **prepared;
    size_t prepared_bytes;
};

struct rv_buffer {
    void *ptr; /* host or device address */
    size_t size;
};

/* The inside of an rvos_device. Backends read fn and params, and set priv and info. */
struct rvos_device {
    const struct rv_backend *fn;
    /* For a backend that checks itself against it; or NULL. */
    const struct rv_backend *reference;
    void *priv;
    void *module; /* dlopen handle of the backend, if it has one */
    rvos_device_params params;
    rvos_device_info info;
    _Atomic int refs;
    pid_t process; /* that opened it (device.h) */
};

/* A decoder's result at network size with a threshold of 0.5, independent of what is
 * shown. Input to the rules of RVOS_TASK_AUTO. */
struct rv_seen {
    uint8_t *labels; /* network height rows of network width; NULL: not wanted */
    float *score;    /* mean probability over each slot's pixels; 0: it has none */
};

/* One stream's frame. */
struct rv_job {
    struct rv_buffer state;
    struct rv_pixels *pixels; /* NULL only if `frame` is NULL */
    const rvos_image *frame;  /* NULL for a warm-up: the image stays zero */
    /* Masks given to the network, at network size: bit i of each pixel is slot i. Only
     * the slots in seed_slots are set. NULL counts as empty. */
    const uint32_t *seed;
    uint32_t seed_slots;
    int live[RV_DECODERS]; /* slots 0 to live - 1 run; 0: the decoder does not run */
    /* Decoders, as bits, whose hidden states are zero and that are fed no mask. Their
     * TIME gate sums are zero, so a backend may leave these steps out. */
    unsigned blank;
    int shown; /* decoder whose logits make `out`; must have live slots if `out` is set */
    bool labels_only; /* with a NULL frame: makes `out` from the logits in the state and
                         does not change the state */
    /* For decoders with live slots, if the program has both. */
    struct rv_seen seen[RV_DECODERS];
    const rvos_output *out;
    rvos_object *object; /* one per slot, filled when there are labels */
};

struct rv_backend {
    const char *name;
    bool device_memory; /* also takes RVOS_MEMORY_CUDA */
    int max_batch;      /* maximum number of frames (streams) in one pass of a plan */
    int state_align;    /* a hidden state has a multiple of this many channels */
    int time_groups; /* for a program for one frame (net/program.h); n frames have n times
                        as many */
    bool depthwise;  /* can run depthwise convolutions (net/program.h) */
    bool lanes;      /* steps start as soon as their inputs are ready, not wave by wave */
    int (*open)(rvos_device *dev);
    void (*close)(rvos_device *dev);

    int (*alloc)(rvos_device *dev, size_t size, struct rv_buffer *out); /* zeroed */
    void (*free)(rvos_device *dev, struct rv_buffer *buffer);
    int (*clear)(rvos_device *dev, struct rv_buffer *buffer, size_t at, size_t size);
    int (*read)(rvos_device *dev, const struct rv_buffer *src, size_t at, void *dst,
                size_t size);
    int (*write)(rvos_device *dev, struct rv_buffer *dst, size_t at, const void *src,
                 size_t size);

    /* The type of activations; RV_OTHER: the device cannot compute in this precision. */
    enum rv_type (*type)(rvos_device *dev, rvos_precision precision);
    /* Slow: reorders weights, picks algorithms, captures a CUDA graph. `program` must
     * stay valid until plan_destroy. The plan runs frames of up to `batch` streams in one
     * pass. */
    int (*plan_create)(rvos_device *dev, const struct rv_program *program,
                       struct rv_weights *weights, rvos_precision precision, int batch,
                       struct rv_plan **out);
    /* May be NULL. `with` is a smaller plan of the same program and weights. From now on
     * the two never run at the same time, so they may share scratch memory. `with` may be
     * running during this call. After a failure `plan` may only be passed to
     * plan_destroy. */
    int (*plan_share)(struct rv_plan *plan, const struct rv_plan *with);
    /* Fast: allocates nothing. Called by one thread at a time. n_jobs is 1 to the plan's
     * batch. Each job belongs to another stream; live slots, frame sizes and formats may
     * differ. After a failure all results are invalid. If several jobs fail with a status
     * other than RVOS_ERR_DEVICE, the state of every stream must be as before the call,
     * because batch.c then runs the jobs again one by one. A warm-up call has one job, or
     * n equal ones. */
    int (*plan_run)(struct rv_plan *plan, const struct rv_job *jobs, int n_jobs);
    void (*plan_destroy)(struct rv_plan *plan);
    /* Both may be NULL. For rvos_stream_time_steps and rvos_stream_read_steps. They wait
     * for running frames. */
    void (*plan_time)(struct rv_plan *plan, bool on);
    int (*plan_steps)(struct rv_plan *plan, rvos_step *out, int room);
    /* Both may be NULL. CPU work before and after plan_run. It runs in the stream's own
     * thread, so that streams do not wait for each other's copies. */
    int (*job_prepare)(rvos_device *dev, const struct rv_job *job);
    void (*job_finish)(rvos_device *dev, const struct rv_job *job);
    void (*weights_free)(rvos_device *dev, struct rv_weights *weights);

    /* Makes tables for frames of one size at the network size. */
    int (*pixels_create)(rvos_device *dev, const struct rv_net *net, int width,
                         int height, struct rv_pixels **out);
    void (*pixels_destroy)(struct rv_pixels *pixels);
    /* The caller's images and labels. A backend with `device_memory` is called only for
     * device memory. A backend without it has no `fill`. */
    int (*draw)(rvos_device *dev, const rvos_image *image, const rvos_labels *labels,
                const rvos_draw_params *params);
    void (*fill)(rvos_device *dev, const rvos_labels *labels, uint8_t value);
    int (*set_alpha)(rvos_device *dev, const rvos_image *image, const rvos_labels *alpha);
};

extern const struct rv_backend rv_backend_cpu, rv_backend_reference;

/* The only symbol that the module librvos-cuda.so exports. Returns its table, or NULL if
 * it was built for another RV_BACKEND_ABI. */
typedef const struct rv_backend *(*rv_backend_entry)(int abi);

#endif
