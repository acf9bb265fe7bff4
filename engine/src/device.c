/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "device.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "image.h"
#include "log.h"
#include "pixels/draw.h"
#include "pixels/objects.h"

/* Tries the library's install folder, then the loader's search path. If the module exists
 * but needs a library that is missing, the log names that library. */
static void open_module(rvos_device *dev)
{
    static const char *const names[] = {RVOS_MODULE_DIR "/librvos-cuda.so",
                                        "librvos-cuda.so"};
    char why[512] = "";
    bool lacks = false;

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]) && !lacks; i++) {
        dev->module = dlopen(names[i], RTLD_NOW | RTLD_LOCAL);
        if (dev->module)
            return;
        snprintf(why, sizeof(why), "%s", dlerror());
        lacks = strncmp(why, names[i], strlen(names[i])) != 0;
    }
    rv_log(dev,
           dev->params.backend ? RVOS_LOG_ERROR
           : lacks             ? RVOS_LOG_WARNING
                               : RVOS_LOG_INFO,
           "no CUDA engine: %s%s", lacks ? "librvos-cuda.so needs " : "", why);
}

static const struct rv_backend *load_module(rvos_device *dev)
{
    rv_backend_entry entry;
    const struct rv_backend *fn;

    open_module(dev);
    if (!dev->module)
        return NULL;
    *(void **)&entry = dlsym(dev->module, "rv_backend_cuda");
    fn = entry ? entry(RV_BACKEND_ABI) : NULL;
    if (!fn)
        rv_log(dev, RVOS_LOG_WARNING,
               "librvos-cuda.so belongs to another version of librvos: not used");
    return fn;
}

static const struct rv_backend *find_backend(rvos_device *dev, const char *name)
{
    if (!strcmp(name, "cpu"))
        return &rv_backend_cpu;
    if (!strcmp(name, "reference"))
        return &rv_backend_reference;
    if (!strcmp(name, "cuda"))
        return load_module(dev);
    rv_log(dev, RVOS_LOG_ERROR, "no backend is called \"%s\": cpu, cuda or reference",
           name);
    return NULL;
}

static void close_module(rvos_device *dev)
{
    if (dev->module)
        dlclose(dev->module);
    dev->module = NULL;
}

static int open_backend(rvos_device *dev, const char *name)
{
    int ret = RVOS_ERR_UNSUPPORTED;

    dev->info = (rvos_device_info){.backend = "", .name = "", .library = "", .isa = ""};
    dev->fn = find_backend(dev, name);
    if (dev->fn)
        ret = dev->fn->open(dev);
    if (ret)
        close_module(dev);
    else
        dev->info.backend = dev->fn->name;
    return ret;
}

/* CUDA is opt-in: the module has not been tested on a GPU. */
const char *rvos_default_backend(void)
{
    const char *wanted = getenv("RVOS_CUDA");

    return wanted && !strcmp(wanted, "1") ? "cuda" : "cpu";
}

int rvos_device_open(rvos_device **out, const rvos_device_params *params)
{
    rvos_device *dev;
    int ret;

    if (!out)
        return RVOS_ERR_ARGUMENT;
    *out = NULL;
    if (params && (params->threads < 0 || params->threads > 1024)) {
        rv_log_params(params, RVOS_LOG_ERROR, "threads must be 0..1024, not %d",
                      params->threads);
        return RVOS_ERR_ARGUMENT;
    }
    dev = calloc(1, sizeof(*dev));
    if (!dev && params)
        rv_log_params(params, RVOS_LOG_ERROR, "rvos_device_open: out of memory");
    if (!dev)
        return RVOS_ERR_MEMORY;
    if (params)
        dev->params = *params;
    dev->reference = &rv_backend_reference;
    atomic_init(&dev->refs, 1);
    dev->process = getpid();
    if (dev->params.backend) {
        ret = open_backend(dev, dev->params.backend);
    } else {
        ret = open_backend(dev, rvos_default_backend());
        if (ret && strcmp(rvos_default_backend(), "cpu") != 0)
            ret = open_backend(dev, "cpu");
    }
    dev->params.backend = NULL; /* the caller's string may be gone */
    if (ret) {
        rv_log_memory(dev, ret, "rvos_device_open");
        free(dev);
        return ret;
    }
    rv_log(dev, RVOS_LOG_DEBUG, "%s: %s, %s, %s, %d threads", dev->info.backend,
           dev->info.name, dev->info.library, dev->info.isa, dev->info.threads);
    *out = dev;
    return 0;
}

