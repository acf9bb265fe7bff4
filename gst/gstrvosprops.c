/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* gstrvosprops.c - the properties with their types, texts and defaults. All exist since
 * 0.1. */
#include "gstrvosprops.h"

#include <string.h>

#include <gobject/gvaluecollector.h>

#define READY (G_PARAM_READWRITE | GST_PARAM_MUTABLE_READY)
#define PLAYING (G_PARAM_READWRITE | GST_PARAM_MUTABLE_PLAYING)
#define CONTROL (PLAYING | GST_PARAM_CONTROLLABLE)

#ifdef HAVE_ANALYTICS
#define ALL_METAS                                                                        \
    (GST_RVOS_SEG_ATTACH_META_ROI | GST_RVOS_SEG_ATTACH_META_MASK |                      \
     GST_RVOS_SEG_ATTACH_META_ANALYTICS)
#else
#define ALL_METAS (GST_RVOS_SEG_ATTACH_META_ROI | GST_RVOS_SEG_ATTACH_META_MASK)
#endif

/* ---- values of enums and flags ---------------------------------------------------- */

static const GEnumValue modes[] = {
    {GST_RVOS_SEG_MODE_ZERO_SHOT, "Find the objects", "zero-shot"},
    {GST_RVOS_SEG_MODE_ONE_SHOT, "Follow the objects of a given mask", "one-shot"},
    {GST_RVOS_SEG_MODE_AUTO, "Find the objects, then follow them", "auto"},
    {0, NULL, NULL},
};

static const GEnumValue variants[] = {
    {GST_RVOS_SEG_VARIANT_SPATIO_TEMPORAL, "Over objects and over frames",
     "spatio-temporal"},
    {GST_RVOS_SEG_VARIANT_SPATIAL, "Over the objects of a frame only", "spatial"},
    {GST_RVOS_SEG_VARIANT_TEMPORAL, "Over frames only, except in the first one",
     "temporal"},
    {0, NULL, NULL},
};

static const GEnumValue detector_seeds[] = {
    {GST_RVOS_SEG_DETECTOR_SEEDS_NONE, "Boxes of detectors are ignored", "none"},
    {GST_RVOS_SEG_DETECTOR_SEEDS_BOXES, "A box that fits no object starts one", "boxes"},
    {0, NULL, NULL},
};

static const GEnumValue engines[] = {
    {GST_RVOS_SEG_ENGINE_AUTO, "The CPU; with RVOS_CUDA=1 CUDA if it starts", "auto"},
    {GST_RVOS_SEG_ENGINE_CPU, "The CPU", "cpu"},
    {GST_RVOS_SEG_ENGINE_CUDA, "CUDA, or an error", "cuda"},
    {GST_RVOS_SEG_ENGINE_REFERENCE, "Plain C: slow, for checks", "reference"},
    {0, NULL, NULL},
};

static const GEnumValue precisions[] = {
    {GST_RVOS_SEG_PRECISION_AUTO, "The engine's own: fp32 on the CPU, fp16 with CUDA",
     "auto"},
    {GST_RVOS_SEG_PRECISION_FP32, "Exact float32", "fp32"},
    {GST_RVOS_SEG_PRECISION_TF32, "CUDA: float32 with products of 10 bits", "tf32"},
    {GST_RVOS_SEG_PRECISION_FP16, "CUDA: half precision, sums in float32", "fp16"},
    {GST_RVOS_SEG_PRECISION_BF16, "CPU with AMX: bfloat16, coarse", "bf16"},
    {GST_RVOS_SEG_PRECISION_INT16, "CPU: products of 16-bit integers", "int16"},
    {GST_RVOS_SEG_PRECISION_INT8, "CPU: products of 8-bit and 16-bit integers", "int8"},
    {0, NULL, NULL},
};

