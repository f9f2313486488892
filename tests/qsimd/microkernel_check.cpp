#include "tests/qsimd/microkernel_check.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <random>
#include <type_traits>
#include <vector>

#include "tests/qsimd/fenced.h"

namespace bitloom::testing {
namespace {

using qsimd::Fields;
using qsimd::Microkernel;

struct Shape {
    int rows, segments, steps;  ///< steps of the kernel's depth in a segment
    int gap;                    ///< values between fields
    int skip = 0;               ///< steps of weights between rows
    bool adds = false;
};

enum class Fill { Random, Largest, Smallest };

std::string describe(const Shape& shape, Fill fill, int index) {
    return "rows " + std::to_string(shape.rows) + ", segments " + std::to_string(shape.segments) +
           ", steps " + std::to_string(shape.steps) + (shape.adds ? ", adds" : "") + ", fill " +
           std::to_string(static_cast<int>(fill)) + ", sum " + std::to_string(index);
}

template <class Value, class Weight, class Sum>
class Case {
  public:
    Case(const Microkernel& kernel, const Shape& shape, Fill fill)
        : m_kernel(kernel),
          m_shape(shape),
          m_fill(fill),
          m_run(shape.steps * kernel.depth),
          m_segmentStride(m_run + shape.gap),
          m_pixelStride(shape.segments * m_segmentStride + shape.gap),
          m_rowStride(kernel.pixels * m_pixelStride + shape.gap),
          m_skip(static_cast<std::ptrdiff_t>(shape.skip) * kernel.depth * kernel.channels),
          m_values(static_cast<std::size_t>((shape.rows - 1) * m_rowStride +
                                            (kernel.pixels - 1) * m_pixelStride +
                                            (shape.segments - 1) * m_segmentStride + m_run)),
          m_weights(weightCount()) {
        for (Value* v = m_values.data(); v < m_values.data() + valueCount(); ++v)
            *v = value();
        for (Weight* w = m_weights.data(); w < m_weights.data() + weightCount(); ++w)
            *w = weight();
    }

    std::string check() {
        const std::size_t count = static_cast<std::size_t>(m_kernel.pixels) * m_kernel.channels;
        constexpr std::size_t kGuard = 16;
        std::vector<Sum> sums(count + 2 * kGuard, kMark);
        const Fields<Value> fields{m_values.data(), m_pixelStride, m_rowStride,
                                   m_segmentStride, m_shape.rows,  m_shape.segments,
                                   m_run,           m_skip,        m_shape.adds};
        call(fields, sums.data() + kGuard);
        for (std::size_t i = 0; i < kGuard; ++i) {
            if (sums[i] != kMark || sums[kGuard + count + i] != kMark)
                return "writes beside its sums: " + describe(m_shape, m_fill, static_cast<int>(i));
        }
        for (int p = 0; p < m_kernel.pixels; ++p) {
            for (int c = 0; c < m_kernel.channels; ++c) {
                const int index = p * m_kernel.channels + c;
                const Sum expected = reference(p, c);
                const Sum actual = sums[kGuard + static_cast<std::size_t>(index)];
                if (std::bit_cast<std::uint32_t>(expected) != std::bit_cast<std::uint32_t>(actual))
                    return describe(m_shape, m_fill, index) + ": " + std::to_string(actual) + " instead of " +
                           std::to_string(expected);
            }
        }
        return "";
    }

  private:
    static constexpr Sum kMark = static_cast<Sum>(-77);

    [[nodiscard]] std::size_t weightCount() const {
        const std::ptrdiff_t row = static_cast<std::ptrdiff_t>(m_shape.segments) * m_run * m_kernel.channels;
        return static_cast<std::size_t>(m_shape.rows * row + (m_shape.rows - 1) * m_skip);
    }
    [[nodiscard]] std::size_t valueCount() const {
        return static_cast<std::size_t>((m_shape.rows - 1) * m_rowStride +
                                        (m_kernel.pixels - 1) * m_pixelStride +
                                        (m_shape.segments - 1) * m_segmentStride + m_run);
    }

    Value value() {
        if constexpr (std::is_same_v<Value, float>) {
            return std::uniform_real_distribution<float>(-1.0F, 1.0F)(m_random);
        } else {
            if (m_fill == Fill::Largest) return qsimd::storeActivation(255);
            if (m_fill == Fill::Smallest) return qsimd::storeActivation(0);
            return static_cast<Value>(std::uniform_int_distribution<int>(0, 255)(m_random));
        }
    }

