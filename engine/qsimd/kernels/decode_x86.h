// What the decoders of AVX2 and AVX-512 share. Included by files compiled for those instructions only, and
// local to each, so that no code of one is called by the other.
#pragma once

#include <immintrin.h>

#include "engine/qsimd/kernels/decoder.h"

namespace bitloom::qsimd {
namespace {

/// Indices of elements 16 part to 16 part + 15 of a block, a byte each.
template <int Bits>
__m128i indicesOf(__m128i block, int part) {
    const __m128i mask = _mm_set1_epi8((1 << Bits) - 1);
    return _mm_and_si128(_mm_srl_epi16(block, _mm_cvtsi32_si128(Bits * part)), mask);
}

template <int Bits>
void decodeBytes(const std::uint8_t* packed, std::size_t blocks, const std::int8_t* codebook,
                 std::int8_t* panel) {
    const __m128i table = _mm_loadu_si128(reinterpret_cast<const __m128i*>(codebook));
    for (std::size_t i = 0; i < blocks; ++i, packed += kBlockBytes) {
        const __m128i block = _mm_loadu_si128(reinterpret_cast<const __m128i*>(packed));
        for (int part = 0; part < 8 / Bits; ++part, panel += 16) {
            _mm_storeu_si128(reinterpret_cast<__m128i*>(panel),
                             _mm_shuffle_epi8(table, indicesOf<Bits>(block, part)));
        }
    }
}

}  // namespace
}  // namespace bitloom::qsimd
