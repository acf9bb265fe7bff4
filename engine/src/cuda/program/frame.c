/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* frame.c - pictures and labels on their way between the caller and the kernels.
 *
 * What lies in device memory is used in place. What lies in host memory goes through
 * pinned memory; drawing on host memory is done there, by the CPU's code: the way to
 * the GPU and back would cost more. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../../pixels/color.h"
#include "../../pixels/draw.h"
#include "plan.h"

/* ---- tables ----------------------------------------------------------------- */

#define BITS 22 /* of a coefficient's fraction */

static int taps_of(int in, int out)
{
    return 2 * (int)ceil(fmax(1, (double)in / out)) + 1;
}

/* Pillow's triangle, widened when it shrinks: as in cpu/resize.c. */
static void fill_taps(int in, int out, int taps, int *first, int *count, int *coef)
{
    double scale = (double)in / out, support = scale < 1 ? 1 : scale;

    for (int i = 0; i < out; i++) {
        double centre = (i + 0.5) * scale, sum = 0;
        int from = (int)(centre - support + 0.5), to = (int)(centre + support + 0.5);
        int n = 0;

        from = from < 0 ? 0 : from;
        to = to > in ? in : to;
        for (int j = from; j < to; j++)
            sum += fmax(0, 1 - fabs((j - centre + 0.5) * (1 / support)));
        first[i] = from;
        for (int j = from; j < to; j++) {
            double weight = fmax(0, 1 - fabs((j - centre + 0.5) * (1 / support)));
            int rounded = (int)(0.5 + weight / sum * (1 << BITS));

            if (n || rounded) /* leading zeroes go */
                coef[(size_t)i * taps + n++] = rounded;
            else
                first[i]++;
        }
        while (n > 1 && !coef[(size_t)i * taps + n - 1])
            n--;
        count[i] = n;
    }
}

static void fill_values(float *value)
{
    static const float mean[3] = {0.485f, 0.456f, 0.406f},
                       std[3] = {0.229f, 0.224f, 0.225f};

    for (int c = 0; c < 3; c++)
        for (int v = 0; v < 256; v++)
            value[c * 256 + v] = ((float)v / 255.0f - mean[c]) / std[c];
}

/* [ values | first, count, coef of x | of y ] */
static int make_tables(struct rv_pixels *p, const struct rv_net *net)
{
    int tx = taps_of(p->width, net->width), ty = taps_of(p->height, net->height);
    size_t words_x = (size_t)net->width * (2 + tx),
           words_y = (size_t)net->height * (2 + ty);
    size_t bytes = (768 + words_x + words_y) * sizeof(int);
    int *host = calloc(1, bytes), *x = host + 768, *y = x + words_x, ret;
    const int *at;

    if (!host)
        return RVOS_ERR_MEMORY;
    fill_values((float *)(void *)host);
    fill_taps(p->width, net->width, tx, x, x + net->width, x + 2 * net->width);
    fill_taps(p->height, net->height, ty, y, y + net->height, y + 2 * net->height);
    ret = rv_cuda_alloc(p->dev, &p->tables, bytes);
    if (!ret)
        ret = rv_cuda_upload(p->dev, p->tables, host, bytes);
    free(host);
    if (ret)
        return ret;
    p->value = p->tables;
    at = (const int *)p->tables + 768;
    p->x = (struct rv_taps){at, at + net->width, at + 2 * net->width, tx};
    at += words_x;
    p->y = (struct rv_taps){at, at + net->height, at + 2 * net->height, ty};
    return 0;
}

int rv_cuda_pixels_create(rvos_device *dev, const struct rv_net *net, int width,
                          int height, struct rv_pixels **out)
{
    struct cuda_device *cuda = dev->priv;
    struct rv_pixels *p = calloc(1, sizeof(*p));
    int ret;

    *out = NULL;
    if (!p)
        return RVOS_ERR_MEMORY;
    p->dev = dev;
    p->width = width;
    p->height = height;
    p->seen_bytes = net->width * net->height;
    ret = rv_driver_push(cuda->driver, dev);
    if (!ret) {
        ret = make_tables(p, net);
        rv_driver_pop(cuda->driver);
    }
    if (ret) {
        rv_cuda_pixels_destroy(p);
        return ret;
    }
    *out = p;
    return 0;
}

