#include "engine/qsimd/runner/measure.h"

#include <algorithm>
#include <chrono>

namespace bitloom::qsimd {
namespace {

using Clock = std::chrono::steady_clock;

std::int64_t since(Clock::time_point start) {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(Clock::now() - start).count();
}

/// A chain of dependent multiplications, about a millisecond: its time follows the clock alone.
std::int64_t sentinel() {
    const Clock::time_point start = Clock::now();
    std::uint64_t state = 88172645463325252u;
    for (int i = 0; i < 500000; ++i)
        state = state * 6364136223846793005u + 1442695040888963407u;
    volatile std::uint64_t kept = state;
    (void)kept;
    return since(start);
}

void sampleSteps(Network& network, Samples& samples) {
    const Clock::time_point start = Clock::now();
    std::int64_t before = 0;
    for (std::size_t step = 0; step < samples.steps.size(); ++step) {
        network.runStep(step);
        const std::int64_t now = since(start);
        samples.steps[step].push_back(now - before);
        before = now;
    }
    samples.network.push_back(before);
}

void sampleWhole(Network& network, Samples& samples) {
    const Clock::time_point start = Clock::now();
    network.runSteps();
    samples.network.push_back(since(start));
}

}  // namespace

Measurement measure(const std::vector<std::vector<std::unique_ptr<Network>>>& networks,
                    const Protocol& protocol) {
    Measurement result;
    for (const auto& copies : networks) {
        Samples& samples = result.models.emplace_back();
        if (protocol.perLayer) samples.steps.resize(copies.front()->model().steps.size());
        for (int i = 0; i < std::max(protocol.warmup, static_cast<int>(copies.size())); ++i)
            copies[static_cast<std::size_t>(i) % copies.size()]->runSteps();
    }
    result.sentinel.push_back(sentinel());
    for (int first = 0; first < protocol.repeat; first += protocol.block) {
        const int end = std::min(first + protocol.block, protocol.repeat);
        for (std::size_t model = 0; model < networks.size(); ++model) {
            const auto& copies = networks[model];
            for (int i = first; i < end; ++i) {
                Network& network = *copies[static_cast<std::size_t>(i) % copies.size()];
                protocol.perLayer ? sampleSteps(network, result.models[model])
                                  : sampleWhole(network, result.models[model]);
            }
        }
        result.sentinel.push_back(sentinel());
    }
    return result;
}

}  // namespace bitloom::qsimd
