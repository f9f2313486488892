// The quadtree of Barnes and Hut over points in the plane: far points repel as one, from their centre of mass
// (van der Maaten 2014, section 3.2). Points of a leaf look for what repels them together and are then
// computed in SIMD lanes ("modified tree code", Barnes 1990).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace bitloom::stats {

struct PlanePoint {
    double x = 0;
    double y = 0;
};

/// What all other points do to one, q_ij = 1 / (1 + |y_i - y_j|^2): the force is sum_j q_ij^2 (y_i - y_j),
/// the sum is sum_j q_ij, of which Z is made.
struct Repulsion {
    PlanePoint force;
    double sum = 0;
};

class QuadTree {
  public:
    /// Beyond, a point could count as repelled by itself.
    static constexpr double kGreatestTheta = 0.7;

    /// Of finite points.
    void build(std::span<const PlanePoint> points);

    /// By point, in the order of build(). A cell of side s counts as one point for a leaf whose box lies d
    /// from the cell's centre of mass when s < theta d; theta in [0, kGreatestTheta], 0: no cell does, which
    /// is exact. The same for every number of `threads`.
    void repulsions(double theta, int threads, std::span<Repulsion> result) const;

  private:
    /// In depth-first order: the first child follows its parent, and `next` is what follows the last
    /// descendant.
    struct Node {
        PlanePoint centre;  ///< of mass
        double side = 0;
        std::uint32_t first = 0, last = 0;  ///< of m_order
        std::uint32_t next = 0;
        bool leaf = false;
    };
    struct Cells;

    void split(std::uint32_t first, std::uint32_t last, int level, double side);
    void gather(const Node& leaf, double theta, Cells& cells) const;
    void repelLeaf(const Node& leaf, const Cells& cells, std::span<Repulsion> result) const;

    std::vector<std::uint64_t> m_order;  ///< Morton code in the upper half, point in the lower one; ascending
    std::vector<double> m_x, m_y;        ///< in that order
    std::vector<Node> m_nodes;
    std::vector<std::uint32_t> m_leaves;
};

}  // namespace bitloom::stats
