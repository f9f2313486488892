// Loops that the compiler vectorises by itself: written once (loops_impl.h) and compiled for every
// instruction set. What finishes a tile of sums, and the kernels that take rows of pixels without a tile:
// depthwise convolution and the two baselines that microkernels are measured against. Pure functions, any
// thread.
#pragma once

#include <cstddef>
#include <cstdint>

#include "engine/qsimd/kernels/microkernel.h"

namespace bitloom::qsimd {

/// Constants of `channels` adjacent output channels.
struct EpilogueConstants {
    const std::int32_t* start = nullptr;  ///< added to int8 sums, so that they are those of the true numbers
    const float* scale = nullptr;
    const float* bias = nullptr;
    float low = 0;  ///< clamp, in units of what is stored
    float high = 0;
    float residualScale = 0;  ///< what a residual is multiplied with
};

/// A tile of `pixels` x `channels` sums, `sumStride` apart, to outputs, whose pixels are `outputStride`
/// values apart: clamp(fma(residual, residualScale, fma(sum + start, scale, bias))). Each operation rounds
/// once and in this order on every machine: outputs are bit-equal. Uint8 outputs are rounded half to even.
/// `residual` is read only where the function's name says so.
struct TileShape {
    int pixels = 0;
    int channels = 0;
    int sumStride = 0;
    std::ptrdiff_t outputStride = 0;
    std::ptrdiff_t residualStride = 0;
};
using Epilogue = void (*)(const void* sums, const TileShape& shape, const EpilogueConstants& constants,
                          const void* residual, void* output);

/// What the sums of a tile are.
enum class SumKind { Float, Int };
enum class ResidualKind { None, Uint8, Float32 };

/// A row of output pixels, sums [pixels][channels]. Naive: plain nested loops, the yardstick of the Q-SIMD
/// paper, weights [rows][segments][run][channels]. Depthwise: one weight a channel and tap, weights
/// [rows][columns][channels]; fields.run is the number of columns, fields.segmentStride the step to the next.
using FloatRow = void (*)(const Fields<float>& fields, const float* weights, int pixels, int channels,
                          float* sums);
using ByteRow = void (*)(const Fields<std::uint8_t>& fields, const std::int8_t* weights, int pixels,
                         int channels, std::int32_t* sums);

/// The Q-SIMD paper's kernel: every byte of indices is looked up in `pairs`, an extended codebook of 256
/// pairs (4-bit indices) or quadruples (2-bit) of weights. Sums of up to kPaperPixels pixels stay in
/// registers over the whole field (output reuse inside); the caller runs all output channels over one tile of
/// pixels (input reuse outside). indices: [rows][segments][run x bits / 8] of one channel; run is a multiple
/// of 4.
inline constexpr int kPaperPixels = 8;
using PaperKernel = void (*)(const Fields<float>& fields, const std::uint8_t* indices, const float* pairs,
                             int pixels, float* sums);

/// What row kernels compute. Paper4 and Paper2: of 4-bit and 2-bit indices.
enum class RowKind { Naive, Depthwise, Paper4, Paper2 };

/// One line of a registry: exactly one of `floats`, `bytes` and `paper` is set.
struct RowKernel {
    const char* name;  ///< "<fp32|int8>_<isa>_<naive|depthwise|paper4|paper2>"
    Isa isa;
    RowKind kind;
    FloatRow floats;
    ByteRow bytes;
    PaperKernel paper;
};

/// Real numbers to stored bytes: round half to even of (value x inverseScale) + zeroPoint, clamped to 0 to
/// 255, and back: scale x (number - zeroPoint).
using Quantize = void (*)(const float* from, std::size_t count, float inverseScale, float zeroPoint,
                          std::uint8_t* to);
using Dequantize = void (*)(const std::uint8_t* from, std::size_t count, float scale, int zeroPoint,
                            float* to);

/// best[i] = max(best[i], other[i]); of stored bytes, the greater number.
using FloatMaximum = void (*)(const float* other, std::size_t count, float* best);
using ByteMaximum = void (*)(const std::uint8_t* other, std::size_t count, std::uint8_t* best);

struct Loops {
    Isa isa;
    Epilogue epilogue[2][3][2];  ///< [SumKind][ResidualKind][0 Float32, 1 Uint8 output]
    Quantize quantize;
    Dequantize dequantize;
    FloatMaximum maxFloats;
    ByteMaximum maxBytes;
};

}  // namespace bitloom::qsimd
