/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* check_steps.c - tests RVOS_CUDA_CHECK=1: with a correct engine all steps agree; if one
 * kernel does nothing, the log names its step and no other.
 *
 *     cuda-check-steps MODEL_DIR     with the emulated GPU */
#include "../engine/fixture.h"

static atomic_int agreed;

static void on_any(void *opaque, rvos_log_level level, const char *line)
{
    if (strstr(line, "RVOS_CUDA_CHECK") && strstr(line, "steps agree"))
        agreed++;
    on_log(opaque, level, line);
}

/* Runs three frames; the kernel `skip` does nothing in the second one. */
static void run(const char *folder, rvos_precision precision, const char *skip,
                const char *words)
{
    static uint8_t labels[NET_W * NET_H];
    rvos_device *device = NULL;
    rvos_model *model;
    rvos_stream *stream;

    agreed = 0;
    log_ = (struct log){.quiet = skip != NULL};
    CHECK(rvos_device_open(&device, &(rvos_device_params){.backend = "cuda",
                                                          .log = on_any,
                                                          .log_opaque = &log_}) == 0);
    model = load_with(
        device, folder, "r18-h64",
        (rvos_model_params){.width = NET_W, .height = NET_H, .precision = precision});
    stream = open_stream(model, RVOS_TASK_ONE_SHOT, 2);
    CHECK(seed_objects(stream, 3, 3) == 0);
    CHECK(process_labels(stream, 0, labels) == 0);
    CHECK(!log_.errors);
    if (skip)
        setenv("RVOS_EMULATED_SKIP", skip, 1);
    CHECK(process_labels(stream, 1, labels) == 0);
    unsetenv("RVOS_EMULATED_SKIP");
    CHECK(process_labels(stream, 2, labels) == 0);
    test_note(CHECK(log_.errors == (skip != NULL)), "%s: %d errors",
              skip ? skip : "nothing", log_.errors);
    if (skip)
        test_note(CHECK(strstr(log_.last, "RVOS_CUDA_CHECK: frame ") &&
                        strstr(log_.last, words)),
                  "%s: \"%s\" does not say \"%s\"", skip, log_.last, words);
    else
        CHECK(agreed >= 4); /* a warm-up, and three frames */
    close_handles(&stream, &model, &device);
}

int main(int argc, char **argv)
{
    static const struct {
        rvos_precision precision;
        const char *skip, *words;
    } cases[] = {
        {RVOS_PRECISION_FP32, NULL, NULL},
        {RVOS_PRECISION_FP32, "1 shrink", "is off: preproc"},
        {RVOS_PRECISION_FP32, "3 conv", "is off: conv"},
        {RVOS_PRECISION_FP32, "1 maxpool", "is off: maxpool"},
        {RVOS_PRECISION_FP32, "1 cell_update", "is off: cell      0"},
        {RVOS_PRECISION_FP32, "2 cell_update", "is off: cell"},
        {RVOS_PRECISION_FP32, "1 mask_coarse", "is off: mask"},
        {RVOS_PRECISION_FP32, "1 mask_full", "is off: mask"},
        {RVOS_PRECISION_FP32, "1 labels", "is off: labels"},
        {RVOS_PRECISION_FP16, NULL, NULL},
        {RVOS_PRECISION_FP16, "2 kernel", "is off: conv"},
        {RVOS_PRECISION_FP16, "2 cell_tile", "is off: cell"},
        {RVOS_PRECISION_FP16, "1 gather", "is off: conv"},
    };

    if (argc < 2)
        return test_skip("usage: cuda-check-steps MODEL_DIR");
    setenv("RVOS_CUDA_CHECK", "1", 1);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        setenv("RVOS_CUDA_CONV",
               cases[i].precision == RVOS_PRECISION_FP16 ? "tile" : "plain", 1);
        run(argv[1], cases[i].precision, cases[i].skip, cases[i].words);
    }
    return test_done();
}
