// Devices, parameters and batch-norm statistics of an Executor; the forward pass is GraphRunner's. libtorch's
// exceptions become errors here, except those of forward().
#include "engine/train/executor.h"

#include <cassert>
#include <charconv>
#include <cmath>
#include <cstring>

#include "engine/base/random.h"
#include "engine/base/text.h"
#include "engine/train/caching_allocator.h"
#include "engine/train/graph_runner.h"
#include "engine/train/tensor_conversion.h"

namespace bitloom::train {
namespace {

using torch::Tensor;

constexpr std::string_view kBatchesTracked = "num_batches_tracked";

Error noDevice(const std::string& text, const std::string& reason) {
    return {ErrorKind::NoDevice, fmt::format("device '{}': {}", text, reason)};
}

Result<torch::Device> parseDevice(const std::string& text) {
    if (text == "cpu") return torch::Device(torch::kCPU);
    int index = 0;
    if (text != "cuda") {
        const std::string digits = text.starts_with("cuda:") ? text.substr(5) : "";
        const char* end = digits.data() + digits.size();
        const auto [parsed, code] = std::from_chars(digits.data(), end, index);
        if (code != std::errc() || parsed != end || index < 0) {
            return usageError("unknown device '{}'; use \"cpu\", \"cuda\" or \"cuda:N\"", text);
        }
    }
    const auto devices = static_cast<int>(torch::cuda::device_count());
    if (devices == 0) {
        return noDevice(text,
                        "libtorch finds no CUDA device; use \"cpu\", or a libtorch built with CUDA and a "
                        "working driver");
    }
    if (index >= devices) {
        return noDevice(text,
                        fmt::format("the last one here is \"cuda:{}\"; use that or \"cpu\"", devices - 1));
    }
    return torch::Device(torch::kCUDA, static_cast<c10::DeviceIndex>(index));
}

bool isBatchNorm(const graph::Node& node) {
    return std::holds_alternative<graph::BatchNorm2d>(node.op);
}

/// Copies row-major values into a parameter, whatever its device and memory format.
void assign(Tensor& target, std::vector<float> values) {
    torch::NoGradGuard guard;
    target.copy_(torch::from_blob(values.data(), target.sizes(), torch::kFloat32));
}

void resetStatistics(NodeState& state) {
    state.runningMean.zero_();
    state.runningVar.fill_(1);
    state.batchesTracked = 0;
}

/// torchvision's start: convolutions Kaiming-normal on fan-out with zero bias; linear layers uniform in
/// +-1/sqrt(in), nn.Linear's default.
void initializeLayer(const graph::Op& op, NodeState& state, Random random) {
    if (!state.weight.defined()) return;
    std::vector<float> weight(static_cast<std::size_t>(state.weight.numel()));
    std::vector<float> bias(state.bias.defined() ? static_cast<std::size_t>(state.bias.numel()) : 0, 0.0f);
    if (const auto* conv = std::get_if<graph::Conv2d>(&op)) {
        const auto fanOut = static_cast<double>(conv->outChannels * conv->kernel[0] * conv->kernel[1]);
        const double deviation = std::sqrt(2.0 / fanOut);
        for (float& value : weight)
            value = static_cast<float>(deviation * random.normal());
    } else if (const auto* linear = std::get_if<graph::Linear>(&op)) {
        const double bound = 1.0 / std::sqrt(static_cast<double>(linear->inFeatures));
        for (float& value : weight)
            value = static_cast<float>(random.uniform(-bound, bound));
        for (float& value : bias)
            value = static_cast<float>(random.uniform(-bound, bound));
    } else {
        weight.assign(weight.size(), 1.0f);
        resetStatistics(state);
    }
    assign(state.weight, std::move(weight));
    if (state.bias.defined()) assign(state.bias, std::move(bias));
}

Status checkState(const graph::Graph& graph, const graph::StateDict& state) {
    std::vector<std::string> missing;
    for (const graph::ParameterSpec& spec : graph.parameters()) {
        const auto found = state.find(spec.name);
        if (found == state.end()) {
            if (!spec.name.ends_with(kBatchesTracked)) missing.push_back(spec.name);
        } else if (found->second.shape != spec.shape) {
            return fail(
                "{}: '{}' has shape {}, the network needs {}; choose the architecture that the weights "
                "were saved from",
                graph.arch(), spec.name, graph::toText(found->second.shape), graph::toText(spec.shape));
        }
    }
    if (missing.empty()) return {};
    return fail(
        "{}: the weights lack {} of the network's tensors: {}; choose the architecture that they were "
        "saved from",
        graph.arch(), missing.size(), joinNames(missing));
}

std::int64_t countOf(const graph::Tensor& tensor) {
    if (tensor.dtype != graph::DType::I64) return std::llround(tensor.toFloats().front());
    std::int64_t count = 0;  // beyond 2^24 a float would round it
    std::memcpy(&count, tensor.bytes.data(), sizeof(count));
    return count;
}

}  // namespace

bool hasDevice(const std::string& device) {
    return parseDevice(device).ok();
}

namespace {

/// `overrides` where they name the node. Throws where one names no node of `graph` that has a weight.
WeightSource sourceOf(const WeightOverrides& overrides, GraphRunner& runner) {
    for (const auto& [name, tensor] : overrides) {
        const auto node = runner.graph().find(name);
        TORCH_CHECK(node && runner.states()[static_cast<std::size_t>(node->value)].weight.defined(),
                    "the weight override ", name, " names no node with weights in ", runner.graph().arch());
    }
    return [&overrides](const std::string& node, const Tensor& own) {
        const auto found = overrides.find(node);
        return found == overrides.end() ? own : found->second;
    };
}

}  // namespace

class Executor::Impl {
  public:
    GraphRunner runner;
    bool plainAverage = false;  ///< between beginStatistics() and endStatistics()
};

Executor::Executor(std::unique_ptr<Impl> impl) : m_impl(std::move(impl)) {}
Executor::~Executor() = default;

Result<std::unique_ptr<Executor>> Executor::create(graph::Graph graph, const std::string& device) {
    BITLOOM_ASSIGN_OR_RETURN([[maybe_unused]] const auto shapes, graph::inferShapes(graph));
    BITLOOM_ASSIGN_OR_RETURN(const torch::Device target, parseDevice(device));
    const std::string arch = graph.arch();
    try {
        if (target.is_cpu()) installCachingAllocator();
        return std::unique_ptr<Executor>(
            new Executor(std::make_unique<Impl>(Impl{GraphRunner(std::move(graph), target)})));
    } catch (const std::exception& error) {
        const auto* torchError = dynamic_cast<const c10::Error*>(&error);
        return fail("{} on device '{}': {}", arch, device,
                    torchError ? torchError->what_without_backtrace() : error.what());
    }
}

void Executor::initialize(std::uint64_t seed) {
    torch::NoGradGuard guard;
    for (std::size_t i = 0; i < graph().nodes().size(); ++i) {
        initializeLayer(graph().nodes()[i].op, m_impl->runner.states()[i], Random({seed, i}));
    }
}

Status Executor::load(const graph::StateDict& state) {
    BITLOOM_RETURN_IF_ERROR(checkState(graph(), state));
    for (std::size_t i = 0; i < graph().nodes().size(); ++i) {
        const graph::Node& node = graph().nodes()[i];
        NodeState& target = m_impl->runner.states()[i];
        for (const graph::ParameterSpec& spec : graph::parametersOf(node.op)) {
            const auto found = state.find(node.name + "." + spec.name);
            if (spec.name == kBatchesTracked) {
                target.batchesTracked = found == state.end() ? 0 : countOf(found->second);
            } else {
                assign(target.named(spec.name), found->second.toFloats());
            }
        }
    }
    return {};
}

graph::StateDict Executor::state() const {
    graph::StateDict state;
    for (std::size_t i = 0; i < graph().nodes().size(); ++i) {
        const graph::Node& node = graph().nodes()[i];
        NodeState& source = m_impl->runner.states()[i];
        for (const graph::ParameterSpec& spec : graph::parametersOf(node.op)) {
            state[node.name + "." + spec.name] = spec.name == kBatchesTracked
                                                     ? graph::Tensor::fromInt64({}, {source.batchesTracked})
                                                     : fromTorch(source.named(spec.name));
        }
    }
    return state;
}

Tensor Executor::forward(const Tensor& images, bool training, const WeightOverrides& weights) {
    return forward(images, training, sourceOf(weights, m_impl->runner));
}

Tensor Executor::forward(const Tensor& images, bool training, const WeightSource& weights) {
    return m_impl->runner.forward(images, training, m_impl->plainAverage, weights);
}

void Executor::observe(const Tensor& images, const NodeObserver& observer, bool training,
                       const WeightOverrides& weights) {
    static_cast<void>(m_impl->runner.forward(images, training, /*plainAverage=*/false,
                                             sourceOf(weights, m_impl->runner), observer));
}

void Executor::setPrecision(Precision precision) {
    m_impl->runner.setPrecision(precision);
}

Status Executor::setActivations(quant::ActivationFunctions functions) {
    return m_impl->runner.setActivations(std::move(functions));
}

std::vector<TrainedParameter> Executor::parameters() const {
    std::vector<TrainedParameter> parameters;
    for (std::size_t i = 0; i < graph().nodes().size(); ++i) {
        const graph::Node& node = graph().nodes()[i];
        for (const graph::ParameterSpec& spec : graph::parametersOf(node.op)) {
            if (!spec.trainable) continue;
            const ParameterKind layerKind = spec.name == "bias" ? ParameterKind::Bias : ParameterKind::Weight;
            parameters.push_back({.name = node.name + "." + spec.name,
                                  .node = node.name,
                                  .kind = isBatchNorm(node) ? ParameterKind::BatchNorm : layerKind,
                                  .tensor = m_impl->runner.states()[i].named(spec.name)});
        }
    }
    return parameters;
}

const Tensor& Executor::weight(std::string_view node) const {
    const auto id = graph().find(node);
    assert(id.has_value());
    const Tensor& weight = m_impl->runner.states()[static_cast<std::size_t>(id->value)].weight;
    assert(weight.defined());
    return weight;
}

void Executor::beginStatistics() {
    for (std::size_t i = 0; i < graph().nodes().size(); ++i) {
        if (isBatchNorm(graph().nodes()[i])) resetStatistics(m_impl->runner.states()[i]);
    }
    m_impl->plainAverage = true;
}

void Executor::endStatistics() {
    m_impl->plainAverage = false;
}

const graph::Graph& Executor::graph() const {
    return m_impl->runner.graph();
}
torch::Device Executor::device() const {
    return m_impl->runner.device();
}

}  // namespace bitloom::train
