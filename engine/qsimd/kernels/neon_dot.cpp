// Armv8.2 dot product: SDOT by lane. Sixteen values of each pixel are loaded at once and serve four steps.
#include <arm_neon.h>

#include "engine/qsimd/kernels/tables.h"

namespace bitloom::qsimd {
namespace {

template <int P>
void int8(const Fields<std::uint8_t>& fields, const std::int8_t* weights, std::int32_t* sums) {
    int32x4_t sum[P][2];
#pragma GCC unroll 16
    for (int p = 0; p < P; ++p) {
        sum[p][0] = fields.adds ? vld1q_s32(sums + 8 * p) : vdupq_n_s32(0);
        sum[p][1] = fields.adds ? vld1q_s32(sums + 8 * p + 4) : vdupq_n_s32(0);
    }
    for (int row = 0; row < fields.rows; ++row, weights += fields.weightSkip) {
        for (int segment = 0; segment < fields.segments; ++segment) {
            const std::uint8_t* field =
                fields.first + row * fields.rowStride + segment * fields.segmentStride;
            int k = 0;
            for (; k + 16 <= fields.run; k += 16, field += 16, weights += 128) {
                int8x16_t value[P];
#pragma GCC unroll 8
                for (int p = 0; p < P; ++p)
                    value[p] = vreinterpretq_s8_u8(vld1q_u8(field + p * fields.pixelStride));
#define BITLOOM_LANE(lane)                                                \
    {                                                                     \
        const int8x16_t low = vld1q_s8(weights + 32 * lane);              \
        const int8x16_t high = vld1q_s8(weights + 32 * lane + 16);        \
        _Pragma("GCC unroll 8") for (int p = 0; p < P; ++p) {             \
            sum[p][0] = vdotq_laneq_s32(sum[p][0], low, value[p], lane);  \
            sum[p][1] = vdotq_laneq_s32(sum[p][1], high, value[p], lane); \
        }                                                                 \
    }
                BITLOOM_LANE(0)
                BITLOOM_LANE(1)
                BITLOOM_LANE(2)
                BITLOOM_LANE(3)
#undef BITLOOM_LANE
            }
            for (; k < fields.run; k += 4, field += 4, weights += 32) {
                const int8x16_t low = vld1q_s8(weights);
                const int8x16_t high = vld1q_s8(weights + 16);
#pragma GCC unroll 8
                for (int p = 0; p < P; ++p) {
                    const int8x16_t value = vreinterpretq_s8_u32(vld1q_dup_u32(
                        reinterpret_cast<const std::uint32_t*>(field + p * fields.pixelStride)));
                    sum[p][0] = vdotq_s32(sum[p][0], low, value);
                    sum[p][1] = vdotq_s32(sum[p][1], high, value);
                }
            }
        }
    }
#pragma GCC unroll 16
    for (int p = 0; p < P; ++p) {
        vst1q_s32(sums + 8 * p, sum[p][0]);
        vst1q_s32(sums + 8 * p + 4, sum[p][1]);
    }
}

constexpr Microkernel kTable[] = {
    {"int8_neondot_1x8", Isa::NeonDot, 1, 8, 4, nullptr, int8<1>},
    {"int8_neondot_4x8", Isa::NeonDot, 4, 8, 4, nullptr, int8<4>},
    {"int8_neondot_7x8", Isa::NeonDot, 7, 8, 4, nullptr, int8<7>},
    {"int8_neondot_8x8", Isa::NeonDot, 8, 8, 4, nullptr, int8<8>},
};

}  // namespace

std::span<const Microkernel> neonDotMicrokernels() {
    return kTable;
}

}  // namespace bitloom::qsimd