static void finish_staging(struct rv_staging *s)
{
    rv_cuda_free(s->device);
    rv_cuda_free_pinned(s->pinned);
    *s = (struct rv_staging){0};
}

void rv_cuda_pixels_destroy(struct rv_pixels *p)
{
    struct cuda_device *cuda = p->dev->priv;

    if (!rv_driver_push(cuda->driver, p->dev)) {
        rv_cuda_free(p->tables);
        finish_staging(&p->frame);
        finish_staging(&p->labels);
        finish_staging(&p->alpha);
        for (int d = 0; d < RV_DECODERS; d++)
            finish_staging(&p->seen[d]);
        rv_driver_pop(cuda->driver);
    }
    free(p);
}

/* ---- views ------------------------------------------------------------------ */

static int planes_of(const rvos_image *image)
{
    return image->format == RVOS_NV12 ? 2 : image->format == RVOS_I420 ? 3 : 1;
}

static void plane_size(const rvos_image *image, int plane, size_t *row, int *rows)
{
    int columns = image->width;

    *rows = plane ? (image->height + 1) / 2 : image->height;
    if (planes_of(image) == 1)
        *row = (size_t)columns * rv_packing_of(image->format).size;
    else if (!plane)
        *row = (size_t)columns;
    else
        *row = (size_t)(columns + 1) / 2 * (image->format == RVOS_NV12 ? 2 : 1);
}

/* As it lies in device memory. */
static struct rv_frame frame_of(const rvos_image *image)
{
    struct rv_yuv k = rv_yuv_of(image);
    struct rv_frame f = {.width = image->width,
                         .height = image->height,
                         .planes = planes_of(image),
                         .black = k.black,
                         .y = k.y,
                         .rv = k.rv,
                         .gu = k.gu,
                         .gv = k.gv,
                         .bu = k.bu};

    if (f.planes == 1) {
        struct rv_packing p = rv_packing_of(image->format);

        f.size = p.size;
        f.red = p.red;
        f.green = p.green;
        f.blue = p.blue;
    }
    for (int i = 0; i < f.planes; i++) {
        f.plane[i] = image->plane[i];
        f.stride[i] = image->stride[i];
    }
    return f;
}

static struct rv_plane plane_of(const rvos_labels *labels)
{
    return (struct rv_plane){.data = labels->data,
                             .stride = labels->stride,
                             .width = labels->width,
                             .height = labels->height,
                             .step = labels->step ? labels->step : 1};
}

/* ---- in and out ------------------------------------------------------------- */

static int reserve(const rvos_device *dev, struct rv_staging *s, size_t size)
{
    int ret;

    if (s->size >= size)
        return 0;
    finish_staging(s);
    ret = rv_cuda_alloc(dev, (void **)&s->device, size);
    if (!ret)
        ret = rv_cuda_alloc_pinned(dev, (void **)&s->pinned, size);
    if (ret)
        finish_staging(s);
    else
        s->size = size;
    return ret;
}

static size_t frame_bytes(const rvos_image *image)
{
    size_t size = 0, row;
    int rows;

    for (int i = 0; i < planes_of(image); i++) {
        plane_size(image, i, &row, &rows);
        size += row * rows;
    }
    return size;
}

/* Rows without gaps, plane by plane. */
static void pack(const rvos_image *image, char *to)
{
    size_t row;
    int rows;

    for (int i = 0; i < planes_of(image); i++) {
        const char *from = image->plane[i];

        plane_size(image, i, &row, &rows);
        for (int y = 0; y < rows; y++, to += row)
            memcpy(to, from + y * image->stride[i], row);
    }
}

/* Room for what a host's plane gets. */
static int reserve_plane(struct rv_pixels *p, const rvos_labels *labels,
                         struct rv_staging *s)
{
    if (!labels || labels->memory != RVOS_MEMORY_HOST)
        return 0;
    return reserve(p->dev, s, (size_t)labels->width * labels->height);
}

