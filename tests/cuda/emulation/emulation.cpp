// SPDX-License-Identifier: LGPL-2.1-or-later
// emulation.cpp - streams, events and graphs without a GPU.
//
// A launch outside a capture runs at once. A captured launch becomes a node with edges
// from the last node of its stream and from the events that the stream waited for, as in
// CUDA. A launch of the graph runs the nodes in a random order that the edges allow, so
// that a missing edge gives a wrong result. New memory is full of NaNs, and
// AddressSanitizer checks its bounds.
//
// RVOS_EMULATED_DRY=1: kernels are launched, captured and counted, but do not run, and
// new memory is not written: for tests of plans of large networks.
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "emulation.h"
#include "graph.h"

struct CUstream_st {
    CUgraph_st *capture;   // NULL: none
    std::vector<int> last; // nodes that the next one comes behind
};
struct CUevent_st {
    unsigned long serial; // of the graph that it was recorded in; 0: in none
    std::vector<int> last;
};
static thread_local CUgraph_st *current; // what this thread is capturing

// Graphs that may be launched.
static std::mutex alive_lock;
static std::set<cudaGraphExec_t> alive;

// No graph may use memory that is about to be unmapped or mapped elsewhere.
extern "C" void rv_emulated_unmapped(const char *at, size_t size)
{
    std::lock_guard<std::mutex> lock(alive_lock);

    for (cudaGraphExec_t exec : alive)
        for (const node &n : exec->nodes)
            for (uintptr_t word : n.words)
                if (word >= (uintptr_t)at && word < (uintptr_t)at + size) {
                    fprintf(stderr, "memory of a graph that is alive is unmapped\n");
                    abort();
                }
}

// Calls that a capturing thread must not make: they invalidate the capture.
static bool illegal(const char *call)
{
    if (!current)
        return false;
    fprintf(stderr, "%s in a capture\n", call);
    current->broken = true;
    return true;
}

struct emulated_counts {
    std::atomic<long> mallocs, launches, graphs, nodes, chained; // C reads them as long
    std::atomic<long> copied[5]; // bytes, by enum cudaMemcpyKind
    std::atomic<long> physical;  // bytes that are there now, of driver.c's virtual memory
};
static emulated_counts counts;

// For tests that count the work of a frame.
extern "C" __attribute__((visibility("default"))) emulated_counts *
rv_emulated_counts(void)
{
    return &counts;
}

static bool dry(void)
{
    return getenv("RVOS_EMULATED_DRY") != nullptr;
}

// This thread's launches count as a library's: no kernel may be chained to them.
static thread_local bool foreign;

extern "C" void rv_emulated_foreign(bool is)
{
    foreign = is;
}

static cudaError_t issue(cudaStream_t stream, std::function<void()> run,
                         std::vector<uintptr_t> words, bool kernel = false)
{
    if (!stream || !stream->capture) {
        run();
        return cudaSuccess;
    }
    stream->capture->nodes.push_back({run, stream->last, kernel, words, stream});
    stream->last.assign(1, (int)stream->capture->nodes.size() - 1);
    return cudaSuccess;
}

// RVOS_EMULATED_SKIP="n NAME": the n-th launch of that kernel since the variable was set
// does nothing, for tests that must detect it; 0: all its launches do nothing.
__thread const char *emulated_name;

static bool is_skipped(void)
{
    static std::string now;
    static long since;
    const char *text = getenv("RVOS_EMULATED_SKIP");
    char *name;
    long n;

    if (!text) {
        now.clear();
        return false;
    }
    if (now != text)
        since = 0;
    now = text;
    n = strtol(text, &name, 10);
    return !strcmp(name + 1, emulated_name) && (++since == n || !n);
}

cudaError_t emulated_launch(dim3 grid, dim3 block, cudaStream_t stream,
                            std::function<void()> block_function,
                            std::vector<uintptr_t> words, size_t shared, int chained)
{
    if (!grid.x || !grid.y || !grid.z || grid.y > 65535 || grid.z > 65535 ||
        block.x > 1024 || shared > EMULATED_SHARED_MOST)
        return cudaErrorInvalidValue;
    if (chained && stream && stream->capture &&
        (stream->last.size() != 1 || !stream->capture->nodes[stream->last[0]].kernel))
        return cudaErrorInvalidValue;
    counts.launches++;
    counts.chained += chained != 0;
    if (is_skipped())
        block_function = [] {};
    return issue(
        stream,
        [=] {
            blockDim = {block.x, block.y, block.z};
            gridDim = {grid.x, grid.y, grid.z};
            if (!dry())
                emulated_blocks(grid, block_function, shared);
        },
        words, !foreign);
}

cudaError_t cudaGetDevice(int *device)
{
    *device = 0;
    return cudaSuccess;
}

