/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef RV_DEVICE_H
#define RV_DEVICE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <unistd.h>

#include "backend.h"

/* Whether this process was forked from the one that opened the device. In such a child
 * the device's threads do not exist, and a thread that does not exist there may have held
 * a lock or left a list half changed. So every public function asks this first, before it
 * takes a lock, frees memory or logs (the caller's log function may lock, too). Functions
 * that close a handle free nothing. */
static inline bool rv_device_forked(const rvos_device *dev)
{
    return getpid() != dev->process;
}

/* Adds a reference, to be released with rvos_device_close. */
rvos_device *rv_device_ref(rvos_device *dev);

#endif
