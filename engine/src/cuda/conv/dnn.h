/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* dnn.h - convolutions in cuDNN's graph API: the graph, its engines, and execution plans.
 *
 * All functions return NULL, false or 0 if cuDNN fails. Nothing is logged. */
#ifndef RV_CUDA_DNN_H
#define RV_CUDA_DNN_H

#include <cudnn.h>
#include <stdbool.h>

#include "conv.h"

/* The forms of a convolution, in the order in which they are tried:
 *     fused    conv, + add, + bias, ReLU as one operation graph, the bias in the type of
 *              the operands: for fp16 results there are dozens of precompiled engines
 *     fused32  the same with the bias in float32, where that is another type: engines
 *              that are compiled at run time
 *     sums32   conv alone to float32 sums, and our own kernel for the rest
 *     sums     conv alone to sums of the operands' type, then the same */
enum rv_form { RV_FORM_FUSED, RV_FORM_FUSED32, RV_FORM_SUMS32, RV_FORM_SUMS, RV_FORMS };

/* The target of plans: the GPU of a handle or, without a handle (tests), a description of
 * one. */
struct rv_dnn {
    cudnnHandle_t handle;
    cudnnBackendDescriptor_t device;
};

/* Writes the version of the loaded library, such as "cuDNN 9.14.0". */
void rv_dnn_version(char *text, size_t size);
/* The library's file; "" if unknown. */
const char *rv_dnn_file(void);

cudnnBackendDescriptor_t rv_dnn_graph(const struct rv_dnn *dnn,
                                      const struct rv_conv_shape *s, enum rv_form form);
/* Engine configurations, the most promising first; the caller destroys them. */
int rv_dnn_configs(const struct rv_dnn *dnn, cudnnBackendDescriptor_t graph,
                   cudnnBackendDescriptor_t *config, int most);
/* Whether an engine's numerics may be used for a shape. */
bool rv_dnn_suits(cudnnBackendDescriptor_t config, const struct rv_conv_shape *s);
/* Whether making its plan compiles a kernel. */
bool rv_dnn_compiles(cudnnBackendDescriptor_t config);
/* May compile kernels, which can take a second. */
cudnnBackendDescriptor_t rv_dnn_plan(const struct rv_dnn *dnn,
                                     cudnnBackendDescriptor_t config, int64_t *workspace);
/* Converts a plan to text, compiled kernels included, for this cuDNN version and GPU, and
 * back (in a millisecond). The caller frees the text. */
char *rv_dnn_save(cudnnBackendDescriptor_t plan, size_t *size);
cudnnBackendDescriptor_t rv_dnn_restore(const struct rv_dnn *dnn, const char *text,
                                        size_t size, int64_t *workspace);
/* A configuration's engine and its knobs, as "engine 41 5=1 ...", for the log. */
void rv_dnn_describe(cudnnBackendDescriptor_t config, char *text, size_t size);
/* The addresses of one run. In forms with sums, y is the address of the sums. */
cudnnBackendDescriptor_t rv_dnn_pack(const struct rv_conv_shape *s, enum rv_form form,
                                     const struct rv_conv_io *io, const void *kernel,
                                     const void *bias, void *y, void *workspace);
void rv_dnn_destroy(cudnnBackendDescriptor_t *d); /* sets it to NULL */

#endif
