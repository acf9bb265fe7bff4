/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Tests the mask pad with frames in CUDA memory: masks are in system memory, or in CUDA
 * memory if the peer asks for it. */
#include "gpurig.h"

#include <string.h>

#define WIDTH 97
#define HEIGHT 71
#define CUDA_CAPS "video/x-raw(memory:CUDAMemory),format=GRAY8"

static GstHarness *mask_of(Gpu *gpu, const gchar *caps)
{
    GstHarness *mask = gst_harness_new_with_element(gpu->element, NULL, "mask");

    if (caps)
        gst_harness_set_sink_caps_str(mask, caps);
    return mask;
}

static Gpu *on_gpu(GstCudaContext *context, const gchar *interval)
{
    return gpu_new(gpu_element("inference-interval", interval, NULL), context, TRUE,
                   "NV12", WIDTH, HEIGHT);
}

/* The masks without CUDA memory; to be freed. */
static guint8 *wanted_labels(guint n)
{
    Gpu *host = gpu_new(gpu_element(NULL, NULL), NULL, FALSE, "NV12", WIDTH, HEIGHT);
    GstHarness *mask = mask_of(host, NULL);
    guint8 *labels = NULL;

    for (guint i = 0; i <= n; i++) {
        g_free(labels);
        gst_buffer_unref(gpu_push(host, i));
        labels = real_labels(gst_harness_pull(mask));
    }
    gst_harness_teardown(mask);
    gpu_free(host);
    return labels;
}

static void expect_labels(GstBuffer *mask, const guint8 *wanted)
{
    guint objects = 0;
    guint8 *labels = real_labels(mask);

    for (guint i = 0; i < WIDTH * HEIGHT; i++)
        objects += labels[i] != 0;
    fail_unless(objects > 0);
    fail_unless(memcmp(labels, wanted, WIDTH * HEIGHT) == 0);
    g_free(labels);
}

static gboolean pad_in_cuda(GstHarness *mask)
{
    GstCaps *caps = gst_pad_get_current_caps(mask->sinkpad);
    gboolean cuda;

    fail_unless(caps != NULL);
    cuda = gst_caps_features_contains(gst_caps_get_features(caps, 0),
                                      GST_CAPS_FEATURE_MEMORY_CUDA_MEMORY);
    gst_caps_unref(caps);
    return cuda;
}

/* A new mask is copied once, a held mask is not copied. */
SUITE_TEST(test_in_system_memory)
{
    GstCudaContext *context = gpu_context(0);
    guint8 *wanted = wanted_labels(1);
    Gpu *gpu = on_gpu(context, "1");
    GstHarness *mask = mask_of(gpu, NULL);
    GstBuffer *buffer;

    for (guint n = 0; n < 2; n++) {
        GstBuffer *out = gpu_push(gpu, n);

        buffer = gst_harness_pull(mask);
        fail_if(gpu_is_cuda(buffer));
        fail_unless_equals_uint64(GST_BUFFER_PTS(buffer), GST_BUFFER_PTS(out));
        fail_unless_equals_int(fake_cuda_get().to_host, (gint)n + 1);
        if (n == 1)
            expect_labels(buffer, wanted);
        else
            gst_buffer_unref(buffer);
        gst_buffer_unref(out);
    }
    fail_if(pad_in_cuda(mask));
    fail_unless_equals_uint64(gpu_stat(gpu, "readback-bytes"),
                              2 * GST_ROUND_UP_4(WIDTH) * HEIGHT);
    gst_harness_teardown(mask);
    gpu_free(gpu);
    gst_object_unref(context);
    g_free(wanted);
}
GST_END_TEST;

SUITE_TEST(test_held)
{
    GstCudaContext *context = gpu_context(0);
    Gpu *gpu = on_gpu(context, "4");
    GstHarness *mask = mask_of(gpu, NULL);

    gpu_run(gpu, 0, 8);
    fail_unless_equals_int(gst_harness_buffers_received(mask), 8);
    fail_unless_equals_int(fake_cuda_get().to_host, 2);
    fail_unless_equals_uint64(gpu_stat(gpu, "readback-bytes"),
                              2 * GST_ROUND_UP_4(WIDTH) * HEIGHT);
    gst_harness_teardown(mask);
    gpu_free(gpu);
    gst_object_unref(context);
}
GST_END_TEST;

SUITE_TEST(test_in_cuda_memory)
{
    GstCudaContext *context = gpu_context(0);
    guint8 *wanted = wanted_labels(0);
    Gpu *gpu = on_gpu(context, "1");
    GstHarness *mask = mask_of(gpu, CUDA_CAPS);
    GstBuffer *buffer;

    gst_buffer_unref(gpu_push(gpu, 0));
    fail_unless_equals_int(fake_cuda_get().to_host, 0);
    fail_unless(pad_in_cuda(mask));
    buffer = gst_harness_pull(mask);
    fail_unless(gpu_is_cuda(buffer));
    expect_labels(buffer, wanted); /* mapping makes a copy */
    fail_unless_equals_int(fake_cuda_get().to_host, 1);
    fail_unless_equals_uint64(gpu_stat(gpu, "readback-bytes"), 0);
    gst_harness_teardown(mask);
    gpu_free(gpu);
    gst_object_unref(context);
    g_free(wanted);
}
GST_END_TEST;

