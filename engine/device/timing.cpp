#include "engine/device/timing.h"

#include <algorithm>
#include <cmath>
#include <tuple>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "engine/base/random.h"

namespace bitloom::device {
namespace {

using report::TimingSummary;
using report::TimingVerdict;

constexpr std::uint64_t kBootstrapSeed = 0x626c74;

double quantileOfSorted(std::span<const double> sorted, double quantile) {
    if (sorted.empty()) return report::kNoValue;
    const double position = quantile * static_cast<double>(sorted.size() - 1);
    const auto low = static_cast<std::size_t>(position);
    const std::size_t high = std::min(low + 1, sorted.size() - 1);
    return std::lerp(sorted[low], sorted[high], position - static_cast<double>(low));
}

std::vector<double> sortedCopy(std::span<const double> samples) {
    std::vector<double> sorted(samples.begin(), samples.end());
    std::ranges::sort(sorted);
    return sorted;
}

/// The median of numbers that may be moved about.
double medianInPlace(std::vector<double>& values) {
    const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
    std::ranges::nth_element(values, middle);
    if (values.size() % 2 == 1) return *middle;
    return std::lerp(*std::max_element(values.begin(), middle), *middle, 0.5);
}

/// 95 % percentile interval of the median.
std::pair<double, double> bootstrapInterval(std::span<const double> samples) {
    Random random({kBootstrapSeed, samples.size()});
    std::vector<double> medians(kBootstrapResamplings);
    std::vector<double> drawn(samples.size());
    for (double& median : medians) {
        for (double& value : drawn)
            value = samples[random.below(samples.size())];
        median = medianInPlace(drawn);
    }
    std::ranges::sort(medians);
    return {quantileOfSorted(medians, 0.025), quantileOfSorted(medians, 0.975)};
}

bool isTime(double ms) {
    return std::isfinite(ms) && ms > 0;
}

void judge(TimingSummary& summary, std::span<const double> sentinelMs) {
    const double slowdown = sentinelSlowdown(sentinelMs);
    const double spread = (summary.p90Ms - summary.p10Ms) / summary.medianMs;
    const double interval = (summary.highMs - summary.lowMs) / summary.medianMs;
    summary.verdict = TimingVerdict::Unstable;
    if (slowdown > kLargestSentinelSlowdown) {
        summary.verdict = TimingVerdict::Throttled;
        summary.reason =
            fmt::format("the sentinel loop became {:.0f} % slower during the run", 100 * slowdown);
    } else if (summary.samples < kFewestStableSamples) {
        summary.reason =
            fmt::format("{} samples, at least {} are needed", summary.samples, kFewestStableSamples);
    } else if (spread > kWidestStableSpread) {
        summary.reason = fmt::format("p90 - p10 is {:.0f} % of the median", 100 * spread);
    } else if (interval > kWidestStableInterval) {
        summary.reason = fmt::format("the median's interval is {:.1f} % of the median wide", 100 * interval);
    } else {
        summary.verdict = TimingVerdict::Stable;
        summary.reason = fmt::format("p90 - p10 is {:.1f} % of the median", 100 * spread);
        if (std::isnan(slowdown)) summary.reason += "; throttling was not watched";
    }
}

}  // namespace

double quantileOf(std::span<const double> samples, double quantile) {
    return quantileOfSorted(sortedCopy(samples), quantile);
}

double sentinelSlowdown(std::span<const double> sentinelMs) {
    constexpr std::size_t kQuarters = 4;
    if (sentinelMs.size() < static_cast<std::size_t>(kFewestSentinels)) return report::kNoValue;
    const auto medianOfQuarter = [&](std::size_t quarter) {
        const std::size_t first = quarter * sentinelMs.size() / kQuarters;
        const std::size_t end = (quarter + 1) * sentinelMs.size() / kQuarters;
        return quantileOf(sentinelMs.subspan(first, end - first), 0.5);
    };
    const double later = std::max({medianOfQuarter(1), medianOfQuarter(2), medianOfQuarter(3)});
    return later / medianOfQuarter(0) - 1;
}

TimingSummary summariseTimes(std::span<const double> samplesMs, std::span<const double> sentinelMs) {
    TimingSummary summary;
    summary.samples = static_cast<int>(samplesMs.size());
    if (samplesMs.empty() || !std::ranges::all_of(samplesMs, isTime)) {
        summary.reason = samplesMs.empty() ? "no samples" : "some times are not positive numbers";
        return summary;
    }
    const std::vector<double> sorted = sortedCopy(samplesMs);
    summary.medianMs = quantileOfSorted(sorted, 0.5);
    summary.p10Ms = quantileOfSorted(sorted, 0.1);
    summary.p90Ms = quantileOfSorted(sorted, 0.9);
    std::tie(summary.lowMs, summary.highMs) = bootstrapInterval(sorted);
    judge(summary, sentinelMs);
    return summary;
}

}  // namespace bitloom::device
