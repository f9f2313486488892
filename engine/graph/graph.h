// A network: typed nodes in topological order. Training executes it, the window shows it, exports hold it. A
// Graph is a value; it holds no weights (those are a StateDict keyed "<node>.<parameter>").
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/result.h"
#include "engine/graph/op.h"

namespace bitloom::graph {

/// Position of a node in Graph::nodes().
struct NodeId {
    std::int32_t value = -1;
    friend bool operator==(NodeId, NodeId) = default;
};

struct Node {
    std::string name;  ///< unique; the PyTorch module path where there is one
    Op op;
    std::vector<NodeId> inputs;  ///< all earlier in the order
    bool operator==(const Node&) const = default;
};

class Graph {
  public:
    explicit Graph(std::string arch) : m_arch(std::move(arch)) {}

    /// Appends a node and returns its id. The first node, and no other, is an Input. Programmer mistakes
    /// (duplicate name, input not yet added, wrong number of inputs for the op) assert; files go through
    /// fromJson, which checks.
    NodeId add(std::string name, Op op, std::vector<NodeId> inputs = {});

    [[nodiscard]] const std::string& arch() const { return m_arch; }
    [[nodiscard]] const std::vector<Node>& nodes() const { return m_nodes; }
    [[nodiscard]] const Node& node(NodeId id) const { return m_nodes[static_cast<std::size_t>(id.value)]; }
    [[nodiscard]] std::optional<NodeId> find(std::string_view name) const;
    /// The last node: the logits. The graph has nodes.
    [[nodiscard]] NodeId output() const { return {static_cast<std::int32_t>(m_nodes.size()) - 1}; }
    /// C, H, W of one input image.
    [[nodiscard]] const Shape& inputShape() const;

    /// Every StateDict entry of the network, in node order, full names.
    [[nodiscard]] std::vector<ParameterSpec> parameters() const;

    /// Same architecture name, nodes, attributes and wiring.
    bool operator==(const Graph&) const = default;

  private:
    std::string m_arch;
    std::vector<Node> m_nodes;
    std::map<std::string, NodeId, std::less<>> m_ids;
};

/// Inputs an op takes.
[[nodiscard]] std::size_t arity(const Op& op);  ///< Concat: at least this many

/// Output shape of every node for one image, without the batch: [C, H, W], or [features] after Flatten. An
/// impossible attribute or shape is an error that names the node.
[[nodiscard]] Result<std::vector<Shape>> inferShapes(const Graph& graph);

}  // namespace bitloom::graph
