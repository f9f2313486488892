// Where an activation is clipped (README.md section 3): its values counted, and the scale that loses least.
// Pure, any thread; a ValueCounts on one thread at a time.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "engine/quant/activation/quantized_activation.h"

namespace bitloom::quant {

/// What is known of an activation's values after a first look at them.
struct ValueExtent {
    float low = 0;   ///< least value, at most 0
    float high = 0;  ///< greatest value, at least 0
    double sum = 0;  ///< of |x|
    std::int64_t count = 0;
    bool finite = true;  ///< no value was NaN or infinite

    void add(std::span<const float> values);
    [[nodiscard]] double meanMagnitude() const { return count > 0 ? sum / static_cast<double>(count) : 0; }
};

/// Values in equal bins between two ends, with the mean of each.
class ValueCounts {
  public:
    /// `extent` of all values that will be added; finite.
    explicit ValueCounts(const ValueExtent& extent);
    void add(std::span<const float> values);

    /// Sum of |x - x^|^2.4, each value in the place of its bin's mean.
    [[nodiscard]] double error(const QuantizedActivation& rounding) const;
    [[nodiscard]] float low() const { return m_low; }
    [[nodiscard]] float high() const { return m_high; }

  private:
    struct Bin {
        double count = 0;
        double sum = 0;
    };
    float m_low;
    float m_high;
    float m_perUnit;  // bins a unit of value; 0 where all values are 0
    std::vector<Bin> m_bins;
};

inline constexpr float kLeastScale = 1e-8F;

/// `bits` between the ends low <= 0 <= high; 1 for the greatest value where both are 0.
[[nodiscard]] QuantizedActivation roundingBetween(float low, float high, int bits);

/// The one of least error among the ends (1 - 0.01 i) low and (1 - 0.01 i) high, i = 0 to 79.
[[nodiscard]] QuantizedActivation searchRange(const ValueCounts& counts, int bits);

/// LSQ's start: s = 2 mean|x| / sqrt(Qp), z = 0 (Esser et al., ICLR 2020, section 2.1); where values are
/// negative, their whole range. Any s of an activation that is always 0.
[[nodiscard]] QuantizedActivation lsqStart(const ValueExtent& extent, int bits);

}  // namespace bitloom::quant
