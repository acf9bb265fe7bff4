/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef RV_PLACES_H
#define RV_PLACES_H

#include "net/program.h"

/* Places all tensors of a program that has been built. `lanes`: steps begin as soon as
 * what they need is there, whatever their wave. Fails (-1) only for lack of memory. */
int rv_places(struct rv_program *p, bool lanes);

#endif
