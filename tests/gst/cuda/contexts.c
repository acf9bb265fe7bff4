/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Tests in which CUDA context the element works, and with whom it shares it. There are
 * two GPUs. */
#include "gpurig.h"

#include <string.h>

#define NV12 "NV12", 64, 48

/* ---- who has the context ---------------------------------------------------------- */

static guint device_of(GstContext *context)
{
    GstCudaContext *cuda;
    guint device;

    fail_unless_equals_string(gst_context_get_context_type(context),
                              GST_CUDA_CONTEXT_TYPE);
    fail_unless(gst_structure_get(gst_context_get_structure(context),
                                  GST_CUDA_CONTEXT_TYPE, GST_TYPE_CUDA_CONTEXT, &cuda,
                                  NULL));
    g_object_get(cuda, "cuda-device-id", &device, NULL);
    gst_object_unref(cuda);
    return device;
}

/* Alone, it asks by a message, then makes a context on the given GPU, and says so. */
SUITE_TEST(test_messages)
{
    for (gint wanted = -1; wanted < 2; wanted++) {
        gchar *id = g_strdup_printf("%d", wanted);
        Gpu *gpu = gpu_new(gpu_element("cuda-device-id", id, NULL), NULL, FALSE, NV12);
        GstMessage *message = gpu_pop(gpu->bus, GST_MESSAGE_NEED_CONTEXT);
        GstContext *context;

        fail_unless(message != NULL);
        gst_message_unref(message);
        message = gpu_pop(gpu->bus, GST_MESSAGE_HAVE_CONTEXT);
        fail_unless(message != NULL);
        gst_message_parse_have_context(message, &context);
        fail_unless_equals_int(device_of(context), MAX(wanted, 0));
        gst_context_unref(context);
        gst_message_unref(message);
        fail_unless_equals_int(fake_cuda_get().live_contexts, 1);
        gpu_free(gpu);
        g_free(id);
    }
}
GST_END_TEST;

/* If a context is set before, it sends no message and makes none; neighbours get it. */
SUITE_TEST(test_given)
{
    GstCudaContext *context = gpu_context(1), *got;
    Gpu *gpu = gpu_new(gpu_element(NULL, NULL), context, TRUE, NV12);
    GstQuery *query = gst_query_new_context(GST_CUDA_CONTEXT_TYPE);
    GstContext *answer;

    gpu_run(gpu, 0, 2);
    fail_unless(gpu_pop(gpu->bus, GST_MESSAGE_NEED_CONTEXT | GST_MESSAGE_HAVE_CONTEXT) ==
                NULL);
    fail_unless_equals_int(fake_cuda_get().live_contexts, 1);
    fail_unless(gst_pad_peer_query(gpu->h->srcpad, query));
    gst_query_parse_context(query, &answer);
    fail_unless_equals_int(device_of(answer), 1);
    fail_unless(gst_structure_get(gst_context_get_structure(answer),
                                  GST_CUDA_CONTEXT_TYPE, GST_TYPE_CUDA_CONTEXT, &got,
                                  NULL));
    fail_unless(got == context);
    gst_object_unref(got);
    gst_query_unref(query);
    gpu_free(gpu);
    gst_object_unref(context);
}
GST_END_TEST;

/* A context of another GPU is not taken. */
SUITE_TEST(test_given_of_another_gpu)
{
    GstCudaContext *context = gpu_context(1);
    GstContext *wrapped = gst_context_new_cuda_context(context);
    GstElement *element = gpu_element("cuda-device-id", "0", NULL);
    Gpu *gpu;

    gst_element_set_context(element, wrapped);
    gst_context_unref(wrapped);
    gpu = gpu_new(element, NULL, FALSE, NV12);
    fail_unless_equals_int(fake_cuda_get().live_contexts, 2);
    gpu_free(gpu);
    gst_object_unref(context);
}
GST_END_TEST;

SUITE_TEST(test_given_and_never_started)
{
    GstCudaContext *context = gpu_context(0);
    GstContext *wrapped = gst_context_new_cuda_context(context);
    GstElement *element = gpu_element(NULL, NULL);

    gst_element_set_context(element, wrapped);
    gst_context_unref(wrapped);
    gst_object_unref(element);
    gst_object_unref(context);
    fail_unless_equals_int(fake_cuda_get().live_contexts, 0);
}
GST_END_TEST;

