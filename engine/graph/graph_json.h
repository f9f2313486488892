// A Graph as JSON, for run files, exports and `inspect`. The reader checks everything an untrusted file could
// break.
#pragma once

#include <string>
#include <string_view>

#include "engine/graph/graph.h"

namespace bitloom::graph {

[[nodiscard]] std::string toJson(const Graph& graph);
/// Errors name the node and what is wrong with it.
[[nodiscard]] Result<Graph> fromJson(std::string_view json);

}  // namespace bitloom::graph