static const GEnumValue outputs[] = {
    {GST_RVOS_SEG_OUTPUT_OVERLAY, "Objects tinted and outlined on the picture",
     "overlay"},
    {GST_RVOS_SEG_OUTPUT_MASK, "Palette colours on black", "mask"},
    {GST_RVOS_SEG_OUTPUT_ALPHA, "Probability of an object in the alpha channel", "alpha"},
    {GST_RVOS_SEG_OUTPUT_NONE, "Pixels untouched", "none"},
    {0, NULL, NULL},
};

static const GFlagsValue overlay_texts[] = {
    {GST_RVOS_SEG_OVERLAY_TEXT_LABEL, "What a detector upstream calls the object",
     "label"},
    {GST_RVOS_SEG_OVERLAY_TEXT_ID, "Its tracking-id, as in messages and metadata", "id"},
    {0, NULL, NULL},
};

static const GEnumValue late_policies[] = {
    {GST_RVOS_SEG_LATE_POLICY_REUSE, "A late frame is passed on with the last mask",
     "reuse"},
    {GST_RVOS_SEG_LATE_POLICY_PROCESS, "A late frame is segmented anyway", "process"},
    {GST_RVOS_SEG_LATE_POLICY_DROP, "A late frame is dropped", "drop"},
    {0, NULL, NULL},
};

static const GFlagsValue scene_cuts[] = {
    {GST_RVOS_SEG_SCENE_CUT_DETECT, "Compare the pictures", "detect"},
    {GST_RVOS_SEG_SCENE_CUT_KEY_UNIT, "At a downstream force-key-unit event", "key-unit"},
    {0, NULL, NULL},
};

static const GFlagsValue metas[] = {
    {GST_RVOS_SEG_ATTACH_META_ROI, "GstVideoRegionOfInterestMeta for each object", "roi"},
    {GST_RVOS_SEG_ATTACH_META_MASK, "Custom meta GstRvosSegMeta with the mask", "mask"},
#ifdef HAVE_ANALYTICS
    {GST_RVOS_SEG_ATTACH_META_ANALYTICS, "GstAnalyticsRelationMeta", "analytics"},
#endif
    {0, NULL, NULL},
};

static const GEnumValue messages[] = {
    {GST_RVOS_SEG_POST_MESSAGES_NONE, "No element messages", "none"},
    {GST_RVOS_SEG_POST_MESSAGES_CHANGES, "When objects come and go, and at a reset",
     "changes"},
    {GST_RVOS_SEG_POST_MESSAGES_ALL, "Also each object of each segmented frame", "all"},
    {0, NULL, NULL},
};

/* ---- the properties --------------------------------------------------------------- */

typedef struct {
    guint id;
    const gchar *name, *nick;
    guint flags;
    GType type;             /* a fundamental type */
    const gchar *type_name; /* of an enum or of flags */
    gconstpointer values;   /* their values; of a string: the default */
    gint64 least;
    guint64 most;
    gdouble usual; /* the default of a number */
    const gchar *blurb;
} Property;

#define FIELD GST_RVOS_PROP_FIELD
#define RANGE(type, least, most, usual) G_TYPE_##type, NULL, NULL, least, most, usual
#define ENUM(name, values, usual) G_TYPE_ENUM, name, values, 0, 0, usual
#define FLAGS(name, values, usual) G_TYPE_FLAGS, name, values, 0, 0, usual
#define TEXT(usual) G_TYPE_STRING, NULL, usual, 0, 0, 0

