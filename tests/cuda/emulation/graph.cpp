// SPDX-License-Identifier: LGPL-2.1-or-later
// graph.cpp - launches a graph: runs its nodes in an order that the edges allow.
//
// RVOS_EMULATED_ORDER   random, another one each time, if it is not set
//     late              of the nodes that may run, the one that was captured last
//     lane n            random, but nodes of the n-th lane come last
//     threads           each lane is a thread, so that ThreadSanitizer finds accesses
//     that no
//                       edge orders
//
// Memory given to rv_emulated_poison is full of NaNs when a graph begins, so a node that
// reads too early does not find the last frame's values.
#include <condition_variable>
#include <cstdlib>
#include <map>
#include <mutex>
#include <string>
#include <thread>

#include "graph.h"

static struct {
    char *at;
    size_t size;
} poison;

extern "C" void rv_emulated_poison(char *at, size_t size)
{
    poison = {at, size};
}

// Lanes are numbered from 0, in the order of their first nodes.
static std::vector<int> number_lanes(const CUgraphExec_st *exec)
{
    std::map<cudaStream_t, int> number;
    std::vector<int> lanes;

    for (const node &n : exec->nodes)
        lanes.push_back(number.emplace(n.lane, (int)number.size()).first->second);
    return lanes;
}

// `late`: the last of those that may run. `lane`: of this one only if there is no other.
static size_t pick(CUgraphExec_st *exec, const std::vector<int> &ready,
                   const std::vector<int> &lanes, bool late, int lane)
{
    size_t at, n = ready.size();

    exec->random = exec->random * 6364136223846793005u + 1442695040888963407u;
    at = (exec->random >> 33) % n;
    for (size_t k = 0; k < n; k++) {
        if (late && ready[k] > ready[at])
            at = k;
        if (lanes[ready[at]] == lane && lanes[ready[k]] != lane)
            at = k;
    }
    return at;
}

static void run_in_order(CUgraphExec_st *exec, bool late, int lane)
{
    size_t n = exec->nodes.size();
    std::vector<int> left(n), ready, lanes = number_lanes(exec);
    std::vector<std::vector<int>> next(n);

    for (size_t i = 0; i < n; i++) {
        left[i] = (int)exec->nodes[i].after.size();
        for (int a : exec->nodes[i].after)
            next[a].push_back((int)i);
        if (!left[i])
            ready.push_back((int)i);
    }
    while (!ready.empty()) {
        size_t at = pick(exec, ready, lanes, late, lane);
        int i = ready[at];

        ready.erase(ready.begin() + (long)at);
        exec->nodes[i].run();
        for (int k : next[i])
            if (!--left[k])
                ready.push_back(k);
    }
}

static void run_in_threads(cudaGraphExec_t exec)
{
    struct done {
        std::mutex lock;
        std::condition_variable told;
        bool is = false;
    };
    std::vector<done> done(exec->nodes.size());
    std::map<cudaStream_t, std::vector<int>> lanes;
    std::vector<std::thread> threads;

    for (size_t i = 0; i < exec->nodes.size(); i++)
        lanes[exec->nodes[i].lane].push_back((int)i);
    for (const auto &lane : lanes)
        threads.emplace_back([&] {
            for (int i : lane.second) {
                for (int a : exec->nodes[i].after) {
                    std::unique_lock<std::mutex> lock(done[a].lock);
                    done[a].told.wait(lock, [&] { return done[a].is; });
                }
                exec->nodes[i].run();
                std::lock_guard<std::mutex> lock(done[i].lock);
                done[i].is = true;
                done[i].told.notify_all();
            }
        });
    for (std::thread &t : threads)
        t.join();
}

cudaError_t cudaGraphLaunch(cudaGraphExec_t exec, cudaStream_t stream)
{
    const char *text = getenv("RVOS_EMULATED_ORDER");
    std::string order = text ? text : "";

    if (emulated_is_captured(stream))
        return cudaErrorStreamCaptureUnsupported;
    if (poison.size)
        memset(poison.at, 0xff, poison.size);
    if (order == "threads")
        run_in_threads(exec);
    else
        run_in_order(exec, order == "late",
                     order.compare(0, 5, "lane ") ? -1 : atoi(order.c_str() + 5));
    return cudaSuccess;
}
