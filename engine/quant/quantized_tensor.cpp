#include "engine/quant/quantized_tensor.h"

#include <algorithm>
#include <bit>
#include <cassert>

namespace bitloom::quant {

int QuantizedTensor::indexBits() const {
    return std::max(1, static_cast<int>(std::bit_width(static_cast<unsigned>(components - 1))));
}

std::vector<float> QuantizedTensor::dequantize() const {
    assert(groups > 0 && indices.size() % static_cast<std::size_t>(groups) == 0);
    const std::size_t perGroup = indices.size() / static_cast<std::size_t>(groups);
    std::vector<float> values(indices.size());
    for (std::size_t i = 0; i < indices.size(); ++i) {
        values[i] = codebook[i / perGroup * static_cast<std::size_t>(components) + indices[i]];
    }
    return values;
}

std::int64_t QuantizedTensor::zeros() const {
    const std::vector<float> values = dequantize();
    return std::count(values.begin(), values.end(), 0.0f);
}

std::vector<std::uint8_t> packIndices(const std::vector<std::uint8_t>& indices, int bits) {
    assert(bits >= 1 && bits <= 8);
    std::vector<std::uint8_t> packed;
    packed.reserve((indices.size() * static_cast<std::size_t>(bits) + 7) / 8);
    unsigned pending = 0;
    int pendingBits = 0;
    for (const std::uint8_t index : indices) {
        assert(index >> bits == 0);
        pending |= static_cast<unsigned>(index) << pendingBits;
        pendingBits += bits;
        if (pendingBits >= 8) {
            packed.push_back(static_cast<std::uint8_t>(pending));
            pending >>= 8;
            pendingBits -= 8;
        }
    }
    if (pendingBits > 0) packed.push_back(static_cast<std::uint8_t>(pending));
    return packed;
}

std::vector<std::uint8_t> unpackIndices(const std::vector<std::uint8_t>& packed, int bits,
                                        std::int64_t count) {
    assert(bits >= 1 && bits <= 8 && static_cast<std::int64_t>(packed.size()) >= (count * bits + 7) / 8);
    std::vector<std::uint8_t> indices(static_cast<std::size_t>(count));
    const unsigned mask = (1u << bits) - 1;
    unsigned pending = 0;
    int pendingBits = 0;
    std::size_t next = 0;
    for (std::uint8_t& index : indices) {
        if (pendingBits < bits) {
            pending |= static_cast<unsigned>(packed[next++]) << pendingBits;
            pendingBits += 8;
        }
        index = static_cast<std::uint8_t>(pending & mask);
        pending >>= bits;
        pendingBits -= bits;
    }
    return indices;
}

}  // namespace bitloom::quant