static const Property properties[] = {
    /* the model and the network */
    {FIELD(mode), "mode", "Mode", READY,
     ENUM("GstRvosSegMode", modes, GST_RVOS_SEG_MODE_AUTO),
     "Find objects and follow them (auto, the default), find them in each frame anew "
     "(zero-shot), or follow those of a given mask (one-shot); the model must have been "
     "trained for it."},
    {FIELD(variant), "variant", "Variant", READY,
     ENUM("GstRvosSegVariant", variants, GST_RVOS_SEG_VARIANT_SPATIO_TEMPORAL),
     "Which recurrences of the network run (default: spatio-temporal). The others are "
     "the paper's ablation."},
    {FIELD(discovery_interval), "discovery-interval", "Discovery Interval", READY,
     RANGE(UINT, 0, G_MAXINT, 15),
     "Auto mode: segmented frames between two searches for new objects (default 15; 0: "
     "search only at the beginning and when the scene changes)."},
    {GST_RVOS_PROP_MODEL, "model", "Model", READY, TEXT(NULL),
     "Path of the weights, a .safetensors file. Unset (the default): RVOS_MODEL in the "
     "environment, else the shipped model, whose weights are for research and evaluation "
     "only. Once started, reads as the path in use."},
    {FIELD(share_model), "share-model", "Share Model", READY,
     RANGE(BOOLEAN, FALSE, TRUE, TRUE),
     "Keep one copy of the weights for all elements of the process that use the same "
     "file in the same way (default: true)."},
    {FIELD(objects), "objects", "Objects", READY, RANGE(UINT, 0, RVOS_MAX_OBJECTS, 5),
     "Number of slots, which limits the objects at a time (default 5; 0: the model's own "
     "number). Fewer slots take less time and do not change the masks of the others."},
    {FIELD(network_width), "network-width", "Network Width", READY,
     RANGE(UINT, 0, 4096, 0),
     "Width in pixels to which frames are scaled for the network, at least 32 (default "
     "0: the model's own)."},
    {FIELD(network_height), "network-height", "Network Height", READY,
     RANGE(UINT, 0, 4096, 0),
     "Height in pixels to which frames are scaled for the network, at least 32 (default "
     "0: the model's own)."},
    {GST_RVOS_PROP_INIT_MASK_LOCATION, "init-mask-location", "Initial Mask Location",
     READY, TEXT(NULL),
     "One-shot and auto mode: a PNG or PGM whose values are slots (or one object in "
     "black and white), a printf pattern with one %d for the picture's number from 0, or "
     "a folder of such files. Unset (the default): masks come by set-mask or as "
     "metadata."},
    {FIELD(detector_seeds), "detector-seeds", "Detector Seeds", PLAYING,
     ENUM("GstRvosSegDetectorSeeds", detector_seeds, GST_RVOS_SEG_DETECTOR_SEEDS_NONE),
     "Whether boxes that detectors upstream attach to frames start objects, in auto and "
     "one-shot mode (default: none)."},
    /* the engine */
    {FIELD(engine), "engine", "Engine", READY,
     ENUM("GstRvosSegEngine", engines, GST_RVOS_SEG_ENGINE_AUTO),
     "The engine: auto (the default) uses the CPU or, with RVOS_CUDA=1 in the "
     "environment, CUDA if it starts; cuda never falls back; reference is slow, for "
     "checks."},
    {GST_RVOS_PROP_ACTUAL_ENGINE, "actual-engine", "Actual Engine", G_PARAM_READABLE,
     TEXT(NULL),
     "The engine in use after start: cpu, cuda or reference; unset (the default) "
     "before."},
    {FIELD(precision), "precision", "Precision", READY,
     ENUM("GstRvosSegPrecision", precisions, GST_RVOS_SEG_PRECISION_AUTO),
     "Precision of the network's numbers (default auto: fp32 on the CPU, fp16 with "
     "CUDA). One that the engine cannot compute is an error. A CPU that is not faster "
     "with bf16, int16 or int8 uses int16 or fp32, with a warning."},
    {FIELD(cuda_device_id), "cuda-device-id", "CUDA Device ID",
     READY | GST_PARAM_CONDITIONALLY_AVAILABLE, RANGE(INT, -1, G_MAXINT, -1),
     "Number of the GPU; 0 is the first (default -1: the device of the context in use, "
     "else 0)."},
    {FIELD(n_threads), "n-threads", "Threads", READY, RANGE(UINT, 0, 1024, 0),
     "CPU threads of the network (default 0: one for each core that the process may "
     "use)."},
    {FIELD(max_batch), "max-batch", "Maximum Batch", READY,
     RANGE(UINT, 1, RVOS_MAX_BATCH, 1),
     "Maximum number of streams of one shared model in one pass (default 1: off). The "
     "CPU always runs streams one after another."},
    {FIELD(batch_timeout), "batch-timeout", "Batch Timeout", READY,
     RANGE(UINT64, 0, G_MAXUINT64, 2 * GST_MSECOND),
     "Longest time in nanoseconds that a frame waits for frames of other streams "
     "(default 2 ms; 0: it does not wait). Unused if max-batch is 1."},
    /* drawing and masks */
    {FIELD(output), "output", "Output", PLAYING,
     ENUM("GstRvosSegOutput", outputs, GST_RVOS_SEG_OUTPUT_OVERLAY),
     "What is drawn on the picture (default: overlay)."},
    {FIELD(overlay_alpha), "overlay-alpha", "Overlay Alpha", CONTROL,
     RANGE(DOUBLE, 0, 1, 0.5),
     "Opacity of an object's colour from 0 to 1 (default 0.5; 0: contours only)."},
    {FIELD(contour_width), "contour-width", "Contour Width", PLAYING,
     RANGE(UINT, 0, 64, 2),
     "Width in pixels of the line along an object's edge (default 2; 0: none)."},
    {GST_RVOS_PROP_PALETTE, "palette", "Palette", PLAYING, TEXT("davis"),
     "Colours of the slots: davis (the default), or a list such as #ff0000,#00ff00, slot "
     "1 first, repeated when short."},
    {FIELD(overlay_text), "overlay-text", "Overlay Text",
     PLAYING | GST_PARAM_CONDITIONALLY_AVAILABLE,
     FLAGS("GstRvosSegOverlayText", overlay_texts, 0),
     "What output=overlay writes at each object (default 0: nothing). An object that no "
     "detector has named has no label. Frames must be in system memory."},
    {FIELD(enabled), "enabled", "Enabled", CONTROL, RANGE(BOOLEAN, FALSE, TRUE, TRUE),
     "Segment (the default); if false, frames pass untouched."},
    {FIELD(threshold), "threshold", "Threshold", CONTROL, RANGE(DOUBLE, 0, 1, 0.5),
     "Minimum probability of an object pixel from 0 to 1 (default 0.5; 0: every pixel "
     "belongs to an object)."},
    {FIELD(min_object_size), "min-object-size", "Minimum Object Size", PLAYING,
     RANGE(UINT, 0, G_MAXUINT, 0),
     "Masks with fewer pixels count as empty (default 0: all are kept)."},
    {FIELD(min_age), "min-age", "Minimum Age", PLAYING, RANGE(UINT, 0, G_MAXUINT, 2),
     "Zero-shot mode: number of consecutive segmented frames with a new object before it "
     "is shown and announced (default 2; 0: at once)."},
    {FIELD(lost_frames), "lost-frames", "Lost Frames", PLAYING,
     RANGE(UINT, 1, G_MAXUINT, 5),
     "Segmented frames with an empty mask until an object is announced as lost (default "
     "5)."},
    /* telling */
    {FIELD(attach_meta), "attach-meta", "Attach Metadata", PLAYING,
     FLAGS("GstRvosSegAttachMeta", metas, ALL_METAS),
     "Metadata about the objects on each frame (default: all kinds in this build; 0: "
     "none)."},
    {FIELD(post_messages), "post-messages", "Post Messages", PLAYING,
     ENUM("GstRvosSegPostMessages", messages, GST_RVOS_SEG_POST_MESSAGES_CHANGES),
     "Which element messages are posted (default: changes)."},
    /* timing */
    {FIELD(late_policy), "late-policy", "Late Policy", PLAYING,
     ENUM("GstRvosSegLatePolicy", late_policies, GST_RVOS_SEG_LATE_POLICY_REUSE),
     "What happens to a late frame (default: reuse)."},
    {FIELD(inference_interval), "inference-interval", "Inference Interval", PLAYING,
     RANGE(UINT, 1, G_MAXUINT, 1),
     "Segment every n-th frame and show its mask until the next (default 1: every "
     "frame)."},
    {FIELD(max_gap), "max-gap", "Maximum Gap", PLAYING,
     RANGE(UINT64, 0, G_MAXUINT64, 500 * GST_MSECOND),
     "Longest time jump in nanoseconds that the recurrent state survives (default 0.5 s; "
     "0: none)."},
    {FIELD(scene_cut), "scene-cut", "Scene Cut", PLAYING,
     FLAGS("GstRvosSegSceneCut", scene_cuts, 0),
     "How to detect a scene change, at which the objects are forgotten (default 0: "
     "never; in one-shot mode a false detection loses all objects)."},
    {FIELD(latency), "latency", "Latency", PLAYING, RANGE(INT64, -1, G_MAXINT64, -1),
     "Latency in nanoseconds to report to the pipeline (default -1: as measured; 0: "
     "none)."},
};

