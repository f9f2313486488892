// Times of networks: warm-up, then blocks of samples of one model after another, and between them a loop of
// known work, whose time tells whether the processor slowed down.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "engine/qsimd/runtime/network.h"

namespace bitloom::qsimd {

/// Nanoseconds, in the order in which they were taken.
struct Samples {
    std::vector<std::int64_t> network;
    std::vector<std::vector<std::int64_t>> steps;  ///< [step][sample]; empty unless asked for
};

/// Multiply-adds a second of one core at its best: the fastest microkernel allowed, on data in the first
/// cache.
struct Peak {
    double floats = 0;
    double bytes = 0;
};
[[nodiscard]] Peak measurePeak(Isa ceiling);

struct Measurement {
    std::vector<Samples> models;
    std::vector<std::int64_t> sentinel;  ///< one before the first block and one after every block
    Peak peak;
};

struct Protocol {
    int warmup = 5;
    int repeat = 50;
    int block = 5;
    bool perLayer = false;
};

/// `networks[m]`: the copies of model m, used in turns.
[[nodiscard]] Measurement measure(const std::vector<std::vector<std::unique_ptr<Network>>>& networks,
                                  const Protocol& protocol);

}  // namespace bitloom::qsimd
