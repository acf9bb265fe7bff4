/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Tests a missing or failing GPU. There are two GPUs. */
#include "gpurig.h"

#include <string.h>

#define NV12 "NV12", 64, 48

static void expect_no_start(const gchar *property, const gchar *value, const gchar *words)
{
    GstElement *element = gpu_element(property, value, NULL);
    GstBus *bus = gst_bus_new();

    gst_element_set_bus(element, bus);
    fail_unless_equals_int(gst_element_set_state(element, GST_STATE_PAUSED),
                           GST_STATE_CHANGE_FAILURE);
    gpu_expect_error(bus, GST_LIBRARY_ERROR, GST_LIBRARY_ERROR_INIT, words);
    gst_element_set_state(element, GST_STATE_NULL);
    gst_element_set_bus(element, NULL);
    gst_object_unref(bus);
    gst_object_unref(element);
}

SUITE_TEST(test_no_such_gpu)
{
    expect_no_start("cuda-device-id", "2", "no GPU 2");
}
GST_END_TEST;

/* engine=auto with RVOS_CUDA=1, but CUDA does not start: the CPU, and one warning. */
SUITE_TEST(test_falls_back)
{
    GstMessage *message;
    GError *error;
    gchar *engine;
    Gpu *gpu;

    g_setenv("RVOS_CUDA", "1", TRUE);
    g_setenv("RVOS_EMULATED_NO_GPU", "1", TRUE);
    gpu = gpu_new(gpu_element("engine", "auto", NULL), NULL, FALSE, NV12);
    g_unsetenv("RVOS_EMULATED_NO_GPU");
    g_unsetenv("RVOS_CUDA");
    gpu_run(gpu, 0, 2);
    message = gst_bus_pop_filtered(gpu->bus, GST_MESSAGE_WARNING);
    fail_unless(message != NULL);
    gst_message_parse_warning(message, &error, NULL);
    fail_unless(g_error_matches(error, GST_LIBRARY_ERROR, GST_LIBRARY_ERROR_INIT));
    fail_unless(strstr(error->message, "no GPU 0") != NULL, "%s", error->message);
    g_error_free(error);
    gst_message_unref(message);
    fail_unless(gst_bus_pop_filtered(gpu->bus, GST_MESSAGE_WARNING | GST_MESSAGE_ERROR) ==
                NULL);
    engine = gpu_text_stat(gpu, "engine");
    fail_unless_equals_string(engine, "cpu");
    g_free(engine);
    gpu_free(gpu);
}
GST_END_TEST;

/* The GPU is lost while frames flow: one error, and the element can be started again. */
static void lose(const gchar *function, gint result, GQuark domain, gint code)
{
    GstCudaContext *context = gpu_context(0);
    Gpu *gpu = gpu_new(gpu_element(NULL, NULL), context, TRUE, NV12);
    GstBuffer *frame;

    gpu_run(gpu, 0, 2);
    frame = gpu_frame(gpu, 2);
    fake_cuda_fail(function, result, 0);
    fail_unless_equals_int(gst_harness_push(gpu->h, frame), GST_FLOW_ERROR);
    fake_cuda_clear();
    gpu_expect_error(gpu->bus, domain, code, "");
    gpu_set_state(gpu, GST_STATE_NULL);
    gpu_start_again(gpu, NV12);
    gpu_run(gpu, 0, 2);
    gpu_free(gpu);
    gst_object_unref(context);
}

SUITE_TEST(test_device_lost)
{
    lose("cuCtxPushCurrent_v2", CUDA_ERROR_LAUNCH_FAILED, GST_LIBRARY_ERROR,
         GST_LIBRARY_ERROR_FAILED);
}
GST_END_TEST;

/* The third mask of a reader that keeps all masks does not fit. */
SUITE_TEST(test_out_of_device_memory)
{
    GstCudaContext *context = gpu_context(0);
    Gpu *gpu = gpu_new(gpu_element(NULL, NULL), context, TRUE, NV12);
    GstBuffer *kept[2], *frame;

    for (guint n = 0; n < 2; n++)
        kept[n] = gpu_push(gpu, n);
    frame = gpu_frame(gpu, 2);
    fake_cuda_fail("cuMemAllocPitch_v2", CUDA_ERROR_OUT_OF_MEMORY, 0);
    fail_unless_equals_int(gst_harness_push(gpu->h, frame), GST_FLOW_ERROR);
    fake_cuda_clear();
    gpu_expect_error(gpu->bus, GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_NO_SPACE_LEFT,
                     "memory");
    gst_buffer_unref(kept[0]);
    gst_buffer_unref(kept[1]);
    gpu_free(gpu);
    gst_object_unref(context);
}
GST_END_TEST;

/* On the way to the frames' context the engine does not start: an error, no crash, also
 * at the frame after. */
SUITE_TEST(test_cannot_follow)
{
    GstCudaContext *contexts[2] = {gpu_context(0), gpu_context(1)};
    Gpu *gpu = gpu_new(gpu_element(NULL, NULL), contexts[0], TRUE, NV12);
    GstBuffer *frames[2];

    gpu_run(gpu, 0, 1);
    gst_object_replace((GstObject **)&gpu->context, GST_OBJECT(contexts[1]));
    gpu_set_caps(gpu, NV12);
    frames[0] = gpu_frame(gpu, 1);
    frames[1] = gpu_frame(gpu, 2);
    g_setenv("RVOS_EMULATED_FAIL", "+1", TRUE);
    fail_unless_equals_int(gst_harness_push(gpu->h, frames[0]), GST_FLOW_ERROR);
    g_unsetenv("RVOS_EMULATED_FAIL");
    fail_unless_equals_int(gst_harness_push(gpu->h, frames[1]), GST_FLOW_ERROR);
    gpu_expect_error(gpu->bus, GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_NO_SPACE_LEFT, "");
    gpu_free(gpu);
    gst_object_unref(contexts[0]);
    gst_object_unref(contexts[1]);
}
GST_END_TEST;

SUITE_MAIN("cuda-faults", 120, gpu_setup, gpu_teardown)
