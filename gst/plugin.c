/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* plugin.c - the entry point of libgstrvosseg.so. */
#include "gstrvosseg.h"

static gboolean plugin_init(GstPlugin *plugin)
{
    gst_rvos_debug_init();
    gst_rvos_meta_register();
    return GST_ELEMENT_REGISTER(rvosseg, plugin);
}

GST_PLUGIN_DEFINE(
    GST_VERSION_MAJOR, GST_VERSION_MINOR, rvosseg,
    "Video object segmentation with RVOS (shipped weights: for research and "
    "evaluation only)",
    plugin_init, PACKAGE_VERSION, "LGPL", "rvosseg", "Unknown package origin")
