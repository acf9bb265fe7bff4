/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* gpurig.h - the element on frames in CUDA memory: the real gst-cuda on the driver of
 * tests/cuda/fakedriver, and librvos with the emulated CUDA engine of tests/cuda.
 *
 * That memory is the host's, so tests read and write pixels at its addresses, which the
 * driver does not count as a copy. */
#ifndef GPURIG_H
#define GPURIG_H

#include "../real.h"

#define GST_USE_UNSTABLE_API
#include <gst/cuda/gstcudabufferpool.h>
#include <gst/cuda/gstcudacontext.h>
#include <gst/cuda/gstcudaloader.h>
#include <gst/cuda/gstcudamemory.h>
#include <gst/cuda/gstcudautils.h>

#include <fakecuda.h>

typedef struct {
    GstElement *element;
    GstHarness *h;
    GstBus *bus;
    GstVideoInfo info;
    GstCudaContext *context; /* of the frames; NULL: they are in system memory */
    GstBufferPool *pool;
} Gpu;

/* The test must unref the contexts. */
GstCudaContext *gpu_context(gint device);

/* rvosseg with engine=cuda and properties as names and strings, ended by NULL. */
GstElement *gpu_element(const gchar *property, ...) G_GNUC_NULL_TERMINATED;

/* Takes ownership of the element, starts it and sends caps. With a context frames are in
 * its memory; with `told` the element gets the context before it starts. */
Gpu *gpu_new(GstElement *element, GstCudaContext *context, gboolean told,
             const gchar *format, gint width, gint height);
void gpu_free(Gpu *gpu);
void gpu_set_caps(Gpu *gpu, const gchar *format, gint width, gint height);

void gpu_set_state(Gpu *gpu, GstState state);
void gpu_push_segment(Gpu *gpu);
/* From NULL to PLAYING, with all events before the first frame. */
void gpu_start_again(Gpu *gpu, const gchar *format, gint width, gint height);

/* Frame n of real_picture. */
GstBuffer *gpu_frame(Gpu *gpu, guint n);
/* Pushes it and returns the result. */
GstBuffer *gpu_push(Gpu *gpu, guint n);
void gpu_run(Gpu *gpu, guint from, guint to);

/* All visible bytes, plane by plane, row by row; to be freed. */
GBytes *gpu_pixels(const GstVideoInfo *info, GstBuffer *buffer);
gboolean gpu_is_cuda(GstBuffer *buffer);

guint64 gpu_stat(Gpu *gpu, const gchar *name);
gchar *gpu_text_stat(Gpu *gpu, const gchar *name);
/* Reasons of the resets so far, comma separated; to be freed. */
gchar *gpu_resets(Gpu *gpu);
/* The next message of the type, or NULL; others are thrown away. */
GstMessage *gpu_pop(GstBus *bus, GstMessageType type);
void gpu_expect_error(GstBus *bus, GQuark domain, gint code, const gchar *words);

/* Bytes that librvos has copied to and from the GPU. */
void gpu_engine_copies(glong *to_device, glong *to_host);

/* A fixture: resets the counts before a test. After it nothing may be alive and the
 * driver must not have been misused. */
void gpu_setup(void);
void gpu_teardown(void);

#endif