/* A peer that accepts both gets its first choice. */
SUITE_TEST(test_peers_wish)
{
    static const struct {
        const gchar *caps;
        gboolean cuda;
    } cases[] = {
        {CUDA_CAPS ";video/x-raw,format=GRAY8", TRUE},
        {"video/x-raw,format=GRAY8;" CUDA_CAPS, FALSE},
        {"video/x-raw(ANY)", FALSE},
    };
    GstCudaContext *context = gpu_context(0);

    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        Gpu *gpu = on_gpu(context, "1");
        GstHarness *mask = mask_of(gpu, cases[i].caps);

        gpu_run(gpu, 0, 1);
        fail_unless_equals_int(pad_in_cuda(mask), cases[i].cuda);
        gst_harness_teardown(mask);
        gpu_free(gpu);
    }
    gst_object_unref(context);
}
GST_END_TEST;

/* A pad that is requested but not linked costs no copy. */
SUITE_TEST(test_unlinked)
{
    GstCudaContext *context = gpu_context(0);
    Gpu *gpu = on_gpu(context, "1");
    GstPad *pad = gst_element_request_pad_simple(gpu->element, "mask");

    gpu_run(gpu, 0, 3);
    fail_unless_equals_int(fake_cuda_get().to_host, 0);
    gst_element_release_request_pad(gpu->element, pad);
    gst_object_unref(pad);
    gpu_free(gpu);
    gst_object_unref(context);
}
GST_END_TEST;

/* The GPU is lost while a mask is copied. */
SUITE_TEST(test_copy_fails)
{
    GstCudaContext *context = gpu_context(0);
    Gpu *gpu = on_gpu(context, "1");
    GstHarness *mask = mask_of(gpu, NULL);
    GstBuffer *frame;

    gpu_run(gpu, 0, 1);
    frame = gpu_frame(gpu, 1);
    fake_cuda_fail("cuMemcpy2D_v2", CUDA_ERROR_LAUNCH_FAILED, 0);
    fail_unless_equals_int(gst_harness_push(gpu->h, frame), GST_FLOW_ERROR);
    fake_cuda_clear();
    gpu_expect_error(gpu->bus, GST_LIBRARY_ERROR, GST_LIBRARY_ERROR_FAILED, "copied");
    gst_harness_teardown(mask);
    gpu_free(gpu);
    gst_object_unref(context);
}
GST_END_TEST;

/* While frames flow, the peer changes, and another comes late. */
SUITE_TEST(test_another_peer)
{
    GstCudaContext *context = gpu_context(0);
    Gpu *gpu = on_gpu(context, "1");
    GstPad *pad = gst_element_request_pad_simple(gpu->element, "mask");
    GstHarness *peer;

    gpu_run(gpu, 0, 1);
    for (guint n = 1; n < 5; n++) {
        gboolean cuda = n % 2 == 1;

        peer = gst_harness_new_empty();
        gst_harness_add_element_src_pad(peer, pad);
        gst_harness_set_sink_caps_str(peer,
                                      cuda ? CUDA_CAPS : "video/x-raw,format=GRAY8");
        gpu_run(gpu, n, n + 1);
        fail_unless_equals_int(gst_harness_buffers_received(peer), 1);
        fail_unless_equals_int(pad_in_cuda(peer), cuda);
        gst_pad_unlink(pad, peer->sinkpad);
        gst_harness_teardown(peer);
    }
    fail_unless_equals_int(fake_cuda_get().to_host, 2);
    gst_element_release_request_pad(gpu->element, pad);
    gst_object_unref(pad);
    gpu_free(gpu);
    gst_object_unref(context);
}
GST_END_TEST;

/* The mask of an element is the initial mask of one behind it. */
SUITE_TEST(test_seeds_from_cuda_memory)
{
    GstCudaContext *context = gpu_context(0);
    Gpu *finder = on_gpu(context, "1");
    Gpu *follower = gpu_new(gpu_element("mode", "one-shot", NULL), context, TRUE, "NV12",
                            WIDTH, HEIGHT);

    for (guint n = 0; n < 2; n++) {
        fail_unless_equals_int(gst_harness_push(follower->h, gpu_push(finder, n)),
                               GST_FLOW_OK);
        gst_buffer_unref(gst_harness_pull(follower->h));
    }
    fail_unless_equals_uint64(gpu_stat(follower, "inferred"), 2);
    fail_unless(gpu_stat(follower, "objects-alive") > 0);
    gpu_free(finder);
    gpu_free(follower);
    gst_object_unref(context);
}
GST_END_TEST;

SUITE_MAIN("cuda-masks", 120, gpu_setup, gpu_teardown)
