// Rounding to the levels of a layer as one autograd function (README.md sections 1 to 4). Runs on the CPU;
// weights on another device are copied there and back.
#pragma once

#include "engine/quant/quantized_tensor.h"
#include "engine/quant/torch.h"
#include "engine/quant/uniform/levels.h"

namespace bitloom::quant::uniform {

struct RoundingOptions {
    int bits = 8;               ///< 1 to 8
    double binRegulariser = 0;  ///< lambda_E of the gradient that is added, >= 0
};

/// Q_b of `weight` (float32 or float64), its shape, dtype and memory order. Gradients reach `weight` and
/// `clip`
/// ([1], > 0, of the same dtype, on the CPU).
[[nodiscard]] torch::Tensor roundWeights(const torch::Tensor& weight, const torch::Tensor& clip,
                                         const RoundingOptions& options);

/// `weight` as deployed: the level nearest to each.
[[nodiscard]] QuantizedTensor nearestOf(const torch::Tensor& weight, const Levels<float>& levels);

}  // namespace bitloom::quant::uniform
