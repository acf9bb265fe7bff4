/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* gstrvosvalues.c - sets and gets properties.
 *
 * Setters do no I/O and hold only the object lock. The streaming thread takes one
 * snapshot per frame.
 */
#include "gstrvosseg.h"

void gst_rvos_props_init(GstRvosSeg *self)
{
    gst_rvos_settings_init(&self->settings, G_OBJECT_GET_CLASS(self));
    self->strings.palette = g_strdup("davis");
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
        GST_RVOS_SEG_WARN(self, RESOURCE, SETTINGS,
                          "The palette \"%s\" is refused: set davis or a list such as "
                          "#ff0000,#00ff00.",
                          g_value_get_string(value));
}

static void after_set(GstRvosSeg *self, guint id, const GValue *value)
{
    GstBaseTransform *trans = GST_BASE_TRANSFORM(self);

    if (id == GST_RVOS_PROP_FIELD(late_policy))
        gst_base_transform_set_qos_enabled(trans, g_value_get_enum(value) ==
                                                      GST_RVOS_SEG_LATE_POLICY_DROP);
    else if (id == GST_RVOS_PROP_FIELD(output))
        gst_base_transform_reconfigure_sink(trans);
    else if (id == GST_RVOS_PROP_FIELD(latency))
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
    if (id == GST_RVOS_PROP_FIELD(output) &&
        !gst_rvos_caps_allow_output(self, g_value_get_enum(value)))
        return;
    GST_OBJECT_LOCK(self);
    refused = self->started && (spec->flags & GST_PARAM_MUTABLE_READY);
    if (!refused && id == GST_RVOS_PROP_MODEL)
        replace_string(&self->strings.model, value);
    else if (!refused && id == GST_RVOS_PROP_INIT_MASK_LOCATION)
        replace_string(&self->strings.init_mask_location, value);
    else if (!refused)
        gst_rvos_settings_set(&self->settings, id, value);
    GST_OBJECT_UNLOCK(self);
    if (refused) {
        GST_WARNING_OBJECT(self, "%s can be set up to READY only", spec->name);
        GST_RVOS_SEG_WARN(self, RESOURCE, SETTINGS,
                          "The property %s can be set in the states NULL and READY "
                          "only; it stays as it is.",
                          spec->name);
        return;
    }
    after_set(self, id, value);
}

void gst_rvos_props_get(GObject *object, guint id, GValue *value,
                        G_GNUC_UNUSED GParamSpec *spec)
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
    default:
        gst_rvos_settings_get(&self->settings, id, value);
    }
    GST_OBJECT_UNLOCK(self);
}
