// The graph is lowered once to steps: a batch norm, an addition and a ReLU that nothing else reads become
// one. A pass walks the steps and drops each activation after its last use; autograd keeps what backward
// needs.
#include "engine/train/graph_runner.h"

#include <utility>

#include "engine/train/fused_norm.h"

namespace bitloom::train {
namespace {

using torch::Tensor;

constexpr auto kLayout = at::MemoryFormat::ChannelsLast;

template <class Kind>
bool is(const graph::Node& node) {
    return std::holds_alternative<Kind>(node.op);
}

std::vector<std::size_t> inputsOf(const graph::Node& node) {
    std::vector<std::size_t> inputs;
    for (const graph::NodeId input : node.inputs)
        inputs.push_back(static_cast<std::size_t>(input.value));
    return inputs;
}

Tensor convolve(const graph::Conv2d& op, const Tensor& x, const Tensor& weight, const Tensor& bias) {
    return torch::conv2d(x, weight, bias, op.stride, op.padding, op.dilation, op.groups);
}

Tensor toBFloat16(const Tensor& tensor) {
    return tensor.defined() ? tensor.to(torch::kBFloat16) : tensor;
}

bool convolvesInBFloat16(const graph::Node& node, Precision precision) {
    const auto* convolution = std::get_if<graph::Conv2d>(&node.op);
    return convolution && precision == Precision::BFloat16 && convolution->groups == 1;
}

/// Whether an op only moves values, so that it takes them as they are stored; others want float32.
bool movesValues(const graph::Node& node) {
    return is<graph::Pad>(node) || is<graph::Slice>(node) || is<graph::Flatten>(node) ||
           is<graph::MaxPool2d>(node);
}

/// The ops without parameters and linear ones, by visiting; batch norm is GraphRunner::Pass's.
struct RunOp {
    const std::vector<Tensor>& inputs;
    const Tensor& weight;
    const Tensor& bias;

    Tensor operator()(const graph::Conv2d& op) const { return convolve(op, inputs[0], weight, bias); }
    Tensor operator()(const graph::Linear&) const { return torch::linear(inputs[0], weight, bias); }
    Tensor operator()(const graph::Relu&) const { return torch::relu(inputs[0]); }
    Tensor operator()(const graph::Relu6&) const { return torch::relu6(inputs[0]); }
    Tensor operator()(const graph::HardSwish&) const { return torch::hardswish(inputs[0]); }
    Tensor operator()(const graph::HardSigmoid&) const { return torch::hardsigmoid(inputs[0]); }
    Tensor operator()(const graph::Add&) const { return inputs[0] + inputs[1]; }
    Tensor operator()(const graph::Mul&) const { return inputs[0] * inputs[1]; }
    Tensor operator()(const graph::Concat&) const { return torch::cat(inputs, 1); }
    Tensor operator()(const graph::MaxPool2d& op) const {
        return torch::max_pool2d(inputs[0], op.kernel, op.stride, op.padding);
    }
    Tensor operator()(const graph::AvgPool2d& op) const {
        return torch::avg_pool2d(inputs[0], op.kernel, op.stride, op.padding);
    }
    Tensor operator()(const graph::GlobalAvgPool&) const {
        return torch::adaptive_avg_pool2d(inputs[0], {1, 1});
    }
    Tensor operator()(const graph::Flatten&) const { return inputs[0].flatten(1); }
    Tensor operator()(const graph::Pad& op) const {
        return torch::constant_pad_nd(inputs[0], {op.before[1], op.after[1], op.before[0], op.after[0],
                                                  op.channelsBefore, op.channelsAfter});
    }
    Tensor operator()(const graph::Slice& op) const {
        using torch::indexing::None;
        using torch::indexing::Slice;
        return inputs[0].index(
            {Slice(), Slice(), Slice(None, None, op.stride[0]), Slice(None, None, op.stride[1])});
    }
    Tensor operator()(const graph::Softmax&) const { return torch::softmax(inputs[0], 1); }

