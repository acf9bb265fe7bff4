/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "gpurig.h"

#include <dlfcn.h>
#include <string.h>

void gpu_setup(void)
{
    GstAllocator *allocator;

    g_unsetenv("RVOS_CUDA");
    fail_unless(gst_cuda_load_library());
    gst_cuda_memory_init_once();
    /* gst-cuda keeps it for ever, which the leaks tracer does not know. */
    allocator = gst_allocator_find(GST_CUDA_MEMORY_TYPE_NAME);
    GST_OBJECT_FLAG_SET(allocator, GST_OBJECT_FLAG_MAY_BE_LEAKED);
    gst_object_unref(allocator);
    fake_cuda_clear();
}

void gpu_teardown(void)
{
    fake_cuda_counts counts = fake_cuda_get();

    fail_unless(counts.misuses == 0, "%ld misuses of the driver, the first: %s",
                counts.misuses, counts.misuse);
    fail_unless_equals_int(fake_cuda_depth(), 0);
    fail_unless_equals_int(counts.live_allocs, 0);
    fail_unless_equals_int(counts.live_host_allocs, 0);
    fail_unless_equals_int(counts.live_contexts, 0);
    fail_unless_equals_int(counts.live_streams, 0);
    fake_cuda_clear();
}

GstCudaContext *gpu_context(gint device)
{
    GstCudaContext *context = gst_cuda_context_new((guint)device);

    fail_unless(context != NULL);
    return context;
}

GstElement *gpu_element(const gchar *property, ...)
{
    GstElement *element = gst_element_factory_make("rvosseg", NULL);
    va_list args;

    fail_unless(element != NULL);
    g_object_set(element, "model", real_model(), "objects", 2, "min-age", 0,
                 "network-width", 32, "network-height", 32, NULL);
    gst_util_set_object_arg(G_OBJECT(element), "engine", "cuda");
    gst_util_set_object_arg(G_OBJECT(element), "mode", "zero-shot");
    va_start(args, property);
    for (; property; property = va_arg(args, const gchar *))
        gst_util_set_object_arg(G_OBJECT(element), property, va_arg(args, const gchar *));
    va_end(args);
    return element;
}

static void drop_pool(Gpu *gpu)
{
    if (gpu->pool)
        gst_buffer_pool_set_active(gpu->pool, FALSE);
    gst_clear_object(&gpu->pool);
}

void gpu_set_caps(Gpu *gpu, const gchar *format, gint width, gint height)
{
    GstCaps *caps;

    gpu->info = real_info(format, width, height, NULL);
    caps = gst_video_info_to_caps(&gpu->info);
    drop_pool(gpu);
    if (gpu->context) {
        GstStructure *config;

        gst_caps_set_features(
            caps, 0, gst_caps_features_new(GST_CAPS_FEATURE_MEMORY_CUDA_MEMORY, NULL));
        gpu->pool = gst_cuda_buffer_pool_new(gpu->context);
        config = gst_buffer_pool_get_config(gpu->pool);
        gst_buffer_pool_config_set_params(config, caps, (guint)gpu->info.size, 0, 0);
        fail_unless(gst_buffer_pool_set_config(gpu->pool, config));
        fail_unless(gst_buffer_pool_set_active(gpu->pool, TRUE));
    }
    gst_harness_set_src_caps(gpu->h, caps);
}

Gpu *gpu_new(GstElement *element, GstCudaContext *context, gboolean told,
             const gchar *format, gint width, gint height)
{
    Gpu *gpu = g_new0(Gpu, 1);

    gpu->element = element;
    gpu->context = context ? gst_object_ref(context) : NULL;
    gpu->bus = gst_bus_new();
    gst_element_set_bus(element, gpu->bus);
    if (context && told) {
        GstContext *wrapped = gst_context_new_cuda_context(context);

        gst_element_set_context(element, wrapped);
        gst_context_unref(wrapped);
    }
    gpu->h = gst_harness_new_with_element(element, "sink", "src");
    gpu_set_caps(gpu, format, width, height);
    return gpu;
}

void gpu_free(Gpu *gpu)
{
    gst_element_set_bus(gpu->element, NULL);
    gst_harness_teardown(gpu->h);
    gst_object_unref(gpu->element);
    drop_pool(gpu);
    gst_clear_object(&gpu->context);
    gst_bus_set_flushing(gpu->bus, TRUE);
    gst_object_unref(gpu->bus);
    g_free(gpu);
}

gboolean gpu_is_cuda(GstBuffer *buffer)
{
    return gst_buffer_n_memory(buffer) == 1 &&
           gst_is_cuda_memory(gst_buffer_peek_memory(buffer, 0));
}

static void map(GstVideoFrame *frame, const GstVideoInfo *info, GstBuffer *buffer,
                GstMapFlags flags)
{
    if (gpu_is_cuda(buffer))
        flags = (GstMapFlags)(flags | GST_MAP_CUDA);
    fail_unless(gst_video_frame_map(frame, info, buffer, flags));
}

GstBuffer *gpu_frame(Gpu *gpu, guint n)
{
    GstBuffer *plain = real_picture(&gpu->info, n, 0), *buffer = NULL;
    GstVideoFrame from, to;

    if (!gpu->pool)
        return plain;
    fail_unless_equals_int(gst_buffer_pool_acquire_buffer(gpu->pool, &buffer, NULL),
                           GST_FLOW_OK);
    map(&from, &gpu->info, plain, GST_MAP_READ);
    map(&to, &gpu->info, buffer, GST_MAP_WRITE);
    fail_unless(gst_video_frame_copy(&to, &from));
    gst_video_frame_unmap(&to);
    gst_video_frame_unmap(&from);
    gst_buffer_copy_into(buffer, plain, GST_BUFFER_COPY_TIMESTAMPS, 0, (gsize)-1);
    gst_buffer_unref(plain);
    return buffer;
}

