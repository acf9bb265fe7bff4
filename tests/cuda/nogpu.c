/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* nogpu.c - runs the real module on a machine without a GPU: a clear error, or the CPU.
 *
 *     nogpu loaded|absent|lacking      with and without the module in LD_LIBRARY_PATH,
 * and with one that lacks a library of its own */
#include <dlfcn.h>

#include "../engine/fixture.h"

static bool gpu_is_there(void)
{
    void *driver = dlopen("libcuda.so.1", RTLD_NOW);
    int (*init)(unsigned int);

    if (!driver)
        return false;
    *(void **)&init = dlsym(driver, "cuInit");
    return init && init(0) == 0;
}

static rvos_device *try_device(const char *name, int status, struct log *log)
{
    rvos_device *opened = (void *)1;

    *log = (struct log){0};
    CHECK(rvos_device_open(&opened, &(rvos_device_params){.backend = name,
                                                          .threads = 1,
                                                          .log = on_log,
                                                          .log_opaque = log}) == status);
    CHECK((status == 0) == (opened != NULL));
    return opened;
}

static void check_is_cpu(rvos_device *opened)
{
    rvos_device_info info;

    rvos_device_get_info(opened, &info);
    CHECK(!strcmp(info.backend, "cpu"));
    rvos_device_close(&opened);
}

int main(int argc, char **argv)
{
    bool absent = argc > 1 && !strcmp(argv[1], "absent");
    bool lacking = argc > 1 && !strcmp(argv[1], "lacking");
    struct log log;

    if (gpu_is_there())
        return test_skip("there is a GPU");
    unsetenv("RVOS_CUDA");
    check_is_cpu(try_device(NULL, 0, &log));
    CHECK(!log.errors && !log.warnings);
    for (int i = 0; i < 2; i++) { /* and again, with the module still loaded */
        try_device("cuda", RVOS_ERR_UNSUPPORTED, &log);
        CHECK(log.errors == 1 && !log.warnings);
        CHECK(strstr(log.last, absent || lacking ? "no CUDA engine" : "cuda: no"));
        CHECK(!lacking || strstr(log.last, "needs librvos-nowhere.so.9"));
    }
    setenv("RVOS_CUDA", "1", 1);
    check_is_cpu(try_device(NULL, 0, &log));
    CHECK(!log.errors && log.warnings == (absent ? 0 : 1));
    return test_done();
}
