/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* lies.c - tests that kernels are chained only to our own: if an engine wrongly claims
 * that a library's kernels are ours, the graph is lost, but the frames are right.
 *
 *     cuda-lies MODEL_DIR     with RVOS_EMULATED_SM=90, RVOS_CUDA_CHAIN=1,
 * RVOS_CUDA_TUNE=0 and RVOS_EMULATED_REFUSE=1: so both kinds come in turn */
#include <string.h>

#include "../engine/fixture.h"

static float *run(const char *folder, const char *conv, int *warnings)
{
    rvos_device *device;
    rvos_model *model = NULL;
    rvos_stream *stream = NULL;
    float *logits = calloc(PLANE, sizeof(float));

    setenv("RVOS_EMULATED_CONV", conv, 1);
    log_ = (struct log){.quiet = true};
    device = open_device("cuda", 0, &log_);
    model = load_model(device, folder, "r18-h64", NET_W, NET_H);
    stream = open_stream(model, RVOS_TASK_ZERO_SHOT, 1);
    for (int t = 0; t < 4; t++)
        CHECK(process_frame(stream, t, NULL) == 0);
    read_logits(stream, 1, logits);
    *warnings = log_.warnings;
    CHECK(!log_.errors || log_.warnings); /* the launch that was refused */
    if (log_.warnings)
        CHECK(strstr(log_.last, "could not be captured"));
    close_handles(&stream, &model, &device);
    return logits;
}

int main(int argc, char **argv)
{
    float *honest, *lies;
    int warnings;

    if (argc < 2)
        return test_skip("usage: cuda-lies MODEL_DIR");
    honest = run(argv[1], "sums", &warnings);
    CHECK(warnings == 0);
    lies = run(argv[1], "lies", &warnings);
    CHECK(warnings > 0);
    for (int i = 0; i < PLANE; i++)
        CHECK(honest[i] - lies[i] < 0.1f && lies[i] - honest[i] < 0.1f);
    free(honest);
    free(lies);
    return test_done();
}
