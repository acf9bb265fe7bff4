/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Tests when the element takes frames in CUDA memory, and who allocates them. */
#include "gpurig.h"

#include <string.h>

/* The kinds of memory of the sink pad, in order of preference: "cuda", "system" or both.
 */
static void expect_caps(GstElement *element, const gchar *wanted)
{
    GstPad *sink = gst_element_get_static_pad(element, "sink");
    GstCaps *caps = gst_pad_query_caps(sink, NULL);
    GString *text = g_string_new(NULL);

    for (guint i = 0; i < gst_caps_get_size(caps); i++)
        g_string_append_printf(
            text, "%s%s", i ? " " : "",
            gst_caps_features_contains(gst_caps_get_features(caps, i),
                                       GST_CAPS_FEATURE_MEMORY_CUDA_MEMORY)
                ? "cuda"
                : "system");
    fail_unless_equals_string(text->str, wanted);
    g_string_free(text, TRUE);
    gst_caps_unref(caps);
    gst_object_unref(sink);
}

/* Before the start the engine's name decides, after it the engine in use. */
static void expect_both(const gchar *engine, const gchar *before, const gchar *after)
{
    GstElement *element = gpu_element("engine", engine, NULL);

    expect_caps(element, before);
    fail_unless_equals_int(gst_element_set_state(element, GST_STATE_PAUSED),
                           GST_STATE_CHANGE_SUCCESS);
    expect_caps(element, after);
    gst_element_set_state(element, GST_STATE_NULL);
    expect_caps(element, before);
    gst_object_unref(element);
}

SUITE_TEST(test_by_engine)
{
    expect_both("cuda", "cuda system", "cuda system");
    expect_both("cpu", "system", "system");
    expect_both("reference", "system", "system");
    expect_both("auto", "system", "system");
    g_setenv("RVOS_CUDA", "1", TRUE);
    expect_both("auto", "cuda system", "cuda system");
    g_setenv("RVOS_EMULATED_NO_GPU", "1", TRUE); /* falls back to the CPU */
    expect_both("auto", "cuda system", "system");
    g_unsetenv("RVOS_EMULATED_NO_GPU");
    g_unsetenv("RVOS_CUDA");
}
GST_END_TEST;

/* Without a context of gst-cuda the engine runs, with system memory. */
SUITE_TEST(test_without_context)
{
    fake_cuda_fail("cuCtxCreate_v2", CUDA_ERROR_OUT_OF_MEMORY, 0);
    expect_both("cuda", "cuda system", "system");
}
GST_END_TEST;

static gboolean accepts(GstElement *element, const gchar *text)
{
    GstCaps *caps = gst_caps_from_string(text);
    GstPad *sink = gst_element_get_static_pad(element, "sink");
    gboolean accepted = gst_pad_query_accept_caps(sink, caps);

    gst_object_unref(sink);
    gst_caps_unref(caps);
    return accepted;
}

/* The formats of these that are accepted, comma separated; to be freed. */
static gchar *asked(GstElement *element, const gchar *text)
{
    GstCaps *filter = gst_caps_from_string(text);
    GstPad *sink = gst_element_get_static_pad(element, "sink");
    GstCaps *caps = gst_pad_query_caps(sink, filter);
    GString *formats = g_string_new(NULL);

    caps = gst_caps_normalize(caps);
    for (guint i = 0; i < gst_caps_get_size(caps); i++)
        g_string_append_printf(
            formats, "%s%s", i ? "," : "",
            gst_structure_get_string(gst_caps_get_structure(caps, i), "format"));
    gst_object_unref(sink);
    gst_caps_unref(caps);
    gst_caps_unref(filter);
    return g_string_free(formats, FALSE);
}

static void expect_asked(GstElement *element, const gchar *text, const gchar *wanted)
{
    gchar *formats = asked(element, text);

    fail_unless_equals_string(formats, wanted);
    g_free(formats);
}

