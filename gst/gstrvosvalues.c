/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* gstrvosvalues.c - sets and gets properties.
 *
 * Most properties are plain fields of GstRvosSettings, accessed by offset. Setters do no
 * I/O and hold only the object lock. The streaming thread takes one snapshot per frame.
 */
#include "gstrvosseg.h"

#include <string.h>

#include <gobject/gvaluecollector.h>

#define GST_CAT_DEFAULT gst_rvos_seg_debug

/* Offset + 1, so that 0 means that a property is not a plain field. */
#define FIELD(name) (G_STRUCT_OFFSET(GstRvosSettings, name) + 1)

/* Offsets of plain fields, indexed by property id. */
static const guint field_offset[GST_RVOS_N_PROPS] = {
    [GST_RVOS_PROP_MODE] = FIELD(mode),
    [GST_RVOS_PROP_VARIANT] = FIELD(variant),
    [GST_RVOS_PROP_DISCOVERY_INTERVAL] = FIELD(discovery_interval),
    [GST_RVOS_PROP_DETECTOR_SEEDS] = FIELD(detector_seeds),
    [GST_RVOS_PROP_ENGINE] = FIELD(engine),
    [GST_RVOS_PROP_PRECISION] = FIELD(precision),
    [GST_RVOS_PROP_CUDA_DEVICE_ID] = FIELD(cuda_device_id),
    [GST_RVOS_PROP_N_THREADS] = FIELD(n_threads),
    [GST_RVOS_PROP_SHARE_MODEL] = FIELD(share_model),
    [GST_RVOS_PROP_MAX_BATCH] = FIELD(max_batch),
    [GST_RVOS_PROP_BATCH_TIMEOUT] = FIELD(batch_timeout),
    [GST_RVOS_PROP_OBJECTS] = FIELD(objects),
    [GST_RVOS_PROP_NETWORK_WIDTH] = FIELD(network_width),
    [GST_RVOS_PROP_NETWORK_HEIGHT] = FIELD(network_height),
    [GST_RVOS_PROP_ENABLED] = FIELD(enabled),
    [GST_RVOS_PROP_OUTPUT] = FIELD(output),
    [GST_RVOS_PROP_OVERLAY_ALPHA] = FIELD(overlay_alpha),
    [GST_RVOS_PROP_CONTOUR_WIDTH] = FIELD(contour_width),
    [GST_RVOS_PROP_OVERLAY_TEXT] = FIELD(overlay_text),
    [GST_RVOS_PROP_THRESHOLD] = FIELD(threshold),
    [GST_RVOS_PROP_MIN_OBJECT_SIZE] = FIELD(min_object_size),
    [GST_RVOS_PROP_MIN_AGE] = FIELD(min_age),
    [GST_RVOS_PROP_LOST_FRAMES] = FIELD(lost_frames),
    [GST_RVOS_PROP_LATE_POLICY] = FIELD(late_policy),
    [GST_RVOS_PROP_INFERENCE_INTERVAL] = FIELD(inference_interval),
    [GST_RVOS_PROP_MAX_GAP] = FIELD(max_gap),
    [GST_RVOS_PROP_SCENE_CUT] = FIELD(scene_cut),
    [GST_RVOS_PROP_LATENCY] = FIELD(latency),
    [GST_RVOS_PROP_ATTACH_META] = FIELD(attach_meta),
    [GST_RVOS_PROP_POST_MESSAGES] = FIELD(post_messages),
};

static gboolean is_field(guint id)
{
    return id < GST_RVOS_N_PROPS && field_offset[id] != 0;
}

static void *field_of(GstRvosSettings *settings, guint id)
{
    return (guint8 *)settings + field_offset[id] - 1;
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
    gchar **parts;
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
    ok = ok && n <= RVOS_MAX_OBJECTS;
    g_strfreev(parts);
    return ok;
}

/* ---- values ------------------------------------------------------------------- */

/* Stores the value in the field whose address is the second argument. */
static void store_field(const GValue *value, ...)
{
    gchar *error = NULL; /* never set: all fields have types that can be copied */
    va_list args;

    va_start(args, value);
    G_VALUE_LCOPY(value, args, 0, &error);
    va_end(args);
}

static void load_field(const void *field, GValue *value)
{
    switch (G_TYPE_FUNDAMENTAL(G_VALUE_TYPE(value))) {
    case G_TYPE_BOOLEAN:
        g_value_set_boolean(value, *(const gboolean *)field);
        break;
    case G_TYPE_INT:
        g_value_set_int(value, *(const gint *)field);
        break;
    case G_TYPE_UINT:
        g_value_set_uint(value, *(const guint *)field);
        break;
    case G_TYPE_INT64:
        g_value_set_int64(value, *(const gint64 *)field);
        break;
    case G_TYPE_UINT64:
        g_value_set_uint64(value, *(const guint64 *)field);
        break;
    case G_TYPE_DOUBLE:
        g_value_set_double(value, *(const gdouble *)field);
        break;
    case G_TYPE_ENUM:
        g_value_set_enum(value, *(const gint *)field);
        break;
    case G_TYPE_FLAGS:
        g_value_set_flags(value, *(const guint *)field);
        break;
    default: /* no field has another type */
        break;
    }
}