GstBuffer *gpu_push(Gpu *gpu, guint n)
{
    fail_unless_equals_int(gst_harness_push(gpu->h, gpu_frame(gpu, n)), GST_FLOW_OK);
    return gst_harness_pull(gpu->h);
}

void gpu_run(Gpu *gpu, guint from, guint to)
{
    for (guint n = from; n < to; n++)
        gst_buffer_unref(gpu_push(gpu, n));
}

GBytes *gpu_pixels(const GstVideoInfo *info, GstBuffer *buffer)
{
    GByteArray *bytes = g_byte_array_new();
    GstVideoFrame frame;

    map(&frame, info, buffer, GST_MAP_READ);
    for (guint p = 0; p < GST_VIDEO_INFO_N_PLANES(info); p++) {
        gint comp = p; /* the first one of the plane, in all formats of the element */
        guint width = (guint)GST_VIDEO_FRAME_COMP_WIDTH(&frame, comp) *
                      (guint)GST_VIDEO_FRAME_COMP_PSTRIDE(&frame, comp);

        for (gint y = 0; y < GST_VIDEO_FRAME_COMP_HEIGHT(&frame, comp); y++)
            g_byte_array_append(bytes,
                                (guint8 *)GST_VIDEO_FRAME_PLANE_DATA(&frame, p) +
                                    y * GST_VIDEO_FRAME_PLANE_STRIDE(&frame, p),
                                width);
    }
    gst_video_frame_unmap(&frame);
    return g_byte_array_free_to_bytes(bytes);
}

guint64 gpu_stat(Gpu *gpu, const gchar *name)
{
    GstStructure *stats;
    guint64 value;
    guint small;

    g_object_get(gpu->element, "stats", &stats, NULL);
    if (!gst_structure_get_uint64(stats, name, &value)) {
        fail_unless(gst_structure_get_uint(stats, name, &small), "no %s in stats", name);
        value = small;
    }
    gst_structure_free(stats);
    return value;
}

gchar *gpu_text_stat(Gpu *gpu, const gchar *name)
{
    GstStructure *stats;
    gchar *value;

    g_object_get(gpu->element, "stats", &stats, NULL);
    value = g_strdup(gst_structure_get_string(stats, name));
    gst_structure_free(stats);
    return value;
}

gchar *gpu_resets(Gpu *gpu)
{
    GString *text = g_string_new(NULL);
    GstMessage *message;

    while ((message = gst_bus_pop_filtered(gpu->bus, GST_MESSAGE_ELEMENT)) != NULL) {
        const GstStructure *s = gst_message_get_structure(message);

        if (gst_structure_has_name(s, "rvosseg-reset"))
            g_string_append_printf(text, "%s%s", text->len ? "," : "",
                                   gst_structure_get_string(s, "reason"));
        gst_message_unref(message);
    }
    return g_string_free(text, FALSE);
}

GstMessage *gpu_pop(GstBus *bus, GstMessageType type)
{
    return gst_bus_pop_filtered(bus, type);
}

void gpu_expect_error(GstBus *bus, GQuark domain, gint code, const gchar *words)
{
    GstMessage *message = gpu_pop(bus, GST_MESSAGE_ERROR);
    GError *error;
    gchar *debug;

    fail_unless(message != NULL, "no error was posted");
    gst_message_parse_error(message, &error, &debug);
    fail_unless(g_error_matches(error, domain, code), "%s", error->message);
    fail_unless(strstr(error->message, words) != NULL, "\"%s\" does not say \"%s\"",
                error->message, words);
    fail_unless(strchr(error->message, '\n') == NULL);
    g_error_free(error);
    g_free(debug);
    gst_message_unref(message);
    message = gpu_pop(bus, GST_MESSAGE_ERROR);
    fail_unless(message == NULL, "a second error was posted");
}

/* As in tests/cuda/emulation/emulation.cpp. */
struct emulated {
    long mallocs, launches, graphs, nodes, chained, copied[5];
};

void gpu_engine_copies(glong *to_device, glong *to_host)
{
    struct emulated *(*counts)(void);
    void *module = dlopen("librvos-cuda.so", RTLD_NOW | RTLD_NOLOAD);

    fail_unless(module != NULL, "the emulated engine is not in use");
    *(void **)&counts = dlsym(module, "rv_emulated_counts");
    fail_unless(counts != NULL, "it is the real engine");
    *to_device = counts()->copied[1];
    *to_host = counts()->copied[2];
    dlclose(module);
}

void gpu_set_state(Gpu *gpu, GstState state)
{
    fail_unless_equals_int(gst_element_set_state(gpu->element, state),
                           GST_STATE_CHANGE_SUCCESS);
}

void gpu_push_segment(Gpu *gpu)
{
    GstSegment segment;

    gst_segment_init(&segment, GST_FORMAT_TIME);
    fail_unless(gst_harness_push_event(gpu->h, gst_event_new_segment(&segment)));
}

void gpu_start_again(Gpu *gpu, const gchar *format, gint width, gint height)
{
    gpu_set_state(gpu, GST_STATE_PLAYING);
    fail_unless(gst_harness_push_event(gpu->h, gst_event_new_stream_start("again")));
    gpu_set_caps(gpu, format, width, height);
    gpu_push_segment(gpu);
}