SUITE_TEST(test_accept_caps)
{
    static const gchar *const rest = "width=9,height=9,framerate=30/1";
    static const struct {
        const gchar *format;
        gboolean cuda, system; /* in memory of that kind */
    } cases[] = {{"NV12", TRUE, TRUE},        {"I420", TRUE, TRUE},
                 {"RGBA", TRUE, TRUE},        {"BGRx", TRUE, TRUE},
                 {"ARGB", FALSE, TRUE},       {"GRAY8", FALSE, FALSE},
                 {"P010_10LE", FALSE, FALSE}, {"YV12", FALSE, TRUE},
                 {"NV21", FALSE, FALSE},      {"YUY2", FALSE, FALSE}};

    for (guint a = 0; a < 2; a++) {
        Gpu *gpu = gpu_new(gpu_element("output", a ? "alpha" : "overlay", NULL), NULL,
                           FALSE, "NV12", 64, 48);

        for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
            gchar *cuda = g_strdup_printf("video/x-raw(memory:CUDAMemory),format=%s,%s",
                                          cases[i].format, rest);
            gchar *system =
                g_strdup_printf("video/x-raw,format=%s,%s", cases[i].format, rest);

            fail_unless_equals_int(accepts(gpu->element, cuda), cases[i].cuda);
            fail_unless_equals_int(accepts(gpu->element, system), cases[i].system);
            g_free(cuda);
            g_free(system);
        }
        /* A neighbour with a choice is asked for an alpha channel. */
        expect_asked(gpu->element,
                     "video/x-raw(memory:CUDAMemory),format={NV12,RGBA,BGRx}",
                     a ? "RGBA" : "NV12,RGBA,BGRx");
        expect_asked(gpu->element, "video/x-raw(memory:CUDAMemory),format=NV12", "NV12");
        gpu_free(gpu);
    }
}
GST_END_TEST;

/* ---- allocation ------------------------------------------------------------------- */

static GstBufferPool *ask(Gpu *gpu, guint *size, gboolean *meta)
{
    GstCaps *caps = gst_pad_get_current_caps(gpu->h->srcpad);
    GstQuery *query = gst_query_new_allocation(caps, TRUE);
    GstBufferPool *pool = NULL;

    fail_unless(gst_pad_peer_query(gpu->h->srcpad, query));
    *meta = gst_query_find_allocation_meta(query, GST_VIDEO_META_API_TYPE, NULL);
    if (gst_query_get_n_allocation_pools(query) > 0)
        gst_query_parse_nth_allocation_pool(query, 0, &pool, size, NULL, NULL);
    gst_query_unref(query);
    gst_caps_unref(caps);
    return pool;
}

/* Without a pool downstream, ours is in our context, with padded rows. */
SUITE_TEST(test_proposes_pool)
{
    GstCudaContext *context = gpu_context(1);
    Gpu *gpu = gpu_new(gpu_element(NULL, NULL), context, TRUE, "NV12", 98, 70);
    GstBufferPool *pool;
    gboolean meta;
    guint size = 0;

    pool = ask(gpu, &size, &meta);
    fail_unless(GST_IS_CUDA_BUFFER_POOL(pool));
    fail_unless(GST_CUDA_BUFFER_POOL(pool)->context == context);
    fail_unless(size >= 512 * 70 * 3 / 2 && size % 512 == 0, "%u bytes", size);
    fail_if(meta, "whether rows may be padded is not for us to say");
    gst_object_unref(pool);

    gst_clear_object(&gpu->context); /* and for system memory none, as before */
    gpu_set_caps(gpu, "NV12", 98, 70);
    pool = ask(gpu, &size, &meta);
    fail_unless(pool == NULL || !GST_IS_CUDA_BUFFER_POOL(pool));
    gst_clear_object(&pool);
    gpu_free(gpu);
    gst_object_unref(context);
}
GST_END_TEST;

static GstBufferPool *offered;

static GstPadProbeReturn offer(G_GNUC_UNUSED GstPad *pad, GstPadProbeInfo *info,
                               G_GNUC_UNUSED gpointer user)
{
    GstQuery *query = GST_PAD_PROBE_INFO_QUERY(info);

    if (GST_QUERY_TYPE(query) != GST_QUERY_ALLOCATION)
        return GST_PAD_PROBE_OK;
    gst_query_add_allocation_pool(query, offered, 1000, 2, 7);
    return GST_PAD_PROBE_HANDLED;
}

/* Downstream's pool is passed on; one for system memory is not. */
SUITE_TEST(test_downstreams_pool)
{
    GstCudaContext *context = gpu_context(0);
    Gpu *gpu = gpu_new(gpu_element(NULL, NULL), context, TRUE, "NV12", 98, 70);
    GstBufferPool *pool;
    gboolean meta;
    guint size = 0;

    gst_pad_add_probe(gpu->h->sinkpad, GST_PAD_PROBE_TYPE_QUERY_DOWNSTREAM, offer, NULL,
                      NULL);
    for (guint i = 0; i < 2; i++) {
        offered = i ? gst_buffer_pool_new() : gst_cuda_buffer_pool_new(context);
        pool = ask(gpu, &size, &meta);
        fail_unless(GST_IS_CUDA_BUFFER_POOL(pool));
        fail_unless_equals_int(pool == offered, i == 0);
        fail_unless_equals_int(size == 1000, i == 0);
        gst_object_unref(pool);
        gst_clear_object(&offered);
    }
    gpu_free(gpu);
    gst_object_unref(context);
}
GST_END_TEST;

SUITE_MAIN("cuda-caps", 0, gpu_setup, gpu_teardown)
