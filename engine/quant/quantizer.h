// The interface every quantization method implements: one object a quantized weight. The steps to
// a new method: README.md. libtorch stays inside the engine: only engine folders
// include this header. Quantizers live on the thread that trains.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/result.h"
#include "engine/graph/tensor.h"
#include "engine/quant/quantized_tensor.h"
#include "engine/quant/torch.h"
#include "engine/report/snapshot.h"

namespace bitloom::quant {

/// A trained tensor of a quantizer and the group whose rate and decay it takes: "mu", "sigma", "pi", "tau",
/// ...
struct QuantizerParameter {
    std::string group;
    torch::Tensor tensor;
};

class Quantizer {
  public:
    virtual ~Quantizer() = default;

    [[nodiscard]] virtual std::string_view method() const = 0;

    /// Differentiable training weights, shape and dtype of `weight`. Gradients reach `weight` and
    /// parameters().
    [[nodiscard]] virtual torch::Tensor soft(const torch::Tensor& weight) = 0;

    /// The values of hard() with the gradients of soft(): training through the deployed weights.
    [[nodiscard]] virtual torch::Tensor hardForward(const torch::Tensor& weight) = 0;

    /// Deployed weights of `weight` (detached).
    [[nodiscard]] virtual QuantizedTensor hard(const torch::Tensor& weight) const = 0;

    /// Leaf tensors with requires_grad that the optimizer trains. Empty when everything is fixed.
    [[nodiscard]] virtual std::vector<QuantizerParameter> parameters() = 0;

    /// What the window shows. Fills everything but `layer` and `step`.
    [[nodiscard]] virtual report::LayerSnapshot snapshot(const torch::Tensor& weight) const = 0;

    /// Everything needed to continue bit-exactly, by local name ("mu", "log_sigma", ...).
    [[nodiscard]] virtual graph::StateDict state() const = 0;
    [[nodiscard]] virtual Status restore(const graph::StateDict& state) = 0;
};

}  // namespace bitloom::quant
