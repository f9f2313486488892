// The affinities p_ij of t-SNE: how probably points are neighbours where they come from (van der Maaten 2014,
// section 3.1). Only the nearest 3 x perplexity neighbours of a point count; beyond them p_j|i is below
// notice.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "engine/stats/nearest_neighbours.h"

namespace bitloom::stats {

/// p_j|i = exp(-beta_i |x_i - x_j|^2) / sum_k exp(-beta_i |x_i - x_k|^2) over the neighbours of i, in their
/// order, [count, k]; rows sum to 1. beta_i is found by bisection so that the row's perplexity, exp of its
/// entropy in nats, is `perplexity` within 1e-5 of it. A row in which more neighbours than that lie equally
/// near cannot reach it and shares its probability among those.
[[nodiscard]] std::vector<double> conditionalAffinities(const Neighbours& neighbours, double perplexity,
                                                        int threads);

/// A symmetric sparse matrix, row by row: entries of row i at [rows[i], rows[i + 1]), columns ascending.
struct Affinities {
    std::vector<std::size_t> rows;  ///< [count + 1]
    std::vector<std::int32_t> columns;
    std::vector<double> values;  ///< all together 1

    [[nodiscard]] std::size_t count() const { return rows.empty() ? 0 : rows.size() - 1; }
};

/// p_ij = (p_j|i + p_i|j) / (2 N), with an entry wherever either is.
[[nodiscard]] Affinities symmetricAffinities(const Neighbours& neighbours,
                                             const std::vector<double>& conditional);

}  // namespace bitloom::stats
