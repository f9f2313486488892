#include "engine/qsimd/runtime/panels.h"

#include <algorithm>
#include <cstring>

namespace bitloom::qsimd {
namespace {

int roundUp(int value, int multiple) {
    return (value + multiple - 1) / multiple * multiple;
}

std::uint8_t indexAt(const Convolution& step, std::size_t i) {
    const auto bits = static_cast<std::size_t>(step.indexBits);
    const std::size_t perByte = 8 / bits;
    return static_cast<std::uint8_t>((step.weights[i / perByte] >> (bits * (i % perByte))) &
                                     ((1U << bits) - 1));
}

template <class Value>
std::vector<Value> decoded(const Convolution& step, const std::vector<Value>& codebook, std::size_t count) {
    const std::size_t entries = std::size_t{1} << step.indexBits;
    const std::size_t books = codebook.size() / entries;
    const std::size_t perBook = count / books;
    std::vector<Value> weights(count);
    for (std::size_t i = 0; i < count; ++i)
        weights[i] = codebook[i / perBook * entries + indexAt(step, i)];
    return weights;
}

/// Calls put(place in the panels, output channel of the layer, weight of that channel) for every weight.
template <class Put>
void forEachWeight(const PanelShape& shape, std::size_t stride, const Put& put) {
    for (int block = 0; block < shape.allBlocks(); ++block) {
        const int group = block / shape.blocks;
        for (int c = 0; c < shape.channels; ++c) {
            const int output = block % shape.blocks * shape.channels + c;
            if (output >= shape.outputs) continue;
            for (int part = 0; part < shape.rows * shape.segments; ++part) {
                for (int k = 0; k < shape.run; ++k) {
                    const int paddedGroup = (part * shape.paddedRun + k) / shape.depth;
                    const std::size_t place =
                        static_cast<std::size_t>(block) * stride +
                        (static_cast<std::size_t>(paddedGroup) * static_cast<std::size_t>(shape.channels) +
                         static_cast<std::size_t>(c)) *
                            static_cast<std::size_t>(shape.depth) +
                        static_cast<std::size_t>(k % shape.depth);
                    const int flat = part * shape.run + k;
                    put(place, group * shape.outputs + output, static_cast<std::size_t>(flat));
                }
            }
        }
    }
}

template <class Value>
int zeroIndex(const std::vector<Value>& codebook) {
    const auto zero = std::ranges::find(codebook, Value{});
    return zero == codebook.end() ? -1 : static_cast<int>(zero - codebook.begin());
}

Panels packedPanels(const Convolution& step, const PanelShape& shape, std::uint8_t zero) {
    const std::size_t elements = blockElements(step.indexBits);
    const std::size_t padded = (shape.panelSize() + elements - 1) / elements * elements;
    const auto blocks = static_cast<std::size_t>(shape.allBlocks());
    std::vector<std::uint8_t> indices(blocks * padded, zero);
    const std::size_t perOutput = shape.taps();
    forEachWeight(shape, padded, [&](std::size_t place, int output, std::size_t flat) {
        indices[place] = indexAt(step, static_cast<std::size_t>(output) * perOutput + flat);
    });
    Panels panels;
    panels.bits = step.indexBits;
    panels.stride = padded / elements * kBlockBytes;
    panels.packed = AlignedArray<std::uint8_t>(blocks * panels.stride);
    packBlocks(indices.data(), indices.size(), step.indexBits, panels.packed.data());
    std::ranges::copy(step.codebook, panels.codebook.begin());
    std::ranges::copy(step.codebook8, panels.codebook8.begin());
    return panels;
}

}  // namespace

PanelShape panelShape(const Convolution& step, const Buffer& input, const Buffer& output, int channels,
                      int depth) {
    PanelShape shape;
    const int inputs = input.channels / step.groups;
    const bool contiguous = step.groups == 1 && step.dilationWidth == 1;
    shape.groups = step.groups;
    shape.outputs = output.channels / step.groups;
    shape.rows = step.kernelHeight;
    shape.segments = contiguous ? 1 : step.kernelWidth;
    shape.run = contiguous ? step.kernelWidth * inputs : inputs;
    shape.paddedRun = roundUp(shape.run, depth);
    shape.depth = depth;
    shape.channels = channels;
    shape.blocks = roundUp(shape.outputs, channels) / channels;
    return shape;
}

std::vector<float> floatWeights(const Convolution& step, std::size_t count) {
    if (step.format == WeightFormat::Codebook) return decoded(step, step.codebook, count);
    std::vector<float> weights(count);
    std::memcpy(weights.data(), step.weights.data(), step.weights.size());
    return weights;
}

std::vector<std::int8_t> byteWeights(const Convolution& step, std::size_t count) {
    if (step.format == WeightFormat::Codebook8) return decoded(step, step.codebook8, count);
    std::vector<std::int8_t> weights(step.weights.size());
    std::memcpy(weights.data(), step.weights.data(), step.weights.size());
    return weights;
}

std::vector<std::int32_t> rowSums(const std::vector<std::int8_t>& weights, std::size_t channels,
                                  std::size_t rows) {
    const std::size_t perRow = weights.size() / channels / rows;
    std::vector<std::int32_t> sums(channels * rows);
    for (std::size_t i = 0; i < weights.size(); ++i)
        sums[i / perRow] += weights[i];
    return sums;
}

Panels makePanels(const Convolution& step, const PanelShape& shape, bool packs) {
    const bool bytes = step.family == Family::K2;
    const bool codebook = step.format == WeightFormat::Codebook || step.format == WeightFormat::Codebook8;
    const std::size_t books = (step.codebook.size() + step.codebook8.size()) >> step.indexBits;
    const bool compact =
        packs && codebook && step.indexBits <= 4 && books == 1 && step.family != Family::TunedFp32;
    if (compact) {
        const bool padded = shape.paddedRun != shape.run;
        const int zero = bytes ? zeroIndex(step.codebook8) : zeroIndex(step.codebook);
        if (!padded || zero >= 0)
            return packedPanels(step, shape, static_cast<std::uint8_t>(std::max(zero, 0)));
    }
    const std::size_t perOutput = shape.taps();
    const std::size_t count =
        perOutput * static_cast<std::size_t>(shape.outputs) * static_cast<std::size_t>(shape.groups);
    Panels panels;
    panels.stride = shape.panelSize();
    const std::size_t size = panels.stride * static_cast<std::size_t>(shape.allBlocks());
    const auto from = [=](int output, std::size_t flat) {
        return static_cast<std::size_t>(output) * perOutput + flat;
    };
    if (bytes) {
        const std::vector<std::int8_t> weights = byteWeights(step, count);
        panels.bytes = AlignedArray<std::int8_t>(size);
        forEachWeight(shape, panels.stride, [&](std::size_t place, int output, std::size_t flat) {
            panels.bytes[place] = weights[from(output, flat)];
        });
    } else {
        const std::vector<float> weights = floatWeights(step, count);
        panels.floats = AlignedArray<float>(size);
        forEachWeight(shape, panels.stride, [&](std::size_t place, int output, std::size_t flat) {
            panels.floats[place] = weights[from(output, flat)];
        });
    }
    return panels;
}

}  // namespace bitloom::qsimd
