/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Tests frames in CUDA memory: the pixels of system memory, and no copy to the host. */
#include "gpurig.h"

#include <string.h>

#include "../../sanitized.h"

static const gchar *const formats[] = {"NV12", "I420", "RGBA", "BGRA",
                                       "RGBx", "BGRx", "RGB",  "BGR"};

/* Both elements get frame n and must give the same result. */
static void push_to_both(Gpu *gpu, Gpu *host, guint n, const gchar *what)
{
    GstBuffer *in = gpu_frame(host, n), *a = gpu_push(gpu, n), *b = gpu_push(host, n);
    GBytes *before = gpu_pixels(&host->info, in), *pixels = gpu_pixels(&gpu->info, a),
           *wanted = gpu_pixels(&host->info, b);

    fail_unless(gpu_is_cuda(a));
    fail_if(gpu_is_cuda(b));
    fail_unless(g_bytes_equal(pixels, wanted), "%s: frame %u differs", what, n);
    fail_unless(g_bytes_equal(wanted, before) == g_str_has_suffix(what, "none"),
                "%s: frame %u: nothing was drawn, or something", what, n);
    g_bytes_unref(before);
    g_bytes_unref(pixels);
    g_bytes_unref(wanted);
    gst_buffer_unref(in);
    gst_buffer_unref(a);
    gst_buffer_unref(b);
}

static void compare(const gchar *format, gint width, gint height, const gchar *output)
{
    GstCudaContext *context = gpu_context(0);
    gchar *what = g_strdup_printf("%s %dx%d %s", format, width, height, output);
    Gpu *gpu = gpu_new(gpu_element("output", output, "inference-interval", "2", NULL),
                       context, TRUE, format, width, height);
    Gpu *host = gpu_new(gpu_element("output", output, "inference-interval", "2", NULL),
                        NULL, FALSE, format, width, height);

    for (guint n = 0; n < 3; n++) /* the second one holds the mask of the first */
        push_to_both(gpu, host, n, what);
    fail_unless_equals_int(fake_cuda_get().to_host, 0);
    fail_unless_equals_int(fake_cuda_get().to_device, 0);
    fail_unless_equals_uint64(gpu_stat(gpu, "inferred"), 2);
    fail_unless_equals_uint64(gpu_stat(gpu, "readback-bytes"), 0);
    fail_unless_equals_uint64(gpu_stat(host, "readback-bytes"),
                              (guint64)2 * GST_ROUND_UP_4(width) * height *
                                  (g_str_equal(output, "alpha") ? 2 : 1));
    gpu_free(gpu);
    gpu_free(host);
    gst_object_unref(context);
    g_free(what);
}

SUITE_TEST(test_same_pixels)
{
    /* With an odd number of rows, the planes of gst-cuda 1.22's I420 overlap. */
    for (guint i = 0; i < G_N_ELEMENTS(formats); i++) {
        gint height = g_str_equal(formats[i], "I420") ? 70 : 71;

        compare(formats[i], 99, height, "overlay");
        compare(formats[i], 64, 48, "mask");
        compare(formats[i], 64, 48, "none");
    }
    compare("RGBA", 99, 71, "alpha");
    compare("BGRA", 64, 48, "alpha");
}
GST_END_TEST;

