/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "seeds.h"

#include <dirent.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "folders.h"

int ids_of(const struct picture *mask, struct id_set *set)
{
    size_t n = (size_t)mask->width * (size_t)mask->height;
    bool seen[256] = {false};
    uint8_t last = 0;
    int highest = 0;

    memset(set, 0, sizeof *set);
    for (size_t i = 0; i < n; i++) {
        uint64_t eight;

        /* Runs of one value are long, so compare eight pixels at a time. */
        while (i + 8 <= n && (memcpy(&eight, mask->pixels + i, sizeof eight),
                              eight == UINT64_C(0x0101010101010101) * last))
            i += 8;
        if (i < n)
            seen[last = mask->pixels[i]] = true;
    }
    for (int id = 1; id < 255; id++)
        if (seen[id]) {
            id_add(set, id);
            highest = id;
        }
    return highest;
}

static int add(struct seeds *seeds, struct id_set *known, int frame, const char *path,
               struct fault *fault)
{
    struct picture mask;
    struct mask_facts facts;
    struct pic_error error;
    struct id_set ids;
    struct seed *grown;
    bool news = false;
    int highest, err = mask_read_raw(&mask, path, seeds->kind, &facts, fault);

    if (err)
        return err;
    highest = ids_of(&mask, &ids);
    if (!highest && seeds->alone) {
        mask_say_empty(&facts, &error);
        err = picture_fault(&error, path, fault);
    }
    picture_free(&mask);
    for (int i = 0; i < 4; i++) {
        ids.word[i] &= ~known->word[i];
        known->word[i] |= ids.word[i];
        news |= ids.word[i] != 0;
    }
    if (err || !news)
        return err;
    grown = realloc(seeds->seed, sizeof *grown * (size_t)(seeds->count + 1));
    if (!grown)
        return fault_set(fault, TOOL_ENGINE, path, "out of memory");
    seeds->seed = grown;
    grown[seeds->count] = (struct seed){frame, text_format("%s", path), ids};
    if (!grown[seeds->count++].path)
        return fault_set(fault, TOOL_ENGINE, path, "out of memory");
    if (highest > seeds->highest)
        seeds->highest = highest;
    return 0;
}

static int add_unmatched(struct seeds *seeds, const char *path, struct fault *fault)
{
    seeds->unmatched++;
    if (!seeds->first_unmatched)
        seeds->first_unmatched = text_format("%s", path);
    return seeds->first_unmatched ? 0
                                  : fault_set(fault, TOOL_ENGINE, path, "out of memory");
}

static int add_folder(struct seeds *seeds, const struct frame_list *frames,
                      const char *folder, struct fault *fault)
{
    struct id_set known = {{0}};
    struct frame_list masks;
    int err = frames_list(&masks, folder, fault);

    if (err)
        return err;
    for (int i = 0; i < masks.count && !err; i++) {
        int frame = frames_find(frames, masks.file[i].stem);

        if (frame < 0)
            err = add_unmatched(seeds, masks.file[i].path, fault);
        else
            err = add(seeds, &known, frame, masks.file[i].path, fault);
    }
    if (!err && seeds->unmatched == masks.count)
        err = fault_set(fault, TOOL_INPUT, folder,
                        "no mask has the name of a frame (frames are %s and so on)",
                        frames->file[0].stem);
    frames_free(&masks);
    return err;
}

static int by_frame(const void *a, const void *b)
{
    const struct seed *x = a, *y = b;

    return (x->frame > y->frame) - (x->frame < y->frame);
}

/* Lists the pattern's files as seeds by frame, without objects yet. */
static int list_pattern(struct seeds *found, const struct mask_pattern *pattern,
                        const struct frame_list *frames, const char *path,
                        struct fault *fault)
{
    DIR *dir = opendir(pattern->folder);
    struct dirent *entry;
    uint64_t number;
    int err = 0;

    if (!dir)
        return fault_set(fault, TOOL_INPUT, path, "is in a folder that cannot be listed");
    while (!err && (entry = readdir(dir))) {
        struct seed *grown;

        if (!mask_pattern_match(pattern, entry->d_name, &number))
            continue;
        grown = realloc(found->seed, sizeof *grown * (size_t)(found->count + 1));
        if (grown)
            found->seed = grown;
        if (!grown || !(grown[found->count].path =
                            text_format("%s/%s", pattern->folder, entry->d_name)))
            err = fault_set(fault, TOOL_ENGINE, path, "out of memory");
        else
            grown[found->count++].frame =
                number < (uint64_t)frames->count ? (int)number : frames->count;
    }
    closedir(dir);
    if (!err && !found->count)
        err = fault_set(fault, TOOL_INPUT, path, "names no mask file");
    if (found->count)
        qsort(found->seed, (size_t)found->count, sizeof *found->seed, by_frame);
    return err;
}

static int add_pattern(struct seeds *seeds, const struct frame_list *frames,
                       const char *path, struct fault *fault)
{
    struct id_set known = {{0}};
    struct seeds found = {0};
    struct mask_pattern pattern;
    struct pic_error error;
    int err;

    if (mask_pattern_parse(&pattern, path, &error))
        return picture_fault(&error, path, fault);
    err = list_pattern(&found, &pattern, frames, path, fault);
    mask_pattern_free(&pattern);
    for (int i = 0; i < found.count && !err; i++)
        if (found.seed[i].frame < frames->count)
            err = add(seeds, &known, found.seed[i].frame, found.seed[i].path, fault);
        else
            err = add_unmatched(seeds, found.seed[i].path, fault);
    if (!err && seeds->unmatched == found.count)
        err = fault_set(fault, TOOL_INPUT, path,
                        "no mask has the number of a frame (there are %d frames, from 0)",
                        frames->count);
    seeds_free(&found);
    return err;
}

int seeds_find(struct seeds *out, const struct frame_list *frames, const char *path,
               enum mask_kind kind, struct fault *fault)
{
    struct id_set known = {{0}};
    int err;

    memset(out, 0, sizeof *out);
    out->kind = kind;
    out->alone = !is_folder(path) && (access(path, F_OK) == 0 || !strchr(path, '%'));
    if (is_folder(path))
        err = add_folder(out, frames, path, fault);
    else if (!out->alone)
        err = add_pattern(out, frames, path, fault);
    else
        err = add(out, &known, 0, path, fault);
    if (!err && !out->count)
        err = fault_set(fault, TOOL_INPUT, path,
                        "shows no object in any mask: pixels of object 1 have the value "
                        "1 (0 is background, 255 means ignore)");
    if (err)
        seeds_free(out);
    return err;
}

void seeds_free(struct seeds *seeds)
{
    for (int i = 0; i < seeds->count; i++)
        free(seeds->seed[i].path);
    free(seeds->seed);
    free(seeds->first_unmatched);
    memset(seeds, 0, sizeof *seeds);
}

const struct seed *seeds_at(const struct seeds *seeds, int frame)
{
    for (int i = 0; i < seeds->count; i++)
        if (seeds->seed[i].frame == frame)
            return &seeds->seed[i];
    return NULL;
}
