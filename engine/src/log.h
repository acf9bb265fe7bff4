/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* log.h - lines for the device's log callback. Safe from any thread. */
#ifndef RV_LOG_H
#define RV_LOG_H

#include "rvos.h"

__attribute__((format(printf, 3, 4))) void
rv_log(const rvos_device *dev, rvos_log_level level, const char *format, ...);

/* The same, before a device exists. */
__attribute__((format(printf, 3, 4))) void rv_log_params(const rvos_device_params *params,
                                                         rvos_log_level level,
                                                         const char *format, ...);

/* Logs that memory ran out if `status` says so; returns `status`. */
int rv_log_memory(const rvos_device *dev, int status, const char *what);

#endif
