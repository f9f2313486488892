// See component_colors.h.
#include "widgets/component_colors.h"

#include <algorithm>
#include <numeric>

#include "widgets/theme.h"

namespace bitloom::widgets {

ComponentColors::ComponentColors(const report::Mixture& mixture) : m_rank(mixture.components.size()) {
    std::vector<std::size_t> byMu(m_rank.size());
    std::iota(byMu.begin(), byMu.end(), std::size_t{0});
    std::stable_sort(byMu.begin(), byMu.end(), [&mixture](std::size_t a, std::size_t b) {
        return mixture.components[a].mu < mixture.components[b].mu;
    });
    for (std::size_t rank = 0; rank < byMu.size(); ++rank)
        m_rank[byMu[rank]] = rank;
}

QColor ComponentColors::of(std::size_t component) const {
    if (m_rank.size() <= colors().categories.size()) return colors().category(component);
    return sequentialColor(static_cast<double>(m_rank[component]) / static_cast<double>(m_rank.size() - 1));
}

}  // namespace bitloom::widgets
