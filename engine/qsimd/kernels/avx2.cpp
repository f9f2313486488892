// AVX2 and FMA: FP32, and int8 through VPMADDUBSW, exact because weights stay within kMaxWeight. Compiled for
// those instructions; reached only after cpuid allowed it (registry.h).
#include <immintrin.h>

#include "engine/qsimd/kernels/decode_x86.h"
#include "engine/qsimd/kernels/loops_impl.h"
#include "engine/qsimd/kernels/tables.h"
#include "engine/qsimd/kernels/tile_x86.h"

namespace bitloom::qsimd {
namespace {

struct Float {
    using Value = float;
    using Weight = float;
    using Sum = float;
    using Vector = __m256;
    static constexpr int kLanes = 8;
    static constexpr int kDepth = 1;
    static Vector zero() { return _mm256_setzero_ps(); }
    static Vector load(const float* weights) { return _mm256_loadu_ps(weights); }
    static Vector broadcast(const float* value) { return _mm256_set1_ps(*value); }
    static Vector multiplyAdd(Vector value, Vector weight, Vector sum) {
        return _mm256_fmadd_ps(value, weight, sum);
    }
    static void store(float* sums, Vector sum) { _mm256_storeu_ps(sums, sum); }
};

struct Byte {
    using Value = std::uint8_t;
    using Weight = std::int8_t;
    using Sum = std::int32_t;
    using Vector = __m256i;
    static constexpr int kLanes = 8;
    static constexpr int kDepth = 4;
    static Vector zero() { return _mm256_setzero_si256(); }
    static Vector load(const void* from) { return _mm256_loadu_si256(static_cast<const __m256i*>(from)); }
    static Vector broadcast(const std::uint8_t* values) { return _mm256_set1_epi32(fourBytes(values)); }
    static Vector multiplyAdd(Vector value, Vector weight, Vector sum) {
        const __m256i pairs = _mm256_maddubs_epi16(value, weight);
        return _mm256_add_epi32(sum, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
    }
    static void store(std::int32_t* sums, Vector sum) {
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(sums), sum);
    }
};

template <int Bits>
void decodeFloats(const std::uint8_t* packed, std::size_t blocks, const float* codebook, float* panel) {
    const __m256 low = _mm256_loadu_ps(codebook);
    const __m256 high = _mm256_loadu_ps(codebook + 8);
    const auto lookUp = [&](__m256i index) {
        const __m256 fromLow = _mm256_permutevar8x32_ps(low, index);
        if (Bits < 4) return fromLow;
        const __m256 fromHigh = _mm256_permutevar8x32_ps(high, index);
        // Bit 3 of the index, moved to the sign, chooses.
        return _mm256_blendv_ps(fromLow, fromHigh, _mm256_castsi256_ps(_mm256_slli_epi32(index, 28)));
    };
    for (std::size_t i = 0; i < blocks; ++i, packed += kBlockBytes) {
        const __m128i block = _mm_loadu_si128(reinterpret_cast<const __m128i*>(packed));
        for (int part = 0; part < 8 / Bits; ++part, panel += 16) {
            const __m128i index = indicesOf<Bits>(block, part);
            _mm256_storeu_ps(panel, lookUp(_mm256_cvtepu8_epi32(index)));
            _mm256_storeu_ps(panel + 8, lookUp(_mm256_cvtepu8_epi32(_mm_srli_si128(index, 8))));
        }
    }
}

constexpr Decoder kDecoders[] = {
    {Isa::Avx2, 4, decodeBytes<4>, decodeFloats<4>},
    {Isa::Avx2, 2, decodeBytes<2>, decodeFloats<2>},
};

constexpr Microkernel kTable[] = {
    {"fp32_avx2_1x32", Isa::Avx2, 1, 32, 1, tile<Float, 1, 4>, nullptr},
    {"fp32_avx2_4x24", Isa::Avx2, 4, 24, 1, tile<Float, 4, 3>, nullptr},
    {"fp32_avx2_4x16", Isa::Avx2, 4, 16, 1, tile<Float, 4, 2>, nullptr},
    {"fp32_avx2_6x16", Isa::Avx2, 6, 16, 1, tile<Float, 6, 2>, nullptr},
    {"fp32_avx2_7x8", Isa::Avx2, 7, 8, 1, tile<Float, 7, 1>, nullptr},
    {"int8_avx2_1x32", Isa::Avx2, 1, 32, 4, nullptr, tile<Byte, 1, 4>},
    {"int8_avx2_4x16", Isa::Avx2, 4, 16, 4, nullptr, tile<Byte, 4, 2>},
    {"int8_avx2_5x16", Isa::Avx2, 5, 16, 4, nullptr, tile<Byte, 5, 2>},
    {"int8_avx2_7x8", Isa::Avx2, 7, 8, 4, nullptr, tile<Byte, 7, 1>},
};

constexpr RowKernel kRows[] = {
    {"fp32_avx2_naive", Isa::Avx2, RowKind::Naive, naive, nullptr, nullptr},
    {"fp32_avx2_depthwise", Isa::Avx2, RowKind::Depthwise, depthwise<float, float, float>, nullptr, nullptr},
    {"int8_avx2_depthwise", Isa::Avx2, RowKind::Depthwise, nullptr,
     depthwise<std::uint8_t, std::int8_t, std::int32_t>, nullptr},
    {"fp32_avx2_paper4", Isa::Avx2, RowKind::Paper4, nullptr, nullptr, paper<4>},
    {"fp32_avx2_paper2", Isa::Avx2, RowKind::Paper2, nullptr, nullptr, paper<2>},
};

}  // namespace

std::span<const Decoder> avx2Decoders() {
    return kDecoders;
}

std::span<const Microkernel> avx2Microkernels() {
    return kTable;
}

std::span<const RowKernel> avx2Rows() {
    return kRows;
}

const Loops& avx2Loops() {
    static constexpr Loops kLoops = makeLoops(Isa::Avx2);
    return kLoops;
}

}  // namespace bitloom::qsimd
