/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* graph.h - the graph of a capture, which graph.cpp runs. */
#ifndef RV_EMULATED_GRAPH_H
#define RV_EMULATED_GRAPH_H

#include "emulation.h"

struct node {
    std::function<void()> run;
    std::vector<int> after;
    bool kernel;
    std::vector<uintptr_t> words; // among them the addresses that it uses
    cudaStream_t lane;            // that it was captured in
};
struct CUgraph_st {
    std::vector<node> nodes;
    std::vector<cudaStream_t> streams; // that are being captured into it
    unsigned long serial;              // from 1
    bool broken;                       // by a call that a capture does not allow
};
struct CUgraphExec_st {
    std::vector<node> nodes;
    unsigned long long random;
};

bool emulated_is_captured(cudaStream_t stream);

#endif
