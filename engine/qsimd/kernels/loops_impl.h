// The loops of loops.h. Included by one file an instruction set and local to each, so that no code of one is
// called by another. Multiply-adds are written out: the files are compiled with -ffp-contract=off.
#pragma once

#include <cstring>
#include <type_traits>

#if defined(__aarch64__)
#include <arm_neon.h>
#elif defined(__AVX2__)
#include <immintrin.h>
#endif

#include "engine/qsimd/kernels/loops.h"

// A whole vector is one instruction only where the number of lanes is seen to be constant.
#define BITLOOM_INLINE __attribute__((always_inline))

namespace bitloom::qsimd {
namespace {

// As many lanes as the widest registers have; g++ and clang give vectors of that size arithmetic.
#if defined(__AVX512F__)
constexpr int kVectorLanes = 16;
#elif defined(__AVX2__)
constexpr int kVectorLanes = 8;
#else
constexpr int kVectorLanes = 4;
#endif
typedef float FloatVector __attribute__((vector_size(4 * kVectorLanes)));
typedef std::int32_t IntVector __attribute__((vector_size(4 * kVectorLanes)));
typedef std::uint8_t ByteVector __attribute__((vector_size(kVectorLanes)));

inline float fused(float a, float b, float c) {
    return __builtin_fmaf(a, b, c);
}

inline FloatVector fused(FloatVector a, FloatVector b, FloatVector c) {
#if defined(__AVX512F__)
    return _mm512_fmadd_ps(a, b, c);
#elif defined(__AVX2__)
    return _mm256_fmadd_ps(a, b, c);
#elif defined(__aarch64__)
    return vfmaq_f32(c, a, b);
#else
    for (int i = 0; i < kVectorLanes; ++i)
        c[i] = fused(a[i], b[i], c[i]);
    return c;
#endif
}

/// The first `count` lanes from memory, the others 0.
template <class Vector, class Value>
BITLOOM_INLINE inline Vector load(const Value* from, int count) {
    Vector value = {};
    static_assert(sizeof(value[0]) == sizeof(Value));
    if (count == kVectorLanes) {
        std::memcpy(&value, from, sizeof value);
    } else {
        std::memcpy(&value, from, static_cast<std::size_t>(count) * sizeof(Value));
    }
    return value;
}

template <class Vector, class Value>
BITLOOM_INLINE inline void store(Value* to, const Vector& value, int count) {
    if (count == kVectorLanes) {
        std::memcpy(to, &value, sizeof value);
    } else {
        std::memcpy(to, &value, static_cast<std::size_t>(count) * sizeof(Value));
    }
}

inline FloatVector toFloats(IntVector value) {
    return __builtin_convertvector(value, FloatVector);
}

// g++ 12 takes these apart lane by lane where they are written as conversions and comparisons of vectors.
inline IntVector toInts(ByteVector value) {
#if defined(__AVX512F__)
    __m128i bytes;
    std::memcpy(&bytes, &value, sizeof bytes);
    return reinterpret_cast<IntVector>(_mm512_cvtepu8_epi32(bytes));
#elif defined(__AVX2__)
    std::int64_t bytes;
    std::memcpy(&bytes, &value, sizeof bytes);
    return reinterpret_cast<IntVector>(_mm256_cvtepu8_epi32(_mm_cvtsi64_si128(bytes)));
#else
    return __builtin_convertvector(value, IntVector);
#endif
}

/// The low byte of every lane.
inline ByteVector toBytes(IntVector value) {
    ByteVector bytes;
#if defined(__AVX512F__)
    const __m128i low = _mm512_cvtepi32_epi8(reinterpret_cast<__m512i>(value));
    std::memcpy(&bytes, &low, sizeof bytes);
#elif defined(__AVX2__)
    const __m256i lowBytes =
        _mm256_shuffle_epi8(reinterpret_cast<__m256i>(value),
                            _mm256_setr_epi8(0, 4, 8, 12, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, 0,
                                             4, 8, 12, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1));
    const __m128i joined =
        _mm_unpacklo_epi32(_mm256_castsi256_si128(lowBytes), _mm256_extracti128_si256(lowBytes, 1));
    const std::int64_t low = _mm_cvtsi128_si64(joined);
    std::memcpy(&bytes, &low, sizeof bytes);
#else
    bytes = __builtin_convertvector(value, ByteVector);
#endif
    return bytes;
}

/// a > b ? a : b, and a < b ? a : b: of a NaN, b.
inline FloatVector maximum(FloatVector a, FloatVector b) {
#if defined(__AVX512F__)
    return _mm512_max_ps(a, b);
#elif defined(__AVX2__)
    return _mm256_max_ps(a, b);
#else
    return a > b ? a : b;
#endif
}
inline FloatVector minimum(FloatVector a, FloatVector b) {
#if defined(__AVX512F__)
    return _mm512_min_ps(a, b);
#elif defined(__AVX2__)
    return _mm256_min_ps(a, b);
#else
    return a < b ? a : b;
#endif
}

/// Half to even, of 0 to 255: adding 1.5 x 2^23 leaves the integer in the low bits.
inline ByteVector roundToBytes(FloatVector value) {
    const FloatVector shifted = value + 12582912.0F;
    return toBytes(reinterpret_cast<IntVector>(shifted) - kActivationOffset);
}

/// `count` lanes, at most kVectorLanes, of one pixel's channels.
template <SumKind Kind, ResidualKind Residual, class Sum, class Other, class Output>
BITLOOM_INLINE inline void finishLanes(const Sum* sum, const EpilogueConstants& constants, int channel,
                                       const Other* other, Output* to, int count) {
    const auto scale = load<FloatVector>(constants.scale + channel, count);
    const auto bias = load<FloatVector>(constants.bias + channel, count);
    FloatVector value;
    if constexpr (Kind == SumKind::Float) {
        value = fused(load<FloatVector>(sum + channel, count), scale, bias);
    } else {
        const auto start = load<IntVector>(constants.start + channel, count);
        value = fused(toFloats(load<IntVector>(sum + channel, count) + start), scale, bias);
    }
    const FloatVector residualScale = FloatVector{} + constants.residualScale;
    if constexpr (Residual == ResidualKind::Uint8) {
        const ByteVector stored = load<ByteVector>(other + channel, count);
        const ByteVector number = stored + static_cast<std::uint8_t>(kActivationOffset);
        value = fused(toFloats(toInts(number)), residualScale, value);
    } else if constexpr (Residual == ResidualKind::Float32) {
        value = fused(load<FloatVector>(other + channel, count), residualScale, value);
    }
    const FloatVector low = FloatVector{} + constants.low;
    const FloatVector high = FloatVector{} + constants.high;
    value = minimum(maximum(value, low), high);
    if constexpr (std::is_same_v<Output, float>) {
        store(to + channel, value, count);
    } else {
        store(to + channel, roundToBytes(value), count);
    }
}

template <SumKind Kind, ResidualKind Residual, class Output>
void epilogue(const void* sums, const TileShape& shape, const EpilogueConstants& constants,
              const void* residual, void* output) {
    using Sum = std::conditional_t<Kind == SumKind::Float, float, std::int32_t>;
    using Other = std::conditional_t<Residual == ResidualKind::Float32, float, std::uint8_t>;
    const EpilogueConstants own = constants;  // stores to bytes could change the caller's
    const int whole = shape.channels / kVectorLanes * kVectorLanes;
    for (int p = 0; p < shape.pixels; ++p) {
        const Sum* sum = static_cast<const Sum*>(sums) + p * shape.sumStride;
        const Other* other = static_cast<const Other*>(residual);
        if (Residual != ResidualKind::None) other += p * shape.residualStride;
        Output* to = static_cast<Output*>(output) + p * shape.outputStride;
        for (int c = 0; c < whole; c += kVectorLanes)
            finishLanes<Kind, Residual>(sum, own, c, other, to, kVectorLanes);
        if (whole < shape.channels)
            finishLanes<Kind, Residual>(sum, own, whole, other, to, shape.channels - whole);
    }
}

template <class Value, class Weight, class Sum>
void depthwise(const Fields<Value>& fields, const Weight* weights, int pixels, int channels, Sum* sums) {
    for (int p = 0; p < pixels; ++p) {
        Sum* __restrict sum = sums + static_cast<std::ptrdiff_t>(p) * channels;
        for (int c = 0; c < channels; ++c)
            sum[c] = 0;
        const Weight* __restrict weight = weights;
        for (int row = 0; row < fields.rows; ++row) {
            const Value* field = fields.first + p * fields.pixelStride + row * fields.rowStride;
            for (int column = 0; column < fields.run; ++column, weight += channels) {
                const Value* __restrict value = field + column * fields.segmentStride;
                if constexpr (std::is_same_v<Value, float>) {
                    for (int c = 0; c < channels; ++c)
                        sum[c] = fused(value[c], weight[c], sum[c]);
                } else {
                    for (int c = 0; c < channels; ++c) {
#if defined(__aarch64__)
                        const auto number = static_cast<std::int16_t>(static_cast<std::int8_t>(value[c]));
#else
                        const auto number = static_cast<std::int16_t>(value[c]);
#endif
                        sum[c] += number * static_cast<std::int16_t>(weight[c]);
                    }
                }
            }
        }
    }
}

inline void naive(const Fields<float>& fields, const float* weights, int pixels, int channels, float* sums) {
    for (int i = 0; i < pixels * channels; ++i)
        sums[i] = 0.0F;
    const float* __restrict weight = weights;
    for (int row = 0; row < fields.rows; ++row) {
        for (int segment = 0; segment < fields.segments; ++segment) {
            const float* field = fields.first + row * fields.rowStride + segment * fields.segmentStride;
            for (int k = 0; k < fields.run; ++k, weight += channels) {
                for (int p = 0; p < pixels; ++p) {
                    float* __restrict sum = sums + static_cast<std::ptrdiff_t>(p) * channels;
                    const float value = field[p * fields.pixelStride + k];
                    for (int c = 0; c < channels; ++c)
                        sum[c] = fused(value, weight[c], sum[c]);
                }
            }
        }
    }
}

typedef float Float4 __attribute__((vector_size(16)));

inline Float4 loadFloat4(const float* from) {
    Float4 value;
    std::memcpy(&value, from, sizeof value);
    return value;
}

inline Float4 multiplyAdd(Float4 a, Float4 b, Float4 c) {
#if defined(__aarch64__)
    return vfmaq_f32(c, a, b);
#elif defined(__FMA__)
    return _mm_fmadd_ps(a, b, c);
#else
    return a * b + c;
#endif
}

/// Four weights, from the bytes of their indices.
template <int Bits>
Float4 lookUp(const std::uint8_t* indices, const float* pairs) {
    if constexpr (Bits == 2) return loadFloat4(pairs + std::size_t{4} * indices[0]);
    const float* first = pairs + std::size_t{2} * indices[0];
    const float* second = pairs + std::size_t{2} * indices[1];
#if defined(__aarch64__)
    return vcombine_f32(vld1_f32(first), vld1_f32(second));
#else
    typedef double Pairs __attribute__((vector_size(16)));
    double low;
    double high;
    std::memcpy(&low, first, 8);
    std::memcpy(&high, second, 8);
    const Pairs value = {low, high};
    return reinterpret_cast<Float4>(value);
#endif
}

template <int Bits, int Pixels>
void paperTile(const Fields<float>& fields, const std::uint8_t* indices, const float* pairs, float* sums) {
    const std::ptrdiff_t stride = fields.pixelStride;
    Float4 sum[Pixels];  // in registers
#pragma GCC unroll 8
    for (int p = 0; p < Pixels; ++p)
        sum[p] = Float4{};
    for (int row = 0; row < fields.rows; ++row) {
        for (int segment = 0; segment < fields.segments; ++segment) {
            const float* field = fields.first + row * fields.rowStride + segment * fields.segmentStride;
            for (int k = 0; k < fields.run; k += 4, field += 4, indices += Bits / 2) {
                const Float4 weight = lookUp<Bits>(indices, pairs);
                const float* pixel = field;
#pragma GCC unroll 8
                for (int p = 0; p < Pixels; ++p, pixel += stride)
                    sum[p] = multiplyAdd(weight, loadFloat4(pixel), sum[p]);
            }
        }
    }
#pragma GCC unroll 8
    for (int p = 0; p < Pixels; ++p)
        sums[p] = (sum[p][0] + sum[p][1]) + (sum[p][2] + sum[p][3]);
}

template <int Bits>
void paper(const Fields<float>& fields, const std::uint8_t* indices, const float* pairs, int pixels,
           float* sums) {
    if (pixels == kPaperPixels) return paperTile<Bits, kPaperPixels>(fields, indices, pairs, sums);
    Fields<float> one = fields;
    for (int p = 0; p < pixels; ++p, one.first += fields.pixelStride)
        paperTile<Bits, 1>(one, indices, pairs, sums + p);
}

/// visit(first, lanes) over `count` values.
template <class Visit>
BITLOOM_INLINE inline void forLanes(std::size_t count, const Visit& visit) {
    std::size_t i = 0;
    for (; i + kVectorLanes <= count; i += kVectorLanes)
        visit(i, kVectorLanes);
    if (i < count) visit(i, static_cast<int>(count - i));
}

inline void quantize(const float* from, std::size_t count, float inverseScale, float zeroPoint,
                     std::uint8_t* to) {
    const FloatVector none = {};
    const FloatVector most = none + 255.0F;
    forLanes(count, [&](std::size_t i, int lanes) BITLOOM_INLINE {
        FloatVector number = load<FloatVector>(from + i, lanes) * inverseScale;
        number = number + zeroPoint;
        store(to + i, roundToBytes(minimum(maximum(number, none), most)), lanes);
    });
}

inline void dequantize(const std::uint8_t* from, std::size_t count, float scale, int zeroPoint, float* to) {
    forLanes(count, [&](std::size_t i, int lanes) BITLOOM_INLINE {
        const ByteVector number =
            load<ByteVector>(from + i, lanes) + static_cast<std::uint8_t>(kActivationOffset);
        store(to + i, scale * toFloats(toInts(number) - zeroPoint), lanes);
    });
}

inline void maxFloats(const float* other, std::size_t count, float* best) {
    forLanes(count, [&](std::size_t i, int lanes) BITLOOM_INLINE {
        const auto a = load<FloatVector>(best + i, lanes);
        const auto b = load<FloatVector>(other + i, lanes);
        store(best + i, maximum(b, a), lanes);
    });
}

// As the dot products see stored bytes: their order is that of the numbers.
#if defined(__aarch64__)
using StoredByte = std::int8_t;
#else
using StoredByte = std::uint8_t;
#endif

inline void maxBytes(const std::uint8_t* __restrict other, std::size_t count, std::uint8_t* __restrict best) {
    for (std::size_t i = 0; i < count; ++i) {
        const auto a = static_cast<StoredByte>(best[i]);
        const auto b = static_cast<StoredByte>(other[i]);
        best[i] = static_cast<std::uint8_t>(a < b ? b : a);
    }
}

template <SumKind Kind>
constexpr void addEpilogues(Loops& loops) {
    auto& of = loops.epilogue[static_cast<int>(Kind)];
    of[0][0] = epilogue<Kind, ResidualKind::None, float>;
    of[0][1] = epilogue<Kind, ResidualKind::None, std::uint8_t>;
    of[1][0] = epilogue<Kind, ResidualKind::Uint8, float>;
    of[1][1] = epilogue<Kind, ResidualKind::Uint8, std::uint8_t>;
    of[2][0] = epilogue<Kind, ResidualKind::Float32, float>;
    of[2][1] = epilogue<Kind, ResidualKind::Float32, std::uint8_t>;
}

constexpr Loops makeLoops(Isa isa) {
    Loops loops{};
    loops.isa = isa;
    addEpilogues<SumKind::Float>(loops);
    addEpilogues<SumKind::Int>(loops);
    loops.quantize = quantize;
    loops.dequantize = dequantize;
    loops.maxFloats = maxFloats;
    loops.maxBytes = maxBytes;
    return loops;
}

}  // namespace
}  // namespace bitloom::qsimd