/* The type of an enum or of flags. Class initialisation, which runs once, makes it. */
static GType make_type(const Property *p)
{
    GType type = p->type == G_TYPE_ENUM
                     ? g_enum_register_static(p->type_name, p->values)
                     : g_flags_register_static(p->type_name, p->values);

    gst_type_mark_as_plugin_api(type, 0);
    return type;
}

static GParamSpec *make_spec(const Property *p)
{
    GParamFlags flags = (GParamFlags)(p->flags | G_PARAM_STATIC_STRINGS);

    switch (p->type) {
    case G_TYPE_BOOLEAN:
        return g_param_spec_boolean(p->name, p->nick, p->blurb, p->usual > 0, flags);
    case G_TYPE_INT:
        return g_param_spec_int(p->name, p->nick, p->blurb, (gint)p->least, (gint)p->most,
                                (gint)p->usual, flags);
    case G_TYPE_UINT:
        return g_param_spec_uint(p->name, p->nick, p->blurb, (guint)p->least,
                                 (guint)p->most, (guint)p->usual, flags);
    case G_TYPE_INT64:
        return g_param_spec_int64(p->name, p->nick, p->blurb, p->least, (gint64)p->most,
                                  (gint64)p->usual, flags);
    case G_TYPE_UINT64:
        return g_param_spec_uint64(p->name, p->nick, p->blurb, (guint64)p->least, p->most,
                                   (guint64)p->usual, flags);
    case G_TYPE_DOUBLE:
        return g_param_spec_double(p->name, p->nick, p->blurb, (gdouble)p->least,
                                   (gdouble)p->most, p->usual, flags);
    case G_TYPE_ENUM:
        return g_param_spec_enum(p->name, p->nick, p->blurb, make_type(p), (gint)p->usual,
                                 flags);
    case G_TYPE_FLAGS:
        return g_param_spec_flags(p->name, p->nick, p->blurb, make_type(p),
                                  (guint)p->usual, flags);
    default:
        return g_param_spec_string(p->name, p->nick, p->blurb, p->values, flags);
    }
}

