/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef RV_DEVICE_H
#define RV_DEVICE_H

#include <stdatomic.h>

#include "backend.h"

/* One more reference, to be given back with rvos_device_close. */
rvos_device *rv_device_ref(rvos_device *dev);

#endif