/* A decoder's frame is drawn on in place. */
SUITE_TEST(test_no_host_copy)
{
    enum { FRAMES = 12 };
    /* A sanitizer makes the emulated GPU slow. */
    const gint width = TEST_SANITIZED ? 480 : 1920, height = TEST_SANITIZED ? 270 : 1080;
    GstCudaContext *context = gpu_context(0);
    Gpu *gpu = gpu_new(gpu_element(NULL, NULL), context, TRUE, "NV12", width, height);
    glong up[2], down[2], allocs;

    gpu_run(gpu, 0, 2);
    gpu_engine_copies(&up[0], &down[0]);
    allocs = fake_cuda_get().allocs;
    gpu_run(gpu, 2, 2 + FRAMES);
    gpu_engine_copies(&up[1], &down[1]);
    fail_unless_equals_int(fake_cuda_get().to_host, 0);
    fail_unless_equals_int(fake_cuda_get().to_device, 0);
    fail_unless_equals_int(fake_cuda_get().on_device, 0);
    fail_unless_equals_int(fake_cuda_get().host_allocs, 0); /* nobody mapped it */
    fail_unless_equals_int(fake_cuda_get().allocs, allocs); /* pools are reused */
    /* The engine: the table of a frame's addresses, and boxes of objects. */
    fail_unless(up[1] - up[0] < FRAMES * 4096, "%ld bytes up", up[1] - up[0]);
    fail_unless(down[1] - down[0] < FRAMES * 4096, "%ld bytes down", down[1] - down[0]);
    fail_unless_equals_uint64(gpu_stat(gpu, "inferred"), 2 + FRAMES);
    fail_unless_equals_uint64(gpu_stat(gpu, "readback-bytes"), 0);
    g_print("%d frames of %dx%d: 0 copies between GPU and host by the element, "
            "%ld bytes up and %ld down a frame by the engine\n",
            FRAMES, width, height, (up[1] - up[0]) / FRAMES,
            (down[1] - down[0]) / FRAMES);
    gpu_free(gpu);
    gst_object_unref(context);
}
GST_END_TEST;

/* If upstream keeps the frame, as a tee does, it is copied on the GPU and does not
 * change. */
static void push_shared(const gchar *output, glong copies)
{
    GstCudaContext *context = gpu_context(0);
    Gpu *gpu =
        gpu_new(gpu_element("output", output, NULL), context, TRUE, "NV12", 98, 70);
    GstBuffer *kept = gpu_frame(gpu, 0), *out;
    GBytes *before = gpu_pixels(&gpu->info, kept), *after;

    fail_unless_equals_int(gst_harness_push(gpu->h, gst_buffer_ref(kept)), GST_FLOW_OK);
    out = gst_harness_pull(gpu->h);
    after = gpu_pixels(&gpu->info, kept);
    fail_unless(g_bytes_equal(before, after));
    g_bytes_unref(after);
    after = gpu_pixels(&gpu->info, out);
    fail_unless(g_bytes_equal(before, after) == (copies == 0));
    fail_unless_equals_int(fake_cuda_get().on_device, copies);
    fail_unless_equals_int(fake_cuda_get().to_host, 0);
    fail_unless_equals_int(fake_cuda_get().to_device, 0);
    g_bytes_unref(before);
    g_bytes_unref(after);
    gst_buffer_unref(out);
    gst_buffer_unref(kept);
    gpu_free(gpu);
    gst_object_unref(context);
}

SUITE_TEST(test_shared_frame)
{
    push_shared("overlay", 1);
    fake_cuda_clear();
    push_shared("none", 0);
}
GST_END_TEST;

/* The meta's mask is on the GPU until it is mapped. */
SUITE_TEST(test_mask_in_metadata)
{
    GstCudaContext *context = gpu_context(0);
    Gpu *gpu = gpu_new(gpu_element(NULL, NULL), context, TRUE, "NV12", 97, 71);
    Gpu *host = gpu_new(gpu_element(NULL, NULL), NULL, FALSE, "NV12", 97, 71);
    GstBuffer *out[2] = {gpu_push(gpu, 0), gpu_push(host, 0)};
    guint8 *labels[2];

    fail_unless_equals_int(fake_cuda_get().to_host, 0);
    for (guint i = 0; i < 2; i++) {
        GstCustomMeta *meta = gst_buffer_get_custom_meta(out[i], "GstRvosSegMeta");
        GstBuffer *mask = NULL;

        fail_unless(meta != NULL);
        gst_structure_get(gst_custom_meta_get_structure(meta), "mask", GST_TYPE_BUFFER,
                          &mask, NULL);
        fail_unless_equals_int(gpu_is_cuda(mask), i == 0);
        labels[i] = real_labels(mask);
    }
    fail_unless(memcmp(labels[0], labels[1], 97 * 71) == 0);
    fail_unless_equals_int(fake_cuda_get().to_host, 1);
    for (guint i = 0; i < 2; i++) {
        g_free(labels[i]);
        gst_buffer_unref(out[i]);
    }
    gpu_free(gpu);
    gpu_free(host);
    gst_object_unref(context);
}
GST_END_TEST;