cudaError_t cudaDeviceGetAttribute(int *value, enum cudaDeviceAttr attribute, int device)
{
    (void)attribute;
    (void)device;
    *value = EMULATED_SHARED_MOST;
    return cudaSuccess;
}

const char *cudaGetErrorName(cudaError_t error)
{
    return error == cudaErrorMemoryAllocation ? "cudaErrorMemoryAllocation"
                                              : "cudaErrorInvalidValue";
}

const char *cudaGetErrorString(cudaError_t error)
{
    return error == cudaErrorMemoryAllocation ? "out of memory" : "invalid argument";
}

cudaError_t cudaGetLastError(void)
{
    return cudaSuccess;
}

// `name`=+n in the environment: the n-th call from when it was set fails.
static bool fails(const char *name, long *since)
{
    const char *text = getenv(name);

    *since = text ? *since + 1 : 0;
    return text && *since == atol(text);
}

// RVOS_EMULATED_FAIL: of allocations.
extern "C" bool rv_emulated_fails(void)
{
    static long since;

    counts.mallocs++;
    return fails("RVOS_EMULATED_FAIL", &since);
}

cudaError_t cudaMalloc(void **p, size_t size)
{
    *p = nullptr;
    if (illegal("cudaMalloc"))
        return cudaErrorStreamCaptureUnsupported;
    *p = rv_emulated_fails() ? nullptr : malloc(size);
    if (!*p)
        return cudaErrorMemoryAllocation;
    if (!dry())
        memset(*p, 0xff, size);
    return cudaSuccess;
}

cudaError_t cudaMallocHost(void **p, size_t size)
{
    return cudaMalloc(p, size);
}

cudaError_t cudaFree(void *p)
{
    if (illegal("cudaFree"))
        return cudaErrorStreamCaptureUnsupported;
    free(p);
    return cudaSuccess;
}

cudaError_t cudaFreeHost(void *p)
{
    if (illegal("cudaFreeHost"))
        return cudaErrorStreamCaptureUnsupported;
    free(p);
    return cudaSuccess;
}

cudaError_t cudaMemcpyAsync(void *dst, const void *src, size_t size,
                            enum cudaMemcpyKind kind, cudaStream_t stream)
{
    static long uploads;

    // RVOS_EMULATED_FAIL_UPLOAD: of copies to the device.
    if (kind == cudaMemcpyHostToDevice && fails("RVOS_EMULATED_FAIL_UPLOAD", &uploads))
        return cudaErrorInvalidValue;
    return issue(stream,
                 [=] {
                     counts.copied[kind] += (long)size;
                     memcpy(dst, src, size);
                 },
                 {(uintptr_t)dst, (uintptr_t)src});
}

cudaError_t cudaMemcpy(void *dst, const void *src, size_t size, enum cudaMemcpyKind kind)
{
    return cudaMemcpyAsync(dst, src, size, kind, nullptr);
}

cudaError_t cudaMemGetInfo(size_t *left, size_t *all)
{
    *left = *all = 0;
    return cudaSuccess;
}

cudaError_t cudaGetDeviceCount(int *count)
{
    *count = 1;
    return cudaSuccess;
}

cudaError_t cudaMemsetAsync(void *p, int value, size_t size, cudaStream_t stream)
{
    return issue(stream, [=] { memset(p, value, size); }, {(uintptr_t)p});
}

cudaError_t cudaStreamCreateWithFlags(cudaStream_t *out, unsigned int flags)
{
    (void)flags;
    *out = new CUstream_st();
    return cudaSuccess;
}

// For an engine that keeps its last stream, as a cuDNN handle does: the stream must not
// be destroyed meanwhile.
static std::atomic<cudaStream_t> remembered;

extern "C" void rv_emulated_remember(cudaStream_t stream)
{
    remembered = stream;
}

extern "C" void rv_emulated_forget(cudaStream_t stream)
{
    remembered.compare_exchange_strong(stream, nullptr);
}

cudaError_t cudaStreamDestroy(cudaStream_t stream)
{
    if (stream && stream->capture) {
        fprintf(stderr, "a stream is destroyed that is being captured\n");
        abort();
    }
    if (stream && stream == remembered) {
        fprintf(stderr, "an engine still has a stream that is destroyed\n");
        abort();
    }
    delete stream;
    return cudaSuccess;
}

cudaError_t cudaStreamSynchronize(cudaStream_t stream)
{
    return illegal("cudaStreamSynchronize") || (stream && stream->capture)
               ? cudaErrorStreamCaptureUnsupported
               : cudaSuccess;
}

cudaError_t cudaEventCreateWithFlags(cudaEvent_t *out, unsigned int flags)
{
    (void)flags;
    *out = new CUevent_st();
    return cudaSuccess;
}

