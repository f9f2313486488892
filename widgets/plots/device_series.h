// What the device figure shows of a benchmark, as numbers: which families, ratios to the float baseline,
// places of bars, the clock trace. Pure functions without Qt; milliseconds and per cent.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/report/bench.h"

namespace bitloom::widgets {

/// Every speed is told relative to this family.
inline constexpr std::string_view kFloatBaseline = "tuned_fp32";

/// The families of a result in its own order; those that only layers have come last.
[[nodiscard]] std::vector<std::string> familiesOf(const report::BenchResult& result);

/// False for families so slow that the others could not be told apart beside them.
[[nodiscard]] bool isShownAtFirst(std::string_view family);

/// Null when the family was not timed.
[[nodiscard]] const report::KernelTiming* timingOf(const std::vector<report::KernelTiming>& timings,
                                                   std::string_view family);

/// Whether at least one layer of the family has a time: some rivals are timed as whole networks alone.
[[nodiscard]] bool hasLayerTimes(const report::BenchResult& result, std::string_view family);

/// How many times as fast as the float baseline of the same network or layer `medianMs` is; NaN without one.
[[nodiscard]] double speedup(const std::vector<report::KernelTiming>& timings, double medianMs);

/// The family whose share of the peak is told: k2, else the last one that has such shares; empty without.
[[nodiscard]] std::string peakFamily(const report::BenchResult& result);

/// Where an axis of times ends for its data: beyond the largest median, and beyond its whisker unless noise
/// made that so long that the bars would be dwarfed. NaN without times.
[[nodiscard]] double timesEnd(double largestMs, double largestP90Ms);

/// Upper end of an axis for shares up to `percent`: 25, 50, 100, else a multiple of 50.
[[nodiscard]] double peakCeiling(double percent);

/// Steps of 1, 2 or 5 times a power of ten, never less than 1, that part `count` samples about four times.
[[nodiscard]] double sampleStep(std::size_t count);

/// The sentinel loop's times over its first: 1 is the clock the measurement began with. Empty when the first
/// is no time.
[[nodiscard]] std::vector<double> clockTrace(const std::vector<double>& sentinelMs);

/// Readings between the rounds, in their order; NaN where one is not known.
struct ConditionsSeries {
    std::vector<double> seconds;    ///< since the first
    std::vector<double> celsius;    ///< of the hottest zone
    std::vector<double> megahertz;  ///< of the fastest core that was timed
};
[[nodiscard]] ConditionsSeries conditionsSeries(const report::BenchResult& result);

/// `name` with its middle left out when it is longer than `length` characters (of ASCII): "features…conv.2".
[[nodiscard]] std::string shortened(const std::string& name, std::size_t length);

/// Bars side by side in groups, on an axis where group g reaches from g - 1/2 to g + 1/2.
struct BarGroups {
    int groups = 0;
    int bars = 0;  ///< in each group

    static constexpr double kShare = 0.8;  ///< of its group that the bars fill

    [[nodiscard]] double left(int group, int bar) const;
    [[nodiscard]] double right(int group, int bar) const { return left(group, bar + 1); }

    struct Place {
        int group = 0;
        int bar = 0;  ///< the nearest where `position` lies between groups
    };
    /// Nothing outside of all groups.
    [[nodiscard]] std::optional<Place> at(double position) const;
};

}  // namespace bitloom::widgets
