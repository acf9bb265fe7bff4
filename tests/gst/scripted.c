/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "scripted.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <glib.h>

struct rvos_device {
    int refs;
    rvos_device_params params;
};

struct rvos_model {
    int refs;
    rvos_device *device;
    unsigned tasks;
    rvos_model_params params;
};

struct rvos_stream {
    rvos_model *model;
    rvos_task task;
    int objects;
    uint32_t seeded;
    int64_t frames;
    bool discover, discovering; /* the next frame, the last one */
    uint32_t serial[RVOS_MAX_OBJECTS], last_serial;
    rvos_object object[RVOS_MAX_OBJECTS];
};

/* Tests are programs of their own: here global state is the point. */
static GMutex lock;
static scripted_state state;
static GCond held_changed;
static bool held;
static unsigned delay, load_delay;
static uint32_t ending;
static char failing[64];
static int failing_status;

/* ---- for the tests --------------------------------------------------------------- */

scripted_state scripted_get(void)
{
    scripted_state copy;

    g_mutex_lock(&lock);
    copy = state;
    g_mutex_unlock(&lock);
    return copy;
}

void scripted_clear(void)
{
    g_mutex_lock(&lock);
    state = (scripted_state){
        .devices = state.devices, .models = state.models, .streams = state.streams};
    delay = load_delay = 0;
    failing[0] = 0;
    g_mutex_unlock(&lock);
}

void scripted_delay_us(unsigned us)
{
    g_mutex_lock(&lock);
    delay = us;
    g_mutex_unlock(&lock);
}

void scripted_end_objects(uint32_t slots)
{
    g_mutex_lock(&lock);
    ending |= slots;
    g_mutex_unlock(&lock);
}

void scripted_load_delay_us(unsigned us)
{
    g_mutex_lock(&lock);
    load_delay = us;
    g_mutex_unlock(&lock);
}

void scripted_fail(const char *function, int status)
{
    g_mutex_lock(&lock);
    g_strlcpy(failing, function, sizeof(failing));
    failing_status = status;
    g_mutex_unlock(&lock);
}

void scripted_hold(bool hold)
{
    g_mutex_lock(&lock);
    held = hold;
    g_cond_broadcast(&held_changed);
    g_mutex_unlock(&lock);
}

static void wait_while_held(void)
{
    g_mutex_lock(&lock);
    state.waiting++;
    while (held)
        g_cond_wait(&held_changed, &lock);
    state.waiting--;
    g_mutex_unlock(&lock);
}

/* The status that a function is to fail with, or RVOS_OK. */
static int scripted_failure(const char *function)
{
    int status;

    g_mutex_lock(&lock);
    status = strcmp(failing, function) == 0 ? failing_status : RVOS_OK;
    g_mutex_unlock(&lock);
    return status;
}

#define COUNT(field, step)                                                               \
    do {                                                                                 \
        g_mutex_lock(&lock);                                                             \
        state.field += (step);                                                           \
        g_mutex_unlock(&lock);                                                           \
    } while (0)

/* ---- device and model ------------------------------------------------------------ */

const char *rvos_strerror(int status)
{
    return status == RVOS_OK ? "no error" : "a scripted failure";
}

static void say(const rvos_device *device, const char *line)
{
    if (device->params.log)
        device->params.log(device->params.log_opaque, RVOS_LOG_ERROR, line);
}

int rvos_device_open(rvos_device **out, const rvos_device_params *params)
{
    rvos_device device = {.refs = 1, .params = *params};
    int status = scripted_failure("rvos_device_open");

    *out = NULL;
    if (params->backend && strcmp(params->backend, "cuda") == 0)
        status = RVOS_ERR_UNSUPPORTED;
    if (status != RVOS_OK) {
        say(&device, "no such device in the script");
        return status;
    }
    *out = g_memdup2(&device, sizeof(device));
    COUNT(devices, 1);
    return RVOS_OK;
}

static void unref_device(rvos_device *device)
{
    if (--device->refs > 0)
        return;
    COUNT(devices, -1);
    g_free(device);
}