    // Never visited: the input is given, and Pass runs batch norm.
    Tensor operator()(const graph::Input&) const { return notAStep(); }
    Tensor operator()(const graph::BatchNorm2d&) const { return notAStep(); }

    static Tensor notAStep() {
        TORCH_CHECK(false, "an input or batch norm is no step of its own kind");
        return {};
    }
};

}  // namespace

Tensor& NodeState::named(std::string_view name) {
    if (name == "weight") return weight;
    if (name == "bias") return bias;
    TORCH_CHECK(name == "running_mean" || name == "running_var", "no tensor is named ", name);
    return name == "running_mean" ? runningMean : runningVar;
}

GraphRunner::GraphRunner(graph::Graph graph, torch::Device device)
    : m_graph(std::move(graph)),
      m_device(device),
      m_states(m_graph.nodes().size()),
      m_activations(m_graph.nodes().size()) {
    allocateParameters();
    planSteps();
}

void GraphRunner::allocateParameters() {
    const auto options = torch::TensorOptions().device(m_device).dtype(torch::kFloat32);
    for (std::size_t i = 0; i < m_states.size(); ++i) {
        for (const graph::ParameterSpec& spec : graph::parametersOf(m_graph.nodes()[i].op)) {
            if (spec.name == "num_batches_tracked") continue;
            Tensor tensor = torch::zeros(spec.shape, options);
            if (spec.shape.size() == 4) tensor = tensor.contiguous(kLayout);
            m_states[i].named(spec.name) = tensor.set_requires_grad(spec.trainable);
        }
    }
}

std::optional<GraphRunner::Step> GraphRunner::fusedStep(std::size_t relu,
                                                        const std::vector<int>& uses) const {
    const std::vector<graph::Node>& nodes = m_graph.nodes();
    const auto absorbable = [&](std::size_t node) { return uses[node] == 1; };
    const std::size_t source = inputsOf(nodes[relu])[0];
    if (!absorbable(source)) return std::nullopt;
    if (is<graph::BatchNorm2d>(nodes[source])) return Step{relu, inputsOf(nodes[source]), source};
    if (!is<graph::Add>(nodes[source])) return std::nullopt;
    const std::vector<std::size_t> terms = inputsOf(nodes[source]);
    for (std::size_t k = 0; k < 2; ++k) {
        if (!is<graph::BatchNorm2d>(nodes[terms[k]]) || !absorbable(terms[k])) continue;
        return Step{relu, {inputsOf(nodes[terms[k]])[0], terms[1 - k]}, terms[k]};
    }
    return std::nullopt;
}

void GraphRunner::planSteps() {
    const std::vector<graph::Node>& nodes = m_graph.nodes();
    std::vector<int> uses(nodes.size(), 0);
    for (const graph::Node& node : nodes) {
        for (const std::size_t input : inputsOf(node))
            ++uses[input];
    }
    std::vector<bool> absorbed(nodes.size(), false);
    std::vector<std::optional<Step>> fused(nodes.size());
    for (std::size_t i = 0; i < nodes.size(); ++i) {
        if (is<graph::Relu>(nodes[i])) fused[i] = fusedStep(i, uses);
        if (!fused[i]) continue;
        absorbed[*fused[i]->norm] = true;
        absorbed[inputsOf(nodes[i])[0]] = true;  // the addition, or the batch norm again
    }
    m_uses.assign(nodes.size(), 0);
    for (std::size_t i = 1; i < nodes.size(); ++i) {
        if (absorbed[i]) continue;
        m_steps.push_back(fused[i] ? *fused[i] : Step{i, inputsOf(nodes[i]), std::nullopt});
        for (const std::size_t input : m_steps.back().inputs)
            ++m_uses[input];
    }
}

Status GraphRunner::setActivations(quant::ActivationFunctions functions) {
    std::vector<bool> computed(m_graph.nodes().size(), false);
    computed[0] = true;
    for (const Step& step : m_steps)
        computed[step.node] = true;
    for (const auto& [name, function] : functions) {
        const auto id = m_graph.find(name);
        if (!id || !computed[static_cast<std::size_t>(id->value)])
            return fail("{} has no activation {} to round", m_graph.arch(), name);
    }
    m_activations.assign(m_graph.nodes().size(), {});
    for (auto& [name, function] : functions)
        m_activations[static_cast<std::size_t>(m_graph.find(name)->value)] = std::move(function);
    return {};
}

/// What the steps of one forward pass share.
struct GraphRunner::Pass {
    GraphRunner& runner;
    const WeightSource& weights;
    bool training;
    bool plainAverage;

