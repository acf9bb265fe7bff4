/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* faults.c - tests faults on a GPU one after another: each gives a status and a line in
 * the log, and afterwards everything works again.
 *
 *     cuda-faults MODEL */
#include <cuda_runtime_api.h>
#include <string.h>

#include "rvos.h"
#include "../test.h"

#define BLOCKS 4096

static struct {
    int errors, warnings;
    char line[1024];
} seen;

static void on_log(void *opaque, rvos_log_level level, const char *line)
{
    (void)opaque;
    if (level > RVOS_LOG_WARNING)
        return;
    seen.errors += level == RVOS_LOG_ERROR;
    seen.warnings += level == RVOS_LOG_WARNING;
    snprintf(seen.line, sizeof(seen.line), "%s", line);
    printf("    %s\n", line);
}

static rvos_device *open_device(const char *backend, int index)
{
    rvos_device *device = NULL;

    memset(&seen, 0, sizeof(seen));
    rvos_device_open(&device, &(rvos_device_params){
                                  .backend = backend, .index = index, .log = on_log});
    return device;
}

/* Runs a frame through a new model; the sum of its labels, or below 0. */
static long play(rvos_device *device, const char *path, int *status)
{
    rvos_model *model = NULL;
    rvos_stream *stream = NULL;
    static uint8_t rgb[64 * 64 * 3], map[64 * 64];
    rvos_image image = {
        .format = RVOS_RGB, .width = 64, .height = 64, .plane = {rgb}, .stride = {192}};
    rvos_labels labels = {.width = 64, .height = 64, .data = map, .stride = 64};
    long sum = 0;

    for (size_t i = 0; i < sizeof(rgb); i++)
        rgb[i] = (uint8_t)(i * 2654435761u >> 13);
    *status = rvos_model_load(&model, device, path, NULL);
    if (!*status)
        *status = rvos_stream_open(&stream, model, NULL);
    if (!*status)
        *status = rvos_stream_process(stream, &image, &(rvos_output){.labels = &labels});
    for (size_t i = 0; i < sizeof(map); i++)
        sum += map[i];
    rvos_stream_close(&stream);
    rvos_model_close(&model);
    return *status ? -1 : sum;
}

/* Another engine may have been chosen, so pixels at edges may differ. */
static bool alike(long sum, long want)
{
    long off = sum > want ? sum - want : want - sum;

    return sum >= 0 && off <= want / 20 + 20;
}

static void bad_devices(void)
{
    rvos_device *device;

    printf("no such GPU, named and not\n");
    device = open_device("cuda", 99);
    CHECK(!device && seen.errors == 1 && !seen.warnings &&
          strstr(seen.line, "no GPU 99"));
    setenv("RVOS_CUDA", "1", 1);
    device = open_device(NULL, 99);
    CHECK(device && !seen.errors && seen.warnings == 1);
    rvos_device_close(&device);
}

/* Memory runs out at every amount: first the model fails, then the plan. */
static void no_memory(rvos_device *device, const char *path, long want)
{
    static void *block[BLOCKS];
    static const size_t sizes[] = {64 << 20, 4 << 20};
    int n = 0, status, failed = 0, ran = 0;

    printf("no memory\n");
    for (size_t s = 0; s < 2; s++)
        while (n < BLOCKS && cudaMalloc(&block[n], sizes[s]) == cudaSuccess)
            n++;
    cudaGetLastError();
    for (int tries = 0; tries < 60 && n; tries++) {
        long sum;

        memset(&seen, 0, sizeof(seen));
        sum = play(device, path, &status);
        CHECK(!status || seen.errors >= 1);
        CHECK(status || alike(sum, want));
        failed += status != 0;
        ran += status == 0;
        if (ran > 1)
            break;
        for (int i = 0; i < 2 && n; i++)
            cudaFree(block[--n]);
    }
    CHECK(ran > 0);
    test_note(CHECK(failed > 0), "memory never ran out");
    while (n)
        cudaFree(block[--n]);
    CHECK(alike(play(device, path, &status), want));
}

static void spoil(const char *folder)
{
    char command[300];

    snprintf(command, sizeof(command),
             "find '%s' -type f | while read f; do head -c 3000 /dev/zero > \"$f\"; done",
             folder);
    CHECK(system(command) == 0);
}

/* A new device each, for one remembers. */
static void caches(const char *path, long want)
{
    const char *old = getenv("XDG_CACHE_HOME");
    const char *folder = test_folder();
    char keep[400];
    const char *const names[] = {"/proc/nowhere", folder, folder, "relative"};

    snprintf(keep, sizeof(keep), "%s", old ? old : "");
    for (int i = 0; i < 4; i++) {
        rvos_device *device;
        int status;

        printf("cache in %s%s\n", names[i], i == 2 ? ", spoilt" : "");
        setenv("XDG_CACHE_HOME", names[i], 1);
        if (i == 2)
            spoil(folder);
        device = open_device("cuda", 0);
        if (CHECK(device != NULL))
            CHECK(alike(play(device, path, &status), want) && !seen.errors &&
                  !seen.warnings);
        rvos_device_close(&device);
    }
    if (old)
        setenv("XDG_CACHE_HOME", keep, 1);
    else
        unsetenv("XDG_CACHE_HOME");
}

int main(int argc, char **argv)
{
    rvos_device *device;
    int count = 0, status = 0;
    long want;

    if (argc < 2 || cudaGetDeviceCount(&count) != cudaSuccess || !count)
        return test_skip("no GPU, or no model");
    bad_devices();
    device = open_device("cuda", 0);
    if (!CHECK(device != NULL))
        return test_done();
    want = play(device, argv[1], &status);
    CHECK(want >= 0);
    no_memory(device, argv[1], want);
    rvos_device_close(&device);
    caches(argv[1], want);
    return test_done();
}
