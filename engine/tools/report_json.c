/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "json_file.h"
#include "report.h"
#include "report_run.h"

/* json_pack and the json_*_new functions accept NULL and return NULL if memory runs out,
 * so one check at the end is enough. */
static json_t *statistics_json(const struct statistics *s)
{
    return json_pack("{s:f, s:f, s:f}", "mean", s->mean, "recall", s->recall, "decay",
                     s->decay);
}

static json_t *values_json(const double *values, int count)
{
    json_t *array = json_array();

    for (int i = 0; i < count; i++)
        json_array_append_new(array, json_real(values[i]));
    return array;
}

static json_t *mean_json(const struct evaluation *e, enum group group, int instances)
{
    struct eval_mean m = evaluation_mean(e, group, instances);

    json_t *mean;

    if (!m.objects)
        return NULL;
    mean = json_pack("{s:i, s:i, s:f, s:o, s:o, s:i, s:i}", "sequences", m.sequences,
                     "objects", m.objects, "J&F", (m.j.mean + m.f.mean) / 2, "J",
                     statistics_json(&m.j), "F", statistics_json(&m.f), "frames",
                     m.frames, "id_switches", m.switches);
    if (m.false_objects >= 0)
        json_object_set_new(mean, "false_objects", json_integer(m.false_objects));
    return mean;
}

static json_t *object_json(const struct eval_sequence *s, const struct eval_object *o)
{
    json_t *frames = json_array(), *slots = json_array(), *best = json_array();
    json_t *object;

    for (int i = 0; i < o->count; i++) {
        int at = o->frame[i] * s->objects + o->id - 1;

        json_array_append_new(frames, json_name(s->truth.file[o->frame[i]].stem));
        json_array_append_new(slots, json_integer(s->best[at]));
        json_array_append_new(best,
                              s->present[at] ? json_real(s->best_j[at]) : json_null());
    }
    object = json_pack("{s:i, s:i, s:o, s:o, s:o, s:o, s:o, s:i, s:o, s:o}", "id", o->id,
                       "prediction", o->guess, "J", statistics_json(&o->j_stat), "F",
                       statistics_json(&o->f_stat), "frames", frames, "J_frames",
                       values_json(o->j, o->count), "F_frames",
                       values_json(o->f, o->count), "id_switches", o->switches,
                       "best_slot_frames", slots, "best_J_frames", best);
    if (o->category)
        json_object_set_new(object, "category", json_string(o->category));
    if (o->group != GROUP_NONE)
        json_object_set_new(object, "group",
                            json_string(o->group == GROUP_SEEN ? "seen" : "unseen"));
    return object;
}

static json_t *sequence_json(const struct eval_sequence *s)
{
    json_t *objects = json_array(), *sequence;

    if (s->fault.code) {
        json_decref(objects);
        return json_pack("{s:o, s:s}", "name", json_name(s->name), "fault",
                         s->fault.text);
    }
    for (int k = 0; k < s->objects; k++)
        if (s->object[k].count)
            json_array_append_new(objects, object_json(s, &s->object[k]));
    sequence = json_pack("{s:o, s:o}", "name", json_name(s->name), "objects", objects);
    if (s->false_objects >= 0)
        json_object_set_new(sequence, "false_objects", json_integer(s->false_objects));
    return sequence;
}

static json_t *evaluation_json(const struct evaluation *e)
{
    json_t *sequences = json_array(), *instances = json_array(), *root, *part;
    static const char *const group_name[] = {"seen", "unseen"};

    for (int i = 0; i < e->count; i++)
        json_array_append_new(sequences, sequence_json(&e->sequence[i]));
    for (int n = 1; n <= 255; n++) {
        part = mean_json(e, GROUP_NONE, n);
        if (!part)
            continue;
        json_object_set_new(part, "instances", json_integer(n));
        json_array_append_new(instances, part);
    }
    root = json_pack("{s:s, s:s, s:o, s:o, s:o, s:o, s:o?}", "protocol",
                     e->protocol->name, "title", e->protocol->title, "ground_truth",
                     json_name(e->truth), "predictions", json_name(e->guess),
                     "by_instances", instances, "sequences", sequences, "frames",
                     e->frames ? json_name(e->frames) : NULL);
    part = mean_json(e, GROUP_NONE, 0);
    if (part)
        json_object_set_new(root, "mean", part);
    for (int g = GROUP_SEEN; g <= GROUP_UNSEEN; g++) {
        part = mean_json(e, (enum group)g, 0);
        if (part)
            json_object_set_new(root, group_name[g], part);
    }
    return root;
}

int report_json(const char *path, const struct evaluation *e, struct fault *fault)
{
    json_t *root = evaluation_json(e);
    int err = json_write(path, root, 15, fault);

    json_decref(root);
    return err;
}

int report_html(const char *path, const struct evaluation *e, struct fault *fault)
{
    json_t *root = evaluation_json(e);
    int err = json_check(path, root, fault);

    if (!err)
        err = report_page(path, root, fault);
    json_decref(root);
    return err;
}
