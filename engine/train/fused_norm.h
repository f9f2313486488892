// Batch norm, an optional addition and ReLU as one differentiable operation: on CPU it reads and writes
// activations half as often as libtorch's three, which are bound by memory.
#pragma once

#include "engine/quant/torch.h"

namespace bitloom::train {

/// Parameters [C] and statistics [C] of a batch norm, as torch::batch_norm takes them.
struct NormTensors {
    torch::Tensor weight;
    torch::Tensor bias;
    torch::Tensor runningMean;  ///< updated in training
    torch::Tensor runningVar;
};

struct NormOptions {
    bool training = false;
    double momentum = 0.1;
    double epsilon = 1e-5;
};

/// torch::batch_norm, of at least two values a channel in training.
[[nodiscard]] torch::Tensor batchNorm(const torch::Tensor& x, const NormTensors& norm,
                                      const NormOptions& options);

/// relu(batch_norm(x) + residual) of x [N, C, H, W]; an undefined residual is left out. Uses libtorch's own
/// operations where the fused ones do not apply: on other devices and for C not a multiple of 16. The result
/// is stored as x is, float32 or bfloat16; norm is float32, and so are all sums. Differentiable once.
[[nodiscard]] torch::Tensor batchNormRelu(const torch::Tensor& x, const torch::Tensor& residual,
                                          const NormTensors& norm, const NormOptions& options);

}  // namespace bitloom::train
