/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Turns the measures of frames into the scores of objects. */
#include <stdlib.h>
#include <string.h>

#include "evaluate.h"
#include "assign.h"

#define FALSE_FRAMES 10 /* a false object is visible in more frames than this, */
#define FALSE_SHARE 0.1 /* and a smaller share of its pixels is on annotated objects */
#define LIFE_GAP 10     /* frames that a slot may be empty for within one life */

bool eval_is_scored(const struct protocol *p, const struct eval_sequence *s, int t)
{
    if (p->skip_ends && (t == 0 || t == s->truth.count - 1))
        return false;
    return !s->listed || s->listed[t];
}

static double value(const struct eval_sequence *s, const double *values, int t, int i,
                    int k)
{
    return values[((size_t)t * (size_t)s->objects + (size_t)i) * (size_t)s->guesses +
                  (size_t)k];
}

/* Pairs the objects `row` with masks that have no object yet. */
static void pair(struct eval_sequence *s, const int *row, int rows, const double *cost)
{
    double some[HUNGARIAN_MAX * HUNGARIAN_MAX] = {0};
    int column[HUNGARIAN_MAX], column_of[HUNGARIAN_MAX], columns = 0;

    for (int k = 0; k < s->guesses; k++) {
        bool taken = false;

        for (int i = 0; i < s->objects; i++)
            taken |= s->object[i].guess == k + 1;
        if (!taken)
            column[columns++] = k;
    }
    for (int r = 0; r < rows; r++)
        for (int c = 0; c < columns; c++)
            some[r * columns + c] = cost[r * s->guesses + column[c]];
    hungarian(some, rows, columns, column_of);
    for (int r = 0; r < rows; r++)
        s->object[row[r]].guess = column_of[r] < 0 ? 0 : column[column_of[r]] + 1;
}

/* 1 minus the mean J over the scored frames with the object. */
static double best_slot_cost(const struct protocol *p, const struct eval_sequence *s,
                             int i, int k)
{
    double sum = 0;
    int n = 0;

    for (int t = 0; t < s->truth.count; t++) {
        if (!eval_is_scored(p, s, t) || !s->present[t * s->objects + i])
            continue;
        sum += value(s, s->j, t, i, k);
        n++;
    }
    return n ? 1.0 - sum / n : 1.0;
}

/* 1 minus the mean of J and F over all frames. */
static double whole_sequence_cost(const struct eval_sequence *s, int i, int k)
{
    double sum = 0;

    for (int t = 0; t < s->truth.count; t++)
        sum += value(s, s->j, t, i, k) + value(s, s->f, t, i, k);
    return 1.0 - sum / (2.0 * s->truth.count);
}

static void pair_sequence(const struct protocol *p, struct eval_sequence *s)
{
    double cost[HUNGARIAN_MAX * HUNGARIAN_MAX] = {0};
    int row[HUNGARIAN_MAX];

    for (int i = 0; i < s->objects && p->pairing == PAIR_SAME_ID; i++)
        s->object[i].guess = i + 1;
    if (p->pairing == PAIR_WHOLE_SEQUENCE || p->pairing == PAIR_BEST_SLOT) {
        for (int i = 0; i < s->objects; i++) {
            row[i] = i;
            for (int k = 0; k < s->guesses; k++)
                cost[i * s->guesses + k] = p->pairing == PAIR_BEST_SLOT
                                               ? best_slot_cost(p, s, i, k)
                                               : whole_sequence_cost(s, i, k);
        }
        pair(s, row, s->objects, cost);
    }
    for (int t = 0; t < s->truth.count && p->pairing == PAIR_FIRST_FRAME; t++) {
        int rows = 0;

        for (int i = 0; i < s->objects; i++) {
            if (s->object[i].first != t)
                continue;
            for (int k = 0; k < s->guesses; k++)
                cost[rows * s->guesses + k] = 1.0 - value(s, s->j, t, i, k);
            row[rows++] = i;
        }
        pair(s, row, rows, cost);
    }
}

