// Rounding of an activation as one autograd function (README.md sections 1 and 5). Computes on the CPU;
// activations on another device are copied there and back.
#pragma once

#include "engine/quant/torch.h"

namespace bitloom::quant {

struct ActivationRounding {
    int highest = 255;        ///< 2^bits - 1, at least 1
    int zeroPoint = 0;        ///< z, 0 to highest
    double stepGradient = 1;  ///< factor of the gradient of the step
};

/// x^ = s (clamp(round(x / s) + z, 0, highest) - z), halves to even; shape, dtype (float32 or float64) and
/// memory order of `x`, NaN stays NaN. `step` is s, [1], > 0, of the same dtype, on the CPU. Backward:
/// dx^/dx = 1 where -z <= x / s <= highest - z, else 0; dx^/ds = round(x / s) - x / s there, else -z or
/// highest - z. The sum over x does not depend on the number of threads.
[[nodiscard]] torch::Tensor roundActivation(const torch::Tensor& x, const torch::Tensor& step,
                                            const ActivationRounding& rounding);

}  // namespace bitloom::quant
