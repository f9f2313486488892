#include "engine/jobs/network_info.h"

#include <cmath>

#include "engine/graph/counts.h"

namespace bitloom::jobs {

Result<report::NetworkInfo> networkInfo(const graph::Graph& graph, const LayerComponents& quantized,
                                        const LayerNames& outside) {
    BITLOOM_ASSIGN_OR_RETURN(const graph::Counts counts, graph::count(graph));
    report::NetworkInfo info{graph.arch(), {}, counts.parameters, counts.macs};
    for (std::size_t i = 0; i < graph.nodes().size(); ++i) {
        const graph::Node& node = graph.nodes()[i];
        if (counts.nodes[i].weights == 0) continue;
        report::LayerInfo layer;
        layer.name = node.name;
        layer.op = graph::describe(node.op);
        for (const graph::ParameterSpec& spec : graph::parametersOf(node.op)) {
            if (spec.name == "weight") layer.weightShape = spec.shape;
        }
        layer.weights = counts.nodes[i].weights;
        layer.macs = counts.nodes[i].macs;
        if (const auto found = quantized.find(node.name); found != quantized.end()) {
            layer.quantized = true;
            layer.bits = std::log2(static_cast<double>(found->second));
            layer.outsideAverage = outside.contains(node.name);
        }
        info.layers.push_back(std::move(layer));
    }
    return info;
}

}  // namespace bitloom::jobs