void rvos_device_close(rvos_device **device)
{
    if (*device)
        unref_device(*device);
    *device = NULL;
}

void rvos_device_get_info(const rvos_device *device, rvos_device_info *info)
{
    *info = (rvos_device_info){
        .backend =
            device->params.backend && strcmp(device->params.backend, "reference") == 0
                ? "reference"
                : "cpu",
        .name = "a script",
        .library = "script 1.0",
        .isa = "",
        .threads = 1,
        .threads_refused = scripted_failure("threads"),
    };
}

/* A model file of the script: the names of its tasks, or anything else, which is no
 * model. */
int rvos_model_load(rvos_model **out, rvos_device *device, const char *path,
                    const rvos_model_params *params)
{
    char text[64] = "";
    FILE *file = fopen(path, "rb");
    rvos_model model = {.refs = 1, .device = device, .params = *params};
    int status = scripted_failure("rvos_model_load");

    *out = NULL;
    COUNT(loads, 1);
    g_usleep(load_delay);
    if (!file)
        return RVOS_ERR_NOT_FOUND;
    if (fread(text, 1, sizeof(text) - 1, file) == 0)
        status = RVOS_ERR_IO;
    fclose(file);
    model.tasks = (strstr(text, "zero-shot") ? RVOS_TASK_ZERO_SHOT : 0u) |
                  (strstr(text, "one-shot") ? RVOS_TASK_ONE_SHOT : 0u);
    if (model.tasks == (RVOS_TASK_ZERO_SHOT | RVOS_TASK_ONE_SHOT))
        model.tasks |= RVOS_TASK_AUTO;
    if (status == RVOS_OK && model.tasks == 0)
        status = RVOS_ERR_FORMAT;
    if (status != RVOS_OK) {
        g_autofree gchar *line = g_strdup_printf("%s: not a model of the script", path);

        say(device, line);
        return status;
    }
    device->refs++;
    *out = g_memdup2(&model, sizeof(model));
    COUNT(models, 1);
    return RVOS_OK;
}

static void unref_model(rvos_model *model)
{
    if (--model->refs > 0)
        return;
    unref_device(model->device);
    g_free(model);
    COUNT(models, -1);
}

void rvos_model_close(rvos_model **model)
{
    if (*model)
        unref_model(*model);
    *model = NULL;
}

rvos_precision rvos_model_precision(const rvos_model *model)
{
    (void)model;
    return RVOS_PRECISION_BF16; /* whatever was asked for is done */
}

void rvos_model_get_info(const rvos_model *model, rvos_model_info *info)
{
    *info = (rvos_model_info){
        .encoder = "script",
        .skip_mode = "none",
        .licence = "none",
        .provenance = "",
        .tasks = model->tasks,
        .width = 64,
        .height = 48,
        .objects = 10,
        .weights_bytes = 1000,
    };
}

/* ---- stream ---------------------------------------------------------------------- */

int rvos_stream_open(rvos_stream **out, rvos_model *model,
                     const rvos_stream_params *params)
{
    int status = scripted_failure("rvos_stream_open");

    *out = NULL;
    if (!(model->tasks & params->task))
        status = RVOS_ERR_WRONG_TASK;
    if (status != RVOS_OK)
        return status;
    *out = g_new0(rvos_stream, 1);
    (*out)->model = model;
    (*out)->task = params->task;
    (*out)->objects = params->objects ? params->objects : 10;
    (*out)->discover = params->task == RVOS_TASK_AUTO;
    model->refs++;
    g_mutex_lock(&lock);
    state.streams++;
    state.stream = *params;
    g_mutex_unlock(&lock);
    return RVOS_OK;
}

void rvos_stream_close(rvos_stream **stream)
{
    if (!*stream)
        return;
    unref_model((*stream)->model);
    g_free(*stream);
    *stream = NULL;
    COUNT(streams, -1);
}

void rvos_stream_get_info(const rvos_stream *stream, rvos_stream_info *info)
{
    *info = (rvos_stream_info){
        .task = stream->task,
        .objects = stream->objects,
        .frames = stream->frames,
        .discovering = stream->discovering,
        .state_bytes = 100,
    };
}