    [[nodiscard]] Tensor weightOf(std::size_t node) const {
        const Tensor& own = runner.m_states[node].weight;
        return own.defined() ? weights(runner.m_graph.nodes()[node].name, own) : own;
    }

    Tensor runNorm(std::size_t node, const std::vector<Tensor>& inputs, bool relu) {
        NodeState& state = runner.m_states[node];
        const auto& op = std::get<graph::BatchNorm2d>(runner.m_graph.nodes()[node].op);
        NormOptions options{training, op.momentum, op.epsilon};
        if (training) ++state.batchesTracked;
        if (training && plainAverage) options.momentum = 1.0 / static_cast<double>(state.batchesTracked);
        const NormTensors norm{weightOf(node), state.bias, state.runningMean, state.runningVar};
        if (relu) return batchNormRelu(inputs[0], inputs.size() > 1 ? inputs[1] : Tensor(), norm, options);
        return batchNorm(inputs[0], norm, options);
    }

    /// In bfloat16 convolutions give bfloat16, and the fused norm keeps it: what is between them takes half
    /// the memory.
    Tensor run(const Step& step, std::vector<Tensor> inputs) {
        if (step.norm) return runNorm(*step.norm, inputs, /*relu=*/true);
        const graph::Node& node = runner.m_graph.nodes()[step.node];
        const Tensor weight = is<graph::BatchNorm2d>(node) ? Tensor() : weightOf(step.node);
        const Tensor& bias = runner.m_states[step.node].bias;
        if (convolvesInBFloat16(node, runner.m_precision)) {
            return convolve(std::get<graph::Conv2d>(node.op), toBFloat16(inputs[0]), toBFloat16(weight),
                            toBFloat16(bias));
        }
        if (!movesValues(node)) {
            for (Tensor& input : inputs)
                input = input.to(torch::kFloat32);
        }
        if (is<graph::BatchNorm2d>(node)) return runNorm(step.node, inputs, /*relu=*/false);
        return std::visit(RunOp{inputs, weight, bias}, node.op);
    }
};

Tensor GraphRunner::forward(const Tensor& images, bool training, bool plainAverage,
                            const WeightSource& weights, const NodeObserver& observer) {
    Pass pass{*this, weights, training, plainAverage};
    std::vector<Tensor> values(m_states.size());
    std::vector<int> uses = m_uses;
    values[0] = images.to(m_device).contiguous(kLayout);
    if (m_activations[0]) values[0] = m_activations[0](values[0]);
    for (const Step& step : m_steps) {
        std::vector<Tensor> inputs;
        for (const std::size_t input : step.inputs) {
            inputs.push_back(--uses[input] == 0 ? std::move(values[input]) : values[input]);
        }
        values[step.node] = pass.run(step, std::move(inputs));
        if (m_activations[step.node])
            values[step.node] = m_activations[step.node](values[step.node].to(torch::kFloat32));
        if (observer) observer(m_graph.nodes()[step.node], values[step.node]);
    }
    return values.back().to(torch::kFloat32);
}

}  // namespace bitloom::train