int rv_cuda_job_prepare(rvos_device *dev, const struct rv_job *job)
{
    struct cuda_device *cuda = dev->priv;
    struct rv_pixels *p = job->pixels;
    bool upload = job->frame && job->frame->memory == RVOS_MEMORY_HOST;
    int ret;

    if (!p)
        return 0;
    ret = rv_driver_push(cuda->driver, dev);
    if (ret)
        return ret;
    for (int d = 0; d < RV_DECODERS && !ret; d++)
        if (job->seen[d].labels)
            ret = reserve(dev, &p->seen[d], (size_t)p->seen_bytes);
    if (!ret && upload)
        ret = reserve(dev, &p->frame, frame_bytes(job->frame));
    if (!ret && job->out)
        ret = reserve_plane(p, job->out->labels, &p->labels);
    if (!ret && job->out)
        ret = reserve_plane(p, job->out->alpha, &p->alpha);
    rv_driver_pop(cuda->driver);
    if (!ret && upload)
        pack(job->frame, p->frame.pinned);
    return ret;
}

static int upload(struct rv_pixels *p, const rvos_image *image, struct rv_frame *f,
                  cudaStream_t stream)
{
    size_t at = 0, row;
    int rows, ret = 0;

    for (int i = 0; i < f->planes; i++) {
        plane_size(image, i, &row, &rows);
        f->plane[i] = (uint8_t *)p->frame.device + at;
        f->stride[i] = (long long)row;
        at += row * rows;
    }
    CU(p->dev, cudaMemcpyAsync(p->frame.device, p->frame.pinned, at,
                               cudaMemcpyHostToDevice, stream));
error:
    return ret;
}

static struct rv_plane target(const rvos_labels *labels, const struct rv_staging *s)
{
    struct rv_plane out = {0};

    if (!labels)
        return out;
    out = plane_of(labels);
    if (labels->memory == RVOS_MEMORY_HOST) {
        out.data = (uint8_t *)s->device;
        out.stride = labels->width;
        out.step = 1;
    }
    return out;
}

int rv_cuda_frame_in(struct rv_pixels *p, const struct rv_job *job,
                     struct rv_cuda_job *table, cudaStream_t stream)
{
    if (job->out) {
        table->labels = target(job->out->labels, &p->labels);
        table->alpha = target(job->out->alpha, &p->alpha);
    }
    for (int d = 0; d < RV_DECODERS; d++)
        if (job->seen[d].labels)
            table->seen[d] = (uint8_t *)p->seen[d].device;
    if (!job->frame)
        return 0;
    table->x = p->x;
    table->y = p->y;
    table->value = p->value;
    table->frame = frame_of(job->frame);
    if (job->frame->memory == RVOS_MEMORY_HOST)
        return upload(p, job->frame, &table->frame, stream);
    return 0;
}

static int download(struct rv_pixels *p, const rvos_labels *labels, struct rv_staging *s,
                    cudaStream_t stream)
{
    int ret = 0;

    if (labels && labels->memory == RVOS_MEMORY_HOST)
        CU(p->dev,
           cudaMemcpyAsync(s->pinned, s->device, (size_t)labels->width * labels->height,
                           cudaMemcpyDeviceToHost, stream));
error:
    return ret;
}

int rv_cuda_frame_out(struct rv_pixels *p, const struct rv_job *job, cudaStream_t stream)
{
    int ret = 0;

    if (job->out)
        ret = download(p, job->out->labels, &p->labels, stream);
    if (!ret && job->out)
        ret = download(p, job->out->alpha, &p->alpha, stream);
    for (int d = 0; d < RV_DECODERS && !ret; d++)
        if (job->seen[d].labels)
            CU(p->dev,
               cudaMemcpyAsync(p->seen[d].pinned, p->seen[d].device,
                               (size_t)p->seen_bytes, cudaMemcpyDeviceToHost, stream));
error:
    return ret;
}

static void hand_over(const rvos_labels *labels, const struct rv_staging *s)
{
    if (!labels || labels->memory != RVOS_MEMORY_HOST)
        return;
    for (int y = 0; y < labels->height; y++) {
        const char *from = s->pinned + (size_t)y * labels->width;
        uint8_t *to = labels->data + y * labels->stride;

        if (labels->step <= 1)
            memcpy(to, from, (size_t)labels->width);
        else
            for (int x = 0; x < labels->width; x++)
                to[(ptrdiff_t)x * labels->step] = (uint8_t)from[x];
    }
}