void gst_rvos_props_init(GstRvosSeg *self)
{
    GObjectClass *klass = G_OBJECT_GET_CLASS(self);
    guint n;
    GParamSpec **specs = g_object_class_list_properties(klass, &n);

    /* The defaults are in the param specs only. */
    for (guint i = 0; i < n; i++) {
        if (specs[i]->owner_type != G_OBJECT_TYPE(self) || !is_field(specs[i]->param_id))
            continue;
        store_field(g_param_spec_get_default_value(specs[i]),
                    field_of(&self->settings, specs[i]->param_id));
    }
    g_free(specs);
    self->settings.rate_d = 1;
    self->settings.colours = rvos_davis_palette;
    self->strings.palette = g_strdup("davis");
}

void gst_rvos_props_clear(GstRvosSeg *self)
{
    g_clear_pointer(&self->strings.model, g_free);
    g_clear_pointer(&self->strings.init_mask_location, g_free);
    g_clear_pointer(&self->strings.palette, g_free);
}

/* With the object lock. */
static void replace_string(gchar **string, const GValue *value)
{
    g_free(*string);
    *string = g_value_dup_string(value);
}

/* An invalid palette is refused here after start. Before start it is accepted, and start
 * reports an error. */
static void set_palette(GstRvosSeg *self, const GValue *value)
{
    rvos_palette colours;
    gboolean good = gst_rvos_palette_parse(g_value_get_string(value), &colours);
    gboolean refused;

    GST_OBJECT_LOCK(self);
    refused = !good && self->started;
    if (!refused) {
        replace_string(&self->strings.palette, value);
        self->settings.colours = colours;
    }
    GST_OBJECT_UNLOCK(self);
    if (refused)
        GST_ELEMENT_WARNING(self, RESOURCE, SETTINGS,
                            ("The palette \"%s\" is refused: set davis or a list such as "
                             "#ff0000,#00ff00.",
                             g_value_get_string(value)),
                            (NULL));
}

/* With the object lock. */
static void store(GstRvosSeg *self, guint id, const GValue *value)
{
    switch (id) {
    case GST_RVOS_PROP_MODEL:
        replace_string(&self->strings.model, value);
        break;
    case GST_RVOS_PROP_INIT_MASK_LOCATION:
        replace_string(&self->strings.init_mask_location, value);
        break;
    case GST_RVOS_PROP_MAX_INFERENCE_RATE:
        self->settings.rate_n = gst_value_get_fraction_numerator(value);
        self->settings.rate_d = gst_value_get_fraction_denominator(value);
        break;
    default:
        store_field(value, field_of(&self->settings, id));
    }
}

static void after_set(GstRvosSeg *self, guint id, const GValue *value)
{
    GstBaseTransform *trans = GST_BASE_TRANSFORM(self);

    if (id == GST_RVOS_PROP_LATE_POLICY)
        gst_base_transform_set_qos_enabled(trans, g_value_get_enum(value) ==
                                                      GST_RVOS_SEG_LATE_POLICY_DROP);
    else if (id == GST_RVOS_PROP_OUTPUT)
        gst_base_transform_reconfigure_sink(trans);
    else if (id == GST_RVOS_PROP_LATENCY)
        gst_element_post_message(GST_ELEMENT(self),
                                 gst_message_new_latency(GST_OBJECT(self)));
}

void gst_rvos_props_set(GObject *object, guint id, const GValue *value, GParamSpec *spec)
{
    GstRvosSeg *self = GST_RVOS_SEG_CAST(object);
    gboolean refused;

    if (id == GST_RVOS_PROP_PALETTE) {
        set_palette(self, value);
        return;
    }
    if (!is_field(id) && id != GST_RVOS_PROP_MODEL &&
        id != GST_RVOS_PROP_INIT_MASK_LOCATION &&
        id != GST_RVOS_PROP_MAX_INFERENCE_RATE) {
        G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, spec);
        return;
    }
    if (id == GST_RVOS_PROP_OUTPUT &&
        !gst_rvos_caps_allow_output(self, g_value_get_enum(value)))
        return;
    GST_OBJECT_LOCK(self);
    refused = self->started && (spec->flags & GST_PARAM_MUTABLE_READY);
    if (!refused)
        store(self, id, value);
    GST_OBJECT_UNLOCK(self);
    if (refused) {
        GST_WARNING_OBJECT(self, "%s can be set up to READY only", spec->name);
        GST_ELEMENT_WARNING(self, RESOURCE, SETTINGS,
                            ("The property %s can be set in the states NULL and READY "
                             "only; it stays as it is.",
                             spec->name),
                            (NULL));
        return;
    }
    after_set(self, id, value);
}

void gst_rvos_props_get(GObject *object, guint id, GValue *value, GParamSpec *spec)
{
    GstRvosSeg *self = GST_RVOS_SEG_CAST(object);

    if (id == GST_RVOS_PROP_STATS) {
        g_value_take_boxed(value, gst_rvos_stats_report(self));
        return;
    }
    GST_OBJECT_LOCK(self);
    switch (id) {
    case GST_RVOS_PROP_MODEL:
        g_value_set_string(value, self->strings.model ? self->strings.model
                                                      : self->model_in_use);
        break;
    case GST_RVOS_PROP_INIT_MASK_LOCATION:
        g_value_set_string(value, self->strings.init_mask_location);
        break;
    case GST_RVOS_PROP_PALETTE:
        g_value_set_string(value, self->strings.palette);
        break;
    case GST_RVOS_PROP_ACTUAL_ENGINE:
        g_value_set_string(value, self->actual_engine);
        break;
    case GST_RVOS_PROP_MAX_INFERENCE_RATE:
        gst_value_set_fraction(value, self->settings.rate_n, self->settings.rate_d);
        break;
    default:
        if (is_field(id))
            load_field(field_of(&self->settings, id), value);
        else
            G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, spec);
    }
    GST_OBJECT_UNLOCK(self);
}
