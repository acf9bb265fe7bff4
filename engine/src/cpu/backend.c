/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* backend.c - the backend tables "cpu" (fast kernels, and oneDNN if built in) and
 * "reference" (plain C). They differ in their kernels only. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../log.h"
#include "plan.h"
#include "integers.h"

int rvos_default_threads(void)
{
    return rv_count_cores("");
}

static void read_cpu_name(char *name, size_t size)
{
    FILE *f = fopen("/proc/cpuinfo", "r");
    char line[256];

    snprintf(name, size, "CPU");
    while (f && fgets(line, sizeof(line), f))
        if (!strncmp(line, "model name", 10) && strchr(line, ':')) {
            snprintf(name, size, "%s", strchr(line, ':') + 2);
            name[strcspn(name, "\n")] = 0;
            break;
        }
    if (f)
        fclose(f);
}

static void device_close(rvos_device *dev)
{
    struct cpu_device *cpu = dev->priv;

    if (!cpu)
        return;
    for (int i = 0; cpu->pool && cpu->draw && i < rv_pool_threads(cpu->pool); i++)
        free(cpu->draw[i].ptr);
    free(cpu->draw);
    rv_pool_destroy(cpu->pool);
    if (cpu->library->close)
        cpu->library->close(cpu->opened);
    free(cpu);
    dev->priv = NULL;
}

/* On cores of two kinds a fast one takes more parts of a step than a slow one. So there
 * must be more parts than threads. RVOS_CPU_UNEVEN (0 or 1) in the environment overrides
 * what the system says about its cores. */
static int shares_for(int threads)
{
    const char *said = getenv("RVOS_CPU_UNEVEN");
    bool uneven = said ? !strcmp(said, "1") : rv_cores_uneven("");

    return threads > 1 && uneven ? 3 * threads : threads;
}

/* Starts the pool with as many of `threads` as the system gives. */
static int start_pool(rvos_device *dev, struct cpu_device *cpu, int threads)
{
    int started, error;
    char where[64];

    cpu->pool = rv_pool_create(threads, cpu->library->set_threads);
    if (!cpu->pool)
        return RVOS_ERR_MEMORY;
    started = rv_pool_started(cpu->pool, &error);
    cpu->draw = calloc((size_t)rv_pool_threads(cpu->pool), sizeof(*cpu->draw));
    if (!cpu->draw)
        return RVOS_ERR_MEMORY;
    dev->info.threads = rv_pool_threads(cpu->pool);
    cpu->shares = shares_for(dev->info.threads);
    dev->info.threads_refused = threads - started;
    snprintf(where, sizeof(where),
             started ? "go on with %d" : "the callers' threads compute", started);
    if (started < threads)
        rv_log(
            dev, RVOS_LOG_WARNING,
            "%d of %d threads could not be started (%s): %s; ask for fewer threads, or "
            "raise the limit of processes (ulimit -u, a container's pids limit)",
            threads - started, threads, strerror(error), where);
    return 0;
}

static int device_open(rvos_device *dev, const struct rv_kernels *kernels)
{
    struct cpu_device *cpu = calloc(1, sizeof(*cpu));
    int threads = dev->params.threads ? dev->params.threads : rv_count_cores(""), ret;

    if (!cpu)
        return RVOS_ERR_MEMORY;
    dev->priv = cpu;
    cpu->kernels = kernels;
    cpu->engines = rv_conv_engines;
    while (kernels == &rv_kernels_plain && cpu->engines[1])
        cpu->engines++; /* the reference backend has the last one only: plain C */
    for (int i = 0; !cpu->library; i++)
        cpu->library = cpu->engines[i]->library ? cpu->engines[i] : NULL;
    ret = cpu->library->open ? cpu->library->open(dev, &cpu->opened) : 0;
    if (!ret)
        ret = start_pool(dev, cpu, threads);
    if (ret) {
        device_close(dev);
        return ret;
    }
    cpu->library->library(cpu->version, sizeof(cpu->version));
    read_cpu_name(cpu->name, sizeof(cpu->name));
    dev->info.name = cpu->name;
    dev->info.library = cpu->version;
    dev->info.isa = cpu->library->isa();
    return 0;
}

