#include "engine/train/training_step.h"

#include <cmath>

namespace bitloom::train {
namespace {

bool isFinite(const torch::Tensor& tensor) {
    return !tensor.defined() || tensor.detach().isfinite().all().item<bool>();
}

/// `select` picks what to look at of a leaf: its values or its gradient. Empty when all is finite.
template <class Select>
std::string firstNonFinite(const Executor& executor, const quant::QuantizerMap& quantizers, Select select) {
    for (const TrainedParameter& parameter : executor.parameters()) {
        if (!isFinite(select(parameter.tensor))) return parameter.name;
        const auto quantizer = quantizers.find(parameter.node);
        if (parameter.kind != ParameterKind::Weight || quantizer == quantizers.end()) continue;
        for (const quant::QuantizerParameter& own : quantizer->second->parameters()) {
            if (!isFinite(select(own.tensor))) return parameter.node + "." + own.group;
        }
    }
    return {};
}

Error diagnose(const Executor& executor, const quant::QuantizerMap& quantizers, const torch::Tensor& loss) {
    const double value = loss.item<double>();
    const std::string weights =
        firstNonFinite(executor, quantizers, [](const torch::Tensor& tensor) { return tensor; });
    if (!weights.empty()) {
        return fail(
            "the loss is {}: {} is the first parameter with non-finite values; lower its learning rate",
            value, weights);
    }
    loss.backward();
    const std::string gradients =
        firstNonFinite(executor, quantizers, [](const torch::Tensor& tensor) { return tensor.grad(); });
    if (!gradients.empty()) {
        return fail(
            "the loss is {}: {} is the first parameter with a non-finite gradient; lower the learning rates",
            value, gradients);
    }
    return fail("the loss is {} although all weights and gradients are finite: check the images", value);
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

}  // namespace

WeightOverrides trainingWeights(const Executor& executor, const quant::QuantizerMap& quantizers,
                                bool hardForward) {
    WeightOverrides weights;
    for (const auto& [node, quantizer] : quantizers) {
        const torch::Tensor& latent = executor.weight(node);
        weights.emplace(node, hardForward ? quantizer->hardForward(latent) : quantizer->soft(latent));
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

    const torch::Tensor logits = executor.forward(images, /*training=*/true,
                                                  trainingWeights(executor, quantizers, options.hardForward));
    constexpr std::int64_t kIgnoredLabel = -100;  // PyTorch's default: no label is
    torch::Tensor loss = torch::cross_entropy_loss(logits, labels, /*weight=*/{}, torch::Reduction::Mean,
                                                   kIgnoredLabel, options.labelSmoothing);
    if (teacher != nullptr) {
        loss = torch::lerp(loss, distillationLoss(logits, *teacher, images, options.distillationTemperature),
                           options.distillation);
    }
    const auto value = loss.item<double>();
    if (!std::isfinite(value)) return diagnose(executor, quantizers, loss);
    loss.backward();
    return value;
}

}  // namespace bitloom::train