/* Frames come in system memory, then in CUDA memory, then in system memory: no reset, and
 * the held mask moves along. */
SUITE_TEST(test_other_memory_in_mid_stream)
{
    GstCudaContext *context = gpu_context(0);
    Gpu *gpu = gpu_new(gpu_element("inference-interval", "100", NULL), context, TRUE,
                       "RGBA", 64, 48);
    GstBuffer *out;
    gchar *resets;

    gst_clear_object(&gpu->context);
    for (guint n = 0; n < 6; n++) {
        gpu->context = n / 2 % 2 ? gst_object_ref(context) : NULL;
        gpu_set_caps(gpu, "RGBA", 64, 48);
        out = gpu_push(gpu, n);
        fail_unless_equals_int(gpu_is_cuda(out), n / 2 % 2);
        gst_buffer_unref(out);
        gst_clear_object(&gpu->context);
    }
    resets = gpu_resets(gpu);
    fail_unless_equals_string(resets, "start");
    fail_unless_equals_uint64(gpu_stat(gpu, "inferred"), 3);
    fail_unless_equals_int(fake_cuda_get().to_device, 0);
    g_free(resets);
    gpu_free(gpu);
    gst_object_unref(context);
}
GST_END_TEST;

/* The size and format change, as in a playlist. */
SUITE_TEST(test_other_caps_in_mid_stream)
{
    GstCudaContext *context = gpu_context(0);
    Gpu *gpu = gpu_new(gpu_element(NULL, NULL), context, TRUE, "NV12", 64, 48);
    Gpu *host = gpu_new(gpu_element(NULL, NULL), NULL, FALSE, "NV12", 64, 48);
    gchar *resets;

    for (guint n = 0; n < 6; n++) {
        if (n == 2 || n == 4) {
            gpu_set_caps(gpu, n == 2 ? "NV12" : "BGRA", 131, 75);
            gpu_set_caps(host, n == 2 ? "NV12" : "BGRA", 131, 75);
        }
        push_to_both(gpu, host, n, "overlay");
    }
    resets = gpu_resets(gpu);
    fail_unless(g_str_has_prefix(resets, "start,caps"), "%s", resets);
    fail_unless_equals_int(fake_cuda_get().to_host, 0);
    fail_unless_equals_int(fake_cuda_get().to_device, 0);
    g_free(resets);
    gpu_free(gpu);
    gpu_free(host);
    gst_object_unref(context);
}
GST_END_TEST;

/* scene-cut=detect compares pictures on the CPU, which costs a copy of each frame. */
SUITE_TEST(test_scene_cut_copies)
{
    GstCudaContext *context = gpu_context(0);
    Gpu *gpu =
        gpu_new(gpu_element("scene-cut", "detect", NULL), context, TRUE, "NV12", 64, 48);

    gpu_run(gpu, 0, 3);
    fail_unless_equals_int(fake_cuda_get().to_host, 3);
    fail_unless_equals_int(fake_cuda_get().to_device, 0);
    gpu_free(gpu);
    gst_object_unref(context);
}
GST_END_TEST;

/* Disabled, and flagged as gaps: untouched. */
SUITE_TEST(test_untouched)
{
    GstCudaContext *context = gpu_context(0);
    Gpu *gpu =
        gpu_new(gpu_element("enabled", "false", NULL), context, TRUE, "NV12", 64, 48);
    GstBuffer *in = gpu_frame(gpu, 0), *out;
    GBytes *before = gpu_pixels(&gpu->info, in), *after;

    fail_unless_equals_int(gst_harness_push(gpu->h, in), GST_FLOW_OK);
    out = gst_harness_pull(gpu->h);
    after = gpu_pixels(&gpu->info, out);
    fail_unless(g_bytes_equal(before, after));
    fail_unless_equals_int(fake_cuda_get().to_host, 0);
    fail_unless_equals_int(fake_cuda_get().on_device, 0);
    g_bytes_unref(before);
    g_bytes_unref(after);
    gst_buffer_unref(out);
    gpu_free(gpu);
    gst_object_unref(context);
}
GST_END_TEST;

SUITE_MAIN("cuda-frames", 300, gpu_setup, gpu_teardown)
