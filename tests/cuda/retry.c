/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* retry.c - lets each allocation and each upload fail once while a stream is opened.
 * Opened again on the same model, the stream must give its usual numbers.
 *
 *     cuda-retry MODEL_DIR
 *
 * Leftovers of the failure must not be used as weights. Only the compared frames are
 * computed: RVOS_EMULATED_DRY is set while plans are made. */
#include <string.h>

#include "../engine/fixture.h"

static int open_dry(rvos_model *model, rvos_stream **stream)
{
    int ret;

    setenv("RVOS_EMULATED_DRY", "1", 1);
    ret = rvos_stream_open(stream, model, &(rvos_stream_params){.objects = 2});
    unsetenv("RVOS_EMULATED_DRY");
    return ret;
}

/* Logits of both objects after one frame. */
static void logits(rvos_stream *stream, float out[2 * PLANE])
{
    CHECK(process_frame(stream, 0, NULL) == 0);
    read_logits(stream, 2, out);
}

/* Whether the n-th call fails at all. */
static bool fail_once(rvos_device *device, const char *folder, const char *name, int n,
                      const float *want)
{
    rvos_model *model = load_model(device, folder, "r18", NET_W, NET_H);
    rvos_stream *stream = NULL;
    float got[2 * PLANE];
    char at[16];
    int ret;

    snprintf(at, sizeof(at), "+%d", n);
    setenv(name, at, 1);
    ret = open_dry(model, &stream);
    unsetenv(name);
    rvos_stream_close(&stream);
    test_note(CHECK(open_dry(model, &stream) == 0), "%s=%d", name, n);
    if (stream) {
        logits(stream, got);
        test_note(CHECK(!memcmp(got, want, sizeof(got))), "after %s=%d", name, n);
    }
    close_handles(&stream, &model, NULL);
    return ret != 0;
}

int main(int argc, char **argv)
{
    static const char *const names[] = {"RVOS_EMULATED_FAIL",
                                        "RVOS_EMULATED_FAIL_UPLOAD"};
    rvos_device *device;
    rvos_model *model;
    rvos_stream *stream = NULL;
    static float want[2 * PLANE];

    if (argc < 2)
        return test_skip("usage: cuda-retry MODEL_DIR");
    device = open_device("cuda", 0, &log_);
    model = load_model(device, argv[1], "r18", NET_W, NET_H);
    CHECK(open_dry(model, &stream) == 0);
    if (!stream)
        return test_done();
    logits(stream, want);
    close_handles(&stream, &model, NULL);
    log_.quiet = true;
    for (int i = 0; i < 2; i++) {
        int n = 1, failed = 0;

        /* Some failures only cost a graph or a trial. */
        for (int good = 0; good < 8; n++) {
            bool did = fail_once(device, argv[1], names[i], n, want);

            failed += did;
            good = did ? 0 : good + 1;
        }
        printf("%s: %d calls failed in turn\n", names[i], failed);
        CHECK(failed > 40);
    }
    rvos_device_close(&device);
    return test_done();
}
