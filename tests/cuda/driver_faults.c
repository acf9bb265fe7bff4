/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* driver_faults.c - runs the real module with a driver that fails in every way: each time
 * one line says why, and with RVOS_CUDA=1 the CPU is used with a warning. The driver is
 * that of fakedriver/. It has no kernels, so the module cannot get further.
 *
 *     cuda-driver-faults              against fakecuda.c
 *     cuda-driver-faults old          against olddriver.c, which lacks a function */
#include <dlfcn.h>
#include <string.h>

#include "fakedriver/fakecuda.h"
#include "rvos.h"
#include "../test.h"

/* The driver's functions, and those of the fake driver for tests. */
static struct {
    int (*create)(void **context, unsigned int flags, int device);
    int (*destroy)(void *context);
    int (*pop)(void **context);
    void (*fail)(const char *function, int result, long after);
    void (*clear)(void);
    fake_cuda_counts (*get)(void);
    int (*depth)(void);
} driver;

static bool load_driver(void)
{
    const struct {
        const char *name;
        void *to;
    } wanted[] = {
        {"cuCtxCreate_v2", &driver.create},  {"cuCtxDestroy_v2", &driver.destroy},
        {"cuCtxPopCurrent_v2", &driver.pop}, {"fake_cuda_fail", &driver.fail},
        {"fake_cuda_clear", &driver.clear},  {"fake_cuda_get", &driver.get},
        {"fake_cuda_depth", &driver.depth},
    };
    void *library = dlopen("libcuda.so.1", RTLD_NOW);

    for (size_t i = 0; library && i < sizeof(wanted) / sizeof(wanted[0]); i++) {
        *(void **)wanted[i].to = dlsym(library, wanted[i].name);
        if (!*(void **)wanted[i].to)
            return false;
    }
    return library != NULL;
}

/* Equal lines count once. */
struct log {
    int errors, warnings;
    char line[1024], first[1024];
};

static void on_log(void *opaque, rvos_log_level level, const char *line)
{
    struct log *log = opaque;

    if (level > RVOS_LOG_WARNING)
        return;
    if (!strcmp(log->line, line))
        return;
    snprintf(log->line, sizeof(log->line), "%s", line);
    if (!*log->first)
        snprintf(log->first, sizeof(log->first), "%s", line);
    *(level == RVOS_LOG_ERROR ? &log->errors : &log->warnings) += 1;
}

static int open_device(const char *backend, int index, void *context, struct log *log,
                       rvos_device **device)
{
    *log = (struct log){0};
    return rvos_device_open(device, &(rvos_device_params){.backend = backend,
                                                          .index = index,
                                                          .cuda_context = context,
                                                          .threads = 1,
                                                          .log = on_log,
                                                          .log_opaque = log});
}

/* If asked for by name, CUDA fails with one line; out of memory adds the function's line.
 */
static void refused(int index, void *context, int wanted, const char *words)
{
    rvos_device *device;
    struct log log;
    int status = open_device("cuda", index, context, &log, &device);

    test_note(CHECK(status == wanted), "%s: status %d", words, status);
    CHECK(!device);
    test_note(CHECK(log.errors == 1 + (wanted == RVOS_ERR_MEMORY) && !log.warnings),
              "%s: %d errors, %d warnings", words, log.errors, log.warnings);
    test_note(CHECK(strstr(log.first, words) && !strchr(log.first, '\n')),
              "\"%s\" does not say \"%s\"", log.first, words);
    rvos_device_close(&device);
}

/* If not asked for by name, the CPU is used. */
static void falls_back(const char *words)
{
    rvos_device *device;
    rvos_device_info info;
    struct log log;

    setenv("RVOS_CUDA", "1", 1);
    CHECK(open_device(NULL, 0, NULL, &log, &device) == 0);
    unsetenv("RVOS_CUDA");
    rvos_device_get_info(device, &info);
    CHECK(!strcmp(info.backend, "cpu"));
    test_note(CHECK(log.errors + log.warnings == 1), "%s: %d errors, %d warnings", words,
              log.errors, log.warnings);
    test_note(CHECK(strstr(log.line, words)), "\"%s\" does not say \"%s\"", log.line,
              words);
    rvos_device_close(&device);
}

static void environment(const char *name, const char *value, const char *words)
{
    setenv(name, value, 1);
    refused(0, NULL, RVOS_ERR_UNSUPPORTED, words);
    falls_back(words);
    unsetenv(name);
}

static void failing(const char *function, int result, int status, const char *words)
{
    driver.fail(function, result, 0);
    refused(0, NULL, status, words);
    falls_back(words);
    driver.clear();
}

/* A context that is given: of which GPU it is is asked in it. */
static void contexts(void)
{
    void *context = NULL;

    CHECK(driver.create(&context, 0, 0) == 0 && driver.pop(NULL) == 0);
    driver.fail("cuCtxGetDevice", 201, 0);
    refused(0, context, RVOS_ERR_UNSUPPORTED,
            "the given CUcontext is not usable: CUDA_ERROR_INVALID_CONTEXT");
    driver.clear();
    CHECK(driver.destroy(context) == 0);
    refused(0, context, RVOS_ERR_UNSUPPORTED,
            "the given CUcontext is not usable: CUDA_ERROR_INVALID_CONTEXT");
}

static int old_driver(void)
{
    refused(0, NULL, RVOS_ERR_UNSUPPORTED, "too old: no cuDeviceGetCount");
    falls_back("too old: no cuDeviceGetCount");
    return test_done();
}

int main(int argc, char **argv)
{
    if (argc > 1 && !strcmp(argv[1], "old"))
        return old_driver();
    if (!load_driver())
        return test_skip("libcuda.so.1 is not the fake one");
    environment("FAKE_CUDA_DEVICES", "0", "no GPU 0: there are 0");
    environment("FAKE_CUDA_VERSION", "11040", "too old: it knows CUDA 11.4");
    environment("FAKE_CUDA_CAPABILITY", "61", "is sm_61, and at least sm_75 is needed");
    refused(1, NULL, RVOS_ERR_UNSUPPORTED, "no GPU 1: there are 1");
    refused(-1, NULL, RVOS_ERR_UNSUPPORTED, "no GPU -1: there are 1");
    failing("cuInit", 100, RVOS_ERR_UNSUPPORTED, "no usable GPU: CUDA_ERROR_NO_DEVICE");
    failing("cuDeviceGetCount", 999, RVOS_ERR_UNSUPPORTED, "CUDA_ERROR_UNKNOWN");
    failing("cuDeviceGetName", 999, RVOS_ERR_UNSUPPORTED, "CUDA_ERROR_UNKNOWN");
    failing("cuDevicePrimaryCtxRetain", 2, RVOS_ERR_MEMORY,
            "no context could be made: CUDA_ERROR_OUT_OF_MEMORY");
    failing("cuCtxPushCurrent_v2", 719, RVOS_ERR_DEVICE,
            "the context is gone: CUDA_ERROR_LAUNCH_FAILED");
    contexts();
    /* No fault of the driver's, but the CUDA runtime misses what this one lacks. */
    refused(0, NULL, RVOS_ERR_DEVICE, "cuda: cudaStreamCreateWithFlags");
    CHECK(driver.get().live_contexts == 0);
    CHECK(driver.depth() == 0);
    return test_done();
}
