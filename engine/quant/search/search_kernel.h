// Vectorised choice and backward rules of RDHS and SGT for one block of weights (README.md sections 1 and 3).
// No libtorch; any thread; every weight on its own, so results depend on neither blocks nor threads.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "engine/base/bfloat16.h"

namespace bitloom::quant::search {

/// Weights a caller hands over at a time: a block's planes stay in the cache between the passes over them.
inline constexpr std::size_t kBlockSize = 512;

/// Weights that make a second thread worth waking.
inline constexpr std::int64_t kParallelGrain = 16384;

/// m - 1 rows of a block, one element a weight: row k - 1 belongs to value k and starts at
/// first + (k - 1) * stride.
template <class T>
struct Rows {
    T* first = nullptr;
    std::size_t stride = 0;
};

/// chosen[i] = values[k], k the argmax of 0 and logits row by row, the lowest index on ties; NaN never wins.
void choose(Rows<const float> logits, std::span<const float> values, std::size_t count, float* chosen);
void choose(Rows<const double> logits, std::span<const double> values, std::size_t count, double* chosen);

/// mean[i] = sum_k y_k values[k], y = softmax(logits / temperature).
void expect(Rows<const float> logits, std::span<const float> values, float temperature, std::size_t count,
            float* mean);
void expect(Rows<const double> logits, std::span<const double> values, double temperature, std::size_t count,
            double* mean);

/// The gradient of RDHS: result row k - 1 = g_k - g_0 with g_k = (G / temperature) y_k (q_k - sum_j y_j q_j),
/// q = values, G = gradients. Writes sum_j y_j q_j to `mean` unless that is null. `result` may not overlap
/// the inputs.
void rdhsGradient(Rows<const float> logits, std::span<const float> values, float temperature,
                  const float* gradients, std::size_t count, Rows<float> result, float* mean = nullptr);
void rdhsGradient(Rows<const double> logits, std::span<const double> values, double temperature,
                  const double* gradients, std::size_t count, Rows<double> result, double* mean = nullptr);

/// The gradient of SGT for `values` values in ascending order: result row k - 1 = g_k - g_0 with
/// g_k = scale G sign(k - argmax); with `signOnly` sign(G) in place of scale G.
void sgtGradient(Rows<const float> logits, std::size_t values, float scale, bool signOnly,
                 const float* gradients, std::size_t count, Rows<float> result);
void sgtGradient(Rows<const double> logits, std::size_t values, double scale, bool signOnly,
                 const double* gradients, std::size_t count, Rows<double> result);

/// target[i] *= factors[i].
void multiply(const float* factors, std::size_t count, float* target);
void multiply(const double* factors, std::size_t count, double* target);

/// An IEEE half-precision number, as its bits.
using Half = std::uint16_t;

/// wide[i] = half[i].
void widen(const Half* half, std::size_t count, float* wide);

/// Momentum: average = momentum average + gradients, and `direction` that average or, with `nesterov`,
/// gradients + momentum average. `direction` may be `gradients`.
void smooth(const float* gradients, BFloat16Bits* average, float momentum, bool nesterov, std::size_t count,
            float* direction);

/// In double, so that nothing overflows.
[[nodiscard]] double sumOfSquares(const float* values, std::size_t count);

/// logits -= rate * (gradients + decay * logits) for `planes` rows of each, rounded up or down at random so
/// that the mean of many steps is exact however small they are. `seed` names the random numbers: the same
/// gives the same, whatever the processor. Stays finite: what is beyond half precision's range ends at its
/// edge.
void descend(Rows<Half> logits, Rows<const float> gradients, std::size_t planes, float rate, float decay,
             std::uint32_t seed, std::size_t count);

}  // namespace bitloom::quant::search
