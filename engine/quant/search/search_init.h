// Where a search starts (README.md section 2): a scale that fits the set to pretrained weights, and
// posterior or random logits. No libtorch; any thread; deterministic.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "engine/base/result.h"

namespace bitloom::quant::search {

inline constexpr double kSmallestScale = 1e-6;

/// The s > 0 that minimises sum_i (w_i - s q_i)^2, q_i the value nearest to w_i / s: Lloyd's iterations on s
/// alone, from several starts. `weights` finite, not empty; `values` ascending. kSmallestScale where all
/// weights are zero and a value is, as in a layer whose search ended there. An error where no s > 0 is better
/// than leaving the layer out: all weights zero otherwise, or none of the sign of any value.
[[nodiscard]] Result<double> fitScale(std::span<const float> weights, std::span<const double> values);

/// logits[k - 1][i] = log r_k(w_i) - log r_0(w_i), r the posterior of equally likely Gaussians around
/// scale * values[k] with deviation spread * scale: linear in w, and their argmax is the nearest value.
/// `logits` holds values.size() - 1 planes of weights.size() each.
void posteriorLogits(std::span<const float> weights, std::span<const double> values, double scale,
                     double spread, std::span<float> logits);

/// The same of a sign, from values -1 and 1, in the first plane, and of the magnitude of each weight in the
/// others. `values` ascending, +-e_1, ... +-e_K with K >= 2; K planes.
void factoredPosterior(std::span<const float> weights, std::span<const double> values, double scale,
                       double spread, std::span<float> logits);

/// logits[k - 1][i] = alpha_k - alpha_0 with alpha = log(1/m) + 1e-5 U(-1/2, 1/2), as published.
void randomLogits(std::uint64_t seed, std::int64_t weights, std::span<float> logits);

}  // namespace bitloom::quant::search
