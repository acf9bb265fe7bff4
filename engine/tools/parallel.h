/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef RV_TOOLS_PARALLEL_H
#define RV_TOOLS_PARALLEL_H

/* The number of cores that the process may use. */
int core_count(void);

/* Calls work(context, 0) to work(context, count - 1), each once, on `threads` threads (0:
 * one per core), and returns when all are done. */
void parallel_for(int count, int threads, void (*work)(void *context, int index),
                  void *context);

#endif
