/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* conv_none.c - in the place of conv_onednn.c in a build without oneDNN. */
#include "conv.h"

const struct rv_conv_engine *rv_conv_onednn(void)
{
    return NULL;
}
