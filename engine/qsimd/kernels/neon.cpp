// Armv8.0: FP32, and int8 through SMULL and SMLAL: two products of |-128| x 64 fit 16 bits, then SADALP
// widens.
#include <arm_neon.h>

#include "engine/qsimd/kernels/loops_impl.h"
#include "engine/qsimd/kernels/tables.h"

namespace bitloom::qsimd {
namespace {

// Four values of each pixel are loaded at once; a lane of them multiplies eight channels of weights.
template <int P>
void fp32(const Fields<float>& fields, const float* weights, float* sums) {
    const std::ptrdiff_t stride = fields.pixelStride;
    float32x4_t sum[P][2];
#pragma GCC unroll 16
    for (int p = 0; p < P; ++p) {
        sum[p][0] = fields.adds ? vld1q_f32(sums + 8 * p) : vdupq_n_f32(0.0F);
        sum[p][1] = fields.adds ? vld1q_f32(sums + 8 * p + 4) : vdupq_n_f32(0.0F);
    }
    for (int row = 0; row < fields.rows; ++row, weights += fields.weightSkip) {
        for (int segment = 0; segment < fields.segments; ++segment) {
            const float* field = fields.first + row * fields.rowStride + segment * fields.segmentStride;
            int k = 0;
            for (; k + 4 <= fields.run; k += 4, field += 4, weights += 32) {
                float32x4_t value[P];
                const float* pixel = field;
#pragma GCC unroll 8
                for (int p = 0; p < P; ++p, pixel += stride)
                    value[p] = vld1q_f32(pixel);
#define BITLOOM_LANE(lane)                                                \
    {                                                                     \
        const float32x4_t low = vld1q_f32(weights + 8 * lane);            \
        const float32x4_t high = vld1q_f32(weights + 8 * lane + 4);       \
        _Pragma("GCC unroll 8") for (int p = 0; p < P; ++p) {             \
            sum[p][0] = vfmaq_laneq_f32(sum[p][0], low, value[p], lane);  \
            sum[p][1] = vfmaq_laneq_f32(sum[p][1], high, value[p], lane); \
        }                                                                 \
    }
                BITLOOM_LANE(0)
                BITLOOM_LANE(1)
                BITLOOM_LANE(2)
                BITLOOM_LANE(3)
#undef BITLOOM_LANE
            }
            for (; k < fields.run; ++k, ++field, weights += 8) {
                const float32x4_t low = vld1q_f32(weights);
                const float32x4_t high = vld1q_f32(weights + 4);
                const float* pixel = field;
#pragma GCC unroll 8
                for (int p = 0; p < P; ++p, pixel += stride) {
                    const float32x4_t value = vld1q_dup_f32(pixel);
                    sum[p][0] = vfmaq_f32(sum[p][0], low, value);
                    sum[p][1] = vfmaq_f32(sum[p][1], high, value);
                }
            }
        }
    }
#pragma GCC unroll 16
    for (int p = 0; p < P; ++p) {
        vst1q_f32(sums + 8 * p, sum[p][0]);
        vst1q_f32(sums + 8 * p + 4, sum[p][1]);
    }
}

int8x16_t fourTimes(const std::uint8_t* four) {
    return vreinterpretq_s8_u32(vld1q_dup_u32(reinterpret_cast<const std::uint32_t*>(four)));
}

// A sum register holds two channels, two partial sums each: they are joined at the end.
template <int P>
void int8(const Fields<std::uint8_t>& fields, const std::int8_t* weights, std::int32_t* sums) {
    const std::ptrdiff_t stride = fields.pixelStride;
    int32x4_t sum[P][4];
#pragma GCC unroll 16
    for (int p = 0; p < P; ++p) {
#pragma GCC unroll 4
        for (int v = 0; v < 4; ++v)
            sum[p][v] = vdupq_n_s32(0);
    }
    for (int row = 0; row < fields.rows; ++row, weights += fields.weightSkip) {
        for (int segment = 0; segment < fields.segments; ++segment) {
            const std::uint8_t* field =
                fields.first + row * fields.rowStride + segment * fields.segmentStride;
            int k = 0;
            for (; k + 8 <= fields.run; k += 8, field += 8, weights += 64) {
                const int8x16_t first[2] = {vld1q_s8(weights), vld1q_s8(weights + 16)};
                const int8x16_t second[2] = {vld1q_s8(weights + 32), vld1q_s8(weights + 48)};
                const std::uint8_t* pixel = field;
#pragma GCC unroll 4
                for (int p = 0; p < P; ++p, pixel += stride) {
                    const int8x16_t low = fourTimes(pixel);
                    const int8x16_t high = fourTimes(pixel + 4);
#pragma GCC unroll 2
                    for (int v = 0; v < 2; ++v) {
                        const int16x8_t even = vmlal_s8(vmull_s8(vget_low_s8(low), vget_low_s8(first[v])),
                                                        vget_low_s8(high), vget_low_s8(second[v]));
                        const int16x8_t odd = vmlal_high_s8(vmull_high_s8(low, first[v]), high, second[v]);
                        sum[p][2 * v] = vpadalq_s16(sum[p][2 * v], even);
                        sum[p][2 * v + 1] = vpadalq_s16(sum[p][2 * v + 1], odd);
                    }
                }
            }
            for (; k < fields.run; k += 4, field += 4, weights += 32) {
                const int8x16_t weight[2] = {vld1q_s8(weights), vld1q_s8(weights + 16)};
                const std::uint8_t* pixel = field;
#pragma GCC unroll 4
                for (int p = 0; p < P; ++p, pixel += stride) {
                    const int8x16_t value = fourTimes(pixel);
#pragma GCC unroll 2
                    for (int v = 0; v < 2; ++v) {
                        sum[p][2 * v] =
                            vpadalq_s16(sum[p][2 * v], vmull_s8(vget_low_s8(value), vget_low_s8(weight[v])));
                        sum[p][2 * v + 1] = vpadalq_s16(sum[p][2 * v + 1], vmull_high_s8(value, weight[v]));
                    }
                }
            }
        }
    }
#pragma GCC unroll 16
    for (int p = 0; p < P; ++p) {
        for (int v = 0; v < 2; ++v) {
            std::int32_t* to = sums + 8 * p + 4 * v;
            const int32x4_t total = vpaddq_s32(sum[p][2 * v], sum[p][2 * v + 1]);
            vst1q_s32(to, fields.adds ? vaddq_s32(vld1q_s32(to), total) : total);
        }
    }
}

/// Indices of elements 16 part to 16 part + 15 of a block, a byte each.
template <int Bits>
uint8x16_t indicesOf(uint8x16_t block, int part) {
    return vandq_u8(vshlq_u8(block, vdupq_n_s8(static_cast<std::int8_t>(-Bits * part))),
                    vdupq_n_u8((1 << Bits) - 1));
}

template <int Bits>
void decodeBytes(const std::uint8_t* packed, std::size_t blocks, const std::int8_t* codebook,
                 std::int8_t* panel) {
    const int8x16_t table = vld1q_s8(codebook);
    for (std::size_t i = 0; i < blocks; ++i, packed += kBlockBytes) {
        const uint8x16_t block = vld1q_u8(packed);
        for (int part = 0; part < 8 / Bits; ++part, panel += 16)
            vst1q_s8(panel, vqtbl1q_s8(table, indicesOf<Bits>(block, part)));
    }
}

/// Byte `plane` of the four that make each float is looked up by itself; ST4 joins them.
template <int Bits>
void decodeFloats(const std::uint8_t* packed, std::size_t blocks, const float* codebook, float* panel) {
    const uint8x16x4_t planes = vld4q_u8(reinterpret_cast<const std::uint8_t*>(codebook));
    for (std::size_t i = 0; i < blocks; ++i, packed += kBlockBytes) {
        const uint8x16_t block = vld1q_u8(packed);
        for (int part = 0; part < 8 / Bits; ++part, panel += 16) {
            const uint8x16_t index = indicesOf<Bits>(block, part);
            uint8x16x4_t values;
            for (int plane = 0; plane < 4; ++plane)
                values.val[plane] = vqtbl1q_u8(planes.val[plane], index);
            vst4q_u8(reinterpret_cast<std::uint8_t*>(panel), values);
        }
    }
}

constexpr Decoder kDecoders[] = {
    {Isa::Neon, 4, decodeBytes<4>, decodeFloats<4>},
    {Isa::Neon, 2, decodeBytes<2>, decodeFloats<2>},
};

constexpr Microkernel kTable[] = {
    {"fp32_neon_1x8", Isa::Neon, 1, 8, 1, fp32<1>, nullptr},
    {"fp32_neon_4x8", Isa::Neon, 4, 8, 1, fp32<4>, nullptr},
    {"fp32_neon_7x8", Isa::Neon, 7, 8, 1, fp32<7>, nullptr},
    {"fp32_neon_8x8", Isa::Neon, 8, 8, 1, fp32<8>, nullptr},
    {"int8_neon_1x8", Isa::Neon, 1, 8, 4, nullptr, int8<1>},
    {"int8_neon_4x8", Isa::Neon, 4, 8, 4, nullptr, int8<4>},
};

constexpr RowKernel kRows[] = {
    {"fp32_neon_naive", Isa::Neon, RowKind::Naive, naive, nullptr, nullptr},
    {"fp32_neon_depthwise", Isa::Neon, RowKind::Depthwise, depthwise<float, float, float>, nullptr, nullptr},
    {"int8_neon_depthwise", Isa::Neon, RowKind::Depthwise, nullptr,
     depthwise<std::uint8_t, std::int8_t, std::int32_t>, nullptr},
    {"fp32_neon_paper4", Isa::Neon, RowKind::Paper4, nullptr, nullptr, paper<4>},
    {"fp32_neon_paper2", Isa::Neon, RowKind::Paper2, nullptr, nullptr, paper<2>},
};

}  // namespace

std::span<const Decoder> neonDecoders() {
    return kDecoders;
}

std::span<const Microkernel> neonMicrokernels() {
    return kTable;
}

std::span<const RowKernel> neonRows() {
    return kRows;
}

const Loops& neonLoops() {
    static constexpr Loops kLoops = makeLoops(Isa::Neon);
    return kLoops;
}

}  // namespace bitloom::qsimd
