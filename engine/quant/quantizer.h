// The interface every quantization method implements: one object a quantized weight. The steps to
// a new method: README.md. libtorch stays inside the engine: only engine folders
// include this header. Quantizers live on the thread that trains.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/bfloat16.h"
#include "engine/base/result.h"
#include "engine/graph/tensor.h"
#include "engine/quant/quantized_tensor.h"
#include "engine/quant/torch.h"
#include "engine/report/snapshot.h"

namespace bitloom::quant {

/// An optimizer's update of the elements [begin, begin + gradient.size()) of a float32 parameter, in memory
/// order. Called from several threads at a time, for pieces that do not overlap.
using PieceUpdate = std::function<void(std::int64_t begin, std::span<const float> gradient)>;

/// A step of gradient descent that a quantizer takes by itself, parameter -= rate * (direction + decay *
/// parameter), where direction is momentum's sum over steps of the gradients of its layer's weight: average =
/// momentum average + gradient, with `nesterov` gradient + momentum average.
struct WeightStep {
    BFloat16Bits* average = nullptr;  ///< the optimizer's, one a weight in memory order; null: no step
    float momentum = 0;
    bool nesterov = false;
    float rate = 0;
    float decay = 0;  ///< momentum's sum is in it
};

/// For a parameter several times as large as its layer's weight: while a step is set, backward updates the
/// parameter piece by piece and leaves grad() undefined; nothing of the parameter's size is allocated.
/// Set and cleared on the thread that trains, outside of backward.
struct GradientStream {
    PieceUpdate update;     ///< for a float32 parameter
    WeightStep weightStep;  ///< for a float16 parameter of planes, [m, weight's shape]

    [[nodiscard]] bool active() const { return update || weightStep.average != nullptr; }
    void end() { *this = {}; }
};

/// A trained tensor of a quantizer and the group whose rate and decay it takes: "mu", "sigma", "pi", "tau",
/// "alpha", ...
struct QuantizerParameter {
    std::string group;
    torch::Tensor tensor;
    std::shared_ptr<GradientStream> stream{};  ///< null: the gradient is in tensor.grad()
};

class Quantizer {
  public:
    virtual ~Quantizer() = default;

    [[nodiscard]] virtual std::string_view method() const = 0;

    /// Whether the layer counts in no mean over quantized layers (QuantizerOptions::firstLastBits).
    [[nodiscard]] bool isOutsideAverage() const { return m_outsideAverage; }
    void leaveAverage() { m_outsideAverage = true; }

    /// Whether `weight` trains. Without latent weights it is only where soft() and hardForward() leave the
    /// hard weights: it is in no parameter group and gets no gradient.
    [[nodiscard]] virtual bool hasLatentWeights() const { return true; }

    /// What follows belongs to this epoch, counted from 0: for schedules of the method's own.
    virtual void beginEpoch([[maybe_unused]] std::int64_t epoch) {}

    /// Differentiable training weights, shape and dtype of `weight`. Gradients reach parameters() and, where
    /// it trains, `weight`.
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

  private:
    bool m_outsideAverage = false;
};

}  // namespace bitloom::quant
