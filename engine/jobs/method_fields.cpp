#include "engine/jobs/method_fields.h"

#include "engine/graph/graph.h"
#include "engine/quant/method_names.h"
#include "engine/quant/registry.h"

namespace bitloom::jobs {
namespace {

constexpr int kMostComponents = 256;

/// The smallest network with a layer that is quantized: one linear layer.
graph::Graph smallestNetwork() {
    graph::Graph graph("one-layer");
    const graph::NodeId input = graph.add("input", graph::Input{{1, 1, 1}});
    const graph::NodeId flat = graph.add("flat", graph::Flatten{}, {input});
    graph.add("layer", graph::Linear{.inFeatures = 1, .outFeatures = 1}, {flat});
    return graph;
}

}  // namespace

const std::vector<MethodFields>& methodFields() {
    static const std::vector<MethodFields> fields = [] {
        std::vector<MethodFields> all;
        const graph::Graph graph = smallestNetwork();
        for (const std::string& name : quant::methodNames()) {
            MethodFields& method = all.emplace_back();
            method.name = name;
            method.budget = quant::learnsBits(name);
            method.mixture = quant::startsFromMixture(name);
            quant::QuantizerOptions options;
            options.exclude.emplace();  // no layer is left out
            quant::LayerOptions& layer = options.layer;
            layer.method = name;
            const auto isTaken = [&] {
                const auto planned = quant::planLayers(graph, options);
                return planned && !planned->empty();
            };
            for (layer.components = 2; layer.components <= kMostComponents; ++layer.components) {
                if (isTaken()) method.sizes.push_back(layer.components);
            }
            layer.components = 2;
            layer.values = {-1, 1};
            method.values = isTaken();
        }
        return all;
    }();
    return fields;
}

}  // namespace bitloom::jobs
