// Weights at one of two widths as one autograd function (README.md sections 1 and 2). Runs on the CPU;
// weights on another device are copied there and back.
#pragma once

#include "engine/quant/sdq/bit_chooser.h"
#include "engine/quant/sdq/bitwidth.h"
#include "engine/quant/torch.h"

namespace bitloom::quant::sdq {

/// Two neighbouring widths with their clips.
struct WidthPair {
    int bits = 8;          ///< b, 2 to 8; at 1 the other width is not looked at
    double clip = 1;       ///< of b
    double lowerClip = 1;  ///< of b - 1
};

/// Q_b or Q_{b-1} of `weight` (float32 or float64), as `sample` says; its shape, dtype and memory order.
/// Gradients reach `weight`, `width` by addGradient() and `sensitivity` by add(); these outlive the backward
/// pass.
[[nodiscard]] torch::Tensor sampledWeights(const torch::Tensor& weight, const WidthPair& pair,
                                           const Bitwidth::Sample& sample, Bitwidth& width,
                                           Sensitivity& sensitivity);

}  // namespace bitloom::quant::sdq
