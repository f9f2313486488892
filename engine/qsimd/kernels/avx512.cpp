// AVX-512 F and BW: FP32, decoding and loops. Compiled for those instructions and not for VNNI, which not
// every processor with them has; reached only after cpuid allowed it (registry.h).
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
    using Vector = __m512;
    static constexpr int kLanes = 16;
    static constexpr int kDepth = 1;
    static Vector zero() { return _mm512_setzero_ps(); }
    static Vector load(const float* weights) { return _mm512_loadu_ps(weights); }
    static Vector broadcast(const float* value) { return _mm512_set1_ps(*value); }
    static Vector multiplyAdd(Vector value, Vector weight, Vector sum) {
        return _mm512_fmadd_ps(value, weight, sum);
    }
    static void store(float* sums, Vector sum) { _mm512_storeu_ps(sums, sum); }
};

/// Four blocks of 4-bit indices at a time.
void decodeNibbles(const std::uint8_t* packed, std::size_t blocks, const std::int8_t* codebook,
                   std::int8_t* panel) {
    const __m128i entries = _mm_loadu_si128(reinterpret_cast<const __m128i*>(codebook));
    const __m512i table = _mm512_broadcast_i32x4(entries);
    const __m512i mask = _mm512_set1_epi8(15);
    const __m512i firstBlocks = _mm512_setr_epi64(0, 1, 8, 9, 2, 3, 10, 11);
    const __m512i lastBlocks = _mm512_setr_epi64(4, 5, 12, 13, 6, 7, 14, 15);
    std::size_t i = 0;
    for (; i + 4 <= blocks; i += 4, packed += 4 * kBlockBytes, panel += 128) {
        const __m512i four = _mm512_loadu_si512(packed);
        const __m512i low = _mm512_shuffle_epi8(table, _mm512_and_si512(four, mask));
        const __m512i high = _mm512_shuffle_epi8(table, _mm512_and_si512(_mm512_srli_epi16(four, 4), mask));
        _mm512_storeu_si512(panel, _mm512_permutex2var_epi64(low, firstBlocks, high));
        _mm512_storeu_si512(panel + 64, _mm512_permutex2var_epi64(low, lastBlocks, high));
    }
    decodeBytes<4>(packed, blocks - i, codebook, panel);
}

template <int Bits>
void decodeFloats(const std::uint8_t* packed, std::size_t blocks, const float* codebook, float* panel) {
    const __m512 table = _mm512_loadu_ps(codebook);
    for (std::size_t i = 0; i < blocks; ++i, packed += kBlockBytes) {
        const __m128i block = _mm_loadu_si128(reinterpret_cast<const __m128i*>(packed));
        for (int part = 0; part < 8 / Bits; ++part, panel += 16) {
            const __m512i index = _mm512_cvtepu8_epi32(indicesOf<Bits>(block, part));
            _mm512_storeu_ps(panel, _mm512_permutexvar_ps(index, table));
        }
    }
}

constexpr Decoder kDecoders[] = {
    {Isa::Avx512, 4, decodeNibbles, decodeFloats<4>},
    {Isa::Avx512, 2, decodeBytes<2>, decodeFloats<2>},
};

// The sums of a tile stay in registers: 14 x 2 or 7 x 4 of 32 leave room for two weights and a broadcast
// value.
constexpr Microkernel kTable[] = {
    {"fp32_avx512_1x64", Isa::Avx512, 1, 64, 1, tile<Float, 1, 4>, nullptr},
    {"fp32_avx512_4x64", Isa::Avx512, 4, 64, 1, tile<Float, 4, 4>, nullptr},
    {"fp32_avx512_6x64", Isa::Avx512, 6, 64, 1, tile<Float, 6, 4>, nullptr},
    {"fp32_avx512_7x48", Isa::Avx512, 7, 48, 1, tile<Float, 7, 3>, nullptr},
    {"fp32_avx512_7x64", Isa::Avx512, 7, 64, 1, tile<Float, 7, 4, 2>, nullptr},
    {"fp32_avx512_8x48", Isa::Avx512, 8, 48, 1, tile<Float, 8, 3>, nullptr},
    {"fp32_avx512_8x32", Isa::Avx512, 8, 32, 1, tile<Float, 8, 2>, nullptr},
    {"fp32_avx512_14x32", Isa::Avx512, 14, 32, 1, tile<Float, 14, 2>, nullptr},
    {"fp32_avx512_16x16", Isa::Avx512, 16, 16, 1, tile<Float, 16, 1>, nullptr},
};

constexpr RowKernel kRows[] = {
    {"fp32_avx512_naive", Isa::Avx512, RowKind::Naive, naive, nullptr, nullptr},
    {"fp32_avx512_depthwise", Isa::Avx512, RowKind::Depthwise, depthwise<float, float, float>, nullptr,
     nullptr},
    {"int8_avx512_depthwise", Isa::Avx512, RowKind::Depthwise, nullptr,
     depthwise<std::uint8_t, std::int8_t, std::int32_t>, nullptr},
    {"fp32_avx512_paper4", Isa::Avx512, RowKind::Paper4, nullptr, nullptr, paper<4>},
    {"fp32_avx512_paper2", Isa::Avx512, RowKind::Paper2, nullptr, nullptr, paper<2>},
};

}  // namespace

std::span<const Decoder> avx512Decoders() {
    return kDecoders;
}

std::span<const Microkernel> avx512Microkernels() {
    return kTable;
}

std::span<const RowKernel> avx512Rows() {
    return kRows;
}

const Loops& avx512Loops() {
    static constexpr Loops kLoops = makeLoops(Isa::Avx512);
    return kLoops;
}

}  // namespace bitloom::qsimd
