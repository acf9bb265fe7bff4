/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* refuses.c - a model that this engine cannot run gives one message, and the next one
 * loads.
 *
 *     cuda-refuses MODEL_DIR */
#include "../engine/fixture.h"

int main(int argc, char **argv)
{
    char path[1024];

    if (argc != 2 || !(device = open_device("cuda", 0, &log_)))
        return 1;
    log_.quiet = true;
    for (int i = 0; i < 2; i++) {
        snprintf(path, sizeof(path), "%s/%s.safetensors", argv[1],
                 i ? "effnet-lite0" : "mobilenetv2");
        log_.errors = 0;
        model = (void *)1;
        CHECK(rvos_model_load(&model, device, path, NULL) == RVOS_ERR_UNSUPPORTED);
        test_note(CHECK(log_.errors == 1 && !model && strstr(log_.last, path) &&
                        strstr(log_.last, "use the CPU")),
                  "%d errors, %s", log_.errors, log_.last);
    }
    model = load_model(device, argv[1], "r18", 0, 0);
    close_handles(NULL, &model, &device);
    return test_done();
}