void gst_rvos_props_install(GObjectClass *klass)
{
    for (guint i = 0; i < G_N_ELEMENTS(properties); i++)
        g_object_class_install_property(klass, properties[i].id,
                                        make_spec(&properties[i]));
    g_object_class_install_property(
        klass, FIELD(rate_n),
        gst_param_spec_fraction("max-inference-rate", "Maximum Inference Rate",
                                "Maximum number of network runs per second of stream "
                                "time (default 0/1: no limit).",
                                0, 1, G_MAXINT, 1, 0, 1,
                                PLAYING | G_PARAM_STATIC_STRINGS));
    g_object_class_install_property(
        klass, GST_RVOS_PROP_STATS,
        g_param_spec_boxed("stats", "Statistics",
                           "Counters, times in nanoseconds and sizes in bytes since the "
                           "start; 0 if not known yet.",
                           GST_TYPE_STRUCTURE,
                           G_PARAM_READABLE | G_PARAM_STATIC_STRINGS));
}

/* ---- fields ----------------------------------------------------------------------- */

static void *field_of(GstRvosSettings *settings, guint id)
{
    return (guint8 *)settings + (id - GST_RVOS_PROP_FIRST_FIELD);
}

/* Stores the value in what the further arguments point to: one field, or the two of a
 * fraction. */
