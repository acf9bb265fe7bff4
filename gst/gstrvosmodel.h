/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* gstrvosmodel.h - shares one copy of the weights among all elements of a process.
 *
 * A GstRvosModel is a loaded model on its device. Elements that ask for the same file
 * with the same settings get the same model. The last release frees it.
 */
#ifndef GST_RVOS_MODEL_H
#define GST_RVOS_MODEL_H

#include <gst/gst.h>
#include <rvos.h>

#include "gstrvosnotice.h"
#include "gstrvosprops.h"

typedef struct _GstRvosModel GstRvosModel;

typedef struct {
    const gchar *path;
    GstRvosSettings settings; /* those of the engine and the network count */
    GstObject *cuda_context;  /* NULL: the primary one of cuda-device-id */
} GstRvosModelParams;

/* The path to use: `wanted`, else RVOS_MODEL in the environment, else the installed
 * model, else the build tree's. NULL: none; an error was added. */
gchar *gst_rvos_model_find(const gchar *wanted, GstRvosNotices *notices);

/* Whether this GstRvosSegEngine uses CUDA if it starts. */
gboolean gst_rvos_model_tries_cuda(gint engine);

/* Blocks while the model is loaded, possibly by another element, whose failure is then
 * shared. NULL: an error was added. */
GstRvosModel *gst_rvos_model_acquire(const GstRvosModelParams *params,
                                     GstRvosNotices *notices);
void gst_rvos_model_release(GstRvosModel *model);

rvos_device *gst_rvos_model_device(GstRvosModel *model);
rvos_model *gst_rvos_model_model(GstRvosModel *model);

/* The model's given context, borrowed. NULL for a NULL model, for other engines and for
 * the primary context. */
GstObject *gst_rvos_model_context(const GstRvosModel *model);

/* The number of elements that use it now. */
guint gst_rvos_model_users(GstRvosModel *model);

/* The last warning or error that librvos logged, to be freed; may be NULL. */
gchar *gst_rvos_model_last_words(GstRvosModel *model);

/* Adds the error of a librvos call while frames flow: `what`, the status, the last log
 * line. Returns FALSE. */
gboolean gst_rvos_model_explain(GstRvosModel *model, int status, const gchar *what,
                                GstRvosNotices *notices);

#endif
