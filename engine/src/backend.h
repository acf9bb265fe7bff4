/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* backend.h - what a backend provides. All return 0 or an rvos_status.
 *
 * rvos_*() functions have checked every argument before a backend sees it, so
 * backends don't. What a backend says goes through rv_log (log.h). */
#ifndef RV_BACKEND_H
#define RV_BACKEND_H

#include <sys/types.h>

#include "net/program.h"
#include "rvos.h"

/* Grows with every change of the structs below: a module of another number is
 * not loaded. */
#define RV_BACKEND_ABI 13

struct rv_plan;   /* a program made ready on a device; each backend's own */
struct rv_pixels; /* tables for one frame size; each backend's own */

/* The weights that programs refer to by index. plan_create may use them freely:
 * the model calls it under its lock. */
struct rv_weights {
    const struct rv_net *net; /* its table of weights is complete */
    /* Kernel (out x in x size x size) and bias (out) of net->weight[index], batch
     * norm folded in, float32. */
    int (*read)(const struct rv_weights *weights, int index, float *kernel, float *bias);
    void *opaque; /* the model's */
    /* What the backend has made of each weight, shared by all plans of a model:
     * net->n_weights pointers, NULL at first. */
    void **prepared;
    size_t prepared_bytes;
};

struct rv_buffer {
    void *ptr; /* host or device address */
    size_t size;
};

/* What an rvos_device is inside. Backends read fn, params and set priv, info. */
struct rvos_device {
    const struct rv_backend *fn;
    const struct rv_backend *reference; /* for a backend that checks itself; or NULL */
    void *priv;
    void *module; /* of dlopen, when the backend came from one */
    rvos_device_params params;
    rvos_device_info info;
    _Atomic int refs;
    pid_t process; /* that opened it (device.h) */
};

/* What a decoder has found, at network size and for a threshold of 0.5, whatever is shown
 * of it: for the rules of RVOS_TASK_AUTO. */
struct rv_seen {
    uint8_t *labels; /* height rows of width; NULL: not wanted */
    float *score;    /* of each slot: mean probability over its pixels; 0: it has none */
};

/* One stream's frame. */
struct rv_job {
    struct rv_buffer state;
    struct rv_pixels *pixels; /* NULL only with a NULL frame */
    const rvos_image *frame;  /* NULL: the image stays zero, nothing is drawn: warm-up */
    /* Masks shown to the network: bit i of each pixel is slot i; network size. Only
     * slots of seed_slots are set from it; NULL: it counts as empty. */
    const uint32_t *seed;
    uint32_t seed_slots;
    int live[RV_DECODERS]; /* slots that run, from the first on; 0: nothing of this
                              decoder does */
    int shown;        /* decoder that `out` is made of; it has live slots, or `out` is
                         NULL */
    bool labels_only; /* with a NULL frame: makes `out` of the logits in the state,
                         which stays as it is */
    struct rv_seen seen[RV_DECODERS]; /* of decoders with live slots, of a program that
                                         has both */
    const rvos_output *out;
    rvos_object *object; /* one per slot, filled when there are labels */
};

struct rv_backend {
    const char *name;
    bool device_memory; /* takes RVOS_MEMORY_CUDA, too */
    int max_batch;      /* most streams whose frames a plan runs in one pass */
    int state_align;    /* channels of a hidden state come in multiples of this */
    int time_groups;    /* of a program for one frame (net/program.h); one for n frames
                           has n times as many */
    bool depthwise; /* runs convolutions whose weights are depthwise (net/program.h) */
    bool lanes;     /* steps begin when what they need is there, whatever their wave */
    int (*open)(rvos_device *dev);
    void (*close)(rvos_device *dev);

    int (*alloc)(rvos_device *dev, size_t size, struct rv_buffer *out); /* zeroed */
    void (*free)(rvos_device *dev, struct rv_buffer *buffer);
    int (*clear)(rvos_device *dev, struct rv_buffer *buffer, size_t at, size_t size);
    int (*read)(rvos_device *dev, const struct rv_buffer *src, size_t at, void *dst,
                size_t size);
    int (*write)(rvos_device *dev, struct rv_buffer *dst, size_t at, const void *src,
                 size_t size);

    /* Of activations; RV_OTHER: the device cannot compute in this precision. */
    enum rv_type (*type)(rvos_device *dev, rvos_precision precision);
    /* Slow: reorders weights, picks algorithms, captures a CUDA graph. `program`
     * stays where it is until plan_destroy. The plan runs frames of up to `batch`
     * streams in one pass. */
    int (*plan_create)(rvos_device *dev, const struct rv_program *program,
                       struct rv_weights *weights, rvos_precision precision, int batch,
                       struct rv_plan **out);
    /* May be NULL. From now on `plan` and `with`, a smaller one of the same program and
     * weights, never run at the same time: so they may have scratch in common. `with` may
     * be running. After a failure `plan` is only good for plan_destroy. */
    int (*plan_share)(struct rv_plan *plan, const struct rv_plan *with);
    /* Fast: allocates nothing. One thread at a time; n_jobs from 1 to the plan's batch,
     * each of another stream, live slots, frame sizes and formats may differ. On failure
     * none of their frames is to be used; after a failure other than RVOS_ERR_DEVICE of
     * more than one job the state of every stream must be as before the call, as the jobs
     * are then run again, one by one (batch.c). Warm-up jobs come without others, or n
     * alike. */
    int (*plan_run)(struct rv_plan *plan, const struct rv_job *jobs, int n_jobs);
    void (*plan_destroy)(struct rv_plan *plan);
    /* Both may be NULL. rvos_stream_time_steps and rvos_stream_read_steps; wait for
     * frames that run. */
    void (*plan_time)(struct rv_plan *plan, bool on);
    int (*plan_steps)(struct rv_plan *plan, rvos_step *out, int room);
    /* May be NULL. What the CPU does for a frame in front of plan_run and behind it, in
     * the stream's own thread: so that streams don't wait for each other's copies. */
    int (*job_prepare)(rvos_device *dev, const struct rv_job *job);
    void (*job_finish)(rvos_device *dev, const struct rv_job *job);
    void (*weights_free)(rvos_device *dev, struct rv_weights *weights);

    /* Tables for frames of one size at a network size. */
    int (*pixels_create)(rvos_device *dev, const struct rv_net *net, int width,
                         int height, struct rv_pixels **out);
    void (*pixels_destroy)(struct rv_pixels *pixels);
    /* Pictures and labels of the caller's. A backend with `device_memory` is asked for
     * what lies there only, one without has no `fill`. */
    int (*draw)(rvos_device *dev, const rvos_image *image, const rvos_labels *labels,
                const rvos_draw_params *params);
    void (*fill)(rvos_device *dev, const rvos_labels *labels, uint8_t value);
    int (*set_alpha)(rvos_device *dev, const rvos_image *image, const rvos_labels *alpha);
};

extern const struct rv_backend rv_backend_cpu, rv_backend_reference;

/* The only symbol that the module librvos-cuda.so exports: its table, or NULL if
 * it was built for another RV_BACKEND_ABI. */
typedef const struct rv_backend *(*rv_backend_entry)(int abi);

#endif
