// The levels of one layer (README.md sections 1 and 2). Pure functions, any thread.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>
#include <vector>

namespace bitloom::quant::uniform {

inline constexpr int kMostBits = 8;
/// The clip of weights that are all 0, of which no level is one.
inline constexpr float kSmallestClip = 1e-6F;

/// 2^bits equally spaced levels from -clip to clip, in the type of the weights.
template <class T>
class Levels {
  public:
    /// `bits` 1 to kMostBits, `clip` > 0.
    Levels(int bits, T clip) : m_clip(clip), m_half(static_cast<T>((1 << bits) - 1) / 2) {
        const int last = (1 << bits) - 1;
        for (int k = 0; k <= last; ++k)
            m_values.push_back(static_cast<T>(static_cast<double>(clip) * (2.0 * k / last - 1)));
    }

    /// Ascending.
    [[nodiscard]] const std::vector<T>& values() const { return m_values; }
    /// Of the level nearest to `weight`; half-way the upper one, of NaN the lowest.
    [[nodiscard]] std::size_t indexOf(T weight) const {
        const T place = std::clamp(weight / m_clip, T(-1), T(1)) * m_half + m_half;
        return place > 0 ? static_cast<std::size_t>(place + T(0.5)) : 0;
    }
    /// NaN stays NaN, so that training on it ends at once.
    [[nodiscard]] T nearest(T weight) const {
        return std::isnan(weight) ? weight : m_values[indexOf(weight)];
    }
    [[nodiscard]] T clip() const { return m_clip; }
    /// The distance of two levels.
    [[nodiscard]] double step() const { return static_cast<double>(m_clip) / static_cast<double>(m_half); }

  private:
    T m_clip;
    T m_half;
    std::vector<T> m_values;
};

/// The clip with the least sum of squared errors among max|w| i / 60, i = 1 to 60; kSmallestClip where
/// all weights are 0. Weights are looked at in 4096 bins of magnitude, those that are not finite not at all.
[[nodiscard]] float fitClip(std::span<const float> weights, int bits);

/// |Q(w) - w|^2 / |w|^2; 0 where all weights are 0.
[[nodiscard]] double relativeError(std::span<const float> weights, const Levels<float>& levels);

}  // namespace bitloom::quant::uniform
