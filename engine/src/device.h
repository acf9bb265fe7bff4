/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef RV_DEVICE_H
#define RV_DEVICE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <unistd.h>

#include "backend.h"

/* Whether this process is a child, by fork, of the one that opened the device. There the
 * device's threads do not exist, and a lock may be held, or a list half changed, by a
 * thread that the child does not have. So every public function asks this first, before
 * it takes a lock, frees memory or logs (the caller's log function may lock, too). Those
 * that close leave everything where it is. */
static inline bool rv_device_forked(const rvos_device *dev)
{
    return getpid() != dev->process;
}

/* One more reference, to be given back with rvos_device_close. */
rvos_device *rv_device_ref(rvos_device *dev);

#endif
