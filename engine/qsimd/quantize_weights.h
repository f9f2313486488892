// From float weights and codebooks to the int8 that K2 multiplies: one scale a layer or channel that
// minimises the squared error weighted by how often an entry is used. Pure, any thread.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace bitloom::qsimd {

/// values ~ scale x numbers.
struct Int8Codebook {
    float scale = 1;                   ///< > 0
    std::vector<std::int8_t> numbers;  ///< within +-kMaxWeight; zero stays zero
    double error = 0;                  ///< sum of counts x squared differences
};

/// `counts[i]` weights use `codebook[i]`. Codebooks whose entries are small multiples of a power of two, such
/// as
/// {+-1, +-1/2}, are exact.
[[nodiscard]] Int8Codebook quantizeCodebook(std::span<const float> codebook,
                                            std::span<const std::int64_t> counts);

/// weights ~ scale x (128 high + low), |high|, |low| <= kMaxWeight: 14 bits.
struct Planes {
    float scale = 1;
    std::vector<std::int8_t> high;
    std::vector<std::int8_t> low;
};
[[nodiscard]] Planes quantizePlanes(std::span<const float> weights);

}  // namespace bitloom::qsimd
