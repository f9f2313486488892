#include "engine/quant/fixed_set.h"

#include <cmath>

#include "engine/quant/weight_blocks.h"

namespace bitloom::quant {

report::LayerSnapshot snapshotOfSet(const torch::Tensor& weight, const QuantizedTensor& hard,
                                    const stats::Range& range) {
    const torch::Tensor local = rowMajorFloats(weight);
    const std::span<const float> latent = valuesOf(local);
    const std::vector<float> values = hard.dequantize();
    const auto count = static_cast<double>(latent.size());
    report::Mixture mixture;
    mixture.temperature = 0;
    for (const float value : hard.codebook)
        mixture.components.push_back({.mu = value});
    report::LayerSnapshot snapshot;
    for (std::size_t i = 0; i < latent.size(); ++i) {
        ++mixture.components[hard.indices[i]].count;
        const double off = static_cast<double>(latent[i]) - values[i];
        snapshot.mse += off * off / count;
    }
    for (report::MixtureComponent& component : mixture.components)
        component.pi = static_cast<double>(component.count) / count;
    snapshot.mixtures.push_back(std::move(mixture));
    snapshot.bits = std::log2(static_cast<double>(hard.components));
    snapshot.weights = stats::buildHistogram(latent, range);
    snapshot.softWeights = stats::buildHistogram(values, range);
    snapshot.sparsity = static_cast<double>(hard.zeros()) / count;
    if (weight.is_leaf() && weight.grad().defined())
        snapshot.gradients.weight = weight.grad().detach().to(torch::kFloat64).norm().item<double>();
    return snapshot;
}

}  // namespace bitloom::quant
