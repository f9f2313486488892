// Soft quantization of DGMS as one autograd function: Phi(w) forward (dgms/README.md section 2), exact
// gradients backward (section 3). Runs on CPU; weights on another device are copied there and back.
#pragma once

#include "engine/quant/options.h"
#include "engine/quant/torch.h"

namespace bitloom::quant::dgms {

/// Trained parameters of a layer's mixtures. Layer-wise: [K - 1], [K], [K], [1]; filter-wise the first three
/// have a leading dimension of one row per output channel. float32 or float64.
struct MixtureTensors {
    torch::Tensor mu;  ///< without the fixed zero
    torch::Tensor logSigma;
    torch::Tensor logPi;  ///< log |p|, normalised on use
    torch::Tensor tau;

    [[nodiscard]] bool filterWise() const { return logPi.dim() == 2; }
    [[nodiscard]] std::int64_t groups() const { return filterWise() ? logPi.size(0) : 1; }
    [[nodiscard]] std::int64_t components() const { return logPi.size(-1); }
};

struct SoftOptions {
    bool parity = false;
    WeightGradient weightGradient = WeightGradient::Exact;
    bool hardForward = false;  ///< values of Psi with the gradients of Phi
    bool prune = true;  ///< false evaluates every component of every weight: for tests and measurements
};

/// Phi (or Psi, options.hardForward) of `weight` (float32 or float64, first dimension the output channels),
/// its shape, dtype and memory order.
[[nodiscard]] torch::Tensor softWeights(const torch::Tensor& weight, const MixtureTensors& mixture,
                                        const SoftOptions& options);

}  // namespace bitloom::quant::dgms