cudaError_t cudaEventCreate(cudaEvent_t *out)
{
    return cudaEventCreateWithFlags(out, 0);
}

// Times are zero, or with RVOS_EMULATED_CLOCK arbitrary, so that measurements choose
// varying candidates.
cudaError_t cudaEventElapsedTime(float *ms, cudaEvent_t from, cudaEvent_t to)
{
    static int calls;

    if (illegal("cudaEventElapsedTime"))
        return cudaErrorStreamCaptureUnsupported;
    (void)from;
    (void)to;
    *ms = getenv("RVOS_EMULATED_CLOCK") ? 0.001f * (float)(1 + calls++ * 7919 % 97) : 0;
    return cudaSuccess;
}

cudaError_t cudaEventDestroy(cudaEvent_t event)
{
    delete event;
    return cudaSuccess;
}

cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream)
{
    event->serial = stream->capture ? stream->capture->serial : 0;
    event->last = stream->last;
    return cudaSuccess;
}

// Waiting for a captured event pulls the stream into the capture; other events are done.
cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event,
                                unsigned int flags)
{
    (void)flags;
    if (!event->serial)
        return stream->capture ? cudaErrorStreamCaptureIsolation : cudaSuccess;
    if (!current || current->serial != event->serial)
        return cudaErrorStreamCaptureIsolation;
    if (!stream->capture) {
        stream->capture = current;
        current->streams.push_back(stream);
    }
    stream->last.insert(stream->last.end(), event->last.begin(), event->last.end());
    return cudaSuccess;
}

cudaError_t cudaStreamBeginCapture(cudaStream_t stream, enum cudaStreamCaptureMode mode)
{
    static unsigned long serial;

    (void)mode;
    if (current || stream->capture)
        return cudaErrorStreamCaptureUnsupported;
    current = stream->capture = new CUgraph_st();
    current->serial = ++serial;
    current->streams.push_back(stream);
    stream->last.clear();
    return cudaSuccess;
}

// The stream that ends the capture must have waited for every node.
static bool joined(const CUgraph_st *graph, const std::vector<int> &last)
{
    std::vector<bool> seen(graph->nodes.size());
    std::vector<int> open = last;

    while (!open.empty()) {
        int n = open.back();

        open.pop_back();
        if (seen[n])
            continue;
        seen[n] = true;
        open.insert(open.end(), graph->nodes[n].after.begin(),
                    graph->nodes[n].after.end());
    }
    for (size_t i = 0; i < seen.size(); i++)
        if (!seen[i])
            return false;
    return true;
}

// RVOS_EMULATED_UNCAPTURED=n: the first n captures from when it became n fail.
static bool capture_fails(void)
{
    static long most, since;
    const char *text = getenv("RVOS_EMULATED_UNCAPTURED");
    long n = text ? atol(text) : 0;

    since = n == most ? since + 1 : 1;
    most = n;
    return since <= n;
}

// For tests: a capture that ends while hold[0] is 1 waits until it is 0; hold[1] counts
// them. While it is 2 others end at once.
extern "C" __attribute__((visibility("default"))) std::atomic_int *
rv_emulated_hold_capture(void)
{
    static std::atomic_int hold[2];

    return hold;
}

cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t *out)
{
    std::atomic_int *hold = rv_emulated_hold_capture();
    bool whole;

    bool stays = hold[0] == 1;

    for (hold[1] += stays; stays && hold[0];)
        std::this_thread::sleep_for(std::chrono::milliseconds(1));

    if (!current || current->streams[0] != stream)
        return cudaErrorStreamCaptureUnjoined;
    whole = !capture_fails() && !current->broken && joined(current, stream->last);
    *out = whole ? current : nullptr;
    for (cudaStream_t s : current->streams) {
        s->capture = nullptr;
        s->last.clear();
    }
    if (!whole)
        delete current;
    current = nullptr;
    return whole ? cudaSuccess : cudaErrorStreamCaptureUnjoined;
}

cudaError_t cudaGraphInstantiate(cudaGraphExec_t *out, cudaGraph_t graph,
                                 unsigned long long flags)
{
    (void)flags;
    counts.graphs++;
    counts.nodes = (long)graph->nodes.size();
    *out = new CUgraphExec_st{graph->nodes, 1};
    std::lock_guard<std::mutex> lock(alive_lock);
    alive.insert(*out);
    return cudaSuccess;
}

bool emulated_is_captured(cudaStream_t stream)
{
    return stream && stream->capture;
}

cudaError_t cudaGraphExecDestroy(cudaGraphExec_t exec)
{
    {
        std::lock_guard<std::mutex> lock(alive_lock);
        alive.erase(exec);
    }
    delete exec;
    return cudaSuccess;
}

cudaError_t cudaGraphDestroy(cudaGraph_t graph)
{
    delete graph;
    return cudaSuccess;
}
