// Parameter and multiply-accumulate counts of a network, whole and per node.
#pragma once

#include <cstdint>
#include <vector>

#include "engine/graph/graph.h"

namespace bitloom::graph {

struct NodeCounts {
    std::int64_t parameters = 0;  ///< trainable scalars
    std::int64_t weights = 0;     ///< elements of the conv or linear weight, without bias
    std::int64_t macs = 0;        ///< per image; convolutions and linear layers only
};

struct Counts {
    std::int64_t parameters = 0;
    std::int64_t weights = 0;
    std::int64_t macs = 0;
    std::vector<NodeCounts> nodes;  ///< as Graph::nodes()
};

[[nodiscard]] Result<Counts> count(const Graph& graph);

}  // namespace bitloom::graph
