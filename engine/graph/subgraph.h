// A part of a graph as a graph of its own. Pure, any thread.
#pragma once

#include "engine/graph/graph.h"

namespace bitloom::graph {

/// The nodes after `from` up to `to`, under their names; the input is the value of `from`, [C, H, W], under
/// its name. The parameters keep their names. An error where one of these nodes reads a value before `from`,
/// or that value is no image.
[[nodiscard]] Result<Graph> subgraph(const Graph& graph, NodeId from, NodeId to);

}  // namespace bitloom::graph
