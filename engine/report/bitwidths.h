// How many bits each layer of a run took, step by step, and what they add up to. Value structs and pure
// functions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "engine/report/run.h"
#include "engine/report/snapshot.h"

namespace bitloom::report {

struct BitwidthPoint {
    std::int64_t step = 0;
    double bits = 32;  ///< as LayerSnapshot::bits
    BitChoice choice;
};

struct BitwidthTrack {
    std::string layer;
    std::vector<BitwidthPoint> points;  ///< ascending by step

    /// The newest at or before `step`, else the first; null without points.
    [[nodiscard]] const BitwidthPoint* at(std::int64_t step) const;
    /// Whether any point's bits are learned.
    [[nodiscard]] bool isLearned() const;
    /// Points at `step` and later are dropped first (a resumed run goes back).
    void append(const BitwidthPoint& point);
};

[[nodiscard]] BitwidthPoint bitwidthPoint(const LayerSnapshot& snapshot);

/// What a picture of a track needs at most, about.
inline constexpr std::size_t kTrackPoints = 1'000;

/// About `most` of the points: the first and the last, those beside a change of bits, and the extremes of
/// probability and gradient between. None is averaged; a short track comes back as it is.
[[nodiscard]] std::vector<BitwidthPoint> thinned(std::vector<BitwidthPoint> points,
                                                 std::size_t most = kTrackPoints);

/// Why a layer that could go down has not been moving lately.
enum class BitStall {
    None,
    NoGradient,  ///< the gradient of its bitwidth is exactly 0
    NoChange,    ///< its probability moves by less than kStallMove
    Rising,      ///< its probability of staying only rises
};
struct StalledBits {
    BitStall reason = BitStall::None;
    std::int64_t since = 0;  ///< the step where that began
};
/// Judges the last tenth of the points up to `step`, at least kStallPoints. A width is open only as long as
/// the budget is exceeded, so one that stays open and never moves is what keeps it so. With fewer points, or
/// where they are not all open at one width, nothing is stalled. NoChange and Rising are said only of a layer
/// that is still wider than `target` (mean bits; NaN: not known) and no narrower than its neighbours: the
/// learned layers before and after it in `tracks`, which are in network order. Widths below that may well
/// stay.
inline constexpr std::size_t kStallPoints = 5;
/// Adam moves a probability that has a steady gradient by about 0.02 a step.
inline constexpr double kStallMove = 0.02;
[[nodiscard]] StalledBits stalledBits(const std::vector<BitwidthTrack>& tracks, std::size_t track,
                                      std::int64_t step, double target = kNoValue);

/// What the quantized layers inside the average take together from a step on, as SDQ counts it: packed
/// indices alone, float32 activations.
struct BitTotals {
    std::int64_t step = 0;
    double bits = kNoValue;           ///< mean a weight
    double bytes = kNoValue;          ///< of all their weights
    double bitOperations = kNoValue;  ///< an image: MACs x bits x 32
};
/// Of `weights` weights with `weightBits` bits together and `macBits`, the sum of their MACs times bits.
[[nodiscard]] BitTotals totalsOf(double weights, double weightBits, double macBits);
/// A stair: where it begins and wherever a layer's bits change, ascending; empty without quantized layers.
/// `learnedOnly`: of the layers that learn their bits, which a target is about.
[[nodiscard]] std::vector<BitTotals> bitTotals(const NetworkInfo& network,
                                               const std::vector<BitwidthTrack>& tracks, bool learnedOnly);
/// The stair at `step`, its beginning before that; NaN where it is empty.
[[nodiscard]] BitTotals totalsAt(const std::vector<BitTotals>& stair, std::int64_t step);

/// What a job wants the layers that learn their bits to take.
struct BitTarget {
    double BitTotals::*counted = &BitTotals::bits;
    double most = 0;
};
/// The target as mean bits of these layers, weighted by what it counts; NaN where there are none.
[[nodiscard]] double targetBits(const BitTarget& target, const NetworkInfo& network,
                                const std::vector<BitwidthTrack>& tracks);

}  // namespace bitloom::report
