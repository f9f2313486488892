#include "tests/widgets/bench_data.h"

#include <cmath>

#include <fmt/format.h>

namespace bitloom::testing {

report::KernelTiming makeTiming(const std::string& family, double medianMs, double macs) {
    report::KernelTiming timing;
    timing.family = family;
    if (!std::isfinite(medianMs)) return timing;
    timing.time = {medianMs,
                   0.95 * medianMs,
                   1.1 * medianMs,
                   0.99 * medianMs,
                   1.01 * medianMs,
                   3,
                   report::TimingVerdict::Stable,
                   "spread 5 %"};
    timing.samplesMs = {0.95 * medianMs, medianMs, 1.1 * medianMs};
    timing.gmacs = macs / medianMs * 1e-6;
    timing.percentOfPeak = 30;
    timing.weightBytes = 1000;
    return timing;
}

report::BenchResult makeBench(const std::vector<std::string>& families, int layers) {
    report::BenchResult result;
    result.arch = "resnet18";
    result.origin = "run.h5";
    result.device.id = "host";
    result.device.name = "Some Processor";
    result.device.state = "device";
    result.isa = "avx2";
    result.threads = 2;
    result.cores = {4, 5};
    result.before.zones = {{"cpu", 41.0}};
    result.after.zones = {{"cpu", 47.5}};
    result.verdict = report::TimingVerdict::Stable;
    result.reason = "spread 5 % of the median, clock steady";
    for (int i = 0; i < 40; ++i)
        result.sentinelMs.push_back(0.5 + 0.0005 * (i % 5));
    double factor = 1;
    for (const std::string& family : families) {
        result.network.push_back(makeTiming(family, factor * layers * (layers + 1) / 2, 1e9));
        factor /= 2;
    }
    for (int i = 0; i < layers; ++i) {
        report::LayerTiming layer;
        layer.name = fmt::format("layer{}.{}.conv{}", i / 4 + 1, i / 2 % 2, i % 2 + 1);
        layer.shape = "16x32x32 -> 16x32x32, 3x3";
        layer.macs = std::int64_t{1'000'000} * (i + 1);
        factor = 1;
        for (const std::string& family : families) {
            report::KernelTiming timing =
                makeTiming(family, factor * (i + 1), static_cast<double>(layer.macs));
            timing.kernel = family + "_8x8";
            timing.percentOfPeak = 20 + i;
            layer.kernels.push_back(std::move(timing));
            factor /= 2;
        }
        result.layers.push_back(std::move(layer));
    }
    return result;
}

}  // namespace bitloom::testing
