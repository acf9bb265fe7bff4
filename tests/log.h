/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* log.h - a log for tests that only print it. */
#ifndef RV_TEST_LOG_H
#define RV_TEST_LOG_H

#include "test.h"
#include "rvos.h"

static inline void print_warnings(void *opaque, rvos_log_level level, const char *line)
{
    (void)opaque;
    if (level <= RVOS_LOG_WARNING)
        fprintf(stderr, "%s\n", line);
}

#endif
