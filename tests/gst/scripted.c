/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "scripted.h"

#include <string.h>

#include "scriptedparts.h"

GMutex scripted_lock;
scripted_state scripted;
unsigned scripted_load_delay;
static GCond held_changed;
static bool held;
static unsigned delay;
static void (*at_run)(void *user);
static void *at_run_user;
static uint32_t ending;
static char failing[64];
static int failing_status;

/* ---- for the tests --------------------------------------------------------------- */

scripted_state scripted_get(void)
{
    scripted_state copy;

    g_mutex_lock(&scripted_lock);
    copy = scripted;
    g_mutex_unlock(&scripted_lock);
    return copy;
}

void scripted_clear(void)
{
    g_mutex_lock(&scripted_lock);
    scripted = (scripted_state){.devices = scripted.devices,
                                .models = scripted.models,
                                .streams = scripted.streams};
    delay = scripted_load_delay = 0;
    at_run = NULL;
    failing[0] = 0;
    g_mutex_unlock(&scripted_lock);
}

void scripted_delay_us(unsigned us)
{
    g_mutex_lock(&scripted_lock);
    delay = us;
    g_mutex_unlock(&scripted_lock);
}

void scripted_at_run(void (*function)(void *user), void *user)
{
    g_mutex_lock(&scripted_lock);
    at_run = function;
    at_run_user = user;
    g_mutex_unlock(&scripted_lock);
}

void scripted_end_objects(uint32_t slots)
{
    g_mutex_lock(&scripted_lock);
    ending |= slots;
    g_mutex_unlock(&scripted_lock);
}

void scripted_load_delay_us(unsigned us)
{
    g_mutex_lock(&scripted_lock);
    scripted_load_delay = us;
    g_mutex_unlock(&scripted_lock);
}

void scripted_fail(const char *function, int status)
{
    g_mutex_lock(&scripted_lock);
    g_strlcpy(failing, function, sizeof(failing));
    failing_status = status;
    g_mutex_unlock(&scripted_lock);
}

void scripted_hold(bool hold)
{
    g_mutex_lock(&scripted_lock);
    held = hold;
    g_cond_broadcast(&held_changed);
    g_mutex_unlock(&scripted_lock);
}

static void wait_while_held(void)
{
    g_mutex_lock(&scripted_lock);
    scripted.waiting++;
    while (held)
        g_cond_wait(&held_changed, &scripted_lock);
    scripted.waiting--;
    g_mutex_unlock(&scripted_lock);
}

int scripted_failure(const char *function)
{
    int status;

    g_mutex_lock(&scripted_lock);
    status = strcmp(failing, function) == 0 ? failing_status : RVOS_OK;
    g_mutex_unlock(&scripted_lock);
    return status;
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
    g_mutex_lock(&scripted_lock);
    scripted.streams++;
    scripted.stream = *params;
    g_mutex_unlock(&scripted_lock);
    return RVOS_OK;
}

void rvos_stream_close(rvos_stream **stream)
{
    if (!*stream)
        return;
    scripted_unref_model((*stream)->model);
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

int rvos_stream_warm_up(G_GNUC_UNUSED rvos_stream *stream)
{
    COUNT(warm_ups, 1);
    g_usleep(delay);
    return scripted_failure("rvos_stream_warm_up");
}

int rvos_stream_prepare(G_GNUC_UNUSED rvos_stream *stream, G_GNUC_UNUSED int frame_width,
                        G_GNUC_UNUSED int frame_height)
{
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
    g_mutex_lock(&scripted_lock);
    if (scripted.seeds < 8)
        scripted.seed_log[scripted.seeds] = slots;
    scripted.seeds++;
    scripted.seeded = slots;
    scripted.seed_width = masks->width;
    g_mutex_unlock(&scripted_lock);
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
    g_mutex_lock(&scripted_lock);
    scripted.boxes++;
    scripted.box_object = object;
    scripted.box = *box;
    g_mutex_unlock(&scripted_lock);
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

/* An object that appears in a free slot is a new one. */
static void number(rvos_stream *stream)
{
    if (stream->task != RVOS_TASK_AUTO)
        return;
    stream->discovering = stream->discover;
    stream->discover = false;
    g_mutex_lock(&scripted_lock);
    for (int i = 0; i < RVOS_MAX_OBJECTS; i++) {
        if (ending & 1u << i)
            stream->serial[i] = 0;
        if (stream->object[i].present && !stream->serial[i])
            stream->serial[i] = ++stream->last_serial;
        stream->object[i].serial = stream->serial[i];
    }
    ending = 0;
    g_mutex_unlock(&scripted_lock);
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
        scripted_say(stream->model->device, "the script says no");
        return status;
    }
    look(stream, frame, out);
    number(stream);
    write_labels(stream, frame, out);
    g_mutex_lock(&scripted_lock);
    scripted.runs += runs;
    scripted.image = *frame;
    scripted.colorimetry = frame->colorimetry;
    scripted.output = *out;
    g_mutex_unlock(&scripted_lock);
    stream->frames += runs;
    if (runs && at_run)
        at_run(at_run_user);
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

/* Draws only on the first byte of a pixel, which is enough for the tests. */
int rvos_draw(G_GNUC_UNUSED rvos_device *device, const rvos_image *image,
              const rvos_labels *labels, const rvos_draw_params *params)
{
    int step = bytes_per_pixel(image->format);

    for (int y = 0; y < image->height; y++) {
        uint8_t *row = (uint8_t *)image->plane[0] + y * image->stride[0];

        for (int x = 0; x < image->width; x++) {
            int label = labels->data[y * labels->stride + x];

            if (label || params->replace)
                row[x * step] = params->palette->rgb[label][0];
        }
    }
    g_mutex_lock(&scripted_lock);
    scripted.draws++;
    scripted.draw = *params;
    scripted.palette = *params->palette;
    g_mutex_unlock(&scripted_lock);
    return scripted_failure("rvos_draw");
}

int rvos_set_alpha(G_GNUC_UNUSED rvos_device *device, const rvos_image *image,
                   const rvos_labels *alpha)
{
    int offset = image->format == RVOS_ARGB || image->format == RVOS_ABGR ? 0 : 3;

    for (int y = 0; y < image->height; y++)
        for (int x = 0; x < image->width; x++)
            ((uint8_t *)image->plane[0])[y * image->stride[0] + x * 4 + offset] =
                alpha->data[y * alpha->stride + x];
    COUNT(alphas, 1);
    return scripted_failure("rvos_set_alpha");
}
