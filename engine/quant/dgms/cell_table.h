// Certified cells (dgms/README.md section 4): the range of a layer's weights cut into equal cells, each of
// which either is proved to have Phi = mu_k throughout, or names the few components that matter in it.
// Adjacent cells of the second kind share a segment, so that the kernel can gather many weights under one
// list of components. Pure, any thread.
#pragma once

#include <cstdint>
#include <vector>

#include "engine/quant/dgms/components.h"

namespace bitloom::quant::dgms {

/// Components that matter somewhere in a run of cells; the others ("far") have r = 0 there.
struct Segment {
    std::vector<std::int32_t> near;  ///< ascending component indices; may be empty in parity mode
    std::vector<double> mu;          ///< of the near components
    std::vector<double> inverseSigma;
    std::vector<double> offset;
    double farCount = 0;  ///< far components still take exp(0) in the second softmax
    double farMu = 0;     ///< sum of their mu
};

struct CellTable {
    double low = 0;  ///< a weight's cell is (w - low) * scale, clamped to the table
    double scale = 0;
    std::vector<std::int32_t> bucket;  ///< of each cell: k < K means Phi = mu_k, K + s means segment s
    std::vector<double> value;         ///< of each bucket: mu_k; 0 for segments
    std::vector<Segment> segments;
};

/// How far the table may be from exact arithmetic.
struct Tolerance {
    double saturation = 20;  ///< in constant cells |Phi - mu_k| <= exp(-saturation) (mu_max - mu_min)
    double farGap = 25;      ///< far components have r <= exp(-farGap)

    [[nodiscard]] static Tolerance forFloat() { return {20, 20}; }
    [[nodiscard]] static Tolerance forDouble() { return {45, 50}; }
};

/// Table over weights in [low, high]. `cells` = 1 makes one segment with every component: the dense
/// evaluation. So does a range that is not finite.
[[nodiscard]] CellTable buildCells(const Components& components, double low, double high, int cells,
                                   Tolerance tolerance);

/// Bounds of every u_k over one cell. u_k is concave: its minimum lies at an end, its maximum at mu_k or at
/// an end.
class CellBounds {
  public:
    explicit CellBounds(const Components& components);
    void evaluate(double left, double right);

    [[nodiscard]] double lowest(int k) const { return m_lowest[static_cast<std::size_t>(k)]; }
    [[nodiscard]] double highest(int k) const { return m_highest[static_cast<std::size_t>(k)]; }
    [[nodiscard]] int top() const { return m_top; }  ///< the component with the largest lowest()

  private:
    const Components& m_components;
    std::vector<double> m_lowest;
    std::vector<double> m_highest;
    int m_top = 0;
};

/// Cells are evaluated this share of their width beyond both ends, so that rounding in (w - low) * scale
/// cannot take a weight out of the cell that was proved for it.
inline constexpr double kCellMargin = 0.01;

}  // namespace bitloom::quant::dgms
