#include "engine/train/training_step.h"

#include <cmath>
#include <string>
#include <variant>
#include <vector>

namespace bitloom::train {
namespace {

bool isFinite(const torch::Tensor& tensor) {
    return !tensor.defined() || tensor.detach().isfinite().all().item<bool>();
}

/// What a step worked with when its loss went wrong.
struct FailedPass {
    Executor& executor;
    const quant::QuantizerMap& quantizers;
    const torch::Tensor& images;
    const WeightOverrides& weights;  ///< of the quantized layers, as the pass had them
};

struct NamedParameter {
    std::string name;
    std::string node;  ///< the layer that it belongs to
    torch::Tensor tensor;
    bool streamed = false;  ///< quant::GradientStream
};

/// In network order, a layer's own before its quantizer's.
std::vector<NamedParameter> parametersOf(const FailedPass& pass) {
    std::vector<NamedParameter> all;
    for (const TrainedParameter& parameter : pass.executor.parameters()) {
        all.push_back({parameter.name, parameter.node, parameter.tensor});
        const auto quantizer = pass.quantizers.find(parameter.node);
        if (parameter.kind != ParameterKind::Weight || quantizer == pass.quantizers.end()) continue;
        for (const quant::QuantizerParameter& own : quantizer->second->parameters())
            all.push_back(
                {parameter.node + "." + own.group, parameter.node, own.tensor, own.stream != nullptr});
    }
    return all;
}

/// The nearest node at or before `node` that has parameters: of a batch norm, addition and ReLU that run as
/// one, seen as the ReLU, the batch norm. Empty where there is none.
std::string layerBehind(const graph::Graph& graph, const graph::Node& node) {
    const graph::Node* at = &node;
    while (graph::parametersOf(at->op).empty()) {
        if (at->inputs.empty()) return {};
        const graph::Node* next = &graph.node(at->inputs.front());
        for (const graph::NodeId input : at->inputs) {
            if (std::holds_alternative<graph::BatchNorm2d>(graph.node(input).op)) next = &graph.node(input);
        }
        at = next;
    }
    return at->name;
}

/// The layer whose output is the first that is not finite, in the order in which the pass computes them;
/// empty where all are.
std::string firstBrokenLayer(const FailedPass& pass) {
    const torch::NoGradGuard guard;
    std::string layer;
    pass.executor.observe(
        pass.images,
        [&](const graph::Node& node, const torch::Tensor& output) {
            if (layer.empty() && !isFinite(output)) layer = layerBehind(pass.executor.graph(), node);
        },
        /*training=*/true, pass.weights);
    return layer;
}

/// The parameter nearest to the output whose gradient is not finite; empty where all are. Streamed ones have
/// none.
std::string firstBrokenGradient(const std::vector<NamedParameter>& parameters, const torch::Tensor& loss) {
    std::vector<torch::Tensor> trained;
    std::vector<std::string> names;
    for (auto parameter = parameters.rbegin(); parameter != parameters.rend(); ++parameter) {
        if (parameter->streamed || !parameter->tensor.requires_grad()) continue;
        trained.push_back(parameter->tensor);
        names.push_back(parameter->name);
    }
    if (trained.empty()) return {};
    const std::vector<torch::Tensor> gradients =
        torch::autograd::grad({loss}, trained, /*grad_outputs=*/{}, /*retain_graph=*/false,
                              /*create_graph=*/false, /*allow_unused=*/true);
    for (std::size_t i = 0; i < gradients.size(); ++i) {
        if (!isFinite(gradients[i])) return names[i];
    }
    return {};
}

Error diagnose(const FailedPass& pass, const torch::Tensor& loss) {
    // Streams would train on the broken gradients.
    for (const auto& [node, quantizer] : pass.quantizers) {
        for (const quant::QuantizerParameter& parameter : quantizer->parameters()) {
            if (parameter.stream) parameter.stream->end();
        }
    }
    const auto number = loss.item<double>();
    const std::string value = std::isnan(number) ? "NaN" : fmt::format("{}", number);
    if (!isFinite(pass.images))
        return fail("the loss is {}: the images hold NaN or infinity; check them", value);
    const std::vector<NamedParameter> parameters = parametersOf(pass);
    if (const std::string layer = firstBrokenLayer(pass); !layer.empty()) {
        for (const NamedParameter& parameter : parameters) {
            if (parameter.node != layer || isFinite(parameter.tensor)) continue;
            return fail(
                "the loss is {}: {} is the first layer whose output is not finite, since {} holds NaN or "
                "infinity; lower its learning rate",
                value, layer, parameter.name);
        }
        return fail(
            "the loss is {}: {} is the first layer whose output is not finite, though its parameters are; "
            "lower the learning rates",
            value, layer);
    }
    if (const std::string name = firstBrokenGradient(parameters, loss); !name.empty()) {
        return fail(
            "the loss is {} although every layer's output is finite; on the way back the gradient of {} is "
            "the first that is not; lower the learning rates",
            value, name);
    }
    const graph::Graph& graph = pass.executor.graph();
    return fail(
        "the loss is {} although all outputs and gradients are finite: those of {}, the last layer, are too "
        "far apart; lower the learning rates",
        value, layerBehind(graph, graph.nodes().back()));
}

torch::Tensor distillationLoss(const torch::Tensor& logits, Executor& teacher, const torch::Tensor& images,
                               double temperature) {
    torch::Tensor target;
    {
        const torch::NoGradGuard guard;
        target = torch::log_softmax(teacher.forward(images, /*training=*/false) / temperature, 1);
    }
    const torch::Tensor sum = torch::kl_div(torch::log_softmax(logits / temperature, 1), target,
                                            torch::Reduction::Sum, /*log_target=*/true);
    return temperature * temperature * sum / logits.size(0);
}

torch::Tensor trainingWeight(quant::Quantizer& quantizer, const torch::Tensor& latent, bool hardForward) {
    return hardForward ? quantizer.hardForward(latent) : quantizer.soft(latent);
}

}  // namespace

WeightOverrides trainingWeights(const Executor& executor, const quant::QuantizerMap& quantizers,
                                bool hardForward) {
    WeightOverrides weights;
    for (const auto& [node, quantizer] : quantizers) {
        weights.emplace(node, trainingWeight(*quantizer, executor.weight(node), hardForward));
    }
    return weights;
}

Result<double> forwardBackward(Executor& executor, const quant::QuantizerMap& quantizers,
                               const data::Batch& batch, data::ImageShape shape, const TrainOptions& options,
                               Executor* teacher) {
    // from_blob takes no ownership and wants mutable pointers; both tensors only live in this call.
    auto* pixels = const_cast<float*>(batch.images.data());
    auto* classes = const_cast<std::int64_t*>(batch.labels.data());
    const torch::Tensor images =
        torch::from_blob(pixels, {batch.count, shape.channels, shape.height, shape.width})
            .to(executor.device());
    const torch::Tensor labels =
        torch::from_blob(classes, {batch.count}, torch::TensorOptions(torch::kInt64)).to(executor.device());

    executor.setPrecision(options.precision);
    if (teacher != nullptr) teacher->setPrecision(options.precision);
    WeightOverrides used;
    const torch::Tensor logits =
        executor.forward(images, /*training=*/true, [&](const std::string& node, const torch::Tensor& own) {
            const auto found = quantizers.find(node);
            if (found == quantizers.end()) return own;
            const torch::Tensor weight = trainingWeight(*found->second, own, options.hardForward);
            used.insert_or_assign(node, weight.detach());
            return weight;
        });
    constexpr std::int64_t kIgnoredLabel = -100;  // PyTorch's default: no label is
    torch::Tensor loss = torch::cross_entropy_loss(logits, labels, /*weight=*/{}, torch::Reduction::Mean,
                                                   kIgnoredLabel, options.labelSmoothing);
    if (teacher != nullptr) {
        loss = torch::lerp(loss, distillationLoss(logits, *teacher, images, options.distillationTemperature),
                           options.distillation);
    }
    const auto value = loss.item<double>();
    if (!std::isfinite(value)) return diagnose({executor, quantizers, images, used}, loss);
    used.clear();  // backward frees each weight once its layer is through
    loss.backward();
    return value;
}

}  // namespace bitloom::train
