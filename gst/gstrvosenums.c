/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* gstrvosenums.c - GTypes for the enums and flags of the properties. */
#include "gstrvosprops.h"

static GType register_enum(const gchar *name, const GEnumValue *values)
{
    GType type = g_enum_register_static(name, values);

    gst_type_mark_as_plugin_api(type, 0);
    return type;
}

static GType register_flags(const gchar *name, const GFlagsValue *values)
{
    GType type = g_flags_register_static(name, values);

    gst_type_mark_as_plugin_api(type, 0);
    return type;
}

/* The get_type functions differ only in their tables. */
#define DEFINE_TYPE(function, name, register_it)                                         \
    GType function(void)                                                                 \
    {                                                                                    \
        static gsize type = 0;                                                           \
                                                                                         \
        if (g_once_init_enter(&type))                                                    \
            g_once_init_leave(&type, register_it(name, function##_values));              \
        return type;                                                                     \
    }

static const GEnumValue gst_rvos_seg_mode_get_type_values[] = {
    {GST_RVOS_SEG_MODE_ZERO_SHOT, "Find the objects", "zero-shot"},
    {GST_RVOS_SEG_MODE_ONE_SHOT, "Follow the objects of a given mask", "one-shot"},
    {GST_RVOS_SEG_MODE_AUTO, "Find the objects, then follow them", "auto"},
    {0, NULL, NULL},
};
DEFINE_TYPE(gst_rvos_seg_mode_get_type, "GstRvosSegMode", register_enum)

static const GEnumValue gst_rvos_seg_variant_get_type_values[] = {
    {GST_RVOS_SEG_VARIANT_SPATIO_TEMPORAL, "Over objects and over frames",
     "spatio-temporal"},
    {GST_RVOS_SEG_VARIANT_SPATIAL, "Over the objects of a frame only", "spatial"},
    {GST_RVOS_SEG_VARIANT_TEMPORAL, "Over frames only, except in the first one",
     "temporal"},
    {0, NULL, NULL},
};
DEFINE_TYPE(gst_rvos_seg_variant_get_type, "GstRvosSegVariant", register_enum)

static const GEnumValue gst_rvos_seg_detector_seeds_get_type_values[] = {
    {GST_RVOS_SEG_DETECTOR_SEEDS_NONE, "Boxes of detectors are ignored", "none"},
    {GST_RVOS_SEG_DETECTOR_SEEDS_BOXES, "A box that fits no object starts one", "boxes"},
    {0, NULL, NULL},
};
DEFINE_TYPE(gst_rvos_seg_detector_seeds_get_type, "GstRvosSegDetectorSeeds",
            register_enum)

static const GEnumValue gst_rvos_seg_engine_get_type_values[] = {
    {GST_RVOS_SEG_ENGINE_AUTO, "The CPU; with RVOS_CUDA=1 CUDA if it starts", "auto"},
    {GST_RVOS_SEG_ENGINE_CPU, "The CPU", "cpu"},
    {GST_RVOS_SEG_ENGINE_CUDA, "CUDA, or an error", "cuda"},
    {GST_RVOS_SEG_ENGINE_REFERENCE, "Plain C: slow, for checks", "reference"},
    {0, NULL, NULL},
};
DEFINE_TYPE(gst_rvos_seg_engine_get_type, "GstRvosSegEngine", register_enum)

static const GEnumValue gst_rvos_seg_precision_get_type_values[] = {
    {GST_RVOS_SEG_PRECISION_AUTO, "The engine's own: fp32 on the CPU, fp16 with CUDA",
     "auto"},
    {GST_RVOS_SEG_PRECISION_FP32, "Exact float32", "fp32"},
    {GST_RVOS_SEG_PRECISION_TF32, "CUDA: float32 with products of 10 bits", "tf32"},
    {GST_RVOS_SEG_PRECISION_FP16, "CUDA: half precision, sums in float32", "fp16"},
    {GST_RVOS_SEG_PRECISION_BF16, "CPU with oneDNN: bfloat16, coarse", "bf16"},
    {GST_RVOS_SEG_PRECISION_INT16, "CPU with AVX2: products of 14-bit integers", "int16"},
    {0, NULL, NULL},
};
DEFINE_TYPE(gst_rvos_seg_precision_get_type, "GstRvosSegPrecision", register_enum)

static const GEnumValue gst_rvos_seg_output_get_type_values[] = {
    {GST_RVOS_SEG_OUTPUT_OVERLAY, "Objects tinted and outlined on the picture",
     "overlay"},
    {GST_RVOS_SEG_OUTPUT_MASK, "Palette colours on black", "mask"},
    {GST_RVOS_SEG_OUTPUT_ALPHA, "Probability of an object in the alpha channel", "alpha"},
    {GST_RVOS_SEG_OUTPUT_NONE, "Pixels untouched", "none"},
    {0, NULL, NULL},
};
DEFINE_TYPE(gst_rvos_seg_output_get_type, "GstRvosSegOutput", register_enum)

static const GFlagsValue gst_rvos_seg_overlay_text_get_type_values[] = {
    {GST_RVOS_SEG_OVERLAY_TEXT_LABEL, "What a detector upstream calls the object",
     "label"},
    {GST_RVOS_SEG_OVERLAY_TEXT_ID, "Its tracking-id, as in messages and metadata", "id"},
    {0, NULL, NULL},
};
DEFINE_TYPE(gst_rvos_seg_overlay_text_get_type, "GstRvosSegOverlayText", register_flags)

static const GEnumValue gst_rvos_seg_late_policy_get_type_values[] = {
    {GST_RVOS_SEG_LATE_POLICY_REUSE, "A late frame is passed on with the last mask",
     "reuse"},
    {GST_RVOS_SEG_LATE_POLICY_PROCESS, "A late frame is segmented anyway", "process"},
    {GST_RVOS_SEG_LATE_POLICY_DROP, "A late frame is dropped", "drop"},
    {0, NULL, NULL},
};
DEFINE_TYPE(gst_rvos_seg_late_policy_get_type, "GstRvosSegLatePolicy", register_enum)

static const GFlagsValue gst_rvos_seg_scene_cut_get_type_values[] = {
    {GST_RVOS_SEG_SCENE_CUT_DETECT, "Compare the pictures", "detect"},
    {GST_RVOS_SEG_SCENE_CUT_KEY_UNIT, "At a downstream force-key-unit event", "key-unit"},
    {0, NULL, NULL},
};
DEFINE_TYPE(gst_rvos_seg_scene_cut_get_type, "GstRvosSegSceneCut", register_flags)

static const GFlagsValue gst_rvos_seg_attach_meta_get_type_values[] = {
    {GST_RVOS_SEG_ATTACH_META_ROI, "GstVideoRegionOfInterestMeta for each object", "roi"},
    {GST_RVOS_SEG_ATTACH_META_MASK, "Custom meta GstRvosSegMeta with the mask", "mask"},
#ifdef HAVE_ANALYTICS
    {GST_RVOS_SEG_ATTACH_META_ANALYTICS, "GstAnalyticsRelationMeta", "analytics"},
#endif
    {0, NULL, NULL},
};
DEFINE_TYPE(gst_rvos_seg_attach_meta_get_type, "GstRvosSegAttachMeta", register_flags)

static const GEnumValue gst_rvos_seg_post_messages_get_type_values[] = {
    {GST_RVOS_SEG_POST_MESSAGES_NONE, "No element messages", "none"},
    {GST_RVOS_SEG_POST_MESSAGES_CHANGES, "When objects come and go, and at a reset",
     "changes"},
    {GST_RVOS_SEG_POST_MESSAGES_ALL, "Also each object of each segmented frame", "all"},
    {0, NULL, NULL},
};
DEFINE_TYPE(gst_rvos_seg_post_messages_get_type, "GstRvosSegPostMessages", register_enum)
