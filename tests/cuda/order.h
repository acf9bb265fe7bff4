/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* order.h - proves that a plan orders every two steps of different lanes that touch the
 * same bytes, unless both only read them. */
#ifndef ORDER_H
#define ORDER_H

#include "program/plan.h"

struct order {
    int unordered;      /* pairs of steps that touch the same bytes in no order */
    int first, second;  /* the first such pair */
    int waits, ordered; /* waits of the plan; pairs in different lanes that are ordered */
};

struct order order_check(const struct rv_plan *plan);
/* Counts waits that only protect reused memory: the waiting step needs nothing from the
 * other, directly or through others. `encoder`: count only the encoder's steps. */
int order_false_waits(const struct rv_plan *plan, bool encoder);

#endif
