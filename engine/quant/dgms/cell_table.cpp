#include "engine/quant/dgms/cell_table.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <numeric>

namespace bitloom::quant::dgms {
namespace {

using Indices = std::vector<std::int32_t>;

Segment makeSegment(const Components& components, Indices near) {
    Segment segment;
    segment.farCount = static_cast<double>(components.size()) - static_cast<double>(near.size());
    segment.farMu = std::accumulate(components.mu.begin(), components.mu.end(), 0.0);
    for (const std::int32_t k : near) {
        segment.mu.push_back(components.mu[k]);
        segment.inverseSigma.push_back(components.inverseSigma[k]);
        segment.offset.push_back(components.offset[k]);
        segment.farMu -= components.mu[k];
    }
    segment.near = std::move(near);
    return segment;
}

Indices allOf(const Components& components) {
    Indices all(components.mu.size());
    std::iota(all.begin(), all.end(), 0);
    return all;
}

/// Whether r of the top component leads by kappa all over the cell: rho <= (1 - kappa) / (1 + kappa),
/// dgms/README.md section 4. A parameter that is not finite saturates nothing, so that it shows in the
/// weights.
bool isSaturated(const Components& components, const CellBounds& bounds, double kappa) {
    if (kappa >= 1) return false;
    constexpr double kNegligible = -40;
    const double reference = bounds.lowest(bounds.top());
    double rho = components.size() * std::exp(kNegligible);
    const double limit = (1 - kappa) / (1 + kappa);
    if (!std::isfinite(reference)) return false;
    if (components.phantom - reference > kNegligible) rho += std::exp(components.phantom - reference);
    for (int k = 0; k < components.size() && rho <= limit; ++k) {
        if (k == bounds.top()) continue;
        const double lead = bounds.highest(k) - reference;
        if (!(lead <= kNegligible)) rho += std::exp(lead);
    }
    return rho <= limit;
}

Indices nearComponents(const Components& components, const CellBounds& bounds, double farGap) {
    const double reference = std::max(bounds.lowest(bounds.top()), components.phantom);
    Indices near;
    for (int k = 0; k < components.size(); ++k) {
        if (!(bounds.highest(k) <= reference - farGap)) near.push_back(k);
    }
    return near;
}

Indices unite(const Indices& a, const Indices& b) {
    Indices both;
    std::set_union(a.begin(), a.end(), b.begin(), b.end(), std::back_inserter(both));
    return both;
}

/// Joins runs of neighbouring cells into segments as long as the shared list stays close to what each cell
/// needs.
class SegmentBuilder {
  public:
    SegmentBuilder(const Components& components, CellTable& table)
        : m_components(components), m_table(table) {}

    void addCell(const Indices& near) {
        Indices both = unite(m_near, near);
        const std::size_t largest = std::max(m_largest, near.size());
        if (m_open && both.size() > std::max(largest + 1, largest * 5 / 4)) {
            close();
            both = near;
        }
        m_largest = m_open ? largest : near.size();
        m_near = std::move(both);
        m_open = true;
        m_table.bucket.push_back(m_components.size() + static_cast<std::int32_t>(m_table.segments.size()));
    }

    void close() {
        if (m_open) m_table.segments.push_back(makeSegment(m_components, std::move(m_near)));
        m_near.clear();
        m_open = false;
    }

  private:
    const Components& m_components;
    CellTable& m_table;
    Indices m_near;
    std::size_t m_largest = 0;
    bool m_open = false;
};

}  // namespace

CellBounds::CellBounds(const Components& components)
    : m_components(components), m_lowest(components.mu.size()), m_highest(components.mu.size()) {}

void CellBounds::evaluate(double left, double right) {
    m_top = 0;
    for (std::size_t k = 0; k < m_lowest.size(); ++k) {
        const double mu = m_components.mu[k];
        const double inverse = m_components.inverseSigma[k];
        const double farthest = std::max(std::abs(left - mu), std::abs(right - mu)) * inverse;
        const double nearest = std::max(std::max(left - mu, mu - right), 0.0) * inverse;
        m_lowest[k] = m_components.offset[k] - 0.5 * farthest * farthest;
        m_highest[k] = m_components.offset[k] - 0.5 * nearest * nearest;
    }
    for (std::size_t k = 1; k < m_lowest.size(); ++k) {
        if (m_lowest[k] > m_lowest[static_cast<std::size_t>(m_top)]) m_top = static_cast<int>(k);
    }
}

CellTable buildCells(const Components& components, double low, double high, int cells, Tolerance tolerance) {
    CellTable table;
    const double range = high - low;
    // Below 1e-30 the scale would leave float32's range; one cell then holds every weight anyway.
    const bool divisible = cells > 1 && std::isfinite(range) && range > 1e-30;
    if (!divisible) {
        table.bucket.push_back(components.size());
        table.segments.push_back(makeSegment(components, allOf(components)));
    } else {
        table.low = low;
        table.scale = cells / range;
        const double width = range / cells;
        const double kappa = components.temperature * (tolerance.saturation + std::log(components.size()));
        CellBounds bounds(components);
        SegmentBuilder builder(components, table);
        for (int cell = 0; cell < cells; ++cell) {
            const double left = low + (cell - kCellMargin) * width;
            bounds.evaluate(left, left + (1 + 2 * kCellMargin) * width);
            if (isSaturated(components, bounds, kappa)) {
                builder.close();
                table.bucket.push_back(bounds.top());
            } else {
                builder.addCell(nearComponents(components, bounds, tolerance.farGap));
            }
        }
        builder.close();
    }
    table.value = components.mu;
    table.value.resize(components.mu.size() + table.segments.size(), 0.0);
    return table;
}

}  // namespace bitloom::quant::dgms
