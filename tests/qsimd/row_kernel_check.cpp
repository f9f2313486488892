#include "tests/qsimd/row_kernel_check.h"

#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <random>
#include <type_traits>
#include <vector>

#include "tests/qsimd/fenced.h"

namespace bitloom::testing {
namespace {

using qsimd::Fields;
using qsimd::RowKernel;
using qsimd::RowKind;

struct RowShape {
    int pixels, channels, rows, segments, run;
    int gap;  ///< values between fields

    [[nodiscard]] std::string text() const {
        return std::to_string(pixels) + " pixels, " + std::to_string(channels) + " channels, rows " +
               std::to_string(rows) + ", segments " + std::to_string(segments) + ", run " +
               std::to_string(run);
    }
};

constexpr std::size_t kSumGuard = 16;

template <class Sum>
constexpr Sum kUntouched = static_cast<Sum>(-77);

template <class Value>
Value randomValue(std::mt19937& random) {
    if constexpr (std::is_same_v<Value, float>)
        return std::uniform_real_distribution<float>(-1.0F, 1.0F)(random);
    else if constexpr (std::is_same_v<Value, std::int8_t>)
        return static_cast<Value>(
            std::uniform_int_distribution<int>(-qsimd::kMaxWeight, qsimd::kMaxWeight)(random));
    else
        return static_cast<Value>(std::uniform_int_distribution<int>(0, 255)(random));
}

/// A sum as an integer: floats are compared to the bit, signs of zero and NaN too.
template <class Sum>
std::int32_t bitsOf(Sum sum) {
    static_assert(sizeof(Sum) == sizeof(std::int32_t));
    return std::bit_cast<std::int32_t>(sum);
}

/// "" when `sums`, between its guards, is `expected`.
template <class Sum>
std::string compare(const std::vector<Sum>& sums, const std::vector<Sum>& expected) {
    for (std::size_t i = 0; i < kSumGuard; ++i) {
        if (sums[i] != kUntouched<Sum> || sums[kSumGuard + expected.size() + i] != kUntouched<Sum>)
            return "writes beside its sums";
    }
    for (std::size_t i = 0; i < expected.size(); ++i) {
        if (bitsOf(sums[kSumGuard + i]) != bitsOf(expected[i]))
            return "sum " + std::to_string(i) + " is " + std::to_string(sums[kSumGuard + i]) +
                   " instead of " + std::to_string(expected[i]);
    }
    return "";
}

template <class Value, class Weight, class Sum>
Sum multiplyAdd(Value value, Weight weight, Sum sum) {
    if constexpr (std::is_same_v<Value, float>)
        return std::fma(value, weight, sum);
    else
        return sum + (qsimd::loadActivation(value) - qsimd::kActivationOffset) * weight;
}

/// Naive: a field of rows x segments x run values meets weights [row][segment][value][channel]. Depthwise: a
/// field of rows x run columns, each with all channels, meets weights [row][column][channel].
template <class Value, class Weight, class Sum, class Call>
std::string checkRow(RowKind kind, const RowShape& shape, const Call& call) {
    std::mt19937 random(20230117);
    const bool depthwise = kind == RowKind::Depthwise;
    const int segments = depthwise ? 1 : shape.segments;
    const int taps = segments * shape.run;
    const std::ptrdiff_t segmentStride = (depthwise ? shape.channels : shape.run) + shape.gap;
    const int lastOfRow = depthwise ? (shape.run - 1) * static_cast<int>(segmentStride) + shape.channels
                                    : (segments - 1) * static_cast<int>(segmentStride) + shape.run;
    const std::ptrdiff_t pixelStride = lastOfRow + shape.gap;
    const std::ptrdiff_t rowStride = shape.pixels * pixelStride + shape.gap;
    Fenced<Value> values(static_cast<std::size_t>((shape.rows - 1) * rowStride +
                                                  (shape.pixels - 1) * pixelStride + lastOfRow));
    Fenced<Weight> weights(static_cast<std::size_t>(shape.rows * taps * shape.channels));
    for (Value& value : values)
        value = randomValue<Value>(random);
    for (Weight& weight : weights)
        weight = randomValue<Weight>(random);
    std::vector<Sum> expected;
    for (int p = 0; p < shape.pixels; ++p) {
        for (int c = 0; c < shape.channels; ++c) {
            Sum sum = 0;
            for (int row = 0; row < shape.rows; ++row) {
                for (int tap = 0; tap < taps; ++tap) {
                    const std::ptrdiff_t inRow = depthwise
                                                     ? tap * segmentStride + c
                                                     : tap / shape.run * segmentStride + tap % shape.run;
                    const Value value =
                        values[static_cast<std::size_t>(row * rowStride + p * pixelStride + inRow)];
                    const Weight weight = weights[static_cast<std::size_t>(row * taps + tap) *
                                                      static_cast<std::size_t>(shape.channels) +
                                                  static_cast<std::size_t>(c)];
                    sum = multiplyAdd(value, weight, sum);
                }
            }
            expected.push_back(sum);
        }
    }
    std::vector<Sum> sums(expected.size() + 2 * kSumGuard, kUntouched<Sum>);
    const Fields<Value> fields{values.data(), pixelStride,    rowStride, segmentStride,
                               shape.rows,    shape.segments, shape.run};
    call(fields, weights.data(), shape.pixels, shape.channels, sums.data() + kSumGuard);
    return compare(sums, expected);
}

/// Weights are what the bytes of indices look up. Four sums, of every fourth value each, are added at the
/// end; x86 without FMA rounds twice.
std::string checkPaper(const RowKernel& kernel, const RowShape& shape) {
    std::mt19937 random(20230117);
    const int bits = kernel.kind == RowKind::Paper4 ? 4 : 2;
    const int perByte = 8 / bits;
    std::vector<float> codebook(std::size_t{1} << bits);
    for (float& value : codebook)
        value = randomValue<float>(random);
    Fenced<float> pairs(static_cast<std::size_t>(256 * perByte));
    for (int i = 0; i < 256 * perByte; ++i) {
        const int index = (i / perByte) >> (bits * (i % perByte)) & ((1 << bits) - 1);
        pairs[static_cast<std::size_t>(i)] = codebook[static_cast<std::size_t>(index)];
    }
    const std::ptrdiff_t segmentStride = shape.run + shape.gap;
    const std::ptrdiff_t pixelStride = shape.segments * segmentStride + shape.gap;
    const std::ptrdiff_t rowStride = shape.pixels * pixelStride + shape.gap;
    Fenced<float> values(static_cast<std::size_t>((shape.rows - 1) * rowStride +
                                                  (shape.pixels - 1) * pixelStride +
                                                  (shape.segments - 1) * segmentStride + shape.run));
    Fenced<std::uint8_t> indices(static_cast<std::size_t>(shape.rows * shape.segments * shape.run / perByte));
    for (float& value : values)
        value = randomValue<float>(random);
    for (std::uint8_t& byte : indices)
        byte = randomValue<std::uint8_t>(random);
#if defined(__aarch64__)
    const bool fused = true;
#else
    const bool fused = kernel.isa != qsimd::Isa::Scalar;
#endif
    std::vector<float> expected;
    for (int p = 0; p < shape.pixels; ++p) {
        float sum[4] = {};
        int i = 0;
        for (int row = 0; row < shape.rows; ++row) {
            for (int segment = 0; segment < shape.segments; ++segment) {
                for (int k = 0; k < shape.run; ++k, ++i) {
                    const float value = values[static_cast<std::size_t>(row * rowStride + p * pixelStride +
                                                                        segment * segmentStride + k)];
                    const int byte = indices[static_cast<std::size_t>(i / perByte)];
                    const float weight = codebook[static_cast<std::size_t>(byte >> (bits * (i % perByte)) &
                                                                           ((1 << bits) - 1))];
                    float& lane = sum[k % 4];
                    lane = fused ? std::fma(weight, value, lane) : weight * value + lane;
                }
            }
        }
        expected.push_back((sum[0] + sum[1]) + (sum[2] + sum[3]));
    }
    std::vector<float> sums(expected.size() + 2 * kSumGuard, kUntouched<float>);
    const Fields<float> fields{values.data(), pixelStride,    rowStride, segmentStride,
                               shape.rows,    shape.segments, shape.run};
    kernel.paper(fields, indices.data(), pairs.data(), shape.pixels, sums.data() + kSumGuard);
    return compare(sums, expected);
}

std::string checkShape(const RowKernel& kernel, const RowShape& shape) {
    if (kernel.paper) return checkPaper(kernel, shape);
    if (kernel.floats) return checkRow<float, float, float>(kernel.kind, shape, kernel.floats);
    return checkRow<std::uint8_t, std::int8_t, std::int32_t>(kernel.kind, shape, kernel.bytes);
}

}  // namespace

std::string checkRowKernel(const RowKernel& kernel) {
    const bool paper = kernel.paper != nullptr;
    for (const int pixels : {1, 2, 3, 7, 8}) {
        for (const int channels : {1, 3, 4, 8, 15, 16, 17, 37}) {
            if (paper && channels > 1) continue;  // one channel a call
            for (const auto& [rows, segments, gap] : {std::array{1, 1, 0}, {3, 1, 4}, {2, 3, 7}}) {
                for (const int run : {1, 2, 3, 5, 16}) {
                    const RowShape shape{pixels, channels, rows, segments, paper ? 4 * run : run, gap};
                    const std::string problem = checkShape(kernel, shape);
                    if (!problem.empty())
                        return std::string(kernel.name) + ": " + shape.text() + ": " + problem;
                }
            }
        }
    }
    return "";
}

}  // namespace bitloom::testing
