// Runs a Graph through libtorch, forward and backward, on CPU or CUDA. Holds the parameters and batch-norm
// statistics. Used on one thread at a time. Activations are kept channels-last, which libtorch's convolutions
// prefer.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "engine/base/result.h"
#include "engine/graph/graph.h"
#include "engine/quant/activation/activation_quantizers.h"
#include "engine/quant/torch.h"
#include "engine/train/options.h"

namespace bitloom::train {

/// Tensors used in place of "<node>.weight" in one forward pass, by node name. They may require gradients.
using WeightOverrides = std::map<std::string, torch::Tensor, std::less<>>;

/// Gives the tensor to use as the weight of a node, `own` or one in its place, when the pass comes to it.
/// What is made there is close to its use on the way back too: its gradient goes as soon as it is there.
using WeightSource = std::function<torch::Tensor(const std::string& node, const torch::Tensor& own)>;

/// Whether networks can run on `device` here and now.
[[nodiscard]] bool hasDevice(const std::string& device);

enum class ParameterKind { Weight, Bias, BatchNorm };

struct TrainedParameter {
    std::string name;  ///< "<node>.weight"
    std::string node;
    ParameterKind kind = ParameterKind::Weight;
    torch::Tensor tensor;  ///< leaf, requires_grad
};

/// Sees the output of a node. A batch norm, addition and ReLU that run as one are seen as the ReLU.
using NodeObserver = std::function<void(const graph::Node& node, const torch::Tensor& output)>;

class Executor {
  public:
    /// `device` as TrainOptions::device. An unavailable device is an error that says what to use instead. All
    /// parameters are zero until initialize() or load().
    [[nodiscard]] static Result<std::unique_ptr<Executor>> create(graph::Graph graph,
                                                                  const std::string& device);
    ~Executor();

    /// torchvision's start, deterministic by seed: convolutions Kaiming-normal (fan-out), linear layers
    /// uniform in +-1/sqrt(in), batch norm 1 and 0.
    void initialize(std::uint64_t seed);
    /// Every parameter of the graph, exact shapes, any dtype; errors name what is missing and change nothing.
    /// "num_batches_tracked" may be absent (older PyTorch did not save it); tensors of other names are
    /// ignored.
    [[nodiscard]] Status load(const graph::StateDict& state);
    [[nodiscard]] graph::StateDict state() const;

    /// What the outputs of these nodes become in every pass from here on, before anything reads them;
    /// observers see them after it. Replaces those set before; load() leaves them. An error names a node that
    /// is not there, or that runs as one with the ReLU after it.
    [[nodiscard]] Status setActivations(quant::ActivationFunctions functions);

    /// Of every pass from here on; Float32 at first. Grouped convolutions stay in float32: memory bounds
    /// them.
    void setPrecision(Precision precision);

    /// Logits [batch, classes] of `images` [batch, C, H, W]. `training` selects batch statistics and updates
    /// the running ones. Throws what libtorch throws (no memory, a device that fails); callers convert it
    /// (guarded.h).
    [[nodiscard]] torch::Tensor forward(const torch::Tensor& images, bool training,
                                        const WeightOverrides& weights = {});
    [[nodiscard]] torch::Tensor forward(const torch::Tensor& images, bool training,
                                        const WeightSource& weights);
    /// The same, by default in evaluation mode, for what every node computes on the way.
    void observe(const torch::Tensor& images, const NodeObserver& observer, bool training = false,
                 const WeightOverrides& weights = {});

    [[nodiscard]] std::vector<TrainedParameter> parameters() const;
    [[nodiscard]] const torch::Tensor& weight(std::string_view node) const;

    /// Clears batch-norm statistics and makes the following training-mode forwards accumulate a plain average
    /// over batches; stop by endStatistics().
    void beginStatistics();
    void endStatistics();

    [[nodiscard]] const graph::Graph& graph() const;
    [[nodiscard]] torch::Device device() const;

  private:
    class Impl;
    explicit Executor(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> m_impl;
};

}  // namespace bitloom::train
