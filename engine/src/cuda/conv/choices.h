/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* choices.h - which way of doing something was the fastest, kept from run to run.
 *
 * A text file of "KEY VALUE" lines in $XDG_CACHE_HOME/rvos (else ~/.cache/rvos). A file
 * that cannot be read or written is passed over; it is replaced whole, by a rename, so
 * that two processes cannot spoil it: at worst one's findings are lost. */
#ifndef RV_CUDA_CHOICES_H
#define RV_CUDA_CHOICES_H

#include <stdbool.h>

struct rv_choices;

/* NULL: no memory. `name` is the file's. */
struct rv_choices *rv_choices_open(const char *name);
void rv_choices_close(struct rv_choices *choices); /* NULL: nothing */
bool rv_choices_get(const struct rv_choices *choices, const char *key, int *value);
/* Keys have no spaces and at most 200 bytes. */
void rv_choices_set(struct rv_choices *choices, const char *key, int value);
/* Writes what is new since the last time, with what others have written meanwhile. */
void rv_choices_save(struct rv_choices *choices);

#endif
