/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* network.h - networks and programs for tests. */
#ifndef RV_TEST_NETWORK_H
#define RV_TEST_NETWORK_H

#include <stdio.h>

#include "net/program.h"

static inline struct rv_net test_net(const char *base, int base_width, int hidden,
                                     int width, int height)
{
    struct rv_net net = {.base_width = base_width,
                         .hidden = hidden,
                         .kernel = 3,
                         .skip_mode = RV_SKIP_CONCAT,
                         .width = width,
                         .height = height};

    snprintf(net.base, sizeof(net.base), "%s", base);
    return net;
}

/* To be built: of the spatio-temporal variant, one frame. */
static inline struct rv_program test_program(int objects, unsigned decoders,
                                             enum rv_type type, int align)
{
    return (struct rv_program){.objects = objects,
                               .decoders = decoders,
                               .spatial = true,
                               .temporal = true,
                               .type = type,
                               .align = align,
                               .time_groups = 1};
}

#endif
