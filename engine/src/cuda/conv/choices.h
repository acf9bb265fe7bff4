/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* choices.h - numbers by key that took long to find out: kept on disk from run to run,
 * and in memory where there is no place on disk. */
#ifndef RV_CUDA_CHOICES_H
#define RV_CUDA_CHOICES_H

#include <stdbool.h>

#include "cache.h"

struct rv_choices;

/* `store` stays open as long as the choices. NULL: no memory. */
struct rv_choices *rv_choices_open(const struct rv_cache *store);
void rv_choices_close(struct rv_choices *choices); /* NULL: nothing */
/* What this process has set, else what is on disk. */
bool rv_choices_get(struct rv_choices *choices, const char *key, int *value);
/* Keys have no line ends and at most RV_CHOICES_KEY bytes. */
void rv_choices_set(struct rv_choices *choices, const char *key, int value);
#define RV_CHOICES_KEY 201

#endif
