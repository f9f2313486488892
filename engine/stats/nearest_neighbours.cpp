#include "engine/stats/nearest_neighbours.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <utility>

#include "engine/stats/parallel.h"
#include "engine/stats/tsne_kernels.h"

namespace bitloom::stats {
namespace {

constexpr std::size_t kRowsAtOnce = 16;  // rows that share a pass over all points

/// The points in tiles of kTile, each tile dimension by dimension: [tiles, dimension, kTile]. The last one is
/// filled up with zeros.
std::vector<float> tiled(const PointCloud& points) {
    const std::size_t tiles = (points.count() + kTile - 1) / kTile;
    std::vector<float> values(tiles * points.dimension * kTile);
    for (std::size_t i = 0; i < points.count(); ++i) {
        float* tile = values.data() + i / kTile * points.dimension * kTile + i % kTile;
        for (std::size_t d = 0; d < points.dimension; ++d)
            tile[d * kTile] = points[i][d];
    }
    return values;
}

/// The k least candidates so far, as a heap with the greatest on top.
class Nearest {
  public:
    using Candidate = std::pair<float, std::int32_t>;  ///< squared distance, index

    explicit Nearest(std::size_t k) : m_k(k) { m_heap.reserve(k + 1); }

    void add(const Candidate& candidate) {
        if (m_heap.size() == m_k && !(candidate < m_heap.front())) return;
        m_heap.push_back(candidate);
        std::ranges::push_heap(m_heap);
        if (m_heap.size() <= m_k) return;
        std::ranges::pop_heap(m_heap);
        m_heap.pop_back();
    }

    [[nodiscard]] const std::vector<Candidate>& ascending() {
        std::ranges::sort_heap(m_heap);
        return m_heap;
    }

  private:
    std::size_t m_k;
    std::vector<Candidate> m_heap;
};

void searchRows(const PointCloud& points, const std::vector<float>& tiles, std::size_t begin, std::size_t end,
                Neighbours& neighbours) {
    std::vector<Nearest> rows(end - begin, Nearest(neighbours.k));
    std::array<float, kTile> distances{};
    for (std::size_t first = 0; first < points.count(); first += kTile) {
        const float* tile = tiles.data() + first * points.dimension;
        const std::size_t last = std::min(first + kTile, points.count());
        for (std::size_t i = begin; i < end; ++i) {
            squaredDistances(points[i], tile, distances);
            for (std::size_t j = first; j < last; ++j) {
                if (j != i) rows[i - begin].add({distances[j - first], static_cast<std::int32_t>(j)});
            }
        }
    }
    for (std::size_t i = begin; i < end; ++i) {
        std::size_t place = i * neighbours.k;
        for (const auto& [distance, index] : rows[i - begin].ascending()) {
            neighbours.squaredDistances[place] = distance;
            neighbours.index[place++] = index;
        }
    }
}

}  // namespace

Neighbours nearestNeighbours(const PointCloud& points, std::size_t k, int threads,
                             const JobControl& control) {
    const std::size_t count = points.count();
    assert(k >= 1 && k < count);
    Neighbours neighbours{k, std::vector<std::int32_t>(count * k), std::vector<float>(count * k)};
    const std::vector<float> tiles = tiled(points);
    parallelFor(threads, (count + kRowsAtOnce - 1) / kRowsAtOnce, [&](std::size_t block) {
        if (control.stopRequested()) return;
        const std::size_t begin = block * kRowsAtOnce;
        searchRows(points, tiles, begin, std::min(begin + kRowsAtOnce, count), neighbours);
    });
    return neighbours;
}

}  // namespace bitloom::stats
