// The rounding of all activations of one network: planned from the start, with step sizes once these are
// known, trained where the method trains them. On the thread that trains.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "engine/base/result.h"
#include "engine/graph/tensor.h"
#include "engine/quant/activation/activation_plan.h"
#include "engine/quant/activation/quantized_activation.h"
#include "engine/quant/torch.h"

namespace bitloom::quant {

/// What a node's output becomes before anything reads it, by node name. Functions may be called in training.
using ActivationFunctions =
    std::map<std::string, std::function<torch::Tensor(const torch::Tensor&)>, std::less<>>;

/// Those of a deployed network: they round, and have no gradient of their own.
[[nodiscard]] ActivationFunctions roundingFunctions(const ActivationMap& activations);

/// A step size that trains.
struct ActivationStep {
    std::string node;
    torch::Tensor tensor;  ///< s, float32 [1], leaf on the CPU
};

class ActivationQuantizers {
  public:
    /// Errors of planActivations.
    [[nodiscard]] static Result<ActivationQuantizers> make(const graph::Graph& graph,
                                                           const ActivationOptions& options);

    /// Empty with method None, and where no layer reads an activation.
    [[nodiscard]] const std::vector<PlannedActivation>& planned() const { return m_planned; }

    /// Whether every planned activation has its step: from set() or restore() on.
    [[nodiscard]] bool ready() const { return m_ready; }
    /// Exactly the planned nodes, with their bits. Steps keep their tensors.
    [[nodiscard]] Status set(const ActivationMap& activations);

    /// As trained so far; empty until ready.
    [[nodiscard]] ActivationMap deployed() const;

    /// LSQ: the steps of all activations but the image's, which stays as it was found. PTQ: none, they are
    /// final when they are set. The tensors are there before they are ready.
    [[nodiscard]] std::vector<ActivationStep> steps() const;

    /// Rounding with gradients (README.md section 5); empty until ready. A step that the optimizer took below
    /// 1e-8 is put back there first. The functions hold the tensors, not this object.
    [[nodiscard]] ActivationFunctions functions() const;

    /// By node name: float64 [2], s and z. Empty until ready.
    [[nodiscard]] graph::StateDict state() const;
    /// An empty state makes nothing ready. Errors name an entry that is missing or makes no sense.
    [[nodiscard]] Status restore(const graph::StateDict& state);

  private:
    struct Entry {
        QuantizedActivation rounding;  ///< its scale only as it was set
        torch::Tensor step;
        bool trained = false;
    };
    std::vector<PlannedActivation> m_planned;
    std::map<std::string, Entry, std::less<>> m_entries;
    bool m_ready = false;
};

}  // namespace bitloom::quant