static int score_object(const struct protocol *p, struct eval_sequence *s, int i)
{
    struct eval_object *o = &s->object[i];
    int first = p->late_objects ? o->first + 1 : 0;
    bool same = p->pairing == PAIR_SAME_ID;

    if (!o->guess || (p->late_objects && o->first < 0))
        return 0;
    o->frame = malloc(sizeof *o->frame * (size_t)s->truth.count);
    o->j = malloc(2 * sizeof *o->j * (size_t)s->truth.count);
    if (!o->frame || !o->j)
        return -1;
    o->f = o->j + s->truth.count;
    for (int t = first; t < s->truth.count; t++) {
        size_t row = (size_t)t * (size_t)s->objects + (size_t)i;

        if (!eval_is_scored(p, s, t))
            continue;
        o->frame[o->count] = t;
        o->j[o->count] = same ? s->j[row] : value(s, s->j, t, i, o->guess - 1);
        o->f[o->count++] = same ? s->f[row] : value(s, s->f, t, i, o->guess - 1);
    }
    if (o->count) {
        o->j_stat = statistics_of(o->j, o->count);
        o->f_stat = statistics_of(o->f, o->count);
    }
    return 0;
}

/* ---- visible errors -------------------------------------------------- */

static int count_switches(const struct eval_sequence *s, int i)
{
    int last = 0, n = 0;

    for (int t = 0; t < s->truth.count; t++) {
        int best = s->best[t * s->objects + i];

        n += best && last && best != last;
        last = best ? best : last;
    }
    return n;
}

/* A slot may be used several times: after a long gap it may hold another object. */
static int count_false(const struct eval_sequence *s, int k)
{
    struct eval_slot life = {0};
    int n = 0, shown = 0, last = 0;

    for (int t = 0; t <= s->truth.count; t++) {
        const struct eval_slot *slot = &s->slot[t * s->guesses + k];
        bool end = t == s->truth.count;

        if (end || (slot->area && t - last > LIFE_GAP + 1)) {
            n += shown > FALSE_FRAMES &&
                 (double)life.annotated < FALSE_SHARE * (double)life.area;
            shown = 0;
            life = (struct eval_slot){0};
        }
        if (end || !slot->area)
            continue;
        life.area += slot->area;
        life.annotated += slot->annotated;
        shown++;
        last = t;
    }
    return n;
}

int eval_score_sequence(const struct protocol *p, struct eval_sequence *s)
{
    for (int i = 0; i < s->objects; i++)
        for (int t = 0; t < s->truth.count && s->object[i].first < 0; t++)
            if (s->present[(size_t)t * (size_t)s->objects + (size_t)i])
                s->object[i].first = t;
    pair_sequence(p, s);
    s->false_objects = s->slot ? 0 : -1;
    for (int k = 0; k < s->guesses && s->slot; k++)
        s->false_objects += count_false(s, k);
    for (int i = 0; i < s->objects; i++)
        s->object[i].switches = count_switches(s, i);
    for (int i = 0; i < s->objects; i++)
        if (score_object(p, s, i))
            return -1;
    return 0;
}

/* ---- means --------------------------------------------------------------- */

int eval_instances(const struct eval_sequence *sequence)
{
    int n = 0;

    for (int i = 0; i < sequence->objects && !sequence->fault.code; i++)
        n += sequence->object[i].count > 0;
    return n;
}

static void add_statistics(struct statistics *sum, const struct statistics *s)
{
    sum->mean += s->mean;
    sum->recall += s->recall;
    sum->decay += s->decay;
}

static void divide(struct statistics *sum, int n)
{
    sum->mean /= n;
    sum->recall /= n;
    sum->decay /= n;
}

struct eval_mean evaluation_mean(const struct evaluation *evaluation, enum group group,
                                 int instances)
{
    struct eval_mean m = {.false_objects = evaluation->all_annotated ? 0 : -1};

    for (int i = 0; i < evaluation->count; i++) {
        const struct eval_sequence *s = &evaluation->sequence[i];
        int before = m.objects;

        if (s->fault.code || (instances && eval_instances(s) != instances))
            continue;
        for (int k = 0; k < s->objects; k++) {
            const struct eval_object *o = &s->object[k];

            if (!o->count || (group != GROUP_NONE && o->group != group))
                continue;
            add_statistics(&m.j, &o->j_stat);
            add_statistics(&m.f, &o->f_stat);
            m.switches += o->switches;
            m.objects++;
        }
        if (m.objects == before)
            continue;
        m.sequences++;
        m.false_objects += evaluation->all_annotated ? s->false_objects : 0;
        for (int t = 0; t < s->truth.count; t++)
            m.frames += eval_is_scored(evaluation->protocol, s, t);
    }
    if (m.objects) {
        divide(&m.j, m.objects);
        divide(&m.f, m.objects);
    }
    return m;
}