/* Without the CUDA engine there is no context. */
SUITE_TEST(test_none_on_the_cpu)
{
    GstCudaContext *context = gpu_context(0);
    GstContext *wrapped = gst_context_new_cuda_context(context);
    GstElement *element = gpu_element("engine", "cpu", NULL);
    GstQuery *query = gst_query_new_context(GST_CUDA_CONTEXT_TYPE);
    Gpu *gpu;

    gst_element_set_context(element, wrapped);
    gst_context_unref(wrapped);
    gpu = gpu_new(element, NULL, FALSE, NV12);
    gpu_run(gpu, 0, 1);
    fail_unless(gpu_pop(gpu->bus, GST_MESSAGE_NEED_CONTEXT) == NULL);
    fail_if(gst_pad_peer_query(gpu->h->srcpad, query));
    gst_query_unref(query);
    gpu_free(gpu);
    gst_object_unref(context);
}
GST_END_TEST;

/* Two elements of a pipeline share a context and a model. */
SUITE_TEST(test_shared)
{
    GstElement *bin = gst_parse_launch(
        "videotestsrc num-buffers=3 ! video/x-raw,format=NV12,width=64,height=48 ! "
        "tee name=t t. ! queue ! rvosseg name=a engine=cuda ! fakesink async=false "
        "t. ! queue ! rvosseg name=b engine=cuda ! fakesink async=false",
        NULL);
    GstElement *r;

    for (guint i = 0; i < 2; i++) {
        r = gst_bin_get_by_name(GST_BIN(bin), i ? "b" : "a");
        g_object_set(r, "model", real_model(), "network-width", 32, "network-height", 32,
                     NULL);
        gst_object_unref(r);
    }
    gst_element_set_state(bin, GST_STATE_PLAYING);
    suite_wait_for_eos(bin, 20);
    fail_unless_equals_int(fake_cuda_get().live_contexts, 1);
    r = gst_bin_get_by_name(GST_BIN(bin), "a");
    fail_unless_equals_uint64(gpu_stat(&(Gpu){.element = r}, "model-users"), 2);
    gst_object_unref(r);
    gst_element_set_state(bin, GST_STATE_NULL);
    gst_object_unref(bin);
}
GST_END_TEST;

/* Elements in two contexts do not share weights. */
SUITE_TEST(test_models_by_context)
{
    GstCudaContext *contexts[2] = {gpu_context(0), gpu_context(0)};
    Gpu *a = gpu_new(gpu_element(NULL, NULL), contexts[0], TRUE, NV12);
    Gpu *b = gpu_new(gpu_element(NULL, NULL), contexts[1], TRUE, NV12);
    Gpu *c = gpu_new(gpu_element(NULL, NULL), contexts[1], TRUE, NV12);

    fail_unless_equals_uint64(gpu_stat(a, "model-users"), 1);
    fail_unless_equals_uint64(gpu_stat(b, "model-users"), 2);
    gpu_free(a);
    gpu_free(b);
    gpu_free(c);
    gst_object_unref(contexts[0]);
    gst_object_unref(contexts[1]);
}
GST_END_TEST;

/* ---- following the frames --------------------------------------------------------- */

static void expect_resets(Gpu *gpu, const gchar *wanted)
{
    gchar *resets = gpu_resets(gpu);

    fail_unless_equals_string(resets, wanted);
    g_free(resets);
}

/* Upstream does not tell the context of its frames before they come. */
SUITE_TEST(test_follows)
{
    GstCudaContext *contexts[3] = {gpu_context(0), gpu_context(1), gpu_context(1)};
    Gpu *gpu = gpu_new(gpu_element(NULL, NULL), contexts[0], FALSE, NV12);

    for (guint i = 0; i < 3; i++) {
        gst_object_replace((GstObject **)&gpu->context, GST_OBJECT(contexts[i]));
        gpu_set_caps(gpu, NV12);
        for (guint n = 0; n < 3; n++) {
            GstBuffer *out = gpu_push(gpu, 3 * i + n);

            fail_unless(gpu_is_cuda(out));
            gst_buffer_unref(out);
        }
    }
    /* Before the first frame, and then twice with the state lost. */
    expect_resets(gpu, "start,start,start");
    fail_unless_equals_uint64(gpu_stat(gpu, "frames-in"), 9);
    fail_unless_equals_uint64(gpu_stat(gpu, "inferred"), 9);
    fail_unless_equals_int(fake_cuda_get().to_host, 0);
    fail_unless_equals_int(fake_cuda_get().to_device, 0);
    gpu_free(gpu);
    /* Its own context of the start was freed when it moved. */
    fail_unless_equals_int(fake_cuda_get().live_contexts, 3);
    for (guint i = 0; i < 3; i++)
        gst_object_unref(contexts[i]);
}
GST_END_TEST;

