#include "engine/qsimd/deployed_network.h"

#include <algorithm>
#include <cmath>

#include "engine/base/random.h"

namespace bitloom::qsimd {
namespace {

/// Standard normal values that cut off equal shares, the smallest magnitude set to zero.
std::vector<float> gaussianCodebook(int components, double deviation) {
    std::vector<float> codebook;
    for (int i = 0; i < components; ++i) {
        // Bisection of the normal distribution function.
        const double share = (i + 0.5) / components;
        double low = -8;
        double high = 8;
        for (int step = 0; step < 60; ++step) {
            const double middle = (low + high) / 2;
            (0.5 * std::erfc(-middle / std::sqrt(2.0)) < share ? low : high) = middle;
        }
        codebook.push_back(static_cast<float>(deviation * low));
    }
    const auto smallest = std::ranges::min_element(codebook, {}, [](float value) { return std::abs(value); });
    std::swap(*smallest, codebook.front());
    codebook.front() = 0;
    return codebook;
}

}  // namespace

Result<DeployedNetwork> randomNetwork(const graph::Graph& graph, int components, std::uint64_t seed) {
    if (components < 2 || components > 256)
        return fail("A codebook has 2 to 256 components, not {}", components);
    DeployedNetwork source;
    source.graph = graph;
    bool first = true;
    std::uint64_t index = 0;
    for (const graph::Node& node : graph.nodes()) {
        const bool convolution = std::holds_alternative<graph::Conv2d>(node.op);
        for (const graph::ParameterSpec& parameter : graph::parametersOf(node.op)) {
            Random random({seed, ++index});
            const auto count = static_cast<std::size_t>(graph::elementCount(parameter.shape));
            if (parameter.name == "num_batches_tracked") continue;
            const bool weight = parameter.name == "weight" && parameter.shape.size() > 1;
            const double fanIn =
                weight ? static_cast<double>(count) / static_cast<double>(parameter.shape[0]) : 1;
            const double deviation = std::sqrt(2 / fanIn);
            if (weight && convolution && !std::exchange(first, false)) {
                CodebookWeights weights{components, gaussianCodebook(components, deviation), {}};
                for (std::size_t i = 0; i < count; ++i)
                    weights.indices.push_back(
                        static_cast<std::uint8_t>(random.below(static_cast<std::uint64_t>(components))));
                source.quantized.emplace(node.name, std::move(weights));
                continue;
            }
            const bool scale = parameter.name == "weight" || parameter.name == "running_var";
            std::vector<float> values(count);
            for (float& value : values) {
                if (weight) {
                    value = static_cast<float>(deviation * random.normal());
                } else {
                    value = static_cast<float>(scale ? random.uniform(0.5, 1.0) : random.uniform(-0.1, 0.1));
                }
            }
            source.rest.emplace(node.name + "." + parameter.name,
                                graph::Tensor::fromFloats(parameter.shape, values));
        }
    }
    return source;
}

}  // namespace bitloom::qsimd
