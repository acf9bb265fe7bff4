// SPDX-License-Identifier: LGPL-2.1-or-later
// rules.cpp - breaks the rules that the emulated GPU must enforce: unaligned loads of 16
// bytes, calls that a capture does not allow, kernels chained to something other than our
// kernels, memory that is freed under a graph. It also does the same things correctly.
#include <cstdio>
#include <cstdlib>
#include <sys/wait.h>
#include <unistd.h>

#include "emulation.h"

extern "C" {
void rv_emulated_foreign(bool is);
void rv_emulated_unmapped(const char *at, size_t size);
}

static int checks, failed;

#define CHECK(good) check(good, #good, __LINE__)

static void check(bool good, const char *what, int line)
{
    checks++;
    failed += !good;
    if (!good)
        fprintf(stderr, "rules.cpp:%d: failed: %s\n", line, what);
}

// Whether it ends the process.
template <class F> static bool aborts(F f)
{
    pid_t child = fork();
    int status = 0;

    if (!child) {
        if (!freopen("/dev/null", "w", stderr))
            _exit(1);
        f();
        _exit(0);
    }
    waitpid(child, &status, 0);
    CHECK(WIFEXITED(status) || WTERMSIG(status) == SIGABRT); // and by nothing else
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
}

static void copy16(void *to, const void *from, bool there)
{
    emulated_blocks(
        1, [=] { emulated_copy16(to, from, there); }, 0);
}

static void kernel(char *p)
{
    *p = 1;
}

static cudaError_t launch(cudaStream_t stream, char *p)
{
    return RV_LAUNCH(kernel, dim3(1), dim3(1), stream, p);
}

static cudaError_t launch_chained(cudaStream_t stream, char *p)
{
    return RV_LAUNCH_CHAINED(kernel, dim3(1), dim3(1), stream, 1, p);
}

struct captured {
    cudaStream_t stream = nullptr;
    cudaGraph_t graph = nullptr;

    captured()
    {
        cudaStreamCreateWithFlags(&stream, 0);
        CHECK(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal) ==
              cudaSuccess);
    }
    bool end()
    {
        return cudaStreamEndCapture(stream, &graph) == cudaSuccess && graph;
    }
    ~captured()
    {
        if (graph)
            cudaGraphDestroy(graph);
        cudaStreamDestroy(stream);
    }
};

static void alignment()
{
    alignas(64) static char bytes[256];

    CHECK(!aborts([] { emulated_check_vector(bytes + 16); }));
    CHECK(aborts([] { emulated_check_vector(bytes + 8); }));
    CHECK(!aborts([] { copy16(bytes, bytes + 32, true); }));
    CHECK(aborts([] { copy16(bytes + 4, bytes + 32, true); }));
    CHECK(aborts([] { copy16(bytes, bytes + 40, true); }));
    CHECK(!aborts([] { copy16(bytes, bytes + 40, false); })); // nothing is read
    CHECK(!aborts([] { emulated_check_fragment(bytes + 32, 16); }));
    CHECK(aborts([] { emulated_check_fragment(bytes + 16, 16); }));
    CHECK(aborts([] { emulated_check_fragment(bytes, 8); }));
}

// A capture in which `call` is made must be lost, and the next one must be good.
template <class F> static void lost(F call)
{
    static char byte;
    captured bad;

    CHECK(launch(bad.stream, &byte) == cudaSuccess);
    CHECK(call(bad.stream) != cudaSuccess);
    CHECK(!bad.end());
    CHECK(call(bad.stream) == cudaSuccess);
    captured good;
    CHECK(launch(good.stream, &byte) == cudaSuccess && good.end());
}

static void captures()
{
    static char byte;
    static void *memory;
    static cudaStream_t other;
    captured fine;
    cudaEvent_t event;

    CHECK(launch(fine.stream, &byte) == cudaSuccess);
    CHECK(cudaMemsetAsync(&byte, 0, 1, fine.stream) == cudaSuccess);
    CHECK(fine.end());
    cudaStreamCreateWithFlags(&other, 0);
    cudaEventCreate(&event);
    lost([](cudaStream_t) { return cudaMalloc(&memory, 8); });
    cudaFree(memory);
    lost([](cudaStream_t) { return cudaFree(nullptr); });
    lost([](cudaStream_t) { return cudaMallocHost(&memory, 8); });
    cudaFreeHost(memory);
    lost([](cudaStream_t) { return cudaFreeHost(nullptr); });
    lost([](cudaStream_t stream) { return cudaStreamSynchronize(stream); });
    lost([](cudaStream_t) { return cudaStreamSynchronize(other); });
    lost([=](cudaStream_t) {
        float ms;

        return cudaEventElapsedTime(&ms, event, event);
    });
    CHECK(aborts([] {
        captured open;

        cudaStreamDestroy(open.stream);
    }));
    cudaEventDestroy(event);
    cudaStreamDestroy(other);
}

// Whether a kernel may be chained behind what `first` puts into the stream.
template <class F> static bool chains(F first)
{
    static char byte;
    captured c;
    bool good;

    first(c.stream, &byte);
    good = launch_chained(c.stream, &byte) == cudaSuccess;
    c.end();
    return good;
}

static void chaining()
{
    static cudaStream_t other;

    CHECK(chains([](cudaStream_t s, char *p) { launch(s, p); }));
    CHECK(!chains([](cudaStream_t, char *) {}));
    CHECK(!chains([](cudaStream_t s, char *p) { cudaMemsetAsync(p, 0, 1, s); }));
    CHECK(!chains([](cudaStream_t s, char *p) {
        rv_emulated_foreign(true); // a library's
        launch(s, p);
        rv_emulated_foreign(false);
    }));
    CHECK(!chains([](cudaStream_t s, char *p) { // and a wait for another stream
        cudaEvent_t fork, done;

        cudaStreamCreateWithFlags(&other, 0);
        cudaEventCreate(&fork);
        cudaEventCreate(&done);
        launch(s, p);
        cudaEventRecord(fork, s);
        cudaStreamWaitEvent(other, fork, 0);
        launch(other, p);
        cudaEventRecord(done, other);
        launch(s, p);
        cudaStreamWaitEvent(s, done, 0);
        cudaEventDestroy(fork);
        cudaEventDestroy(done);
    }));
    cudaStreamDestroy(other);
}

static void memory()
{
    static char page[4096];
    cudaGraphExec_t exec = nullptr;
    captured c;

    CHECK(launch(c.stream, page + 100) == cudaSuccess);
    CHECK(c.end() && cudaGraphInstantiate(&exec, c.graph, 0) == cudaSuccess);
    CHECK(aborts([] { rv_emulated_unmapped(page, sizeof(page)); }));
    CHECK(!aborts([] { rv_emulated_unmapped(page + 200, 100); }));
    cudaGraphExecDestroy(exec);
    CHECK(!aborts([] { rv_emulated_unmapped(page, sizeof(page)); }));
}

int main()
{
    alignment();
    captures();
    chaining();
    memory();
    printf("%d checks, %d failed\n", checks, failed);
    return failed != 0;
}
