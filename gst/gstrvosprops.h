/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* gstrvosprops.h - the properties and their types. */
#ifndef GST_RVOS_PROPS_H
#define GST_RVOS_PROPS_H

#include <gst/gst.h>
#include <rvos.h>

/* Enums and flags of the properties, since 0.1. gstrvosprops.c explains the values. */

typedef enum {
    GST_RVOS_SEG_MODE_ZERO_SHOT,
    GST_RVOS_SEG_MODE_ONE_SHOT,
    GST_RVOS_SEG_MODE_AUTO,
} GstRvosSegMode;

typedef enum {
    GST_RVOS_SEG_VARIANT_SPATIO_TEMPORAL,
    GST_RVOS_SEG_VARIANT_SPATIAL,
    GST_RVOS_SEG_VARIANT_TEMPORAL,
} GstRvosSegVariant;

typedef enum {
    GST_RVOS_SEG_DETECTOR_SEEDS_NONE,
    GST_RVOS_SEG_DETECTOR_SEEDS_BOXES,
} GstRvosSegDetectorSeeds;

typedef enum {
    GST_RVOS_SEG_ENGINE_AUTO,
    GST_RVOS_SEG_ENGINE_CPU,
    GST_RVOS_SEG_ENGINE_CUDA,
    GST_RVOS_SEG_ENGINE_REFERENCE,
} GstRvosSegEngine;

typedef enum {
    GST_RVOS_SEG_PRECISION_AUTO,
    GST_RVOS_SEG_PRECISION_FP32,
    GST_RVOS_SEG_PRECISION_TF32,
    GST_RVOS_SEG_PRECISION_FP16,
    GST_RVOS_SEG_PRECISION_BF16,
    GST_RVOS_SEG_PRECISION_INT16,
    GST_RVOS_SEG_PRECISION_INT8,
} GstRvosSegPrecision;

typedef enum {
    GST_RVOS_SEG_OUTPUT_OVERLAY,
    GST_RVOS_SEG_OUTPUT_MASK,
    GST_RVOS_SEG_OUTPUT_ALPHA,
    GST_RVOS_SEG_OUTPUT_NONE,
} GstRvosSegOutput;

typedef enum {
    GST_RVOS_SEG_OVERLAY_TEXT_LABEL = 1 << 0,
    GST_RVOS_SEG_OVERLAY_TEXT_ID = 1 << 1,
} GstRvosSegOverlayText;

typedef enum {
    GST_RVOS_SEG_LATE_POLICY_REUSE,
    GST_RVOS_SEG_LATE_POLICY_PROCESS,
    GST_RVOS_SEG_LATE_POLICY_DROP,
} GstRvosSegLatePolicy;

typedef enum {
    GST_RVOS_SEG_SCENE_CUT_DETECT = 1 << 0,
    GST_RVOS_SEG_SCENE_CUT_KEY_UNIT = 1 << 1,
} GstRvosSegSceneCut;

typedef enum {
    GST_RVOS_SEG_ATTACH_META_ROI = 1 << 0,
    GST_RVOS_SEG_ATTACH_META_MASK = 1 << 1,
    GST_RVOS_SEG_ATTACH_META_ANALYTICS = 1 << 2,
} GstRvosSegAttachMeta;

typedef enum {
    GST_RVOS_SEG_POST_MESSAGES_NONE,
    GST_RVOS_SEG_POST_MESSAGES_CHANGES,
    GST_RVOS_SEG_POST_MESSAGES_ALL,
} GstRvosSegPostMessages;

/* All properties except strings, so that a frame's snapshot is one assignment. A field
 * has exactly the type of its GValue, because it is accessed by its offset. So enums and
 * flags are gint and guint, and a fraction is two gint. */
typedef struct {
    gint mode;
    gint variant;
    guint discovery_interval;
    gint detector_seeds;
    gint engine;
    gint precision;
    gint cuda_device_id;
    guint n_threads;
    gboolean share_model;
    guint max_batch;
    guint64 batch_timeout;
    guint objects;
    guint network_width, network_height;

    gboolean enabled;
    gint output;
    gdouble overlay_alpha;
    guint contour_width;
    guint overlay_text;
    gdouble threshold;
    guint min_object_size;
    guint min_age;
    guint lost_frames;
    gint late_policy;
    guint inference_interval;
    gint rate_n, rate_d; /* max-inference-rate */
    guint64 max_gap;
    guint scene_cut;
    gint64 latency;
    guint attach_meta;
    gint post_messages;

    rvos_palette colours; /* the parsed `palette` */
} GstRvosSettings;

/* The string properties, read only in start and in getters. */
typedef struct {
    gchar *model;
    gchar *init_mask_location;
    gchar *palette;
} GstRvosStrings;

void gst_rvos_strings_clear(GstRvosStrings *strings);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(GstRvosStrings, gst_rvos_strings_clear)

/* Property ids: an id of its own, or the offset of a field of GstRvosSettings. */
enum {
    GST_RVOS_PROP_MODEL = 1,
    GST_RVOS_PROP_ACTUAL_ENGINE,
    GST_RVOS_PROP_PALETTE,
    GST_RVOS_PROP_INIT_MASK_LOCATION,
    GST_RVOS_PROP_STATS,
    GST_RVOS_PROP_FIRST_FIELD
};
#define GST_RVOS_PROP_FIELD(name)                                                        \
    (GST_RVOS_PROP_FIRST_FIELD + G_STRUCT_OFFSET(GstRvosSettings, name))

void gst_rvos_props_install(GObjectClass *klass);

/* Sets all settings to the defaults of the installed properties. */
void gst_rvos_settings_init(GstRvosSettings *settings, GObjectClass *klass);
/* Sets and gets the field of a property. */
void gst_rvos_settings_set(GstRvosSettings *settings, guint id, const GValue *value);
void gst_rvos_settings_get(GstRvosSettings *settings, guint id, GValue *value);

/* Parses "davis", or comma separated "#rrggbb" for slots 1, 2, ..., repeated if there are
 * too few. */
gboolean gst_rvos_palette_parse(const gchar *text, rvos_palette *palette);

#endif
