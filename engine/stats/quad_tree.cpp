#include "engine/stats/quad_tree.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <cmath>

#include "engine/stats/parallel.h"
#include "engine/stats/tsne_kernels.h"

namespace bitloom::stats {
namespace {

constexpr int kLevels = 16;                // of bits in a coordinate
constexpr std::uint32_t kLeafPoints = 16;  // more in a leaf only where they share all bits
constexpr std::size_t kLeavesAtOnce = 8;

/// The lower 16 bits, with a zero between each two.
std::uint32_t spread(std::uint32_t bits) {
    bits = (bits | bits << 8) & 0x00ff00ffu;
    bits = (bits | bits << 4) & 0x0f0f0f0fu;
    bits = (bits | bits << 2) & 0x33333333u;
    return (bits | bits << 1) & 0x55555555u;
}

std::uint32_t pointOf(std::uint64_t entry) {
    return static_cast<std::uint32_t>(entry);
}

/// Which quarter of its cell at `level` an entry lies in.
unsigned quarterOf(std::uint64_t entry, int level) {
    return static_cast<unsigned>(entry >> (64 - 2 * (level + 1))) & 3u;
}

double beyond(double value, double low, double high) {
    return std::max({low - value, 0.0, value - high});
}

}  // namespace

/// What repels the points of one leaf; kept between leaves for its memory.
struct QuadTree::Cells {
    std::vector<double> x, y, mass;

    void clear() {
        for (std::vector<double>* values : {&x, &y, &mass})
            values->clear();
    }
    void add(double cellX, double cellY, double cellMass) {
        x.push_back(cellX);
        y.push_back(cellY);
        mass.push_back(cellMass);
    }
};

void QuadTree::build(std::span<const PlanePoint> points) {
    assert(!points.empty());
    const auto [left, right] = std::ranges::minmax(points, {}, &PlanePoint::x);
    const auto [bottom, top] = std::ranges::minmax(points, {}, &PlanePoint::y);
    const double side = std::max(right.x - left.x, top.y - bottom.y);
    const double scale = side > 0 ? (1u << kLevels) / side : 0;
    const auto bits = [scale](double distance) {
        return std::min(static_cast<std::uint32_t>(distance * scale), (1u << kLevels) - 1);
    };
    m_order.resize(points.size());
    for (std::size_t i = 0; i < points.size(); ++i) {
        const std::uint32_t code = spread(bits(points[i].x - left.x)) | spread(bits(points[i].y - bottom.y))
                                                                            << 1;
        m_order[i] = std::uint64_t{code} << 32 | i;
    }
    std::ranges::sort(m_order);
    m_x.clear();
    m_y.clear();
    for (const std::uint64_t entry : m_order) {
        m_x.push_back(points[pointOf(entry)].x);
        m_y.push_back(points[pointOf(entry)].y);
    }
    m_nodes.clear();
    m_leaves.clear();
    split(0, static_cast<std::uint32_t>(points.size()), 0, side);
}

void QuadTree::split(std::uint32_t first, std::uint32_t last, int level, double side) {
    const auto place = static_cast<std::uint32_t>(m_nodes.size());
    const bool leaf = last - first <= kLeafPoints || level == kLevels;
    m_nodes.push_back({{}, side, first, last, 0, leaf});
    PlanePoint sum;
    for (std::uint32_t i = first; i < last; ++i) {
        sum.x += m_x[i];
        sum.y += m_y[i];
    }
    const double count = last - first;
    m_nodes[place].centre = {sum.x / count, sum.y / count};
    if (leaf) {
        m_leaves.push_back(place);
    } else {
        for (unsigned quarter = 0; quarter < 4; ++quarter) {
            const auto end =
                std::partition_point(m_order.begin() + first, m_order.begin() + last,
                                     [&](std::uint64_t entry) { return quarterOf(entry, level) <= quarter; });
            const auto middle = static_cast<std::uint32_t>(end - m_order.begin());
            if (middle > first) split(first, middle, level + 1, side / 2);
            first = middle;
        }
    }
    m_nodes[place].next = static_cast<std::uint32_t>(m_nodes.size());
}

void QuadTree::gather(const Node& leaf, double theta, Cells& cells) const {
    const auto [left, right] = std::minmax_element(m_x.begin() + leaf.first, m_x.begin() + leaf.last);
    const auto [bottom, top] = std::minmax_element(m_y.begin() + leaf.first, m_y.begin() + leaf.last);
    for (std::uint32_t place = 0; place < m_nodes.size();) {
        const Node& node = m_nodes[place];
        const double dx = beyond(node.centre.x, *left, *right);
        const double dy = beyond(node.centre.y, *bottom, *top);
        if (node.side * node.side < theta * theta * (dx * dx + dy * dy)) {
            cells.add(node.centre.x, node.centre.y, node.last - node.first);
            place = node.next;
        } else if (node.leaf) {
            for (std::uint32_t i = node.first; i < node.last; ++i)
                cells.add(m_x[i], m_y[i], 1);
            place = node.next;
        } else {
            ++place;
        }
    }
}

void QuadTree::repelLeaf(const Node& leaf, const Cells& cells, std::span<Repulsion> result) const {
    std::array<double, kLeafPoints> forceX{};
    std::array<double, kLeafPoints> forceY{};
    std::array<double, kLeafPoints> sum{};
    for (std::uint32_t first = leaf.first; first < leaf.last; first += kLeafPoints) {
        const std::size_t count = std::min(kLeafPoints, leaf.last - first);
        repel({std::span(m_x).subspan(first, count), std::span(m_y).subspan(first, count),
               std::span(forceX).first(count), std::span(forceY).first(count), std::span(sum).first(count)},
              {cells.x, cells.y, cells.mass});
        for (std::size_t i = 0; i < count; ++i) {
            // A point is among what repels it: no force, but a q of 1.
            result[pointOf(m_order[first + i])] = {{forceX[i], forceY[i]}, sum[i] - 1};
        }
    }
}

void QuadTree::repulsions(double theta, int threads, std::span<Repulsion> result) const {
    assert(theta >= 0 && theta <= kGreatestTheta && result.size() == m_order.size());
    parallelFor(threads, (m_leaves.size() + kLeavesAtOnce - 1) / kLeavesAtOnce, [&](std::size_t block) {
        thread_local Cells cells;
        const std::size_t end = std::min(m_leaves.size(), (block + 1) * kLeavesAtOnce);
        for (std::size_t i = block * kLeavesAtOnce; i < end; ++i) {
            const Node& leaf = m_nodes[m_leaves[i]];
            cells.clear();
            gather(leaf, theta, cells);
            repelLeaf(leaf, cells, result);
        }
    });
}

}  // namespace bitloom::stats
