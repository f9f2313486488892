// Building and searching a Graph. A value type: share const copies between threads freely.
#include "engine/graph/graph.h"

#include <algorithm>
#include <cassert>

namespace bitloom::graph {

NodeId Graph::add(std::string name, Op op, std::vector<NodeId> inputs) {
    const NodeId id{static_cast<std::int32_t>(m_nodes.size())};
    assert(std::holds_alternative<Input>(op) == m_nodes.empty());
    assert(std::holds_alternative<Concat>(op) ? inputs.size() >= arity(op) : inputs.size() == arity(op));
    assert(std::all_of(inputs.begin(), inputs.end(),
                       [&](NodeId input) { return input.value >= 0 && input.value < id.value; }));
    [[maybe_unused]] const bool unique = m_ids.emplace(name, id).second;
    assert(unique);
    m_nodes.push_back({std::move(name), std::move(op), std::move(inputs)});
    return id;
}

std::optional<NodeId> Graph::find(std::string_view name) const {
    const auto found = m_ids.find(name);
    return found == m_ids.end() ? std::nullopt : std::optional(found->second);
}

const Shape& Graph::inputShape() const {
    assert(!m_nodes.empty());
    return std::get<Input>(m_nodes.front().op).shape;
}

std::vector<ParameterSpec> Graph::parameters() const {
    std::vector<ParameterSpec> all;
    for (const Node& each : m_nodes) {
        for (ParameterSpec& spec : parametersOf(each.op)) {
            spec.name = each.name + "." + spec.name;
            all.push_back(std::move(spec));
        }
    }
    return all;
}

std::size_t arity(const Op& op) {
    if (std::holds_alternative<Input>(op)) return 0;
    return std::holds_alternative<Add>(op) || std::holds_alternative<Mul>(op) ? 2 : 1;
}

}  // namespace bitloom::graph
