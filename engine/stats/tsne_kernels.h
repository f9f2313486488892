// The two inner loops of t-SNE, one source for every instruction set (Highway). Private to stats/.
#pragma once

#include <cstddef>
#include <span>

namespace bitloom::stats {

/// Points of a tile that distances are computed to at once.
inline constexpr std::size_t kTile = 32;

/// distances[c] = sum_d (point[d] - tile[d][c])^2. `tile`: [point.size(), kTile].
void squaredDistances(std::span<const float> point, const float* tile, std::span<float, kTile> distances);

/// Points that are repelled, and what repels them. Arrays of one length each.
struct RepelledPoints {
    std::span<const double> x, y;
    std::span<double> forceX, forceY, sum;
};
struct RepellingCells {
    std::span<const double> x, y;  ///< centre of mass
    std::span<const double> mass;  ///< points in the cell
};

/// For each point i over all cells c, with q = 1 / (1 + |y_i - y_c|^2): sum_i = sum_c m_c q and
/// force_i = sum_c m_c q^2 (y_i - y_c), as in van der Maaten 2014, section 3.2. Coordinates are relative.
void repel(const RepelledPoints& points, const RepellingCells& cells);

}  // namespace bitloom::stats