int rvos_stream_warm_up(rvos_stream *stream)
{
    (void)stream;
    COUNT(warm_ups, 1);
    g_usleep(delay);
    return scripted_failure("rvos_stream_warm_up");
}

int rvos_stream_prepare(rvos_stream *stream, int frame_width, int frame_height)
{
    (void)stream;
    (void)frame_width;
    (void)frame_height;
    COUNT(prepares, 1);
    return scripted_failure("rvos_stream_prepare");
}

void rvos_stream_reset(rvos_stream *stream)
{
    stream->seeded = 0;
    stream->frames = 0;
    stream->discover = stream->task == RVOS_TASK_AUTO;
    memset(stream->serial, 0, sizeof(stream->serial));
    COUNT(resets, 1);
}

int rvos_stream_seed(rvos_stream *stream, const rvos_labels *masks, uint32_t slots)
{
    stream->seeded |= slots;
    g_mutex_lock(&lock);
    if (state.seeds < 8)
        state.seed_log[state.seeds] = slots;
    state.seeds++;
    state.seeded = slots;
    state.seed_width = masks->width;
    g_mutex_unlock(&lock);
    return scripted_failure("rvos_stream_seed");
}

int rvos_stream_drop(rvos_stream *stream, int object)
{
    stream->seeded &= ~(1u << (object - 1));
    stream->serial[object - 1] = 0;
    COUNT(drops, 1);
    return scripted_failure("rvos_stream_drop");
}

int rvos_stream_seed_box(rvos_stream *stream, int object, const rvos_box *box)
{
    if (stream->task != RVOS_TASK_AUTO)
        return RVOS_ERR_WRONG_TASK;
    g_mutex_lock(&lock);
    state.boxes++;
    state.box_object = object;
    state.box = *box;
    g_mutex_unlock(&lock);
    return scripted_failure("rvos_stream_seed_box");
}

int rvos_stream_discover(rvos_stream *stream)
{
    if (stream->task != RVOS_TASK_AUTO)
        return RVOS_ERR_WRONG_TASK;
    stream->discover = true;
    COUNT(discoveries, 1);
    return RVOS_OK;
}

static int bytes_per_pixel(rvos_format format)
{
    if (format == RVOS_YUY2 || format == RVOS_UYVY || format >= RVOS_I420_10)
        return 2;
    if (format >= RVOS_NV12)
        return 1;
    return format == RVOS_RGB || format == RVOS_BGR ? 3 : 4;
}

static int label_of(const rvos_stream *stream, const rvos_image *frame, int x, int y)
{
    const uint8_t *row = (const uint8_t *)frame->plane[0] + y * frame->stride[0];
    int value = row[x * bytes_per_pixel(frame->format)];

    if (value < 1 || value > stream->objects)
        return 0;
    if (stream->task == RVOS_TASK_ONE_SHOT && !(stream->seeded & 1u << (value - 1)))
        return 0;
    return value;
}

static void grow(rvos_object *object, int x, int y)
{
    int right = MAX(object->x + object->width, x + 1);
    int bottom = MAX(object->y + object->height, y + 1);

    if (!object->present) {
        *object = (rvos_object){true, x, y, 1, 1, 1, 0.75, 0};
        return;
    }
    object->x = MIN(object->x, x);
    object->y = MIN(object->y, y);
    object->width = right - object->x;
    object->height = bottom - object->y;
    object->area++;
}

static void look(rvos_stream *stream, const rvos_image *frame, const rvos_output *out)
{
    memset(stream->object, 0, sizeof(stream->object));
    for (int y = 0; y < frame->height; y++) {
        for (int x = 0; x < frame->width; x++) {
            int label = label_of(stream, frame, x, y);

            if (label)
                grow(&stream->object[label - 1], x, y);
        }
    }
    for (int i = 0; i < RVOS_MAX_OBJECTS; i++)
        if (stream->object[i].area < out->min_object_size)
            stream->object[i] = (rvos_object){0};
}

