// The definition of what every microkernel computes: tests compare the others with these. The float sums run
// in the order of the vector kernels and use fused multiply-add, so that those are equal to the bit.
#include <cmath>

#include "engine/qsimd/kernels/loops_impl.h"
#include "engine/qsimd/kernels/tables.h"

namespace bitloom::qsimd {
namespace {

template <int P, int C>
void fp32(const Fields<float>& fields, const float* weights, float* sums) {
    for (int i = 0; i < P * C && !fields.adds; ++i)
        sums[i] = 0.0F;
    for (int row = 0; row < fields.rows; ++row, weights += fields.weightSkip) {
        for (int segment = 0; segment < fields.segments; ++segment) {
            const float* field = fields.first + row * fields.rowStride + segment * fields.segmentStride;
            for (int k = 0; k < fields.run; ++k, weights += C) {
                for (int p = 0; p < P; ++p) {
                    for (int c = 0; c < C; ++c)
                        sums[p * C + c] =
                            std::fma(field[p * fields.pixelStride + k], weights[c], sums[p * C + c]);
                }
            }
        }
    }
}

/// Multiplies what is stored, as the vector kernels do: unsigned bytes on x86, signed ones on ARM.
int multiplicand(std::uint8_t stored) {
    return kActivationOffset == 0 ? stored : static_cast<std::int8_t>(stored);
}

template <int P, int C, int Depth>
void int8(const Fields<std::uint8_t>& fields, const std::int8_t* weights, std::int32_t* sums) {
    constexpr std::ptrdiff_t kStep = std::ptrdiff_t{C} * Depth;
    for (int i = 0; i < P * C && !fields.adds; ++i)
        sums[i] = 0;
    for (int row = 0; row < fields.rows; ++row, weights += fields.weightSkip) {
        for (int segment = 0; segment < fields.segments; ++segment) {
            const std::uint8_t* field =
                fields.first + row * fields.rowStride + segment * fields.segmentStride;
            for (int k = 0; k < fields.run; k += Depth, weights += kStep) {
                for (int p = 0; p < P; ++p) {
                    for (int c = 0; c < C; ++c) {
                        for (int d = 0; d < Depth; ++d)
                            sums[p * C + c] +=
                                multiplicand(field[p * fields.pixelStride + k + d]) * weights[c * Depth + d];
                    }
                }
            }
        }
    }
}

template <int Bits, class Value>
void decode(const std::uint8_t* packed, std::size_t blocks, const Value* codebook, Value* panel) {
    constexpr int kParts = 8 / Bits;
    for (std::size_t block = 0; block < blocks; ++block, packed += kBlockBytes) {
        for (int part = 0; part < kParts; ++part) {
            for (std::size_t i = 0; i < kBlockBytes; ++i)
                *panel++ = codebook[(packed[i] >> (Bits * part)) & ((1 << Bits) - 1)];
        }
    }
}

constexpr Microkernel kTable[] = {
    {"fp32_scalar_1x8", Isa::Scalar, 1, 8, 1, fp32<1, 8>, nullptr},
    {"fp32_scalar_4x8", Isa::Scalar, 4, 8, 1, fp32<4, 8>, nullptr},
    {"int8_scalar_1x8", Isa::Scalar, 1, 8, 4, nullptr, int8<1, 8, 4>},
    {"int8_scalar_4x8", Isa::Scalar, 4, 8, 4, nullptr, int8<4, 8, 4>},
    {"int8_scalar_2x8", Isa::Scalar, 2, 8, 8, nullptr, int8<2, 8, 8>},
};

constexpr RowKernel kRows[] = {
    {"fp32_scalar_naive", Isa::Scalar, RowKind::Naive, naive, nullptr, nullptr},
    {"fp32_scalar_depthwise", Isa::Scalar, RowKind::Depthwise, depthwise<float, float, float>, nullptr,
     nullptr},
    {"int8_scalar_depthwise", Isa::Scalar, RowKind::Depthwise, nullptr,
     depthwise<std::uint8_t, std::int8_t, std::int32_t>, nullptr},
    {"fp32_scalar_paper4", Isa::Scalar, RowKind::Paper4, nullptr, nullptr, paper<4>},
    {"fp32_scalar_paper2", Isa::Scalar, RowKind::Paper2, nullptr, nullptr, paper<2>},
};

}  // namespace

std::span<const Decoder> scalarDecoders() {
    static constexpr Decoder kDecoders[] = {
        {Isa::Scalar, 4, decode<4, std::int8_t>, decode<4, float>},
        {Isa::Scalar, 2, decode<2, std::int8_t>, decode<2, float>},
    };
    return kDecoders;
}

void packBlocks(const std::uint8_t* indices, std::size_t count, int bits, std::uint8_t* packed) {
    const std::size_t elements = blockElements(bits);
    for (std::size_t block = 0; block < count / elements; ++block, packed += kBlockBytes) {
        for (std::size_t i = 0; i < kBlockBytes; ++i)
            packed[i] = 0;
        for (std::size_t element = 0; element < elements; ++element) {
            const std::size_t part = element / kBlockBytes;
            packed[element % kBlockBytes] |=
                static_cast<std::uint8_t>(*indices++ << (bits * static_cast<int>(part)));
        }
    }
}

std::span<const Microkernel> scalarMicrokernels() {
    return kTable;
}

std::span<const RowKernel> scalarRows() {
    return kRows;
}

const Loops& scalarLoops() {
    static constexpr Loops kLoops = makeLoops(Isa::Scalar);
    return kLoops;
}

}  // namespace bitloom::qsimd
