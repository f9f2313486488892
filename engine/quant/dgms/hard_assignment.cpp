#include "engine/quant/dgms/hard_assignment.h"

#include <algorithm>
#include <cmath>

#include "engine/quant/dgms/cell_table.h"

namespace bitloom::quant::dgms {

HardAssigner::HardAssigner(const Components& components, double low, double high, int cells)
    : m_components(components), m_low(low), m_high(high) {
    const double range = high - low;
    if (cells <= 1 || !std::isfinite(range) || !(range > 1e-30)) return;
    m_scale = cells / range;
    CellBounds bounds(components);
    for (int cell = 0; cell < cells; ++cell) {
        m_start.push_back(static_cast<std::uint32_t>(m_candidates.size()));
        const double width = range / cells;
        const double left = low + (cell - kCellMargin) * width;
        bounds.evaluate(left, left + (1 + 2 * kCellMargin) * width);
        const double best = bounds.lowest(bounds.top());
        if (!std::isfinite(best)) {  // the training has diverged: nothing can be ruled out
            m_start.clear();
            return;
        }
        const double slack = 1e-9 * (1 + std::abs(best));  // far above rounding in u, so that ties stay ties
        for (int k = 0; k < components.size(); ++k) {
            if (bounds.highest(k) >= best - slack) m_candidates.push_back(static_cast<std::uint8_t>(k));
        }
    }
    m_start.push_back(static_cast<std::uint32_t>(m_candidates.size()));
}

std::uint8_t HardAssigner::index(double weight) const {
    if (m_start.empty() || !(weight >= m_low && weight <= m_high)) {
        return static_cast<std::uint8_t>(m_components.hardIndex(weight));
    }
    const auto cell = std::min(static_cast<std::size_t>((weight - m_low) * m_scale), m_start.size() - 2);
    std::uint8_t best = m_candidates[m_start[cell]];
    if (m_start[cell + 1] - m_start[cell] == 1) return best;
    double bestScore = m_components.score(best, weight);
    for (std::uint32_t i = m_start[cell] + 1; i < m_start[cell + 1]; ++i) {
        const double candidate = m_components.score(m_candidates[i], weight);
        if (candidate > bestScore) {
            bestScore = candidate;
            best = m_candidates[i];
        }
    }
    return best;
}

}  // namespace bitloom::quant::dgms
