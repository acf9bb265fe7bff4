/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "assign.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* Numbers of pixels of each label, of each mask, and of both, at the annotation's
 * size. */
struct overlap {
    int64_t label[256];
    int64_t mask[HUNGARIAN_MAX];
    int64_t both[256][HUNGARIAN_MAX];
};

static void measure(struct overlap *o, const struct picture *annotation,
                    const struct mask_stack *masks)
{
    size_t plane = (size_t)masks->width * (size_t)masks->height;

    memset(o, 0, sizeof *o);
    for (int y = 0; y < annotation->height; y++) {
        const uint8_t *truth = annotation->pixels + (size_t)y * (size_t)annotation->width;
        const uint8_t *row =
            masks->pixels +
            (size_t)masks->width * (size_t)nearest(y, masks->height, annotation->height);

        for (int x = 0; x < annotation->width; x++) {
            const uint8_t *at = row + nearest(x, masks->width, annotation->width);

            o->label[truth[x]]++;
            for (int i = 0; i < masks->count; i++) {
                o->mask[i] += at[plane * (size_t)i];
                o->both[truth[x]][i] += at[plane * (size_t)i];
            }
        }
    }
}

static double pair_cost(const struct overlap *o, int label, int instance)
{
    int64_t both = o->both[label][instance];
    int64_t either = o->label[label] + o->mask[instance] - both;

    return either ? 1.0 - (double)both / (double)either : 0.0;
}

/* Stable: of equal costs the lower label is painted first. */
static void insert(struct assign *assign, struct assign_pair pair)
{
    int at = assign->count++;

    while (at > 0 && assign->pair[at - 1].cost < pair.cost) {
        assign->pair[at] = assign->pair[at - 1];
        at--;
    }
    assign->pair[at] = pair;
}

static int free_masks(const struct assign *assign, int count, int *instance)
{
    int n = 0;

    for (int i = 0; i < count; i++) {
        bool taken = false;

        for (int k = 0; k < assign->count; k++)
            taken |= assign->pair[k].instance == i;
        if (!taken)
            instance[n++] = i;
    }
    return n;
}

int assign_choose(struct assign *assign, const struct picture *annotation,
                  const struct id_set *ids, const struct mask_stack *masks,
                  struct fault *fault)
{
    int label[HUNGARIAN_MAX], instance[HUNGARIAN_MAX], column_of[HUNGARIAN_MAX];
    double cost[HUNGARIAN_MAX * HUNGARIAN_MAX] = {0};
    struct overlap *o;
    int rows = 0, columns = free_masks(assign, masks->count, instance);

    for (int id = 1; id < 255; id++) {
        if (!id_in(ids, id))
            continue;
        if (assign->count + rows == HUNGARIAN_MAX)
            return fault_set(fault, TOOL_INPUT, NULL,
                             "an annotation of more than %d objects cannot be assigned",
                             HUNGARIAN_MAX);
        label[rows++] = id;
    }
    o = malloc(sizeof *o);
    if (!o)
        return fault_set(fault, TOOL_ENGINE, NULL, "out of memory");
    measure(o, annotation, masks);
    for (int r = 0; r < rows; r++)
        for (int c = 0; c < columns; c++)
            cost[r * columns + c] = pair_cost(o, label[r], instance[c]);
    hungarian(cost, rows, columns, column_of);
    for (int r = 0; r < rows; r++) {
        int c = columns ? column_of[r] : -1;

        insert(assign, (struct assign_pair){label[r], c < 0 ? -1 : instance[c],
                                            c < 0 ? 1.0 : cost[r * columns + c]});
    }
    free(o);
    return 0;
}

void assign_paint(const struct assign *assign, const struct mask_stack *masks,
                  struct picture *out)
{
    size_t plane = (size_t)masks->width * (size_t)masks->height;

    memset(out->pixels, 0, (size_t)out->width * (size_t)out->height);
    for (int y = 0; y < out->height; y++) {
        uint8_t *to = out->pixels + (size_t)y * (size_t)out->width;
        const uint8_t *row =
            masks->pixels +
            (size_t)masks->width * (size_t)nearest(y, masks->height, out->height);

        for (int x = 0; x < out->width; x++) {
            const uint8_t *at = row + nearest(x, masks->width, out->width);

            for (int k = 0; k < assign->count; k++) {
                const struct assign_pair *pair = &assign->pair[k];

                if (pair->instance >= 0 && at[plane * (size_t)pair->instance])
                    to[x] = (uint8_t)pair->label;
            }
        }
    }
}
