/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* gstrvosprops.c - the properties with their texts and defaults. All exist since 0.1. */
#include "gstrvosprops.h"

#define READY GST_PARAM_MUTABLE_READY
#define PLAYING GST_PARAM_MUTABLE_PLAYING
#define CONTROL (GST_PARAM_MUTABLE_PLAYING | GST_PARAM_CONTROLLABLE)
#define RW(mutability) (G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | (mutability))
#define RO (G_PARAM_READABLE | G_PARAM_STATIC_STRINGS)

#ifdef HAVE_ANALYTICS
#define ALL_METAS                                                                        \
    (GST_RVOS_SEG_ATTACH_META_ROI | GST_RVOS_SEG_ATTACH_META_MASK |                      \
     GST_RVOS_SEG_ATTACH_META_ANALYTICS)
#else
#define ALL_METAS (GST_RVOS_SEG_ATTACH_META_ROI | GST_RVOS_SEG_ATTACH_META_MASK)
#endif

static void add(GObjectClass *klass, guint id, GParamSpec *spec)
{
    g_object_class_install_property(klass, id, spec);
}

static void install_model(GObjectClass *klass)
{
    add(klass, GST_RVOS_PROP_MODE,
        g_param_spec_enum("mode", "Mode",
                          "Find objects and follow them (auto, the default), find them "
                          "in each frame anew (zero-shot), or follow those of a given "
                          "mask (one-shot); the model must have been trained for it.",
                          gst_rvos_seg_mode_get_type(), GST_RVOS_SEG_MODE_AUTO,
                          RW(READY)));
    add(klass, GST_RVOS_PROP_VARIANT,
        g_param_spec_enum("variant", "Variant",
                          "Which recurrences of the network run (default: "
                          "spatio-temporal). The others are the paper's ablation.",
                          gst_rvos_seg_variant_get_type(),
                          GST_RVOS_SEG_VARIANT_SPATIO_TEMPORAL, RW(READY)));
    add(klass, GST_RVOS_PROP_DISCOVERY_INTERVAL,
        g_param_spec_uint(
            "discovery-interval", "Discovery Interval",
            "Auto mode: segmented frames between two searches for new objects (default "
            "15; 0: search only at the beginning and when the scene changes).",
            0, G_MAXINT, 15, RW(READY)));
    add(klass, GST_RVOS_PROP_MODEL,
        g_param_spec_string("model", "Model",
                            "Path of the weights, a .safetensors file. Unset (the "
                            "default): RVOS_MODEL in the environment, else the shipped "
                            "model, whose weights are for research and evaluation only. "
                            "Once started, reads as the path in use.",
                            NULL, RW(READY)));
    add(klass, GST_RVOS_PROP_SHARE_MODEL,
        g_param_spec_boolean("share-model", "Share Model",
                             "Keep one copy of the weights for all elements of the "
                             "process that use the same file in the same way (default: "
                             "true).",
                             TRUE, RW(READY)));
}

static void install_network(GObjectClass *klass)
{
    add(klass, GST_RVOS_PROP_OBJECTS,
        g_param_spec_uint("objects", "Objects",
                          "Number of slots, which limits the objects at a time (default "
                          "5; 0: the model's own number). Fewer slots take less time and "
                          "do not change the masks of the others.",
                          0, RVOS_MAX_OBJECTS, 5, RW(READY)));
    add(klass, GST_RVOS_PROP_NETWORK_WIDTH,
        g_param_spec_uint("network-width", "Network Width",
                          "Width in pixels to which frames are scaled for the network, "
                          "at least 32 (default 0: the model's own).",
                          0, 4096, 0, RW(READY)));
    add(klass, GST_RVOS_PROP_NETWORK_HEIGHT,
        g_param_spec_uint("network-height", "Network Height",
                          "Height in pixels to which frames are scaled for the network, "
                          "at least 32 (default 0: the model's own).",
                          0, 4096, 0, RW(READY)));
    add(klass, GST_RVOS_PROP_INIT_MASK_LOCATION,
        g_param_spec_string(
            "init-mask-location", "Initial Mask Location",
            "One-shot and auto mode: a PNG or PGM whose values are slots (or one object "
            "in black and white), a printf pattern with one %d for the picture's number "
            "from 0, or a folder of such files. Unset (the default): masks come by "
            "set-mask or as metadata.",
            NULL, RW(READY)));
}

static void install_detector(GObjectClass *klass)
{
    add(klass, GST_RVOS_PROP_DETECTOR_SEEDS,
        g_param_spec_enum("detector-seeds", "Detector Seeds",
                          "Whether boxes that detectors upstream attach to frames start "
                          "objects, in auto and one-shot mode (default: none).",
                          gst_rvos_seg_detector_seeds_get_type(),
                          GST_RVOS_SEG_DETECTOR_SEEDS_NONE, RW(PLAYING)));
}

