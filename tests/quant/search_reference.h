// The published formulas of RDHS and SGT in float64 autograd, with all m logits of a weight: what the closed
// forms in engine/quant/search are compared with.
#pragma once

#include <vector>

#include "engine/quant/search/search_function.h"

namespace bitloom::testing {

/// Random logits of m values, [m, shape], float64, of deviation `spread`.
[[nodiscard]] torch::Tensor randomAlpha(std::int64_t values, const std::vector<std::int64_t>& shape,
                                        double spread, std::uint64_t seed);

/// The logits as the engine keeps them: alpha_k - alpha_0 for k >= 1, a leaf in the engine's memory order.
[[nodiscard]] torch::Tensor relativeLogits(const torch::Tensor& alpha, torch::Dtype dtype);

/// dL/dalpha [m, shape] as published, G = scale * dL/dw at the hard weights: RDHS by autograd through
/// softmax(alpha / tau), SGT as G sign(q_k - q_winner).
[[nodiscard]] torch::Tensor publishedGradient(const torch::Tensor& alpha, const quant::search::Choice& choice,
                                              const torch::Tensor& upstream);

/// The same of the product of a sign and a magnitude, for values +-e_1, ... +-e_K: `alpha` holds two logits
/// of the sign, minus first, then K of the magnitudes, ascending. SGT flips one factor at a time.
[[nodiscard]] torch::Tensor factoredGradient(const torch::Tensor& alpha, const quant::search::Choice& choice,
                                             const torch::Tensor& upstream);

/// The K planes that the engine keeps of them.
[[nodiscard]] torch::Tensor factoredLogits(const torch::Tensor& alpha, torch::Dtype dtype);

/// One pass of the engine: hard weights of a fresh weight tensor, and the gradient of `logits`.
struct Pass {
    torch::Tensor weights;
    torch::Tensor gradient;
};
[[nodiscard]] Pass runPass(const torch::Tensor& logits, const quant::search::Choice& choice,
                           const torch::Tensor& upstream);

}  // namespace bitloom::testing
