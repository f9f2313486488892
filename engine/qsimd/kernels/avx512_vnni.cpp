// AVX-512 with VNNI: int8 through VPDPBUSD. Compiled for those instructions; reached only after cpuid allowed
// it (registry.h).
#include <immintrin.h>

#include "engine/qsimd/kernels/tables.h"
#include "engine/qsimd/kernels/tile_x86.h"

namespace bitloom::qsimd {
namespace {

struct Byte {
    using Value = std::uint8_t;
    using Weight = std::int8_t;
    using Sum = std::int32_t;
    using Vector = __m512i;
    static constexpr int kLanes = 16;
    static constexpr int kDepth = 4;
    static Vector zero() { return _mm512_setzero_si512(); }
    static Vector load(const void* from) { return _mm512_loadu_si512(from); }
    static Vector broadcast(const std::uint8_t* values) { return _mm512_set1_epi32(fourBytes(values)); }
    static Vector multiplyAdd(Vector value, Vector weight, Vector sum) {
        return _mm512_dpbusd_epi32(sum, value, weight);
    }
    static void store(std::int32_t* sums, Vector sum) { _mm512_storeu_si512(sums, sum); }
};

constexpr Microkernel kTable[] = {
    {"int8_avx512vnni_1x64", Isa::Avx512Vnni, 1, 64, 4, nullptr, tile<Byte, 1, 4>},
    {"int8_avx512vnni_4x64", Isa::Avx512Vnni, 4, 64, 4, nullptr, tile<Byte, 4, 4>},
    {"int8_avx512vnni_6x64", Isa::Avx512Vnni, 6, 64, 4, nullptr, tile<Byte, 6, 4>},
    {"int8_avx512vnni_7x48", Isa::Avx512Vnni, 7, 48, 4, nullptr, tile<Byte, 7, 3>},
    {"int8_avx512vnni_7x64", Isa::Avx512Vnni, 7, 64, 4, nullptr, tile<Byte, 7, 4, 2>},
    {"int8_avx512vnni_8x48", Isa::Avx512Vnni, 8, 48, 4, nullptr, tile<Byte, 8, 3>},
    {"int8_avx512vnni_8x32", Isa::Avx512Vnni, 8, 32, 4, nullptr, tile<Byte, 8, 2>},
    {"int8_avx512vnni_13x32", Isa::Avx512Vnni, 13, 32, 4, nullptr, tile<Byte, 13, 2>},
    {"int8_avx512vnni_14x32", Isa::Avx512Vnni, 14, 32, 4, nullptr, tile<Byte, 14, 2>},
    {"int8_avx512vnni_16x16", Isa::Avx512Vnni, 16, 16, 4, nullptr, tile<Byte, 16, 1>},
};

}  // namespace

std::span<const Microkernel> avx512VnniMicrokernels() {
    return kTable;
}

}  // namespace bitloom::qsimd
