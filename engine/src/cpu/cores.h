/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* cores.h - how many threads it makes sense to have. */
#ifndef RV_CPU_CORES_H
#define RV_CPU_CORES_H

/* The cores that the process may use, at least 1: those of its affinity mask, or fewer
 * where a control group has a quota of CPU time, as containers have (a quota of 1.5 cores
 * counts as 2). `root` stands before /proc and /sys, "" but in tests. */
int rv_count_cores(const char *root);

/* That quota alone, in cores, rounded up; 0: there is none. */
int rv_quota_cores(const char *root);

#endif