static void store(const GValue *value, ...)
{
    gchar *error = NULL; /* never set: all fields have types that can be copied */
    va_list args;

    va_start(args, value);
    G_VALUE_LCOPY(value, args, 0, &error);
    va_end(args);
}

void gst_rvos_settings_set(GstRvosSettings *settings, guint id, const GValue *value)
{
    gint *field = field_of(settings, id);

    store(value, field, field + 1);
}

void gst_rvos_settings_get(GstRvosSettings *settings, guint id, GValue *value)
{
    void *field = field_of(settings, id);

    switch (G_TYPE_FUNDAMENTAL(G_VALUE_TYPE(value))) {
    case G_TYPE_BOOLEAN:
        g_value_set_boolean(value, *(gboolean *)field);
        break;
    case G_TYPE_INT:
        g_value_set_int(value, *(gint *)field);
        break;
    case G_TYPE_UINT:
        g_value_set_uint(value, *(guint *)field);
        break;
    case G_TYPE_INT64:
        g_value_set_int64(value, *(gint64 *)field);
        break;
    case G_TYPE_UINT64:
        g_value_set_uint64(value, *(guint64 *)field);
        break;
    case G_TYPE_DOUBLE:
        g_value_set_double(value, *(gdouble *)field);
        break;
    case G_TYPE_ENUM:
        g_value_set_enum(value, *(gint *)field);
        break;
    case G_TYPE_FLAGS:
        g_value_set_flags(value, *(guint *)field);
        break;
    default: /* the one fraction */
        gst_value_set_fraction(value, settings->rate_n, settings->rate_d);
    }
}

void gst_rvos_settings_init(GstRvosSettings *settings, GObjectClass *klass)
{
    guint n;
    g_autofree GParamSpec **specs = g_object_class_list_properties(klass, &n);

    for (guint i = 0; i < n; i++)
        if (specs[i]->owner_type == G_OBJECT_CLASS_TYPE(klass) &&
            specs[i]->param_id >= GST_RVOS_PROP_FIRST_FIELD)
            gst_rvos_settings_set(settings, specs[i]->param_id,
                                  g_param_spec_get_default_value(specs[i]));
    settings->colours = rvos_davis_palette;
}

void gst_rvos_strings_clear(GstRvosStrings *strings)
{
    g_clear_pointer(&strings->model, g_free);
    g_clear_pointer(&strings->init_mask_location, g_free);
    g_clear_pointer(&strings->palette, g_free);
}

/* ---- palette ------------------------------------------------------------------- */

static gboolean parse_colour(const gchar *text, uint8_t rgb[3])
{
    if (text[0] != '#' || strlen(text) != 7)
        return FALSE;
    for (gint i = 0; i < 3; i++) {
        gint high = g_ascii_xdigit_value(text[1 + 2 * i]);
        gint low = g_ascii_xdigit_value(text[2 + 2 * i]);

        if (high < 0 || low < 0)
            return FALSE;
        rgb[i] = (uint8_t)(high * 16 + low);
    }
    return TRUE;
}

gboolean gst_rvos_palette_parse(const gchar *text, rvos_palette *palette)
{
    g_auto(GStrv) parts = NULL;
    guint n;
    gboolean ok;

    *palette = rvos_davis_palette;
    if (g_strcmp0(text, "davis") == 0)
        return TRUE;
    if (!text)
        return FALSE;
    parts = g_strsplit(text, ",", -1);
    n = g_strv_length(parts);
    ok = n > 0;
    for (guint slot = 1; ok && slot <= RVOS_MAX_OBJECTS; slot++)
        ok = parse_colour(g_strstrip(parts[(slot - 1) % n]), palette->rgb[slot]);
    return ok && n <= RVOS_MAX_OBJECTS;
}
