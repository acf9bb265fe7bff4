/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "dataset.h"

#include <stdlib.h>
#include <string.h>

#include "lists.h"

static const struct dataset_rules known[] = {
    {.name = "davis2016",
     .frames = "JPEGImages/480p",
     .annotations = "Annotations/480p",
     .list = {"ImageSets/480p/%s.txt", "ImageSets/2016/%s.txt"},
     .split = "val",
     .first_frame_only = true,
     .kind = MASK_BINARY},
    {.name = "davis2017",
     .frames = "JPEGImages/480p",
     .annotations = "Annotations/480p",
     .list = {"ImageSets/2017/%s.txt"},
     .split = "val",
     .first_frame_only = true,
     .kind = MASK_INDEX},
    {.name = "youtube-vos",
     .frames = "JPEGImages",
     .annotations = "Annotations",
     .split = "valid",
     .split_folder = true,
     .kind = MASK_INDEX},
};

const struct dataset_rules *dataset_find(const char *name)
{
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (!strcmp(known[i].name, name))
            return &known[i];
    return NULL;
}

static char *list_path(const char *pattern, const char *root, const char *split)
{
    const char *percent = pattern ? strstr(pattern, "%s") : NULL;

    if (!percent)
        return NULL;
    return text_format("%s/%.*s%s%s", root, (int)(percent - pattern), pattern, split,
                       percent + 2);
}

/* The default split may be missing; one that was asked for may not. */
static int find_names(struct name_list *names, const struct dataset_rules *rules,
                      const char *root, const char *frames, const char *split,
                      struct fault *fault)
{
    char *path = NULL;
    int err;

    for (size_t i = 0; i < 2 && !(path && is_file(path)); i++) {
        char *next = list_path(rules->list[i], root, split ? split : rules->split);

        if (next && (!path || is_file(next))) {
            free(path);
            path = next;
        } else {
            free(next);
        }
    }
    if (path && (split || is_file(path)))
        err = sequences_list(names, path, fault);
    else
        err = folders_list(names, frames, fault);
    free(path);
    return err;
}

static int add_entries(struct dataset *d, const struct name_list *names,
                       const char *frames, const char *annotations)
{
    d->entry = calloc((size_t)names->count, sizeof *d->entry);
    if (!d->entry)
        return -1;
    for (int i = 0; i < names->count; i++) {
        struct dataset_entry *e = &d->entry[d->count++];

        e->name = text_format("%s", names->name[i]);
        e->frames = text_format("%s/%s", frames, names->name[i]);
        e->annotations = text_format("%s/%s", annotations, names->name[i]);
        if (!e->name || !e->frames || !e->annotations)
            return -1;
    }
    return 0;
}

int dataset_open(struct dataset *out, const struct dataset_rules *rules, const char *root,
                 const char *split, const char *list, struct fault *fault)
{
    struct name_list names = {0};
    const char *folder = split ? split : rules->split;
    char *base = text_format("%s/%s", root, folder), *frames, *annotations;
    int err;

    *out = (struct dataset){.rules = rules};
    /* The root may be the folder of the split itself. */
    if (!base || !rules->split_folder || (!split && !is_folder(base))) {
        free(base);
        base = text_format("%s", root);
    }
    frames = text_format("%s/%s", base ? base : "", rules->frames);
    annotations = text_format("%s/%s", base ? base : "", rules->annotations);
    if (!base || !frames || !annotations)
        err = fault_set(fault, TOOL_ENGINE, root, "out of memory");
    else if (!is_folder(frames))
        err = fault_set(fault, TOOL_INPUT, frames,
                        "is missing: give the root folder of a %s data set", rules->name);
    else if (list)
        err = sequences_list(&names, list, fault);
    else
        err = find_names(&names, rules, root, frames, split, fault);
    if (!err && add_entries(out, &names, frames, annotations))
        err = fault_set(fault, TOOL_ENGINE, root, "out of memory");
    names_free(&names);
    free(base);
    out->frames = frames;
    out->annotations = annotations;
    if (err)
        dataset_close(out);
    return err;
}

void dataset_close(struct dataset *dataset)
{
    for (int i = 0; i < dataset->count; i++) {
        free(dataset->entry[i].name);
        free(dataset->entry[i].frames);
        free(dataset->entry[i].annotations);
    }
    free(dataset->entry);
    free(dataset->frames);
    free(dataset->annotations);
    memset(dataset, 0, sizeof *dataset);
}