static void install_engine(GObjectClass *klass)
{
    add(klass, GST_RVOS_PROP_ENGINE,
        g_param_spec_enum("engine", "Engine",
                          "The engine: auto (the default) uses the CPU or, with "
                          "RVOS_CUDA=1 in the environment, CUDA if it starts; cuda never "
                          "falls back; reference is slow, for checks.",
                          gst_rvos_seg_engine_get_type(), GST_RVOS_SEG_ENGINE_AUTO,
                          RW(READY)));
    add(klass, GST_RVOS_PROP_ACTUAL_ENGINE,
        g_param_spec_string("actual-engine", "Actual Engine",
                            "The engine in use after start: cpu, cuda or reference; "
                            "unset (the default) before.",
                            NULL, RO));
    add(klass, GST_RVOS_PROP_PRECISION,
        g_param_spec_enum(
            "precision", "Precision",
            "Of the network's numbers (default auto: fp32 on the CPU, fp16 "
            "with CUDA). What the engine cannot do is an error, but bf16 and int16 on a "
            "CPU without: a warning, and fp32.",
            gst_rvos_seg_precision_get_type(), GST_RVOS_SEG_PRECISION_AUTO, RW(READY)));
    add(klass, GST_RVOS_PROP_CUDA_DEVICE_ID,
        g_param_spec_int("cuda-device-id", "CUDA Device ID",
                         "Number of the GPU; 0 is the first (default -1: the device of "
                         "the context in use, else 0).",
                         -1, G_MAXINT, -1,
                         RW(READY) | GST_PARAM_CONDITIONALLY_AVAILABLE));
    add(klass, GST_RVOS_PROP_N_THREADS,
        g_param_spec_uint("n-threads", "Threads",
                          "CPU threads of the network (default 0: one for each core that "
                          "the process may use).",
                          0, 1024, 0, RW(READY)));
}

static void install_batch(GObjectClass *klass)
{
    add(klass, GST_RVOS_PROP_MAX_BATCH,
        g_param_spec_uint(
            "max-batch", "Maximum Batch",
            "Maximum number of streams of one shared model in one pass (default 1: off). "
            "The CPU always runs streams one after another.",
            1, RVOS_MAX_BATCH, 1, RW(READY)));
    add(klass, GST_RVOS_PROP_BATCH_TIMEOUT,
        g_param_spec_uint64(
            "batch-timeout", "Batch Timeout",
            "Longest time in nanoseconds that a frame waits for frames of other streams "
            "(default 2 ms; 0: it does not wait). Unused if max-batch is 1.",
            0, G_MAXUINT64, 2 * GST_MSECOND, RW(READY)));
}

static void install_drawing(GObjectClass *klass)
{
    add(klass, GST_RVOS_PROP_OUTPUT,
        g_param_spec_enum(
            "output", "Output", "What is drawn on the picture (default: overlay).",
            gst_rvos_seg_output_get_type(), GST_RVOS_SEG_OUTPUT_OVERLAY, RW(PLAYING)));
    add(klass, GST_RVOS_PROP_OVERLAY_ALPHA,
        g_param_spec_double("overlay-alpha", "Overlay Alpha",
                            "Opacity of an object's colour from 0 to 1 (default 0.5; 0: "
                            "contours only).",
                            0, 1, 0.5, RW(CONTROL)));
    add(klass, GST_RVOS_PROP_CONTOUR_WIDTH,
        g_param_spec_uint(
            "contour-width", "Contour Width",
            "Width in pixels of the line along an object's edge (default 2; "
            "0: none).",
            0, 64, 2, RW(PLAYING)));
    add(klass, GST_RVOS_PROP_PALETTE,
        g_param_spec_string("palette", "Palette",
                            "Colours of the slots: davis (the default), or a list such "
                            "as #ff0000,#00ff00, slot 1 first, repeated when short.",
                            "davis", RW(PLAYING)));
    add(klass, GST_RVOS_PROP_OVERLAY_TEXT,
        g_param_spec_flags("overlay-text", "Overlay Text",
                           "Of output=overlay: what is written at each object, on its "
                           "colour (default 0: nothing). An object that no detector "
                           "has named has no label. Frames must be in system memory.",
                           gst_rvos_seg_overlay_text_get_type(), 0,
                           RW(PLAYING) | GST_PARAM_CONDITIONALLY_AVAILABLE));
}

