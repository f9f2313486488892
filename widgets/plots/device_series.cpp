// See device_series.h.
#include "widgets/plots/device_series.h"

#include <algorithm>
#include <cmath>

namespace bitloom::widgets {

std::vector<std::string> familiesOf(const report::BenchResult& result) {
    std::vector<std::string> families;
    const auto add = [&families](const std::vector<report::KernelTiming>& timings) {
        for (const report::KernelTiming& timing : timings) {
            if (std::ranges::find(families, timing.family) == families.end())
                families.push_back(timing.family);
        }
    };
    add(result.network);
    for (const report::LayerTiming& layer : result.layers)
        add(layer.kernels);
    return families;
}

bool isShownAtFirst(std::string_view family) {
    return family != "naive_fp32" && family != "paper_codebook";
}

const report::KernelTiming* timingOf(const std::vector<report::KernelTiming>& timings,
                                     std::string_view family) {
    const auto found = std::ranges::find(timings, family, &report::KernelTiming::family);
    return found == timings.end() ? nullptr : &*found;
}

bool hasLayerTimes(const report::BenchResult& result, std::string_view family) {
    return std::ranges::any_of(result.layers, [family](const report::LayerTiming& layer) {
        const report::KernelTiming* timing = timingOf(layer.kernels, family);
        return timing && std::isfinite(timing->time.medianMs);
    });
}

double speedup(const std::vector<report::KernelTiming>& timings, double medianMs) {
    const report::KernelTiming* baseline = timingOf(timings, kFloatBaseline);
    return baseline ? baseline->time.medianMs / medianMs : report::kNoValue;
}

std::string peakFamily(const report::BenchResult& result) {
    std::string chosen;
    for (const std::string& family : familiesOf(result)) {
        const bool known = std::ranges::any_of(result.layers, [&family](const report::LayerTiming& layer) {
            const report::KernelTiming* timing = timingOf(layer.kernels, family);
            return timing && std::isfinite(timing->percentOfPeak);
        });
        if (known && chosen != "k2") chosen = family;
    }
    return chosen;
}

double timesEnd(double largestMs, double largestP90Ms) {
    constexpr double kLongestWhisker = 1.5;  // times the largest median
    const double whisker =
        largestP90Ms > 0 ? std::fmin(largestP90Ms, kLongestWhisker * largestMs) : largestMs;
    return std::fmax(1.05 * largestMs, whisker);
}

double sampleStep(std::size_t count) {
    const double wanted = static_cast<double>(count) / 4;
    if (wanted <= 1) return 1;
    const double power = std::pow(10, std::floor(std::log10(wanted)));
    for (const double factor : {1.0, 2.0, 5.0}) {
        if (wanted <= factor * power) return factor * power;
    }
    return 10 * power;
}

double peakCeiling(double percent) {
    for (const double end : {25.0, 50.0, 100.0}) {
        if (percent <= end) return end;
    }
    return std::isfinite(percent) ? 50 * std::ceil(percent / 50) : 100;
}

std::vector<double> clockTrace(const std::vector<double>& sentinelMs) {
    if (sentinelMs.empty() || !(sentinelMs.front() > 0)) return {};
    std::vector<double> trace;
    trace.reserve(sentinelMs.size());
    for (const double ms : sentinelMs)
        trace.push_back(ms / sentinelMs.front());
    return trace;
}

ConditionsSeries conditionsSeries(const report::BenchResult& result) {
    ConditionsSeries series;
    for (const report::ConditionsSample& sample : result.trace) {
        series.seconds.push_back(sample.seconds);
        series.celsius.push_back(sample.conditions.hottestCelsius());
        series.megahertz.push_back(report::clocksOf(sample.conditions, result.cores).highMHz);
    }
    return series;
}

std::string shortened(const std::string& name, std::size_t length) {
    if (name.size() <= length) return name;
    const std::size_t kept = length - 1;
    const std::size_t tail = kept * 2 / 3;  // the end of a layer's name tells more than its beginning
    return name.substr(0, kept - tail) + "…" + name.substr(name.size() - tail);
}

double BarGroups::left(int group, int bar) const {
    return group - kShare / 2 + kShare * bar / std::max(1, bars);
}

std::optional<BarGroups::Place> BarGroups::at(double position) const {
    const double group = std::floor(position + 0.5);
    if (bars == 0 || !(group >= 0 && group < groups)) return std::nullopt;
    const double share = (position - group + kShare / 2) / kShare;
    const double bar = std::clamp(std::floor(share * bars), 0.0, static_cast<double>(bars - 1));
    return Place{static_cast<int>(group), static_cast<int>(bar)};
}

}  // namespace bitloom::widgets
