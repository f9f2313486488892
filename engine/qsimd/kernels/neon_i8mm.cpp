// Armv8.6 matrix multiply: SMMLA takes two pixels x two channels x eight values.
#include <arm_neon.h>

#include "engine/qsimd/kernels/tables.h"

namespace bitloom::qsimd {
namespace {

/// P is even.
template <int P>
void int8(const Fields<std::uint8_t>& fields, const std::int8_t* weights, std::int32_t* sums) {
    int32x4_t sum[P / 2][4];
#pragma GCC unroll 16
    for (int p = 0; p < P / 2; ++p)
#pragma GCC unroll 4
        for (int v = 0; v < 4; ++v)
            sum[p][v] = vdupq_n_s32(0);
    for (int row = 0; row < fields.rows; ++row, weights += fields.weightSkip) {
        for (int segment = 0; segment < fields.segments; ++segment) {
            const std::uint8_t* field =
                fields.first + row * fields.rowStride + segment * fields.segmentStride;
            for (int k = 0; k < fields.run; k += 8, field += 8, weights += 64) {
                int8x16_t weight[4];
                for (int v = 0; v < 4; ++v)
                    weight[v] = vld1q_s8(weights + 16 * v);
#pragma GCC unroll 8
                for (int p = 0; p < P / 2; ++p) {
                    const std::uint8_t* pixel = field + 2 * p * fields.pixelStride;
                    const int8x16_t values =
                        vreinterpretq_s8_u8(vcombine_u8(vld1_u8(pixel), vld1_u8(pixel + fields.pixelStride)));
#pragma GCC unroll 4
                    for (int v = 0; v < 4; ++v)
                        sum[p][v] = vmmlaq_s32(sum[p][v], values, weight[v]);
                }
            }
        }
    }
#pragma GCC unroll 16
    for (int p = 0; p < P / 2; ++p) {
#pragma GCC unroll 4
        for (int v = 0; v < 4; ++v) {
            std::int32_t* first = sums + 16 * p + 2 * v;
            if (fields.adds)
                sum[p][v] = vaddq_s32(sum[p][v], vcombine_s32(vld1_s32(first), vld1_s32(first + 8)));
            vst1_s32(first, vget_low_s32(sum[p][v]));
            vst1_s32(first + 8, vget_high_s32(sum[p][v]));
        }
    }
}

constexpr Microkernel kTable[] = {
    {"int8_neoni8mm_2x8", Isa::NeonI8mm, 2, 8, 8, nullptr, int8<2>},
    {"int8_neoni8mm_4x8", Isa::NeonI8mm, 4, 8, 8, nullptr, int8<4>},
    {"int8_neoni8mm_8x8", Isa::NeonI8mm, 8, 8, 8, nullptr, int8<8>},
    {"int8_neoni8mm_10x8", Isa::NeonI8mm, 10, 8, 8, nullptr, int8<10>},
};

}  // namespace

std::span<const Microkernel> neonI8mmMicrokernels() {
    return kTable;
}

}  // namespace bitloom::qsimd
