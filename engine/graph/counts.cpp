// Counting is arithmetic on attributes and inferred shapes. Pure function, any thread.
#include "engine/graph/counts.h"

namespace bitloom::graph {
namespace {

/// More than any network needs for one image; keeps the sum over nodes from overflowing.
constexpr std::int64_t kMaxMacs = std::int64_t{1} << 48;

/// Elements of one output channel's weight: multiply-accumulates for one output element.
std::int64_t macsPerOutput(const Op& op) {
    if (const auto* conv = std::get_if<Conv2d>(&op)) {
        return conv->inChannels / conv->groups * conv->kernel[0] * conv->kernel[1];
    }
    if (const auto* linear = std::get_if<Linear>(&op)) return linear->inFeatures;
    return 0;
}

}  // namespace

Result<Counts> count(const Graph& graph) {
    BITLOOM_ASSIGN_OR_RETURN(const std::vector<Shape> shapes, inferShapes(graph));
    Counts counts;
    for (std::size_t i = 0; i < shapes.size(); ++i) {
        const Op& op = graph.nodes()[i].op;
        NodeCounts node;
        for (const ParameterSpec& spec : parametersOf(op)) {
            if (spec.trainable) node.parameters += elementCount(spec.shape);
            if (spec.name == "weight" && !std::holds_alternative<BatchNorm2d>(op)) {
                node.weights = elementCount(spec.shape);
            }
        }
        node.macs = macsPerOutput(op) * elementCount(shapes[i]);
        if (node.macs > kMaxMacs) {
            return fail("node '{}' needs {} multiply-accumulates for one image, more than the {} supported",
                        graph.nodes()[i].name, node.macs, kMaxMacs);
        }
        counts.parameters += node.parameters;
        counts.weights += node.weights;
        counts.macs += node.macs;
        counts.nodes.push_back(node);
    }
    return counts;
}

}  // namespace bitloom::graph
