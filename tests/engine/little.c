/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* little.c - runs with too little address space, in steps: the result is a frame or
 * RVOS_ERR_MEMORY, never a signal or an exit.
 *
 *     little BACKEND MODEL_DIR */
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fixture.h"

enum { FINE = 10, MEMORY, OTHER };

static const char *backend, *models;

static int run(void)
{
    static struct log log;
    rvos_device *device = NULL;
    rvos_model *model = NULL;
    rvos_stream *stream = NULL;
    char path[1024];
    int status;

    log.quiet = true;
    snprintf(path, sizeof(path), "%s/r18.safetensors", models);
    status = rvos_device_open(&device, &(rvos_device_params){.backend = backend,
                                                             .threads = 2,
                                                             .log = on_log,
                                                             .log_opaque = &log});
    if (!status)
        status = rvos_model_load(&model, device, path,
                                 &(rvos_model_params){.width = 224, .height = 128});
    if (!status)
        status = rvos_stream_open(
            &stream, model,
            &(rvos_stream_params){.task = RVOS_TASK_ZERO_SHOT, .objects = 2});
    if (!status)
        status = rvos_stream_warm_up(stream);
    if (!status)
        status = process_frame(stream, 0, NULL);
    close_handles(&stream, &model, &device);
    if (status && !log.errors) /* a failure says why */
        return OTHER;
    return status == RVOS_ERR_MEMORY ? MEMORY : status ? OTHER : FINE;
}

/* Runs a child that may allocate so many bytes more than it has, and returns its end. */
static int with(size_t more)
{
    int status = 0;
    pid_t pid = fork();

    if (pid == 0) {
        struct rlimit limit = {0, 0};

        setrlimit(RLIMIT_CORE, &limit);
        limit.rlim_cur = limit.rlim_max = (size_t)process_bytes(false) + more;
        setrlimit(RLIMIT_AS, &limit);
        _exit(run());
    }
    if (!CHECK(pid > 0 && waitpid(pid, &status, 0) == pid))
        return OTHER;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

int main(int argc, char **argv)
{
    int fine = 0, memory = 0;

    if (TEST_SANITIZED)
        return test_skip("sanitizers need more address space than a limit leaves");
    if (argc < 3)
        return test_skip("usage: little BACKEND MODEL_DIR");
    backend = argv[1];
    models = argv[2];
    if (!process_bytes(false))
        return test_skip("no /proc here");
    for (size_t mega = 0; mega < 1000 && fine < 3; mega += 4) {
        int end = with(mega << 20);

        test_note(CHECK(end == FINE || end == MEMORY), "%zu MB more: %d", mega, end);
        fine += end == FINE;
        memory += end == MEMORY;
    }
    CHECK(fine == 3 && memory > 0);
    printf("%s: %d times too little, %d times enough\n", backend, memory, fine);
    return test_done();
}
