// Which colour each component of a mixture has, in the plot, its legend and the codebook table alike. GUI
// thread only.
#pragma once

#include <QColor>
#include <cstddef>
#include <vector>

#include "engine/report/mixture.h"

namespace bitloom::widgets {

/// A handful of components take the categories, in the order of their indices. More than there are categories
/// take a sequential map by rank of mu, so that neighbours look alike and none looks like another far away.
class ComponentColors {
  public:
    ComponentColors() = default;
    explicit ComponentColors(const report::Mixture& mixture);

    /// In the theme that is current.
    [[nodiscard]] QColor of(std::size_t component) const;

  private:
    std::vector<std::size_t> m_rank;  ///< by component
};

}  // namespace bitloom::widgets
