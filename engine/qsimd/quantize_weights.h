// From float weights and codebooks to the int8 that K2 multiplies: one scale a layer or channel that
// minimises the squared error weighted by how often an entry is used. Pure, any thread.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace bitloom::qsimd {

/// values ~ scale x numbers.
struct Int8Values {
    float scale = 1;                   ///< > 0
    std::vector<std::int8_t> numbers;  ///< within +-kMaxWeight; zero stays zero
    double error = 0;                  ///< of a codebook: sum of counts x squared differences
};

/// `counts[i]` weights use `codebook[i]`. Codebooks of small multiples of a power of two, such as
/// {+-1, +-1/2}, are exact.
[[nodiscard]] Int8Values quantizeCodebook(std::span<const float> codebook,
                                          std::span<const std::int64_t> counts);

/// Weights without a codebook, those of one output channel: the largest magnitude becomes kMaxWeight.
[[nodiscard]] Int8Values quantizeWeights(std::span<const float> weights);

}  // namespace bitloom::qsimd