rvos_device *rv_device_ref(rvos_device *dev)
{
    atomic_fetch_add(&dev->refs, 1);
    return dev;
}

void rvos_device_close(rvos_device **device)
{
    rvos_device *dev = device ? *device : NULL;

    if (!dev)
        return;
    *device = NULL;
    if (rv_device_forked(dev))
        return; /* see device.h */
    if (atomic_fetch_sub(&dev->refs, 1) > 1)
        return;
    dev->fn->close(dev);
    close_module(dev);
    free(dev);
}

void rvos_device_get_info(const rvos_device *device, rvos_device_info *info)
{
    if (info)
        *info =
            device
                ? device->info
                : (rvos_device_info){.backend = "", .name = "", .library = "", .isa = ""};
}

/* Images in host memory are drawn by the CPU, because copying them to the GPU and back
 * would cost more than drawing. */
static bool by_backend(const rvos_device *device, const rvos_image *image)
{
    return image->memory != RVOS_MEMORY_HOST || !device->fn->device_memory;
}

static int check_views(rvos_device *device, const rvos_image *image,
                       const rvos_labels *labels, const char *function)
{
    int ret;

    if (!device)
        return RVOS_ERR_ARGUMENT;
    if (rv_device_forked(device))
        return RVOS_ERR_DEVICE;
    ret = rv_image_check(device, image, function);
    return ret ? ret : rv_labels_check(device, labels, function);
}

int rvos_draw(rvos_device *device, const rvos_image *image, const rvos_labels *labels,
              const rvos_draw_params *params)
{
    rvos_draw_params p = {.opacity = 0.5f, .contour = 2};
    int ret = check_views(device, image, labels, "rvos_draw");

    if (ret)
        return ret;
    if (params)
        p = *params;
    if (!p.palette)
        p.palette = &rvos_davis_palette;
    if (!(p.opacity >= 0 && p.opacity <= 1) || p.contour < 0 || p.contour > 64) {
        rv_log(device, RVOS_LOG_ERROR,
               "rvos_draw: opacity must be 0..1 and the contour 0..64 pixels");
        return RVOS_ERR_ARGUMENT;
    }
    if (labels->width != image->width || labels->height != image->height ||
        labels->memory != image->memory) {
        rv_log(device, RVOS_LOG_ERROR,
               "rvos_draw: labels and image differ in size or memory");
        return RVOS_ERR_ARGUMENT;
    }
    ret = by_backend(device, image) ? device->fn->draw(device, image, labels, &p)
                                    : rv_draw_image(image, labels, &p);
    return rv_log_memory(device, ret, "rvos_draw");
}

int rvos_set_alpha(rvos_device *device, const rvos_image *image, const rvos_labels *alpha)
{
    int ret = check_views(device, image, alpha, "rvos_set_alpha");

    if (ret)
        return ret;
    if (image->format < RVOS_RGBA || image->format > RVOS_ABGR ||
        alpha->width != image->width || alpha->height != image->height ||
        alpha->memory != image->memory) {
        rv_log(device, RVOS_LOG_ERROR,
               "rvos_set_alpha: the image has no alpha, or the "
               "planes differ in size or memory");
        return RVOS_ERR_ARGUMENT;
    }
    if (by_backend(device, image))
        return device->fn->set_alpha(device, image, alpha);
    rv_set_alpha_rows(image, alpha, 0, image->height);
    return 0;
}
