/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef RV_PLACES_H
#define RV_PLACES_H

#include "net/program.h"

/* Places all tensors of a built program. `lanes`: steps start as soon as their inputs are
 * ready, regardless of their wave. Fails (-1) only if memory runs out. */
int rv_places(struct rv_program *p, bool lanes);

#endif
