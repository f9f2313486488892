// Exact nearest neighbours of points in many dimensions: every distance is computed. For 10,000 points of 64
// dimensions that takes a third of a second on two cores, which no index would repay.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "engine/base/job_control.h"

namespace bitloom::stats {

/// `count()` points of `dimension` finite numbers each, one after the other.
struct PointCloud {
    std::span<const float> values;
    std::size_t dimension = 0;

    [[nodiscard]] std::size_t count() const { return dimension == 0 ? 0 : values.size() / dimension; }
    [[nodiscard]] std::span<const float> operator[](std::size_t point) const {
        return values.subspan(point * dimension, dimension);
    }
};

/// Row i holds the `k` points nearest to point i, itself left out: ascending by distance, equal distances by
/// index.
struct Neighbours {
    std::size_t k = 0;
    std::vector<std::int32_t> index;      ///< [count, k]
    std::vector<float> squaredDistances;  ///< [count, k]
};

/// 1 <= k < count. Needs as much memory again as the points. The same for every number of `threads`; sums
/// of squares are float, in an order that depends on the processor. After control.stop() it returns within
/// some milliseconds, with rows that mean nothing.
[[nodiscard]] Neighbours nearestNeighbours(const PointCloud& points, std::size_t k, int threads,
                                           const JobControl& control);

}  // namespace bitloom::stats
