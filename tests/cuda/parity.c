/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "parity.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define THERE 100 /* an object with fewer mask pixels does not count */

void parity_frame(unsigned char *rgb, int w, int h, int t)
{
    for (int y = 0; y < h; y++)
        for (int x = 0; x < w; x++)
            for (int c = 0; c < 3; c++) {
                int cell = (x * 9 / w + t + c) * 7 + (y * 6 / h) * (3 + c);
                unsigned int noise =
                    (unsigned int)((y * w + x) * 3 + c + t) * 2654435761u;

                rgb[((size_t)y * w + x) * 3 + c] =
                    (unsigned char)(40 + cell * 37 % 160 + x * 40 / w + (noise >> 28));
            }
}

int parity_seed(rvos_stream *stream, int objects)
{
    unsigned char seed[64];

    for (int i = 0; i < 64; i++)
        seed[i] = (unsigned char)(i % objects + 1);
    return rvos_stream_seed(
        stream, &(rvos_labels){.width = 8, .height = 8, .data = seed, .stride = 8},
        RVOS_ALL_SLOTS);
}

static void on_log(void *opaque, rvos_log_level level, const char *line)
{
    (void)opaque;
    if (level == RVOS_LOG_ERROR)
        fprintf(stderr, "the CPU's: %s\n", line);
}

static int read_frame(const struct parity *p, rvos_stream *stream, float *out)
{
    int w = 0, h = 0;

    for (int i = 0; i < p->objects; i++) {
        if (rvos_stream_read_logits(stream, i + 1, out + (size_t)i * p->plane, &w, &h) ||
            (size_t)w * (size_t)h != p->plane)
            return -1;
    }
    return 0;
}

static int run_frames(struct parity *p, rvos_stream *stream)
{
    size_t bytes = (size_t)p->width * p->height * 3;
    unsigned char *rgb = malloc(bytes);
    int failed = !rgb;

    for (int t = 0; t < p->frames && !failed; t++) {
        rvos_image image = {.format = RVOS_RGB,
                            .width = p->width,
                            .height = p->height,
                            .plane = {rgb},
                            .stride = {3 * (ptrdiff_t)p->width}};

        parity_frame(rgb, p->width, p->height, t);
        failed = rvos_stream_process(stream, &image, NULL) ||
                 read_frame(p, stream, p->logits + (size_t)t * p->objects * p->plane);
    }
    free(rgb);
    return failed ? -1 : 0;
}

static int make(struct parity *p, const char *path, rvos_task task)
{
    rvos_device *device = NULL;
    rvos_model *model = NULL;
    rvos_stream *stream = NULL;
    rvos_stream_params params = {.task = task, .objects = p->objects};
    rvos_model_params size = {.width = p->width, .height = p->height};
    int failed = rvos_device_open(
                     &device, &(rvos_device_params){.backend = "cpu", .log = on_log}) ||
                 rvos_model_load(&model, device, path, &size) ||
                 rvos_stream_open(&stream, model, &params) ||
                 (task == RVOS_TASK_ONE_SHOT && parity_seed(stream, p->objects)) ||
                 run_frames(p, stream);

    rvos_stream_close(&stream);
    rvos_model_close(&model);
    rvos_device_close(&device);
    return failed ? -1 : 0;
}

int parity_make(struct parity *p, const char *model, rvos_task task, int objects,
                const rvos_model_info *info, int frames, const char *file)
{
    size_t n;
    FILE *f;
    int ret;

    *p = (struct parity){.frames = frames,
                         .objects = objects,
                         .width = info->width,
                         .height = info->height};
    p->plane = 4 * (size_t)((info->width + 3) / 4) * (size_t)((info->height + 3) / 4);
    n = (size_t)frames * objects * p->plane;
    p->logits = malloc(n * sizeof(float));
    if (!p->logits)
        return -1;
    f = file ? fopen(file, "rb") : NULL;
    ret = f && fread(p->logits, sizeof(float), n, f) == n && fgetc(f) == EOF ? 0 : -1;
    if (f)
        fclose(f);
    if (!ret)
        return 0;
    ret = make(p, model, task);
    f = !ret && file ? fopen(file, "wb") : NULL;
    if (f && (fwrite(p->logits, sizeof(float), n, f) != n || fclose(f)))
        remove(file);
    return ret;
}

void parity_free(struct parity *p)
{
    free(p->logits);
    p->logits = NULL;
}

int parity_compare(const struct parity *p, rvos_stream *stream, int t,
                   struct parity_result *r)
{
    const float *want = p->logits + (size_t)t * p->objects * p->plane;
    size_t n = (size_t)p->objects * p->plane;
    float *got = malloc(n * sizeof(float));
    int ret = got ? read_frame(p, stream, got) : -1;

    for (size_t i = 0; i < n && !ret; i++) {
        double d = fabs(1 / (1 + exp(-(double)got[i])) - 1 / (1 + exp(-(double)want[i])));

        if (!(d <= r->worst)) /* also what is not a number */
            r->worst = isnan(d) ? INFINITY : d;
        r->sum += d;
        r->count++;
        r->both[i / p->plane] += got[i] > 0 && want[i] > 0;
        r->either[i / p->plane] += got[i] > 0 || want[i] > 0;
    }
    free(got);
    return ret;
}

double parity_iou(const struct parity_result *r)
{
    double least = 1;

    for (int i = 0; i < RVOS_MAX_OBJECTS; i++)
        if (r->either[i] >= THERE) {
            double iou = (double)r->both[i] / (double)r->either[i];

            least = iou < least ? iou : least;
        }
    return least;
}

int parity_good(const struct parity_result *r)
{
    return r->count && r->worst <= 0.1 && r->sum / (double)r->count <= 3e-3 &&
           parity_iou(r) >= 0.98;
}
