#include "engine/train/weight_plane.h"

#include "engine/base/random.h"
#include "engine/train/guarded.h"

namespace bitloom::train {
namespace {

/// Gaussian, each filter scaled to the norm of that of `weight`; a filter of zeros stays where it is.
torch::Tensor direction(const torch::Tensor& weight, Random random) {
    std::vector<float> values(static_cast<std::size_t>(weight.numel()));
    for (float& value : values)
        value = static_cast<float>(random.normal());
    const std::int64_t filters = weight.size(0);
    torch::Tensor rows = torch::from_blob(values.data(), {filters, weight.numel() / filters}, torch::kFloat32)
                             .to(weight.device());
    const torch::Tensor norms = weight.contiguous().view({filters, -1}).norm(2, 1, true);
    rows = rows * (norms / rows.norm(2, 1, true));
    return rows.view(weight.sizes());
}

void harden(WeightOverrides& weights, const quant::QuantizerMap& quantizers) {
    for (const auto& [node, quantizer] : quantizers) {
        torch::Tensor& weight = weights.at(node);
        std::vector<float> values = quantizer->hard(weight).dequantize();
        const torch::Tensor hard = torch::from_blob(values.data(), weight.sizes(), torch::kFloat32);
        weight = hard.to(weight.device(), /*non_blocking=*/false, /*copy=*/true);
    }
}

}  // namespace

Result<WeightPlane> WeightPlane::create(const Executor& executor, std::uint64_t seed) {
    return guarded("directions through the weights", [&]() -> Result<WeightPlane> {
        const torch::NoGradGuard guard;
        WeightPlane plane;
        for (const TrainedParameter& parameter : executor.parameters()) {
            if (parameter.kind != ParameterKind::Weight) continue;
            const torch::Tensor centre = parameter.tensor.detach().clone(at::MemoryFormat::Contiguous);
            const std::uint64_t layer = plane.m_layers.size();
            plane.m_layers.push_back({parameter.node, centre, direction(centre, Random({seed, layer, 0})),
                                      direction(centre, Random({seed, layer, 1}))});
        }
        return plane;
    });
}

Result<WeightOverrides> WeightPlane::at(double alpha, double beta,
                                        const quant::QuantizerMap& quantizers) const {
    return guarded("weights along the directions", [&]() -> Result<WeightOverrides> {
        const torch::NoGradGuard guard;
        WeightOverrides weights;
        for (const Layer& layer : m_layers)
            weights.emplace(layer.node, layer.centre + alpha * layer.first + beta * layer.second);
        harden(weights, quantizers);
        return weights;
    });
}

}  // namespace bitloom::train