/* A given number is kept, in any context of that GPU. */
SUITE_TEST(test_follows_on_its_gpu_only)
{
    GstCudaContext *contexts[2] = {gpu_context(1), gpu_context(0)};
    Gpu *gpu =
        gpu_new(gpu_element("cuda-device-id", "1", NULL), contexts[0], FALSE, NV12);

    gpu_run(gpu, 0, 2);
    gst_object_replace((GstObject **)&gpu->context, GST_OBJECT(contexts[1]));
    gpu_set_caps(gpu, NV12);
    fail_unless_equals_int(gst_harness_push(gpu->h, gpu_frame(gpu, 2)), GST_FLOW_ERROR);
    gpu_expect_error(gpu->bus, GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_SETTINGS,
                     "on GPU 0, but cuda-device-id is 1");
    gpu_free(gpu);
    gst_object_unref(contexts[0]);
    gst_object_unref(contexts[1]);
}
GST_END_TEST;

/* ---- starting and stopping -------------------------------------------------------- */

/* The emulated engine takes seconds to start under valgrind. */
static guint times(void)
{
    const gchar *preloaded = g_getenv("LD_PRELOAD");

    return preloaded && strstr(preloaded, "vgpreload") ? 3 : 20;
}

/* 20 times NULL to PLAYING, with frames, in a given context. */
SUITE_TEST(test_20_times)
{
    GstCudaContext *context = gpu_context(1);
    Gpu *gpu = gpu_new(gpu_element(NULL, NULL), context, TRUE, NV12);

    for (guint i = 0; i < times(); i++) {
        fake_cuda_counts counts;

        gpu_set_state(gpu, GST_STATE_NULL);
        counts = fake_cuda_get();
        fail_unless_equals_int(counts.live_contexts, 1);
        gpu_start_again(gpu, NV12);
        gpu_run(gpu, 0, 2);
        fail_unless_equals_int(fake_cuda_get().live_contexts, 1);
    }
    fail_unless_equals_int(fake_cuda_get().to_host, 0);
    gpu_free(gpu);
    gst_object_unref(context);
}
GST_END_TEST;

/* In a pipeline: each start makes a context, or finds the one that the bin has kept. */
SUITE_TEST(test_pipeline_20_times)
{
    GstElement *bin = gst_parse_launch(
        "videotestsrc num-buffers=2 ! video/x-raw,format=NV12,width=64,height=48 ! "
        "rvosseg name=r engine=cuda ! fakesink",
        NULL);
    GstElement *r = gst_bin_get_by_name(GST_BIN(bin), "r");

    g_object_set(r, "model", real_model(), "network-width", 32, "network-height", 32,
                 NULL);
    for (guint i = 0; i < times(); i++) {
        gst_element_set_state(bin, GST_STATE_PLAYING);
        suite_wait_for_eos(bin, 20);
        fail_unless_equals_int(fake_cuda_get().live_contexts, 1);
        gst_element_set_state(bin, GST_STATE_NULL);
    }
    gst_object_unref(r);
    gst_object_unref(bin);
}
GST_END_TEST;

/* A flushing seek forgets the objects, and nothing else. */
SUITE_TEST(test_flush)
{
    GstCudaContext *context = gpu_context(0);
    Gpu *gpu = gpu_new(gpu_element(NULL, NULL), context, TRUE, NV12);
    glong allocs;

    gpu_run(gpu, 0, 3);
    allocs = fake_cuda_get().allocs;
    for (guint i = 0; i < 3; i++) {
        suite_flush(gpu->h);
        gpu_run(gpu, 0, 3);
    }
    expect_resets(gpu, "start,flush,flush,flush");
    fail_unless_equals_int(fake_cuda_get().allocs, allocs);
    fail_unless_equals_int(fake_cuda_get().to_host, 0);
    gpu_free(gpu);
    gst_object_unref(context);
}
GST_END_TEST;

/* Frames in system memory with the CUDA engine: librvos copies them, so gst-cuda counts
 * no copies. */
SUITE_TEST(test_system_memory)
{
    Gpu *gpu = gpu_new(gpu_element(NULL, NULL), NULL, FALSE, NV12);
    gchar *engine;
    glong up[2], down[2];

    gpu_run(gpu, 0, 1);
    gpu_engine_copies(&up[0], &down[0]);
    gpu_run(gpu, 1, 3);
    gpu_engine_copies(&up[1], &down[1]);
    engine = gpu_text_stat(gpu, "engine");
    fail_unless_equals_string(engine, "cuda");
    fail_unless(up[1] - up[0] >= 2 * 64 * 48 * 3 / 2);
    fail_unless(down[1] - down[0] >= 2 * 64 * 48);
    fail_unless_equals_uint64(gpu_stat(gpu, "readback-bytes"), 3 * 64 * 48);
    fail_unless_equals_int(fake_cuda_get().to_host, 0);
    fail_unless_equals_int(fake_cuda_get().allocs, 0);
    g_free(engine);
    gpu_free(gpu);
}
GST_END_TEST;

SUITE_MAIN("cuda-contexts", 120, gpu_setup, gpu_teardown)
