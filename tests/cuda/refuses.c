/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* refuses.c - a model that this engine cannot run gives one message, and the next one
 * loads.
 *
 *     cuda-refuses MODEL_DIR */
#include <stdio.h>
#include <string.h>

#include "rvos.h"
#include "../test.h"

static char last[512];
static int errors;

static void on_log(void *opaque, rvos_log_level level, const char *line)
{
    (void)opaque;
    if (level != RVOS_LOG_ERROR)
        return;
    errors++;
    snprintf(last, sizeof(last), "%s", line);
}

int main(int argc, char **argv)
{
    const rvos_device_params params = {.backend = "cuda", .log = on_log};
    rvos_device *device;
    rvos_model *model = (void *)1;
    char path[1024];

    if (argc != 2 || !CHECK(rvos_device_open(&device, &params) == 0))
        return 1;
    for (int i = 0; i < 2; i++) {
        snprintf(path, sizeof(path), "%s/%s.safetensors", argv[1],
                 i ? "effnet-lite0" : "mobilenetv2");
        errors = 0;
        CHECK(rvos_model_load(&model, device, path, NULL) == RVOS_ERR_UNSUPPORTED);
        test_note(CHECK(errors == 1 && !model && strstr(last, path) &&
                        strstr(last, "use the CPU")),
                  "%d errors, %s", errors, last);
    }
    snprintf(path, sizeof(path), "%s/r18.safetensors", argv[1]);
    CHECK(rvos_model_load(&model, device, path, NULL) == 0);
    rvos_model_close(&model);
    rvos_device_close(&device);
    return test_done();
}
