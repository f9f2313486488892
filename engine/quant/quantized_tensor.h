// A hard-quantized weight: codebook and indices, as deployed and as exported. No libtorch here.
#pragma once

#include <cstdint>
#include <vector>

#include "engine/graph/tensor.h"

namespace bitloom::quant {

struct QuantizedTensor {
    graph::Shape shape;                 ///< of the weight: [out, in / groups, kh, kw] or [out, in]
    int groups = 1;                     ///< codebooks: 1, or one per output channel (filter-wise)
    int components = 0;                 ///< entries of each codebook, 2 to 256
    std::vector<float> codebook;        ///< [groups, components]
    std::vector<std::uint8_t> indices;  ///< one per weight, row-major, < components

    [[nodiscard]] int indexBits() const;  ///< ceil(log2(components)), 1 to 8
    [[nodiscard]] std::vector<float> dequantize() const;
    [[nodiscard]] std::int64_t zeros() const;  ///< weights whose codebook value is exactly 0
};

/// Indices packed little-endian, lowest bits first, `bits` each, no padding between; the last byte padded
/// with zeros.
[[nodiscard]] std::vector<std::uint8_t> packIndices(const std::vector<std::uint8_t>& indices, int bits);
[[nodiscard]] std::vector<std::uint8_t> unpackIndices(const std::vector<std::uint8_t>& packed, int bits,
                                                      std::int64_t count);

}  // namespace bitloom::quant
