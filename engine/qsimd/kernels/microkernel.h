// The inner loop that every convolution and fully connected layer runs: one tile of output pixels x output
// channels over the whole receptive field. Activations are channels-last with their padding stored around
// them, so a row of the receptive field is one contiguous run of memory and 1x1, 3x3 and 7x7 windows at any
// stride are the same loop.
//
// This folder stands alone: standard library only, no exceptions. It is part of Bitloom and, unchanged, of
// every exported bundle. Pure functions, any thread.
#pragma once

#include <cstddef>
#include <cstdint>

namespace bitloom::qsimd {

/// Activations of int8 kernels are numbers 0 to 255. ARM's dot products multiply signed bytes only, so there
/// the byte that is stored is the number minus 128; sums are corrected in the epilogue, and both machines
/// hold the same integers.
#if defined(__aarch64__)
inline constexpr int kActivationOffset = 128;
#else
inline constexpr int kActivationOffset = 0;
#endif

/// The byte stored for activation `value`, 0 to 255, and back.
inline std::uint8_t storeActivation(int value) {
    return static_cast<std::uint8_t>(value - kActivationOffset);
}
inline int loadActivation(std::uint8_t stored) {
    return static_cast<std::uint8_t>(stored + kActivationOffset);
}

/// Largest magnitude of an int8 weight. With it 255 x 64 x 2 fits 16 bits, which is what AVX2's VPMADDUBSW
/// and Armv8.0's SMULL / SMLAL pairs need to be exact; dot instructions give the same sums.
inline constexpr int kMaxWeight = 64;

/// The receptive fields of one tile. `Value` is float, or std::uint8_t as stored. Strides count values.
template <class Value>
struct Fields {
    const Value* first = nullptr;      ///< first channel of the first tap of the tile's first pixel
    std::ptrdiff_t pixelStride = 0;    ///< from one output pixel's field to the next
    std::ptrdiff_t rowStride = 0;      ///< from one row of the field to the next
    std::ptrdiff_t segmentStride = 0;  ///< from one segment of a row to the next
    int rows = 0;                      ///< rows of the field (kernel height, less what padding hides)
    int segments = 1;                  ///< 1, or the kernel width where groups leave gaps between taps
    int run = 0;                       ///< values of a segment: a multiple of the kernel's depth
    std::ptrdiff_t weightSkip = 0;     ///< weights to pass over after those of each row
    bool adds = false;                 ///< sums are added to those that are there, not put in their place
};

/// Sums of a tile of P pixels x C channels. `weights` is a panel: for every row, segment and group of `depth`
/// values of the run, C channels of `depth` weights. `sums`
/// [P][C] is overwritten, or added to: a field may be taken in parts.
using FloatMicrokernel = void (*)(const Fields<float>& fields, const float* weights, float* sums);
using ByteMicrokernel = void (*)(const Fields<std::uint8_t>& fields, const std::int8_t* weights,
                                 std::int32_t* sums);

/// Instruction sets a microkernel may need, weakest first within a family.
enum class Isa { Scalar, Avx2, Avx512, Avx512Vnni, Neon, NeonDot, NeonI8mm };

/// One line of a registry: exactly one of `floats` and `bytes` is set.
struct Microkernel {
    const char* name;  ///< "<fp32|int8>_<isa>_<pixels>x<channels>"
    Isa isa;
    int pixels;
    int channels;
    int depth;  ///< values of a run that one step takes: 1, 4 or 8
    FloatMicrokernel floats;
    ByteMicrokernel bytes;
};

}  // namespace bitloom::qsimd
