#include "engine/train/weight_plane.h"

#include "engine/base/random.h"

namespace bitloom::train {
namespace {

/// Gaussian, each filter scaled to the norm of that of `weight`; a filter of zeros stays where it is.
torch::Tensor direction(const torch::Tensor& weight, Random random) {
    std::vector<float> values(static_cast<std::size_t>(weight.numel()));
    for (float& value : values)
        value = static_cast<float>(random.normal());
    const std::int64_t filters = weight.size(0);
    torch::Tensor rows = torch::from_blob(values.data(), {filters, -1}, torch::kFloat32).to(weight.device());
    const torch::Tensor norms = weight.contiguous().view({filters, -1}).norm(2, 1, true);
    rows = rows * (norms / rows.norm(2, 1, true));
    return rows.view(weight.sizes());
}

}  // namespace

WeightPlane::WeightPlane(const Executor& executor, std::uint64_t seed) {
    const torch::NoGradGuard guard;
    for (const TrainedParameter& parameter : executor.parameters()) {
        if (parameter.kind != ParameterKind::Weight) continue;
        const torch::Tensor centre = parameter.tensor.detach().clone(at::MemoryFormat::Contiguous);
        const std::uint64_t layer = m_layers.size();
        m_layers.push_back({parameter.node, centre, direction(centre, Random({seed, layer, 0})),
                            direction(centre, Random({seed, layer, 1}))});
    }
}

WeightOverrides WeightPlane::at(double alpha, double beta) const {
    const torch::NoGradGuard guard;
    WeightOverrides weights;
    for (const Layer& layer : m_layers)
        weights.emplace(layer.node, layer.centre + alpha * layer.first + beta * layer.second);
    return weights;
}

WeightOverrides hardened(WeightOverrides weights, const quant::QuantizerMap& quantizers) {
    for (const auto& [node, quantizer] : quantizers) {
        torch::Tensor& weight = weights.at(node);
        std::vector<float> values = quantizer->hard(weight).dequantize();
        weight =
            torch::from_blob(values.data(), weight.sizes(), torch::kFloat32).to(weight.device(), false, true);
    }
    return weights;
}

}  // namespace bitloom::train