    Weight weight() {
        if constexpr (std::is_same_v<Weight, float>) {
            return std::uniform_real_distribution<float>(-1.0F, 1.0F)(m_random);
        } else {
            if (m_fill == Fill::Largest) return qsimd::kMaxWeight;
            if (m_fill == Fill::Smallest) return -qsimd::kMaxWeight;
            return static_cast<Weight>(
                std::uniform_int_distribution<int>(-qsimd::kMaxWeight, qsimd::kMaxWeight)(m_random));
        }
    }

    void call(const Fields<Value>& fields, Sum* sums) {
        if constexpr (std::is_same_v<Value, float>)
            m_kernel.floats(fields, m_weights.data(), sums);
        else
            m_kernel.bytes(fields, m_weights.data(), sums);
    }

    Sum reference(int pixel, int channel) {
        Sum sum = m_shape.adds ? kMark : 0;
        const int depth = m_kernel.depth;
        std::size_t block = 0;  // of depth x channels weights
        for (int row = 0; row < m_shape.rows; ++row, block += static_cast<std::size_t>(m_shape.skip)) {
            for (int segment = 0; segment < m_shape.segments; ++segment) {
                for (int k = 0; k < m_run; ++k) {
                    const Value value = m_values[static_cast<std::size_t>(
                        row * m_rowStride + pixel * m_pixelStride + segment * m_segmentStride + k)];
                    const Weight weight =
                        m_weights[(block * m_kernel.channels + static_cast<std::size_t>(channel)) * depth +
                                  static_cast<std::size_t>(k % depth)];
                    if constexpr (std::is_same_v<Value, float>)
                        sum = std::fma(value, weight, sum);
                    else
                        sum += (qsimd::loadActivation(value) - qsimd::kActivationOffset) * weight;
                    if (k % depth == depth - 1) ++block;
                }
            }
        }
        return sum;
    }

    const Microkernel& m_kernel;
    Shape m_shape;
    Fill m_fill;
    int m_run;
    std::ptrdiff_t m_segmentStride, m_pixelStride, m_rowStride, m_skip;
    Fenced<Value> m_values;
    Fenced<Weight> m_weights;
    std::mt19937 m_random{20230117};
};

}  // namespace

std::string checkMicrokernel(const Microkernel& kernel) {
    for (const int steps : {1, 2, 3, 4, 5, 7, 8, 13, 16, 37}) {
        for (const Shape& shape :
             {Shape{1, 1, steps, 0}, Shape{1, 1, steps, 0, 0, true}, Shape{3, 1, steps, 4},
              Shape{3, 1, steps, 4, 2, true}, Shape{2, 3, steps, 7}, Shape{2, 3, steps, 7, 3}}) {
            for (const Fill fill : {Fill::Random, Fill::Largest, Fill::Smallest}) {
                const std::string problem =
                    kernel.floats
                        ? Case<float, float, float>(kernel, shape, fill).check()
                        : Case<std::uint8_t, std::int8_t, std::int32_t>(kernel, shape, fill).check();
                if (!problem.empty()) return std::string(kernel.name) + ": " + problem;
            }
        }
    }
    return "";
}

namespace {

template <class Value, class Decode>
std::string checkPanel(const qsimd::Decoder& decoder, Decode decode) {
    std::mt19937 random(7);
    const std::size_t elements = qsimd::blockElements(decoder.bits);
    Fenced<Value> codebook(qsimd::kCodebookSize);
    for (int i = 0; i < qsimd::kCodebookSize; ++i)
        codebook[static_cast<std::size_t>(i)] = static_cast<Value>(3 * i - 21);
    for (std::size_t blocks = 0; blocks <= 5; ++blocks) {
        std::vector<std::uint8_t> indices(blocks * elements);
        for (std::uint8_t& index : indices)
            index = static_cast<std::uint8_t>(random() & ((1U << decoder.bits) - 1));
        Fenced<std::uint8_t> packed(std::max<std::size_t>(blocks * qsimd::kBlockBytes, 1));
        qsimd::packBlocks(indices.data(), indices.size(), decoder.bits, packed.data());
        std::vector<Value> panel(indices.size() + 1, static_cast<Value>(99));
        decode(packed.data(), blocks, codebook.data(), panel.data());
        for (std::size_t i = 0; i < indices.size(); ++i) {
            if (panel[i] != codebook[indices[i]])
                return "element " + std::to_string(i) + " of " + std::to_string(blocks) + " blocks is " +
                       std::to_string(panel[i]);
        }
        if (panel.back() != static_cast<Value>(99)) return "writes behind its panel";
    }
    return "";
}

}  // namespace

std::string checkDecoder(const qsimd::Decoder& decoder) {
    const std::string problem = checkPanel<std::int8_t>(decoder, decoder.bytes);
    return problem.empty() ? checkPanel<float>(decoder, decoder.floats) : problem;
}

}  // namespace bitloom::testing
