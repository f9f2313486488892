// DGMS in plain torch operations, [groups, weights, components] at once: what the fused kernels are tested
// against. Differentiated by autograd; follows dgms/README.md section 2 line by line.
#pragma once

#include "engine/quant/dgms/dgms_function.h"

namespace bitloom::testing {

/// Phi of `weight` in float64. `mixture` in float64 too.
[[nodiscard]] torch::Tensor referenceSoft(const torch::Tensor& weight,
                                          const quant::dgms::MixtureTensors& mixture, bool parity);

/// Weights that look like a trained layer's, [channels, perChannel]: near-normal with a wider tail, deviation
/// 0.06.
[[nodiscard]] torch::Tensor layerWeights(std::int64_t channels, std::int64_t perChannel, std::uint64_t seed);

/// A mixture as k-means gives it for `weight`, moved a little at random so that no symmetry hides an error.
/// Leaves of `dtype` that require gradients; the values are float32 numbers whatever the dtype.
[[nodiscard]] quant::dgms::MixtureTensors startingMixture(const torch::Tensor& weight, int components,
                                                          quant::SigmaInit sigma, bool filterWise, double tau,
                                                          torch::Dtype dtype, std::uint64_t seed);

}  // namespace bitloom::testing
