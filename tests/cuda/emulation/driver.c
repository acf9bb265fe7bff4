/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* driver.c - no driver and no cuDNN: one "GPU", and the plain kernel for convolutions. */
#include <stdlib.h>

#include "context.h"

struct rv_driver {
    int pushed;
};

int rv_driver_open(rvos_device *dev, int index, void *context, struct rv_driver **out)
{
    (void)context;
    *out = index == 0 ? calloc(1, sizeof(**out)) : NULL;
    if (index)
        rv_log(dev, RVOS_LOG_ERROR, "cuda: no GPU %d: there are 1", index);
    return index ? RVOS_ERR_UNSUPPORTED : *out ? 0 : RVOS_ERR_MEMORY;
}

void rv_driver_close(struct rv_driver *driver)
{
    free(driver);
}

int rv_driver_push(struct rv_driver *driver, const rvos_device *dev)
{
    (void)driver;
    (void)dev;
    return 0;
}

void rv_driver_pop(struct rv_driver *driver)
{
    (void)driver;
}

int rv_driver_capability(const struct rv_driver *driver)
{
    (void)driver;
    return 0;
}

const char *rv_driver_name(const struct rv_driver *driver)
{
    (void)driver;
    return "emulated GPU";
}

const struct rv_conv_engine *rv_conv_default(void)
{
    return &rv_conv_plain;
}
