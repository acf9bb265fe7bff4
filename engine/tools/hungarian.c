/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "assign.h"

#include <float.h>
#include <stdbool.h>

/* The Hungarian method by shortest augmenting paths (Kuhn, Munkres; Jonker and
 * Volgenant). Prices keep the reduced cost, cost - row_price - column_price, at >= 0
 * everywhere and at 0 for made pairs. Each row in turn takes the cheapest path, in
 * reduced costs, to a free column. Column n stands for the row that is being placed. */
struct pairing {
    const double *cost;
    int rows, columns, row_step, column_step;
    double row_price[HUNGARIAN_MAX], column_price[HUNGARIAN_MAX + 1];
    int row_of[HUNGARIAN_MAX + 1]; /* -1: the column is free */
};

static void place(struct pairing *p, int row)
{
    double distance[HUNGARIAN_MAX];
    int before[HUNGARIAN_MAX];
    bool done[HUNGARIAN_MAX + 1] = {false};
    int n = p->columns, at = n;

    for (int j = 0; j < n; j++)
        distance[j] = DBL_MAX;
    p->row_of[n] = row;
    while (p->row_of[at] >= 0) {
        int i = p->row_of[at], next = -1;
        double step;

        done[at] = true;
        for (int j = 0; j < n; j++) {
            double reduced;

            if (done[j])
                continue;
            reduced = p->cost[i * p->row_step + j * p->column_step] - p->row_price[i] -
                      p->column_price[j];
            if (reduced < distance[j]) {
                distance[j] = reduced;
                before[j] = at;
            }
            if (next < 0 || distance[j] < distance[next])
                next = j;
        }
        step = distance[next];
        for (int j = 0; j <= n; j++) {
            if (done[j]) {
                p->row_price[p->row_of[j]] += step;
                p->column_price[j] -= step;
            } else {
                distance[j] -= step;
            }
        }
        at = next;
    }
    for (; at != n; at = before[at])
        p->row_of[at] = p->row_of[before[at]];
}

void hungarian(const double *cost, int rows, int columns, int *column_of)
{
    bool turned = rows > columns;
    struct pairing p = {
        .cost = cost,
        .rows = turned ? columns : rows,
        .columns = turned ? rows : columns,
        .row_step = turned ? 1 : columns,
        .column_step = turned ? columns : 1,
    };

    for (int j = 0; j <= p.columns; j++)
        p.row_of[j] = -1;
    for (int i = 0; i < p.rows; i++)
        place(&p, i);
    for (int i = 0; i < rows; i++)
        column_of[i] = -1;
    for (int j = 0; j < p.columns; j++) {
        if (p.row_of[j] < 0)
            continue;
        if (turned)
            column_of[j] = p.row_of[j];
        else
            column_of[p.row_of[j]] = j;
    }
}
