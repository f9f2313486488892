// A Graph as the window and the reports show it.
#pragma once

#include <map>
#include <set>
#include <string>

#include "engine/base/result.h"
#include "engine/graph/graph.h"
#include "engine/report/run.h"

namespace bitloom::jobs {

/// Components of each quantized layer, by node name.
using LayerComponents = std::map<std::string, int, std::less<>>;
using LayerNames = std::set<std::string, std::less<>>;

/// Layers with weights in execution order, with counts; those in `quantized` have their bits, those in
/// `outside` too stand outside the average.
[[nodiscard]] Result<report::NetworkInfo> networkInfo(const graph::Graph& graph,
                                                      const LayerComponents& quantized = {},
                                                      const LayerNames& outside = {});

}  // namespace bitloom::jobs
