/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* gstrvosmodel.h - one copy of the weights for all elements of a process.
 *
 * A GstRvosModel is a loaded model on its device. Elements that ask for the same
 * file in the same way get the same one; the last to release it frees it.
 */
#ifndef GST_RVOS_MODEL_H
#define GST_RVOS_MODEL_H

#include <gst/gst.h>
#include <rvos.h>

#include "gstrvosnotice.h"

G_BEGIN_DECLS

typedef struct _GstRvosModel GstRvosModel;

typedef struct {
    const gchar *path;
    gint engine;    /* GstRvosSegEngine */
    gint precision; /* GstRvosSegPrecision */
    gint cuda_device;
    GstObject *cuda_context; /* to work in; NULL: the primary one of cuda_device */
    guint threads;
    guint width, height; /* of the network; 0: the model's own */
    guint max_batch;
    guint64 batch_timeout;
    gboolean share;
} GstRvosModelParams;

/* The path to use: `wanted`, else RVOS_MODEL of the environment, else the installed
 * model, else the build tree's. NULL with `failure` set where there is none. */
gchar *gst_rvos_model_find(const gchar *wanted, GstRvosFailure *failure);

/* Whether this GstRvosSegEngine is CUDA's, if that starts. */
gboolean gst_rvos_model_tries_cuda(gint engine);

/* Blocks while the model is loaded, be it by another element, whose failure is then
 * shared. With engine auto `fallback` gets the reason why it is not CUDA, or NULL. */
GstRvosModel *gst_rvos_model_acquire(const GstRvosModelParams *params, gchar **fallback,
                                     GstRvosFailure *failure);
void gst_rvos_model_release(GstRvosModel *model);

rvos_device *gst_rvos_model_device(GstRvosModel *model);
rvos_model *gst_rvos_model_model(GstRvosModel *model);

/* The context that it was given and lives in; borrowed. NULL for NULL, for other engines
 * and in the primary context. */
GstObject *gst_rvos_model_context(const GstRvosModel *model);

/* Elements that hold it now. */
guint gst_rvos_model_users(GstRvosModel *model);

/* The last line of warning or worse that librvos logged. To be freed; may be NULL. */
gchar *gst_rvos_model_last_words(GstRvosModel *model);

/* Why a call of librvos failed while frames flow: `what`, the status, the last words. */
void gst_rvos_model_explain(GstRvosModel *model, int status, const gchar *what,
                            GstRvosFailure *failure);

G_END_DECLS
#endif
