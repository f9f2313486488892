// Weights in the order in which a microkernel reads them: for every block of output channels, row of the
// window, segment and group of `depth` values, the block's channels with their `depth` weights. Decided by
// the microkernel, so made where it runs. Pure; throws std::bad_alloc.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "engine/qsimd/kernels/decoder.h"
#include "engine/qsimd/kernels/microkernel.h"
#include "engine/qsimd/runtime/aligned.h"
#include "engine/qsimd/runtime/model.h"

namespace bitloom::qsimd {

/// How a convolution's window lies in memory, and the panels for it.
struct PanelShape {
    int groups = 1;
    int outputs = 1;    ///< output channels of a group
    int rows = 1;       ///< of the window
    int segments = 1;   ///< of a row: 1 where its values are contiguous
    int run = 1;        ///< values of a segment
    int paddedRun = 1;  ///< up to a multiple of the microkernel's depth
    int depth = 1;
    int channels = 1;  ///< of the microkernel's tile
    int blocks = 1;    ///< of a group

    /// Weights of an output channel.
    [[nodiscard]] std::size_t taps() const {
        return static_cast<std::size_t>(rows) * static_cast<std::size_t>(segments) *
               static_cast<std::size_t>(run);
    }
    [[nodiscard]] std::size_t panelSize() const { return static_cast<std::size_t>(rows) * rowSize(); }
    [[nodiscard]] std::size_t rowSize() const {
        return static_cast<std::size_t>(segments) * static_cast<std::size_t>(paddedRun) *
               static_cast<std::size_t>(channels);
    }
    /// Where the weights of value `first`, a multiple of depth, of the only segment of a row begin.
    [[nodiscard]] std::size_t placeInPanel(int row, int first) const {
        return static_cast<std::size_t>(row) * rowSize() +
               static_cast<std::size_t>(first) * static_cast<std::size_t>(channels);
    }
    [[nodiscard]] int allBlocks() const { return groups * blocks; }
};

[[nodiscard]] PanelShape panelShape(const Convolution& step, const Buffer& input, const Buffer& output,
                                    int channels, int depth);

/// The panels of all blocks, one of three kinds. Packed ones are decoded before use.
struct Panels {
    AlignedArray<float> floats;
    AlignedArray<std::int8_t> bytes;
    AlignedArray<std::uint8_t> packed;
    std::size_t stride = 0;  ///< of a block: elements of floats or bytes, bytes of packed
    int bits = 0;            ///< of packed indices: 2 or 4
    std::array<float, kCodebookSize> codebook{};
    std::array<std::int8_t, kCodebookSize> codebook8{};

    [[nodiscard]] std::size_t sizeInBytes() const { return floats.bytes() + bytes.bytes() + packed.bytes(); }
    /// Blocks of kBlockBytes that a decoder reads for one block of channels.
    [[nodiscard]] std::size_t packedBlocks() const { return stride / kBlockBytes; }
};

/// Indices stay packed for K0 and K2 where one codebook of at most 16 entries serves the layer; all else is
/// decoded once: filter-wise and larger codebooks, and windows whose padding has no index that means zero.
/// Without `packs` everything is.
[[nodiscard]] Panels makePanels(const Convolution& step, const PanelShape& shape, bool packs);

/// Weight `flat` of output channel `output` of the whole layer; flat counts rows, columns and input channels.
[[nodiscard]] std::vector<float> floatWeights(const Convolution& step, std::size_t count);
/// The same as int8.
[[nodiscard]] std::vector<std::int8_t> byteWeights(const Convolution& step, std::size_t count);

/// Sums over a row of the window: [output channel][row], of int8 weights.
[[nodiscard]] std::vector<std::int32_t> rowSums(const std::vector<std::int8_t>& weights, std::size_t channels,
                                                std::size_t rows);

}  // namespace bitloom::qsimd