/* Each object that is seen in a free slot is a new one. */
static void number(rvos_stream *stream)
{
    if (stream->task != RVOS_TASK_AUTO)
        return;
    stream->discovering = stream->discover;
    stream->discover = false;
    g_mutex_lock(&lock);
    for (int i = 0; i < RVOS_MAX_OBJECTS; i++) {
        if (ending & 1u << i)
            stream->serial[i] = 0;
        if (stream->object[i].present && !stream->serial[i])
            stream->serial[i] = ++stream->last_serial;
        stream->object[i].serial = stream->serial[i];
    }
    ending = 0;
    g_mutex_unlock(&lock);
}

static void write_labels(const rvos_stream *stream, const rvos_image *frame,
                         const rvos_output *out)
{
    for (int y = 0; y < frame->height; y++) {
        for (int x = 0; x < frame->width; x++) {
            int label = label_of(stream, frame, x, y);

            if (label &&
                (out->hidden & 1u << (label - 1) || !stream->object[label - 1].present))
                label = 0;
            out->labels->data[y * out->labels->stride + x] = (uint8_t)label;
            if (out->alpha)
                out->alpha->data[y * out->alpha->stride + x] = label ? 255 : 0;
        }
    }
}

int rvos_stream_process(rvos_stream *stream, const rvos_image *frame,
                        const rvos_output *out)
{
    int status = scripted_failure("rvos_stream_process");
    bool runs = stream->task != RVOS_TASK_ONE_SHOT || stream->seeded;

    wait_while_held();
    if (status != RVOS_OK) {
        say(stream->model->device, "the script says no");
        return status;
    }
    look(stream, frame, out);
    number(stream);
    write_labels(stream, frame, out);
    g_mutex_lock(&lock);
    state.runs += runs;
    state.image = *frame;
    state.colorimetry = frame->colorimetry;
    state.output = *out;
    g_mutex_unlock(&lock);
    stream->frames += runs;
    if (runs && delay)
        g_usleep(delay);
    return RVOS_OK;
}

int rvos_stream_get_object(rvos_stream *stream, int object, rvos_object *info)
{
    *info = stream->object[object - 1];
    return RVOS_OK;
}

uint32_t rvos_labels_slots(const rvos_labels *labels, int *highest)
{
    uint32_t slots = 0;

    *highest = 0;
    for (int y = 0; y < labels->height; y++) {
        for (int x = 0; x < labels->width; x++) {
            int value = labels->data[y * labels->stride + x];

            if (value == 0 || value == 255)
                continue;
            *highest = MAX(*highest, value);
            if (value <= RVOS_MAX_OBJECTS)
                slots |= 1u << (value - 1);
        }
    }
    return slots;
}

/* ---- drawing --------------------------------------------------------------------- */

const rvos_palette rvos_davis_palette = {{{0, 0, 0}, {128, 0, 0}, {0, 128, 0}}};

/* Only the first byte of a pixel: enough to see that it was drawn on. */
int rvos_draw(rvos_device *device, const rvos_image *image, const rvos_labels *labels,
              const rvos_draw_params *params)
{
    int step = bytes_per_pixel(image->format);

    (void)device;
    for (int y = 0; y < image->height; y++) {
        uint8_t *row = (uint8_t *)image->plane[0] + y * image->stride[0];

        for (int x = 0; x < image->width; x++) {
            int label = labels->data[y * labels->stride + x];

            if (label || params->replace)
                row[x * step] = params->palette->rgb[label][0];
        }
    }
    g_mutex_lock(&lock);
    state.draws++;
    state.draw = *params;
    state.palette = *params->palette;
    g_mutex_unlock(&lock);
    return scripted_failure("rvos_draw");
}

int rvos_set_alpha(rvos_device *device, const rvos_image *image, const rvos_labels *alpha)
{
    int offset = image->format == RVOS_ARGB || image->format == RVOS_ABGR ? 0 : 3;

    (void)device;
    for (int y = 0; y < image->height; y++)
        for (int x = 0; x < image->width; x++)
            ((uint8_t *)image->plane[0])[y * image->stride[0] + x * 4 + offset] =
                alpha->data[y * alpha->stride + x];
    COUNT(alphas, 1);
    return scripted_failure("rvos_set_alpha");
}
