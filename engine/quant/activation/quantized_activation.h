// How a node's output is rounded in a deployed network (README.md section 1). No libtorch here.
#pragma once

#include <map>
#include <string>

namespace bitloom::quant {

/// q = clamp(round(x / s) + z, 0, 2^bits - 1), x^ = s (q - z); halves round to the even number.
struct QuantizedActivation {
    int bits = 8;       ///< 2 to 8
    float scale = 1;    ///< s, finite, > 0
    int zeroPoint = 0;  ///< z, 0 to highest(); 0 where no value is negative

    [[nodiscard]] int highest() const { return (1 << bits) - 1; }
    /// The least and the greatest x^; low() <= 0 <= high().
    [[nodiscard]] float low() const { return -scale * static_cast<float>(zeroPoint); }
    [[nodiscard]] float high() const { return scale * static_cast<float>(highest() - zeroPoint); }
    friend bool operator==(const QuantizedActivation&, const QuantizedActivation&) = default;
};

using ActivationMap = std::map<std::string, QuantizedActivation, std::less<>>;  ///< by node name

}  // namespace bitloom::quant