static void install_masks(GObjectClass *klass)
{
    add(klass, GST_RVOS_PROP_ENABLED,
        g_param_spec_boolean("enabled", "Enabled",
                             "Segment (the default); if false, frames pass untouched.",
                             TRUE, RW(CONTROL)));
    add(klass, GST_RVOS_PROP_THRESHOLD,
        g_param_spec_double("threshold", "Threshold",
                            "Minimum probability of an object pixel from 0 to 1 (default "
                            "0.5; 0: every pixel belongs to an object).",
                            0, 1, 0.5, RW(CONTROL)));
    add(klass, GST_RVOS_PROP_MIN_OBJECT_SIZE,
        g_param_spec_uint(
            "min-object-size", "Minimum Object Size",
            "Masks with fewer pixels count as empty (default 0: all are kept).", 0,
            G_MAXUINT, 0, RW(PLAYING)));
    add(klass, GST_RVOS_PROP_MIN_AGE,
        g_param_spec_uint(
            "min-age", "Minimum Age",
            "Zero-shot mode: number of consecutive segmented frames with a new object "
            "before it is shown and announced (default 2; 0: at once).",
            0, G_MAXUINT, 2, RW(PLAYING)));
    add(klass, GST_RVOS_PROP_LOST_FRAMES,
        g_param_spec_uint("lost-frames", "Lost Frames",
                          "Segmented frames with an empty mask until an object is "
                          "announced as lost (default 5).",
                          1, G_MAXUINT, 5, RW(PLAYING)));
}

static void install_telling(GObjectClass *klass)
{
    add(klass, GST_RVOS_PROP_ATTACH_META,
        g_param_spec_flags("attach-meta", "Attach Metadata",
                           "Metadata about the objects on each frame (default: all kinds "
                           "in this build; 0: none).",
                           gst_rvos_seg_attach_meta_get_type(), ALL_METAS, RW(PLAYING)));
    add(klass, GST_RVOS_PROP_POST_MESSAGES,
        g_param_spec_enum("post-messages", "Post Messages",
                          "Which element messages are posted (default: changes).",
                          gst_rvos_seg_post_messages_get_type(),
                          GST_RVOS_SEG_POST_MESSAGES_CHANGES, RW(PLAYING)));
    add(klass, GST_RVOS_PROP_STATS,
        g_param_spec_boxed("stats", "Statistics",
                           "Counters, times in nanoseconds and sizes in bytes since the "
                           "start; 0 if not known yet.",
                           GST_TYPE_STRUCTURE, RO));
}

static void install_timing(GObjectClass *klass)
{
    add(klass, GST_RVOS_PROP_LATE_POLICY,
        g_param_spec_enum("late-policy", "Late Policy",
                          "What happens to a late frame (default: reuse).",
                          gst_rvos_seg_late_policy_get_type(),
                          GST_RVOS_SEG_LATE_POLICY_REUSE, RW(PLAYING)));
    add(klass, GST_RVOS_PROP_INFERENCE_INTERVAL,
        g_param_spec_uint("inference-interval", "Inference Interval",
                          "Segment every n-th frame and show its mask until the next "
                          "(default 1: every frame).",
                          1, G_MAXUINT, 1, RW(PLAYING)));
    add(klass, GST_RVOS_PROP_MAX_INFERENCE_RATE,
        gst_param_spec_fraction("max-inference-rate", "Maximum Inference Rate",
                                "Maximum number of network runs per second of stream "
                                "time (default 0/1: no limit).",
                                0, 1, G_MAXINT, 1, 0, 1, RW(PLAYING)));
}

static void install_continuity(GObjectClass *klass)
{
    add(klass, GST_RVOS_PROP_MAX_GAP,
        g_param_spec_uint64("max-gap", "Maximum Gap",
                            "Longest time jump in nanoseconds that the recurrent state "
                            "survives (default 0.5 s; 0: none).",
                            0, G_MAXUINT64, 500 * GST_MSECOND, RW(PLAYING)));
    add(klass, GST_RVOS_PROP_SCENE_CUT,
        g_param_spec_flags(
            "scene-cut", "Scene Cut",
            "How to detect a scene change, at which the objects are forgotten (default "
            "0: never; in one-shot mode a false detection loses all objects).",
            gst_rvos_seg_scene_cut_get_type(), 0, RW(PLAYING)));
    add(klass, GST_RVOS_PROP_LATENCY,
        g_param_spec_int64(
            "latency", "Latency",
            "Latency in nanoseconds to report to the pipeline (default -1: "
            "as measured; 0: none).",
            -1, G_MAXINT64, -1, RW(PLAYING)));
}

void gst_rvos_props_install(GObjectClass *klass)
{
    install_model(klass);
    install_network(klass);
    install_detector(klass);
    install_engine(klass);
    install_batch(klass);
    install_drawing(klass);
    install_masks(klass);
    install_telling(klass);
    install_timing(klass);
    install_continuity(klass);
}
