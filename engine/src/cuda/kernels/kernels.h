/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* kernels.h - the launchers of the .cu files, callable from C.
 *
 * Launchers put work into a stream and return at once. They are captured into a graph
 * once and replayed for every frame, so their pointers and sizes are fixed. Kernels read
 * what changes from frame to frame (the stream's state, the image, the outputs) from the
 * job table in device memory. */
#ifndef RV_CUDA_KERNELS_H
#define RV_CUDA_KERNELS_H

#include <cuda_runtime_api.h>
#include <stddef.h>
#include <stdint.h>

#include "../../type.h"
#include "../../pixels/color.h"
#include "../../pixels/filter.h"
#include "../../pixels/objects.h"

#ifdef __cplusplus
extern "C" {
#endif

#define RV_CUDA_SLOTS 32
#define RV_CUDA_DECODERS 2 /* RV_DECODERS of net/program.h, in the same order */
/* Number of rv_found entries: for each slot as shown, then as seen by each decoder. */
#define RV_CUDA_FOUND ((1 + RV_CUDA_DECODERS) * RV_CUDA_SLOTS)

enum rv_where { RV_NOWHERE, RV_FIXED, RV_IN_STATE };

/* A tensor: n images of h x w pixels of c channels, `pitch` elements apart (more than c
 * in a slice or with padded channels). Job j of a batch has it at base + offset + j *
 * stride, or at `offset` in the job's state. */
struct rv_view {
    int where;         /* enum rv_where */
    enum rv_type type; /* RV_F32 or RV_F16 */
    int n, h, w, c, pitch;
    char *base;
    size_t offset, stride; /* bytes */
};

/* The caller's image, or one plane of labels, in device memory. */
struct rv_frame {
    const uint8_t *plane[3];
    long long stride[3];
    int width, height; /* 0: none */
    int planes;        /* 1: packed RGB, 2: NV12, 3: I420 */
    struct rv_packing rgb;
    struct rv_yuv yuv;
};

struct rv_plane {
    uint8_t *data; /* NULL: not wanted */
    long long stride;
    int width, height, step;
};

/* The statistics of one object. Sums are integers, so that the order of the atomic
 * additions does not matter. */
struct rv_found {
    unsigned long long score; /* sum of probabilities, 24 fraction bits */
    unsigned int area, count; /* pixels in the labels, and at network size */
    int x0, y0, x1, y1;       /* box in the labels: x0 <= x < x1 */
};

/* One frame of one video. Launchers process the table's `batch` jobs. If a pass is not
 * full, the remaining jobs have no live slots. */
struct rv_cuda_job {
    char *state;
    int live[RV_CUDA_DECODERS]; /* live slots; the state of other slots is not touched */
    int shown;                  /* decoder whose logits make labels and alpha */
    struct rv_frame frame;
    struct rv_filter filter; /* from the frame's size to the network's; device memory */
    const uint32_t *seed;    /* bit i of each pixel: slot i; NULL counts as empty */
    uint32_t seed_slots;
    struct rv_plane labels, alpha;
    float level;      /* logits above it win */
    uint32_t unshown; /* slots that are counted but left out of labels and alpha */
    int min_object_size;
    uint8_t *seen[RV_CUDA_DECODERS]; /* labels at network size; NULL: not wanted */
    float seen_level;                /* logits above it win there */
    struct rv_found *found;          /* RV_CUDA_FOUND entries, device memory */
    struct rv_found *report;         /* a copy for the host in pinned memory */
};

/* -- pixels.cu: from the image to the network -- */
cudaError_t rv_cuda_image(const struct rv_cuda_job *job, int batch, struct rv_view image,
                          cudaStream_t stream);
cudaError_t rv_cuda_seed(const struct rv_cuda_job *job, int batch, struct rv_view prob,
                         int decoder, int slots, cudaStream_t stream);

/* -- layers.cu -- */
/* If `slots` > 0, image n is slot n of the decoder, and at most `slots` of them run; else
 * all images are made. */
struct rv_maxpool_args {
    struct rv_view in, out;
    int decoder, slots, size, stride, pad;
};
cudaError_t rv_cuda_maxpool(const struct rv_cuda_job *job, int batch,
                            struct rv_maxpool_args pool, cudaStream_t stream);
/* out = in, with zeroes in the remaining channels and for slots of the decoder that do
 * not run. The first image belongs to `slot`. */
cudaError_t rv_cuda_gather(const struct rv_cuda_job *job, int batch, struct rv_view in,
                           int decoder, int slot, struct rv_view out,
                           cudaStream_t stream);
/* out = act(sums + bias + add), for packed tensors. add may be NULL or the same as
 * out. */
cudaError_t rv_cuda_epilogue(const void *sums, enum rv_type sums_type, const float *bias,
                             const void *add, void *out, enum rv_type out_type,
                             size_t pixels, int channels, int relu, cudaStream_t stream);

struct rv_mask_args {
    struct rv_view h, coarse, logits, prob; /* coarse: logits of twice h's size; prob may
                                             be nowhere */
    float *taps;                            /* scratch: [image][size * size][h][w] */
    const float *kernel;                    /* [tap][channel] */
    const float *bias;                      /* one value */
    size_t taps_stride;                     /* elements of `taps` from job to job */
    int decoder, size, slots;               /* most slots that run */
};
cudaError_t rv_cuda_mask(const struct rv_cuda_job *job, int batch, struct rv_mask_args m,
                         cudaStream_t stream);

/* -- cell.cu: see enum rv_cell_in -- */
struct rv_cell_args {
    struct rv_view below, h_left, c_left, time, skip, mul, h, c;
    /* Input of the convolution, [ up(below) * mul | h_left | zeroes ]. */
    struct rv_view input;
    struct rv_view gates; /* its sums; RV_NOWHERE: no convolution */
    int decoder, object;  /* object counts from 0; jobs without this slot are skipped */
};
cudaError_t rv_cuda_cell_input(const struct rv_cuda_job *job, int batch,
                               struct rv_cell_args cell, cudaStream_t stream);
cudaError_t rv_cuda_cell_update(const struct rv_cuda_job *job, int batch,
                                struct rv_cell_args cell, cudaStream_t stream);

/* -- cell_tile.cu: a whole cell in one kernel, fp16; `input` and `gates` are RV_NOWHERE
 * -- */
struct rv_cell_tile {
    struct rv_cell_args cell;
    const void *kernel; /* [4 * hidden][tap][ic], fp16 */
    const float *bias;
    int ic, size; /* ic: channels of below and h_left; ic and hidden are multiples of 8 */
};
cudaError_t rv_cuda_cell_tile(const struct rv_cuda_job *job, int batch,
                              struct rv_cell_tile cell, cudaStream_t stream);
/* Bytes of shared memory of a block; must not exceed the GPU's limit. */
size_t rv_cuda_cell_tile_shared(int ic, int size);

/* -- labels.cu: from the network to labels; `look`: a job has `seen` outputs -- */
cudaError_t rv_cuda_labels(const struct rv_cuda_job *job, int batch,
                           struct rv_view logits, int decoder, int look,
                           cudaStream_t stream);

/* -- draw.cu: works on device memory without a job -- */
cudaError_t rv_cuda_draw(struct rv_frame image, struct rv_plane labels,
                         struct rv_paint paint, cudaStream_t stream);
cudaError_t rv_cuda_set_alpha(struct rv_frame image, struct rv_plane alpha,
                              cudaStream_t stream);
cudaError_t rv_cuda_fill(struct rv_plane labels, int value, cudaStream_t stream);

/* -- conv_plain.cu -- */
struct rv_plain_conv {
    int n, ih, iw, ic, oh, ow, oc; /* ic includes padding */
    int size, stride, pad;
    enum rv_type in, out;
    int relu;
    const float *kernel; /* [tap][ic][oc, padded to 8], always float32 */
    const float *bias;   /* [oc, padded to 8] */
};
cudaError_t rv_cuda_conv(struct rv_plain_conv c, const void *x, const void *add, void *y,
                         cudaStream_t stream);

/* -- conv_tile.cu: fp16 operands, ic and oc multiples of 8 -- */
struct rv_tile_conv {
    int ih, iw, ic, oh, ow, oc, size, stride, pad;
    enum rv_type out;
    int relu;
    int columns;        /* columns of the product: size * size * ic */
    int pixels;         /* rows of the product: n * oh * ow */
    const void *kernel; /* [oc][tap][ic], fp16 */
    const float *bias;  /* [oc] */
    int *ticket;        /* a zero for each tile; zero again after a run */
};
/* Tiles of m pixels by n outputs: 32 x 64, 64 x 32, 64 x 64 or 128 x 64. The columns are
 * split into `parts`; if there are several, the workspace holds [parts][pixels][oc]
 * floats. `chained`: as in struct rv_conv_io. */
cudaError_t rv_cuda_conv_tile(struct rv_tile_conv c, int m, int n, int parts,
                              const void *x, const void *add, void *y, void *workspace,
                              int chained, cudaStream_t stream);

#ifdef __cplusplus
}
#endif
#endif
