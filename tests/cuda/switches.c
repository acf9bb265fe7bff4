/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* switches.c - tests the environment variables of the CUDA engine: each value has its
 * meaning, and an unknown one gives a warning and counts as not set. */
#include "device/switches.h"
#include "../test.h"

#include <stdlib.h>
#include <string.h>

static int warnings;
static char last[256];

static void on_log(void *opaque, rvos_log_level level, const char *line)
{
    (void)opaque;
    warnings += level == RVOS_LOG_WARNING;
    snprintf(last, sizeof(last), "%s", line);
}

static struct rv_switches with(const char *name, const char *value)
{
    const rvos_device dev = {.params = {.log = on_log}};
    struct rv_switches s;

    setenv(name, value, 1);
    rv_switches_read(&dev, &s);
    unsetenv(name);
    return s;
}

int main(void)
{
    static const char *const names[] = {
        "RVOS_CUDA_CONV",  "RVOS_CUDA_TUNE",  "RVOS_CUDA_CHAIN", "RVOS_CUDA_CELL",
        "RVOS_CUDA_CHECK", "RVOS_CUDA_TIMES", "RVOS_CUDA_STEPS"};
    const int n = sizeof(names) / sizeof(names[0]);
    const struct rv_switches none = {0};

    for (int i = 0; i < n; i++)
        unsetenv(names[i]);
    CHECK(with("RVOS_CUDA_CONV", "cudnn").conv == RV_CONV_CUDNN);
    CHECK(with("RVOS_CUDA_CONV", "tile").conv == RV_CONV_TILE);
    CHECK(with("RVOS_CUDA_CONV", "plain").conv == RV_CONV_PLAIN);
    CHECK(with("RVOS_CUDA_TUNE", "0").tune == RV_TUNE_NOT);
    CHECK(with("RVOS_CUDA_TUNE", "all").tune == RV_TUNE_ALL);
    CHECK(with("RVOS_CUDA_CHAIN", "0").chain == RV_CHAIN_NEVER);
    CHECK(with("RVOS_CUDA_CHAIN", "1").chain == RV_CHAIN_ALWAYS);
    CHECK(with("RVOS_CUDA_CELL", "steps").cell_steps);
    CHECK(with("RVOS_CUDA_CHECK", "1").check);
    CHECK(with("RVOS_CUDA_TIMES", "1").times);
    CHECK(with("RVOS_CUDA_STEPS", "1").steps);
    CHECK(!with("RVOS_CUDA_STEPS", "0").steps);
    CHECK(warnings == 0);
    for (int i = 0; i < n; i++) {
        struct rv_switches s = with(names[i], "");

        CHECK(warnings == i && !memcmp(&s, &none, sizeof(s)));
        s = with(names[i], "other");
        CHECK(warnings == i + 1 && !memcmp(&s, &none, sizeof(s)));
        CHECK(strstr(last, names[i]) && strstr(last, "=other"));
    }
    return test_done();
}
