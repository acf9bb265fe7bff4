/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* frame.c - moves images and labels between the caller and the kernels.
 *
 * Device memory is used in place. Host memory is copied through pinned memory. */
#include <stdlib.h>
#include <string.h>

#include "plan.h"

static int make_tables(struct rv_pixels *p, struct rv_scaling size)
{
    size_t bytes = rv_filter_words(size) * sizeof(int32_t);
    int32_t *host = malloc(bytes);
    int ret;

    if (!host)
        return RVOS_ERR_MEMORY;
    rv_filter_fill(size, host);
    ret = rv_cuda_alloc(p->dev, &p->tables, bytes);
    if (!ret)
        ret = rv_cuda_upload(p->dev, p->tables, host, bytes);
    free(host);
    if (!ret)
        p->filter = rv_filter_at(size, p->tables);
    return ret;
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
    p->seen_bytes = net->width * net->height;
    ret = rv_driver_push(cuda->driver, dev);
    if (!ret) {
        ret = make_tables(p, (struct rv_scaling){width, height, net->width, net->height});
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

/* Describes an image in device memory for kernels. */
static struct rv_frame frame_of(const rvos_image *image)
{
    struct rv_frame f = {.width = image->width,
                         .height = image->height,
                         .planes = rv_planes_of(image->format),
                         .yuv = rv_yuv_of(image)};

    if (!rv_sampling_of(image->format))
        f.rgb = rv_packing_of(image->format);
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
                             .step = rv_labels_step(labels)};
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

static size_t plane_size(const rvos_image *image, int plane)
{
    return (size_t)rv_plane_bytes(image->format, image->width, plane) *
           rv_plane_rows(image->format, image->height, plane);
}

static size_t frame_size(const rvos_image *image)
{
    size_t size = 0;

    for (int i = 0; i < rv_planes_of(image->format); i++)
        size += plane_size(image, i);
    return size;
}

/* Copies rows without gaps, plane by plane. */
static void pack(const rvos_image *image, char *to)
{
    for (int i = 0; i < rv_planes_of(image->format); i++) {
        size_t row = (size_t)rv_plane_bytes(image->format, image->width, i);
        const char *from = image->plane[i];

        for (int y = 0; y < rv_plane_rows(image->format, image->height, i);
             y++, to += row)
            memcpy(to, from + y * image->stride[i], row);
    }
}

/* Reserves room for a plane in host memory. */
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
        ret = reserve(dev, &p->frame, frame_size(job->frame));
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
    size_t at = 0;
    int ret = 0;

    for (int i = 0; i < f->planes; i++) {
        f->plane[i] = (uint8_t *)p->frame.device + at;
        f->stride[i] = rv_plane_bytes(image->format, image->width, i);
        at += plane_size(image, i);
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
    table->filter = p->filter;
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

/* The caller's stream if there is one, so that drawing starts after the pixels are
 * ready. */
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
    struct rv_paint paint;
    int ret;

    if (!rv_paint_of(image, params, &paint))
        return 0;
    ret = rv_driver_push(cuda->driver, dev);
    if (ret)
        return ret;
    CU(dev, rv_cuda_draw(frame_of(image), plane_of(labels), paint, stream));
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

    ret = rv_driver_push(cuda->driver, dev);
    if (ret)
        return ret;
    CU(dev, rv_cuda_set_alpha(frame_of(image), plane_of(alpha), stream));
    CU(dev, cudaStreamSynchronize(stream));
error:
    rv_driver_pop(cuda->driver);
    return ret;
}

void rv_cuda_fill_labels(rvos_device *dev, const rvos_labels *labels, uint8_t value)
{
    struct cuda_device *cuda = dev->priv;

    if (rv_driver_push(cuda->driver, dev))
        return;
    if (!rv_cuda_fill(plane_of(labels), value, cuda->stream))
        cudaStreamSynchronize(cuda->stream);
    rv_driver_pop(cuda->driver);
}
