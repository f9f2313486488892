// Between graph::Tensor, the plain host tensor that files hold, and libtorch's.
#pragma once

#include "engine/graph/tensor.h"
#include "engine/quant/torch.h"

namespace bitloom::train {

/// A copy in host memory, row-major whatever the memory format. float32, float64 and int64 only.
[[nodiscard]] graph::Tensor fromTorch(const torch::Tensor& tensor);

/// A copy on the CPU. float32, float64 and int64 only.
[[nodiscard]] torch::Tensor toTorch(const graph::Tensor& tensor);

}  // namespace bitloom::train
