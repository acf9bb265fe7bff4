/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* golden_case.h - runs the network as a golden case has it: tests/golden/README.md. */
#ifndef RV_TEST_GOLDEN_CASE_H
#define RV_TEST_GOLDEN_CASE_H

#include <string.h>

#include "log.h"
#include "safetensors.h"

struct golden {
    const char *path;
    struct rv_st *file;
    int frames, objects, width, height;                        /* of the network */
    const struct rv_st_tensor *images, *half, *probs, *labels; /* the last two: or NULL */
    uint8_t *pixels, *expected; /* bytes of images and labels */
};

/* Returns all bytes, to be freed. Ends the test if they cannot be read. */
static inline uint8_t *tensor_bytes(const struct rv_st *file,
                                    const struct rv_st_tensor *t)
{
    const char *why = "";
    uint8_t *bytes = malloc(t->bytes + 1);

    if (!test_note(CHECK(bytes && !rv_st_read(file, t, 0, t->bytes, bytes, &why)),
                   "%s: %s", t->name, why))
        exit(1);
    return bytes;
}

static inline const char *golden_meta(const struct golden *g, const char *key)
{
    const char *text = rv_st_meta(g->file, key);

    return text ? text : "";
}

/* `most`: of the frames; 0: all. */
static inline bool golden_open(struct golden *g, const char *path, int most)
{
    char why[256] = "";

    *g = (struct golden){.path = path};
    if (!test_note(CHECK(rv_st_open(&g->file, path, why, sizeof(why)) == 0), "%s", why))
        return false;
    g->frames = atoi(golden_meta(g, "case.frames"));
    g->objects = atoi(golden_meta(g, "case.objects"));
    g->width = atoi(golden_meta(g, "case.width"));
    g->height = atoi(golden_meta(g, "case.height"));
    g->images = rv_st_find(g->file, "frames");
    g->half = rv_st_find(g->file, "logits_half");
    g->probs = rv_st_find(g->file, "probs");
    g->labels = rv_st_find(g->file, "labels");
    if (!CHECK(g->frames > 0 && g->objects > 0 && g->images && g->half))
        return false;
    g->frames = most && most < g->frames ? most : g->frames;
    g->pixels = tensor_bytes(g->file, g->images);
    g->expected = g->labels ? tensor_bytes(g->file, g->labels) : NULL;
    return true;
}

static inline void golden_close(struct golden *g)
{
    free(g->pixels);
    free(g->expected);
    rv_st_close(&g->file);
}

/* The case's model is in a folder, or has an absolute path. */
static inline rvos_model *golden_model(const struct golden *g, rvos_device *device,
                                       const char *folder, rvos_precision precision)
{
    const char *name = golden_meta(g, "case.model");
    rvos_model_params params = {
        .width = g->width, .height = g->height, .precision = precision};
    rvos_model *model = NULL;
    char path[1024];

    snprintf(path, sizeof(path), "%s/%s", name[0] == '/' ? "" : folder, name);
    test_note(CHECK(rvos_model_load(&model, device, path, &params) == 0), "%s", path);
    return model;
}

static inline rvos_stream *golden_stream(const struct golden *g, rvos_model *model)
{
    const char *variant = golden_meta(g, "case.variant");
    bool one_shot = !strcmp(golden_meta(g, "case.task"), "one-shot");
    rvos_stream_params params = {
        .task = one_shot ? RVOS_TASK_ONE_SHOT : RVOS_TASK_ZERO_SHOT,
        .variant = !strcmp(variant, "spatial")    ? RVOS_VARIANT_SPATIAL
                   : !strcmp(variant, "temporal") ? RVOS_VARIANT_TEMPORAL
                                                  : RVOS_VARIANT_SPATIO_TEMPORAL,
        .objects = g->objects,
        .all_slots = atoi(golden_meta(g, "case.all_slots"))};
    rvos_stream *stream = NULL;

    CHECK(rvos_stream_open(&stream, model, &params) == 0);
    return stream;
}

/* Gives the seed of frame t, if there is one. */
static inline void golden_seed(const struct golden *g, rvos_stream *stream, int t)
{
    char name[32];
    const struct rv_st_tensor *seed, *slots;
    uint8_t *mask, *shown;
    uint32_t bits = 0;

    snprintf(name, sizeof(name), "seed.%d", t);
    seed = rv_st_find(g->file, name);
    if (!seed)
        return;
    snprintf(name, sizeof(name), "slots.%d", t);
    slots = rv_st_find(g->file, name);
    if (!CHECK(slots))
        return;
    mask = tensor_bytes(g->file, seed);
    shown = tensor_bytes(g->file, slots);
    for (int i = 0; i < slots->count; i++)
        bits |= (uint32_t)(shown[i] != 0) << i;
    CHECK(rvos_stream_seed(stream,
                           &(rvos_labels){.data = mask,
                                          .width = (int)seed->dim[1],
                                          .height = (int)seed->dim[0],
                                          .stride = seed->dim[1]},
                           bits) == 0);
    free(mask);
    free(shown);
}

/* Runs frame t after its seed; `labels` may be NULL. */
static inline void golden_frame(const struct golden *g, rvos_stream *stream, int t,
                                uint8_t *labels)
{
    int h = (int)g->images->dim[1], w = (int)g->images->dim[2];
    rvos_image image = {.format = RVOS_RGB,
                        .width = w,
                        .height = h,
                        .plane = {g->pixels + (size_t)t * h * w * 3},
                        .stride = {3 * (ptrdiff_t)w}};
    rvos_labels out = {.width = w, .height = h, .data = labels, .stride = w};

    golden_seed(g, stream, t);
    CHECK(rvos_stream_process(stream, &image,
                              &(rvos_output){.labels = labels ? &out : NULL}) == 0);
}

#endif
