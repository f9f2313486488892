// From packed codebook indices to the panel that a microkernel multiplies with. Elements are in panel order;
// a block of 16 bytes holds them so that every instruction set unpacks it with shifts and masks alone: 4
// bits: elements 0 to 15 in the low nibbles, 16 to 31 in the high ones; 2 bits: elements 16 q to 16 q + 15 in
// bits 2 q and 2 q + 1. Standard library only; pure, any thread.
#pragma once

#include <cstddef>
#include <cstdint>

#include "engine/qsimd/kernels/microkernel.h"

namespace bitloom::qsimd {

inline constexpr std::size_t kBlockBytes = 16;
inline constexpr int kCodebookSize =
    16;  ///< entries a decoder reads; those that no index names may be anything

/// Elements of a block.
constexpr std::size_t blockElements(int bits) {
    return kBlockBytes * 8 / static_cast<std::size_t>(bits);
}

/// `blocks` blocks from `packed` to blocks x blockElements(bits) values of `codebook` [kCodebookSize].
using ByteDecoder = void (*)(const std::uint8_t* packed, std::size_t blocks, const std::int8_t* codebook,
                             std::int8_t* panel);
using FloatDecoder = void (*)(const std::uint8_t* packed, std::size_t blocks, const float* codebook,
                              float* panel);

/// One line of a table.
struct Decoder {
    Isa isa;
    int bits;  ///< of an index: 2 or 4
    ByteDecoder bytes;
    FloatDecoder floats;
};

/// Blocks of indices, each below 2^bits, in panel order; `count` is a multiple of blockElements(bits).
void packBlocks(const std::uint8_t* indices, std::size_t count, int bits, std::uint8_t* packed);

}  // namespace bitloom::qsimd
