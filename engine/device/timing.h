// What a set of times says, and whether to believe it. Pure functions, any thread; the same samples give the
// same bits everywhere.
#pragma once

#include <span>

#include "engine/report/device.h"

namespace bitloom::device {

/// Fewer samples than this are never called stable: a bootstrap interval of so few means little.
inline constexpr int kFewestStableSamples = 20;
/// p90 - p10 as a share of the median above which times are unstable. A pinned loop on a quiet core stays
/// within 3 %; at 10 % another program or a changing clock took part.
inline constexpr double kWidestStableSpread = 0.10;
/// Width of the median's interval as a share of the median above which times are unstable: differences
/// between kernels below 5 % could then not be told.
inline constexpr double kWidestStableInterval = 0.05;
/// How much slower the sentinel may become before the processor counts as throttled: it does nothing but
/// arithmetic in registers, so only the clock (or a thief of it) changes its time.
inline constexpr double kLargestSentinelSlowdown = 0.05;
/// Sentinel times needed for a verdict about throttling: four groups of at least two.
inline constexpr int kFewestSentinels = 8;
/// Resamplings of the bootstrap (Efron 1979, percentile interval); the seed is fixed.
inline constexpr int kBootstrapResamplings = 1000;

/// The value below which a share `quantile` in [0, 1] of `samples` lies, interpolated linearly between
/// neighbours. NaN without samples.
[[nodiscard]] double quantileOf(std::span<const double> samples, double quantile);

/// How much slower the sentinel loop ran later than at first: the median of the slowest of the last three
/// quarters of the run over the median of the first quarter, less 1. NaN with fewer than kFewestSentinels.
[[nodiscard]] double sentinelSlowdown(std::span<const double> sentinelMs);

/// `samplesMs`: all times after warm-up, in order. `sentinelMs`: times of the sentinel loop that ran
/// interleaved with them, in order; may be empty, then throttling goes unnoticed and the reason says so.
/// Times are finite and positive; others count as unstable.
[[nodiscard]] report::TimingSummary summariseTimes(std::span<const double> samplesMs,
                                                   std::span<const double> sentinelMs);

}  // namespace bitloom::device
