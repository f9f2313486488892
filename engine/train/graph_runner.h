// The forward pass behind Executor: parameters of every node and how each op maps to libtorch. Backward is
// autograd's. One thread at a time; libtorch parallelises inside the operations.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "engine/graph/graph.h"
#include "engine/quant/torch.h"
#include "engine/train/executor.h"

namespace bitloom::train {

/// What a node owns; undefined tensors where its op has no such parameter.
struct NodeState {
    torch::Tensor weight;
    torch::Tensor bias;
    torch::Tensor runningMean;
    torch::Tensor runningVar;
    std::int64_t batchesTracked = 0;

    /// By graph::ParameterSpec name; "num_batches_tracked" is not a tensor here.
    [[nodiscard]] torch::Tensor& named(std::string_view name);
};

class GraphRunner {
  public:
    /// `graph` passes graph::inferShapes. Allocates all parameters on `device`, zero.
    GraphRunner(graph::Graph graph, torch::Device device);

    /// As Executor::forward. `plainAverage` replaces the running statistics' momentum by 1 / batches tracked.
    [[nodiscard]] torch::Tensor forward(const torch::Tensor& images, bool training, bool plainAverage,
                                        const WeightSource& weights, const NodeObserver& observer = {});

    /// As Executor::setActivations.
    [[nodiscard]] Status setActivations(quant::ActivationFunctions functions);

    /// As Executor::setPrecision.
    void setPrecision(Precision precision) { m_precision = precision; }

    [[nodiscard]] const graph::Graph& graph() const { return m_graph; }
    [[nodiscard]] torch::Device device() const { return m_device; }
    /// As Graph::nodes().
    [[nodiscard]] std::vector<NodeState>& states() { return m_states; }

  private:
    /// Computes the output of `node` from those of `inputs`: its op, or, where `norm` says so, the batch
    /// norm, addition of a second input and ReLU that end in it.
    struct Step {
        std::size_t node = 0;
        std::vector<std::size_t> inputs;
        std::optional<std::size_t> norm;
    };
    struct Pass;

    void allocateParameters();
    void planSteps();
    [[nodiscard]] std::optional<Step> fusedStep(std::size_t relu, const std::vector<int>& uses) const;

    graph::Graph m_graph;
    torch::Device m_device;
    Precision m_precision = Precision::Float32;
    std::vector<NodeState> m_states;
    std::vector<Step> m_steps;
    std::vector<int> m_uses;  ///< how many steps read each node's output
    /// By node; empty functions where an output stays as it is.
    std::vector<std::function<torch::Tensor(const torch::Tensor&)>> m_activations;
};

}  // namespace bitloom::train