void rv_cuda_job_finish(rvos_device *dev, const struct rv_job *job)
{
    (void)dev;
    if (!job->pixels)
        return;
    if (job->out) {
        hand_over(job->out->labels, &job->pixels->labels);
        hand_over(job->out->alpha, &job->pixels->alpha);
    }
    for (int d = 0; d < RV_DECODERS; d++)
        if (job->seen[d].labels)
            memcpy(job->seen[d].labels, job->pixels->seen[d].pinned,
                   (size_t)job->pixels->seen_bytes);
}

/* ---- drawing ---------------------------------------------------------------- */

static int draw_host(const rvos_image *image, const rvos_labels *labels,
                     const rvos_draw_params *params)
{
    size_t bytes = rv_draw_scratch(image, params);
    void *scratch = aligned_alloc(64, (bytes + 64) / 64 * 64);

    if (!scratch)
        return RVOS_ERR_MEMORY;
    rv_draw_rows(image, labels, params, 0, image->height, scratch);
    free(scratch);
    return 0;
}

static struct rv_ink ink_of(const rvos_image *image, const rvos_draw_params *params)
{
    struct rv_ink ink = {.opacity = (int)lrintf(params->opacity * 256),
                         .contour = params->replace ? 0 : params->contour,
                         .replace = params->replace};

    for (int i = 0; i <= RV_CUDA_SLOTS; i++) {
        const uint8_t *rgb = params->palette->rgb[i];

        if (planes_of(image) > 1)
            rv_yuv_from_rgb(image, rgb, ink.value[i]);
        else
            memcpy(ink.value[i], rgb, 3);
    }
    return ink;
}

/* In the caller's stream, if there is one: so it comes when the pixels are ready. */
static cudaStream_t stream_for(const rvos_device *dev, const rvos_image *image)
{
    const struct cuda_device *cuda = dev->priv;

    return image->cuda_stream ? (cudaStream_t)image->cuda_stream : cuda->stream;
}

int rv_cuda_draw_image(rvos_device *dev, const rvos_image *image,
                       const rvos_labels *labels, const rvos_draw_params *params)
{
    struct cuda_device *cuda = dev->priv;
    cudaStream_t stream = stream_for(dev, image);
    int ret;

    if (image->memory == RVOS_MEMORY_HOST)
        return draw_host(image, labels, params);
    if (!params->replace && params->opacity <= 0 && !params->contour)
        return 0;
    ret = rv_driver_push(cuda->driver, dev);
    if (ret)
        return ret;
    CU(dev,
       rv_cuda_draw(frame_of(image), plane_of(labels), ink_of(image, params), stream));
    CU(dev, cudaStreamSynchronize(stream));
error:
    rv_driver_pop(cuda->driver);
    return ret;
}

int rv_cuda_alpha_image(rvos_device *dev, const rvos_image *image,
                        const rvos_labels *alpha)
{
    struct cuda_device *cuda = dev->priv;
    cudaStream_t stream = stream_for(dev, image);
    int ret;

    if (image->memory == RVOS_MEMORY_HOST) {
        rv_set_alpha_rows(image, alpha, 0, image->height);
        return 0;
    }
    ret = rv_driver_push(cuda->driver, dev);
    if (ret)
        return ret;
    CU(dev, rv_cuda_set_alpha(frame_of(image), rv_packing_of(image->format).alpha,
                              plane_of(alpha), stream));
    CU(dev, cudaStreamSynchronize(stream));
error:
    rv_driver_pop(cuda->driver);
    return ret;
}

void rv_cuda_fill_labels(rvos_device *dev, const rvos_labels *labels, uint8_t value)
{
    struct cuda_device *cuda = dev->priv;
    struct rv_plane p = plane_of(labels);

    if (labels->memory == RVOS_MEMORY_HOST) {
        for (int y = 0; y < p.height; y++)
            for (int x = 0; x < p.width; x++)
                p.data[y * p.stride + (ptrdiff_t)x * p.step] = value;
        return;
    }
    if (rv_driver_push(cuda->driver, dev))
        return;
    if (!rv_cuda_fill(p, value, cuda->stream))
        cudaStreamSynchronize(cuda->stream);
    rv_driver_pop(cuda->driver);
}
