// Deterministic k-means in one dimension: values sorted once, cluster boundaries by binary search at
// midpoints, sums by prefix sums, so an iteration costs O(K log N) (dgms/README.md section 1).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace bitloom::stats {

struct Clusters {
    std::vector<double> centres;       ///< ascending, distinct
    std::vector<std::int64_t> counts;  ///< members of each, > 0
    std::vector<double> deviations;    ///< sqrt(sum (x - centre)^2 / (n - 1)); 0 for one member
    int iterations = 0;
};

/// Starts at quantiles of the cube root of the density; at most 500 iterations, stops when no boundary moves.
/// An empty cluster is re-seeded at the point that is farthest from its centre. Clusters that would start at
/// equal centres are one, and the widest cluster is split instead. Fewer than `k` clusters come back only
/// when there are fewer distinct values. `values` finite and not empty, k >= 1.
[[nodiscard]] Clusters kmeans1d(std::span<const float> values, int k);

}  // namespace bitloom::stats