static int cpu_open(rvos_device *dev)
{
#ifndef RV_ONEDNN
    rv_log(dev, RVOS_LOG_WARNING,
           "librvos was built without oneDNN: all but 3x3 convolutions are slower");
#endif
    return device_open(dev, &rv_kernels_fast);
}

static int reference_open(rvos_device *dev)
{
    return device_open(dev, &rv_kernels_plain);
}

static int memory_alloc(rvos_device *dev, size_t size, struct rv_buffer *out)
{
    (void)dev;
    *out = (struct rv_buffer){rv_alloc_aligned(size), size};
    if (!out->ptr)
        return RVOS_ERR_MEMORY;
    memset(out->ptr, 0, size);
    return 0;
}

static void memory_free(rvos_device *dev, struct rv_buffer *buffer)
{
    (void)dev;
    free(buffer->ptr);
    *buffer = (struct rv_buffer){0};
}

static int memory_clear(rvos_device *dev, struct rv_buffer *buffer, size_t at,
                        size_t size)
{
    (void)dev;
    memset((char *)buffer->ptr + at, 0, size);
    return 0;
}

static int memory_read(rvos_device *dev, const struct rv_buffer *src, size_t at,
                       void *dst, size_t size)
{
    (void)dev;
    memcpy(dst, (const char *)src->ptr + at, size);
    return 0;
}

static int memory_write(rvos_device *dev, struct rv_buffer *dst, size_t at,
                        const void *src, size_t size)
{
    (void)dev;
    memcpy((char *)dst->ptr + at, src, size);
    return 0;
}

static enum rv_type type(rvos_device *dev, rvos_precision precision)
{
    const struct cpu_device *cpu = dev->priv;
    const struct rv_conv_shape any = {.in = RV_BF16, .out = RV_BF16};
    bool fast = cpu->kernels == &rv_kernels_fast;

    switch (precision) {
    case RVOS_PRECISION_DEFAULT:
    case RVOS_PRECISION_FP32:
        return RV_F32;
    case RVOS_PRECISION_INT16:
        return fast && rv_integers(16) ? RV_F32 : RV_OTHER;
    case RVOS_PRECISION_INT8:
        return fast && rv_integers(8) ? RV_F32 : RV_OTHER;
    case RVOS_PRECISION_BF16:
        /* Without matrix registers (AMX) 16-bit integers are as fast. */
        return rv_conv_find(cpu->engines, &any) &&
                       (strstr(dev->info.isa, "amx") || !rv_integers(16))
                   ? RV_BF16
                   : RV_OTHER;
    default:
        return RV_OTHER;
    }
}

static void weights_free(rvos_device *dev, struct rv_weights *weights)
{
    (void)dev;
    rv_prepared_free(weights);
}

#define SHARED_ENTRIES                                                                   \
    .max_batch = 1, .state_align = 1, .time_groups = RVOS_MAX_OBJECTS,                   \
    .depthwise = true, .close = device_close, .alloc = memory_alloc,                     \
    .free = memory_free, .clear = memory_clear, .read = memory_read,                     \
    .write = memory_write, .type = type, .plan_create = rv_cpu_plan_create,              \
    .plan_run = rv_cpu_plan_run, .plan_time = rv_cpu_plan_time,                          \
    .plan_steps = rv_cpu_plan_steps, .plan_destroy = rv_cpu_plan_destroy,                \
    .weights_free = weights_free, .pixels_create = rv_cpu_pixels_create,                 \
    .pixels_destroy = rv_cpu_pixels_destroy, .draw = rv_cpu_draw,                        \
    .set_alpha = rv_cpu_set_alpha

const struct rv_backend rv_backend_cpu = {
    .name = "cpu", .open = cpu_open, SHARED_ENTRIES};

const struct rv_backend rv_backend_reference = {
    .name = "reference", .open = reference_open, SHARED_ENTRIES};
