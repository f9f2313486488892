#include "engine/qsimd/runner/measure.h"

#include <algorithm>
#include <chrono>
#include <limits>

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

/// Best multiply-adds a second over some rounds of one microkernel.
double rateOf(const Microkernel& kernel) {
    constexpr int kRun = 256;  // values of a field: tile and panel stay in the first cache
    constexpr int kRounds = 5;
    constexpr int kTiles = 200;
    AlignedArray<float> values(static_cast<std::size_t>(kRun * (kernel.pixels + 1)));
    AlignedArray<float> weights(static_cast<std::size_t>(kRun * kernel.channels));
    AlignedArray<float> sums(static_cast<std::size_t>(kernel.pixels * kernel.channels));
    std::int64_t best = std::numeric_limits<std::int64_t>::max();
    for (int round = 0; round < kRounds; ++round) {
        const Clock::time_point start = Clock::now();
        for (int tile = 0; tile < kTiles; ++tile) {
            if (kernel.floats != nullptr) {
                const Fields<float> fields{values.data(), kRun, kRun, kRun, 1, 1, kRun};
                kernel.floats(fields, weights.data(), sums.data());
            } else {
                const Fields<std::uint8_t> fields{
                    reinterpret_cast<const std::uint8_t*>(values.data()), kRun, kRun, kRun, 1, 1, kRun};
                kernel.bytes(fields, reinterpret_cast<const std::int8_t*>(weights.data()),
                             reinterpret_cast<std::int32_t*>(sums.data()));
            }
        }
        best = std::min(best, since(start));
    }
    const double macs = static_cast<double>(kTiles) * kRun * kernel.pixels * kernel.channels;
    return macs / static_cast<double>(best) * 1e9;
}

}  // namespace

Peak measurePeak(Isa ceiling) {
    Peak peak;
    for (const Microkernel& kernel : allMicrokernels()) {
        if (!allowed(kernel.isa, ceiling)) continue;
        double& best = kernel.floats != nullptr ? peak.floats : peak.bytes;
        best = std::max(best, rateOf(kernel));
    }
    return peak;
}

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
