/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The meta.json of YouTube-VOS:
 *     {"videos": {NAME: {"objects": {"1": {"category": ..., "frames": [...]}}}}}
 * Frames are those annotated, every fifth; the first is where the object appears.
 * Categories of the training set are the seen ones; the file of the validation set
 * does not say which they are. */
#include <stdlib.h>
#include <string.h>

#include <stdio.h>

#include "evaluate.h"
#include "json_file.h"
#include "lists.h"

#define META "a meta.json"

static int add_categories(struct name_list *seen, json_t *videos)
{
    const char *name, *id;
    json_t *video, *object;

    json_object_foreach(videos, name, video)
    {
        json_object_foreach(json_object_get(video, "objects"), id, object)
        {
            const char *category = json_string_value(json_object_get(object, "category"));

            if (category && !names_have(seen, category) && names_add(seen, category))
                return -1;
        }
    }
    return 0;
}

/* Whether a file's first character, after a byte order mark and blanks, opens an
 * object. */
static bool is_json(const char *path)
{
    char *text, *at;
    size_t size;
    bool json = false;

    if (!file_read(&text, &size, path, TEXT_MOST, NULL)) {
        at = text + (strncmp(text, "\xef\xbb\xbf", 3) ? 0 : 3);
        json = at[strspn(at, " \t\r\n")] == '{';
        free(text);
    }
    return json;
}

/* Reads the training set's meta.json, or a list with one category per line. */
static int read_seen(struct name_list *seen, const char *path, struct fault *fault)
{
    json_t *root;
    int err = is_json(path) ? json_read(&root, path, META, fault)
                            : lines_list(seen, path, fault);

    if (err || seen->count)
        return err;
    if (add_categories(seen, json_object_get(root, "videos")))
        err = fault_set(fault, TOOL_ENGINE, path, "out of memory");
    else if (!seen->count)
        err = fault_set(fault, TOOL_INPUT, path, "names no category of an object");
    json_decref(root);
    return err;
}

/* The frames to score are the union of the objects' frames: an object that has left is
 * still scored while another one is annotated. */
static int list_frames(struct eval_sequence *s, struct eval_object *object,
                       const json_t *frames)
{
    size_t n = json_array_size(frames);

    if (n && !s->listed)
        s->listed = calloc((size_t)s->truth.count, sizeof *s->listed);
    if (n && !s->listed)
        return -1;
    for (size_t i = 0; i < n; i++) {
        const char *stem = json_string_value(json_array_get(frames, i));
        int t = stem ? frames_find(&s->truth, stem) : -1;

        if (t < 0)
            continue;
        s->listed[t] = true;
        if (object->first < 0 || t < object->first)
            object->first = t;
    }
    return 0;
}

static int mark(struct eval_sequence *s, const json_t *objects,
                const struct name_list *seen, bool lists)
{
    for (int i = 0; i < s->objects; i++) {
        struct eval_object *o = &s->object[i];
        const json_t *entry;
        const char *category;
        char id[12];

        snprintf(id, sizeof id, "%d", o->id);
        entry = json_object_get(objects, id);
        if (lists && list_frames(s, o, json_object_get(entry, "frames")))
            return -1;
        category = json_string_value(json_object_get(entry, "category"));
        if (!category)
            continue;
        o->category = text_format("%s", category);
        if (!o->category)
            return -1;
        if (seen->count)
            o->group = names_have(seen, category) ? GROUP_SEEN : GROUP_UNSEEN;
    }
    return 0;
}

int eval_read_meta(struct evaluation *evaluation, const char *meta, const char *seen,
                   struct fault *fault)
{
    struct name_list names = {0};
    json_t *root = NULL, *videos;
    int err = json_read(&root, meta, META, fault);

    if (!err && seen)
        err = read_seen(&names, seen, fault);
    videos = json_object_get(root, "videos");
    if (!err && !json_is_object(videos))
        err = fault_set(fault, TOOL_INPUT, meta, "has no \"videos\": give " META);
    for (int i = 0; i < evaluation->count && !err; i++) {
        struct eval_sequence *s = &evaluation->sequence[i];
        json_t *video = json_object_get(videos, s->name);

        if (s->fault.code)
            continue;
        if (video && mark(s, json_object_get(video, "objects"), &names,
                          evaluation->protocol->late_objects))
            err = fault_set(fault, TOOL_ENGINE, meta, "out of memory");
        if (!video)
            fault_set(&s->fault, TOOL_INPUT, meta, "does not name the sequence %s",
                      s->name);
    }
    names_free(&names);
    json_decref(root);
    return err;
}
