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
    NoChange,    ///< its probability keeps one value
};
struct StalledBits {
    BitStall reason = BitStall::None;
    std::int64_t since = 0;  ///< the step where that began
};
/// Judges the last tenth of the points up to `step`, at least kStallPoints; with fewer points, or where they
/// are not all open at one width, nothing is stalled.
inline constexpr std::size_t kStallPoints = 5;
[[nodiscard]] StalledBits stalledBits(const BitwidthTrack& track, std::int64_t step);

/// What the quantized layers take together from a step on, as SDQ counts it: packed indices alone, float32
/// activations.
struct BitTotals {
    std::int64_t step = 0;
    double bits = kNoValue;           ///< mean a weight
    double bytes = kNoValue;          ///< of all their weights
    double bitOperations = kNoValue;  ///< an image: MACs x bits x 32
};
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

}  // namespace bitloom::report
