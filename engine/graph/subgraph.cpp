#include "engine/graph/subgraph.h"

namespace bitloom::graph {

Result<Graph> subgraph(const Graph& graph, NodeId from, NodeId to) {
    BITLOOM_ASSIGN_OR_RETURN(const std::vector<Shape> shapes, inferShapes(graph));
    const Shape& shape = shapes[static_cast<std::size_t>(from.value)];
    const std::string& start = graph.node(from).name;
    if (shape.size() != 3)
        return fail("{}: {} of shape {} is no image to start from", graph.arch(), start, toText(shape));
    Graph part(graph.arch());
    part.add(start, Input{shape});
    for (std::int32_t id = from.value + 1; id <= to.value; ++id) {
        const Node& node = graph.node({id});
        std::vector<NodeId> inputs;
        for (const NodeId input : node.inputs) {
            if (input.value < from.value) {
                return fail("{}: {} reads {}, which is before {}", graph.arch(), node.name,
                            graph.node(input).name, start);
            }
            inputs.push_back({input.value - from.value});
        }
        part.add(node.name, node.op, std::move(inputs));
    }
    return part;
}

}  // namespace bitloom::graph
