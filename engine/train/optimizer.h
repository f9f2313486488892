// Stochastic gradient descent with momentum as torch::optim::SGD computes it (dampening 0), in one pass over
// memory instead of three. Used on the trainer's thread.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "engine/base/result.h"
#include "engine/graph/tensor.h"
#include "engine/quant/quantizer.h"
#include "engine/quant/torch.h"

namespace bitloom::train {

struct NamedTensor {
    std::string name;                                 ///< unique within the group
    torch::Tensor tensor;                             ///< leaf with requires_grad
    std::shared_ptr<quant::GradientStream> stream{};  ///< null: the gradient is in tensor.grad()
};

/// Tensors that share a peak learning rate and a weight decay.
struct ParameterGroup {
    std::string name;  ///< "weight", "full", "batchNorm", "mu", "sigma", "pi", "tau", "alpha", "clip",
                       ///< "activationStep"
    double rate = 0;   ///< peak learning rate, > 0
    double decay = 0;  ///< weight decay, added to the gradient
    std::vector<NamedTensor> tensors;
};

class Sgd {
  public:
    Sgd(std::vector<ParameterGroup> groups, bool nesterov);

    [[nodiscard]] const std::vector<ParameterGroup>& groups() const { return m_groups; }

    /// From here on backward passes update the parameters with a gradient stream as they go. What is not
    /// streamed waits for step(), which takes the same arguments and ends the streaming. A streamed parameter
    /// in half precision has one momentum for each of its layer's weights, in bfloat16.
    void beginStep(double rateFactor, double momentum);

    /// One update from the gradients present; tensors without one stay as they are. `rateFactor` scales every
    /// group's rate.
    void step(double rateFactor, double momentum);

    /// Drops all gradients.
    void clearGradients();

    /// Momentum buffers as float32, keyed "<group>/<tensor name>".
    [[nodiscard]] graph::StateDict state() const;
    /// Errors name a buffer that is missing or has another shape.
    [[nodiscard]] Status restore(const graph::StateDict& state);

  private:
    std::vector<ParameterGroup> m_groups;
    std::vector<std::vector<torch::Tensor>> m_buffers;  ///< as m_groups; of the tensor's shape and strides,
                                                        ///< or its planes' (beginStep)
    bool m_nesterov;
};

}  // namespace bitloom::train
