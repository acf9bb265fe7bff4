/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef RV_TOOLS_HUNGARIAN_H
#define RV_TOOLS_HUNGARIAN_H

#define HUNGARIAN_MAX 64

/* The cheapest pairing of rows and columns: column_of[row], or -1 for a row
 * that is left over where there are more rows than columns. cost is rows x
 * columns, each side up to HUNGARIAN_MAX; every cost finite. */
void hungarian(const double *cost, int rows, int columns, int *column_of);

#endif
