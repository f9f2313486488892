// The colour of each class of a dataset, the same in a plot and its legend. GUI thread only.
#pragma once

#include <QColor>
#include <cstddef>

namespace bitloom::widgets {

/// Classes that have a hue of their own; beyond, hues come again, lighter or darker.
inline constexpr std::size_t kClassHues = 10;

/// In the theme that is current: Okabe and Ito's colours, then violet, brown and grey.
[[nodiscard]] QColor classColor(std::size_t index);

}  // namespace bitloom::widgets
